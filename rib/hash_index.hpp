// HashIndex: hash -> id, open addressing over 4-octet slots; the keys live with the objects. Growing and shrinking
// move a few slots per operation, so no single insert stalls (a plain rehash of a million entries takes up to 0.9 s,
// MEASUREMENTS §1). The objects' hashes are asked for by id when slots move.
#pragma once
#include <cstdint>
#include <cstring>

#include "rib/memory.hpp"

namespace helio::rib {

class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  explicit HashIndex(MemoryAccount& account) : account_(account) {}
  ~HashIndex() {
    drop(current_);
    drop(old_);
  }
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  // The id whose object equals, or kNone. equal(id) is asked for slots on the probe path only.
  template <class Equal>
  std::uint32_t find(std::uint64_t hash, Equal&& equal) const {
    std::uint32_t id = find_in(current_, hash, equal);
    return id != kNone || old_.slots == nullptr ? id : find_in(old_, hash, equal);
  }

  // The id must not be present. hash_of(id) gives the hash of an object present.
  template <class HashOf>
  void insert(std::uint64_t hash, std::uint32_t id, HashOf&& hash_of) {
    if (current_.slots == nullptr) make(current_, kMinimum);
    if (old_.slots == nullptr && (size_ + 1) * 8 > current_.capacity * 7) start_resize(current_.capacity * 2);
    put(current_, hash, id);
    ++size_;
    migrate(hash_of);
  }

  template <class HashOf>
  void erase(std::uint64_t hash, std::uint32_t id, HashOf&& hash_of) {
    if (!erase_in(current_, hash, id, hash_of)) bury_in(old_, hash, id);
    --size_;
    if (size_ == 0) {
      drop(current_);
      drop(old_);
    } else if (old_.slots == nullptr && current_.capacity > kMinimum && size_ * 8 < current_.capacity) {
      start_resize(current_.capacity / 4 > kMinimum ? current_.capacity / 4 : kMinimum);
    }
    migrate(hash_of);
  }

  // Brings the line of the first probe near; call ahead of find over a batch.
  void prefetch(std::uint64_t hash) const {
    if (current_.slots != nullptr) __builtin_prefetch(current_.slots + (hash & (current_.capacity - 1)));
  }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kMinimum = 16;
  static constexpr std::uint32_t kEmpty = 0, kBuried = 0xffffffff;  // other values are id + 1
  struct Table {
    std::uint32_t* slots = nullptr;
    std::size_t capacity = 0;  // a power of two
  };

  void make(Table& table, std::size_t capacity) {
    table.slots = static_cast<std::uint32_t*>(std::calloc(capacity, sizeof(std::uint32_t)));
    if (table.slots == nullptr) throw std::bad_alloc();
    table.capacity = capacity;
    account_.add(MemoryKind::directory, static_cast<std::int64_t>(capacity * sizeof(std::uint32_t)), 1);
  }
  void drop(Table& table) {
    if (table.slots == nullptr) return;
    account_.add(MemoryKind::directory, -static_cast<std::int64_t>(table.capacity * sizeof(std::uint32_t)), -1);
    std::free(table.slots);
    table = Table();
  }
  void start_resize(std::size_t capacity) {
    old_ = current_;
    current_ = Table();
    make(current_, capacity);
    cursor_ = 0;
  }
  template <class Equal>
  static std::uint32_t find_in(const Table& table, std::uint64_t hash, Equal&& equal) {
    if (table.slots == nullptr) return kNone;
    std::size_t mask = table.capacity - 1;
    for (std::size_t i = hash & mask; table.slots[i] != kEmpty; i = (i + 1) & mask)
      if (table.slots[i] != kBuried && equal(table.slots[i] - 1)) return table.slots[i] - 1;
    return kNone;
  }
  static void put(Table& table, std::uint64_t hash, std::uint32_t id) {
    std::size_t mask = table.capacity - 1, i = hash & mask;
    while (table.slots[i] != kEmpty) i = (i + 1) & mask;
    table.slots[i] = id + 1;
  }
  // Removal by moving later entries of the probe run back, so that no marks are left behind.
  template <class HashOf>
  static bool erase_in(Table& table, std::uint64_t hash, std::uint32_t id, HashOf&& hash_of) {
    if (table.slots == nullptr) return false;
    std::size_t mask = table.capacity - 1, i = hash & mask;
    while (table.slots[i] != id + 1) {
      if (table.slots[i] == kEmpty) return false;
      i = (i + 1) & mask;
    }
    for (std::size_t j = (i + 1) & mask; table.slots[j] != kEmpty; j = (j + 1) & mask) {
      std::size_t home = hash_of(table.slots[j] - 1) & mask;
      if (((j - home) & mask) >= ((j - i) & mask)) {
        table.slots[i] = table.slots[j];
        i = j;
      }
    }
    table.slots[i] = kEmpty;
    return true;
  }
  // In the table being emptied a removed slot stays marked: probe runs must not be cut.
  static void bury_in(Table& table, std::uint64_t hash, std::uint32_t id) {
    if (table.slots == nullptr) return;
    std::size_t mask = table.capacity - 1, i = hash & mask;
    for (; table.slots[i] != kEmpty; i = (i + 1) & mask) {
      if (table.slots[i] == id + 1) {
        table.slots[i] = kBuried;
        return;
      }
    }
  }
  template <class HashOf>
  void migrate(HashOf&& hash_of) {
    if (old_.slots == nullptr) return;
    for (std::size_t n = 0; n < 16 && cursor_ < old_.capacity; ++n, ++cursor_) {
      std::uint32_t slot = old_.slots[cursor_];
      if (slot == kEmpty || slot == kBuried) continue;
      put(current_, hash_of(slot - 1), slot - 1);
      old_.slots[cursor_] = kBuried;
    }
    if (cursor_ == old_.capacity) drop(old_);
  }

  MemoryAccount& account_;
  Table current_, old_;
  std::size_t cursor_ = 0;
  std::size_t size_ = 0;
};

}  // namespace helio::rib

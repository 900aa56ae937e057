// HashIndex: hash -> id, open addressing over 8-octet slots {32 bits of the hash, id}; the keys live with the objects,
// which are looked at only when the hash bits agree. Growing and shrinking move a few slots per operation, so no single
// insert stalls (a plain rehash of a million entries takes up to 0.9 s). Large tables are mapped, not allocated: their
// pages come zeroed one by one as they are touched, and those of the table being emptied go back as they are passed.
// Why: without the hash bits in the slot, a million attribute sets with one route each spent a third of the time in
// cache misses of probes that could not match.
#pragma once
#include <sys/mman.h>

#include <algorithm>
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
  std::uint32_t find(std::uint64_t wide, Equal&& equal) const {
    std::uint32_t hash = fold(wide);
    std::uint32_t id = find_in(current_, 0, hash, equal);
    return id != kNone || old_.slots == nullptr ? id : find_in(old_, cursor_, hash, equal);
  }

  // The id must not be present.
  void insert(std::uint64_t wide, std::uint32_t id) {
    std::uint32_t hash = fold(wide);
    if (current_.slots == nullptr) make(current_, kMinimum);
    if (old_.slots == nullptr && (size_ + 1) * 4 > current_.capacity * 3) start_resize(current_.capacity * 3 / 2);
    put(current_, slot_of(hash, id));
    ++size_;
    migrate();
  }

  void erase(std::uint64_t wide, std::uint32_t id) {
    std::uint32_t hash = fold(wide);
    if (!erase_in(current_, hash, id)) bury_in(old_, cursor_, hash, id);
    --size_;
    if (size_ == 0) {
      drop(current_);
      drop(old_);
    } else if (old_.slots == nullptr && current_.capacity > kMinimum && size_ * 8 < current_.capacity) {
      start_resize(current_.capacity / 4 > kMinimum ? current_.capacity / 4 : kMinimum);
    }
    migrate();
  }

  // Brings the line of the first probe near; call ahead of find over a batch.
  void prefetch(std::uint64_t wide) const {
    if (current_.slots != nullptr) __builtin_prefetch(current_.slots + current_.home(fold(wide)));
  }
  // An id whose hash bits agree, or kNone: for asking for the object's memory ahead of find, nothing else.
  std::uint32_t guess(std::uint64_t wide) const {
    return find_in(current_, 0, fold(wide), [](std::uint32_t) { return true; });
  }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kMinimum = 16;
  // A slot is hash << 32 | id + 1; the id of a buried one is 0xffffffff.
  static constexpr std::uint64_t kEmpty = 0, kBuried = 0xffffffff;
  struct Table {
    std::uint64_t* slots = nullptr;
    std::size_t capacity = 0;
    std::size_t home(std::uint32_t hash) const { return static_cast<std::size_t>(std::uint64_t{hash} * capacity >> 32); }
    std::size_t next(std::size_t i) const { return i + 1 == capacity ? 0 : i + 1; }
    std::size_t distance(std::size_t from, std::size_t to) const { return to >= from ? to - from : to + capacity - from; }
  };

  static std::uint32_t fold(std::uint64_t wide) { return static_cast<std::uint32_t>(wide ^ wide >> 32); }
  static std::uint64_t slot_of(std::uint32_t hash, std::uint32_t id) { return static_cast<std::uint64_t>(hash) << 32 | (id + 1u); }
  static std::uint32_t hash_of(std::uint64_t slot) { return static_cast<std::uint32_t>(slot >> 32); }

  static constexpr std::size_t kMapped = std::size_t{1} << 17;    // slots from which on a table is mapped: 1 MiB
  static constexpr std::size_t kReturned = std::size_t{1} << 15;  // slots given back at a time: 256 KiB

  void make(Table& table, std::size_t capacity) {
    std::size_t bytes = capacity * sizeof(std::uint64_t);
    void* at = capacity < kMapped ? std::calloc(1, bytes) : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == nullptr || at == MAP_FAILED) throw std::bad_alloc();
    table.slots = static_cast<std::uint64_t*>(at);
    table.capacity = capacity;
    account_.add(MemoryKind::directory, static_cast<std::int64_t>(capacity * sizeof(std::uint64_t)), 1);
  }
  void drop(Table& table) {
    if (table.slots == nullptr) return;
    account_.add(MemoryKind::directory, -static_cast<std::int64_t>(table.capacity * sizeof(std::uint64_t)), -1);
    if (table.capacity < kMapped) std::free(table.slots);
    else munmap(table.slots, table.capacity * sizeof(std::uint64_t));
    table = Table();
  }
  void start_resize(std::size_t capacity) {
    old_ = current_;
    current_ = Table();
    make(current_, capacity);
    cursor_ = 0;
  }
  // What stood before `cursor` was moved away.
  template <class Equal>
  static std::uint32_t find_in(const Table& table, std::size_t cursor, std::uint32_t hash, Equal&& equal) {
    if (table.slots == nullptr) return kNone;
    for (std::size_t i = std::max(table.home(hash), cursor); table.slots[i] != kEmpty; i = table.next(i)) {
      std::uint64_t slot = table.slots[i];
      if (hash_of(slot) == hash && slot != kBuried && equal(static_cast<std::uint32_t>(slot) - 1)) return static_cast<std::uint32_t>(slot) - 1;
    }
    return kNone;
  }
  static void put(Table& table, std::uint64_t slot) {
    std::size_t i = table.home(hash_of(slot));
    while (table.slots[i] != kEmpty) i = table.next(i);
    table.slots[i] = slot;
  }
  // Removal by moving later entries of the probe run back, so that no marks are left behind.
  static bool erase_in(Table& table, std::uint32_t hash, std::uint32_t id) {
    if (table.slots == nullptr) return false;
    std::size_t i = table.home(hash);
    while (table.slots[i] != slot_of(hash, id)) {
      if (table.slots[i] == kEmpty) return false;
      i = table.next(i);
    }
    for (std::size_t j = table.next(i); table.slots[j] != kEmpty; j = table.next(j)) {
      std::size_t home = table.home(hash_of(table.slots[j]));
      if (table.distance(home, j) >= table.distance(i, j)) {
        table.slots[i] = table.slots[j];
        i = j;
      }
    }
    table.slots[i] = kEmpty;
    return true;
  }
  // In the table being emptied a removed slot stays marked: probe runs must not be cut.
  static void bury_in(Table& table, std::size_t cursor, std::uint32_t hash, std::uint32_t id) {
    if (table.slots == nullptr) return;
    for (std::size_t i = std::max(table.home(hash), cursor); table.slots[i] != kEmpty; i = table.next(i)) {
      if (table.slots[i] == slot_of(hash, id)) {
        table.slots[i] = kBuried;
        return;
      }
    }
  }
  void migrate() {
    if (old_.slots == nullptr) return;
    for (std::size_t n = 0; n < 16 && cursor_ < old_.capacity; ++n, ++cursor_) {
      std::uint64_t slot = old_.slots[cursor_];
      if (slot == kEmpty || slot == kBuried) continue;
      put(current_, slot);
      old_.slots[cursor_] = kBuried;
    }
    if (old_.capacity >= kMapped && cursor_ % kReturned == 0 && cursor_ != 0)
      madvise(old_.slots + cursor_ - kReturned, kReturned * sizeof(std::uint64_t), MADV_DONTNEED);
    if (cursor_ == old_.capacity) drop(old_);
  }

  MemoryAccount& account_;
  Table current_, old_;
  std::size_t cursor_ = 0;
  std::size_t size_ = 0;
};

}  // namespace helio::rib

// Exact accounting of what the RIB holds, by kind. One account per shard, touched by its thread only; sizes are the
// allocator's size classes, so that the sum of the kinds is what the RIB really occupies.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string_view>

namespace helio::rib {

enum class MemoryKind : std::uint8_t { leaf, inner, table, directory, path_list, attributes, rt_set, provenance, tombstone, count_ };
inline constexpr std::size_t kMemoryKinds = static_cast<std::size_t>(MemoryKind::count_);
inline constexpr std::array<std::string_view, kMemoryKinds> kMemoryKindNames = {
    "leaf", "inner", "table", "directory", "path_list", "attributes", "rt_set", "provenance", "tombstone"};

struct MemoryAccount {
  std::array<std::int64_t, kMemoryKinds> bytes{};
  std::array<std::int64_t, kMemoryKinds> objects{};

  void add(MemoryKind kind, std::int64_t delta_bytes, std::int64_t delta_objects) {
    bytes[static_cast<std::size_t>(kind)] += delta_bytes;
    objects[static_cast<std::size_t>(kind)] += delta_objects;
  }
  std::int64_t total_bytes() const {
    std::int64_t sum = 0;
    for (std::int64_t b : bytes) sum += b;
    return sum;
  }
};

// The size class that an allocation of n bytes occupies (four classes per doubling, 16-octet steps below 128).
constexpr std::size_t size_class(std::size_t n) {
  if (n <= 128) return n <= 16 ? 16 : (n + 15) & ~std::size_t{15};
  unsigned top = 63u - static_cast<unsigned>(__builtin_clzll(n - 1));
  std::size_t step = std::size_t{1} << (top - 2);
  return (n + step - 1) & ~(step - 1);
}

// Allocates size_class(n) bytes under `kind`.
inline void* allocate(MemoryAccount& account, MemoryKind kind, std::size_t n) {
  std::size_t size = size_class(n);
  void* p = std::malloc(size);
  if (p == nullptr) throw std::bad_alloc();
  account.add(kind, static_cast<std::int64_t>(size), 1);
  return p;
}
// n: the size given to allocate.
inline void release(MemoryAccount& account, MemoryKind kind, void* p, std::size_t n) {
  account.add(kind, -static_cast<std::int64_t>(size_class(n)), -1);
  std::free(p);
}

}  // namespace helio::rib

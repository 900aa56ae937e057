#include "rib/path.hpp"

#include "rr/base/check.hpp"

namespace helio::rib {
namespace {

std::size_t block_bytes(std::uint32_t count) { return (count + (count >= 255 ? 1u : 0u)) * sizeof(Path); }

}  // namespace

void Slot::set_list(Path* block, std::uint32_t count) {
  std::uint64_t address = reinterpret_cast<std::uint64_t>(block) >> 4;
  HELIO_CHECK(address >> 44 == 0, "path block beyond 48-bit addresses");
  if (count >= kLongList) block->attributes = count;
  w0_ = static_cast<std::uint32_t>(address >> 16) | kListFlag;
  w1_ = (w1_ & 0xff000000) | (count >= kLongList ? kLongList : count) << 16 | static_cast<std::uint32_t>(address & 0xffff);
}

void Slot::make_list(MemoryAccount& account, std::uint32_t time) {
  Path only{attributes(), label(), 0, time};
  Path* block = static_cast<Path*>(allocate(account, MemoryKind::path_list, block_bytes(1)));
  block[0] = only;
  set_list(block, 1);
}

Path* Slot::list_push(MemoryAccount& account, const Path& path) {
  std::uint32_t count = list_count();
  Path* from = list();
  Path* block = static_cast<Path*>(allocate(account, MemoryKind::path_list, block_bytes(count + 1)));
  Path* to = block + (count + 1 >= kLongList ? 1 : 0);
  std::memcpy(static_cast<void*>(to), from, count * sizeof(Path));
  to[count] = path;
  list_free(account);
  set_list(block, count + 1);
  return to + count;
}

void Slot::list_remove(MemoryAccount& account, std::uint32_t i) {
  std::uint32_t count = list_count();
  Path* from = list();
  HELIO_DCHECK(i < count, "path index");
  if (count == 2 && from[1 - i].path_id == 0) {
    Path left = from[1 - i];
    list_free(account);
    set_single(left.attributes, left.label);
    return;
  }
  Path* block = static_cast<Path*>(allocate(account, MemoryKind::path_list, block_bytes(count - 1)));
  Path* to = block + (count - 1 >= kLongList ? 1 : 0);
  std::memcpy(static_cast<void*>(to), from, i * sizeof(Path));
  std::memcpy(static_cast<void*>(to + i), from + i + 1, (count - 1 - i) * sizeof(Path));
  list_free(account);
  set_list(block, count - 1);
}

void Slot::list_free(MemoryAccount& account) {
  release(account, MemoryKind::path_list, list() - (list_is_long() ? 1 : 0), block_bytes(list_count()));
}

}  // namespace helio::rib

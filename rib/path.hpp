// How a path is stored: 12 octets in place for a prefix with one path, a small block beside the tree for more.
//
// Slot, per prefix:   index:28 flags:4 | label:24 stamp:40
//   one path:         index = attribute set, label = label field as received (or label stack id)
//   several paths:    index and the low 16 label bits hold the address of a PathList block / 16, the rest its count
// The stamp is the turn in which the best path last changed: slow peers are caught up by it, ages follow from it.
#pragma once
#include <cstdint>
#include <cstring>

#include "rib/memory.hpp"

namespace helio::rib {

using AttributeId = std::uint32_t;
using Stamp = std::uint64_t;  // number of a turn; 40 bits are kept per prefix (at 20,000 turns/s: 1.7 years)

inline constexpr Stamp kStampMask = (Stamp{1} << 40) - 1;

// One path of a prefix that has several, or that has a path id. 16 octets.
struct Path {
  AttributeId attributes = 0;
  std::uint32_t label = 0;    // 24-bit field, or label stack id when the top bit is set
  std::uint32_t path_id = 0;  // as received (RFC 7911), 0 without ADD-PATH
  std::uint32_t time = 0;     // seconds since start
};
static_assert(sizeof(Path) == 16);

inline constexpr std::uint32_t kLabelStack = 0x80000000;  // in a label value: an id of LabelStackStore

class Slot {
 public:
  bool has_list() const { return (w0_ & kListFlag) != 0; }
  bool empty() const { return w0_ == kEmptySlot; }

  AttributeId attributes() const { return w0_ & kIndexMask; }
  // 24-bit label field, or kLabelStack | id.
  std::uint32_t label() const { return (w1_ & 0xffffff) | ((w0_ & kStackFlag) != 0 ? kLabelStack : 0); }
  Stamp stamp() const { return static_cast<Stamp>(w1_ >> 24) | static_cast<Stamp>(w2_) << 8; }

  void set_single(AttributeId attributes, std::uint32_t label) {
    w0_ = attributes | ((label & kLabelStack) != 0 ? kStackFlag : 0);
    w1_ = (w1_ & 0xff000000) | (label & 0xffffff);
  }
  void set_stamp(Stamp stamp) {
    w1_ = (w1_ & 0xffffff) | static_cast<std::uint32_t>(stamp << 24);
    w2_ = static_cast<std::uint32_t>(stamp >> 8);
  }

  // The block of a prefix with several paths, in the order of the decision, the best one first.
  Path* list() const {
    std::uint64_t address = (static_cast<std::uint64_t>(w0_ & kIndexMask) << 16 | (w1_ & 0xffff)) << 4;
    return reinterpret_cast<Path*>(address) + (list_is_long() ? 1 : 0);
  }
  std::uint32_t list_count() const {
    std::uint32_t count = w1_ >> 16 & 0xff;
    return count != kLongList ? count : (list() - 1)->attributes;
  }
  // Adds a path at the end of the list (making a list of the single path first). Returns where it is.
  Path* list_push(MemoryAccount& account, const Path& path);
  // Removes entry i; a list of one plain path becomes a single again. The caller puts the rest in order.
  void list_remove(MemoryAccount& account, std::uint32_t i);
  void list_free(MemoryAccount& account);
  void make_list(MemoryAccount& account, std::uint32_t time);

 private:
  static constexpr std::uint32_t kIndexMask = 0x0fffffff, kListFlag = 0x10000000, kStackFlag = 0x20000000;
  static constexpr std::uint32_t kEmptySlot = 0xffffffff;
  static constexpr std::uint32_t kLongList = 255;  // the count is in a header entry of the block
  bool list_is_long() const { return (w1_ >> 16 & 0xff) == kLongList; }
  void set_list(Path* block, std::uint32_t count);

  std::uint32_t w0_ = kEmptySlot;
  std::uint32_t w1_ = 0;
  std::uint32_t w2_ = 0;
};
static_assert(sizeof(Slot) == 12 && alignof(Slot) == 4);

}  // namespace helio::rib

// PrefixTree: the prefixes of one RD, a B+ tree whose leaves are sorted blocks of up to 63 slots (MEASUREMENTS §1).
//
// A leaf whose prefixes share one length keeps 2-octet keys (the distance from the leaf's base, in units of that
// length) or 4-octet ones; a mixed leaf keeps whole keys. Order is (address, length): a covering prefix comes first.
// The root pointer is all that an empty or small tree costs; blocks grow by allocator size class.
// A Finger remembers the last leaf: runs of neighbouring prefixes, as UPDATEs bring them, do not descend again.
//
// Bytes per prefix, all in: 14.5 in a full /24 leaf, 17 mixed; one prefix alone: 32.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "rib/path.hpp"
#include "rr/base/check.hpp"

namespace helio::rib {

using Address4 = std::uint32_t;
using Address6 = unsigned __int128;

template <class Address>
struct PrefixKey {
  Address address = 0;  // left-aligned, bits beyond length are zero
  std::uint8_t length = 0;
  bool operator==(const PrefixKey&) const = default;
  bool operator<(const PrefixKey& o) const { return address != o.address ? address < o.address : length < o.length; }
};

template <class Address>
class PrefixTree {
 public:
  using Key = PrefixKey<Address>;
  static constexpr unsigned kBits = sizeof(Address) * 8;
  static constexpr unsigned kMaxLeaf = 63;
  static constexpr unsigned kMaxInner = 64;

  // The whole state of a tree; lives in the route table's record.
  struct Root {
    void* node = nullptr;
  };

  // The last leaf used, valid until the tree's inner structure changes. One per RIB, not per tree.
  struct Finger {
    const Root* root = nullptr;
    void** leaf_ref = nullptr;  // where the pointer to the leaf is stored
    Key low{}, high{};          // keys k with low <= k < high belong in the leaf
    bool has_high = false;
    void reset() { root = nullptr; }
  };

  explicit PrefixTree(MemoryAccount& account) : account_(account) {}

  // The slot of key, or nullptr. Valid until the next insert or erase in this tree.
  Slot* find(const Root& root, const Key& key, Finger& finger) const {
    if (root.node == nullptr) return nullptr;
    Leaf* leaf = locate(root, key, finger);
    unsigned at = lower_bound(leaf, key);
    return at < leaf->count && key_at(leaf, at) == key ? slots(leaf) + at : nullptr;
  }

  // The slot of key, made empty when it was not there (second = true). `more`: how many neighbours are likely to
  // follow (sizes the leaf); a hint only.
  std::pair<Slot*, bool> insert(Root& root, const Key& key, Finger& finger, unsigned more = 0) {
    if (root.node == nullptr) {
      root.node = make_leaf(key, 1 + more);
      finger = Finger{&root, &root.node, Key{}, Key{}, false};
      return {slots(as_leaf(root.node)), true};
    }
    Leaf* leaf = locate(root, key, finger);
    unsigned at = lower_bound(leaf, key);
    if (at < leaf->count && key_at(leaf, at) == key) return {slots(leaf) + at, false};
    if (leaf->count == kMaxLeaf) {
      split(root, key, leaf, at, finger);
      leaf = locate(root, key, finger);
      at = lower_bound(leaf, key);
      if (at < leaf->count && key_at(leaf, at) == key) return {slots(leaf) + at, true};  // a leaf made for it
    }
    leaf = make_room(leaf, key, more, finger);
    open_gap(leaf, at, key);
    return {slots(leaf) + at, true};
  }

  // Removes the key, which must be present; its slot's contents have been released by the caller.
  void erase(Root& root, const Key& key, Finger& finger) {
    Leaf* leaf = locate(root, key, finger);
    unsigned at = lower_bound(leaf, key);
    HELIO_DCHECK(at < leaf->count && key_at(leaf, at) == key, "erase of an absent prefix");
    close_gap(leaf, at);
    if (leaf->count == 0 || (leaf->count < kMaxLeaf / 4 && leaf_bytes(leaf) > 32)) shrink(root, key, finger);
  }

  // Calls visit(key, slot&) in order for keys not below `from` until it returns false; returns whether it ended
  // by itself. visit must not insert or erase in this tree.
  template <class Visit>
  bool walk(const Root& root, Key from, Visit&& visit) const {
    if (root.node == nullptr) return true;
    Finger finger;
    for (;;) {
      Leaf* leaf = locate(root, from, finger);
      unsigned at = lower_bound(leaf, from);
      for (; at < leaf->count; ++at)
        if (!visit(key_at(leaf, at), slots(leaf)[at])) return false;
      if (!finger.has_high) return true;
      from = finger.high;
    }
  }

  // Frees every node; the caller has released what slots hold.
  void clear(Root& root) {
    if (root.node != nullptr) free_node(root.node);
    root.node = nullptr;
  }

  // A look-up in small steps, each of which asks for the memory that the next one reads: over a batch of keys the cache
  // misses overlap instead of adding up. It changes nothing and may be given up at any step.
  struct Probe {
    const void* node = nullptr;
    void* const* child = nullptr;  // where the next node stands
    const Slot* slot = nullptr;
    std::uint8_t stage = 0;
  };
  static Probe begin_probe(const Root& root) {
    prefetch_lines(root.node, 4);
    return {root.node, nullptr, nullptr, 0};
  }
  // One step. False: done; `slot` is where the key may stand, null when it cannot be there.
  static bool step(const Key& key, Probe& probe) {
    if (probe.node == nullptr) return false;
    if (probe.child != nullptr) {
      probe.node = *probe.child;
      probe.child = nullptr;
      prefetch_lines(probe.node, 2);
      return true;
    }
    if (is_inner(probe.node)) {
      Inner* inner = as_inner(const_cast<void*>(probe.node));
      probe.child = children(inner) + child_index(inner, key);
      __builtin_prefetch(probe.child);
      return true;
    }
    Leaf* leaf = as_leaf(const_cast<void*>(probe.node));
    if (probe.stage == 0) {
      probe.stage = 1;
      prefetch_lines(keys(leaf), (leaf->count * key_bytes(leaf->kind) + 127) / 64);
      return true;
    }
    unsigned at = lower_bound(leaf, key);
    if (at < leaf->count) probe.slot = slots(leaf) + at;
    __builtin_prefetch(probe.slot);
    probe.node = nullptr;
    return probe.slot != nullptr;
  }

 private:
  enum Kind : std::uint8_t { kKey16, kKey32, kFull, kInnerNode };

  struct Leaf {
    std::uint8_t kind;
    std::uint8_t count;
    std::uint8_t capacity;
    std::uint8_t length;                       // of all prefixes, unless kFull
    std::uint8_t base[sizeof(Address)];        // address of delta 0, unless kFull
  };
  struct Inner {
    std::uint8_t kind;  // kInnerNode
    std::uint8_t count;
    std::uint8_t capacity;
    // Key first[capacity]; void* child[capacity]; first[0] is not looked at.
  };
  struct FullKey {
    std::uint8_t address[sizeof(Address)];
    std::uint8_t length;
  };
  static constexpr std::size_t kLeafHeader = (sizeof(Leaf) + 3) & ~std::size_t{3};
  static constexpr std::size_t kInnerHeader = 16;

  static void prefetch_lines(const void* from, std::size_t lines) {
    for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(static_cast<const char*>(from) + i * 64);
  }
  static Leaf* as_leaf(void* p) { return static_cast<Leaf*>(p); }
  static Inner* as_inner(void* p) { return static_cast<Inner*>(p); }
  static bool is_inner(const void* p) { return *static_cast<const std::uint8_t*>(p) == kInnerNode; }
  static Slot* slots(Leaf* leaf) { return reinterpret_cast<Slot*>(reinterpret_cast<char*>(leaf) + kLeafHeader); }
  static char* keys(Leaf* leaf) { return reinterpret_cast<char*>(slots(leaf) + leaf->capacity); }
  static std::uint16_t* keys16(Leaf* leaf) { return reinterpret_cast<std::uint16_t*>(keys(leaf)); }
  static std::uint32_t* keys32(Leaf* leaf) { return reinterpret_cast<std::uint32_t*>(keys(leaf)); }
  static FullKey* full_keys(Leaf* leaf) { return reinterpret_cast<FullKey*>(keys(leaf)); }
  static Key* firsts(Inner* inner) { return reinterpret_cast<Key*>(reinterpret_cast<char*>(inner) + kInnerHeader); }
  static void** children(Inner* inner) { return reinterpret_cast<void**>(firsts(inner) + inner->capacity); }
  static constexpr std::size_t key_bytes(unsigned kind) {
    return kind == kKey16 ? 2 : kind == kKey32 ? 4 : sizeof(FullKey);
  }
  static constexpr std::size_t leaf_bytes(unsigned kind, unsigned capacity) {
    return kLeafHeader + capacity * (sizeof(Slot) + key_bytes(kind));
  }
  static std::size_t leaf_bytes(const Leaf* leaf) { return leaf_bytes(leaf->kind, leaf->capacity); }
  static constexpr std::size_t inner_bytes(unsigned capacity) {
    return kInnerHeader + capacity * (sizeof(Key) + sizeof(void*));
  }
  // How many entries the size class of `wanted` entries holds.
  static unsigned fit(unsigned kind, unsigned wanted) {
    if (wanted > kMaxLeaf) wanted = kMaxLeaf;
    std::size_t size = size_class(leaf_bytes(kind, wanted));
    unsigned capacity = static_cast<unsigned>((size - kLeafHeader) / (sizeof(Slot) + key_bytes(kind)));
    return capacity > kMaxLeaf ? kMaxLeaf : capacity;
  }
  static unsigned unit_shift(unsigned length) { return kBits - length; }
  static Address shift_right(Address a, unsigned n) { return n >= kBits ? Address{0} : a >> n; }
  static Address shift_left(Address a, unsigned n) { return n >= kBits ? Address{0} : static_cast<Address>(a << n); }
  static Address base_of(const Leaf* leaf) {
    Address a;
    std::memcpy(&a, leaf->base, sizeof a);
    return a;
  }
  static Address load(const FullKey& k) {
    Address a;
    std::memcpy(&a, k.address, sizeof a);
    return a;
  }

  static Key key_at(Leaf* leaf, unsigned i) {
    switch (leaf->kind) {
      case kKey16:
        return Key{static_cast<Address>(base_of(leaf) + shift_left(keys16(leaf)[i], unit_shift(leaf->length))), leaf->length};
      case kKey32:
        return Key{static_cast<Address>(base_of(leaf) + shift_left(keys32(leaf)[i], unit_shift(leaf->length))), leaf->length};
      default:
        return Key{load(full_keys(leaf)[i]), full_keys(leaf)[i].length};
    }
  }

  template <class K>
  static unsigned lower_bound_delta(const K* keys, unsigned count, std::uint64_t delta) {
    // Appends and runs: look at the end first.
    if (count == 0 || keys[count - 1] < delta) return count;
    unsigned low = 0;
    while (count > 1) {
      unsigned half = count / 2;
      low += keys[low + half - 1] < delta ? half : 0;
      count -= half;
    }
    return low + (keys[low] < delta ? 1 : 0);
  }
  // First entry not below key.
  static unsigned lower_bound(Leaf* leaf, const Key& key) {
    if (leaf->kind == kFull) {
      unsigned low = 0, high = leaf->count;
      while (low < high) {
        unsigned mid = (low + high) / 2;
        if (key_at(leaf, mid) < key) low = mid + 1; else high = mid;
      }
      return low;
    }
    Address base = base_of(leaf);
    if (key.address < base) return 0;
    unsigned shift = unit_shift(leaf->length);
    Address delta = shift_right(static_cast<Address>(key.address - base), shift);
    // A key between two units, or longer than the leaf's length at the same address, comes after the unit.
    bool after = shift_left(delta, shift) != static_cast<Address>(key.address - base) || key.length > leaf->length;
    std::uint64_t wanted = delta > 0xffffffff ? 0x1ffffffff : static_cast<std::uint64_t>(delta) + (after ? 1 : 0);
    return leaf->kind == kKey16 ? lower_bound_delta(keys16(leaf), leaf->count, wanted)
                                : lower_bound_delta(keys32(leaf), leaf->count, wanted);
  }

  static unsigned child_index(Inner* inner, const Key& key) {
    unsigned low = 1, high = inner->count;  // first[0] counts as minus infinity
    while (low < high) {
      unsigned mid = (low + high) / 2;
      if (key < firsts(inner)[mid]) high = mid; else low = mid + 1;
    }
    return low - 1;
  }

  Leaf* locate(const Root& root, const Key& key, Finger& finger) const {
    if (finger.root == &root && !(key < finger.low) && (!finger.has_high || key < finger.high))
      return as_leaf(*finger.leaf_ref);
    finger = Finger{&root, const_cast<void**>(&root.node), Key{}, Key{}, false};
    while (is_inner(*finger.leaf_ref)) {
      Inner* inner = as_inner(*finger.leaf_ref);
      unsigned i = child_index(inner, key);
      if (i > 0) finger.low = firsts(inner)[i];
      if (i + 1 < inner->count) {
        finger.high = firsts(inner)[i + 1];
        finger.has_high = true;
      }
      finger.leaf_ref = children(inner) + i;
    }
    return as_leaf(*finger.leaf_ref);
  }

  Leaf* new_leaf(unsigned kind, unsigned wanted, std::uint8_t length, Address base) {
    unsigned capacity = fit(kind, wanted);
    Leaf* leaf = static_cast<Leaf*>(allocate(account_, MemoryKind::leaf, leaf_bytes(kind, capacity)));
    leaf->kind = static_cast<std::uint8_t>(kind);
    leaf->count = 0;
    leaf->capacity = static_cast<std::uint8_t>(capacity);
    leaf->length = length;
    std::memcpy(leaf->base, &base, sizeof base);
    return leaf;
  }
  void free_leaf(Leaf* leaf) { release(account_, MemoryKind::leaf, leaf, leaf_bytes(leaf)); }
  Leaf* make_leaf(const Key& key, unsigned wanted) {
    Leaf* leaf = new_leaf(kKey16, wanted, key.length, key.address);
    open_gap(leaf, 0, key);
    return leaf;
  }

  static void store_key(Leaf* leaf, unsigned i, const Key& key) {
    if (leaf->kind == kFull) {
      std::memcpy(full_keys(leaf)[i].address, &key.address, sizeof(Address));
      full_keys(leaf)[i].length = key.length;
      return;
    }
    Address delta = shift_right(static_cast<Address>(key.address - base_of(leaf)), unit_shift(leaf->length));
    if (leaf->kind == kKey16) keys16(leaf)[i] = static_cast<std::uint16_t>(delta);
    else keys32(leaf)[i] = static_cast<std::uint32_t>(delta);
  }
  // Room for one more at `at`; the leaf's kind can hold the key and capacity suffices.
  static void open_gap(Leaf* leaf, unsigned at, const Key& key) {
    Slot* s = slots(leaf);
    unsigned tail = leaf->count - at;
    std::memmove(static_cast<void*>(s + at + 1), s + at, tail * sizeof(Slot));
    std::size_t width = key_bytes(leaf->kind);
    std::memmove(keys(leaf) + (at + 1) * width, keys(leaf) + at * width, tail * width);
    new (s + at) Slot();
    ++leaf->count;
    store_key(leaf, at, key);
  }
  static void close_gap(Leaf* leaf, unsigned at) {
    Slot* s = slots(leaf);
    unsigned tail = leaf->count - at - 1u;
    std::memmove(static_cast<void*>(s + at), s + at + 1, tail * sizeof(Slot));
    std::size_t width = key_bytes(leaf->kind);
    std::memmove(keys(leaf) + at * width, keys(leaf) + (at + 1) * width, tail * width);
    --leaf->count;
  }

  // What encoding holds the entries [begin, end) of the leaf and, when given, one more key.
  struct Shape {
    unsigned kind;
    std::uint8_t length;
    Address base;
  };
  static Shape shape_of(Leaf* leaf, unsigned begin, unsigned end, const Key* extra) {
    Key first = begin < end ? key_at(leaf, begin) : *extra;
    Key last = begin < end ? key_at(leaf, end - 1) : *extra;
    bool uniform = true;
    if (leaf->kind == kFull)
      for (unsigned i = begin; i < end && uniform; ++i) uniform = full_keys(leaf)[i].length == first.length;
    if (extra != nullptr) {
      uniform = uniform && extra->length == first.length;
      if (*extra < first) first = *extra;
      if (last < *extra) last = *extra;
    }
    if (!uniform) return {kFull, 0, 0};
    Address span = shift_right(static_cast<Address>(last.address - first.address), unit_shift(first.length));
    if (span <= 0xffff) return {kKey16, first.length, first.address};
    if (span <= 0xffffffff) return {kKey32, first.length, first.address};
    return {kFull, 0, 0};
  }
  // A copy of entries [begin, end) in the given shape with room for `wanted`.
  Leaf* copy(Leaf* from, unsigned begin, unsigned end, const Shape& shape, unsigned wanted) {
    Leaf* to = new_leaf(shape.kind, wanted, shape.length, shape.base);
    std::memcpy(static_cast<void*>(slots(to)), slots(from) + begin, (end - begin) * sizeof(Slot));
    to->count = static_cast<std::uint8_t>(end - begin);
    if (shape.kind == from->kind && (shape.kind == kFull || shape.base == base_of(from))) {
      std::memcpy(keys(to), keys(from) + begin * key_bytes(from->kind), (end - begin) * key_bytes(from->kind));
    } else {
      for (unsigned i = begin; i < end; ++i) store_key(to, i - begin, key_at(from, i));
    }
    return to;
  }

  // True when the leaf's own encoding can hold the key.
  static bool holds(Leaf* leaf, const Key& key) {
    if (leaf->kind == kFull) return true;
    if (key.length != leaf->length || key.address < base_of(leaf)) return false;
    Address delta = shift_right(static_cast<Address>(key.address - base_of(leaf)), unit_shift(leaf->length));
    return delta <= (leaf->kind == kKey16 ? Address{0xffff} : Address{0xffffffff});
  }
  Leaf* make_room(Leaf* leaf, const Key& key, unsigned more, Finger& finger) {
    bool fits = holds(leaf, key);
    if (fits && leaf->count < leaf->capacity) return leaf;
    Shape shape = fits ? Shape{leaf->kind, leaf->length, base_of(leaf)} : shape_of(leaf, 0, leaf->count, &key);
    Leaf* bigger = copy(leaf, 0, leaf->count, shape, leaf->count + 1u + more);
    free_leaf(leaf);
    *finger.leaf_ref = bigger;
    return bigger;
  }

  // The leaf is full: in half, or, for an append at its end, a new leaf for the key alone.
  void split(Root& root, const Key& key, Leaf* leaf, unsigned at, Finger& finger) {
    Leaf* right;
    Key right_first;
    if (at == leaf->count) {
      right = make_leaf(key, kMaxLeaf / 2);
      right_first = key;
    } else {
      unsigned half = leaf->count / 2u;
      right_first = key_at(leaf, half);
      right = copy(leaf, half, leaf->count, shape_of(leaf, half, leaf->count, nullptr), leaf->count - half + 1u);
      Leaf* left = copy(leaf, 0, half, shape_of(leaf, 0, half, nullptr), half + 1u);
      free_leaf(leaf);
      *finger.leaf_ref = left;
    }
    finger.reset();
    insert_child(root, right_first, right);
  }

  // Descends to the parent of the leaf that covers `first` and links `child` after it, splitting full inner nodes on the way.
  void insert_child(Root& root, const Key& first, void* child) {
    void** ref = &root.node;
    if (is_inner(*ref) && as_inner(*ref)->count == kMaxInner) grow_root(root);
    if (!is_inner(*ref)) grow_root(root);
    for (;;) {
      Inner* inner = as_inner(*ref);
      unsigned i = child_index(inner, first);
      void* below = children(inner)[i];
      if (!is_inner(below)) {
        link(ref, i + 1, first, child);
        return;
      }
      if (as_inner(below)->count == kMaxInner) {
        Key middle{};
        Inner* right = split_inner(as_inner(below), middle);
        link(ref, i + 1, middle, right);
        continue;  // choose again between the halves
      }
      ref = children(inner) + i;
    }
  }
  Inner* new_inner(unsigned capacity) {
    Inner* inner = static_cast<Inner*>(allocate(account_, MemoryKind::inner, inner_bytes(capacity)));
    inner->kind = kInnerNode;
    inner->count = 0;
    inner->capacity = static_cast<std::uint8_t>(capacity);
    return inner;
  }
  void grow_root(Root& root) {
    Inner* top = new_inner(2);
    firsts(top)[0] = Key{};
    children(top)[0] = root.node;
    top->count = 1;
    root.node = top;
    if (is_inner(children(top)[0])) {
      Key middle{};
      Inner* right = split_inner(as_inner(children(top)[0]), middle);
      link(&root.node, 1, middle, right);
    }
  }
  Inner* split_inner(Inner* left, Key& middle) {
    unsigned half = left->count / 2u;
    Inner* right = new_inner(kMaxInner);
    right->count = static_cast<std::uint8_t>(left->count - half);
    std::memcpy(static_cast<void*>(firsts(right)), firsts(left) + half, right->count * sizeof(Key));
    std::memcpy(children(right), children(left) + half, right->count * sizeof(void*));
    left->count = static_cast<std::uint8_t>(half);
    middle = firsts(right)[0];
    return right;
  }
  // Puts (first, child) at position i of the inner node that *ref points to; the node may move.
  void link(void** ref, unsigned i, const Key& first, void* child) {
    Inner* inner = as_inner(*ref);
    if (inner->count == inner->capacity) {
      Inner* bigger = new_inner(inner->capacity * 2u > kMaxInner ? kMaxInner : inner->capacity * 2u);
      bigger->count = inner->count;
      std::memcpy(static_cast<void*>(firsts(bigger)), firsts(inner), inner->count * sizeof(Key));
      std::memcpy(children(bigger), children(inner), inner->count * sizeof(void*));
      release(account_, MemoryKind::inner, inner, inner_bytes(inner->capacity));
      *ref = inner = bigger;
    }
    unsigned tail = inner->count - i;
    std::memmove(static_cast<void*>(firsts(inner) + i + 1), firsts(inner) + i, tail * sizeof(Key));
    std::memmove(children(inner) + i + 1, children(inner) + i, tail * sizeof(void*));
    firsts(inner)[i] = first;
    children(inner)[i] = child;
    ++inner->count;
  }
  void unlink(Inner* inner, unsigned i) {
    unsigned tail = inner->count - i - 1u;
    std::memmove(static_cast<void*>(firsts(inner) + i), firsts(inner) + i + 1, tail * sizeof(Key));
    std::memmove(children(inner) + i, children(inner) + i + 1, tail * sizeof(void*));
    --inner->count;
  }

  // After an erase left the leaf of `key` sparse: free it when empty, join it with a neighbour when both fit one
  // leaf, otherwise give back its spare room. Inner nodes with one child left are replaced by it.
  void shrink(Root& root, const Key& key, Finger& finger) {
    finger.reset();
    void** path[16];
    unsigned index[16];
    unsigned depth = 0;
    void** ref = &root.node;
    while (is_inner(*ref)) {
      path[depth] = ref;
      index[depth] = child_index(as_inner(*ref), key);
      ref = children(as_inner(*ref)) + index[depth];
      ++depth;
    }
    Leaf* leaf = as_leaf(*ref);
    if (depth == 0) {
      if (leaf->count == 0) {
        free_leaf(leaf);
        root.node = nullptr;
      } else {
        trim(ref);
      }
      return;
    }
    Inner* parent = as_inner(*path[depth - 1]);
    unsigned i = index[depth - 1];
    if (leaf->count == 0) {
      free_leaf(leaf);
      remove_child(path, index, depth);
      return;
    }
    if (i + 1 == parent->count && i > 0) --i;  // join with the left neighbour at the right edge
    if (i + 1 < parent->count) {
      Leaf* left = as_leaf(children(parent)[i]);
      Leaf* right = as_leaf(children(parent)[i + 1]);
      if (left->count + right->count <= kMaxLeaf / 2) {
        children(parent)[i] = join(left, right);
        index[depth - 1] = i + 1;
        remove_child(path, index, depth);
        return;
      }
    }
    trim(ref);
  }
  void trim(void** ref) {
    Leaf* leaf = as_leaf(*ref);
    Shape shape = shape_of(leaf, 0, leaf->count, nullptr);
    if (size_class(leaf_bytes(shape.kind, leaf->count + 4u)) >= size_class(leaf_bytes(leaf))) return;
    *ref = copy(leaf, 0, leaf->count, shape, leaf->count + 4u);
    free_leaf(leaf);
  }
  Leaf* join(Leaf* left, Leaf* right) {
    Key last = key_at(right, right->count - 1u);
    Shape shape = shape_of(left, 0, left->count, &last);
    if (shape.kind != kFull)
      for (unsigned i = 0; i < right->count && shape.kind != kFull; ++i)
        if (key_at(right, i).length != shape.length) shape = {kFull, 0, 0};
    Leaf* both = copy(left, 0, left->count, shape, left->count + right->count + 4u);
    std::memcpy(static_cast<void*>(slots(both) + left->count), slots(right), right->count * sizeof(Slot));
    both->count = static_cast<std::uint8_t>(left->count + right->count);
    for (unsigned i = 0; i < right->count; ++i) store_key(both, left->count + i, key_at(right, i));
    free_leaf(left);
    free_leaf(right);
    return both;
  }
  // Removes the child at index[depth-1] of the node at path[depth-1] (already freed) and tidies upwards.
  void remove_child(void** path[], unsigned index[], unsigned depth) {
    while (depth > 0) {
      Inner* inner = as_inner(*path[depth - 1]);
      unlink(inner, index[depth - 1]);
      if (inner->count > 1) return;
      if (inner->count == 1) {
        void* only = children(inner)[0];
        // A leaf must stay below an inner node of the level its siblings have, unless this is the root.
        if (depth == 1) {
          release(account_, MemoryKind::inner, inner, inner_bytes(inner->capacity));
          *path[0] = only;
        }
        return;
      }
      release(account_, MemoryKind::inner, inner, inner_bytes(inner->capacity));
      *path[depth - 1] = nullptr;
      --depth;
    }
  }
  void free_node(void* node) {
    if (!is_inner(node)) {
      free_leaf(as_leaf(node));
      return;
    }
    Inner* inner = as_inner(node);
    for (unsigned i = 0; i < inner->count; ++i) free_node(children(inner)[i]);
    release(account_, MemoryKind::inner, inner, inner_bytes(inner->capacity));
  }

  MemoryAccount& account_;
};

}  // namespace helio::rib

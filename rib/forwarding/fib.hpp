// Fib: longest-prefix match of one VRF and address family, a trie of its own beside the RIB's tree (MEASUREMENTS §1).
//
// The prefixes are kept once, sorted, in a rib::PrefixTree; what is looked up is derived from them: the address space cut
// into runs with one next hop each. A node is one word:
//
//   leaf   the next hop of the whole region
//   block  up to kMostBounds bounds of runs, as 2-octet distances where they fit, found by binary search
//   strip  the slot of a table in 64 equal pieces: one bit for each at which a run begins, found by counting bits
//   table  one slot for up to eight runs, indexed by (address - base) >> shift, each slot a node
//
// So a VRF with ten routes is one block (about 15 octets per route), one with a million a table of 2^18 slots over strips
// of a cache line: two dependent reads of memory. Tables fit where the routes are (base and shift), so that neither IPv6
// nor a VRF with all its routes in 10.0.0.0/8 needs many levels.
//
// Updates replace the block or table that the prefix lies in and publish it with one store (rcu.hpp): a look-up sees the
// state before or after. One writer; any number of readers.
#pragma once
#include <atomic>
#include <bit>
#include <optional>
#include <span>
#include <vector>

#include "rib/forwarding/rcu.hpp"
#include "rib/prefix_tree.hpp"

namespace helio::forwarding {

using rib::Address4;
using rib::Address6;
using NextHopId = std::uint32_t;  // below 2^28
inline constexpr NextHopId kNoRoute = 0;

template <class Address>
class Fib {
 public:
  using Prefix = rib::PrefixKey<Address>;
  struct Route {
    Prefix prefix;
    NextHopId next_hop = kNoRoute;
  };
  static constexpr unsigned kBits = sizeof(Address) * 8;
  static constexpr std::size_t kMostBounds = 32;

  explicit Fib(RcuDomain& rcu) : rcu_(rcu) {}
  ~Fib() {
    retire(root_.load(std::memory_order_relaxed));
    rib::PrefixTree<Address>(rcu_.account()).clear(routes_);
  }
  Fib(const Fib&) = delete;
  Fib& operator=(const Fib&) = delete;

  // Any thread.
  NextHopId lookup(Address address) const { return finish(root_.load(std::memory_order_acquire), address); }
  // `fibs[i]` is asked for `addresses[i]`. The reads of memory of up to 32 look-ups overlap.
  static void lookup_many(std::span<const Fib* const> fibs, std::span<const Address> addresses, std::span<NextHopId> out) {
    constexpr std::size_t kBatch = 32;
    for (std::size_t at = 0; at < addresses.size(); at += kBatch) {
      std::size_t n = std::min(kBatch, addresses.size() - at);
      Ref refs[kBatch];
      for (std::size_t i = 0; i < n; ++i) __builtin_prefetch(&fibs[at + i]->root_);
      for (std::size_t i = 0; i < n; ++i) prefetch(refs[i] = fibs[at + i]->root_.load(std::memory_order_acquire));
      finish_many(refs, addresses.data() + at, out.data() + at, n);
    }
  }
  void lookup_many(std::span<const Address> addresses, std::span<NextHopId> out) const {
    constexpr std::size_t kBatch = 32;
    Ref root = root_.load(std::memory_order_acquire);
    for (std::size_t at = 0; at < addresses.size(); at += kBatch) {
      std::size_t n = std::min(kBatch, addresses.size() - at);
      Ref refs[kBatch];
      for (std::size_t i = 0; i < n; ++i) refs[i] = root;
      finish_many(refs, addresses.data() + at, out.data() + at, n);
    }
  }

  // Writer. Bits of the prefix beyond its length are zero; the next hop is not kNoRoute.
  void insert(const Prefix& prefix, NextHopId next_hop) {
    if (store(prefix, next_hop)) refresh(root_, 0, kMax, prefix.address, last_of(prefix));
  }
  // False: there was no such route.
  bool erase(const Prefix& prefix) {
    if (!remove(prefix)) return false;
    if (count_ == 0) renew(root_, 0, kMax);
    else refresh(root_, 0, kMax, prefix.address, last_of(prefix));
    return true;
  }
  // Many at once; kNoRoute erases. Where they are a large part of the table it is made anew, once.
  void apply(std::span<const Route> changes) {
    if (changes.size() < 64 || changes.size() * 4 < count_) {
      for (const Route& r : changes) {
        if (r.next_hop == kNoRoute) erase(r.prefix);
        else insert(r.prefix, r.next_hop);
      }
      return;
    }
    for (const Route& r : changes) {
      if (r.next_hop == kNoRoute) remove(r.prefix);
      else store(r.prefix, r.next_hop);
    }
    renew(root_, 0, kMax);
  }
  std::optional<NextHopId> find(const Prefix& prefix) const {
    rib::PrefixTree<Address> tree(rcu_.account());
    typename rib::PrefixTree<Address>::Finger finger;
    const rib::Slot* slot = tree.find(routes_, prefix, finger);
    if (slot == nullptr) return std::nullopt;
    return slot->attributes();
  }
  // Every route in order of (address, length).
  template <class Visit>
  void walk(Visit&& visit) const {
    rib::PrefixTree<Address> tree(rcu_.account());
    tree.walk(routes_, Prefix{}, [&](const Prefix& prefix, const rib::Slot& slot) {
      visit(prefix, slot.attributes());
      return true;
    });
  }
  std::size_t size() const { return count_; }

 private:
  using Ref = std::uint64_t;  // tag in the low two bits; a leaf has its next hop in the upper half
  enum Tag : Ref { kLeaf = 0, kBlock = 1, kTable = 2, kStrip = 3, kTagMask = 3 };
  static constexpr Address kMax = static_cast<Address>(~Address{0});
  static constexpr std::size_t kRunsPerSlot = 8;

  struct Run {
    Address start;  // up to the start of the next one
    NextHopId next_hop;
  };
  // Followed by count + 1 next hops and count keys of `width` octets: key i is (bound i - bound 0) >> shift.
  struct Block {
    Address base;  // bound 0
    std::uint16_t count;
    std::uint8_t shift;
    std::uint8_t width;
    const NextHopId* next_hops() const { return reinterpret_cast<const NextHopId*>(this + 1); }
    NextHopId* next_hops() { return reinterpret_cast<NextHopId*>(this + 1); }
    const std::uint8_t* keys() const { return reinterpret_cast<const std::uint8_t*>(next_hops() + count + 1); }
    std::uint8_t* keys() { return reinterpret_cast<std::uint8_t*>(next_hops() + count + 1); }
    static std::size_t bytes(std::size_t count, std::size_t width) { return sizeof(Block) + (count + 1) * sizeof(NextHopId) + count * width; }
    std::size_t bytes() const { return bytes(count, width); }
  };
  // Followed by a next hop for each run. Bit k: a run begins at piece k; bit 0 is clear, a run always begins there.
  struct Strip {
    std::uint64_t begins;
    NextHopId* next_hops() { return reinterpret_cast<NextHopId*>(this + 1); }
    NextHopId at(unsigned piece) const {
      std::uint64_t up_to = (std::uint64_t{2} << piece) - 1;
      return reinterpret_cast<const NextHopId*>(this + 1)[std::popcount(begins & up_to)];
    }
    static std::size_t bytes(std::uint64_t begins) { return sizeof(Strip) + (static_cast<std::size_t>(std::popcount(begins)) + 1) * sizeof(NextHopId); }
  };
  // Slot 0: what lies below base; slot count + 1: what lies above the others.
  struct alignas(std::max(alignof(Address), alignof(Ref))) Table {
    Address base;
    std::uint32_t count;
    std::uint32_t runs;     // when it was made
    std::uint32_t changes;  // since
    std::uint8_t shift;
    std::atomic<Ref>* slots() { return reinterpret_cast<std::atomic<Ref>*>(this + 1); }
    const std::atomic<Ref>* slots() const { return reinterpret_cast<const std::atomic<Ref>*>(this + 1); }
    // The piece of a strip in the slot of `a`.
    unsigned piece(Address a) const { return static_cast<unsigned>(static_cast<Address>(a - base) >> (shift - 6u)) & 63; }
    std::size_t index(Address a) const {
      if (a < base) return 0;
      Address i = static_cast<Address>(a - base) >> shift;
      return i < count ? static_cast<std::size_t>(i) + 1 : count + 1;
    }
    // What slot i covers when the table covers [low, high]; false: nothing.
    bool region(std::size_t i, Address& low, Address& high) const {
      if (i == 0) {
        if (base == low) return false;
        high = static_cast<Address>(base - 1);
        return true;
      }
      Address offset = static_cast<Address>(Address(i - 1) << shift);
      if (shift != 0 && offset >> shift != Address(i - 1)) return false;
      Address start = static_cast<Address>(base + offset);
      if (start < base || start > high) return false;
      low = start;
      if (i == count + 1) return true;
      Address last = static_cast<Address>(start + ((Address{1} << shift) - 1));
      if (last >= start && last < high) high = last;
      return true;
    }
    static std::size_t bytes(std::size_t count) { return sizeof(Table) + (count + 2) * sizeof(Ref); }
  };

  static Ref leaf(NextHopId next_hop) { return Ref{next_hop} << 32; }
  static Block* as_block(Ref r) { return reinterpret_cast<Block*>(r & ~Ref{kTagMask}); }
  static Strip* as_strip(Ref r) { return reinterpret_cast<Strip*>(r & ~Ref{kTagMask}); }
  static Table* as_table(Ref r) { return reinterpret_cast<Table*>(r & ~Ref{kTagMask}); }
  static Address mask(unsigned length) { return length == 0 ? Address{0} : static_cast<Address>(kMax << (kBits - length)); }
  static Address last_of(const Prefix& p) { return static_cast<Address>(p.address | ~mask(p.length)); }

  static void prefetch(Ref ref) {
    if ((ref & kTagMask) == kLeaf) return;
    const char* p = reinterpret_cast<const char*>(ref & ~Ref{kTagMask});
    __builtin_prefetch(p);
    __builtin_prefetch(p + 64);
    if ((ref & kTagMask) == kBlock) __builtin_prefetch(p + 128);
  }
  // `piece`: of a strip that `ref` may be.
  static NextHopId finish(Ref ref, Address a, unsigned piece = 0) {
    for (;;) {
      switch (ref & kTagMask) {
        case kLeaf: return static_cast<NextHopId>(ref >> 32);
        case kBlock: return search(as_block(ref), a);
        case kStrip: return as_strip(ref)->at(piece);
        default: {
          const Table* table = as_table(ref);
          ref = table->slots()[table->index(a)].load(std::memory_order_acquire);
          if ((ref & kTagMask) == kStrip) piece = table->piece(a);
        }
      }
    }
  }
  static void finish_many(Ref* refs, const Address* addresses, NextHopId* out, std::size_t n) {
    const std::atomic<Ref>* slots[32];
    std::uint8_t pieces[32];
    for (std::size_t i = 0; i < n; ++i) {
      slots[i] = nullptr;
      pieces[i] = 0;
      if ((refs[i] & kTagMask) != kTable) continue;
      const Table* table = as_table(refs[i]);
      slots[i] = table->slots() + table->index(addresses[i]);
      pieces[i] = table->shift >= 6 ? static_cast<std::uint8_t>(table->piece(addresses[i])) : 0;
      __builtin_prefetch(slots[i]);
    }
    for (std::size_t i = 0; i < n; ++i)
      if (slots[i] != nullptr) prefetch(refs[i] = slots[i]->load(std::memory_order_acquire));
    for (std::size_t i = 0; i < n; ++i)
      out[i] = (refs[i] & kTagMask) == kStrip ? as_strip(refs[i])->at(pieces[i]) : finish(refs[i], addresses[i]);
  }

  // The number of keys not above `wanted`; key 0 is 0 and counts.
  template <class Key>
  static unsigned count_keys(const std::uint8_t* keys, unsigned count, Key wanted) {
    unsigned low = 0;
    while (count > 1) {
      unsigned half = count / 2;
      Key key;
      std::memcpy(&key, keys + (low + half) * sizeof(Key), sizeof key);
      low += key <= wanted ? half : 0;
      count -= half;
    }
    return low + 1;
  }
  static NextHopId search(const Block* block, Address a) {
    const NextHopId* next_hops = block->next_hops();
    if (a < block->base) return next_hops[0];
    Address distance = static_cast<Address>(a - block->base) >> block->shift;
    switch (block->width) {
      case 2: return next_hops[count_keys<std::uint16_t>(block->keys(), block->count, static_cast<std::uint16_t>(std::min<Address>(distance, 0xffff)))];
      case 4: return next_hops[count_keys<std::uint32_t>(block->keys(), block->count, static_cast<std::uint32_t>(std::min<Address>(distance, 0xffffffff)))];
      default: return next_hops[count_keys<Address>(block->keys(), block->count, distance)];
    }
  }

  // ---- the routes ----
  bool store(const Prefix& prefix, NextHopId next_hop) {
    rib::PrefixTree<Address> tree(rcu_.account());
    typename rib::PrefixTree<Address>::Finger finger;
    auto [slot, is_new] = tree.insert(routes_, prefix, finger);
    if (!is_new && slot->attributes() == next_hop) return false;
    slot->set_single(next_hop, 0);
    count_ += is_new;
    lengths_[prefix.length / 64] |= std::uint64_t{1} << prefix.length % 64;
    return true;
  }
  bool remove(const Prefix& prefix) {
    rib::PrefixTree<Address> tree(rcu_.account());
    typename rib::PrefixTree<Address>::Finger finger;
    if (tree.find(routes_, prefix, finger) == nullptr) return false;
    tree.erase(routes_, prefix, finger);
    if (--count_ == 0) tree.clear(routes_);
    return true;
  }

  // The runs of [low, high], the first one starting at low.
  void collect(Address low, Address high, std::vector<Run>& out) {
    struct Cover {
      Address last;
      NextHopId next_hop;
    };
    rib::PrefixTree<Address> tree(rcu_.account());
    typename rib::PrefixTree<Address>::Finger finger;
    Cover covers[kBits + 2];
    std::size_t depth = 0;
    covers[depth++] = {kMax, kNoRoute};
    for (unsigned length = 0; length < kBits; ++length) {
      if ((lengths_[length / 64] >> length % 64 & 1) == 0) continue;
      Prefix prefix{static_cast<Address>(low & mask(length)), static_cast<std::uint8_t>(length)};
      if (prefix.address == low) continue;  // the walk brings it
      if (const rib::Slot* slot = tree.find(routes_, prefix, finger)) covers[depth++] = {last_of(prefix), slot->attributes()};
    }
    out.clear();
    auto emit = [&](Address start, NextHopId next_hop) {
      if (!out.empty() && out.back().start == start) out.pop_back();
      if (out.empty() || out.back().next_hop != next_hop) out.push_back({start, next_hop});
    };
    auto leave = [&](Address before) {
      while (covers[depth - 1].last < before) {
        Address next = static_cast<Address>(covers[depth - 1].last + 1);
        --depth;
        emit(next, covers[depth - 1].next_hop);
      }
    };
    emit(low, covers[depth - 1].next_hop);
    tree.walk(routes_, Prefix{low, 0}, [&](const Prefix& prefix, const rib::Slot& slot) {
      if (prefix.address > high) return false;
      leave(prefix.address);
      covers[depth++] = {last_of(prefix), slot.attributes()};
      emit(prefix.address, slot.attributes());
      return true;
    });
    leave(high);
  }

  // ---- nodes ----
  Ref build(std::span<const Run> runs, Address low, Address high) {
    if (runs.size() == 1) return leaf(runs[0].next_hop);
    return runs.size() - 1 <= kMostBounds ? make_block(runs) : make_table(runs, low, high);
  }

  Ref make_block(std::span<const Run> runs) {
    std::size_t count = runs.size() - 1;
    Address base = runs[1].start, bits = 0, span = static_cast<Address>(runs.back().start - base);
    for (std::size_t i = 2; i < runs.size(); ++i) bits |= static_cast<Address>(runs[i].start - base);
    // The look-up compares shifted distances, so the shift may not cut a bit that any bound has.
    unsigned shift = bits == 0 ? 0 : trailing_zeros(bits);
    Address most = span >> shift;
    std::size_t width = most <= 0xffff ? 2 : most <= 0xffffffff ? 4 : sizeof(Address);
    auto* block = static_cast<Block*>(rib::allocate(rcu_.account(), rib::MemoryKind::leaf, Block::bytes(count, width)));
    block->base = base;
    block->count = static_cast<std::uint16_t>(count);
    block->shift = static_cast<std::uint8_t>(shift);
    block->width = static_cast<std::uint8_t>(width);
    block->next_hops()[0] = runs[0].next_hop;
    for (std::size_t i = 1; i < runs.size(); ++i) {
      block->next_hops()[i] = runs[i].next_hop;
      Address key = static_cast<Address>(runs[i].start - base) >> shift;
      std::memcpy(block->keys() + (i - 1) * width, &key, width);  // little-endian
    }
    return reinterpret_cast<Ref>(block) | kBlock;
  }

  // A strip when the slot that begins at `start` and is 2^shift wide has its runs at multiples of a 64th of it; else 0.
  Ref make_strip(std::span<const Run> runs, Address start, unsigned shift) {
    if (runs.size() < 2 || shift < 6) return 0;
    Address inside = static_cast<Address>((Address{1} << (shift - 6)) - 1);
    std::uint64_t begins = 0;
    for (const Run& r : runs.subspan(1)) {
      Address distance = static_cast<Address>(r.start - start);
      if ((distance & inside) != 0) return 0;
      begins |= std::uint64_t{1} << static_cast<unsigned>(distance >> (shift - 6));
    }
    auto* strip = static_cast<Strip*>(rib::allocate(rcu_.account(), rib::MemoryKind::leaf, Strip::bytes(begins)));
    strip->begins = begins;
    for (std::size_t i = 0; i < runs.size(); ++i) strip->next_hops()[i] = runs[i].next_hop;
    return reinterpret_cast<Ref>(strip) | kStrip;
  }

  // The width of a slot as a power of two: for kRunsPerSlot runs each, or narrower, so that most slots can be strips.
  static unsigned slot_shift(std::span<const Run> runs) {
    Address first = runs[1].start, last = runs.back().start;
    unsigned bits = static_cast<unsigned>(std::bit_width(runs.size() / kRunsPerSlot));
    unsigned span_bits = kBits - leading_zeros(static_cast<Address>(last - first));
    unsigned shift = span_bits > bits ? span_bits - bits : 0;
    std::size_t aligned[kBits + 1] = {};
    for (const Run& r : runs.subspan(1)) ++aligned[r.start == 0 ? kBits : trailing_zeros(r.start)];
    std::size_t finer = 0;
    unsigned grain = 0;
    while (grain < kBits && (finer += aligned[grain]) * 8 < runs.size()) ++grain;  // seven of eight bounds are multiples of 2^grain
    unsigned wanted = grain + 6;
    return std::max(std::min(shift, wanted), shift > 3 ? shift - 3 : 0);
  }

  Ref make_table(std::span<const Run> runs, Address low, Address high) {
    Address first = runs[1].start, last = runs.back().start;
    unsigned shift = slot_shift(runs);
    Address base = static_cast<Address>(first & ~static_cast<Address>((Address{1} << shift) - 1));
    if (base < low) base = low;
    auto count = static_cast<std::size_t>(static_cast<Address>(last - base) >> shift) + 1;
    auto* table = static_cast<Table*>(rib::allocate(rcu_.account(), rib::MemoryKind::inner, Table::bytes(count)));
    table->base = base;
    table->count = static_cast<std::uint32_t>(count);
    table->runs = static_cast<std::uint32_t>(runs.size());
    table->changes = 0;
    table->shift = static_cast<std::uint8_t>(shift);
    std::vector<Run> part;
    std::size_t next = 0;  // the first run that starts above the region's beginning
    for (std::size_t i = 0; i < count + 2; ++i) {
      Address from = low, to = high;
      Ref ref = leaf(kNoRoute);
      if (table->region(i, from, to)) {
        while (next < runs.size() && runs[next].start <= from) ++next;
        part.clear();
        part.push_back({from, runs[next - 1].next_hop});
        while (next < runs.size() && runs[next].start <= to) part.push_back(runs[next++]);
        ref = i == 0 || i == count + 1 ? Ref{0} : make_strip(part, from, shift);
        if (ref == 0) ref = build(part, from, to);
      }
      new (table->slots() + i) std::atomic<Ref>(ref);
    }
    return reinterpret_cast<Ref>(table) | kTable;
  }

  void retire(Ref ref) {
    if ((ref & kTagMask) == kStrip) rcu_.retire(rib::MemoryKind::leaf, as_strip(ref), Strip::bytes(as_strip(ref)->begins));
    if ((ref & kTagMask) == kBlock) rcu_.retire(rib::MemoryKind::leaf, as_block(ref), as_block(ref)->bytes());
    if ((ref & kTagMask) != kTable) return;
    Table* table = as_table(ref);
    for (std::size_t i = 0; i < table->count + 2; ++i) retire(table->slots()[i].load(std::memory_order_relaxed));
    rcu_.retire(rib::MemoryKind::inner, table, Table::bytes(table->count));
  }

  // `strip_shift`: the width of the slot, 0 where the node cannot be a strip.
  void renew(std::atomic<Ref>& node, Address low, Address high, unsigned strip_shift = 0) {
    std::vector<Run>& runs = scratch();
    collect(low, high, runs);
    Ref before = node.load(std::memory_order_relaxed);
    Ref fresh = make_strip(runs, low, strip_shift);
    node.store(fresh != 0 ? fresh : build(runs, low, high), std::memory_order_release);
    retire(before);
  }
  // Routes of [from, to] have changed; the node covers [low, high], which contains it.
  void refresh(std::atomic<Ref>& node, Address low, Address high, Address from, Address to, unsigned strip_shift = 0) {
    Ref ref = node.load(std::memory_order_relaxed);
    if ((ref & kTagMask) == kTable) {
      Table* table = as_table(ref);
      std::size_t first = table->index(from), last = table->index(to);
      // After as many changes as it had runs the table may be too small or too large by now.
      if (++table->changes <= table->runs && (last - first) * 4 <= table->count) {
        for (std::size_t i = first; i <= last; ++i) {
          Address l = low, h = high;
          if (table->region(i, l, h)) refresh(table->slots()[i], l, h, std::max(from, l), std::min(to, h), i == 0 || i > table->count ? 0 : table->shift);
        }
        return;
      }
    }
    renew(node, low, high, strip_shift);
  }

  static std::vector<Run>& scratch() {
    static thread_local std::vector<Run> runs;
    return runs;
  }
  static unsigned trailing_zeros(Address a) {
    if constexpr (kBits == 32) return static_cast<unsigned>(std::countr_zero(a));
    else {
      auto low = static_cast<std::uint64_t>(a);
      return low != 0 ? static_cast<unsigned>(std::countr_zero(low)) : 64u + static_cast<unsigned>(std::countr_zero(static_cast<std::uint64_t>(a >> 64)));
    }
  }
  static unsigned leading_zeros(Address a) {
    if constexpr (kBits == 32) return static_cast<unsigned>(std::countl_zero(a));
    else {
      auto high = static_cast<std::uint64_t>(a >> 64);
      return high != 0 ? static_cast<unsigned>(std::countl_zero(high)) : 64u + static_cast<unsigned>(std::countl_zero(static_cast<std::uint64_t>(a)));
    }
  }

  RcuDomain& rcu_;
  std::atomic<Ref> root_{0};
  typename rib::PrefixTree<Address>::Root routes_;
  std::uint64_t lengths_[kBits / 64 + 1] = {};  // prefix lengths that were ever here
  std::uint32_t count_ = 0;
};

}  // namespace helio::forwarding

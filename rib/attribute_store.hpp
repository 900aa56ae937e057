// AttributeStore: attribute sets, interned and reference-counted; one store per shard.
//
// An attribute set is what a path of one peer looks like on the way out to iBGP peers: attributes sorted by type,
// reflection already applied, plus what would be computed from it again and again: decision key, provenance, next
// hop. Identity is (peer, session generation, eligibility, next hop, bytes). About 150 octets each (MEASUREMENTS §2).
//
// A derived set is what a policy made of a received one, for the NLRIs that pass certain of its tests: paths hold the
// derived set, and it holds the received one. Identity is (received set, tests, round of the policy).
//
// The lost set of either is what its paths hold while their next hop cannot be reached (RFC 4271 §9.1.2): the same, but
// not eligible. There are some only where next hops are tracked.
#pragma once
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <unordered_map>

#include "rib/chunked_array.hpp"
#include "rib/decision.hpp"
#include "rib/hash_index.hpp"
#include "rib/path.hpp"
#include "rib/provenance.hpp"
#include "rr/base/bytes.hpp"

namespace helio::rib {

// What a session shard makes of received attributes; spans are only read during intern().
struct CanonicalAttributes {
  Bytes next_hop;  // the field of MP_REACH: 12, 24 or 48 octets (4 or 16 for RT membership)
  Bytes bytes;     // path attributes in canonical outbound form, without MP_REACH
  DecisionKey key;
  std::uint8_t scope = 0;                         // rib::scope bits
  std::uint16_t rejected_by = 0;                  // export policies that let none of it through, a bit each
  std::span<const std::uint64_t> targets;         // sorted, unique
  std::span<const wire::RouteTarget6> targets6;   // sorted, unique
  const DecisionExtras* extras = nullptr;         // set when key.has_extras
};

// Behind the bytes of a derived set and of a lost one.
struct Derivation {
  AttributeId received = kNoId;  // what it was made of; one reference is held
  std::uint32_t round = 0;       // of the policy that made it
  std::uint64_t tests = 0;       // that the NLRIs pass
};

// Header of one allocation; next hop and attribute bytes follow it.
struct AttributeSet {
  static constexpr std::uint8_t kDerived = 255, kLost = 254;
  std::uint32_t refs = 0;
  std::uint32_t hash = 0;
  PeerId peer;
  std::uint32_t generation = 0;   // session of the peer it was received on; older than the peer's: stale
  ProvenanceId provenance = kNoId;
  std::uint16_t length = 0;       // of the attribute bytes
  std::uint8_t next_hop_length = 0;
  std::uint8_t mark = 0;          // kDerived, kLost; else the owner's note on a received set, 0 when new
  DecisionKey key;

  Bytes next_hop() const { return Bytes(reinterpret_cast<const std::uint8_t*>(this + 1), next_hop_length); }
  Bytes bytes() const { return Bytes(reinterpret_cast<const std::uint8_t*>(this + 1) + next_hop_length, length); }
  bool is_derived() const { return mark >= kLost; }
  bool is_lost() const { return mark == kLost; }
  Derivation derivation() const {
    Derivation d;
    std::memcpy(&d, reinterpret_cast<const std::uint8_t*>(this + 1) + next_hop_length + length, sizeof d);
    return d;
  }
};

// Hears of every set that comes and goes.
class AttributeObserver {
 public:
  virtual ~AttributeObserver() = default;
  virtual void set_added(AttributeId id, const AttributeSet& set) = 0;
  virtual void set_freed(AttributeId id) = 0;
};

class AttributeStore {
 public:
  AttributeStore(MemoryAccount& account, ProvenanceStore& provenances);
  ~AttributeStore();

  // The id of the equal set, made if new. The caller holds one reference.
  AttributeId intern(PeerId peer, std::uint32_t generation, const CanonicalAttributes& attributes);
  // The derived set with this identity: the caller gets one reference; nothing when there is none. With a round of
  // nullopt: of any round.
  std::optional<AttributeId> find_derived(AttributeId received, std::uint64_t tests, std::optional<std::uint32_t> round);
  // Makes one, which find_derived did not find. The caller holds one reference.
  AttributeId derive(AttributeId received, std::uint64_t tests, std::uint32_t round, const CanonicalAttributes& attributes);
  // The policy of a later round makes the same of it.
  void set_round(AttributeId id, std::uint32_t round);
  void set_mark(AttributeId id, std::uint8_t mark) { sets_[id]->mark = mark; }
  // The lost set of a set that is none, made if new. The caller holds one reference.
  AttributeId make_lost(AttributeId id);
  // The set as it is when its next hop can be reached.
  AttributeId found_of(AttributeId id) const { return sets_[id]->is_lost() ? sets_[id]->derivation().received : id; }
  // What the set was made of by policies: itself when they did nothing.
  AttributeId received_of(AttributeId id) const {
    id = found_of(id);
    return sets_[id]->is_derived() ? sets_[id]->derivation().received : id;
  }
  // The tests of policies that the NLRIs of paths with the set pass.
  std::uint64_t tests_of(AttributeId id) const {
    const AttributeSet& set = *sets_[found_of(id)];
    return set.is_derived() ? set.derivation().tests : 0;
  }
  // Before the first set; null: nobody.
  void observe(AttributeObserver* observer) { observer_ = observer; }

  const AttributeSet& operator[](AttributeId id) const { return *sets_[id]; }
  // Ids are below this; unused ones are in between.
  AttributeId limit() const { return sets_.limit(); }
  // What the decision needs beside the key; null for nearly all.
  const DecisionExtras* extras(AttributeId id) const {
    if (!sets_[id]->key.has_extras) return nullptr;
    return &extras_.at(id);
  }
  bool exists(AttributeId id) const { return sets_[id] != nullptr; }
  void add_refs(AttributeId id, std::uint32_t n) { sets_[id]->refs += n; }
  void drop_refs(AttributeId id, std::uint32_t n) {
    AttributeSet& set = *sets_[id];
    set.refs -= n;
    if (set.refs == 0) free_set(id);
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(index_.size()); }
  // Ahead of a look at a set, in this order and with other work in between: where its address stands, its header, the
  // slot that its release clears.
  void prefetch_address(AttributeId id) const { __builtin_prefetch(&sets_[id]); }
  void prefetch(AttributeId id) const { __builtin_prefetch(sets_[id]); }
  void prefetch_release(AttributeId id) const { index_.prefetch(sets_[id]->hash); }

 private:
  void free_set(AttributeId id);
  AttributeId add(PeerId peer, std::uint32_t generation, std::uint32_t hash, const CanonicalAttributes& attributes, const Derivation* derivation,
                  std::uint8_t mark);
  static std::size_t bytes_of(const AttributeSet& set);

  MemoryAccount& account_;
  ProvenanceStore& provenances_;
  ChunkedArray<AttributeSet*, 4096> sets_;
  std::unordered_map<AttributeId, DecisionExtras> extras_;
  HashIndex index_;
  AttributeObserver* observer_ = nullptr;
};

}  // namespace helio::rib

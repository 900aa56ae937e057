// AttributeStore: attribute sets, interned and reference-counted; one store per shard.
//
// An attribute set is what a path of one peer looks like on the way out to iBGP peers: attributes sorted by type,
// reflection already applied, plus what would be computed from it again and again: decision key, provenance, next
// hop. Identity is (peer, session generation, eligibility, next hop, bytes). About 150 octets each (MEASUREMENTS §2).
#pragma once
#include <cstdint>
#include <span>

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
  std::span<const std::uint64_t> targets;         // sorted, unique
  std::span<const wire::RouteTarget6> targets6;   // sorted, unique
};

// Header of one allocation; next hop and attribute bytes follow it.
struct AttributeSet {
  std::uint32_t refs = 0;
  std::uint32_t hash = 0;
  PeerId peer;
  std::uint32_t generation = 0;   // session of the peer it was received on; older than the peer's: stale
  ProvenanceId provenance = kNoId;
  std::uint16_t length = 0;       // of the attribute bytes
  std::uint8_t next_hop_length = 0;
  DecisionKey key;

  Bytes next_hop() const { return Bytes(reinterpret_cast<const std::uint8_t*>(this + 1), next_hop_length); }
  Bytes bytes() const { return Bytes(reinterpret_cast<const std::uint8_t*>(this + 1) + next_hop_length, length); }
};

class AttributeStore {
 public:
  AttributeStore(MemoryAccount& account, ProvenanceStore& provenances);
  ~AttributeStore();

  // The id of the equal set, made if new. The caller holds one reference.
  AttributeId intern(PeerId peer, std::uint32_t generation, const CanonicalAttributes& attributes);
  const AttributeSet& operator[](AttributeId id) const { return *sets_[id]; }
  void add_refs(AttributeId id, std::uint32_t n) { sets_[id]->refs += n; }
  void drop_refs(AttributeId id, std::uint32_t n) {
    AttributeSet& set = *sets_[id];
    set.refs -= n;
    if (set.refs == 0) free_set(id);
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(index_.size()); }
  void prefetch(AttributeId id) const { __builtin_prefetch(sets_[id]); }

 private:
  void free_set(AttributeId id);

  MemoryAccount& account_;
  ProvenanceStore& provenances_;
  ChunkedArray<AttributeSet*, 4096> sets_;
  HashIndex index_;
};

}  // namespace helio::rib

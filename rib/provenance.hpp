// RT sets and provenances: who announced a path and with which route targets. That pair is all that distribution
// needs to know of a path, so changes, walks and peer losses are indexed by it:
//
//   RT set  <-- provenance (peer, RT set, scope) --> route tables that hold paths with it
//
// Ids are announced to every session shard before their first use and retired through the same ordered stream; an
// id is reused only after all shards have acknowledged its end.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "rib/chunked_array.hpp"
#include "rib/hash_index.hpp"
#include "rib/table_list.hpp"
#include "rr/base/ids.hpp"
#include "rr/wire/types.hpp"

namespace helio::rib {

using RtSetId = std::uint32_t;
using ProvenanceId = std::uint32_t;
inline constexpr std::uint32_t kNoId = 0xffffffff;

// Who may be sent a path apart from its route targets.
namespace scope {
inline constexpr std::uint8_t no_export = 1;       // not to eBGP peers (RFC 1997)
inline constexpr std::uint8_t no_advertise = 2;    // to nobody (RFC 1997)
inline constexpr std::uint8_t ipv6_next_hop = 4;   // IPv6 next hop: VPNv4 routes only where RFC 8950 was negotiated
inline constexpr std::uint8_t extended_size = 8;   // does not fit 4096 octets: only with extended messages (RFC 8654)
inline constexpr std::uint8_t two_octet_size = 16; // the same with AS4_PATH beside AS_PATH, for two-octet neighbours (RFC 6793)
inline constexpr std::uint8_t ineligible = 32;     // to nobody: the decision does not take it (DecisionKey::is_eligible)
inline constexpr std::uint8_t meshed = 64;         // not to clients of the cluster it comes from (RFC 4456 §6)
inline constexpr std::uint8_t llgr_stale = 128;    // only to peers that understand long-lived stale routes (RFC 9494 §4.3)
}  // namespace scope

struct RtSet {
  std::uint64_t hash = 0;
  std::vector<std::uint64_t> targets;         // sorted, unique
  std::vector<wire::RouteTarget6> targets6;   // sorted, unique
  std::uint32_t refs = 0;                     // provenances
  std::vector<ProvenanceId> provenances;      // live ones
  bool retired = false;
};

struct Provenance {
  PeerId peer;
  RtSetId rt_set = kNoId;
  std::uint8_t scope = 0;
  bool retired = false;
  std::uint16_t rejected_by = 0;              // export policies that let it through to nobody, a bit each
  std::uint32_t refs = 0;                     // attribute sets, tombstones
  std::array<std::uint32_t, 2> best{};        // best paths with it, vpnv4 and vpnv6
  std::uint32_t live_tables = 0;              // tables that hold paths with it now
  std::uint32_t compact_above = 0;            // listed tables below which compaction would be in vain
  std::uint32_t at_peer = 0;                  // where the peer's list has it
  TableList tables;                           // table references; may hold stale and repeated ones until compacted
};

// What the session shards must be told, in order.
struct ProvenanceEvent {
  enum class Kind : std::uint8_t { rt_set_defined, provenance_defined, provenance_retired, rt_set_retired } kind;
  std::uint32_t id;
};

class ProvenanceStore {
 public:
  explicit ProvenanceStore(MemoryAccount& account);

  // Interns; the caller holds one reference of the result. Lists must be sorted and unique.
  ProvenanceId acquire(PeerId peer, std::span<const std::uint64_t> targets, std::span<const wire::RouteTarget6> targets6,
                       std::uint8_t scope, std::uint16_t rejected_by = 0);
  void add_ref(ProvenanceId id) { ++provenances_[id].refs; }
  void drop_ref(ProvenanceId id);
  void count_best(ProvenanceId id, bool is_v6, std::int32_t delta) {
    provenances_[id].best[is_v6 ? 1 : 0] += static_cast<std::uint32_t>(delta);
  }

  const Provenance& provenance(ProvenanceId id) const { return provenances_[id]; }
  const RtSet& rt_set(RtSetId id) const { return rt_sets_[id]; }
  std::uint32_t rt_set_limit() const { return rt_sets_.limit(); }
  std::uint32_t rt_set_count() const { return static_cast<std::uint32_t>(rt_set_index_.size()); }

  // Index upkeep: a table began or ceased to hold paths of the provenance.
  void table_added(ProvenanceId id, std::uint32_t table);
  void table_removed(ProvenanceId id);
  // The tables that may hold paths with it: sorted, unique, a superset of the live ones.
  std::vector<std::uint32_t> tables_of(ProvenanceId id) const;
  // The same of all provenances of an RT set; none of one that has gone since a walk over it was asked for.
  std::vector<std::uint32_t> tables_of_rt_set(RtSetId id) const;
  // Many listed tables are stale: the owner of the tables should set the live ones, and those it cannot judge.
  bool wants_compaction(ProvenanceId id) const;
  void set_tables(ProvenanceId id, const std::vector<std::uint32_t>& tables);
  // Live provenances of a peer: scans; used when a peer is lost or asked about.
  std::vector<ProvenanceId> provenances_of(PeerId peer) const;

  // Events since the last call, for the stream to the session shards.
  std::vector<ProvenanceEvent> take_events() { return std::exchange(events_, {}); }
  bool has_events() const { return !events_.empty(); }
  // All session shards have forgotten the id: it may be reused.
  void release_provenance(ProvenanceId id);
  void release_rt_set(RtSetId id);

 private:
  RtSetId acquire_rt_set(std::span<const std::uint64_t> targets, std::span<const wire::RouteTarget6> targets6);
  void drop_rt_set(RtSetId id);
  std::uint64_t hash_of(const Provenance& p) const;
  static std::int64_t bytes_of(const RtSet& set);

  MemoryAccount& account_;
  ChunkedArray<RtSet, 256> rt_sets_;
  ChunkedArray<Provenance, 256> provenances_;
  HashIndex rt_set_index_, provenance_index_;
  std::vector<std::vector<ProvenanceId>> by_peer_;
  std::vector<ProvenanceEvent> events_;
};

}  // namespace helio::rib

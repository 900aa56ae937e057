// Best-path selection: RFC 4271 §9.1.2.2 with the reflection steps of RFC 4456 §9, AIGP (RFC 7311 §4), the cost
// community (draft-ietf-idr-custom-decision) and RFC 5004 where they are turned on. Every step is named, so that
// "explain" prints why a path lost.
#pragma once
#include <compare>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::rib {

// What the decision needs of an attribute set, computed once when it is interned.
struct DecisionKey {
  std::uint32_t local_pref = 100;
  std::uint32_t med = 0;               // missing counts as 0 (RFC 4271 §9.1.2.2 c)
  std::uint32_t neighbor_as = 0;       // leftmost AS; 0 for a path that began in our AS
  std::uint32_t originator_id = 0;     // ORIGINATOR_ID, else the router-id of the peer (RFC 4456 §9)
  std::uint16_t as_path_length = 0;    // an AS_SET counts 1, confederation segments 0
  std::uint8_t cluster_list_length = 0;
  std::uint8_t origin = 0;             // 0 IGP, 1 EGP, 2 INCOMPLETE
  bool is_external = false;            // learned by eBGP
  bool is_reflectable = true;          // false: from an iBGP non-client, not for other non-clients (RFC 4456 §6)
  bool has_extras = false;             // DecisionExtras are kept beside it
  bool llgr_stale = false;             // loses to every path that is not (RFC 9494 §4.3)
  bool is_eligible = true;             // false: ranks last and is sent to nobody (next hop lost, rejected by policy)
  bool operator==(const DecisionKey&) const = default;
};

// What only some paths have, and only where it is turned on: kept beside the key.
struct DecisionExtras {
  struct Cost {
    std::uint8_t id = 0;
    std::uint32_t value = 0;
    bool operator==(const Cost&) const = default;
  };
  // A path without a cost of an id counts as if it had the middle of the range (custom-decision §3).
  static constexpr std::uint32_t kDefaultCost = 0x7fffffff;
  std::vector<Cost> first_costs, igp_costs;  // before everything; after the IGP metric. Sorted by id
  bool has_aigp = false;
  std::uint64_t aigp = 0;                    // as received; the metric to the next hop is added when compared
  bool operator==(const DecisionExtras&) const = default;
};

// How paths are compared: the same for all of a reflector.
struct DecisionRules {
  bool always_compare_med = false;     // also between neighbouring ASes
  bool prefer_oldest = false;          // RFC 5004: among external paths the first candidate, the one in use, stays
};

struct Candidate {
  const DecisionKey* key = nullptr;
  wire::IpAddress peer_address;
  std::uint32_t path_id = 0;
  const DecisionExtras* extras = nullptr;
  std::uint32_t igp_metric = 0;        // to the next hop; 0 for all where next hops are not tracked
};

// The step at which a path lost, in the order they are taken.
enum class DecisionStep : std::uint8_t {
  none,                 // the best path itself
  eligible,             // the others were usable
  llgr_stale,           // RFC 9494 §4.3: before all others
  first_cost,           // cost community "before best path"
  local_pref,           // §9.1.2.2: higher LOCAL_PREF
  aigp,                 // RFC 7311 §4.1, before a)
  as_path_length,       // a)
  origin,               // b)
  med,                  // c) among paths of the same neighbouring AS
  external,             // d) eBGP over iBGP
  igp_metric,           // e)
  igp_cost,             // cost community at the IGP metric
  oldest,               // RFC 5004
  originator_id,        // f) BGP identifier, ORIGINATOR_ID in its place (RFC 4456 §9)
  cluster_list_length,  // RFC 4456 §9
  peer_address,         // g)
  path_id,              // several paths of one peer (RFC 7911)
  count_
};
std::string_view decision_step_name(DecisionStep step);  // "lower LOCAL_PREF"

// Index of the best candidate; candidates must not be empty. When lost_at is given (same size), every loser's step is
// written there. The result does not depend on the order of the candidates (deterministic MED).
// With RFC 5004 alone the first candidate is special: it is the path in use.
std::size_t select_best(std::span<const Candidate> candidates, std::span<DecisionStep> lost_at = {}, const DecisionRules& rules = {});

// All candidates in order of preference: the best, then the best without it, and so on (RFC 7911: the n best). order has
// the size of candidates; order[0] is what select_best returns.
void rank_paths(std::span<const Candidate> candidates, std::span<std::uint32_t> order, const DecisionRules& rules = {});

}  // namespace helio::rib

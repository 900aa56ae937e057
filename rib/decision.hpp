// Best-path selection: RFC 4271 §9.1.2.2 with the reflection steps of RFC 4456 §9. Every step is named, so that
// "explain" prints why a path lost.
#pragma once
#include <compare>
#include <cstdint>
#include <span>
#include <string_view>

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
  bool operator==(const DecisionKey&) const = default;
};

struct Candidate {
  const DecisionKey* key = nullptr;
  wire::IpAddress peer_address;
  std::uint32_t path_id = 0;
};

// The step at which a path lost, in the order they are taken.
enum class DecisionStep : std::uint8_t {
  none,                 // the best path itself
  local_pref,           // §9.1.2.2: higher LOCAL_PREF
  as_path_length,       // a)
  origin,               // b)
  med,                  // c) among paths of the same neighbouring AS
  external,             // d) eBGP over iBGP
  igp_metric,           // e)
  originator_id,        // f) BGP identifier, ORIGINATOR_ID in its place (RFC 4456 §9)
  cluster_list_length,  // RFC 4456 §9
  peer_address,         // g)
  path_id,              // several paths of one peer (RFC 7911)
  count_
};
std::string_view decision_step_name(DecisionStep step);  // "lower LOCAL_PREF"

// Index of the best candidate; candidates must not be empty. When lost_at is given (same size), every loser's step is
// written there. The result does not depend on the order of the candidates (deterministic MED).
std::size_t select_best(std::span<const Candidate> candidates, std::span<DecisionStep> lost_at = {});

}  // namespace helio::rib

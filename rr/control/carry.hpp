// Counters that shards and sessions keep for themselves to the telemetry board, on the control thread: reads of relaxed
// atomics and of what the session manager tells anyway. The fields of the board that are written here have the control
// thread as their one writer.
#pragma once
#include <array>
#include <map>
#include <span>

#include "rr/reflector/counters.hpp"
#include "rr/session/peer.hpp"
#include "telemetry/counters.hpp"

namespace helio::control {

// update_errors, suppressed (loops), rib_prefixes, rib_paths, best_changes, attribute_sets.
void carry_counters(const reflector::ShardCounters& from, telemetry::ShardCounters& to);

// Messages by type. Totals only grow: what a neighbour had counted stays counted when it is removed.
class SessionCarrier {
 public:
  void carry(std::span<const session::PeerSnapshot> peers, telemetry::ShardCounters& to);

 private:
  using Counts = std::array<std::array<std::uint64_t, 6>, telemetry::kDirections>;
  std::map<wire::IpAddress, Counts> last_;
};

}  // namespace helio::control

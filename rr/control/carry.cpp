#include "rr/control/carry.hpp"

#include <set>

namespace helio::control {

void carry_counters(const reflector::ShardCounters& from, telemetry::ShardCounters& to) {
  using reflector::Exclusion;
  using telemetry::Suppressed;
  for (std::size_t action = 0; action < from.update_errors.size(); ++action)
    for (std::size_t type = 0; type < from.update_errors[action].size(); ++type)
      to.update_errors[action][type].set(from.update_errors[action][type].get());
  static constexpr std::pair<Exclusion, Suppressed> kLoops[] = {{Exclusion::originator_loop, Suppressed::originator_loop},
                                                                {Exclusion::cluster_loop, Suppressed::cluster_loop},
                                                                {Exclusion::as_loop, Suppressed::as_loop}};
  for (auto [exclusion, reason] : kLoops)
    to.suppressed[static_cast<std::size_t>(reason)].set(from.excluded[static_cast<std::size_t>(exclusion)].get());
  for (std::size_t family = 0; family < wire::kFamilyCount; ++family) {
    to.rib_prefixes[family].set(from.prefixes[family].get());
    to.rib_paths[family].set(from.paths[family].get());
    to.best_changes[family].set(from.best_changes[family].get());
  }
  to.attribute_sets.set(from.attribute_sets.get());
}

void SessionCarrier::carry(std::span<const session::PeerSnapshot> peers, telemetry::ShardCounters& to) {
  std::set<wire::IpAddress> present;
  for (const session::PeerSnapshot& peer : peers) {
    present.insert(peer.address);
    Counts now{peer.messages_in, peer.messages_out};
    Counts& before = last_[peer.address];
    for (std::size_t direction = 0; direction < telemetry::kDirections; ++direction)
      for (std::size_t type = 0; type < now[direction].size(); ++type) {
        std::uint64_t n = now[direction][type], b = before[direction][type];
        // Less than before: the neighbour was removed and came back, its counts began anew.
        to.messages[direction][type].add(n >= b ? n - b : n);
      }
    before = now;
  }
  std::erase_if(last_, [&](const auto& item) { return !present.contains(item.first); });
}

}  // namespace helio::control

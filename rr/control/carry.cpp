#include "rr/control/carry.hpp"

namespace helio::control {

void carry_counters(const reflector::ShardCounters& from, telemetry::ShardCounters& to) {
  using reflector::Exclusion;
  using telemetry::Suppressed;
  for (std::size_t action = 0; action < from.update_errors.size(); ++action)
    for (std::size_t type = 0; type < from.update_errors[action].size(); ++type)
      to.update_errors[action][type].set(from.update_errors[action][type].get());
  static constexpr std::pair<Exclusion, Suppressed> kLoops[] = {{Exclusion::originator_loop, Suppressed::originator_loop},
                                                                {Exclusion::cluster_loop, Suppressed::cluster_loop},
                                                                {Exclusion::as_loop, Suppressed::as_loop},
                                                                {Exclusion::other_plane, Suppressed::other_plane}};
  for (auto [exclusion, reason] : kLoops)
    to.suppressed[static_cast<std::size_t>(reason)].set(from.excluded[static_cast<std::size_t>(exclusion)].get());
  for (std::size_t family = 0; family < wire::kFamilyCount; ++family) {
    to.rib_prefixes[family].set(from.prefixes[family].get());
    to.rib_paths[family].set(from.paths[family].get());
    to.rib_stale_paths[family].set(from.stale_paths[family].get());
    to.best_changes[family].set(from.best_changes[family].get());
  }
  static_assert(telemetry::ShardCounters::kLatencyBuckets == reflector::kLatencyBounds.size() + 1);
  static_assert(telemetry::ShardCounters::kLatencyStages == reflector::kLatencyStageNames.size());
  for (std::size_t stage = 0; stage < from.latency.size(); ++stage) {
    reflector::LatencyCounts counts = from.latency[stage].counts();
    for (std::size_t i = 0; i < counts.buckets.size(); ++i) to.latency[stage][i].set(counts.buckets[i]);
    to.latency_sum_us[stage].set(counts.sum_us);
  }
  reflector::LatencyCounts canary = from.canary.counts();
  for (std::size_t i = 0; i < canary.buckets.size(); ++i) to.canary[i].set(canary.buckets[i]);
  to.canary_sum_us.set(canary.sum_us);
  to.canary_in_time.set(from.canary_in_time.get());
  to.canary_late.set(from.canary_late.get());
  to.canary_wrong.set(from.canary_wrong.get());
  using telemetry::Discarded;
  auto discarded = [&](Discarded reason, const reflector::Counter& n) { to.discarded[static_cast<std::size_t>(reason)].set(n.get()); };
  discarded(Discarded::prefix_limit, from.discarded_by_limit);
  discarded(Discarded::rd_quota, from.discarded_by_rd);
  discarded(Discarded::rt_set_quota, from.discarded_by_rt_set);
  discarded(Discarded::attribute_size, from.discarded_by_size);
  discarded(Discarded::message_size, from.discarded_by_message);
  discarded(Discarded::label_stacks, from.discarded_by_label_stacks);
  to.oversize_updates.set(from.oversize.get());
  to.memberships_refused.set(from.memberships_refused.get());
  to.attribute_sets.set(from.attribute_sets.get());
  to.decisions.set(from.decisions.get());
}

void carry_refused(const session::AcceptCounters& from, telemetry::ShardCounters& to) {
  using telemetry::Refused;
  auto set = [&](Refused reason, std::uint64_t n) { to.refused[static_cast<std::size_t>(reason)].set(n); };
  set(Refused::stranger, from.strangers);
  set(Refused::range_full, from.range_full);
  set(Refused::rate, from.over_rate);
  set(Refused::memory, from.out_of_memory);
  set(Refused::wrong_address, from.wrong_address);
  set(Refused::pending, from.pending_dropped);
  to.descriptors_exhausted.set(from.exhausted);
}

void carry_log(std::uint64_t limited, std::uint64_t overrun, telemetry::ShardCounters& to) {
  to.log_lost[static_cast<std::size_t>(telemetry::LogLost::limited)].set(limited);
  to.log_lost[static_cast<std::size_t>(telemetry::LogLost::overrun)].set(overrun);
}

void carry_bfd(const session::BfdCounters& from, telemetry::ShardCounters& to) {
  to.bfd_packets[static_cast<std::size_t>(telemetry::Direction::in)].set(from.packets_in);
  to.bfd_packets[static_cast<std::size_t>(telemetry::Direction::out)].set(from.packets_out);
  to.bfd_discarded.set(from.discarded);
}

}  // namespace helio::control

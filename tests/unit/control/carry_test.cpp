// Counters of shards and sessions arrive on the telemetry board.
#include "rr/control/carry.hpp"

#include <gtest/gtest.h>

namespace helio::control {
namespace {

TEST(Carry, TakesOverWhatAShardCounts) {
  reflector::ShardCounters from;
  from.update_errors[1][2].add(7);
  from.excluded[static_cast<std::size_t>(reflector::Exclusion::cluster_loop)].add(3);
  from.prefixes[0].set(10);
  from.paths[1].set(20);
  from.best_changes[2].add(30);
  from.attribute_sets.set(40);
  from.decisions.set(50);
  telemetry::ShardCounters to;
  for (int i = 0; i < 2; ++i) {  // carrying twice counts once
    carry_counters(from, to);
    EXPECT_EQ(to.update_errors[1][2].get(), 7u);
    EXPECT_EQ(to.suppressed[static_cast<std::size_t>(telemetry::Suppressed::cluster_loop)].get(), 3u);
    EXPECT_EQ(to.suppressed[static_cast<std::size_t>(telemetry::Suppressed::originator_loop)].get(), 0u);
    EXPECT_EQ(to.rib_prefixes[0].get(), 10u);
    EXPECT_EQ(to.rib_paths[1].get(), 20u);
    EXPECT_EQ(to.best_changes[2].get(), 30u);
    EXPECT_EQ(to.attribute_sets.get(), 40u);
    EXPECT_EQ(to.decisions.get(), 50u);
  }
}

TEST(Carry, TakesOverRefusedConnections) {
  using telemetry::Refused;
  session::AcceptCounters from;
  from.strangers = 1;
  from.range_full = 2;
  from.over_rate = 3;
  from.out_of_memory = 4;
  from.wrong_address = 5;
  telemetry::ShardCounters to;
  carry_refused(from, to);
  carry_refused(from, to);
  EXPECT_EQ(to.refused[static_cast<std::size_t>(Refused::stranger)].get(), 1u);
  EXPECT_EQ(to.refused[static_cast<std::size_t>(Refused::range_full)].get(), 2u);
  EXPECT_EQ(to.refused[static_cast<std::size_t>(Refused::rate)].get(), 3u);
  EXPECT_EQ(to.refused[static_cast<std::size_t>(Refused::memory)].get(), 4u);
  EXPECT_EQ(to.refused[static_cast<std::size_t>(Refused::wrong_address)].get(), 5u);
}

TEST(Carry, TakesOverBfdPackets) {
  session::BfdCounters from;
  from.packets_in = 1;
  from.packets_out = 2;
  from.discarded = 3;
  telemetry::ShardCounters to;
  carry_bfd(from, to);
  EXPECT_EQ(to.bfd_packets[0].get(), 1u);
  EXPECT_EQ(to.bfd_packets[1].get(), 2u);
  EXPECT_EQ(to.bfd_discarded.get(), 3u);
}

}  // namespace
}  // namespace helio::control

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
  }
}

TEST(Carry, MessagesOnlyGrow) {
  constexpr std::size_t kIn = 0, kOut = 1, kUpdate = 2;
  SessionCarrier carrier;
  telemetry::ShardCounters to;
  session::PeerSnapshot a, b;
  a.address = wire::IpAddress::v4(1);
  b.address = wire::IpAddress::v4(2);
  a.messages_in[kUpdate] = 100;
  b.messages_in[kUpdate] = 10;
  b.messages_out[kUpdate] = 1;
  carrier.carry(std::array{a, b}, to);
  EXPECT_EQ(to.messages[kIn][kUpdate].get(), 110u);
  EXPECT_EQ(to.messages[kOut][kUpdate].get(), 1u);
  a.messages_in[kUpdate] = 105;
  carrier.carry(std::array{a}, to);  // b was removed
  EXPECT_EQ(to.messages[kIn][kUpdate].get(), 115u);
  b.messages_in[kUpdate] = 4;  // and came back
  carrier.carry(std::array{a, b}, to);
  EXPECT_EQ(to.messages[kIn][kUpdate].get(), 119u);
  a.messages_in[kUpdate] = 2;  // removed and back between two visits
  carrier.carry(std::array{a, b}, to);
  EXPECT_EQ(to.messages[kIn][kUpdate].get(), 121u);
}

}  // namespace
}  // namespace helio::control

// The canary: a marker goes through decoding, RIB, decision and packing and comes back as it was; nobody else sees it.
#include "rr/reflector/canary.hpp"

#include <gtest/gtest.h>

#include "tests/unit/reflector/shards.hpp"

namespace helio::reflector {
namespace {

TEST(Canary, BringsBackWhatWasSent) {
  Canary canary;
  for (std::uint32_t number : {1u, 2u, 3u, 1u << 20, 0xffffffffu}) {
    std::vector<std::uint8_t> sent = canary.reflect(number);
    EXPECT_EQ(Canary::number_in(sent), number);
    // Seven octets of label and MED, eight of the RD, and what frames them.
    int noticed = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      sent[i] ^= 0x10;
      if (Canary::number_in(sent) != number) ++noticed;
      sent[i] ^= 0x10;
    }
    EXPECT_GE(noticed, 20);
  }
  EXPECT_EQ(Canary::number_in({}), std::nullopt);
  EXPECT_TRUE(canary.reflect(0xffffffff).empty()) << "the same again is no change";
}

// DESIGN §4, 5: memory is not a function of time.
TEST(Canary, StaysSmall) {
  Canary canary;
  for (std::uint32_t i = 1; i <= 100; ++i) canary.reflect(i);
  auto bytes = canary.shared().memory.total_bytes();
  for (std::uint32_t i = 101; i <= 20000; ++i) ASSERT_EQ(Canary::number_in(canary.reflect(i)), i);
  EXPECT_LE(canary.shared().memory.total_bytes(), bytes + 65536);
  EXPECT_EQ(canary.shared().counters.prefixes[wire::index(wire::Family::vpnv4)], 1u);
}

class Markers : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Shards, Markers, testing::Values(1u, 3u));

TEST_P(Markers, GoThroughEveryShardAndToNobody) {
  using std::chrono::milliseconds;
  EngineSettings settings;
  settings.canary = true;
  settings.journal_bytes = 1 << 20;
  test::Shards shards(GetParam(), settings);
  for (std::uint32_t i = 0; i < 3; ++i) shards.up(test::Shards::pe(i, test::Shards::group()));
  for (std::uint32_t i = 0; i < 3; ++i) shards.take(i);
  auto octets = [&] {
    std::size_t sum = 0;
    for (std::uint32_t i = 0; i < 3; ++i) sum += shards.take(i).bytes.size();
    return sum;
  };
  octets();
  std::uint64_t changes = shards.count([](const ShardCounters& c) -> const Counter& { return c.best_changes[0]; });
  shards.clock = session::TimePoint(std::chrono::seconds(2000));
  for (int round = 1; round <= 5; ++round) {
    for (std::uint32_t i = 0; i < GetParam(); ++i) shards.shard(i).send_canary(shards.clock - milliseconds(40));
    shards.turns();
    EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.canary_in_time; }), round * GetParam());
  }
  LatencyCounts delay;
  for (std::uint32_t i = 0; i < GetParam(); ++i) delay += shards.shard(i).counters().canary.counts();
  EXPECT_EQ(delay.count(), 5 * GetParam());
  EXPECT_EQ(delay.sum_us, 5ull * GetParam() * 40'000);
  EXPECT_EQ(octets(), 0u) << "a peer was sent something";
  EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.paths[0]; }), 0u);
  EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.prefixes[0]; }), 0u);
  EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.best_changes[0]; }), changes);
  // One that is not back when the next one goes is late, and is not in time when it comes.
  for (int i = 0; i < 2; ++i) shards.shard(0).send_canary(shards.clock);
  shards.turns();
  EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.canary_late; }), 1u);
  EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.canary_in_time; }), 5 * GetParam() + 1);
  EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.canary_wrong; }), 0u);
}

TEST(Canary, IsOffUnlessAskedFor) {
  test::Shards shards(2);
  shards.shard(0).send_canary(shards.now());
  shards.turns();
  EXPECT_EQ(shards.count([](const ShardCounters& c) -> const Counter& { return c.canary_in_time; }), 0u);
}

}  // namespace
}  // namespace helio::reflector

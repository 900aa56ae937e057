// The engine against the oracle: DESIGN §4, invariants 1 to 6, over random runs with printed, replayable seeds.
//   HELIO_SEED=n     only this seed, in every test of this file
//   HELIO_SEEDS=n    this many seeds per block instead of the default
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/property/engines.hpp"
#include "tests/support/reflector_engine.hpp"

namespace helio::test {
namespace {

// The seeds of block `block`, `count` by default.
std::vector<std::uint64_t> seeds(std::uint64_t block, std::uint64_t count) {
  if (const char* one = std::getenv("HELIO_SEED")) return {std::strtoull(one, nullptr, 10)};
  if (const char* many = std::getenv("HELIO_SEEDS")) count = std::strtoull(many, nullptr, 10);
  std::vector<std::uint64_t> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(block * 1000000 + i);
  return out;
}

void check_block(std::uint64_t block, std::uint64_t count, const ScriptOptions& options) {
  for (std::uint64_t seed : seeds(block, count)) {
    std::string report = check_seed(seed, options, reflector_engine());
    ASSERT_EQ(report, "") << "seed " << seed << "\n" << report;
  }
}

class Seeds : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Blocks, Seeds, testing::Range<std::uint64_t>(0, 4));

TEST_P(Seeds, EveryPeerHoldsWhatTheOracleSays) { check_block(GetParam(), 1500, {.actions = 60 + 30 * static_cast<std::uint32_t>(GetParam())}); }
TEST_P(Seeds, WithTinyQueues) { check_block(10 + GetParam(), 400, {.actions = 80, .tiny_limits = true}); }
TEST_P(Seeds, WithManyRoutes) { check_block(20 + GetParam(), 30, {.actions = 80, .bulk = true}); }
TEST_P(Seeds, WithManyRoutesAndTinyQueues) { check_block(30 + GetParam(), 40, {.actions = 80, .tiny_limits = true, .bulk = true}); }

// Import and export policies per group, replaced in the middle of the run.
TEST_P(Seeds, WithPolicies) {
  check_block(50 + GetParam(), 600, {.actions = 70 + 20 * static_cast<std::uint32_t>(GetParam()), .policies = true});
  check_block(60 + GetParam(), 150, {.actions = 80, .tiny_limits = true, .policies = true});
  check_block(70 + GetParam(), 10, {.actions = 80, .bulk = true, .policies = true});
}
// What is beyond a limit is not there, for nobody, and comes when it is announced again with room.
TEST_P(Seeds, WithPrefixLimits) { check_block(80 + GetParam(), 300, {.shards = 1, .actions = 80, .limits = true}); }

// Next hops are tracked (RFC 4271 §9.1.2.1, §9.1.2.2 e); routes to them come, go and change their metric.
TEST_P(Seeds, WithTrackedNextHops) {
  check_block(80 + GetParam(), 500, {.actions = 70 + 20 * static_cast<std::uint32_t>(GetParam()), .next_hops = true});
  check_block(90 + GetParam(), 200, {.actions = 80, .tiny_limits = true, .next_hops = true});
  check_block(100 + GetParam(), 300, {.actions = 80, .policies = true, .next_hops = true});
  check_block(110 + GetParam(), 10, {.actions = 80, .bulk = true, .next_hops = true});
}

// EVPN in slices of its own, beside VPNv4 (RFC 7432): the same invariants.
TEST_P(Seeds, WithEvpn) {
  check_block(120 + GetParam(), 400, {.actions = 70 + 20 * static_cast<std::uint32_t>(GetParam()), .evpn = true});
  check_block(130 + GetParam(), 150, {.actions = 80, .tiny_limits = true, .evpn = true});
  check_block(140 + GetParam(), 10, {.actions = 80, .bulk = true, .evpn = true});
  check_block(150 + GetParam(), 100, {.actions = 80, .next_hops = true, .evpn = true});
}

// One plane of two ([partition]): what is of the other one is neither held nor asked for.
TEST_P(Seeds, OfOnePlane) {
  check_block(160 + GetParam(), 200, {.actions = 70 + 20 * static_cast<std::uint32_t>(GetParam()), .slice = true});
  check_block(170 + GetParam(), 100, {.actions = 80, .tiny_limits = true, .policies = true, .slice = true});
}

// Invariant 6: the same seed gives the same octets to every peer.
TEST(Property, SameSeedSameOctets) {
  for (std::uint64_t seed : seeds(40, 60)) {
    Script script = make_script(seed, {.actions = 80, .tiny_limits = seed % 3 == 0});
    EXPECT_EQ(run_script(script, reflector_engine()).digests, run_script(script, reflector_engine()).digests) << "seed " << seed;
  }
}

// Without restarts: the clock of a run goes on with its turns, and stale routes end by the clock.
Script without_restarts(Script script) {
  for (PeerSpec& peer : script.world.peers) {
    peer.restart_capable = false;
    peer.kept_over_restart = peer.kept_for_long = {};
  }
  return script;
}

// The number of shards is nobody's business.
TEST(Property, ShardedEqualsUnsharded) {
  for (std::uint64_t seed : seeds(41, 60)) {
    Outcome one = run_script(without_restarts(make_script(seed, {.shards = 1, .actions = 80})), reflector_engine());
    ASSERT_EQ(one.failure.value_or(""), "") << "seed " << seed;
    for (std::uint32_t shards : {2, 3, 8}) {
      Outcome many = run_script(without_restarts(make_script(seed, {.shards = shards, .actions = 80})), reflector_engine());
      ASSERT_EQ(many.failure.value_or(""), "") << "seed " << seed << " shards " << shards;
      for (std::size_t peer = 0; peer < one.final_vpn.size(); ++peer)
        if (one.held_back[peer] == many.held_back[peer]) {
          EXPECT_TRUE(without_ids(one.final_vpn[peer]) == without_ids(many.final_vpn[peer])) << "seed " << seed << " shards " << shards << " peer " << peer << ": " << one.final_vpn[peer].size() << " and " << many.final_vpn[peer].size() << " paths";
        }
    }
  }
}

// Invariant 5: the same actions over and over need no more memory than the first few times.
TEST(Property, ChurnDoesNotGrow) {
  for (std::uint64_t seed : seeds(42, 3)) {
    Script script = make_script(seed, {.actions = 80, .tiny_limits = seed % 2 == 1, .bulk = true});
    Simulation simulation(script.world, reflector_engine());
    std::uint64_t early = 0;
    for (int repetition = 0; repetition < 24 && !simulation.failure(); ++repetition) {
      for (const Action& action : script.actions) simulation.execute(action);
      for (std::uint32_t i = 0; i < script.world.peers.size(); ++i) simulation.resume(i);
      simulation.check_quiet();
      std::uint64_t now = simulation.engines().memory_bytes();
      if (repetition < 8) early = std::max(early, now);
      else EXPECT_LE(now, early + early / 10) << "seed " << seed << " repetition " << repetition;
    }
    EXPECT_EQ(simulation.failure().value_or(""), "") << "seed " << seed;
    simulation.check_empty(true);
    EXPECT_EQ(simulation.failure().value_or(""), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace helio::test

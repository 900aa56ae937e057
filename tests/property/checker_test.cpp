// Tests of the tests: the simulation accepts an engine made of the oracle, and finds every planted bug.
#include <gtest/gtest.h>

#include "tests/support/naive_engine.hpp"

namespace helio::test {
namespace {

TEST(Checker, AcceptsTheNaiveEngine) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::string report = check_seed(seed, {.actions = 80}, naive_engine());
    ASSERT_EQ(report, "") << report;
  }
}

class CheckerFinds : public testing::TestWithParam<PlantedBug> {};

TEST_P(CheckerFinds, PlantedBug) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= 300 && found == 0; ++seed) {
    Script script = make_script(seed, {.actions = 80});
    found += run_script(script, naive_engine(GetParam())).failure.has_value();
  }
  EXPECT_GT(found, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, CheckerFinds,
                         testing::Values(PlantedBug::forgets_old_rt, PlantedBug::withdraws_everywhere, PlantedBug::repeats_announcements, PlantedBug::ignores_label_change,
                                         PlantedBug::end_of_rib_too_early, PlantedBug::end_of_rib_missing, PlantedBug::floods_before_rtc_eor, PlantedBug::crosses_rds,
                                         PlantedBug::keeps_membership_of_the_dead, PlantedBug::ignores_refresh, PlantedBug::no_partial_bit,
                                         PlantedBug::no_reflection_to_originator, PlantedBug::oversized_messages, PlantedBug::loses_after_slow_reading,
                                         PlantedBug::leaks_memory));

TEST(Checker, ShrinksToAFewActions) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Script script = make_script(seed, {.actions = 80});
    EngineFactory engine = naive_engine(PlantedBug::ignores_label_change);
    if (!run_script(script, engine).failure) continue;
    Script minimal = shrink(script, engine);
    EXPECT_TRUE(run_script(minimal, engine).failure.has_value());
    EXPECT_LE(minimal.actions.size(), 8u) << format_script(minimal);
    return;
  }
  FAIL() << "no failing seed";
}

TEST(Checker, SameSeedSameOctets) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Script script = make_script(seed, {});
    EXPECT_EQ(run_script(script, naive_engine()).digests, run_script(script, naive_engine()).digests);
  }
}

}  // namespace
}  // namespace helio::test

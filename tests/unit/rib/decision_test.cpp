// Best-path selection: one row per step (RFC 4271 §9.1.2.2, RFC 4456 §9), then what only shows among three and more.
#include "rib/decision.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

namespace helio::rib {
namespace {

struct TestPath {
  DecisionKey key;
  wire::IpAddress peer = wire::IpAddress::v4(0x0a000001);
  std::uint32_t path_id = 0;
  DecisionExtras extras;
  std::uint32_t igp_metric = 0;
};

std::vector<Candidate> candidates_of(const std::vector<TestPath>& paths) {
  std::vector<Candidate> out;
  for (const TestPath& p : paths) out.push_back({&p.key, p.peer, p.path_id, p.extras == DecisionExtras{} ? nullptr : &p.extras, p.igp_metric});
  return out;
}

struct Row {
  DecisionStep step;
  const char* name;                          // what explain prints about the loser
  std::function<void(TestPath&)> worsen;     // makes a path lose at this step
  std::function<void(TestPath&)> better_later;  // and win at every later one
};

// Later steps are set against the result in every row, so a step taken too early or too late shows.
const Row kRows[] = {
    {DecisionStep::eligible, "not eligible", [](TestPath& p) { p.key.is_eligible = false; }, [](TestPath& p) { p.extras.first_costs = {{1, 5}}; }},
    {DecisionStep::llgr_stale, "long-lived stale", [](TestPath& p) { p.key.llgr_stale = true; }, [](TestPath& p) { p.extras.first_costs = {{1, 5}}; }},
    // custom-decision: before everything else, the lowest community id first
    {DecisionStep::first_cost, "higher cost community", [](TestPath& p) { p.extras.first_costs = {{1, 101}, {2, 0}}; }, [](TestPath& p) { p.key.local_pref = 200; }},
    {DecisionStep::local_pref, "lower LOCAL_PREF", [](TestPath& p) { p.key.local_pref = 99; }, [](TestPath& p) { p.extras.aigp = 0; }},
    {DecisionStep::aigp, "higher AIGP metric", [](TestPath& p) { p.extras.aigp = 31; }, [](TestPath& p) { p.key.as_path_length = 0; }},
    {DecisionStep::as_path_length, "longer AS_PATH", [](TestPath& p) { p.key.as_path_length = 3; }, [](TestPath& p) { p.key.origin = 0; }},
    {DecisionStep::origin, "worse ORIGIN", [](TestPath& p) { p.key.origin = 2; }, [](TestPath& p) { p.key.med = 0; }},
    {DecisionStep::med, "higher MED", [](TestPath& p) { p.key.med = 51; }, [](TestPath& p) { p.key.is_external = true; }},
    {DecisionStep::external, "iBGP, best is eBGP", [](TestPath& p) { p.key.is_external = false; }, [](TestPath& p) { p.igp_metric = 1, p.extras.aigp += 9; }},
    {DecisionStep::igp_metric, "higher IGP metric", [](TestPath& p) { p.igp_metric = 11, p.extras.aigp = 19; }, [](TestPath& p) { p.extras.igp_costs = {{1, 5}}; }},
    {DecisionStep::igp_cost, "higher cost community at the IGP metric", [](TestPath& p) { p.extras.igp_costs = {{1, 101}, {2, 0}}; },
     [](TestPath& p) { p.key.originator_id = 1; }},
    {DecisionStep::originator_id, "higher ORIGINATOR_ID", [](TestPath& p) { p.key.originator_id = 0x80000000; },
     [](TestPath& p) { p.key.cluster_list_length = 0; }},
    {DecisionStep::cluster_list_length, "longer CLUSTER_LIST", [](TestPath& p) { p.key.cluster_list_length = 3; },
     [](TestPath& p) { p.peer = wire::IpAddress::v4(1); }},
    {DecisionStep::peer_address, "higher peer address", [](TestPath& p) { p.peer = wire::IpAddress::v4(0xc0000001); }, [](TestPath& p) { p.path_id = 0; }},
    {DecisionStep::path_id, "higher path id", [](TestPath& p) { p.path_id = 6; }, [](TestPath&) {}},
};

// A path in the middle of every scale.
TestPath middle() {
  TestPath p;
  p.key = {.local_pref = 100, .med = 50, .neighbor_as = 65001, .originator_id = 0x0a000005, .as_path_length = 2, .cluster_list_length = 2,
           .origin = 1, .is_external = false};
  p.path_id = 5;
  p.extras.first_costs = p.extras.igp_costs = {{1, 100}};
  p.extras.has_aigp = true;
  p.extras.aigp = 20;
  p.igp_metric = 10;
  return p;
}

class DecisionRow : public testing::TestWithParam<std::size_t> {};

TEST_P(DecisionRow, DecidesInBothOrders) {
  const Row& row = kRows[GetParam()];
  TestPath winner = middle(), loser = middle();
  if (row.step == DecisionStep::external) winner.key.is_external = true;
  row.worsen(loser);
  for (std::size_t later = GetParam(); later < std::size(kRows); ++later) kRows[later].better_later(loser);  // must not help it
  EXPECT_EQ(decision_step_name(row.step), row.name);
  for (bool swapped : {false, true}) {
    std::vector<TestPath> paths = swapped ? std::vector{loser, winner} : std::vector{winner, loser};
    std::vector<Candidate> c = candidates_of(paths);
    std::size_t expected = swapped ? 1 : 0;
    EXPECT_EQ(select_best(c), expected) << row.name;
    std::vector<DecisionStep> steps(2, DecisionStep::none);
    EXPECT_EQ(select_best(c, steps), expected) << row.name;
    EXPECT_EQ(steps[expected], DecisionStep::none);
    EXPECT_EQ(steps[1 - expected], row.step) << row.name;
  }
}
INSTANTIATE_TEST_SUITE_P(Steps, DecisionRow, testing::Range(std::size_t{0}, std::size(kRows)));

TEST(Decision, NamesCoverEveryStep) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(DecisionStep::count_); ++i)
    EXPECT_FALSE(decision_step_name(static_cast<DecisionStep>(i)).empty());
}

TEST(Decision, OneCandidateIsBest) {
  std::vector<TestPath> paths{middle()};
  EXPECT_EQ(select_best(candidates_of(paths)), 0u);
}

// RFC 4271 §9.1.2.2 c): MED is comparable only among paths of the same neighbouring AS.
TEST(Decision, MedOfDifferentNeighboursIsNotCompared) {
  std::vector<TestPath> paths{middle(), middle()};
  paths[0].key.med = 1000;
  paths[0].key.originator_id = 1;
  paths[1].key.med = 0;
  paths[1].key.neighbor_as = 65002;
  std::vector<DecisionStep> steps(2, DecisionStep::none);
  EXPECT_EQ(select_best(candidates_of(paths), steps), 0u);
  EXPECT_EQ(steps[1], DecisionStep::originator_id);
}

// RFC 4271 §9.1.2.2 c): a missing MED is the lowest value.
TEST(Decision, MissingMedIsTheLowest) {
  std::vector<TestPath> paths{middle(), middle()};
  paths[0].key.med = 1;
  paths[1].key.med = DecisionKey{}.med;
  paths[1].key.originator_id = 0xffffffff;
  EXPECT_EQ(select_best(candidates_of(paths)), 1u);
}

// RFC 4271 §9.1.2.2 with the classic cycle of pairwise comparison: a beats c by MED, b beats a and c beats b by
// ORIGINATOR_ID. The elimination takes c out first, whoever arrived when.
TEST(Decision, AThirdPathDecidesByMed) {
  TestPath a = middle(), b = middle(), c = middle();
  a.key.med = 10, a.key.originator_id = 3;
  b.key.neighbor_as = 65002, b.key.med = 0, b.key.originator_id = 2;
  c.key.med = 20, c.key.originator_id = 1;
  std::vector<TestPath> paths{a, b, c};
  std::vector<int> order{0, 1, 2};
  do {
    std::vector<TestPath> shuffled{paths[static_cast<std::size_t>(order[0])], paths[static_cast<std::size_t>(order[1])],
                                   paths[static_cast<std::size_t>(order[2])]};
    std::vector<DecisionStep> steps(3, DecisionStep::none);
    std::size_t best = select_best(candidates_of(shuffled), steps);
    EXPECT_EQ(order[best], 1);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_EQ(steps[i], order[i] == 0 ? DecisionStep::originator_id : order[i] == 2 ? DecisionStep::med : DecisionStep::none);
  } while (std::next_permutation(order.begin(), order.end()));
  // Without a, c is no longer eliminated and wins: losing a path that was not best may change the best one.
  std::vector<TestPath> without_a{b, c};
  EXPECT_EQ(select_best(candidates_of(without_a)), 1u);
}

// Two MED groups: the lowest of each stays in.
TEST(Decision, MedIsPerNeighbour) {
  std::vector<TestPath> paths(4, middle());
  for (std::size_t i = 0; i < 4; ++i) paths[i].key.originator_id = static_cast<std::uint32_t>(i + 1);
  paths[0].key.med = 9, paths[1].key.med = 8;
  paths[2].key.neighbor_as = paths[3].key.neighbor_as = 65002;
  paths[2].key.med = 7, paths[3].key.med = 6;
  std::vector<DecisionStep> steps(4, DecisionStep::none);
  EXPECT_EQ(select_best(candidates_of(paths), steps), 1u);
  EXPECT_THAT(steps, testing::ElementsAre(DecisionStep::med, DecisionStep::none, DecisionStep::med, DecisionStep::originator_id));
}

// The decision is a function of the set of paths (DESIGN §4): few values per field, so that ties and MED groups are common.
TEST(Decision, DoesNotDependOnOrder) {
  std::mt19937 random(20260401);
  auto pick = [&](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<TestPath> paths(2 + pick(7));
    for (std::size_t i = 0; i < paths.size(); ++i) {
      TestPath& p = paths[i];
      p.key = {.local_pref = 100 + pick(2), .med = pick(3), .neighbor_as = pick(3), .originator_id = 1 + pick(3),
               .as_path_length = static_cast<std::uint16_t>(1 + pick(2)), .cluster_list_length = static_cast<std::uint8_t>(pick(2)),
               .origin = static_cast<std::uint8_t>(pick(2)), .is_external = pick(4) == 0};
      p.peer = wire::IpAddress::v4(1 + pick(2));
      p.path_id = static_cast<std::uint32_t>(i);  // tells the paths apart
    }
    std::uint32_t best = paths[select_best(candidates_of(paths))].path_id;
    for (int again = 0; again < 6; ++again) {
      std::shuffle(paths.begin(), paths.end(), random);
      std::vector<DecisionStep> steps(paths.size(), DecisionStep::none);
      std::size_t plain = select_best(candidates_of(paths)), explained = select_best(candidates_of(paths), steps);
      ASSERT_EQ(paths[plain].path_id, best) << "round " << round;
      ASSERT_EQ(explained, plain) << "round " << round;
      for (std::size_t i = 0; i < paths.size(); ++i) ASSERT_EQ(steps[i] == DecisionStep::none, i == plain) << "round " << round;
    }
  }
}

// RFC 7911: the n best are those that the decision takes one after the other.
TEST(Decision, RankingIsTheDecisionOverAndOver) {
  std::mt19937 random(7);
  auto below = [&](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 3000; ++round) {
    DecisionRules rules{.always_compare_med = round % 5 == 0, .prefer_oldest = round % 3 == 0};
    std::vector<TestPath> paths(1 + below(9));
    for (std::uint32_t i = 0; i < paths.size(); ++i) {
      TestPath& p = paths[i];
      p.key.local_pref = 100 + (below(6) == 0 ? 1 : 0);
      p.key.med = below(3);
      p.key.neighbor_as = below(3);
      p.key.originator_id = below(4);
      p.key.is_external = below(4) == 0;
      p.key.is_eligible = below(8) != 0;
      p.peer = wire::IpAddress::v4(below(3));
      p.path_id = i;
      if (below(3) == 0) p.igp_metric = below(2);
      if (below(6) == 0) p.extras.first_costs = {{static_cast<std::uint8_t>(below(2)), 0x7ffffffe + below(3)}};
      if (below(6) == 0) p.extras.has_aigp = true, p.extras.aigp = below(3);
    }
    std::vector<Candidate> left = candidates_of(paths);
    std::vector<std::uint32_t> order(paths.size());
    rank_paths(left, order, rules);
    for (std::size_t at = 0; at < order.size(); ++at) {
      bool used_is_left = left.front().path_id == 0;
      std::size_t best = select_best(left, {}, {rules.always_compare_med, rules.prefer_oldest && used_is_left});
      ASSERT_EQ(left[best].path_id, order[at]) << "round " << round << " rank " << at;
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(best));
    }
  }
}

// RFC 4271 §9.1.2.2 c compares within one neighbouring AS; the option compares all.
TEST(Decision, AlwaysCompareMed) {
  std::vector<TestPath> paths{middle(), middle()};
  paths[0].key.neighbor_as = 65002;
  paths[0].key.med = 60;
  paths[1].key.originator_id += 1;
  EXPECT_EQ(select_best(candidates_of(paths)), 0u);
  EXPECT_EQ(select_best(candidates_of(paths), {}, {.always_compare_med = true}), 1u);
  std::vector<DecisionStep> steps(2, DecisionStep::none);
  EXPECT_EQ(select_best(candidates_of(paths), steps, {.always_compare_med = true}), 1u);
  EXPECT_EQ(steps[0], DecisionStep::med);
}

// RFC 5004 §3: among external paths the one in use is not replaced for its BGP identifier; internal ones are.
TEST(Decision, PreferOldestExternal) {
  for (bool external : {true, false}) {
    std::vector<TestPath> paths{middle(), middle()};
    for (TestPath& p : paths) p.key.is_external = external;
    paths[1].key.originator_id -= 1;
    EXPECT_EQ(select_best(candidates_of(paths)), 1u);
    EXPECT_EQ(select_best(candidates_of(paths), {}, {.prefer_oldest = true}), external ? 0u : 1u);
    std::vector<DecisionStep> steps(2, DecisionStep::none);
    select_best(candidates_of(paths), steps, {.prefer_oldest = true});
    EXPECT_EQ(steps[external ? 1 : 0], external ? DecisionStep::oldest : DecisionStep::originator_id);
  }
}

// RFC 7311 §4.1: a path without AIGP loses to one with it; the metric to the next hop is added.
TEST(Decision, AigpAddsTheInteriorCost) {
  std::vector<TestPath> paths{middle(), middle()};
  paths[0].extras.aigp = 15;
  paths[0].igp_metric = 20;
  EXPECT_EQ(select_best(candidates_of(paths)), 1u);  // 20 + 10 < 15 + 20
  paths[1].extras.has_aigp = false;
  EXPECT_EQ(select_best(candidates_of(paths)), 0u);
}

// custom-decision §3: who has no cost of an id is in the middle of the range.
TEST(Decision, MissingCostIsTheMiddle) {
  std::vector<TestPath> paths{middle(), middle()};
  paths[0].extras.first_costs = {{7, 0x7ffffffe}};
  paths[1].extras.first_costs.clear();
  EXPECT_EQ(select_best(candidates_of(paths)), 0u);
  paths[0].extras.first_costs = {{7, 0x80000000}};
  EXPECT_EQ(select_best(candidates_of(paths)), 1u);
}

}  // namespace
}  // namespace helio::rib

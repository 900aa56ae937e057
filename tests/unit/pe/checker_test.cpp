// The checker must accept what is right and name every single thing that is wrong.
#include "bench/pe/lib/checker.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/unit/pe/reflect.hpp"

namespace helio::pe {
namespace {

PlanOptions small() {
  PlanOptions o;
  o.pes = 6;
  o.vrfs = 4;
  o.vrfs_per_pe = 2;
  o.routes_per_vrf = 300;
  return o;
}

void expect_exact(const Plan& plan, Checker& checker) {
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) EXPECT_TRUE(checker.holds_target(pe)) << pe;
  EXPECT_TRUE(checker.counters().is_clean());
  EXPECT_EQ(checker.counters().duplicates, 0u);
  EXPECT_EQ(checker.counters().reached, checker.total_target());
  auto d = checker.compare();
  EXPECT_EQ(d.missing, 0u);
  EXPECT_EQ(d.surplus, 0u);
  EXPECT_TRUE(checker.samples().empty()) << checker.samples().front();
}

TEST(Checker, AcceptsACorrectReflectorInEveryPlan) {
  std::vector<PlanOptions> plans(13, small());
  plans[1].rtc = RtcMode::off;
  plans[2].attrs_per_vrf = 7;
  plans[3].label_mode = LabelMode::per_prefix;
  plans[4].prefix_kind = PrefixKind::random;
  plans[5].prefix_kind = PrefixKind::enterprise;
  plans[6].rd_mode = RdMode::per_vrf;
  plans[7].rt_plan = RtPlan::hub_spoke;
  plans[8].rt_plan = RtPlan::extranet;
  plans[9].rt_plan = RtPlan::random;
  plans[10].ipv6_share = 0.5;
  plans[11].multihoming = 2;
  plans[11].vrfs_per_pe = 4;
  plans[12].rd_mode = RdMode::per_vrf;
  plans[12].ipv6_share = 0.3;
  plans[12].announcers = 4;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    SCOPED_TRACE(i);
    Plan plan(plans[i]);
    Checker checker(plan);
    EXPECT_GT(checker.total_target(), 0u);
    EXPECT_GT(checker.compare().missing, 0u);
    Checker fresh(plan);
    deliver_everything(plan, fresh);
    expect_exact(plan, fresh);
  }
}

// One UPDATE of PE 0's first VRF and a PE that imports it, to be damaged.
struct Fixture {
  Fixture() : plan(small()), checker(plan) {
    std::uint32_t cycle;
    std::uint32_t vrf = plan.vrf_at(0, 0, cycle);
    for (to = 1; !plan.imports(to, vrf, cycle); ++to) {
    }
    for (foreign = 1; plan.imports(foreign, vrf, cycle); ++foreign) {
    }
    ByteVector stream;
    append_routes(stream, plan, 0, {0, 0, 10}, {});
    body = reflected(split(stream).at(0), plan.address(0));
  }
  // Offset of the first NLRI: its length octet.
  std::size_t nlri() const {
    for (std::size_t at = 0; at + 1 < body.size(); ++at) {
      if (body[at] == 0x90 && body[at + 1] == 14) return at + 4 + 2 + 1 + 1 + 12 + 1;
    }
    return 0;
  }
  Plan plan;
  Checker checker;
  Body body;
  std::uint32_t to = 0, foreign = 0;
};

TEST(Checker, NamesEveryKindOfError) {
  struct Case {
    const char* what;
    std::function<void(Fixture&)> damage;
    std::uint64_t Counters::* counter;
  };
  const Case cases[] = {
      {"label", [](Fixture& f) { f.body[f.nlri() + 2] ^= 1; }, &Counters::wrong},
      {"bottom of stack", [](Fixture& f) { f.body[f.nlri() + 3] ^= 1; }, &Counters::malformed},
      {"unknown RD", [](Fixture& f) { f.body[f.nlri() + 8] ^= 1; }, &Counters::unexpected},
      {"no such prefix", [](Fixture& f) { f.body[f.nlri() + 12] ^= 0x40; }, &Counters::unexpected},
      {"ORIGINATOR_ID", [](Fixture& f) { f.body[4 + 6] ^= 1; }, &Counters::wrong},
      {"next hop", [](Fixture& f) { f.body[f.nlri() - 2] ^= 1; }, &Counters::wrong},
      {"route target", [](Fixture& f) { f.body.back() ^= 1; }, &Counters::wrong},
      {"length", [](Fixture& f) { f.body[3] ^= 1; }, &Counters::malformed},
      {"NLRI length", [](Fixture& f) { f.body[f.nlri()] = 200; }, &Counters::malformed},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    Fixture f;
    c.damage(f);
    f.checker.on_update(f.to, f.body);
    EXPECT_GE(f.checker.counters().*c.counter, 1u);
    EXPECT_FALSE(f.checker.counters().is_clean());
    EXPECT_FALSE(f.checker.samples().empty());
  }
}

TEST(Checker, ForeignRouteTargetsAndOwnRoutesAreUnexpected) {
  Fixture f;
  f.checker.on_update(f.foreign, f.body);
  EXPECT_EQ(f.checker.counters().unexpected, 10u);
  f.checker.on_update(0, f.body);
  EXPECT_EQ(f.checker.counters().unexpected, 20u);
  EXPECT_EQ(f.checker.held(0), 0u);
}

TEST(Checker, AMissingClusterListOrAnotherIsWrong) {
  Fixture f;
  f.checker.on_update(f.to, f.body);
  EXPECT_EQ(f.checker.counters().wrong, 0u);
  f.body[4 + 7 + 6] ^= 1;  // a second reflector's CLUSTER_LIST
  f.checker.on_update(f.to, f.body);
  EXPECT_EQ(f.checker.counters().wrong, 10u);
}

TEST(Checker, CountsDuplicatesAndWithdrawals) {
  Fixture f;
  f.checker.on_update(f.to, f.body);
  EXPECT_EQ(f.checker.held(f.to), 10u);
  f.checker.on_update(f.to, f.body);
  EXPECT_EQ(f.checker.counters().duplicates, 10u);
  EXPECT_EQ(f.checker.held(f.to), 10u);
  ByteVector stream;
  append_withdrawals(stream, f.plan, 0, {0, 0, 10}, 0);
  f.checker.on_update(f.to, split(stream).at(0));
  EXPECT_EQ(f.checker.held(f.to), 0u);
  EXPECT_EQ(f.checker.counters().unknown_withdrawals, 0u);
  f.checker.on_update(f.to, split(stream).at(0));
  EXPECT_EQ(f.checker.counters().unknown_withdrawals, 10u);
  EXPECT_TRUE(f.checker.counters().is_clean());
}

TEST(Checker, AMissingAndASurplusRouteDoNotCancelOut) {
  PlanOptions o = small();
  Plan plan(o);
  Checker checker(plan);
  deliver_everything(plan, checker);
  // PE 0 leaves; another PE's route is lost in its place: the counts agree at one PE, the comparison does
  // not.
  checker.set_present(0, false);
  checker.refresh_targets();
  checker.forget(0);
  auto d = checker.compare();
  EXPECT_EQ(d.missing, 0u);
  EXPECT_GT(d.surplus, 0u);
}

TEST(Checker, TheBestOfTwoOwnersIsExpectedAndTheOtherOnlyOnTheWay) {
  PlanOptions o;
  o.pes = 3;
  o.announcers = 2;
  o.multihoming = 2;
  o.vrfs_per_pe = 1;
  o.routes_per_vrf = 5;
  o.rtc = RtcMode::off;
  Plan plan(o);
  Checker checker(plan);
  auto from = [&](std::uint32_t pe) {
    ByteVector stream;
    append_routes(stream, plan, pe, {0, 0, 5}, {});
    return reflected(split(stream).at(0), plan.address(pe));
  };
  EXPECT_EQ(checker.target(0), 0u);
  EXPECT_EQ(checker.target(1), 5u);
  EXPECT_EQ(checker.target(2), 5u);
  checker.on_update(2, from(1));
  checker.on_update(0, from(1));
  EXPECT_FALSE(checker.holds_target(2)) << "holds the loser's path";
  EXPECT_FALSE(checker.holds_target(0));
  checker.on_update(1, from(0));
  checker.on_update(2, from(0));
  EXPECT_TRUE(checker.holds_target(2));
  EXPECT_TRUE(checker.holds_target(1));
  ByteVector stream;
  append_withdrawals(stream, plan, 1, {0, 0, 5}, 0);
  checker.on_update(0, split(stream).at(0));  // S6: the new best path's own source gets the withdrawal
  EXPECT_TRUE(checker.holds_target(0));
  EXPECT_EQ(checker.compare().missing + checker.compare().surplus, 0u);
}

// Not a timed assertion: prints what a delivered route costs, to be read in the log of a release build.
TEST(Checker, CostOfADeliveredRoute) {
  PlanOptions o;
  o.pes = 2;
  o.vrfs_per_pe = 100;
  o.routes_per_vrf = 1000;
  o.rtc = RtcMode::off;
  Plan plan(o);
  Checker checker(plan);
  std::vector<Body> bodies;
  for (const Body& body : split(build_routes(plan, 0, {})))
    bodies.push_back(reflected(body, plan.address(0)));
  for (int round = 0; round < 3; ++round) {
    checker.forget(1);
    auto from = std::chrono::steady_clock::now();
    for (const Body& body : bodies) checker.on_update(1, body);
    std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - from;
    fmt::print("checker: {:.1f} ns per route\n", elapsed.count() / 100000);
  }
  EXPECT_TRUE(checker.holds_target(1));
}

}  // namespace
}  // namespace helio::pe

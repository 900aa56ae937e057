// The arithmetic of the plan against counting it out.
#include "bench/pe/lib/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

namespace helio::pe {
namespace {

PlanOptions mesh(std::uint32_t pes, std::uint32_t vrfs, std::uint32_t per_pe, std::uint32_t routes) {
  PlanOptions o;
  o.pes = pes;
  o.vrfs = vrfs;
  o.vrfs_per_pe = per_pe;
  o.routes_per_vrf = routes;
  return o;
}

class PlanShapes : public testing::TestWithParam<PlanOptions> {};

TEST_P(PlanShapes, EveryVrfOccursOnceInACycleAndAllLookupsAgree) {
  Plan plan(GetParam());
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> owner;  // (vrf, cycle) -> PE
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) {
    std::set<std::uint32_t> own;
    for (std::uint32_t k = 0; k < plan.options().vrfs_per_pe; ++k) {
      std::uint32_t cycle;
      std::uint32_t vrf = plan.vrf_at(pe, k, cycle);
      ASSERT_LT(vrf, plan.vrfs());
      EXPECT_TRUE(own.insert(vrf).second) << "VRF twice on a PE";
      EXPECT_TRUE(owner.emplace(std::pair(vrf, cycle), pe).second) << "VRF twice in a cycle";
      EXPECT_EQ(plan.position_of(pe, vrf), k);
      EXPECT_EQ(plan.owner(vrf, cycle), pe);
    }
    for (std::uint32_t vrf = 0; vrf < plan.vrfs(); ++vrf) {
      EXPECT_EQ(plan.position_of(pe, vrf) != Plan::kNone, own.contains(vrf));
    }
  }
  for (std::uint32_t vrf = 0; vrf < plan.vrfs(); ++vrf) {
    for (std::uint32_t cycle = 0; cycle < plan.cycles(); ++cycle) {
      EXPECT_EQ(plan.owner(vrf, cycle) != Plan::kNone, owner.contains({vrf, cycle}));
    }
  }
}

TEST_P(PlanShapes, RdsAreUniqueAndDecode) {
  Plan plan(GetParam());
  std::set<std::uint64_t> rds;
  for (std::uint32_t vrf = 0; vrf < plan.vrfs(); ++vrf) {
    for (std::uint32_t group = 0; group < plan.groups(); ++group) {
      std::uint64_t rd = plan.rd(vrf, group);
      EXPECT_TRUE(rds.insert(rd).second);
      std::uint32_t v, g;
      ASSERT_TRUE(plan.decode_rd(rd, v, g));
      EXPECT_EQ(v, vrf);
      EXPECT_EQ(g, group);
    }
  }
  std::uint32_t v, g;
  EXPECT_FALSE(plan.decode_rd(*rds.rbegin() + 1, v, g));
  EXPECT_FALSE(plan.decode_rd(*rds.begin() - 1, v, g));
  EXPECT_FALSE(plan.decode_rd(*rds.begin() | 0x0001'0000'0000'0000, v, g)) << "another RD type";
}

INSTANTIATE_TEST_SUITE_P(Shapes, PlanShapes,
                         testing::Values(mesh(10, 100, 100, 10), mesh(100, 1000, 100, 1), mesh(30, 30, 3, 5),
                                         mesh(7, 10, 3, 2), mesh(5, 7, 7, 1), mesh(1, 1, 1, 1),
                                         mesh(256, 100, 10, 4)));

TEST(Plan, EveryVpnIsOnTheSameNumberOfPes) {
  Plan plan(mesh(100, 1000, 100, 100));  // S2: 10 PEs per RT
  EXPECT_EQ(plan.cycles(), 10u);
  EXPECT_EQ(plan.paths(), 1000000u);
  std::vector<int> members(1000);
  for (std::uint32_t pe = 0; pe < 100; ++pe) {
    for (std::uint64_t rt : plan.import_rts(pe)) ++members[static_cast<std::uint32_t>(rt) - 1];
  }
  EXPECT_THAT(members, testing::Each(10));
}

TEST(Plan, HubsSeeSpokesAndSpokesSeeTheHubOnly) {
  PlanOptions o = mesh(3, 1, 1, 1);
  o.rt_plan = RtPlan::hub_spoke;
  Plan plan(o);
  EXPECT_TRUE(plan.imports(0, 0, 1));
  EXPECT_TRUE(plan.imports(1, 0, 0));
  EXPECT_FALSE(plan.imports(1, 0, 2));
  EXPECT_FALSE(plan.imports(2, 0, 1));
  EXPECT_NE(plan.export_rt(0, 0), plan.export_rt(0, 1));
  EXPECT_THAT(plan.import_rts(0), testing::ElementsAre(plan.export_rt(0, 1)));
  EXPECT_THAT(plan.import_rts(1), testing::ElementsAre(plan.export_rt(0, 0)));
}

TEST(Plan, ImportsFollowTheRouteTargetsInEveryRtPlan) {
  for (RtPlan rt_plan : {RtPlan::full_mesh, RtPlan::hub_spoke, RtPlan::extranet, RtPlan::random}) {
    PlanOptions o = mesh(12, 9, 3, 1);
    o.rt_plan = rt_plan;
    Plan plan(o);
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) {
      auto rts = plan.import_rts(pe);
      std::set<std::uint64_t> wanted(rts.begin(), rts.end());
      EXPECT_EQ(wanted.size(), rts.size());
      std::set<std::uint32_t> positions;
      for (std::uint32_t vrf = 0; vrf < plan.vrfs(); ++vrf) {
        for (std::uint32_t cycle = 0; cycle < plan.cycles(); ++cycle) {
          std::uint32_t position = plan.import_position(pe, vrf, cycle);
          EXPECT_EQ(position != Plan::kNone, wanted.contains(plan.export_rt(vrf, cycle)));
          if (position == Plan::kNone) continue;
          EXPECT_LT(position, plan.import_positions());
          EXPECT_EQ(plan.vrf_of_import(pe, position), vrf);
        }
      }
    }
  }
}

TEST(Plan, RefusesWhatDoesNotFit) {
  EXPECT_THROW(Plan(mesh(2, 5, 6, 1)), std::invalid_argument);
  EXPECT_THROW(Plan(mesh(0, 1, 1, 1)), std::invalid_argument);
  PlanOptions o = mesh(4, 100, 100, 100000);
  o.prefix_kind = PrefixKind::random;
  EXPECT_THROW(Plan{o}, std::invalid_argument);
}

TEST(PrefixPlan, IndexAndPrefixAreEachOthersInverse) {
  for (PrefixKind kind :
       {PrefixKind::consecutive, PrefixKind::unique, PrefixKind::random, PrefixKind::enterprise}) {
    PrefixPlan plan(kind, 7);
    std::set<std::pair<std::uint32_t, int>> seen;
    for (std::uint32_t n = 0; n < 65536; ++n) {
      Prefix4 p = plan.at(n);
      ASSERT_TRUE(seen.emplace(p.address, p.length).second) << n;
      ASSERT_EQ(plan.index_of(p.address, p.length), n);
      ASSERT_EQ(p.length == 32 ? 0 : p.address & (0xffffffffu >> p.length), 0u) << "host bits set";
    }
    EXPECT_EQ(plan.index_of(0x01020304, 32), PrefixPlan::kNone);
  }
}

// RFC 6396 §4.3: a peer index table (skipped), two IPv4 entries (one twice), an IPv6 one (skipped).
TEST(PrefixList, ReadsAnMrtTableDump) {
  std::vector<std::uint8_t> dump;
  ByteWriter w(dump);
  auto record = [&](std::uint16_t subtype, std::vector<std::uint8_t> body) {
    w.u32(1700000000), w.u16(13), w.u16(subtype), w.u32(static_cast<std::uint32_t>(body.size())),
        w.bytes(body);
  };
  record(1, {192, 0, 2, 1, 0, 0, 0, 0});
  record(2, {0, 0, 0, 0, 8, 10, 0, 0});
  record(4, {0, 0, 0, 1, 32, 0x20, 1, 0xd, 0xb8, 0, 0});
  record(2, {0, 0, 0, 2, 23, 192, 0, 3, 0, 0});  // host bit set: masked
  record(2, {0, 0, 0, 3, 8, 10, 0, 0});
  PrefixList list(decode_mrt_prefixes(dump));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list.index_of(0x0a000000, 8), 0u);
  EXPECT_EQ(list.index_of(0xc0000200, 23), 1u);
  EXPECT_EQ(list.index_of(0xc0000200, 24), PrefixList::kNone);
  dump.pop_back();
  EXPECT_THROW(decode_mrt_prefixes(dump), std::runtime_error);
  EXPECT_THROW(decode_mrt_prefixes({}), std::runtime_error);

  PlanOptions o = mesh(2, 1, 1, 0);
  o.prefix_kind = PrefixKind::list;
  EXPECT_THROW(Plan{o}, std::invalid_argument);
  o.prefix_list = std::make_shared<const PrefixList>(list);
  Plan plan(o);
  EXPECT_EQ(plan.routes_per_slice(), 2u);
}

}  // namespace
}  // namespace helio::pe

// Files of raw UPDATEs: what they leave announced, and what a reflector must not have changed.
#include "bench/pe/lib/raw_routes.hpp"

#include <gtest/gtest.h>

#include "tests/unit/pe/reflect.hpp"

namespace helio::pe {
namespace {

PlanOptions mixed() {
  PlanOptions o;
  o.pes = 2;
  o.vrfs_per_pe = 3;
  o.routes_per_vrf = 40;
  o.ipv6_share = 0.25;
  o.attrs_per_vrf = 2;
  o.prefix_kind = PrefixKind::enterprise;
  return o;
}

TEST(RawRoutes, HoldsWhatTheUpdatesLeaveAnnounced) {
  Plan plan(mixed());
  ByteVector bytes = build_routes(plan, 0, {});
  append_end_of_rib(bytes, 1, 128);
  EXPECT_EQ(RawRoutes(bytes).size(), 120u);
  EXPECT_TRUE(RawRoutes(bytes).has_v4());
  EXPECT_TRUE(RawRoutes(bytes).has_v6());
  EXPECT_EQ(RawRoutes(bytes).route_targets(),
            (std::vector<std::uint64_t>{plan.export_rt(0, 0), plan.export_rt(1, 0), plan.export_rt(2, 0)}));
  append_withdrawals(bytes, plan, 0, {1, 0, 10}, 0);
  append_withdrawals(bytes, plan, 0, {2, 30, 10}, 0);  // the IPv6 ones
  EXPECT_EQ(RawRoutes(bytes).size(), 100u);
}

TEST(RawRoutes, AReflectedRouteIsTheSameAndAChangedOneIsNot) {
  Plan plan(mixed());
  ByteVector bytes = build_routes(plan, 0, {});
  RawRoutes raw(bytes);
  RawUpdate update;
  std::uint32_t seen = 0;
  for (const Body& body : split(bytes)) {
    ASSERT_TRUE(read_raw_update(reflected(body, plan.address(0)), update));
    EXPECT_EQ(update.originator, plan.address(0));
    for (const RawUpdate::Route& r : update.announced) {
      std::uint32_t n = raw.find(r.key);
      ASSERT_NE(n, RawRoutes::kNone);
      EXPECT_EQ(r.labels, raw.route(n).labels);
      EXPECT_TRUE(raw.has_attributes(raw.route(n), update.attributes));
      ++seen;
    }
    Body changed = body;
    changed.back() ^= 1;  // of the route target
    ASSERT_TRUE(read_raw_update(changed, update));
    EXPECT_FALSE(raw.has_attributes(raw.route(raw.find(update.announced.at(0).key)), update.attributes));
  }
  EXPECT_EQ(seen, raw.size());
}

TEST(RawRoutes, WhatIsNoUpdateFileIsRefused) {
  Plan plan(mixed());
  ByteVector good = build_routes(plan, 0, {});
  EXPECT_THROW(RawRoutes(ByteVector{}), std::runtime_error);
  EXPECT_THROW(RawRoutes(ByteVector(good.begin(), good.end() - 1)), std::runtime_error);
  ByteVector bad = good;
  bad[3] = 0;  // marker
  EXPECT_THROW(RawRoutes{bad}, std::runtime_error);
  bad = good;
  bad[18] = 4;  // a KEEPALIVE
  EXPECT_THROW(RawRoutes{bad}, std::runtime_error);
  bad = good;
  bad[22] ^= 1;  // length of the attributes
  EXPECT_THROW(RawRoutes{bad}, std::runtime_error);
}

}  // namespace
}  // namespace helio::pe

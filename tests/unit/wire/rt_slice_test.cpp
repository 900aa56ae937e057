// H7 C: which route targets a plane holds, and what it asks for (RFC 4684 §4: memberships are prefixes of 32 to 96 bits).
#include "rr/wire/rt_slice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace helio::wire {
namespace {

using testing::ElementsAre;

std::uint64_t rt(std::string_view text) { return parse_rt(text)->value; }
RtRange range(std::string_view text) { return *parse_rt_range(text); }

// The assignment is part of what a configuration means: it must be the same in every version.
TEST(RtSlice, PlanesOfKnownRouteTargets) {
  std::vector<std::uint32_t> of_three, of_four;
  for (const char* text : {"65000:1", "65000:2", "65000:3", "65000:4", "65000:5", "65000:6", "192.0.2.1:1", "4200000000:1"}) {
    of_three.push_back(plane_of(RouteTarget{rt(text)}, 3));
    of_four.push_back(plane_of(RouteTarget{rt(text)}, 4));
  }
  EXPECT_THAT(of_three, ElementsAre(3u, 1u, 2u, 2u, 3u, 2u, 2u, 1u));
  EXPECT_THAT(of_four, ElementsAre(3u, 4u, 2u, 2u, 3u, 2u, 2u, 4u));
  EXPECT_EQ(plane_of(RouteTarget{rt("65000:1")}, 1), 1u);
}

TEST(RtSlice, PlanesAreOfEqualSizeAndGrowByMovingToTheNewOne) {
  std::vector<int> sizes(7, 0);
  int moved = 0;
  constexpr int kTargets = 60000;
  for (std::uint32_t i = 0; i < kTargets; ++i) {
    RouteTarget target{rt("65000:0") + i};
    std::uint32_t before = plane_of(target, 6), after = plane_of(target, 7);
    ++sizes[before];
    if (before == after) continue;
    ++moved;
    ASSERT_EQ(after, 7u) << "only to the new plane";
  }
  for (int plane = 1; plane <= 6; ++plane) EXPECT_NEAR(sizes[static_cast<std::size_t>(plane)], kTargets / 6, 400);
  EXPECT_NEAR(moved, kTargets / 7, 400);
}

TEST(RtSlice, EveryRouteTargetIsOfExactlyOnePlane) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::uint64_t target = random();
    int held = 0;
    for (std::uint32_t index = 1; index <= 5; ++index) held += RtSlice::plane(index, 5).holds(target);
    ASSERT_EQ(held, 1);
  }
}

TEST(RtSlice, RangesHoldWhatIsBetweenTheirEnds) {
  RtSlice slice = RtSlice::ranges({range("65000:10-20"), range("65001:*"), range("192.0.2.1:7")}, false);
  EXPECT_FALSE(slice.holds(rt("65000:9")));
  EXPECT_TRUE(slice.holds(rt("65000:10")));
  EXPECT_TRUE(slice.holds(rt("65000:20")));
  EXPECT_FALSE(slice.holds(rt("65000:21")));
  EXPECT_TRUE(slice.holds(rt("65001:4294967295")));
  EXPECT_FALSE(slice.holds(rt("65002:0")));
  EXPECT_TRUE(slice.holds(rt("192.0.2.1:7")));
  EXPECT_EQ(slice.text(), "route targets 65000:10-20, 65001:*, 192.0.2.1:7");
  EXPECT_EQ(RtSlice::ranges({range("65000:5-9"), range("65000:1-4"), range("65000:8-12")}, false).text(), "route targets 65000:1-12");
}

TEST(RtSlice, ARouteIsHeldForOneOfItsTargets) {
  RtSlice slice = RtSlice::ranges({range("65000:10-20")}, false), first = RtSlice::plane(1, 3), second = RtSlice::plane(2, 3);
  std::vector<std::uint64_t> both{rt("65000:1"), rt("65000:15")}, other{rt("65000:1")};
  EXPECT_TRUE(slice.holds_route(both));
  EXPECT_FALSE(slice.holds_route(other));
  EXPECT_FALSE(slice.holds_route({})) << "without route targets";
  EXPECT_TRUE(RtSlice::ranges({range("65000:1")}, true).holds_route({}));
  EXPECT_TRUE(first.holds_route({}));
  EXPECT_FALSE(second.holds_route({}));
  EXPECT_TRUE(RtSlice().holds_route({}));
  EXPECT_TRUE(RtSlice().holds_route(other));
}

TEST(RtSlice, AsksForRangesByTheShortestPrefixes) {
  EXPECT_THAT(RtSlice().wanted(65000), ElementsAre(RtMembership{}));
  EXPECT_THAT(RtSlice::plane(1, 2).wanted(65000), ElementsAre(RtMembership{}));
  EXPECT_THAT(RtSlice::ranges({range("65001:*")}, false).wanted(65000), ElementsAre(RtMembership{64, 65000, rt("65001:0")}));
  EXPECT_THAT(RtSlice::ranges({range("65000:4-8")}, false).wanted(65000),
              ElementsAre(RtMembership{94, 65000, rt("65000:4")}, RtMembership{96, 65000, rt("65000:8")}));
  EXPECT_THAT(RtSlice::ranges({range("65000:7")}, false).wanted(1), ElementsAre(RtMembership{96, 1, rt("65000:7")}));
}

// What is asked for is the range: no route target more, none less.
TEST(RtSlice, PrefixesMakeUpTheRangeExactly) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    std::uint64_t base = rt("65000:0"), a = base + random() % 5000, b = a + random() % 5000;
    RtSlice slice = RtSlice::ranges({{a, b}}, false);
    std::vector<RtMembership> wanted = slice.wanted(65000);
    for (const RtMembership& m : wanted) EXPECT_TRUE(slice.may_hold(m));
    auto asked = [&](std::uint64_t target) {
      return std::ranges::count_if(wanted, [&](const RtMembership& m) { return m.matches(RouteTarget{target}); });
    };
    for (std::uint64_t probe : {a, b, a + (b - a) / 2, a + random() % (b - a + 1)}) ASSERT_EQ(asked(probe), 1) << a << " " << b;
    for (std::uint64_t probe : {a - 1, b + 1, base + 20000}) ASSERT_EQ(asked(probe), 0);
    ASSERT_LE(wanted.size(), 26u);
  }
}

TEST(RtSlice, PassesOnMembershipsThatItMayHoldSomethingFor) {
  RtSlice slice = RtSlice::ranges({range("65000:16-31")}, false);
  EXPECT_TRUE(slice.may_hold({96, 65000, rt("65000:16")}));
  EXPECT_FALSE(slice.may_hold({96, 65000, rt("65000:32")}));
  EXPECT_TRUE(slice.may_hold({80, 65000, rt("65000:0")})) << "a prefix that the range lies in";
  EXPECT_FALSE(slice.may_hold({92, 65000, rt("65000:0")})) << "0 to 15";
  EXPECT_TRUE(slice.may_hold({32, 65000, 0}));
}

TEST(RtSlice, RangesAreWrittenAsTheyAreRead) {
  for (const char* text : {"65000:7", "65000:1-33333", "65000:*", "192.0.2.1:0-100", "192.0.2.1:*", "4200000000:5-6"}) EXPECT_EQ(format_rt_range(range(text)), text);
  for (const char* text : {"", "65000", "65000:", "65000:1-", "65000:-1", "65000:1-x", "65000:1-4294967296", "192.0.2.1:1-65536", "65000:*-7", "65000:1-2-3"})
    EXPECT_FALSE(parse_rt_range(text)) << text;
  EXPECT_EQ(parse_rt_range("65000:9-3").error(), "\"65000:9-3\" ends before it begins");
}

}  // namespace
}  // namespace helio::wire

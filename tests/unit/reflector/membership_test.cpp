// Membership: the filter of one peer, kept by NLRI (RFC 4684 §4, §6; pitfalls 1.2, 1.3, 1.12, 1.13).
#include "rr/reflector/membership.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace helio::reflector {
namespace {

using wire::RtMembership;

constexpr std::uint64_t kRt1 = 0x0002fde800000001, kRt2 = 0x0002fde800000002;
const RtMembership kDefault{}, kAnyOf65000{32, 65000, 0};

RtMembership full(std::uint64_t target, Asn origin = 65000) { return {96, origin, target}; }
bool matches(const Membership& m, std::vector<std::uint64_t> targets) { return m.matches(targets); }

TEST(Membership, EmptyMatchesNothing) {
  Membership m;
  EXPECT_FALSE(matches(m, {kRt1}));
  EXPECT_FALSE(matches(m, {}));
  EXPECT_FALSE(m.matches_everything());
}

TEST(Membership, AnyTargetOfTheRouteIsEnough) {
  Membership m;
  EXPECT_TRUE(m.add(full(kRt1)));
  EXPECT_TRUE(matches(m, {kRt1}));
  EXPECT_TRUE(matches(m, {kRt2, kRt1}));
  EXPECT_FALSE(matches(m, {kRt2}));
  EXPECT_FALSE(matches(m, {}));
}

// pitfalls 1.2: the same RT from two origin ASes is two NLRIs; withdrawing one leaves the other.
TEST(Membership, OriginAsesCountApart) {
  Membership m;
  EXPECT_TRUE(m.add(full(kRt1, 65001)));
  EXPECT_TRUE(m.add(full(kRt1, 65002)));
  EXPECT_FALSE(m.add(full(kRt1, 65001)));
  EXPECT_EQ(m.size(), 2u);
  EXPECT_THAT(m.targets(), testing::ElementsAre(kRt1));
  EXPECT_TRUE(m.remove(full(kRt1, 65001)));
  EXPECT_FALSE(m.remove(full(kRt1, 65001)));
  EXPECT_TRUE(matches(m, {kRt1}));
  EXPECT_TRUE(m.remove(full(kRt1, 65002)));
  EXPECT_FALSE(matches(m, {kRt1}));
}

// pitfall 1.3: the origin AS plays no part in the match.
TEST(Membership, OriginAsDoesNotMatter) {
  for (Asn origin : {0u, 23456u, 65000u, 4200000000u}) {
    Membership m;
    m.add(full(kRt1, origin));
    EXPECT_TRUE(matches(m, {kRt1})) << origin;
    EXPECT_TRUE(m.has_target(kRt1));
  }
}

// pitfall 1.13: a default beside specifics; each is withdrawn alone.
TEST(Membership, DefaultBesideSpecifics) {
  Membership m;
  m.add(full(kRt1));
  EXPECT_TRUE(m.add(kDefault));
  EXPECT_FALSE(m.add(kDefault));
  EXPECT_TRUE(m.matches_everything());
  EXPECT_TRUE(matches(m, {kRt2}));
  EXPECT_TRUE(matches(m, {}));  // routes without any target too (RFC 4684 §6)
  EXPECT_TRUE(m.add(kAnyOf65000));
  EXPECT_TRUE(m.remove(kDefault));
  EXPECT_TRUE(m.matches_everything());  // the NLRI of 32 bits still stands
  EXPECT_TRUE(m.remove(kAnyOf65000));
  EXPECT_FALSE(m.matches_everything());
  EXPECT_TRUE(matches(m, {kRt1}));
  EXPECT_FALSE(matches(m, {kRt2}));
}

// pitfall 1.12, RFC 4684 §4: lengths from 33 to 95 bits are prefixes of the target.
TEST(Membership, PartialTargets) {
  Membership m;
  RtMembership partial{32 + 32, 65000, 0x0002fde800000000};  // all of type 0 and AS 65000
  EXPECT_TRUE(m.add(partial));
  EXPECT_TRUE(m.has_partial());
  EXPECT_FALSE(m.has_target(kRt1));
  EXPECT_TRUE(matches(m, {kRt1}));
  EXPECT_TRUE(matches(m, {0x0002fde8ffffffff}));
  EXPECT_FALSE(matches(m, {0x0002fde900000001}));
  EXPECT_FALSE(matches(m, {0x0202fde800000001}));
  EXPECT_TRUE(m.add(full(kRt1)));  // inside the partial one
  EXPECT_TRUE(m.remove(partial));
  EXPECT_TRUE(matches(m, {kRt1}));
  EXPECT_FALSE(matches(m, {kRt2}));
}

TEST(Membership, EveryLengthMatchesItsBits) {
  for (unsigned length = 33; length <= 96; ++length) {
    Membership m;
    unsigned bits = length - 32;
    std::uint64_t masked = bits == 64 ? kRt1 : kRt1 >> (64 - bits) << (64 - bits);
    m.add({static_cast<std::uint8_t>(length), 1, masked});
    EXPECT_TRUE(matches(m, {kRt1})) << length;
    EXPECT_FALSE(matches(m, {kRt1 ^ std::uint64_t{1} << (64 - bits)})) << length;
    if (bits < 64) {
      EXPECT_TRUE(matches(m, {kRt1 ^ std::uint64_t{1} << (63 - bits)})) << length;
    }
  }
}

TEST(Membership, RandomAgainstASet) {
  std::mt19937 random(3);
  Membership m;
  std::set<RtMembership> model;
  for (int i = 0; i < 20000; ++i) {
    static constexpr std::uint8_t kLengths[] = {0, 32, 64, 80, 96, 96, 96, 96};
    std::uint8_t length = kLengths[random() % 8];
    RtMembership nlri{length, length == 0 ? 0u : static_cast<Asn>(random() % 3), 0};
    if (length > 32) nlri.target = (0x0002fde800000000 + random() % 40) >> (96u - length) << (96u - length);
    if (random() % 2) {
      ASSERT_EQ(m.add(nlri), model.insert(nlri).second);
    } else {
      ASSERT_EQ(m.remove(nlri), model.erase(nlri) == 1);
    }
    ASSERT_EQ(m.size(), model.size());
    std::uint64_t target = 0x0002fde800000000 + random() % 40;
    bool expected = std::ranges::any_of(model, [&](const RtMembership& n) { return n.matches(wire::RouteTarget{target}); });
    ASSERT_EQ(matches(m, {target}), expected) << i;
  }
  std::vector<RtMembership> all = m.all();
  EXPECT_EQ(std::set(all.begin(), all.end()), model);
  m.clear();
  EXPECT_EQ(m.size(), 0u);
  EXPECT_FALSE(m.matches_everything());
}

}  // namespace
}  // namespace helio::reflector

#include "rr/wire/types.hpp"

#include <gtest/gtest.h>

namespace helio::wire {
namespace {

struct TextRow {
  std::uint64_t value;
  const char* text;
};

// RFC 4364 §4.2: the three types, and the L form where type 2 holds a small AS.
TEST(RouteDistinguisher, TextBothWays) {
  for (const TextRow& row : {TextRow{0x0000fde800000065, "65000:101"}, TextRow{0x0000ffffffffffff, "65535:4294967295"},
                             TextRow{0x0001c00002010007, "192.0.2.1:7"}, TextRow{0x0002fa56ea000005, "4200000000:5"},
                             TextRow{0x00020000fde80001, "65000L:1"}, TextRow{0, "0:0"}, TextRow{0x0003000000000001, "0x0003000000000001"}}) {
    EXPECT_EQ(format_rd({row.value}), row.text);
    auto parsed = parse_rd(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(parsed->value, row.value) << row.text;
  }
}

// RFC 4360 §3, RFC 5668 §2; pitfall 1.24: 65000:1 of type 0 and of type 2 differ.
TEST(RouteTarget, TextBothWays) {
  for (const TextRow& row : {TextRow{0x0002fde800000001, "65000:1"}, TextRow{0x0102c00002010001, "192.0.2.1:1"},
                             TextRow{0x0202fa56ea000001, "4200000000:1"}, TextRow{0x02020000fde80001, "65000L:1"},
                             TextRow{0x0003fde800000001, "0x0003fde800000001"}}) {
    EXPECT_EQ(format_rt({row.value}), row.text);
    auto parsed = parse_rt(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(parsed->value, row.value) << row.text;
  }
  EXPECT_NE(parse_rt("65000:1"), parse_rt("65000L:1"));
}

TEST(RouteTarget, RefusesWhatIsNoRouteTarget) {
  for (const char* text : {"", ":", "65000", "65000:", ":1", "65000:1:2", "65000:4294967296", "65536:65536", "65000L:65536", "192.0.2.1:65536",
                           "192.0.2:1", "192.0.2.256:1", "4294967296:1", "-1:1", "65000:-1", " 65000:1", "65000:1 ", "65000:+1", "0x12", "0xg000000000000000",
                           "L:1", "target:65000:1"}) {
    EXPECT_FALSE(parse_rt(text)) << text;
    EXPECT_FALSE(parse_rd(text)) << text;
  }
}

TEST(RouteTarget, IsTransitiveWithSubtypeTwo) {
  EXPECT_TRUE(is_route_target(0x0002fde800000001));
  EXPECT_TRUE(is_route_target(0x0102c00002010001));
  EXPECT_TRUE(is_route_target(0x0202fa56ea000001));
  EXPECT_FALSE(is_route_target(0x0003fde800000001));  // route origin
  EXPECT_FALSE(is_route_target(0x4002fde800000001));  // not transitive
  EXPECT_FALSE(is_route_target(0x0302fde800000001));  // opaque
}

TEST(Prefix, TextBothWays) {
  for (const char* text : {"0.0.0.0/0", "10.0.0.0/24", "192.0.2.1/32", "::/0", "2001:db8::/32", "2001:db8::1/128"}) {
    auto prefix = parse_prefix(text);
    ASSERT_TRUE(prefix) << text;
    EXPECT_EQ(format_prefix(*prefix), text);
  }
  for (const char* text : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.1/24", "2001:db8::1/64", "10.0.0/24", "10.0.0.0/-1", "10.0.0.0/24 "})
    EXPECT_FALSE(parse_prefix(text)) << text;
}

TEST(IpAddress, TextBothWays) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "::", "::1", "2001:db8::1", "::ffff:192.0.2.1"}) {
    auto address = parse_ip(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(format_ip(*address), text);
  }
  EXPECT_EQ(parse_ip("192.0.2.1")->v4_value(), 0xc0000201u);
  EXPECT_EQ(IpAddress::v4(0xc0000201), *parse_ip("192.0.2.1"));
  EXPECT_EQ(parse_ip("192.0.2.1")->view().size(), 4u);
  EXPECT_EQ(parse_ip("::1")->view().size(), 16u);
  for (std::string_view text : {std::string_view(""), std::string_view("192.0.2"), std::string_view("1.2.3.4\0", 8), std::string_view("fe80::1%lo"),
                                std::string_view("1111:2222:3333:4444:5555:6666:7777:8888:9999:0000")})
    EXPECT_FALSE(parse_ip(text)) << text;
}

TEST(Family, CodesAndNames) {
  struct Row {
    Family family;
    AfiSafi code;
    const char* name;
    const char* label;
  };
  for (const Row& row : {Row{Family::vpnv4, {1, 128}, "l3vpn-ipv4-unicast", "vpnv4"}, Row{Family::vpnv6, {2, 128}, "l3vpn-ipv6-unicast", "vpnv6"},
                         Row{Family::rtc, {1, 132}, "rt-constrain", "rtc"}, Row{Family::ipv4_unicast, {1, 1}, "ipv4-unicast", "ipv4"},
                         Row{Family::ipv6_unicast, {2, 1}, "ipv6-unicast", "ipv6"}, Row{Family::evpn, {25, 70}, "l2vpn-evpn", "evpn"}}) {
    EXPECT_EQ(afi_safi(row.family), row.code);
    EXPECT_EQ(family_of(row.code), row.family);
    EXPECT_EQ(family_name(row.family), row.name);
    EXPECT_EQ(parse_family(row.name), row.family);
    EXPECT_EQ(family_label(row.family), row.label);
  }
  EXPECT_FALSE(family_of({25, 65}));
  EXPECT_FALSE(parse_family("vpnv4"));
}

TEST(FamilySet, HoldsFamilies) {
  FamilySet set;
  EXPECT_TRUE(set.empty());
  set.insert(Family::rtc);
  set.insert(Family::vpnv6);
  EXPECT_TRUE(set.contains(Family::rtc));
  EXPECT_FALSE(set.contains(Family::vpnv4));
  set.erase(Family::rtc);
  EXPECT_FALSE(set.contains(Family::rtc));
  EXPECT_TRUE(set.contains(Family::vpnv6));
}

// RFC 4684 §4; pitfalls 1.3 (origin AS is no part of the match), 1.12 (partial lengths), 1.13 (/32 and /0).
TEST(RtMembership, MatchesByPrefixOfTheTarget) {
  RouteTarget rt{0x0002fde800000065};
  EXPECT_TRUE((RtMembership{0, 0, 0}).matches(rt));
  EXPECT_TRUE((RtMembership{32, 64512, 0}).matches(rt));
  EXPECT_TRUE((RtMembership{96, 64512, 0x0002fde800000065}).matches(rt));
  EXPECT_FALSE((RtMembership{96, 64512, 0x0002fde800000064}).matches(rt));
  EXPECT_TRUE((RtMembership{64, 64512, 0x0002fde800000000}).matches(rt));
  EXPECT_FALSE((RtMembership{64, 64512, 0x0002fde900000000}).matches(rt));
  EXPECT_TRUE((RtMembership{33, 64512, 0}).matches(rt));
  EXPECT_FALSE((RtMembership{33, 64512, 0x8000000000000000}).matches(rt));
  EXPECT_NE((RtMembership{0, 0, 0}), (RtMembership{32, 0, 0}));
}

TEST(RtMembership, Text) {
  EXPECT_EQ(format_membership({0, 0, 0}), "default");
  EXPECT_EQ(format_membership({32, 65000, 0}), "65000:*");
  EXPECT_EQ(format_membership({96, 65000, 0x0002fde800000065}), "65000:65000:101");
  EXPECT_EQ(format_membership({96, 65000, 0x0102c00002010001}), "65000:192.0.2.1:1");
  EXPECT_EQ(format_membership({64, 65000, 0x0002fde800000000}), "65000:0x0002fde8/64");
  EXPECT_EQ(format_membership({33, 65000, 0x8000000000000000}), "65000:0x80/33");
}

}  // namespace
}  // namespace helio::wire

#include "rr/wire/attributes.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::hex;
using test::Octets;

TEST(Attributes, CollectsRouteTargetsOfAllThreeTypes) {
  std::vector<RouteTarget> targets;
  collect_route_targets(hex("0002fde800000065 0003fde800000065 0102c00002010001 030c000000000008 0202fa56ea000001 4002fde800000065"), targets);
  EXPECT_EQ(targets, (std::vector<RouteTarget>{{0x0002fde800000065}, {0x0102c00002010001}, {0x0202fa56ea000001}}));
}

TEST(Attributes, FindsCommunities) {
  Octets list = hex("ffffff01 ffff0006");
  EXPECT_TRUE(contains_community(list, community::no_export));
  EXPECT_TRUE(contains_community(list, community::llgr_stale));
  EXPECT_FALSE(contains_community(list, community::no_advertise));
  EXPECT_FALSE(contains_community({}, community::no_export));
}

// RFC 7311 §3: the first AIGP TLV.
TEST(Attributes, FindsAigp) {
  EXPECT_EQ(find_aigp(hex("07 0004 ff 01 000b 0000000000000100 01 000b 0000000000000200")), 256u);
  EXPECT_FALSE(find_aigp(hex("07 0004 ff")));
  EXPECT_FALSE(find_aigp({}));
  EXPECT_FALSE(find_aigp(hex("01 00ff 00")));
}

TEST(Attributes, NextHopAddress) {
  struct Row {
    Family family;
    const char* field;
    const char* address;  // null: none
  };
  for (const Row& row : {
           Row{Family::vpnv4, "0000000000000000 0a000001", "10.0.0.1"},
           Row{Family::vpnv4, "0000000000000000 20010db8000000000000000000000001", "2001:db8::1"},
           Row{Family::vpnv6, "0000000000000000 00000000000000000000ffff0a000001", "::ffff:10.0.0.1"},
           Row{Family::vpnv6, "0000000000000000 20010db8000000000000000000000001 0000000000000000 fe800000000000000000000000000001", "2001:db8::1"},
           Row{Family::rtc, "0a000001", "10.0.0.1"},
           Row{Family::rtc, "20010db8000000000000000000000001", "2001:db8::1"},
           Row{Family::ipv6_unicast, "20010db8000000000000000000000001 fe800000000000000000000000000001", "2001:db8::1"},
           Row{Family::vpnv4, "0a000001", nullptr},
           Row{Family::vpnv4, "", nullptr},
       }) {
    auto address = next_hop_address(row.family, hex(row.field));
    ASSERT_EQ(address.has_value(), row.address != nullptr) << row.field;
    if (address) {
      EXPECT_EQ(format_ip(*address), row.address);
    }
  }
}

}  // namespace
}  // namespace helio::wire

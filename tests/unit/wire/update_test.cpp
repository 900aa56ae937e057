// Well-formed UPDATEs, their families, next hops and End-of-RIB; errors are in attribute_errors_test and hostile_test.
#include "rr/wire/update.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wire/update_fixture.hpp"

namespace helio::wire {
namespace {

using namespace test;

std::vector<int> types(const UpdateView& view) {
  std::vector<int> out;
  for (std::size_t i = 0; i < view.attribute_count; ++i) out.push_back(view.attributes[i].type);
  return out;
}

TEST(Update, VpnRoute) {
  Octets bytes = vpn_route();
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view);
  ASSERT_TRUE(view->reach);
  EXPECT_EQ(view->reach->family, Family::vpnv4);
  EXPECT_EQ(to_hex(view->reach->next_hop), "00000000000000000a000001");
  EXPECT_EQ(to_hex(view->reach->nlri), "700006410000fde8000000650a0000");
  EXPECT_EQ(types(*view), (std::vector<int>{1, 2, 5, 16}));
  EXPECT_EQ(to_hex(view->find(attr::extended_communities)->value), "0002fde800000065");
  EXPECT_FALSE(view->unreach || view->withdrawn_reach || view->end_of_rib);
  EXPECT_EQ(view->error_count, 0u);
}

TEST(Update, KeepsTheOrderReceived) {
  Octets bytes = body({kRouteTarget, kLocalPref, kReach, kEmptyAsPath, kOrigin});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->reach);
  EXPECT_EQ(types(*view), (std::vector<int>{16, 5, 2, 1}));
}

// FIELD-NOTES 3.4: FRR encodes an empty AS_PATH with the extended-length flag.
TEST(Update, EmptyAsPathWithExtendedLength) {
  Octets bytes = body({kReach, kOrigin, "50020000", kLocalPref});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->reach);
  EXPECT_EQ(view->error_count, 0u);
  EXPECT_TRUE(view->find(attr::as_path)->value.empty());
}

// RFC 4760 §3: the reserved octet "MUST be set to 0, and SHOULD be ignored upon receipt".
TEST(Update, ReservedOctetOfReachIsIgnored) {
  Octets bytes = vpn_route();
  Octets reserved = bytes;
  const Octets next_hop = hex("0000000000000000 0a000001");
  auto at = std::search(reserved.begin(), reserved.end(), next_hop.begin(), next_hop.end());
  ASSERT_NE(at, reserved.end());
  at[12] = 0xff;
  auto expected = decode_update(bytes, internal()), view = decode_update(reserved, internal());
  ASSERT_TRUE(expected && expected->reach && view && view->reach);
  EXPECT_EQ(to_hex(view->reach->nlri), to_hex(expected->reach->nlri));
  EXPECT_EQ(view->error_count, 0u);
}

TEST(Update, ReachAndUnreachTogether) {
  Octets bytes = body({kReach, kUnreach, kOrigin, kEmptyAsPath, kLocalPref});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->reach && view->unreach);
  EXPECT_EQ(to_hex(view->unreach->nlri), "708000000000fde8000000650a0000");
}

// RFC 7606 §3.d: a withdrawal needs no mandatory attributes.
TEST(Update, WithdrawalAlone) {
  Octets bytes = body({kUnreach});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->unreach);
  EXPECT_EQ(view->error_count, 0u);
  EXPECT_FALSE(view->end_of_rib);
}

TEST(Update, ExternalRouteNeedsNoLocalPref) {
  Octets bytes = body({kReach, kOrigin, "400206 02010000fde9"});
  auto view = decode_update(bytes, external());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->reach);
  EXPECT_EQ(view->error_count, 0u);
}

TEST(Update, RouteTargetMembership) {
  Octets bytes = body({kReachRtc, kOrigin, kEmptyAsPath, kLocalPref});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->reach);
  EXPECT_EQ(view->reach->family, Family::rtc);
  EXPECT_EQ(view->reach->next_hop.size(), 4u);
}

struct NextHopRow {
  AfiSafi code;
  std::size_t length;
  bool ipv6_next_hop;
  bool accepted;
};

// wire 2.2, 2.15; RFC 4364 §4.3.2, RFC 4659 §3.2.1, RFC 8950 §3, RFC 4684 §5.
TEST(Update, NextHopLengths) {
  for (const NextHopRow& row : {
           NextHopRow{{1, 128}, 12, false, true}, NextHopRow{{1, 128}, 24, false, false}, NextHopRow{{1, 128}, 48, false, false},
           NextHopRow{{1, 128}, 12, true, true},  NextHopRow{{1, 128}, 24, true, true},   NextHopRow{{1, 128}, 48, true, true},
           NextHopRow{{1, 128}, 4, false, false}, NextHopRow{{1, 128}, 16, true, false},  NextHopRow{{1, 128}, 0, false, false},
           NextHopRow{{2, 128}, 24, false, true}, NextHopRow{{2, 128}, 48, false, true},  NextHopRow{{2, 128}, 12, false, false},
           NextHopRow{{2, 128}, 16, false, false}, NextHopRow{{1, 132}, 4, false, true},  NextHopRow{{1, 132}, 16, false, true},
           NextHopRow{{1, 132}, 12, false, false}, NextHopRow{{1, 132}, 24, false, false},
       }) {
    Octets value{0, static_cast<std::uint8_t>(row.code.afi), row.code.safi, static_cast<std::uint8_t>(row.length)};
    value.resize(value.size() + row.length + 1);
    Octets attributes{0x80, 14, static_cast<std::uint8_t>(value.size())};
    attributes = attributes + value + hex(kOrigin) + hex(kEmptyAsPath) + hex(kLocalPref);
    UpdateContext context = internal();
    if (row.ipv6_next_hop) context.ipv6_next_hop.insert(Family::vpnv4);
    Octets bytes = body(attributes);
    context.disable_family_on_error = true;
    auto view = decode_update(bytes, context);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->reach.has_value(), row.accepted) << row.code.afi << "/" << +row.code.safi << " " << row.length;
    if (row.code.safi == 132) continue;  // always disables, below
    context.disable_family_on_error = false;
    EXPECT_EQ(decode_update(bytes, context).has_value(), row.accepted) << row.code.afi << "/" << +row.code.safi << " " << row.length;
  }
}

// FIELD-NOTES 3.5, 3.8: NEXT_HOP beside MP_REACH of a VPN family is ignored and not passed on, even a malformed one.
TEST(Update, NextHopBesideReachIsIgnored) {
  for (const char* next_hop : {kNextHop, "400300", "40030200ff", "c00304 0a000001"}) {
    Octets before = body({next_hop, kReach, kOrigin, kEmptyAsPath, kLocalPref});
    Octets after = body({kReach, kOrigin, kEmptyAsPath, next_hop, kLocalPref});
    for (const Octets& bytes : {before, after}) {
      auto view = decode_update(bytes, internal());
      ASSERT_TRUE(view) << next_hop;
      EXPECT_TRUE(view->reach) << next_hop;
      EXPECT_FALSE(view->find(attr::next_hop)) << next_hop;
      EXPECT_EQ(types(*view), (std::vector<int>{1, 2, 5})) << next_hop;
    }
  }
}

TEST(Update, UnknownAttributes) {
  // wire 2.1, FIELD-NOTES 3.8: optional transitive is kept byte for byte, flags included; optional non-transitive is dropped.
  Octets bytes = vpn_route("e0fe03 010203 | 80fd02 aabb | c0fc00 | d01d0001 ff");
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->reach);
  EXPECT_EQ(types(*view), (std::vector<int>{1, 2, 5, 16, 254, 252, 29}));
  EXPECT_EQ(view->find(254)->flags, 0xe0);
  EXPECT_EQ(to_hex(view->find(254)->value), "010203");
  EXPECT_EQ(view->find(29)->flags, 0xd0);
  EXPECT_EQ(view->error_count, 0u);
}

// Un-negotiated families are ignored, whatever they contain (CVE-2023-41909, CVE-2020-3397).
TEST(Update, FamiliesThatWereNotNegotiated) {
  for (const char* mp : {"800e05 0019 46 00 00", "800e08 0001 85 00 00 ffffff", "800e03 0001 85", "800e08 0001 01 04 0a000001", "800f05 0019 46 ffff", "800f03 0002 01"}) {
    Octets bytes = body({mp});
    auto view = decode_update(bytes, internal());
    ASSERT_TRUE(view) << mp;
    EXPECT_FALSE(view->reach || view->unreach || view->end_of_rib || view->withdrawn_reach) << mp;
    EXPECT_EQ(view->error_count, 0u) << mp;
  }
  Octets plain = body({kOrigin, kEmptyAsPath, kNextHop, kLocalPref}, "18 0a0000", "ff");
  auto view = decode_update(plain, internal());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->ipv4_nlri.empty() && view->ipv4_withdrawn.empty());
}

TEST(Update, PlainIpv4WhereNegotiated) {
  Octets bytes = body({kOrigin, kEmptyAsPath, kNextHop, kLocalPref}, "18 0a0000 00", "20 0a000001");
  auto view = decode_update(bytes, with_ipv4());
  ASSERT_TRUE(view);
  EXPECT_EQ(to_hex(view->ipv4_nlri), "180a000000");
  EXPECT_EQ(to_hex(view->ipv4_withdrawn), "200a000001");
  EXPECT_TRUE(view->find(attr::next_hop));
  // NEXT_HOP is missing (RFC 7606 §3.d).
  Octets without = body({kOrigin, kEmptyAsPath, kLocalPref}, "18 0a0000");
  view = decode_update(without, with_ipv4());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->ipv4_nlri.empty());
  EXPECT_EQ(to_hex(view->withdrawn_ipv4_nlri), "180a0000");
  EXPECT_EQ(view->errors[0].attribute, attr::next_hop);
}

TEST(Update, AddPath) {
  UpdateContext context = internal();
  context.add_path_receive.insert(Family::vpnv4);
  Octets bytes = body({"800e24 0001 80 0c 0000000000000000 0a000001 00 00000001 70 000641 0000fde800000065 0a0000", kOrigin, kEmptyAsPath, kLocalPref});
  EXPECT_TRUE(decode_update(bytes, context)->reach);
  Octets without = vpn_route();
  EXPECT_FALSE(decode_update(without, context));
}

// RFC 4724 §2.
TEST(Update, EndOfRib) {
  struct Row {
    const char* mp;
    std::optional<Family> family;
  };
  for (const Row& row : {Row{"800f03 0001 80", Family::vpnv4}, Row{"800f03 0002 80", Family::vpnv6}, Row{"800f03 0001 84", Family::rtc},
                         Row{"900f0003 0001 80", Family::vpnv4}, Row{"800f03 0019 46", std::nullopt}}) {
    Octets bytes = body({row.mp});
    auto view = decode_update(bytes, internal());
    ASSERT_TRUE(view) << row.mp;
    EXPECT_EQ(view->end_of_rib, row.family) << row.mp;
  }
  Octets empty = hex("00000000");
  EXPECT_EQ(decode_update(empty, with_ipv4())->end_of_rib, Family::ipv4_unicast);
  EXPECT_FALSE(decode_update(empty, internal())->end_of_rib);
}

// CVE-2023-47235: anything beside it makes it something else.
TEST(Update, NotAnEndOfRib) {
  for (const std::string& attributes : {std::string("800f03 0001 80") + kOrigin, std::string("800f03 0001 80 c01d00"), std::string("c00f03 0001 80"),
                                        std::string("800f03 0001 80 c01200"), std::string("800f03 0001 80 400601ff 80fd00"), std::string("80fd00 800f03 0001 80")}) {
    Octets bytes = body({attributes});
    auto view = decode_update(bytes, with_ipv4());
    ASSERT_TRUE(view) << attributes;
    EXPECT_FALSE(view->end_of_rib) << attributes;
  }
  Octets with_nlri = body({"800f03 0001 80"}, "", "20 0a000001");
  EXPECT_FALSE(decode_update(with_nlri, with_ipv4())->end_of_rib);
}

}  // namespace
}  // namespace helio::wire

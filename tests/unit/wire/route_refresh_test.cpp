#include "rr/wire/route_refresh.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::header_hex;
using test::hex;
using test::Octets;
using test::to_hex;

// RFC 2918 §3, RFC 7313 §3.
TEST(RouteRefreshCodec, BothWays) {
  struct Row {
    Family family;
    RouteRefresh::Subtype subtype;
    const char* body;
  };
  using Subtype = RouteRefresh::Subtype;
  for (const Row& row : {Row{Family::vpnv4, Subtype::request, "00010080"}, Row{Family::vpnv6, Subtype::begin, "00020180"},
                         Row{Family::rtc, Subtype::end, "00010284"}}) {
    Octets out;
    encode_route_refresh(out, row.family, row.subtype);
    EXPECT_EQ(to_hex(out), header_hex(23, 5) + row.body);
    auto decoded = decode_route_refresh(out);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, (RouteRefresh{afi_safi(row.family), static_cast<std::uint8_t>(row.subtype), false}));
  }
}

// RFC 7313 §3.2: what we do not know is shown as it is, to be ignored.
TEST(RouteRefreshCodec, UnknownFamilyAndSubtype) {
  auto decoded = decode_route_refresh(hex(header_hex(23, 5) + "0019ff46"));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->family, (AfiSafi{25, 70}));
  EXPECT_EQ(decoded->subtype, 255);
}

// RFC 7313 §5: 7/1 with the whole message as data.
TEST(RouteRefreshCodec, InvalidLength) {
  for (const std::string& message : {header_hex(19, 5), header_hex(22, 5) + "000100", header_hex(24, 5) + "0001018000", header_hex(24, 5) + "0001028000"}) {
    auto decoded = decode_route_refresh(hex(message));
    ASSERT_FALSE(decoded) << message;
    EXPECT_EQ(decoded.error(), (Notification{7, 1, hex(message)})) << message;
  }
}

// RFC 5291, FRR 22828: ORF entries are never read.
TEST(RouteRefreshCodec, FiltersAreIgnored) {
  for (const char* filters : {"01", "01 40 ffff", "01 40 0000", "02 80 0003 010203"}) {
    Octets message = test::operator+(hex(header_hex(23, 5) + "00010080"), hex(filters));
    auto decoded = decode_route_refresh(message);
    ASSERT_TRUE(decoded) << filters;
    EXPECT_TRUE(decoded->has_filters);
    EXPECT_EQ(decoded->subtype, 0);
  }
}

}  // namespace
}  // namespace helio::wire

#include "rr/wire/update_encode.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wire/update_fixture.hpp"
#include "tests/unit/wire/vpn_text.hpp"

namespace helio::wire {
namespace {

using namespace test;

std::vector<Octets> messages_of(const Octets& stream, std::size_t max_message) {
  std::vector<Octets> out;
  for (Bytes rest(stream); !rest.empty();) {
    auto frame = next_frame(rest, max_message);
    if (!frame || !*frame) {
      ADD_FAILURE() << "not framed";
      break;
    }
    out.emplace_back((*frame)->message.begin(), (*frame)->message.end());
    rest = rest.subspan((*frame)->message.size());
  }
  return out;
}

TEST(EncodeUpdate, AttributeChoosesItsLengthField) {
  Octets out;
  encode_attribute(out, 0x50, attr::as_path, {});
  EXPECT_EQ(to_hex(out), "400200");
  out.clear();
  encode_attribute(out, 0xc0, 254, Octets(255, 1));
  EXPECT_EQ(to_hex(Bytes(out).first(3)), "c0feff");
  out.clear();
  encode_attribute(out, 0xe0, 254, Octets(256, 1));
  EXPECT_EQ(to_hex(Bytes(out).first(4)), "f0fe0100");
  out.clear();
  encode_attribute_u32(out, 0x40, attr::local_pref, 100);
  EXPECT_EQ(to_hex(out), "40050400000064");
}

TEST(EncodeUpdate, NextHops) {
  auto encoded = [](Family family, const char* address) {
    Octets out;
    encode_next_hop(out, family, *parse_ip(address));
    return to_hex(out);
  };
  EXPECT_EQ(encoded(Family::vpnv4, "10.0.0.1"), "00000000000000000a000001");
  EXPECT_EQ(encoded(Family::vpnv4, "2001:db8::1"), "000000000000000020010db8000000000000000000000001");
  EXPECT_EQ(encoded(Family::vpnv6, "10.0.0.1"), "000000000000000000000000000000000000ffff0a000001");
  EXPECT_EQ(encoded(Family::rtc, "10.0.0.1"), "0a000001");
}

// RFC 7606 §5.1: MP_REACH first.
TEST(EncodeUpdate, AnnouncementIsWhatTheDecoderReads) {
  Octets nlri, next_hop, out;
  std::uint32_t label[] = {label_field(100)};
  encode_vpn_nlri(nlri, vpn("65000:101", "10.0.0.0/24"), label);
  encode_next_hop(next_hop, Family::vpnv4, *parse_ip("10.0.0.1"));
  Octets attributes = hex(kOrigin) + hex(kEmptyAsPath) + hex(kLocalPref) + hex(kRouteTarget);
  ASSERT_TRUE(encode_announcements(out, Family::vpnv4, next_hop, attributes, nlri));
  EXPECT_EQ(to_hex(Bytes(out).subspan(19)), to_hex(vpn_route()));
  auto view = decode_update(Bytes(out).subspan(19), internal());
  ASSERT_TRUE(view && view->reach);
  EXPECT_EQ(view->error_count, 0u);
  EXPECT_EQ(to_hex(view->reach->next_hop), to_hex(next_hop));
  EXPECT_EQ(to_hex(view->reach->nlri), to_hex(nlri));
  EXPECT_EQ(view->attribute_count, 4u);
  EXPECT_EQ(out[19 + 4 + 1], attr::mp_reach);
}

class EncodeUpdateSplit : public testing::TestWithParam<std::size_t> {};

TEST_P(EncodeUpdateSplit, FillsMessagesWithWholeEntries) {
  std::size_t max_message = GetParam();
  Octets nlri, withdrawn, next_hop;
  std::uint32_t label[] = {label_field(100)};
  for (unsigned i = 0; i < 3000; ++i) {
    VpnPrefix prefix = vpn("65000:101", "10.0.0.0/24");
    prefix.address[1] = static_cast<std::uint8_t>(i >> 8);
    prefix.address[2] = static_cast<std::uint8_t>(i);
    encode_vpn_nlri(nlri, prefix, label, i);
    encode_vpn_withdraw(withdrawn, prefix, i);
  }
  encode_next_hop(next_hop, Family::vpnv4, *parse_ip("10.0.0.1"));
  UpdateContext context = internal();
  context.add_path_receive.insert(Family::vpnv4);
  Octets attributes = hex(kOrigin) + hex(kEmptyAsPath) + hex(kLocalPref) + hex(kRouteTarget);

  Octets out;
  ASSERT_TRUE(encode_announcements(out, Family::vpnv4, next_hop, attributes, nlri, true, max_message));
  Octets again;
  std::vector<Octets> messages = messages_of(out, max_message);
  EXPECT_GT(messages.size(), nlri.size() / max_message);
  for (const Octets& message : messages) {
    EXPECT_LE(message.size(), max_message);
    if (&message != &messages.back()) {
      EXPECT_GT(message.size() + 20, max_message);
    }
    auto view = decode_update(Bytes(message).subspan(19), context);
    ASSERT_TRUE(view && view->reach);
    again.insert(again.end(), view->reach->nlri.begin(), view->reach->nlri.end());
  }
  EXPECT_EQ(again, nlri);

  out.clear();
  encode_withdrawals(out, Family::vpnv4, withdrawn, true, max_message);
  again.clear();
  for (const Octets& message : messages_of(out, max_message)) {
    auto view = decode_update(Bytes(message).subspan(19), context);
    ASSERT_TRUE(view && view->unreach);
    EXPECT_FALSE(view->end_of_rib);
    again.insert(again.end(), view->unreach->nlri.begin(), view->unreach->nlri.end());
  }
  EXPECT_EQ(again, withdrawn);
}
INSTANTIATE_TEST_SUITE_P(Sizes, EncodeUpdateSplit, testing::Values(kMaxMessage, kMaxExtendedMessage));

TEST(EncodeUpdate, RefusesWhatFitsNoMessage) {
  Octets nlri, next_hop, out = {1, 2, 3};
  std::uint32_t label[] = {label_field(100)};
  encode_vpn_nlri(nlri, vpn("65000:101", "10.0.0.0/24"), label);
  encode_next_hop(next_hop, Family::vpnv4, *parse_ip("10.0.0.1"));
  Octets attributes;
  encode_attribute(attributes, 0xc0, attr::communities, Octets(4040, 0));
  EXPECT_FALSE(encode_announcements(out, Family::vpnv4, next_hop, attributes, nlri));
  EXPECT_EQ(out, (Octets{1, 2, 3}));
  EXPECT_TRUE(encode_announcements(out, Family::vpnv4, next_hop, attributes, nlri, false, kMaxExtendedMessage));
}

TEST(EncodeUpdate, LastOctetCounts) {
  Octets nlri, next_hop;
  std::uint32_t label[] = {label_field(100)};
  encode_vpn_nlri(nlri, vpn("65000:101", "10.0.0.0/24"), label);
  encode_next_hop(next_hop, Family::vpnv4, *parse_ip("10.0.0.1"));
  // Header 19, lengths 4, MP_REACH 4 + 5 + 12: 15 octets are left for the entry.
  for (std::size_t left : {15u, 14u}) {
    Octets attributes, out;
    encode_attribute(attributes, 0xc0, 254, Octets(kMaxMessage - 19 - 4 - 21 - left - 4, 0));
    EXPECT_EQ(encode_announcements(out, Family::vpnv4, next_hop, attributes, nlri), left == 15);
    EXPECT_LE(out.size(), kMaxMessage);
  }
}

TEST(EncodeUpdate, PlainIpv4) {
  Octets nlri, out;
  encode_unicast_nlri(nlri, *parse_prefix("10.0.0.0/24"));
  Octets attributes = hex(kOrigin) + hex(kEmptyAsPath) + hex(kLocalPref);
  ASSERT_TRUE(encode_announcements(out, Family::ipv4_unicast, hex("0a000001"), attributes, nlri));
  EXPECT_EQ(to_hex(Bytes(out).subspan(19)), to_hex(body({kOrigin, kEmptyAsPath, kNextHop, kLocalPref}, "18 0a0000")));
  out.clear();
  encode_withdrawals(out, Family::ipv4_unicast, nlri);
  EXPECT_EQ(to_hex(Bytes(out).subspan(19)), to_hex(body(Octets{}, "", "18 0a0000")));
}

// RFC 4724 §2, wire 2.7.
TEST(EncodeUpdate, EndOfRib) {
  for (Family family : {Family::vpnv4, Family::vpnv6, Family::rtc, Family::ipv4_unicast, Family::ipv6_unicast}) {
    Octets out;
    encode_end_of_rib(out, family);
    UpdateContext context = with_ipv4();
    context.families.insert(Family::ipv6_unicast);
    auto view = decode_update(Bytes(out).subspan(19), context);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->end_of_rib, family);
  }
  Octets out;
  encode_end_of_rib(out, Family::rtc);
  EXPECT_EQ(to_hex(out), header_hex(29, 2) + "0000" + "0006" + "800f03000184");
}

}  // namespace
}  // namespace helio::wire

// MRT records both ways: (hex, struct) pairs, and files that are cut or lie.
#include <gmock/gmock.h>

#include "rr/export/mrt_record.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/update_encode.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::exporter {
namespace {

using testing::HasSubstr;
using wire::test::hex;

MrtRecord read_one(const std::vector<std::uint8_t>& bytes) {
  Bytes rest = bytes;
  auto record = next_mrt_record(rest);
  EXPECT_TRUE(record && *record) << (record ? "" : record.error());
  EXPECT_TRUE(rest.empty());
  return record && *record ? **record : MrtRecord{};
}

// RFC 6396 §4.3.1: peer type 2 is a four-octet AS, 3 with an IPv6 address.
TEST(MrtRecord, PeerIndexTableBothWays) {
  PeerIndexTable table{0x0a000001, "v", {{0x0a000002, *wire::parse_ip("192.0.2.2"), 65000}, {3, *wire::parse_ip("2001:db8::3"), 4200000000}}};
  std::vector<std::uint8_t> bytes;
  encode_peer_index_table(bytes, 1700000000, table);
  EXPECT_EQ(bytes, hex("6553f100 000d 0001 0000002f 0a000001 0001 76 0002"
                          "02 0a000002 c0000202 0000fde8"
                          "03 00000003 20010db8000000000000000000000003 fa56ea00"));
  MrtRecord record = read_one(bytes);
  EXPECT_EQ(record.time, (MrtTime{1700000000, 0}));
  auto read = decode_peer_index_table(record.body);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(*read, table);
}

// RFC 6396 §4.3.3, §4.3.4: AFI, SAFI and the NLRI as they are; of MP_REACH the next hop only.
TEST(MrtRecord, RibGenericBothWays) {
  std::vector<std::uint8_t> nlri = hex("70 000641 0000fde800000065 0a0000"), next_hop = hex("0000000000000000 0a000001"), attributes = hex("400101 00 400200");
  RibGeneric rib{7, {1, 128}, std::nullopt, nlri, {{1, 1700000000, next_hop, attributes}, {2, 1, next_hop, {}}}};
  std::vector<std::uint8_t> bytes;
  encode_rib_generic(bytes, 5, rib);
  EXPECT_EQ(bytes, hex("00000005 000d 0006 0000004f 00000007 0001 80 70 000641 0000fde800000065 0a0000 0002"
                          "0001 6553f100 0017 800e0d 0c 0000000000000000 0a000001 40010100 400200"
                          "0002 00000001 0010 800e0d 0c 0000000000000000 0a000001"));
  auto read = decode_rib_generic(read_one(bytes));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->sequence, 7u);
  EXPECT_EQ(read->family, (wire::AfiSafi{1, 128}));
  EXPECT_TRUE(std::ranges::equal(read->nlri, nlri));
  ASSERT_EQ(read->entries.size(), 2u);
  EXPECT_TRUE(std::ranges::equal(read->entries[0].next_hop, next_hop));
  EXPECT_TRUE(std::ranges::equal(read->entries[0].attributes, attributes));
  EXPECT_EQ(read->entries[1].peer, 2);
  EXPECT_TRUE(read->entries[1].attributes.empty());
}

// RFC 8050 §4.2: subtype 12 has the path id in front of the NLRI.
TEST(MrtRecord, PathIdsAreInFrontOfTheNlri) {
  std::vector<std::uint8_t> nlri = hex("60 0000fde8 0002fde800000065"), next_hop = hex("0a000001");
  std::vector<std::uint8_t> bytes;
  encode_rib_generic(bytes, 5, {1, {1, 132}, 9, nlri, {{0, 0, next_hop, {}}}});
  std::vector<std::uint8_t> head = hex("00000005 000d 000c 0000002a 00000001 0001 84 00000009 60 0000fde8");
  EXPECT_TRUE(std::ranges::equal(Bytes(bytes).first(head.size()), head));
  auto read = decode_rib_generic(read_one(bytes));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->path_id, 9u);
  EXPECT_TRUE(std::ranges::equal(read->nlri, nlri));
}

// RFC 7432 §7: an EVPN NLRI has its length in its second octet.
TEST(MrtRecord, EvpnNlri) {
  std::vector<std::uint8_t> nlri = hex("03 11 0000fde800000065 00000007 20 0a010001"), next_hop = hex("0a000001");
  std::vector<std::uint8_t> bytes;
  encode_rib_generic(bytes, 5, {1, {25, 70}, std::nullopt, nlri, {{0, 0, next_hop, {}}}});
  auto read = decode_rib_generic(read_one(bytes));
  ASSERT_TRUE(read) << read.error();
  EXPECT_TRUE(std::ranges::equal(read->nlri, nlri));
}

// RFC 6396 §4.4.2, §4.4.4, RFC 8050 §3: the microseconds count as part of the body.
TEST(MrtRecord, MessagesBothWays) {
  std::vector<std::uint8_t> update, bytes;
  wire::encode_end_of_rib(update, wire::Family::vpnv4);
  Bgp4mpMessage message{{65001, 65000, *wire::parse_ip("192.0.2.2"), *wire::parse_ip("192.0.2.1")}, update, false, true};
  encode_bgp4mp_message(bytes, {1700000000, 250}, message);
  std::vector<std::uint8_t> head = hex("6553f100 0011 0004 00000035 000000fa 0000fde9 0000fde8 0000 0001 c0000202 c0000201 ffff");
  EXPECT_TRUE(std::ranges::equal(Bytes(bytes).first(head.size()), head));
  MrtRecord record = read_one(bytes);
  EXPECT_EQ(record.time, (MrtTime{1700000000, 250}));
  auto read = decode_bgp4mp_message(record);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->peer, message.peer);
  EXPECT_TRUE(std::ranges::equal(read->message, update));

  // From a two-octet neighbour, with path ids.
  bytes.clear();
  message.add_path = true;
  message.four_octet_as = false;
  message.peer.local_as = 4200000000;
  encode_bgp4mp_message(bytes, {1, 2}, message);
  record = read_one(bytes);
  EXPECT_EQ(record.subtype, mrt_subtype::message_addpath);
  read = decode_bgp4mp_message(record);
  ASSERT_TRUE(read) << read.error();
  EXPECT_TRUE(read->add_path && !read->four_octet_as);
  EXPECT_EQ(read->peer.local_as, 23456u);
}

TEST(MrtRecord, StateChangesBothWays) {
  std::vector<std::uint8_t> bytes;
  encode_bgp4mp_state_change(bytes, {1, 2}, {{65001, 65000, *wire::parse_ip("2001:db8::2"), *wire::parse_ip("2001:db8::1")}, 5, 6});
  auto read = decode_bgp4mp_state_change(read_one(bytes));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->before, 5);
  EXPECT_EQ(read->after, 6);
  EXPECT_TRUE(read->peer.peer_address.is_v6);
}

TEST(MrtRecord, CutFilesAreNamed) {
  std::vector<std::uint8_t> bytes;
  encode_peer_index_table(bytes, 1, {1, "", {{2, *wire::parse_ip("192.0.2.2"), 65000}}});
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Bytes rest = Bytes(bytes).first(cut);
    auto record = next_mrt_record(rest);
    ASSERT_FALSE(record) << cut;
    EXPECT_THAT(record.error(), HasSubstr("cut off")) << cut;
  }
  Bytes nothing;
  auto end = next_mrt_record(nothing);
  ASSERT_TRUE(end);
  EXPECT_FALSE(end->has_value());
}

TEST(MrtRecord, BodiesThatLie) {
  auto record = [](std::uint16_t type, std::uint16_t subtype, const std::vector<std::uint8_t>& body) { return MrtRecord{{}, type, subtype, body}; };
  std::vector<std::uint8_t> table = hex("0a000001 0000 0002 02 0a000002 c0000202 0000fde8");  // one of two peers
  EXPECT_FALSE(decode_peer_index_table(table));
  std::vector<std::uint8_t> unknown = hex("00000007 0001 01 18 0a0000 0000");
  EXPECT_TRUE(decode_rib_generic(record(13, 6, hex("00000007 0001 84 00 0000"))));
  EXPECT_TRUE(decode_rib_generic(record(13, 6, unknown))) << "unicast is known";
  EXPECT_FALSE(decode_rib_generic(record(13, 6, hex("00000007 0001 85 18 0a0000 0000")))) << "FlowSpec is not";
  EXPECT_FALSE(decode_rib_generic(record(13, 6, hex("00000007 0001 84 60 0000 0000"))));
  EXPECT_FALSE(decode_rib_generic(record(13, 6, hex("00000007 0001 84 00 0001 0001 00000000 0004 800e0509"))));
  EXPECT_FALSE(decode_rib_generic(record(13, 2, unknown)));
  EXPECT_FALSE(decode_bgp4mp_message(record(16, 4, hex("0000fde9 0000fde8 0000 0003 c0000202 c0000201"))));
  EXPECT_FALSE(decode_bgp4mp_message(record(16, 4, hex("0000fde9 0000fde8 0000 0001 c0000202 c0000201 ffff"))));
  EXPECT_FALSE(decode_bgp4mp_state_change(record(16, 5, hex("0000fde9 0000fde8 0000 0001 c0000202 c0000201 0005"))));
}

}  // namespace
}  // namespace helio::exporter

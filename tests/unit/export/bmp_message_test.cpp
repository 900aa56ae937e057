// BMP messages both ways: (hex, struct) pairs, and what a station must not take.
#include <gmock/gmock.h>

#include "rr/export/bmp_message.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/update_encode.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::exporter {
namespace {

using testing::HasSubstr;
using wire::test::hex;

std::vector<std::uint8_t> end_of_rib() {
  std::vector<std::uint8_t> update;
  wire::encode_end_of_rib(update, wire::Family::vpnv4);
  return update;
}

BmpPeer peer4() {
  BmpPeer peer;
  peer.address = *wire::parse_ip("192.0.2.11");
  peer.as = 65000;
  peer.router_id = 0xc000020b;
  peer.time = {1700000000, 5};
  return peer;
}

template <class T>
T read_one(const std::vector<std::uint8_t>& bytes) {
  Bytes rest = bytes;
  auto message = next_bmp_message(rest);
  EXPECT_TRUE(message && *message) << (message ? "" : message.error());
  EXPECT_TRUE(rest.empty());
  if (!message || !*message || !std::holds_alternative<T>(**message)) {
    ADD_FAILURE() << "another message";
    return {};
  }
  return std::get<T>(**message);
}

// RFC 7854 §4.2: an IPv4 address is in the last four octets, the V flag is clear; an IPv6 address fills the field.
TEST(BmpMessage, PerPeerHeader) {
  std::vector<std::uint8_t> bytes;
  BmpPeer peer = peer4();
  peer.flags = bmp_flag::post_policy;
  encode_peer_header(bytes, peer);
  EXPECT_EQ(bytes, hex("00 40 0000000000000000 000000000000000000000000 c000020b 0000fde8 c000020b 6553f100 00000005"));
  bytes.clear();
  peer.address = *wire::parse_ip("2001:db8::1");
  peer.flags = bmp_flag::adj_rib_out;
  encode_peer_header(bytes, peer);
  EXPECT_EQ(bytes, hex("00 90 0000000000000000 20010db8000000000000000000000001 0000fde8 c000020b 6553f100 00000005"));
  // RFC 9069 §4.1: the Loc-RIB has peer type 3 and a zero address; 0x80 is not "IPv6" there.
  bytes.clear();
  BmpPeer loc{.type = BmpPeerType::loc_rib, .as = 65000, .router_id = 0x0a000001};
  encode_peer_header(bytes, loc);
  EXPECT_EQ(bytes, hex("03 00 0000000000000000 00000000000000000000000000000000 0000fde8 0a000001 00000000 00000000"));
}

// RFC 7854 §4.6.
TEST(BmpMessage, RouteMonitoringBothWays) {
  std::vector<std::uint8_t> bytes, update = end_of_rib();
  encode_route_monitoring(bytes, peer4(), update);
  EXPECT_EQ(Bytes(bytes).first(6).size(), 6u);
  EXPECT_EQ(load_be32(bytes.data() + 1), kBmpHeaderSize + kPeerHeaderSize + update.size());
  auto read = read_one<BmpRouteMonitoring>(bytes);
  EXPECT_EQ(read.peer, peer4());
  EXPECT_TRUE(std::ranges::equal(read.update, update));
}

// RFC 7854 §4.10: local address, ports, OPEN sent, OPEN received; then TLVs.
TEST(BmpMessage, PeerUpBothWays) {
  std::vector<std::uint8_t> sent = hex("ffffffffffffffffffffffffffffffff 001d 01 04 fde8 005a 0a000001 00");
  std::vector<std::uint8_t> received = hex("ffffffffffffffffffffffffffffffff 001d 01 04 fde8 005a 0a000002 00");
  BmpPeerUp up{peer4(), *wire::parse_ip("192.0.2.1"), 179, 40000, sent, received, {BmpTlv::of(bmp_tlv::table_name, "global")}};
  std::vector<std::uint8_t> bytes;
  encode_peer_up(bytes, up);
  EXPECT_EQ(bytes.size(), kBmpHeaderSize + kPeerHeaderSize + 20 + 29 + 29 + 4 + 6);
  auto read = read_one<BmpPeerUp>(bytes);
  EXPECT_EQ(read.local_address, up.local_address);
  EXPECT_EQ(read.local_port, 179);
  EXPECT_EQ(read.remote_port, 40000);
  EXPECT_TRUE(std::ranges::equal(read.sent_open, sent));
  EXPECT_TRUE(std::ranges::equal(read.received_open, received));
  EXPECT_EQ(read.information, up.information);
}

// RFC 7854 §4.9.
TEST(BmpMessage, PeerDownBothWays) {
  std::vector<std::uint8_t> notification = hex("ffffffffffffffffffffffffffffffff 0015 03 06 02");
  std::vector<std::uint8_t> bytes;
  encode_peer_down(bytes, {peer4(), PeerDownReason::remote_notification, notification});
  auto read = read_one<BmpPeerDown>(bytes);
  EXPECT_EQ(read.reason, PeerDownReason::remote_notification);
  EXPECT_TRUE(std::ranges::equal(read.data, notification));
}

// RFC 7854 §4.8: gauges have 64 bits, those per family an AFI and SAFI in front; RFC 8671 §6.2.
TEST(BmpMessage, StatisticsBothWays) {
  BmpStatistics stats{peer4(),
                      {{bmp_stat::adj_rib_in, std::nullopt, 7},
                       {bmp_stat::adj_rib_in_family, wire::AfiSafi{1, 128}, 5},
                       {bmp_stat::adj_rib_out_post_family, wire::AfiSafi{2, 128}, 1ull << 40},
                       {5, std::nullopt, 3}}};
  std::vector<std::uint8_t> bytes;
  encode_statistics(bytes, stats);
  std::vector<std::uint8_t> tail = hex("00000004 0007 0008 0000000000000007 0009 000b 0001 80 0000000000000005");
  EXPECT_TRUE(std::ranges::equal(Bytes(bytes).subspan(kBmpHeaderSize + kPeerHeaderSize, tail.size()), tail));
  EXPECT_EQ(read_one<BmpStatistics>(bytes).statistics, stats.statistics);
}

// RFC 7854 §4.4, §4.5.
TEST(BmpMessage, InitiationAndTermination) {
  std::vector<std::uint8_t> bytes;
  encode_initiation(bytes, {{BmpTlv::of(bmp_tlv::description, "d"), BmpTlv::of(bmp_tlv::name, "rr1")}});
  EXPECT_EQ(bytes, hex("03 00000012 04 0001 0001 64 0002 0003 727231"));
  EXPECT_EQ(read_one<BmpInitiation>(bytes).information.size(), 2u);
  bytes.clear();
  encode_termination(bytes, {{BmpTlv{bmp_tlv::reason, {0, 0}}}});
  EXPECT_EQ(bytes, hex("03 0000000c 05 0001 0002 0000"));
  EXPECT_EQ(read_one<BmpTermination>(bytes).information.size(), 1u);
}

// A station reads a stream: what is not there yet is waited for, at every cut.
TEST(BmpMessage, CutsAreWaitedFor) {
  std::vector<std::uint8_t> bytes, update = end_of_rib();
  encode_initiation(bytes, {{BmpTlv::of(bmp_tlv::name, "rr1")}});
  encode_route_monitoring(bytes, peer4(), update);
  std::size_t first = kBmpHeaderSize + 4 + 3;
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    Bytes rest = Bytes(bytes).first(cut);
    auto message = next_bmp_message(rest);
    ASSERT_TRUE(message) << cut << ": " << message.error();
    EXPECT_EQ(message->has_value(), cut >= first) << cut;
    if (*message) {
      EXPECT_EQ(rest.size(), cut - first);
    }
  }
}

// What cannot be followed is refused with its reason.
TEST(BmpMessage, MalformedOnes) {
  auto error_of = [](std::vector<std::uint8_t> bytes) {
    Bytes rest = bytes;
    auto message = next_bmp_message(rest);
    return message ? std::string("accepted") : message.error();
  };
  EXPECT_THAT(error_of(hex("04 00000006 04")), HasSubstr("version 4"));
  EXPECT_THAT(error_of(hex("03 00000005 04")), HasSubstr("5 octets"));
  EXPECT_THAT(error_of(hex("03 ffffffff 04")), HasSubstr("octets"));
  EXPECT_THAT(error_of(hex("03 0000000a 04 0001 0001")), HasSubstr("Initiation"));
  EXPECT_THAT(error_of(hex("03 00000008 00 0000")), HasSubstr("Route Monitoring"));
  // The UPDATE's own length must be that of the rest.
  std::vector<std::uint8_t> bytes, update = end_of_rib();
  encode_route_monitoring(bytes, peer4(), update);
  bytes[kBmpHeaderSize + kPeerHeaderSize + 17] -= 1;
  EXPECT_THAT(error_of(bytes), HasSubstr("Route Monitoring"));
  // An UPDATE where an OPEN belongs.
  bytes.clear();
  encode_peer_up(bytes, {peer4(), *wire::parse_ip("192.0.2.1"), 179, 1, update, update, {}});
  EXPECT_THAT(error_of(bytes), HasSubstr("Peer Up"));
}

// RFC 7854 §4.8: statistics of unknown types are skipped. Messages of unknown types are told from malformed ones.
TEST(BmpMessage, UnknownTypesAreSkipped) {
  std::vector<std::uint8_t> bytes = hex("03 0000000a 09 01020304");
  EXPECT_EQ(read_one<BmpOther>(bytes).type, 9);
  bytes.clear();
  encode_statistics(bytes, {peer4(), {{bmp_stat::adj_rib_in, std::nullopt, 7}}});
  std::vector<std::uint8_t> odd = hex("03e7 0003 010203");
  bytes.insert(bytes.end(), odd.begin(), odd.end());
  store_be32(bytes.data() + 1, static_cast<std::uint32_t>(bytes.size()));
  store_be32(bytes.data() + kBmpHeaderSize + kPeerHeaderSize, 2);
  EXPECT_EQ(read_one<BmpStatistics>(bytes).statistics.size(), 1u);
}

}  // namespace
}  // namespace helio::exporter

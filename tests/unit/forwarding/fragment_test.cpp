// Packets that do not fit: cut into fragments with the labels above each of them, or refused with what would fit. Every
// octet is looked at: fragments are put together again as RFC 791 §3.2 says and compared with what went in.
#include <gmock/gmock.h>

#include <map>

#include "rib/forwarding/fragment.hpp"
#include "tests/unit/forwarding/router.hpp"

namespace helio::forwarding::test {
namespace {

using Octets = std::vector<std::uint8_t>;

void set_mtu(Router& r, InterfaceId id, std::uint32_t mtu) {
  Interface i = *r.tables.interface(id);
  i.mtu = mtu;
  r.tables.set_interface(id, i);
}
// What leaves: the packet and its fragments.
std::vector<Packet> all_of(Router& r, Packet& packet, const Verdict& verdict) {
  std::vector<Packet> out;
  out.emplace_back(packet.view(), packet.protocol);
  for (std::uint32_t i = 0; i < verdict.fragments; ++i) r.forwarder.take_fragment(out.emplace_back());
  return out;
}
// RFC 791 §3.2: the reassembly procedure, by offset. Octets that two fragments have must be equal.
Octets reassembled(const std::vector<Octets>& fragments) {
  std::map<std::size_t, Octets> data;
  Octets header;
  std::size_t end = 0;
  for (const Octets& f : fragments) {
    EXPECT_TRUE(ipv4::is_checksum_right(f.data()));
    EXPECT_EQ(ipv4::total_length(f.data()), f.size());
    std::size_t size = ipv4::header_size(f.data()), offset = (load_be16(f.data() + 6) & 0x1fff) * 8u;
    bool has_more = (f[6] & 0x20) != 0;
    EXPECT_TRUE(!has_more || (f.size() - size) % 8 == 0);
    if (offset == 0) header.assign(f.begin(), f.begin() + static_cast<std::ptrdiff_t>(size));
    if (!has_more) end = offset + f.size() - size;
    data[offset].assign(f.begin() + static_cast<std::ptrdiff_t>(size), f.end());
  }
  Octets out = header;
  for (const auto& [offset, octets] : data) {
    EXPECT_EQ(out.size(), header.size() + offset) << "a hole";
    out.insert(out.end(), octets.begin(), octets.end());
  }
  EXPECT_EQ(out.size(), header.size() + end);
  store_be16(out.data() + 2, static_cast<std::uint16_t>(out.size()));
  store_be16(out.data() + 6, 0);
  ipv4::fill_checksum(out.data());
  return out;
}
Octets numbered(std::uint8_t ttl, std::size_t payload, bool df = false) {
  Octets out = ip4(ttl, 0x0a000001, 0x0a010001, payload, 0, df);
  for (std::size_t i = 28; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  store_be16(out.data() + 4, 0x1234);
  ipv4::fill_checksum(out.data());
  return out;
}

TEST(Fragments, IngressCutsWhatLabelsMakeTooBig) {  // RFC 791 §3.2; RFC 3032 §3.4: the MTU less the label stack
  Router r;
  set_mtu(r, kCore, 1500);
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
  Packet fits(numbered(64, 1464), Protocol::ipv4);  // 1492 and two labels
  EXPECT_EQ(r.process(fits, kCustomer).fragments, 0u);
  Packet p(numbered(64, 1465), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  ASSERT_EQ(v.kind, Verdict::Kind::transmit);
  EXPECT_EQ(v.reason, Drop::none);
  EXPECT_EQ(v.fragments, 1u);
  std::vector<Octets> pieces;
  for (const Packet& piece : all_of(r, p, v)) {
    EXPECT_EQ(piece.protocol, Protocol::mpls);
    EXPECT_LE(piece.size(), 1500u);
    EXPECT_EQ(format_labels(piece.view(), true), "16003/63 24001/63(s)");
    pieces.emplace_back(piece.data() + 8, piece.data() + piece.size());
  }
  EXPECT_EQ(pieces[0].size(), 20u + 1472);  // 1472 is the most that 8 divides
  EXPECT_EQ(reassembled(pieces), numbered(63, 1465));
  EXPECT_EQ(r.forwarder.counters().fragmented, 1u);
  EXPECT_EQ(r.forwarder.counters().transmitted, 3u);
  EXPECT_EQ(r.drops(Drop::too_big), 0u);
}

TEST(Fragments, EverySizeAndMtuComesTogetherAgain) {
  for (std::uint32_t mtu : {36u, 37u, 44u, 100u, 576u, 1279u})
    for (std::size_t payload : {0u, 1u, 7u, 8u, 9u, 100u, 1000u, 1999u}) {
      Router r;
      set_mtu(r, kCore, mtu);
      r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
      Packet p(numbered(64, payload), Protocol::ipv4);
      Verdict v = r.process(p, kCustomer);
      ASSERT_EQ(v.kind, Verdict::Kind::transmit) << mtu;
      std::vector<Octets> pieces;
      for (const Packet& piece : all_of(r, p, v)) {
        EXPECT_LE(piece.size(), mtu);
        pieces.emplace_back(piece.data() + 8, piece.data() + piece.size());
      }
      EXPECT_EQ(reassembled(pieces), numbered(63, payload)) << mtu << ' ' << payload;
    }
}

TEST(Fragments, AFragmentIsCutFurther) {  // RFC 791 §3.2: offsets add up, only the last piece of the last has no MF
  std::vector<Packet> rest;
  Packet whole(numbered(64, 2000), Protocol::ipv4);
  fragment(whole, 0, 1500, rest);
  ASSERT_EQ(rest.size(), 1u);
  std::vector<Octets> pieces;
  for (Packet* p : {&whole, &rest[0]}) {
    std::vector<Packet> smaller;
    ASSERT_TRUE(may_be_fragmented(p->view(), 300));
    fragment(*p, 0, 300, smaller);
    pieces.push_back(octets(*p));
    for (const Packet& s : smaller) pieces.push_back(octets(s));
  }
  EXPECT_EQ(pieces.size(), 6u + 2);
  EXPECT_EQ(reassembled(pieces), numbered(64, 2000));
}

TEST(Fragments, OptionsGoWhereTheCopiedFlagSays) {  // RFC 791 §3.1
  Octets p = numbered(64, 1000);
  // Record route (7, not copied) of 7 octets, no operation, loose source route (131, copied) of 7 octets, end.
  const Octets options = {7, 7, 4, 0, 0, 0, 0, 1, 131, 7, 4, 1, 2, 3, 4, 0};
  p.insert(p.begin() + 20, options.begin(), options.end());
  p[0] = 0x49;
  store_be16(p.data() + 2, static_cast<std::uint16_t>(p.size()));
  ipv4::fill_checksum(p.data());
  Packet packet(p, Protocol::ipv4);
  std::vector<Packet> rest;
  fragment(packet, 0, 576, rest);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(packet.data()[0], 0x49);
  EXPECT_EQ(rest[0].data()[0], 0x47);  // 20 and 8 octets
  EXPECT_EQ(Octets(rest[0].data() + 20, rest[0].data() + 28), (Octets{131, 7, 4, 1, 2, 3, 4, 0}));
  EXPECT_EQ(reassembled({octets(packet), octets(rest[0])}), p);
}

TEST(Fragments, AnLsrCutsBelowTheStack) {  // RFC 3032 §3.4
  Router r;
  set_mtu(r, kCore2, 600);
  r.tables.set_label(16003, {LabelAction::Kind::forward, r.push({17003}, kCore2)});
  Packet p(labelled({entry(16003, 60, false), entry(24001, 60, true)}, numbered(60, 1200)), Protocol::mpls);
  Verdict v = r.process(p, kCore);
  ASSERT_EQ(v.kind, Verdict::Kind::transmit);
  EXPECT_EQ(v.reason, Drop::none);
  EXPECT_EQ(v.fragments, 2u);
  std::vector<Octets> pieces;
  for (const Packet& piece : all_of(r, p, v)) {
    EXPECT_LE(piece.size(), 600u);
    EXPECT_EQ(format_labels(piece.view(), true), "17003/59 24001/60(s)");
    pieces.emplace_back(piece.data() + 8, piece.data() + piece.size());
  }
  EXPECT_EQ(reassembled(pieces), numbered(60, 1200));
}

TEST(Fragments, CutBeforeTheTunnel) {  // RFC 4023 §5.1: the outer header says DF, so what goes in is cut
  Router r;
  set_mtu(r, kCore, 1500);
  r.route(kGlobal, 0x0aff0002, 32, r.push({}));
  TunnelId tunnel = r.tables.add_tunnel({.source = 0x0aff0101, .destination = 0x0aff0002});
  r.route(r.vrf, 0x0a010000, 24, r.push({24001}, kCore, 0, tunnel));
  Packet p(numbered(64, 2900), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  ASSERT_EQ(v.kind, Verdict::Kind::transmit);
  EXPECT_EQ(v.fragments, 2u);  // 2908 octets in pieces of 1448
  std::vector<Octets> pieces;
  for (const Packet& piece : all_of(r, p, v)) {
    EXPECT_LE(piece.size(), 1500u);
    EXPECT_TRUE(ipv4::is_checksum_right(piece.data()));
    EXPECT_TRUE(ipv4::may_not_fragment(piece.data()));
    EXPECT_EQ(piece.data()[9], ip_protocol::gre);
    EXPECT_EQ(ipv4::total_length(piece.data()), piece.size());
    pieces.emplace_back(piece.data() + 28, piece.data() + piece.size());
  }
  EXPECT_EQ(reassembled(pieces), numbered(63, 2900));
}

TEST(Fragments, NotWithDfAndNotIpv6) {  // RFC 1191 §4, RFC 4443 §3.2: told what would fit below labels and tunnel header
  struct Row {
    const char* what;
    std::uint32_t fits;
    bool is_v6, has_tunnel;
  };
  for (const Row& row : {Row{"labels", 1492, false, false}, Row{"labels, v6", 1492, true, false}, Row{"GRE and label", 1472, false, true}, Row{"GRE and label, v6", 1472, true, true}}) {
    SCOPED_TRACE(row.what);
    Router r;
    set_mtu(r, kCore, 1500);
    r.route(kGlobal, 0x0aff0002, 32, r.push({}));
    TunnelId tunnel = r.tables.add_tunnel({.source = 0x0aff0101, .destination = 0x0aff0002});
    NextHopId far = row.has_tunnel ? r.push({24001}, kCore, 0, tunnel) : r.push({16003, 24001});
    r.route(r.vrf, 0x0a010000, 24, far);
    r.route(r.vrf, 0x0a000000, 24, r.push({}, kCustomer));
    r.tables.vrf(r.vrf).v6.insert({Address6{0x20010db8'000a0001} << 64, 64}, far);
    r.tables.vrf(r.vrf).v6.insert({Address6{0x20010db8'000a0000} << 64, 64}, r.push({}, kCustomer));
    for (std::size_t over : {0u, 1u}) {
      std::size_t payload = row.fits - (row.is_v6 ? 48 : 28) + over;
      Octets sent = row.is_v6 ? icmp::make_echo_request(*wire::parse_ip("2001:db8:a::1"), *wire::parse_ip("2001:db8:a:1::1"), 1, 1, payload, 64, false) : numbered(64, payload, true);
      Packet p(sent, row.is_v6 ? Protocol::ipv6 : Protocol::ipv4);
      Verdict v = r.process(p, kCustomer);
      ASSERT_EQ(v.kind, Verdict::Kind::transmit);
      EXPECT_EQ(v.fragments, 0u);
      EXPECT_EQ(v.reason, over == 0 ? Drop::none : Drop::too_big);
      if (over == 0) {
        EXPECT_EQ(p.size(), 1500u);
        continue;
      }
      EXPECT_EQ(v.out, kCustomer);
      auto read = icmp::read_error(p.view());
      ASSERT_TRUE(read);
      EXPECT_EQ(read->error, icmp::Error::too_big);
      EXPECT_EQ(read->mtu, row.fits);
    }
  }
}

TEST(Fragments, NoRoomForAnything) {  // less than a header and eight octets: refused, with an MTU that is no huge number
  Router r;
  set_mtu(r, kCore, 30);
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
  r.route(r.vrf, 0x0a000000, 24, r.push({}, kCustomer));
  Packet p(numbered(64, 100), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  EXPECT_EQ(v.reason, Drop::too_big);
  EXPECT_EQ(icmp::read_error(p.view())->mtu, 22u);
  set_mtu(r, kCore, 4);
  Packet q(numbered(64, 100), Protocol::ipv4);
  r.process(q, kCustomer);
  EXPECT_EQ(icmp::read_error(q.view())->mtu, 0u);
  EXPECT_FALSE(may_be_fragmented(Octets(10, 0x45), 100));
  Octets death = numbered(64, 100);  // the end is beyond 65535 octets
  store_be16(death.data() + 6, 0x1fff);
  ipv4::fill_checksum(death.data());
  EXPECT_FALSE(may_be_fragmented(death, 60));
}

}  // namespace
}  // namespace helio::forwarding::test

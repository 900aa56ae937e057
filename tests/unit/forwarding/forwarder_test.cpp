// Each operation on whole packets, octet by octet: what goes in by an interface and what comes out by another.
#include <set>

#include "tests/unit/forwarding/router.hpp"

namespace helio::forwarding {
namespace {

using namespace test;

TEST(Ingress, PushesTwoLabelsAndTakesOneOffTheTtl) {
  Router r;
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
  Packet p(ip4(64, 0x0a000001, 0x0a010001, 8, 46), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  EXPECT_EQ(v.kind, Verdict::Kind::transmit);
  EXPECT_EQ(v.out, kCore);
  EXPECT_EQ(p.protocol, Protocol::mpls);
  // RFC 3032 §2.1: label 20 bits, TC 3 (DSCP 46 >> 3 = 5), S, TTL; RFC 3443 uniform: the TTL of the IP header.
  EXPECT_EQ(octets(p), labelled({entry(16003, 63, false, 5), entry(24001, 63, true, 5)}, ip4(63, 0x0a000001, 0x0a010001, 8, 46)));
  EXPECT_TRUE(ipv4::is_checksum_right(p.data() + 8));
  EXPECT_EQ(load_be32(p.data()), 16003u << 12 | 5u << 9 | 63);
  EXPECT_EQ(load_be32(p.data() + 4), 24001u << 12 | 5u << 9 | 0x100 | 63);
}

TEST(Ingress, PipeModelStartsAt255) {  // RFC 3443 §3.2
  Router r;
  r.tables.ttl_model = Model::pipe;
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
  Packet p(ip4(64), Protocol::ipv4);
  r.process(p, kCustomer);
  EXPECT_EQ(octets(p), labelled({entry(16003, 255, false), entry(24001, 255, true)}, ip4(63)));
}

TEST(Ingress, StackOfFiveForSegmentRouting) {  // RFC 8402 §3.1
  Router r;
  r.route(r.vrf, 0x0a010000, 24, r.push({16001, 16002, 16003, 16004, 24001}));
  Packet p(ip4(), Protocol::ipv4);
  r.process(p, kCustomer);
  EXPECT_EQ(format_labels(p.view()), "16001 16002 16003 16004 24001(s)");
  EXPECT_EQ(p.size(), ip4().size() + 20);
}

TEST(Ingress, Ipv6InAVrf) {  // RFC 4659 §2: 6VPE
  Router r;
  auto prefix = static_cast<Address6>(0x20010db800010000ull) << 64;
  r.tables.vrf(r.vrf).v6.insert({prefix, 48}, r.push({16003, 24006}));
  std::vector<std::uint8_t> ip = icmp::make_echo_request(*wire::parse_ip("2001:db8::1"), *wire::parse_ip("2001:db8:1::1"), 1, 1, 8, 64);
  Packet p(ip, Protocol::ipv6);
  EXPECT_EQ(r.process(p, kCustomer).kind, Verdict::Kind::transmit);
  ip[7] = 63;
  EXPECT_EQ(octets(p), labelled({entry(16003, 63, false), entry(24006, 63, true)}, ip));
}

TEST(Lsr, SwapsAndKeepsTheRest) {
  Router r;
  r.tables.set_label(16003, {LabelAction::Kind::forward, r.push({17003}, kCore2)});
  Packet p(labelled({entry(16003, 63, false, 5), entry(24001, 63, true, 3)}, ip4()), Protocol::mpls);
  Verdict v = r.process(p, kCore);
  EXPECT_EQ(v.out, kCore2);
  EXPECT_EQ(octets(p), labelled({entry(17003, 62, false, 5), entry(24001, 63, true, 3)}, ip4()));
}

TEST(Lsr, SwapAndPush) {  // inter-AS option B: the VPN label swapped, transport pushed over it
  Router r;
  r.tables.set_label(24001, {LabelAction::Kind::forward, r.push({16005, 25001}, kCore2)});
  Packet p(labelled({entry(24001, 63, true)}, ip4()), Protocol::mpls);
  r.process(p, kCore);
  EXPECT_EQ(octets(p), labelled({entry(16005, 62, false), entry(25001, 62, true)}, ip4()));
}

struct PopRow {
  Model model;
  std::uint8_t outer, inner, expected;
};

TEST(Lsr, PenultimateHopPops) {  // RFC 3443 §3.1, §3.3: uniform copies the TTL up and never raises it, pipe leaves it
  for (const PopRow& row : {PopRow{Model::uniform, 60, 200, 59}, {Model::uniform, 200, 10, 10}, {Model::pipe, 60, 200, 200}}) {
    Router r;
    r.tables.ttl_model = row.model;
    r.tables.set_label(16003, {LabelAction::Kind::forward, r.push({}, kCore2)});
    Packet p(labelled({entry(16003, row.outer, false, 5), entry(24001, row.inner, true, 3)}, ip4()), Protocol::mpls);
    Verdict v = r.process(p, kCore);
    EXPECT_EQ(v.out, kCore2);
    EXPECT_EQ(octets(p), labelled({entry(24001, row.expected, true, 3)}, ip4()));
  }
}

TEST(Lsr, PenultimateHopWithUniformTrafficClass) {  // RFC 3270 §2.6.2
  Router r;
  r.tables.dscp_model = Model::uniform;
  r.tables.set_label(16003, {LabelAction::Kind::forward, r.push({}, kCore2)});
  Packet p(labelled({entry(16003, 60, false, 5), entry(24001, 60, true, 3)}, ip4()), Protocol::mpls);
  r.process(p, kCore);
  EXPECT_EQ(LabelEntry::load(p.data()).traffic_class(), 5);
}

TEST(Egress, PerVrfLabelLooksUpInItsVrfOnly) {
  for (const PopRow& row : {PopRow{Model::uniform, 60, 64, 59}, {Model::uniform, 64, 20, 19}, {Model::pipe, 60, 64, 63}}) {
    Router r;
    r.tables.ttl_model = row.model;
    r.tables.set_label(24001, {LabelAction::Kind::look_up, r.vrf});
    r.route(r.vrf, 0x0a010000, 24, r.push({}, kCustomer));
    r.route(r.other_vrf, 0x0a010000, 16, r.push({}, kOtherCustomer));
    Packet p(labelled({entry(24001, row.outer, true)}, ip4(row.inner)), Protocol::mpls);
    Verdict v = r.process(p, kCore);
    EXPECT_EQ(v.kind, Verdict::Kind::transmit);
    EXPECT_EQ(v.out, kCustomer);
    EXPECT_EQ(octets(p), ip4(row.expected));
    EXPECT_TRUE(ipv4::is_checksum_right(p.data()));
  }
}

TEST(Egress, PerCeLabelNeedsNoLookUp) {
  for (Model model : {Model::uniform, Model::pipe}) {
    Router r;
    r.tables.ttl_model = model;
    r.tables.set_label(24002, {LabelAction::Kind::forward, r.push({}, kCustomer)});
    Packet p(labelled({entry(24002, 60, true)}, ip4(64)), Protocol::mpls);
    EXPECT_EQ(r.process(p, kCore).out, kCustomer);
    EXPECT_EQ(octets(p), ip4(model == Model::uniform ? 59 : 63));
  }
}

TEST(Egress, ExplicitNullIsPoppedAndTheVpnLabelDecides) {  // RFC 3032 §2.1, RFC 4182 §2
  Router r;
  r.tables.set_label(24001, {LabelAction::Kind::look_up, r.vrf});
  r.route(r.vrf, 0x0a010000, 24, r.push({}, kCustomer));
  Packet p(labelled({entry(label::explicit_null_v4, 60, false), entry(24001, 200, true)}, ip4(64)), Protocol::mpls);
  EXPECT_EQ(r.process(p, kCore).out, kCustomer);
  EXPECT_EQ(octets(p), ip4(59));
}

TEST(Egress, ExplicitNullAtTheBottomIsForTheCore) {
  Router r;
  r.route(kGlobal, 0x0a010000, 24, r.push({}, kCore2));
  for (std::uint32_t null : {label::explicit_null_v4, label::explicit_null_v6}) {
    Packet p(labelled({entry(null, 60, true)}, ip4(64)), Protocol::mpls);
    EXPECT_EQ(r.process(p, kCore).out, kCore2);
    EXPECT_EQ(octets(p), ip4(59));
  }
}

TEST(Egress, OwnTransportLabelWithoutPhp) {
  Router r;
  r.tables.set_label(16001, {LabelAction::Kind::pop_again, 0});
  r.tables.set_label(24001, {LabelAction::Kind::look_up, r.vrf});
  r.route(r.vrf, 0x0a010000, 24, r.push({}, kCustomer));
  Packet p(labelled({entry(16001, 60, false), entry(24001, 60, true)}, ip4(64)), Protocol::mpls);
  EXPECT_EQ(r.process(p, kCore).out, kCustomer);
  EXPECT_EQ(octets(p), ip4(59));  // one router, one TTL
}

TEST(Egress, UniformTrafficClassIsWrittenBack) {  // RFC 3270 §2.6.2
  Router r;
  r.tables.dscp_model = Model::uniform;
  r.tables.set_label(24001, {LabelAction::Kind::look_up, r.vrf});
  r.route(r.vrf, 0x0a010000, 24, r.push({}, kCustomer));
  Packet p(labelled({entry(24001, 65, true, 3)}, ip4(64, 0x0a000001, 0x0a010001, 8, 46)), Protocol::mpls);
  r.process(p, kCore);
  EXPECT_EQ(octets(p), ip4(63, 0x0a000001, 0x0a010001, 8, 24));
}

TEST(Egress, DeliversItsOwnAddress) {
  Router r;
  r.route(r.vrf, 0xc0000201, 32, r.tables.add_next_hop({.kind = NextHop::Kind::deliver}));
  Packet p(ip4(1, 0x0a000001, 0xc0000201), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  EXPECT_EQ(v.kind, Verdict::Kind::deliver);  // RFC 1812 §5.3.1: a TTL of 1 is enough for the last hop
  EXPECT_EQ(v.vrf, r.vrf);
}

TEST(Leaking, LooksUpInTheOtherVrf) {
  Router r;
  r.route(r.vrf, 0x0a010000, 24, r.tables.add_next_hop({.kind = NextHop::Kind::look_up, .vrf = r.other_vrf}));
  r.route(r.other_vrf, 0x0a010000, 24, r.push({}, kOtherCustomer));
  Packet p(ip4(64), Protocol::ipv4);
  EXPECT_EQ(r.process(p, kCustomer).out, kOtherCustomer);
  EXPECT_EQ(octets(p), ip4(63));
  // Two VRFs that point at each other.
  r.route(r.other_vrf, 0x0a010000, 24, r.tables.add_next_hop({.kind = NextHop::Kind::look_up, .vrf = r.vrf}));
  Packet q(ip4(64), Protocol::ipv4);
  EXPECT_EQ(r.process(q, kCustomer).reason, Drop::loop);
}

TEST(Tunnels, MplsInGre) {  // RFC 4023 §3.2: outer IP, GRE with protocol type 0x8847, the VPN label
  Router r;
  TunnelId t = r.tables.add_tunnel({.kind = Tunnel::Kind::gre, .source = 0x0aff0101, .destination = 0x0aff0102, .ttl = 64});
  r.route(r.vrf, 0x0a010000, 24, r.push({24001}, 0, 0, t));
  r.route(kGlobal, 0x0aff0102, 32, r.push({}, kCore2));
  Packet p(ip4(64, 0x0a000001, 0x0a010001, 8, 46), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  EXPECT_EQ(v.out, kCore2);
  EXPECT_EQ(p.protocol, Protocol::ipv4);
  std::vector<std::uint8_t> inner = labelled({entry(24001, 63, true, 5)}, ip4(63, 0x0a000001, 0x0a010001, 8, 46));
  std::vector<std::uint8_t> expected(24);
  ipv4::write(expected.data(), 0x0aff0101, 0x0aff0102, 47, 24 + inner.size(), 64, true, 40);
  store_be32(expected.data() + 20, 0x00008847);
  expected.insert(expected.end(), inner.begin(), inner.end());
  EXPECT_EQ(octets(p), expected);

  // The other end takes it from any core interface.
  Router egress;
  egress.route(kGlobal, 0x0aff0102, 32, egress.tables.add_next_hop({.kind = NextHop::Kind::deliver}));
  egress.tables.set_label(24001, {LabelAction::Kind::look_up, egress.vrf});
  egress.route(egress.vrf, 0x0a010000, 24, egress.push({}, kCustomer));
  EXPECT_EQ(egress.process(p, kCore).out, kCustomer);
  EXPECT_EQ(octets(p), ip4(62, 0x0a000001, 0x0a010001, 8, 46));
}

TEST(Tunnels, MplsInIp) {  // RFC 4023 §3.1: IP protocol 137, no GRE
  Router r;
  TunnelId t = r.tables.add_tunnel({.kind = Tunnel::Kind::ip, .source = 0x0aff0101, .destination = 0x0aff0102});
  r.route(r.vrf, 0x0a010000, 24, r.push({24001}, 0, 0, t));
  r.route(kGlobal, 0x0aff0102, 32, r.push({}, kCore2));
  Packet p(ip4(), Protocol::ipv4);
  r.process(p, kCustomer);
  EXPECT_EQ(p.data()[9], 137);
  EXPECT_EQ(p.size(), ip4().size() + 24);
  EXPECT_EQ(format_labels(p.view().subspan(20)), "24001(s)");
}

TEST(Tunnels, ACustomerCannotEnterOne) {  // RFC 4023 §8: GRE from a VRF is the customer's own business
  Router r;
  r.route(kGlobal, 0x0aff0101, 32, r.tables.add_next_hop({.kind = NextHop::Kind::deliver}));
  r.tables.set_label(24001, {LabelAction::Kind::look_up, r.other_vrf});
  std::vector<std::uint8_t> inner = labelled({entry(24001, 63, true)}, ip4());
  std::vector<std::uint8_t> gre(24);
  ipv4::write(gre.data(), 0x0a000001, 0x0aff0101, 47, 24 + inner.size(), 64, false);
  store_be32(gre.data() + 20, 0x8847);
  gre.insert(gre.end(), inner.begin(), inner.end());
  Packet p(gre, Protocol::ipv4);
  r.process(p, kCustomer);
  EXPECT_EQ(r.drops(Drop::no_route), 1u);
  // Even where the VRF has an address of the PE in it, a tunnel does not end there.
  r.route(r.vrf, 0x0aff0101, 32, r.tables.add_next_hop({.kind = NextHop::Kind::deliver}));
  Packet q(gre, Protocol::ipv4);
  EXPECT_EQ(r.process(q, kCustomer).kind, Verdict::Kind::deliver);
}

TEST(Ecmp, AFlowKeepsItsWayAndFlowsSpread) {  // RFC 2992
  Router r;
  NextHopId n = r.tables.add_next_hop({.kind = NextHop::Kind::forward, .ways = {r.way({16003, 24001}, kCore), r.way({16004, 24001}, kCore2)}});
  r.route(r.vrf, 0x0a010000, 24, n);
  int first = 0;
  for (std::uint16_t port = 0; port < 400; ++port) {
    InterfaceId out[2];
    for (InterfaceId& o : out) {
      Packet p(ip4(64, 0x0a000001, 0x0a010001, 8, 0, true, port), Protocol::ipv4);
      o = r.process(p, kCustomer).out;
    }
    EXPECT_EQ(out[0], out[1]);
    first += out[0] == kCore;
  }
  EXPECT_GT(first, 120);
  EXPECT_LT(first, 280);
}

TEST(Ecmp, EntropyLabel) {  // RFC 6790 §4.2: indicator 7 and entropy label below the tunnel label, TTL of the latter 0
  Router r;
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}, kCore, 1));
  std::set<std::uint32_t> seen;
  for (std::uint16_t port = 0; port < 50; ++port) {
    Packet p(ip4(64, 0x0a000001, 0x0a010001, 8, 0, true, port), Protocol::ipv4);
    r.process(p, kCustomer);
    ASSERT_EQ(p.size(), ip4().size() + 16);
    LabelEntry indicator = LabelEntry::load(p.data() + 4), entropy = LabelEntry::load(p.data() + 8);
    EXPECT_EQ(indicator.label(), 7u);
    EXPECT_FALSE(indicator.is_bottom());
    EXPECT_GE(entropy.label(), 16u);
    EXPECT_EQ(entropy.ttl(), 0);
    EXPECT_FALSE(entropy.is_bottom());
    EXPECT_TRUE(LabelEntry::load(p.data() + 12).is_bottom());
    seen.insert(entropy.label());
  }
  EXPECT_GT(seen.size(), 45u);

  // A P router spreads by the entropy label alone; the egress pops both.
  Router lsr;
  lsr.tables.set_label(16003, {LabelAction::Kind::forward, lsr.tables.add_next_hop({.kind = NextHop::Kind::forward, .ways = {lsr.way({17003}, kCore), lsr.way({17003}, kCore2)}})});
  int first = 0;
  for (std::uint32_t el = 0; el < 200; ++el) {
    Packet p(labelled({entry(16003, 60, false), entry(7, 60, false), entry(16 + el, 0, false), entry(24001, 60, true)}, ip4()), Protocol::mpls);
    first += lsr.process(p, kCore).out == kCore;
  }
  EXPECT_GT(first, 50);
  EXPECT_LT(first, 150);
  Router egress;
  egress.tables.set_label(24001, {LabelAction::Kind::look_up, egress.vrf});
  egress.route(egress.vrf, 0x0a010000, 24, egress.push({}, kCustomer));
  Packet p(labelled({entry(7, 60, false), entry(99, 0, false), entry(24001, 63, true)}, ip4(63)), Protocol::mpls);
  EXPECT_EQ(egress.process(p, kCore).out, kCustomer);
  EXPECT_EQ(octets(p), ip4(59));
}

TEST(Counters, DropsByReason) {
  Router r;
  r.route(r.vrf, 0x0a010000, 24, r.tables.add_next_hop({.kind = NextHop::Kind::discard}));
  r.tables.set_label(24001, {LabelAction::Kind::look_up, r.vrf});
  r.tables.set_label(24002, {LabelAction::Kind::forward, r.push({}, kCustomer)});
  std::vector<std::uint8_t> bad_sum = ip4();
  bad_sum[10] ^= 1;
  std::vector<std::uint8_t> bad_length = ip4();
  store_be16(bad_length.data() + 2, 60000);
  struct Row {
    Drop reason;
    std::vector<std::uint8_t> octets;
    Protocol protocol;
    InterfaceId in;
  };
  const Row rows[] = {
      {Drop::malformed, {0x45, 0}, Protocol::ipv4, kCustomer},
      {Drop::malformed, bad_length, Protocol::ipv4, kCustomer},
      {Drop::malformed, ip4(), Protocol::ipv6, kCustomer},
      {Drop::malformed, labelled({entry(24001, 9, false)}, {}), Protocol::mpls, kCore},  // no bottom of stack
      {Drop::malformed, labelled({entry(24001, 9, true)}, {}), Protocol::mpls, kCore},   // nothing below
      {Drop::checksum, bad_sum, Protocol::ipv4, kCustomer},
      {Drop::discarded, ip4(), Protocol::ipv4, kCustomer},
      {Drop::no_label, labelled({entry(999, 9, true)}, ip4()), Protocol::mpls, kCore},
      {Drop::unexpected_label, labelled({entry(24001, 9, true)}, ip4()), Protocol::mpls, kCustomer},  // RFC 4364 §13.1
      {Drop::reserved_label, labelled({entry(3, 9, true)}, ip4()), Protocol::mpls, kCore},  // implicit null is never on the wire
      {Drop::reserved_label, labelled({entry(1, 9, true)}, ip4()), Protocol::mpls, kCore},
      {Drop::bad_stack, labelled({entry(24001, 9, false), entry(24001, 9, true)}, ip4()), Protocol::mpls, kCore},
      {Drop::bad_stack, labelled({entry(24002, 9, false), entry(24001, 9, true)}, ip4()), Protocol::mpls, kCore},  // no labels for a customer
      {Drop::bad_stack, labelled({entry(7, 9, false), entry(24001, 9, true)}, ip4()), Protocol::mpls, kCore},
      {Drop::interface_down, ip4(), Protocol::ipv4, 77},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(drop_name(row.reason));
    std::uint64_t before = r.drops(row.reason);
    Packet p(row.octets, row.protocol);
    Verdict v = r.process(p, row.in);
    EXPECT_EQ(v.kind, Verdict::Kind::drop);
    EXPECT_EQ(v.reason, row.reason);
    EXPECT_EQ(r.drops(row.reason), before + 1);
  }
  EXPECT_EQ(r.forwarder.counters().transmitted, 0u);
}

TEST(Counters, InterfaceDown) {
  Router r;
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
  Interface down = *r.tables.interface(kCore);
  down.is_up = false;
  r.tables.set_interface(kCore, down);
  Packet p(ip4(), Protocol::ipv4);
  EXPECT_EQ(r.process(p, kCustomer).reason, Drop::interface_down);
}

// An id that was taken away may not come back for another VRF's routes while a reader can still hold it (invariant 4).
TEST(Tables, NextHopIdsRestBeforeTheyAreUsedAgain) {
  Router r;  // its forwarder is a reader
  NextHopId first = r.push({24001});
  r.tables.remove_next_hop(first);
  NextHopId second = r.push({24002});
  EXPECT_NE(first, second);
  r.rcu.reclaim();
  r.forwarder.quiescent();
  EXPECT_EQ(r.push({24003}), first);
}

TEST(Checksum, IncrementalEqualsWhole) {  // RFC 1624 §3, with the corner where the old arithmetic gave 0xffff
  for (unsigned ttl = 1; ttl < 256; ++ttl)
    for (std::uint32_t id : {0u, 1u, 0xfffeu, 0xffffu, 0x1234u}) {
      std::vector<std::uint8_t> ip = ip4(static_cast<std::uint8_t>(ttl));
      store_be16(ip.data() + 4, static_cast<std::uint16_t>(id));
      ipv4::fill_checksum(ip.data());
      ipv4::set_ttl(ip.data(), static_cast<std::uint8_t>(ttl - 1));
      ASSERT_TRUE(ipv4::is_checksum_right(ip.data()));
    }
}

}  // namespace
}  // namespace helio::forwarding

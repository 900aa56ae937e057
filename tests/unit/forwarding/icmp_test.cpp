// What a router says about packets it cannot forward: RFC 792, RFC 4443, RFC 4884 and the label stack of RFC 4950.
#include "tests/unit/forwarding/router.hpp"

namespace helio::forwarding {
namespace {

using namespace test;

TEST(Icmp, TimeExceededAtAnLsrGoesOnAlongTheStack) {  // RFC 3032 §2.3.2, RFC 4950
  Router r;
  r.tables.set_label(16003, {LabelAction::Kind::forward, r.push({17003}, kCore2)});
  std::vector<std::uint8_t> ip = ip4(9);
  Packet p(labelled({entry(16003, 1, false, 2), entry(24001, 1, true)}, ip), Protocol::mpls);
  Verdict v = r.process(p, kCore);
  EXPECT_EQ(v.kind, Verdict::Kind::transmit);
  EXPECT_EQ(v.reason, Drop::ttl_expired);
  EXPECT_EQ(v.out, kCore2);
  EXPECT_EQ(r.drops(Drop::ttl_expired), 1u);
  EXPECT_EQ(r.forwarder.counters().icmp_sent, 1u);
  ASSERT_GE(p.size(), 8u);
  EXPECT_EQ(format_labels(p.view(), true), "17003/254 24001/255(s)");
  Bytes message = p.view().subspan(8);
  EXPECT_EQ(ipv4::source(message.data()), 0xac100001u);      // the interface it came in by
  EXPECT_EQ(ipv4::destination(message.data()), 0x0a000001u);
  EXPECT_TRUE(ipv4::is_checksum_right(message.data()));
  EXPECT_EQ(ipv4::total_length(message.data()), message.size());
  Bytes body = message.subspan(20);
  EXPECT_EQ(finish_checksum(add_checksum(body)), 0);
  EXPECT_EQ(body[0], 11);  // time exceeded
  EXPECT_EQ(body[1], 0);
  EXPECT_EQ(body[5], 32);  // RFC 4884 §4.1: 128 octets quoted, in 32-bit words
  EXPECT_TRUE(std::equal(ip.begin(), ip.end(), body.begin() + 8));
  // RFC 4950 §3, §4: version 2; one object of class 1, type 1: the stack as received.
  Bytes extension = body.subspan(8 + 128);
  EXPECT_EQ(finish_checksum(add_checksum(extension)), 0);
  std::vector<std::uint8_t> expected = {0x20, 0, extension[2], extension[3], 0, 12, 1, 1};
  for (std::uint8_t octet : labelled({entry(16003, 1, false, 2), entry(24001, 1, true)}, {})) expected.push_back(octet);
  EXPECT_EQ(std::vector<std::uint8_t>(extension.begin(), extension.end()), expected);
  auto read = icmp::read_error(message);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->labels.size(), 2u);
  EXPECT_EQ(read->labels[0].label(), 16003u);
  EXPECT_EQ(read->labels[1].label(), 24001u);
}

TEST(Icmp, TheEgressTurnsItRound) {
  Router r;
  r.tables.set_label(24001, {LabelAction::Kind::look_up, r.vrf});
  r.route(r.vrf, 0x0a010000, 24, r.push({}, kCustomer));          // where the packet was to go
  r.route(r.vrf, 0x0a000000, 24, r.push({16001, 24009}, kCore2));  // where it came from
  Packet p(labelled({entry(24001, 1, true)}, ip4(9)), Protocol::mpls);
  Verdict v = r.process(p, kCore);
  EXPECT_EQ(v.out, kCore2);
  EXPECT_EQ(format_labels(p.view()), "16001 24009(s)");
  EXPECT_EQ(icmp::read_error(p.view().subspan(8))->error, icmp::Error::time_exceeded);
}

TEST(Icmp, TimeExceededAtTheIngressComesFromTheCustomersInterface) {
  Router r;
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
  r.route(r.vrf, 0x0a000000, 24, r.push({}, kCustomer));
  Packet p(ip4(1), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  EXPECT_EQ(v.out, kCustomer);
  EXPECT_EQ(ipv4::source(p.data()), 0xc0000201u);
  auto read = icmp::read_error(p.view());
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->labels.empty());  // it had none
  EXPECT_EQ(ipv4::ttl(p.data()), 255);
}

TEST(Icmp, TimeExceeded6) {  // RFC 4443 §3.3, RFC 4884 §4.4: length in 64-bit words
  Router r;
  r.tables.set_label(16003, {LabelAction::Kind::forward, r.push({17003}, kCore2)});
  std::vector<std::uint8_t> ip = icmp::make_echo_request(*wire::parse_ip("2001:db8::1"), *wire::parse_ip("2001:db8:1::1"), 1, 1);
  Packet p(labelled({entry(16003, 1, false), entry(24001, 1, true)}, ip), Protocol::mpls);
  EXPECT_EQ(r.process(p, kCore).kind, Verdict::Kind::transmit);
  Bytes message = p.view().subspan(8);
  ASSERT_GE(message.size(), 48u);
  EXPECT_EQ(message[6], 58);
  EXPECT_EQ(message[40], 3);
  EXPECT_EQ(message[44], 16);
  std::vector<std::uint8_t> copy(message.begin(), message.end());
  store_be16(copy.data() + 42, 0);
  EXPECT_EQ(checksum_v6(copy.data(), 58, Bytes(copy).subspan(40)), load_be16(message.data() + 42));
  EXPECT_EQ(icmp::read_error(message)->labels.size(), 2u);
}

TEST(Icmp, TooBigSaysWhatWouldFit) {  // RFC 1191 §4; RFC 3032 §3.4: less what the labels take
  Router r;
  Interface narrow = *r.tables.interface(kCore);
  narrow.mtu = 1500;
  r.tables.set_interface(kCore, narrow);
  r.route(r.vrf, 0x0a010000, 24, r.push({16003, 24001}));
  r.route(r.vrf, 0x0a000000, 24, r.push({}, kCustomer));
  Packet fits(ip4(64, 0x0a000001, 0x0a010001, 1464), Protocol::ipv4);  // 1492 octets
  EXPECT_EQ(r.process(fits, kCustomer).out, kCore);
  EXPECT_EQ(fits.size(), 1500u);
  Packet p(ip4(64, 0x0a000001, 0x0a010001, 1465), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  EXPECT_EQ(v.reason, Drop::too_big);
  EXPECT_EQ(v.out, kCustomer);
  auto read = icmp::read_error(p.view());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->error, icmp::Error::too_big);
  EXPECT_EQ(read->mtu, 1492u);
}

TEST(Icmp, TooBigAtAnLsr) {
  Router r;
  Interface narrow = *r.tables.interface(kCore2);
  narrow.mtu = 1000;
  r.tables.set_interface(kCore2, narrow);
  r.tables.set_label(16003, {LabelAction::Kind::forward, r.push({17003}, kCore2)});
  Packet p(labelled({entry(16003, 60, false), entry(24001, 60, true)}, ip4(60, 0x0a000001, 0x0a010001, 1200)), Protocol::mpls);
  EXPECT_EQ(r.process(p, kCore).reason, Drop::too_big);
  EXPECT_EQ(icmp::read_error(p.view().subspan(8))->mtu, 992u);
}

TEST(Icmp, UnreachableWithoutARoute) {
  Router r;
  r.route(r.vrf, 0x0a000000, 24, r.push({}, kCustomer));
  Packet p(ip4(), Protocol::ipv4);
  Verdict v = r.process(p, kCustomer);
  EXPECT_EQ(v.reason, Drop::no_route);
  EXPECT_EQ(icmp::read_error(p.view())->error, icmp::Error::unreachable);
}

TEST(Icmp, NoneAboutErrorsFragmentsAndGroups) {  // RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e)
  std::vector<std::uint8_t> fragment = ip4(1);
  store_be16(fragment.data() + 6, 100);
  ipv4::fill_checksum(fragment.data());
  std::vector<std::uint8_t> error = *icmp::make_error(icmp::Error::time_exceeded, ip4(1), {}, 0x0a0a0a0a, {});
  error[8] = 1;
  ipv4::fill_checksum(error.data());
  for (const auto& ip : {fragment, error, ip4(1, 0), ip4(1, 0xe0000001), ip4(1, 0x7f000001), ip4(1, 0x0a000001, 0xe0000005)}) {
    Router r;
    r.route(r.vrf, 0, 0, r.push({}, kCustomer));
    Packet p(ip, Protocol::ipv4);
    EXPECT_EQ(r.process(p, kCustomer).kind, Verdict::Kind::drop);
    EXPECT_EQ(r.forwarder.counters().icmp_sent, 0u);
  }
}

TEST(Icmp, EchoThereAndBack) {
  for (auto [from, to] : {std::pair{"10.0.0.1", "10.1.0.1"}, std::pair{"2001:db8::1", "2001:db8:1::1"}}) {
    auto a = *wire::parse_ip(from), b = *wire::parse_ip(to);
    Packet p(icmp::make_echo_request(a, b, 7, 3), a.is_v6 ? Protocol::ipv6 : Protocol::ipv4);
    ASSERT_TRUE(icmp::is_echo_request(p.view()));
    icmp::answer_echo(p);
    EXPECT_TRUE(icmp::is_echo_reply(p.view()));
    EXPECT_EQ(octets(p).size(), icmp::make_echo_request(b, a, 7, 3).size());
    // All but type and checksum is what b would have sent as a request.
    Packet request(icmp::make_echo_request(b, a, 7, 3), p.protocol);
    std::size_t header = a.is_v6 ? 40 : 20;
    EXPECT_TRUE(std::equal(p.data(), p.data() + header, request.data()));
    EXPECT_TRUE(std::equal(p.data() + header + 4, p.data() + p.size(), request.data() + header + 4));
  }
}

}  // namespace
}  // namespace helio::forwarding

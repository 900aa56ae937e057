// What PEs expect of a reflector, by the numbers of the field notes' second part, as far as it shows at engine level.
#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

using wire::Family;

class WireFacts : public Scenario {};
INSTANTIATE_TEST_SUITE_P(Engines, WireFacts, testing::ValuesIn(engine_cases()), engine_case_name);

// wire 2.1, 2.9: everything is preserved on reflection, foreign RTs included; field note 3.8: Partial.
TEST_P(WireFacts, W01_AttributesArePreserved) {
  Lab l = lab({client_without_rtc(), client_without_rtc()});
  PathAttributes a = Lab::attributes({.rts = {"65000:1", "64512:9", "10.0.0.1:3", "65000:1"}, .med = 77, .as_path = {65001, 4200000001}, .local_pref = 321});
  a.extended_communities.push_back(0x030b000000000042);  // opaque
  a.communities = {0xfde80002, 0xfde80001};
  a.others = {{32, 0xc0, {0, 0, 0xfd, 0xe8, 0, 0, 0, 2, 0, 0, 0, 1}}, {200, 0xc0, {9, 8, 7}}};
  l.announce(0, {.label = 0xfffff}, a);
  l.quiet();
  const HeldRoute* route = l.held(1, "65000:1", "10.0.0.0/24");
  ASSERT_NE(route, nullptr);
  PathAttributes expected = a;
  expected.originator_id = l.world.peers[0].router_id;
  expected.cluster_list = {kRrClusterId};
  expected.others[1].flags = 0xe0;
  EXPECT_EQ(format_attributes(route->attributes), format_attributes(expected));
  EXPECT_EQ(route->labels, std::vector<std::uint32_t>{0xfffff1});
}

// wire 2.2: the three shapes of a VPN next hop.
TEST_P(WireFacts, W02_NextHopShapes) {
  PeerSpec dual = client_without_rtc();
  dual.ipv6_next_hop.insert(Family::vpnv4);
  Lab l = lab({dual, dual});
  PathAttributes a = Lab::attributes({});
  a.next_hop = vpn_next_hop(*wire::parse_ip("2001:db8::1"));
  l.announce(0, {}, a);
  Octets link_local = vpn_next_hop(*wire::parse_ip("fe80::1"));
  a.next_hop.insert(a.next_hop.end(), link_local.begin(), link_local.end());
  l.announce(0, {.prefix = "2001:db8::/32"}, a);
  l.quiet();
  ASSERT_TRUE(l.holds(1, "10.0.0.0/24") && l.holds(1, "2001:db8::/32"));
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->attributes.next_hop.size(), 24u);
  EXPECT_EQ(l.held(1, "65000:1", "2001:db8::/32")->attributes.next_hop.size(), 48u);
}

// wire 2.4, field note 3.1: withdrawals match whatever their label field says.
TEST_P(WireFacts, W04_WithdrawalLabelIsIgnored) {
  Lab l = lab({client_without_rtc(), client_without_rtc()});
  for (std::uint32_t label : {0x800000u, 0x000000u, 0x000001u, 100u << 4 | 1}) {
    l.announce(0, {});
    l.quiet();
    ASSERT_TRUE(l.holds(1, "10.0.0.0/24"));
    l.withdraw(0, "65000:1", "10.0.0.0/24", label);
    l.quiet();
    EXPECT_FALSE(l.holds(1, "10.0.0.0/24")) << std::hex << label;
  }
}

// wire 2.5: the label is data.
TEST_P(WireFacts, W05_LabelOnlyChangeIsAdvertised) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), client_without_rtc()});
  l.announce(0, {.label = 100});
  l.quiet();
  l.sent_since(1);
  l.announce(0, {.label = 101});
  l.quiet();
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->labels.front(), 101u << 4 | 1);
  EXPECT_EQ(l.sent_since(1), 1u);
  l.announce(2, {.label = 555});  // the same RD from another PE keeps its own label
  l.quiet();
  l.sim.down(0);
  l.quiet();
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->labels.front(), 555u << 4 | 1);
}

// wire 2.6: in both fields of one message the announcement wins; implicit withdrawal replaces.
TEST_P(WireFacts, W06_ReachWinsOverUnreach) {
  Lab l = lab({client_without_rtc(), client_without_rtc()});
  NaiveUpdate update;
  update.reach = update.unreach = Family::vpnv4;
  update.attributes = Lab::attributes({.med = 5});
  update.announced = {{Lab::key("65000:1", "10.0.0.0/24"), {0x111}}};
  update.withdrawn = {Lab::key("65000:1", "10.0.0.0/24"), Lab::key("65000:1", "10.0.1.0/24")};
  l.announce(0, {.prefix = "10.0.1.0/24"});
  l.announce(0, {});
  l.quiet();
  l.sim.send(0, update);
  l.quiet();
  ASSERT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->attributes.med, 5u);
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
}

// wire 2.8: not back to the source; ORIGINATOR_ID kept; CLUSTER_LIST grows on every reflection; RFC 4456 §6 matrix.
TEST_P(WireFacts, W08_ReflectionMatrix) {
  PeerSpec non_client = non_client_with_rtc();
  non_client.families.erase(Family::rtc);
  Lab l = lab({client_without_rtc(), client_without_rtc(), non_client, non_client, external_peer(65100), external_peer(65200)});
  auto announce_from = [&](std::uint32_t peer) {
    RouteText route{.prefix = "10.0." + std::to_string(peer) + ".0/24"};
    if (l.world.peers[peer].is_external()) route.as_path = {l.world.peers[peer].peer_as};
    l.announce(peer, route);
  };
  for (std::uint32_t peer = 0; peer < 6; ++peer) announce_from(peer);
  l.quiet();
  for (std::uint32_t from = 0; from < 6; ++from)
    for (std::uint32_t to = 0; to < 6; ++to) {
      bool between_non_clients = (from == 2 || from == 3) && (to == 2 || to == 3);
      EXPECT_EQ(l.holds(to, "10.0." + std::to_string(from) + ".0/24"), from != to && !between_non_clients) << from << " to " << to;
    }
  const PathAttributes& reflected = l.held(2, "65000:1", "10.0.0.0/24")->attributes;
  EXPECT_EQ(reflected.originator_id, l.world.peers[0].router_id);
  EXPECT_EQ(reflected.cluster_list, std::vector<std::uint32_t>{kRrClusterId});
  const PathAttributes& outside = l.held(4, "65000:1", "10.0.0.0/24")->attributes;
  EXPECT_EQ(outside.as_path, (std::vector<AsSegment>{{AsSegment::kSequence, {kRrAs}}}));
  EXPECT_FALSE(outside.local_pref || outside.originator_id);
  EXPECT_EQ(outside.next_hop, reflected.next_hop);  // unchanged
  const PathAttributes& inside = l.held(0, "65000:1", "10.0.4.0/24")->attributes;
  EXPECT_EQ(inside.local_pref, 100u);
  EXPECT_FALSE(inside.originator_id);  // not a reflection
  EXPECT_TRUE(inside.cluster_list.empty());
}

// wire 2.8: RFC 4456 §8 loop checks, and RFC 4271 §9.1.2 for our AS from outside.
TEST_P(WireFacts, W08_LoopsAreIgnored) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), external_peer(65100)});
  PathAttributes a = Lab::attributes({});
  a.originator_id = kRrRouterId;
  a.cluster_list = {7};
  l.announce(0, {}, a);
  a.originator_id = 99;
  a.cluster_list = {7, kRrClusterId};
  l.announce(0, {.prefix = "10.0.1.0/24"}, a);
  l.announce(2, {.prefix = "10.0.2.0/24", .as_path = {65100, kRrAs}});
  l.announce(0, {.prefix = "10.0.3.0/24", .as_path = {65100, kRrAs}});  // wire 2.19: not over iBGP
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.2.0/24"));
  EXPECT_TRUE(l.holds(1, "10.0.3.0/24"));
  l.announce(0, {.prefix = "10.0.3.0/24"}, a);  // a loop replaces what was announced before
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.3.0/24"));
}

// wire 2.10: the key is RD and prefix.
TEST_P(WireFacts, W10_RdsKeepCustomersApart) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), client_with_rtc()});
  l.end_of_rib(2);
  l.join(2, "65000:2");
  l.announce(0, {.rd = "65000:1", .rts = {"65000:1"}, .label = 1});
  l.announce(0, {.rd = "65000:2", .rts = {"65000:2"}, .label = 2});
  l.announce(0, {.rd = "10.0.0.1:1", .rts = {"65000:1"}, .label = 3});
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), 3u);
  EXPECT_EQ(l.sim.peer(2).vpn().size(), 1u);
  EXPECT_EQ(l.held(2, "65000:2", "10.0.0.0/24")->labels.front(), 2u << 4 | 1);
}

// wire 2.12: a refresh brings everything again, once; also in the middle of the first dump.
TEST_P(WireFacts, W12_RouteRefresh) {
  PeerSpec enhanced = client_without_rtc();
  enhanced.enhanced_refresh = true;
  Lab l = lab({client_without_rtc(), client_without_rtc(), enhanced});
  for (int i = 0; i < 30; ++i) l.announce(0, {.prefix = "10.0." + std::to_string(i) + ".0/24", .med = static_cast<std::uint32_t>(i % 3)});
  l.quiet();
  for (std::uint32_t peer : {1, 2}) {
    l.sent_since(peer);
    l.sim.refresh(peer, Family::vpnv4);
    l.quiet();
    EXPECT_EQ(l.sent_since(peer), 30u);
    l.sim.down(peer);
    l.sim.up(peer);
    l.sim.refresh(peer, Family::vpnv4);
    l.quiet();
    EXPECT_EQ(l.sim.peer(peer).vpn().size(), 30u);
    EXPECT_LE(l.sent_since(peer), 60u);
  }
}

// wire 2.15: VPN-IPv4 with an IPv6 next hop only to peers that take it.
TEST_P(WireFacts, W15_Ipv6NextHopNeedsTheCapability) {
  PeerSpec dual = client_without_rtc();
  dual.ipv6_next_hop.insert(Family::vpnv4);
  Lab l = lab({dual, dual, client_without_rtc()});
  l.announce(0, {});
  l.quiet();
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
  PathAttributes a = Lab::attributes({});
  a.next_hop = vpn_next_hop(*wire::parse_ip("2001:db8::1"));
  l.announce(0, {}, a);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
  l.announce(0, {});
  l.quiet();
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
}

// RFC 8654 §4, RFC 4271 §9.2: attributes that fit into a message as received but not with what reflection adds.
TEST_P(WireFacts, TooLargeAfterReflection) {
  PeerSpec extended = client_without_rtc();
  extended.extended_messages = true;
  Lab l = lab({client_without_rtc(), client_without_rtc(), extended});
  PathAttributes a = Lab::attributes({});
  NaiveUpdate update;
  update.reach = Family::vpnv4;
  update.announced = {{Lab::key("65000:1", "10.0.0.0/24"), {0x641}}};
  update.attributes = a;
  std::size_t fixed = encode_body(update).size() + 19 + 4;  // with the header of the large attribute
  l.announce(0, {});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  update.attributes.others = {{200, 0xc0, Octets(4096 - fixed, 5)}};
  ASSERT_EQ(encode_body(update).size() + 19, 4096u);
  l.sim.send(0, update);
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
  update.attributes.others = {{200, 0xc0, Octets(3900 - fixed, 5)}};
  l.sim.send(0, update);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
}

// RFC 1997: NO_EXPORT and NO_ADVERTISE.
TEST_P(WireFacts, WellKnownCommunities) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), external_peer(65100)});
  PathAttributes a = Lab::attributes({});
  a.communities = {0xffffff01};
  l.announce(0, {}, a);
  a.communities = {0xffffff02};
  l.announce(0, {.prefix = "10.0.1.0/24"}, a);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
}

// A source that becomes the best loses what it was sent before (DESIGN §2, distribution).
TEST_P(WireFacts, SourceOfTheNewBestGetsAWithdrawal) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), client_without_rtc()});
  l.announce(0, {});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  for (std::uint32_t peer : {0, 1, 2}) l.sent_since(peer);
  l.announce(1, {.local_pref = 200});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(0, "10.0.0.0/24"));
  for (std::uint32_t peer : {0, 1, 2}) EXPECT_EQ(l.sent_since(peer), 1u) << peer;
  l.withdraw(1, "65000:1", "10.0.0.0/24");
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(0, "10.0.0.0/24"));
}

}  // namespace
}  // namespace helio::test

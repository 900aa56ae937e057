// The pitfalls of RT-Constrain that show at engine level, by their numbers in the field notes. RFC 4684; DESIGN §3.
#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

using wire::Family;
using Advertise = session::GroupSettings::RtcAdvertise;

class RtcPitfalls : public Scenario {};
INSTANTIATE_TEST_SUITE_P(Engines, RtcPitfalls, testing::ValuesIn(engine_cases()), engine_case_name);

PeerSpec advertising(PeerSpec spec, Advertise advertise) {
  spec.advertise = advertise;
  return spec;
}

// pitfall 1.1: a route with A and B stays while B is wanted, though A is left.
TEST_P(RtcPitfalls, P01_LeavingOneOfTwoMatchingRtsIsSilent) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.end_of_rib(1);
  l.join(1, "65000:1");
  l.join(1, "65000:2");
  l.announce(0, {.rts = {"65000:1", "65000:2"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:1"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(1, "10.0.1.0/24"));
  l.sent_since(1);
  l.leave(1, "65000:1");
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
  EXPECT_EQ(l.sent_since(1), 2u);  // one VPN withdrawal, and the RTC route that nobody announces any more
}

// pitfall 1.2: a specific beside the default is silent; without the default only what no specific covers goes.
TEST_P(RtcPitfalls, P02_MembershipsAreCounted) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_with_rtc()});
  for (std::uint32_t peer : {1, 2}) l.end_of_rib(peer);
  l.announce(0, {.rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:2"}});
  l.join(1, Lab::membership("", 0, 0));
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), 2u);
  l.sent_since(1);
  l.join(1, Lab::membership("65000:1", 65000));
  l.join(1, Lab::membership("65000:1", 65100));  // the same RT from another origin AS
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 2u);  // the two reflected memberships, no VPN route
  l.leave(1, Lab::membership("", 0, 0));
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 1u);
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
  l.leave(1, Lab::membership("65000:1", 65000));
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  l.leave(1, Lab::membership("65000:1", 65100));
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

// pitfall 1.3: neither the origin AS nor the RT's administrator takes part in the match.
TEST_P(RtcPitfalls, P03_OriginAsIsNotPartOfTheMatch) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.end_of_rib(1);
  l.announce(0, {.rts = {"64512:1"}});
  l.join(1, Lab::membership("64512:1", 4200000001));
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
}

// pitfall 1.4: RFC 4684 §3.2 i, also to the client the membership came from.
TEST_P(RtcPitfalls, P04_ClientHearsItsOwnMembership) {
  Lab l = lab({client_with_rtc(), client_with_rtc()});
  l.join(0, "65000:1");
  l.quiet();
  for (std::uint32_t peer : {0, 1}) {
    const PathAttributes* a = l.rtc_held(peer, Lab::membership("65000:1"));
    ASSERT_NE(a, nullptr);
    EXPECT_EQ(a->originator_id, kRrRouterId);
    EXPECT_EQ(a->next_hop, bare_next_hop(l.world.peers[peer].local_address));
  }
  l.leave(0, "65000:1");
  l.quiet();
  EXPECT_EQ(l.rtc_held(0, Lab::membership("65000:1")), nullptr);
}

// pitfall 1.5: RFC 4684 §3.2 ii, a client's path to non-clients even when a non-client's is better.
TEST_P(RtcPitfalls, P05_NonClientsHearOfClientInterest) {
  PeerSpec better = non_client_with_rtc();
  better.router_id = 1;  // wins the tie-break
  Lab l = lab({better, client_with_rtc(), non_client_with_rtc()});
  l.join(0, "65000:1");
  l.join(1, "65000:1");
  l.quiet();
  for (std::uint32_t peer : {0, 2}) {
    const PathAttributes* a = l.rtc_held(peer, Lab::membership("65000:1"));
    ASSERT_NE(a, nullptr) << peer;
    EXPECT_EQ(a->originator_id, l.world.peers[1].router_id);
    EXPECT_EQ(a->next_hop, bare_next_hop(l.world.peers[1].address));
    EXPECT_EQ(a->cluster_list, std::vector<std::uint32_t>{kRrClusterId});
  }
  l.leave(1, "65000:1");
  l.quiet();
  EXPECT_EQ(l.rtc_held(0, Lab::membership("65000:1")), nullptr);
  EXPECT_EQ(l.rtc_held(2, Lab::membership("65000:1")), nullptr);
}

// pitfall 1.6: nothing moves when the set of memberships does not change.
TEST_P(RtcPitfalls, P06_RepeatedMembershipIsSilent) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), non_client_with_rtc()});
  for (std::uint32_t peer : {1, 2}) l.end_of_rib(peer);
  l.announce(0, {});
  l.join(1, "65000:1");
  l.quiet();
  for (std::uint32_t peer : {1, 2}) l.sent_since(peer);
  for (int i = 0; i < 3; ++i) {
    l.join(1, "65000:1");
    l.quiet();
  }
  for (std::uint32_t peer : {1, 2}) EXPECT_EQ(l.sent_since(peer), 0u);
}

// pitfall 1.7: RTC and its End-of-RIB first, VPN routes after the peer's, the VPN End-of-RIB last.
TEST_P(RtcPitfalls, P07_VpnWaitsForTheEndOfRibOfRtc) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.announce(0, {});
  l.join(1, "65000:1");
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.sim.peer(1).end_of_ribs(Family::rtc), 1u);
  EXPECT_EQ(l.sim.peer(1).end_of_ribs(Family::vpnv4), 0u);
  l.end_of_rib(1);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.sim.peer(1).end_of_ribs(Family::vpnv4), 1u);
  EXPECT_EQ(l.sim.peer(1).end_of_ribs(Family::vpnv6), 1u);
}

// pitfall 1.8: a peer that never sends it is not held for ever.
TEST_P(RtcPitfalls, P08_HoldEndsAfterInitialWait) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.announce(0, {});
  l.join(1, "65000:1");
  l.quiet();
  l.sim.advance(std::chrono::seconds{58});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  l.sim.advance(std::chrono::seconds{11});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.sim.peer(1).end_of_ribs(Family::vpnv4), 1u);
  l.end_of_rib(1);  // late: no second End-of-RIB
  l.quiet();
}

// pitfall 1.9: negotiated, complete and empty means nothing; not negotiated means everything.
TEST_P(RtcPitfalls, P09_EmptySetMeansNothing) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_without_rtc()});
  l.end_of_rib(1);
  l.announce(0, {});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {}});
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), 0u);
  EXPECT_EQ(l.sim.peer(1).end_of_ribs(Family::vpnv4), 1u);
  EXPECT_EQ(l.sim.peer(2).vpn().size(), 2u);
  l.join(1, Lab::membership("", 0, 0));  // the default covers routes without any RT
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), 2u);
}

// pitfall 1.10: two sessions of one router are two peers, each with its own filter.
TEST_P(RtcPitfalls, P10_TwoSessionsOfOneRouter) {
  PeerSpec first = client_with_rtc(), second = client_without_rtc();
  first.router_id = second.router_id = 0x0a000063;
  Lab l = lab({client_without_rtc(), first, second});
  l.end_of_rib(1);
  l.announce(0, {.rts = {"65000:9"}});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
}

// pitfall 1.11: the filter is for VPN routes; RTC routes reach a peer that wants no target, and one that has said nothing.
TEST_P(RtcPitfalls, P11_OtherFamiliesAreNotFiltered) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_with_rtc(), client_with_rtc()});
  l.end_of_rib(2);
  l.announce(0, {.rts = {"65000:9"}});
  l.join(1, "65000:9");
  l.end_of_rib(1);
  l.quiet();
  for (std::uint32_t peer : {2, 3}) {
    EXPECT_NE(l.rtc_held(peer, Lab::membership("65000:9")), nullptr) << peer;
    EXPECT_EQ(l.sim.peer(peer).vpn().size(), 0u) << peer;
  }
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
}

// pitfall 1.12: 33..95 bits are a prefix of the RT.
TEST_P(RtcPitfalls, P12_PartialLengths) {
  for (unsigned length : {33u, 47u, 48u, 63u, 64u, 65u, 80u, 95u}) {
    Lab l = lab({client_without_rtc(), client_with_rtc()});
    l.end_of_rib(1);
    std::uint64_t base = wire::parse_rt("65000:256")->value;
    std::uint64_t just_in = base ^ (std::uint64_t{1} << (95 - length));  // first bit not covered
    std::uint64_t just_out = base ^ (std::uint64_t{1} << (96 - length));  // last bit covered
    PathAttributes in = Lab::attributes({}), out = in;
    in.extended_communities = {just_in};
    out.extended_communities = {just_out};
    // Only real route targets are matched: with the type changed by the flip the route is out in any case.
    bool in_is_rt = wire::is_route_target(just_in);
    l.announce(0, {.prefix = "10.0.0.0/24"}, in);
    l.announce(0, {.prefix = "10.0.1.0/24"}, out);
    l.join(1, Lab::membership("65000:256", 65000, length));
    l.quiet();
    EXPECT_EQ(l.holds(1, "10.0.0.0/24"), in_is_rt) << length;
    EXPECT_FALSE(l.holds(1, "10.0.1.0/24")) << length;
    EXPECT_NE(l.rtc_held(1, Lab::membership("65000:256", 65000, length)), nullptr) << length;
    l.leave(1, Lab::membership("65000:256", 65000, length));
    l.quiet();
    EXPECT_EQ(l.sim.peer(1).vpn().size(), 0u);
  }
}

// pitfall 1.13: /32 and /0 both want everything, and are two routes.
TEST_P(RtcPitfalls, P13_OriginAsOnlyIsNotTheDefault) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.end_of_rib(1);
  l.announce(0, {});
  l.join(1, Lab::membership("", 0, 0));
  l.join(1, Lab::membership("", 65000, 32));
  l.quiet();
  l.sent_since(1);
  l.leave(1, Lab::membership("", 0, 0));
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.sent_since(1), 0u);
  l.leave(1, Lab::membership("", 65000, 32));
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

Octets rtc_body(const std::vector<Octets>& nlris) {
  NaiveUpdate update;
  update.reach = Family::rtc;
  update.attributes.local_pref = 100;
  update.attributes.next_hop = {192, 0, 2, 1};
  Octets body = encode_body(update);
  // MP_REACH is the first attribute: [0,0][total 2][80 0e len ...]; the NLRIs go to its end.
  Octets extra;
  for (const Octets& nlri : nlris) extra.insert(extra.end(), nlri.begin(), nlri.end());
  std::size_t end = 7 + body[6];
  body.insert(body.begin() + static_cast<std::ptrdiff_t>(end), extra.begin(), extra.end());
  body[6] = static_cast<std::uint8_t>(body[6] + extra.size());
  store_be16(body.data() + 2, static_cast<std::uint16_t>(body.size() - 4));
  return body;
}

NaiveUpdate meaning_of(const wire::RtMembership& m) {
  NaiveUpdate update;
  update.reach = Family::rtc;
  update.attributes.local_pref = 100;
  update.attributes.next_hop = {192, 0, 2, 1};
  update.announced_rtc = {m};
  return update;
}

// pitfall 1.14: an NLRI of 1..31 bits is treated as withdrawn alone; its neighbours and the session live on.
TEST_P(RtcPitfalls, P14_ShortNlriHurtsNobodyElse) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.end_of_rib(1);
  l.announce(0, {.rts = {"65000:1"}});
  Octets good = {96, 0, 0, 0xfd, 0xe8, 0, 2, 0xfd, 0xe8, 0, 0, 0, 1};
  l.sim.send_body(1, rtc_body({{1, 0x80}, {31, 0, 0, 0xfd, 0xe8}, good}), meaning_of(Lab::membership("65000:1")));
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
}

// pitfall 1.15: a membership added walks only what it adds.
TEST_P(RtcPitfalls, P15_NewMembershipBringsOnlyItsRoutes) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.end_of_rib(1);
  l.join(1, "65000:1");
  for (int i = 0; i < 20; ++i) l.announce(0, {.prefix = "10.0." + std::to_string(i) + ".0/24", .rts = {i % 2 == 0 ? "65000:1" : "65000:2"}});
  l.announce(0, {.prefix = "10.1.0.0/16", .rts = {"65000:1", "65000:2"}});
  l.quiet();
  l.sent_since(1);
  l.join(1, "65000:2");
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 10u + 1u);  // ten routes, not the one with both RTs, and the reflected membership
}

// pitfall 1.17: a withdrawal goes to members only; 1.16: a route without matching RT costs the peer nothing.
TEST_P(RtcPitfalls, P17_NoWithdrawalsForNonMembers) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_with_rtc()});
  for (std::uint32_t peer : {1, 2}) l.end_of_rib(peer);
  l.join(1, "65000:1");
  l.join(2, "65000:2");
  l.quiet();
  for (std::uint32_t peer : {1, 2}) l.sent_since(peer);
  l.announce(0, {.rts = {"65000:1"}});
  l.quiet();
  l.withdraw(0, "65000:1", "10.0.0.0/24");
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 2u);
  EXPECT_EQ(l.sent_since(2), 0u);
}

// pitfall 1.18, field note 3.7: RT A to B: announced to B, withdrawn from A only, updated for both.
TEST_P(RtcPitfalls, P18_RouteChangesItsRts) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_with_rtc(), client_with_rtc(), client_with_rtc()});
  for (std::uint32_t peer : {1, 2, 3, 4}) l.end_of_rib(peer);
  l.join(1, "65000:1");
  l.join(2, "65000:2");
  l.join(3, "65000:1");
  l.join(3, "65000:2");
  l.join(4, "65000:3");
  l.announce(0, {.rts = {"65000:1"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(3, "10.0.0.0/24"));
  for (std::uint32_t peer : {1, 2, 3, 4}) l.sent_since(peer);
  l.announce(0, {.rts = {"65000:2"}});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(3, "10.0.0.0/24"));
  for (std::uint32_t peer : {1, 2, 3}) EXPECT_EQ(l.sent_since(peer), 1u) << peer;
  EXPECT_EQ(l.sent_since(4), 0u);
}

// pitfall 1.18: the RTs that count are those of the path that is sent, best path changes included.
TEST_P(RtcPitfalls, P18_BestPathChangeChangesTheRts) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), client_with_rtc(), client_with_rtc()});
  for (std::uint32_t peer : {2, 3}) l.end_of_rib(peer);
  l.join(2, "65000:1");
  l.join(3, "65000:2");
  l.announce(0, {.rts = {"65000:1"}});
  l.quiet();
  l.announce(1, {.rts = {"65000:2"}, .local_pref = 200});
  l.quiet();
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(3, "10.0.0.0/24"));
  l.sim.down(1);
  l.quiet();
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(3, "10.0.0.0/24"));
}

// pitfall 1.19: a lost session takes its own memberships, not another peer's identical ones.
TEST_P(RtcPitfalls, P19_SessionLossTakesOnlyItsMemberships) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_with_rtc()});
  for (std::uint32_t peer : {1, 2}) {
    l.end_of_rib(peer);
    l.join(peer, "65000:1");
  }
  l.announce(0, {});
  l.quiet();
  l.sim.down(1);
  l.quiet();
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
  EXPECT_NE(l.rtc_held(2, Lab::membership("65000:1")), nullptr);
  l.sim.up(1);
  l.end_of_rib(1);
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));  // it did not ask again
  l.announce(0, {.label = 200});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

// pitfall 1.20: what we originate is complete; quiet() compares every attribute of the default.
TEST_P(RtcPitfalls, P20_DefaultRouteByAdvertiseMode) {
  Lab l = lab({advertising(client_with_rtc(), Advertise::specific), advertising(client_with_rtc(), Advertise::only_default), advertising(client_with_rtc(), Advertise::both),
               advertising(client_with_rtc(), Advertise::automatic)});
  l.join(0, "65000:1");
  l.quiet();
  auto has = [&](std::uint32_t peer, const wire::RtMembership& m) { return l.rtc_held(peer, m) != nullptr; };
  wire::RtMembership everything{}, one = Lab::membership("65000:1");
  EXPECT_TRUE(!has(0, everything) && has(0, one));
  EXPECT_TRUE(has(1, everything) && !has(1, one));
  EXPECT_TRUE(has(2, everything) && has(2, one));
  EXPECT_TRUE(!has(3, everything) && has(3, one));
}

// DESIGN §3 "auto": the default while some established VPN peer is not filtered; a received default goes nowhere.
TEST_P(RtcPitfalls, P20_AutoFollowsUnfilteredPeers) {
  Lab l = lab({advertising(client_with_rtc(), Advertise::automatic), client_without_rtc(), client_with_rtc()}, false);
  l.sim.up(0);
  l.quiet();
  EXPECT_EQ(l.rtc_held(0, {}), nullptr);
  l.sim.up(1);
  l.quiet();
  EXPECT_NE(l.rtc_held(0, {}), nullptr);
  l.sent_since(0);
  l.sim.down(1);
  l.quiet();
  l.sim.up(1);
  l.quiet();
  EXPECT_NE(l.rtc_held(0, {}), nullptr);
  EXPECT_EQ(l.sent_since(0), 0u);  // does not flap with that peer
}

// pitfall 1.21: a refresh of the RTC family.
TEST_P(RtcPitfalls, P21_RefreshOfRtc) {
  PeerSpec enhanced = client_with_rtc();
  enhanced.enhanced_refresh = true;
  Lab l = lab({client_with_rtc(), client_with_rtc(), enhanced});
  l.join(0, "65000:1");
  l.quiet();
  for (std::uint32_t peer : {1, 2}) {
    l.sent_since(peer);
    l.sim.refresh(peer, Family::rtc);
    l.quiet();
    EXPECT_EQ(l.sent_since(peer), 1u);
  }
}

// pitfall 1.23: bits beyond the length do not make another membership.
TEST_P(RtcPitfalls, P23_TrailingBitsAreMasked) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.end_of_rib(1);
  l.announce(0, {.rts = {"65000:1"}});
  l.sim.send_body(1, rtc_body({{60, 0, 0, 0xfd, 0xe8, 0, 2, 0xfd, 0xef}}), meaning_of(Lab::membership("65000:1", 65000, 60)));
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  l.leave(1, Lab::membership("65000:1", 65000, 60));
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.sim.peer(1).rtc().empty());
}

// pitfall 1.24: 65000:1 in two encodings is two route targets.
TEST_P(RtcPitfalls, P24_TypeIsPartOfTheRt) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_with_rtc()});
  for (std::uint32_t peer : {1, 2}) l.end_of_rib(peer);
  l.join(1, "65000:1");
  l.join(2, "65000L:1");
  l.announce(0, {.rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000L:1"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24") && !l.holds(1, "10.0.1.0/24"));
  EXPECT_TRUE(!l.holds(2, "10.0.0.0/24") && l.holds(2, "10.0.1.0/24"));
}

// pitfall 1.26: interest in an RT that no route has yet.
TEST_P(RtcPitfalls, P26_InterestBeforeTheFirstRoute) {
  Lab l = lab({client_without_rtc(), client_with_rtc()});
  l.end_of_rib(1);
  l.join(1, "65000:77");
  l.quiet();
  l.announce(0, {.rts = {"65000:77"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  l.withdraw(0, "65000:1", "10.0.0.0/24");
  l.quiet();
  l.announce(0, {.rts = {"65000:77"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
}

// RFC 4684 §3.1: with external-paths = 1 only the external peer whose membership is the best path gets the VPN routes; the
// next one takes over when it goes. Another origin AS is another membership. Internal peers are not ranked (§3.2).
TEST_P(RtcPitfalls, ExternalPathsAreRanked) {
  auto external = [](Asn as, std::uint32_t paths) {
    PeerSpec spec = external_peer(as);
    spec.families.insert(Family::rtc);
    spec.external_paths = paths;
    return spec;
  };
  Lab l = lab({client_without_rtc(), external(65100, 1), external(65200, 1), external(65300, 2), client_with_rtc()});
  auto says = [&](std::uint32_t peer, const char* rt, std::vector<Asn> path, Asn origin) {
    NaiveUpdate update;
    update.reach = Family::rtc;
    update.announced_rtc = {Lab::membership(rt, origin)};
    update.attributes = Lab::attributes({.as_path = path});
    update.attributes.local_pref.reset();
    update.attributes.extended_communities.clear();
    update.attributes.next_hop = bare_next_hop(l.world.peers[peer].address);
    l.sim.send(peer, update);
  };
  for (std::uint32_t peer : {1, 2, 3, 4}) l.end_of_rib(peer);
  l.announce(0, {.rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:2"}});
  says(2, "65000:1", {65200, 65400}, 65400);
  l.quiet();
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
  says(1, "65000:1", {65100, 65100, 65400}, 65400);  // longer
  says(3, "65000:1", {65300, 65300, 65300, 65400}, 65400);  // longest
  l.join(4, "65000:1");
  l.quiet();
  EXPECT_TRUE(!l.holds(1, "10.0.0.0/24") && l.holds(2, "10.0.0.0/24") && !l.holds(3, "10.0.0.0/24") && l.holds(4, "10.0.0.0/24"));
  says(1, "65000:1", {65100}, 65100);  // its own AS asks for it, too
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24") && l.holds(2, "10.0.0.0/24"));
  l.leave(1, Lab::membership("65000:1", 65100));
  l.sim.down(2);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24") && l.holds(3, "10.0.0.0/24"));  // first and second
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
  l.sim.up(2);
  says(2, "65000:1", {65200, 65400}, 65400);
  l.end_of_rib(2);
  l.quiet();
  EXPECT_TRUE(!l.holds(1, "10.0.0.0/24") && l.holds(2, "10.0.0.0/24") && !l.holds(3, "10.0.0.0/24"));
  l.leave(2, Lab::membership("65000:1", 65400));
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24") && !l.holds(2, "10.0.0.0/24") && l.holds(3, "10.0.0.0/24"));
}

// RFC 4684 §3.1 with RFC 4271 §9.1.2: a membership that has been in our AS already is no interest; it replaces what was there.
TEST_P(RtcPitfalls, ExternalMembershipWithOurAsIsALoop) {
  PeerSpec other = external_peer(65100);
  other.families.insert(Family::rtc);
  Lab l = lab({client_without_rtc(), other, client_with_rtc()});
  l.end_of_rib(1);
  l.announce(0, {});
  auto says = [&](std::vector<Asn> path) {
    NaiveUpdate update;
    update.reach = Family::rtc;
    update.announced_rtc = {Lab::membership("65000:1", 65100)};
    update.attributes = Lab::attributes({.as_path = path});
    update.attributes.local_pref.reset();
    update.attributes.extended_communities.clear();
    update.attributes.next_hop = bare_next_hop(l.world.peers[1].address);
    l.sim.send(1, update);
  };
  says({65100});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_NE(l.rtc_held(2, Lab::membership("65000:1", 65100)), nullptr);
  says({65100, kRrAs});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.rtc_held(2, Lab::membership("65000:1", 65100)), nullptr);
}

}  // namespace
}  // namespace helio::test

// Graceful restart of peers at engine level, clause by clause: RFC 4724 §4.2, RFC 8538 §4, RFC 9494 §4. The oracle checks
// along at every quiet point; what a clause is about is asserted here.
#include <algorithm>

#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

using std::chrono::seconds;
using wire::Family;

class Restart : public Scenario {};
INSTANTIATE_TEST_SUITE_P(Engines, Restart, testing::ValuesIn(engine_cases()), engine_case_name);

constexpr std::uint32_t kLlgrStale = 0xffff0006, kNoLlgr = 0xffff0007;

PeerSpec restarting(PeerSpec spec) {
  spec.restart_capable = true;
  spec.kept_over_restart = spec.families;
  spec.restart_time = seconds{30};
  spec.stale_routes_time = seconds{90};
  return spec;
}

PeerSpec long_lived(PeerSpec spec) {
  spec = restarting(spec);
  spec.long_lived_capable = spec.long_lived_aware = true;
  spec.kept_for_long = wire::FamilySet::of(Family::vpnv4);
  spec.long_lived_time = seconds{600};
  return spec;
}

bool has_community(const HeldRoute* route, std::uint32_t community) {
  return route != nullptr && std::ranges::find(route->attributes.communities, community) != route->attributes.communities.end();
}

// RFC 4724 §4.2: the routes stay while the peer restarts, nobody is told anything; its End-of-RIB ends what it did not
// say again.
TEST_P(Restart, RoutesStayUntilEndOfRib) {
  Lab l = lab({restarting(client_without_rtc()), client_without_rtc()});
  l.announce(0, {.prefix = "10.0.0.0/24"});
  l.announce(0, {.prefix = "10.0.1.0/24"});
  l.quiet();
  l.sent_since(1);
  l.sim.down(0);
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 0u);
  l.sim.up(0);
  l.announce(0, {.prefix = "10.0.0.0/24"});
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 0u);  // the same again is no change
  EXPECT_TRUE(l.holds(1, "10.0.1.0/24"));
  l.sim.send_end_of_rib(0, Family::vpnv4);
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 1u);
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
}

// RFC 4724 §4.2: "the session does not get re-established within the Restart Time": the stale routes go.
TEST_P(Restart, RestartTimeEndsIt) {
  Lab l = lab({restarting(client_without_rtc()), client_without_rtc()});
  l.announce(0, {});
  l.quiet();
  l.sim.down(0);
  l.sim.advance(seconds{25});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  l.sim.advance(seconds{6});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

// RFC 4724 §4.2: an upper bound on the time stale routes are kept, also after the peer is back.
TEST_P(Restart, StaleRoutesTimeEndsIt) {
  Lab l = lab({restarting(client_without_rtc()), client_without_rtc()});
  l.announce(0, {});
  l.quiet();
  l.sim.down(0);
  l.sim.advance(seconds{10});
  l.sim.up(0);
  l.sim.advance(seconds{60});  // past the restart time, which does not matter any more
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  l.sim.advance(seconds{30});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

// RFC 4724 §4.2: a family without the F bit in the new session's capability loses its stale routes at once.
TEST_P(Restart, NoForwardingBitDropsAtOnce) {
  Lab l = lab({restarting(client_without_rtc()), client_without_rtc()});
  l.announce(0, {});
  l.quiet();
  l.sim.down(0);
  l.sim.up(0, false);
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

// RFC 4724 §4.2: only the families that the peer listed are kept.
TEST_P(Restart, OnlyListedFamiliesStay) {
  PeerSpec pe = restarting(client_without_rtc());
  pe.kept_over_restart = wire::FamilySet::of(Family::vpnv6);
  Lab l = lab({pe, client_without_rtc()});
  l.announce(0, {});
  l.announce(0, {.prefix = "2001:db8::/32"});
  l.quiet();
  l.sim.down(0);
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(1, "2001:db8::/32"));
}

// RFC 4724 §4.2: "a route (from the peer) previously marked as stale MUST be deleted" at the next restart.
TEST_P(Restart, ConsecutiveRestarts) {
  Lab l = lab({restarting(client_without_rtc()), client_without_rtc()});
  l.announce(0, {.prefix = "10.0.0.0/24"});
  l.announce(0, {.prefix = "10.0.1.0/24"});
  l.quiet();
  l.sim.down(0);
  l.sim.up(0);
  l.announce(0, {.prefix = "10.0.1.0/24", .label = 200});
  l.sim.down(0);
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(1, "10.0.1.0/24"));
}

// RFC 8538 §4: with the N bit a NOTIFICATION or an expired hold timer is a restart, a Hard Reset is not; RFC 4724 §4
// without it: every NOTIFICATION ends everything.
TEST_P(Restart, NotificationsByTheNBit) {
  PeerSpec with_n = restarting(client_without_rtc());
  with_n.notification_restarts = true;
  Lab l = lab({with_n, restarting(client_without_rtc()), client_without_rtc()});
  struct Row { Ending ending; bool stays_with_n; };
  for (Row row : {Row{Ending::hold_timer, true}, Row{Ending::notification, true}, Row{Ending::hard_reset, false}, Row{Ending::taken_down, false}}) {
    l.announce(0, {.prefix = "10.0.0.0/24"});
    l.announce(1, {.prefix = "10.0.1.0/24"});
    l.quiet();
    for (std::uint32_t peer : {0, 1}) l.sim.down(peer, row.ending);
    l.quiet();
    EXPECT_EQ(l.holds(2, "10.0.0.0/24"), row.stays_with_n);
    EXPECT_FALSE(l.holds(2, "10.0.1.0/24"));
    for (std::uint32_t peer : {0, 1}) l.sim.up(peer);
    l.sim.send_end_of_rib(0, Family::vpnv4);
    l.quiet();
  }
}

// The configuration or an operator takes the peer out while it restarts: nothing stays.
TEST_P(Restart, TakenDownWhileAway) {
  Lab l = lab({restarting(client_with_rtc()), client_with_rtc()});
  for (std::uint32_t peer : {0, 1}) {
    l.end_of_rib(peer);
    l.join(peer, "65000:1");
  }
  l.announce(0, {});
  l.join(0, "65000:7");
  l.quiet();
  l.sim.down(0);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_NE(l.rtc_held(1, Lab::membership("65000:7")), nullptr);
  l.sim.down(0, Ending::taken_down);
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.rtc_held(1, Lab::membership("65000:7")), nullptr);
}

// pitfall 1.8: memberships from before the restart are the filter, at once and until the RTC End-of-RIB; a part of them
// said again does not replace them.
TEST_P(Restart, MembershipsStayUntilTheirEndOfRib) {
  Lab l = lab({restarting(client_with_rtc()), client_without_rtc()});
  l.end_of_rib(0);
  l.join(0, "65000:1");
  l.join(0, "65000:2");
  l.announce(1, {.prefix = "10.0.1.0/24", .rts = {"65000:1"}});
  l.announce(1, {.prefix = "10.0.2.0/24", .rts = {"65000:2"}});
  l.quiet();
  l.sim.down(0);
  l.sim.up(0);
  l.join(0, "65000:1");
  l.quiet();
  EXPECT_TRUE(l.holds(0, "10.0.1.0/24"));
  EXPECT_TRUE(l.holds(0, "10.0.2.0/24"));
  l.end_of_rib(0);
  l.quiet();
  EXPECT_TRUE(l.holds(0, "10.0.1.0/24"));
  EXPECT_FALSE(l.holds(0, "10.0.2.0/24"));
}

// RFC 4684 with RFC 4724: others go on hearing of the interest of a peer that restarts, until its time is over.
TEST_P(Restart, MembershipsOfTheLostAreStillReflected) {
  Lab l = lab({restarting(client_with_rtc()), client_with_rtc()});
  for (std::uint32_t peer : {0, 1}) l.end_of_rib(peer);
  l.join(0, "65000:1");
  l.quiet();
  l.sent_since(1);
  l.sim.down(0);
  l.quiet();
  EXPECT_NE(l.rtc_held(1, Lab::membership("65000:1")), nullptr);
  EXPECT_EQ(l.sent_since(1), 0u);
  l.sim.advance(seconds{31});
  l.quiet();
  EXPECT_EQ(l.rtc_held(1, Lab::membership("65000:1")), nullptr);
}

// RFC 9494 §4.2, §4.3: after the restart time the routes get LLGR_STALE and stay only with peers that understand it;
// NO_LLGR routes go; the long-lived time ends it.
TEST_P(Restart, LongLivedStale) {
  PeerSpec understands = client_without_rtc();
  understands.restart_capable = understands.long_lived_capable = true;
  Lab l = lab({long_lived(client_without_rtc()), understands, client_without_rtc()});
  PathAttributes never = Lab::attributes({});
  never.communities = {kNoLlgr};
  l.announce(0, {.prefix = "10.0.0.0/24"});
  l.announce(0, {.prefix = "10.0.1.0/24"}, never);
  l.quiet();
  l.sim.down(0);
  l.sim.advance(seconds{31});
  l.quiet();
  EXPECT_TRUE(has_community(l.held(1, "65000:1", "10.0.0.0/24"), kLlgrStale));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
  l.sim.advance(seconds{590});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  l.sim.advance(seconds{15});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

// RFC 9494 §4.3: a long-lived stale route is the last choice, whatever its preference; a fresh one of the peer takes its place.
TEST_P(Restart, LongLivedStaleIsTheLastChoice) {
  Lab l = lab({long_lived(client_without_rtc()), client_without_rtc(), client_without_rtc()});
  l.announce(0, {.label = 100, .local_pref = 200});
  l.announce(1, {.label = 101, .local_pref = 50});
  l.quiet();
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 100u);
  l.sim.down(0);
  l.quiet();
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 100u);
  l.sim.advance(seconds{31});
  l.quiet();
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 101u);
  l.sim.up(0);
  l.announce(0, {.label = 102, .local_pref = 200});
  l.quiet();
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 102u);
}

// RFC 9494 §4.2: "the timer MUST NOT be updated ... until the peer has established and synchronized a new session": a
// session without End-of-RIB neither prolongs the time nor ends what is stale.
TEST_P(Restart, LongLivedTimeGoesOnOverAShortSession) {
  PeerSpec understands = client_without_rtc();
  understands.restart_capable = understands.long_lived_capable = true;
  Lab l = lab({long_lived(client_without_rtc()), understands});
  l.announce(0, {.prefix = "10.0.0.0/24"});
  l.announce(0, {.prefix = "10.0.1.0/24"});
  l.quiet();
  l.sim.down(0);
  l.sim.advance(seconds{31});
  l.quiet();
  l.sim.advance(seconds{400});
  l.sim.up(0);
  l.announce(0, {.prefix = "10.0.1.0/24", .label = 200});
  l.quiet();
  EXPECT_FALSE(has_community(l.held(1, "65000:1", "10.0.1.0/24"), kLlgrStale));
  l.sim.down(0);
  l.quiet();
  EXPECT_TRUE(has_community(l.held(1, "65000:1", "10.0.0.0/24"), kLlgrStale));
  EXPECT_TRUE(has_community(l.held(1, "65000:1", "10.0.1.0/24"), kLlgrStale));
  l.sim.advance(seconds{205});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
}

// RFC 9494 §4.3: routes that come with LLGR_STALE from another reflector are treated the same.
TEST_P(Restart, ReceivedLongLivedStale) {
  PeerSpec from = long_lived(client_without_rtc()), understands = client_without_rtc();
  understands.restart_capable = understands.long_lived_capable = true;
  Lab l = lab({from, understands, client_without_rtc(), client_without_rtc()});
  PathAttributes stale = Lab::attributes({.local_pref = 200});
  stale.communities = {kLlgrStale};
  l.announce(0, {}, stale);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
  l.announce(3, {.label = 300, .local_pref = 10});
  l.quiet();
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 300u);
}

}  // namespace
}  // namespace helio::test

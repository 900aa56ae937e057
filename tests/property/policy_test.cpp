// Policies end to end (import, export, reload), against the oracle and in words: what a peer holds, and how much it was
// sent to get there.
#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

class Policies : public Scenario {
 protected:
  // Peer n is in group "g<n>".
  Lab lab_with(std::vector<PeerSpec> peers, std::vector<policy::Definition> policies) const {
    for (std::size_t i = 0; i < peers.size(); ++i) peers[i].group = "g" + std::to_string(i);
    return Lab(GetParam().make(), std::move(peers), GetParam().shards, true, false, std::move(policies));
  }
  static policy::Definition definition() {
    policy::Definition d;
    d.local_as = kRrAs;
    d.sets = {{.name = "rt", .route_targets = {"65000:1"}}, {.name = "inner", .prefixes = {"10.0.0.0/8 ge 24"}}};
    d.statements = {{.name = "drop", .any_route_target_in = "rt", .action = policy::Action::reject},
                    {.name = "drop inner", .prefix_in = "inner", .action = policy::Action::reject},
                    {.name = "no asking", .any_membership_in = "rt", .action = policy::Action::reject},
                    {.name = "prefer", .local_preference = 200},
                    {.name = "retarget", .route_targets_add = {"65000:2"}, .route_targets_remove = {"65000:1"}}};
    for (int i = 0; i < 4; ++i) d.groups.push_back({"g" + std::to_string(i), {}, {}});
    return d;
  }
  static policy::Definition import(std::uint32_t group, std::vector<std::string> statements) {
    policy::Definition d = definition();
    d.groups[group].import_policy = std::move(statements);
    return d;
  }
  static policy::Definition exported(std::uint32_t group, std::vector<std::string> statements) {
    policy::Definition d = definition();
    d.groups[group].export_policy = std::move(statements);
    return d;
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Policies, testing::ValuesIn(engine_cases()), engine_case_name);

TEST_P(Policies, ImportRejects) {
  Lab l = lab_with({client_without_rtc(), client_without_rtc()}, {import(0, {"drop"})});
  l.announce(0, {.prefix = "10.0.0.0/24", .rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:2"}});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(1, "10.0.1.0/24"));
  l.announce(0, {.prefix = "10.0.0.0/24", .rts = {"65000:2"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:1"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
}

// RFC 4271 §9.1.2: a path that the policy rejects is no candidate, however good it looks.
TEST_P(Policies, RejectedPathIsNeverBest) {
  Lab l = lab_with({client_without_rtc(), client_without_rtc(), client_without_rtc()}, {import(0, {"drop"})});
  l.announce(1, {.label = 200});
  l.announce(0, {.label = 100, .local_pref = 300});
  l.quiet();
  ASSERT_TRUE(l.holds(2, "10.0.0.0/24"));
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 200u);
  EXPECT_TRUE(l.holds(0, "10.0.0.0/24"));
}

TEST_P(Policies, ImportChangesTheDecisionAndTheTargets) {
  Lab l = lab_with({client_without_rtc(), client_without_rtc(), client_with_rtc()}, {import(0, {"prefer"}), import(0, {"retarget"})});
  l.join(2, "65000:1");
  l.end_of_rib(2);
  l.announce(0, {.label = 100});
  l.announce(1, {.label = 200, .local_pref = 150});
  l.quiet();
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 100u);
  l.sim.set_policies(1);  // the first peer's path is worse now, and has other targets
  l.quiet();
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->labels.front() >> 4, 200u);
  l.withdraw(1, "65000:1", "10.0.0.0/24");
  l.quiet();
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
}

TEST_P(Policies, PrefixRulesGoByTheRoute) {
  Lab l = lab_with({client_without_rtc(), client_without_rtc()}, {import(0, {"drop inner"}), definition()});
  for (const char* prefix : {"10.0.0.0/24", "10.0.0.0/16", "192.168.0.0/24", "10.9.0.0/25"}) l.announce(0, {.prefix = prefix});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(1, "10.0.0.0/16"));
  EXPECT_TRUE(l.holds(1, "192.168.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.9.0.0/25"));
  l.sent_since(1);
  l.sim.set_policies(1);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.sent_since(1), 2u);  // invariant 2: what was accepted before is not said again
}

TEST_P(Policies, ExportRejectsForItsGroupOnly) {
  Lab l = lab_with({client_without_rtc(), client_without_rtc(), client_without_rtc()}, {exported(1, {"drop"}), definition()});
  l.announce(0, {.prefix = "10.0.0.0/24", .rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:2"}});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(1, "10.0.1.0/24"));
  EXPECT_TRUE(l.holds(2, "10.0.0.0/24"));
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:1"}});  // what it had is withdrawn
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
  EXPECT_TRUE(l.holds(2, "10.0.1.0/24"));
  l.sent_since(1);
  l.sent_since(2);
  l.sim.set_policies(1);
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_EQ(l.sent_since(1), 2u);
  EXPECT_EQ(l.sent_since(2), 0u);  // nobody else's policy changed
}

// A group that gets its first export policy while its peers are up: they move to a class of their own, and are sent
// what looks different.
TEST_P(Policies, FirstExportPolicyOfAGroup) {
  Lab l = lab_with({client_without_rtc(), client_without_rtc(), client_with_rtc()}, {definition(), exported(1, {"prefer"}), exported(2, {"prefer"})});
  l.join(2, "65000:1");
  l.end_of_rib(2);
  l.announce(0, {});
  l.quiet();
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->attributes.local_pref, 100u);
  l.sent_since(1);
  l.sent_since(2);
  l.sim.set_policies(1);
  l.quiet();
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->attributes.local_pref, 200u);
  EXPECT_EQ(l.sent_since(1), 1u);
  EXPECT_EQ(l.sent_since(2), 0u);
  l.sim.set_policies(2);
  l.quiet();
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->attributes.local_pref, 100u);
  EXPECT_EQ(l.held(2, "65000:1", "10.0.0.0/24")->attributes.local_pref, 200u);
  EXPECT_EQ(l.sent_since(1), 1u);
  EXPECT_EQ(l.sent_since(2), 1u);
}

// RFC 4271 §5.1.4: the MED that an export policy sets is our own word, so an external peer gets it.
TEST_P(Policies, ExportSetsMedTowardsExternalPeers) {
  policy::Definition d = exported(1, {"med"});
  d.statements.push_back({.name = "med", .med = 77});
  Lab l = lab_with({client_without_rtc(), external_peer(65100), external_peer(65200)}, {d});
  l.announce(0, {.med = 5});
  l.quiet();
  EXPECT_EQ(l.held(1, "65000:1", "10.0.0.0/24")->attributes.med, 77u);
  EXPECT_FALSE(l.held(2, "65000:1", "10.0.0.0/24")->attributes.med);
}

// Equal policies under other names of versions: nothing is sent, nothing changes.
TEST_P(Policies, ReloadWithoutAChangeIsSilent) {
  Lab l = lab_with({client_without_rtc(), client_without_rtc()}, {import(0, {"prefer"}), import(0, {"prefer"})});
  l.announce(0, {});
  l.quiet();
  l.sent_since(1);
  l.sim.set_policies(1);
  l.quiet();
  EXPECT_EQ(l.sent_since(1), 0u);
}

// Pitfall 1.25 a: a PE without RT-Constrain, its route targets configured. It is sent what they match and nothing else, and
// those who filter towards the reflector learn that somebody wants them.
TEST_P(Policies, LegacyPeerWithConfiguredTargets) {
  PeerSpec legacy = client_without_rtc();
  legacy.without_rtc_send_all = false;
  legacy.configured_targets = {wire::parse_rt("65000:1").value().value};
  Lab l(GetParam().make(), {client_without_rtc(), legacy, client_with_rtc(), non_client_with_rtc()}, GetParam().shards);
  l.announce(0, {.prefix = "10.0.0.0/24", .rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:2"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "10.0.0.0/24"));
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
  EXPECT_NE(l.rtc_held(2, Lab::membership("65000:1")), nullptr);
  EXPECT_NE(l.rtc_held(3, Lab::membership("65000:1")), nullptr);
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.0.0/24", .rts = {"65000:2"}});
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.0.0/24"));
  EXPECT_TRUE(l.holds(1, "10.0.1.0/24"));
  l.sim.down(1);
  l.quiet();
  EXPECT_EQ(l.rtc_held(2, Lab::membership("65000:1")), nullptr);
}

// Policies on RT membership routes: what the import policy refuses is not heard by the filter and told to nobody.
TEST_P(Policies, ImportRefusesMemberships) {
  policy::Definition refuses = import(1, {"no asking"});
  Lab l = lab_with({client_without_rtc(), client_with_rtc(), client_with_rtc()}, {refuses, definition(), refuses, definition()});
  for (const char* rt : {"65000:1", "65000:2"}) l.join(1, rt);
  l.end_of_rib(1);
  l.end_of_rib(2);
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.2.0/24", .rts = {"65000:2"}});
  auto expect = [&](bool accepted) {
    l.quiet();
    EXPECT_EQ(l.holds(1, "10.0.1.0/24"), accepted);
    EXPECT_TRUE(l.holds(1, "10.0.2.0/24"));
    EXPECT_EQ(l.rtc_held(2, Lab::membership("65000:1")) != nullptr, accepted);
    EXPECT_NE(l.rtc_held(2, Lab::membership("65000:2")), nullptr);
  };
  expect(false);
  l.sim.set_policies(1);  // what was refused is known with its attributes
  expect(true);
  l.sim.set_policies(2);
  expect(false);
  l.sim.set_policies(3);  // what was accepted before is asked for again
  expect(true);
  l.sim.set_policies(0);
  expect(false);
  l.leave(1, Lab::membership("65000:1"));
  l.sim.set_policies(1);
  l.quiet();
  EXPECT_FALSE(l.holds(1, "10.0.1.0/24"));
}

TEST_P(Policies, ExportKeepsMembershipsFromItsGroup) {
  Lab l = lab_with({client_with_rtc(), client_with_rtc(), client_with_rtc()}, {definition(), exported(1, {"no asking"}), definition()});
  for (const char* rt : {"65000:1", "65000:2"}) l.join(0, rt);
  auto expect = [&](bool sent) {
    l.quiet();
    EXPECT_EQ(l.rtc_held(1, Lab::membership("65000:1")) != nullptr, sent);
    EXPECT_NE(l.rtc_held(2, Lab::membership("65000:1")), nullptr);
    EXPECT_NE(l.rtc_held(1, Lab::membership("65000:2")), nullptr);
  };
  expect(true);
  l.sim.set_policies(1);  // the first export policy of the group: its peers part from the others
  expect(false);
  l.sim.set_policies(2);
  expect(true);
}

// Pitfall 1.25 c: a VPN route with the agreed community is a message to the reflector: its route targets are what the PE is sent.
TEST_P(Policies, MarkedRoutes) {
  PeerSpec legacy = client_without_rtc();
  legacy.marker = 0xfde8124c;  // 65000:4684
  Lab l(GetParam().make(), {client_without_rtc(), legacy, client_with_rtc(), client_without_rtc()}, GetParam().shards);
  l.announce(0, {.prefix = "10.0.1.0/24", .rts = {"65000:1"}});
  l.announce(0, {.prefix = "10.0.2.0/24", .rts = {"65000:2"}});
  auto expect = [&](bool one, bool two) {
    l.quiet();
    EXPECT_EQ(l.holds(1, "10.0.1.0/24"), one);
    EXPECT_EQ(l.holds(1, "10.0.2.0/24"), two);
    EXPECT_EQ(l.rtc_held(2, Lab::membership("65000:1")) != nullptr, one);
    EXPECT_EQ(l.rtc_held(2, Lab::membership("65000:2")) != nullptr, two);
  };
  expect(false, false);
  auto mark = [&](const char* prefix, std::vector<std::string> rts) {
    RouteText route{.prefix = prefix, .rts = std::move(rts)};
    PathAttributes attributes = Lab::attributes(route);
    attributes.communities = {0xfde80001, *legacy.marker};
    l.announce(1, route, attributes);
  };
  mark("192.0.2.11/32", {"65000:1"});
  expect(true, false);
  EXPECT_FALSE(l.holds(3, "192.0.2.11/32"));  // never reflected
  mark("192.0.2.11/32", {"65000:1", "65000:2"});
  mark("192.0.2.12/32", {"65000:2"});
  expect(true, true);
  l.withdraw(1, "65000:1", "192.0.2.11/32");
  expect(false, true);
  // Without the community it is a route like others, and no membership any more; and the other way round.
  l.announce(1, {.prefix = "192.0.2.12/32", .rts = {"65000:2"}});
  expect(false, false);
  EXPECT_TRUE(l.holds(3, "192.0.2.12/32"));
  mark("192.0.2.12/32", {"65000:1"});
  expect(true, false);
  EXPECT_FALSE(l.holds(3, "192.0.2.12/32"));
  l.sim.down(1);
  l.quiet();
  EXPECT_EQ(l.rtc_held(2, Lab::membership("65000:1")), nullptr);
}

}  // namespace
}  // namespace helio::test

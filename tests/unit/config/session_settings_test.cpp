// Configuration to session settings: every key that a session needs arrives in it.
#include "rr/config/session_settings.hpp"

#include <gtest/gtest.h>

#include "rr/config/load.hpp"

namespace helio::config {
namespace {

TEST(SessionSettings, CarryGroupNeighborAndRange) {
  auto config = parse_config(R"(
[global]
as = 65000
router-id = "192.0.2.1"
cluster-id = "192.0.2.9"
listen = [{ address = "192.0.2.1" }, { address = "2001:db8::1", port = 1790 }]
[timers]
hold-time = 30
connect-retry = 5
send-hold-time = 60
[rt-constrain]
initial-wait = 20
advertise = "both"
external-paths = 3
[[families]]
name = "l3vpn-ipv4-unicast"
[[families]]
name = "rt-constrain"
without-rtc = "send-none"
[[peer-groups]]
name = "pe"
cluster-id = "192.0.2.10"
ttl-min = 254
bfd = { enabled = true, multiplier = 5 }
graceful-shutdown = "heed"
local-address = "192.0.2.1"
rt-constrain = { advertise = "default" }
[[peer-groups]]
name = "asbr"
peer-as = 65100
multihop = 4
rt-constrain = { external-paths = 2 }
next-hop = "self"
families = ["l3vpn-ipv6-unicast", "l2vpn-evpn"]
[[neighbors]]
address = "192.0.2.2"
peer-group = "pe"
description = "pe two"
remote-port = 1179
passive = true
bfd = { interval = "1s" }
[[neighbors]]
address = "192.0.2.3"
peer-group = "pe"
[[listen-ranges]]
prefix = "2001:db8:1::/48"
peer-group = "asbr"
max-peers = 12
)",
                             "t.toml", "/");
  ASSERT_TRUE(config) << format_problem(config.error()[0]);
  SessionSettings settings = make_session_settings(*config, "rr1.example");

  ASSERT_EQ(settings.listen.size(), 2u);
  EXPECT_EQ(settings.listen[0].port, 179);
  EXPECT_EQ(settings.listen[1].port, 1790);
  ASSERT_EQ(settings.groups.size(), 2u);
  const session::GroupSettings& pe = *settings.groups[0];
  EXPECT_EQ(pe.name, "pe");
  EXPECT_EQ(pe.local_as, 65000u);
  EXPECT_EQ(pe.peer_as, 65000u);
  EXPECT_EQ(pe.router_id, 0xc0000201u);
  EXPECT_EQ(pe.cluster_id, 0xc000020au);
  EXPECT_EQ(pe.role, session::PeerRole::client);
  EXPECT_EQ(pe.hold_time.count(), 30);
  EXPECT_EQ(pe.keepalive_interval.count(), 10);  // a third, when not given
  EXPECT_EQ(pe.connect_retry.count(), 5);
  EXPECT_EQ(pe.send_hold_time.count(), 60);
  EXPECT_EQ(pe.rtc_initial_wait.count(), 20);
  EXPECT_EQ(pe.rtc_advertise, RtcAdvertise::only_default);
  EXPECT_EQ(pe.rtc_external_paths, 3);
  EXPECT_TRUE(settings.groups[1]->families.contains(wire::Family::evpn));
  EXPECT_FALSE(pe.families.contains(wire::Family::evpn));
  EXPECT_EQ(settings.groups[1]->rtc_external_paths, 2);
  EXPECT_FALSE(pe.without_rtc_send_all);
  EXPECT_EQ(pe.ttl_min, 254);
  EXPECT_EQ(pe.hostname, "rr1.example");
  EXPECT_TRUE(pe.families.contains(wire::Family::vpnv4));
  EXPECT_TRUE(pe.families.contains(wire::Family::rtc));
  EXPECT_FALSE(pe.families.contains(wire::Family::vpnv6));

  const session::GroupSettings& asbr = *settings.groups[1];
  EXPECT_EQ(asbr.role, session::PeerRole::external);
  EXPECT_EQ(asbr.multihop, 4);
  EXPECT_TRUE(asbr.next_hop_self);
  EXPECT_EQ(asbr.rtc_advertise, RtcAdvertise::both);
  EXPECT_EQ(asbr.cluster_id, 0xc0000209u);

  ASSERT_EQ(settings.neighbors.size(), 2u);
  EXPECT_EQ(settings.neighbors[0].remote_port, 1179);
  EXPECT_EQ(settings.neighbors[0].description, "pe two");
  EXPECT_TRUE(settings.neighbors[0].group->passive);           // its own
  EXPECT_FALSE(settings.groups[0]->passive);                   // and only its own
  EXPECT_EQ(pe.bfd, (session::BfdSettings{true, std::chrono::milliseconds(300), 5}));
  EXPECT_EQ(settings.neighbors[0].group->bfd, (session::BfdSettings{true, std::chrono::milliseconds(1000), 5}));
  EXPECT_FALSE(asbr.bfd.enabled);
  EXPECT_TRUE(pe.heeds_graceful_shutdown);
  EXPECT_FALSE(asbr.heeds_graceful_shutdown);
  EXPECT_EQ(settings.neighbors[1].group, settings.groups[0]);  // shared where nothing differs
  ASSERT_EQ(settings.listen_ranges.size(), 1u);
  EXPECT_EQ(settings.listen_ranges[0].length, 48);
  EXPECT_EQ(settings.listen_ranges[0].max_peers, 12u);
  EXPECT_EQ(settings.listen_ranges[0].group, settings.groups[1]);
}

// Pitfall 1.25 b, c: what the import policy accepts by name, beside what is listed; the mark.
TEST(SessionSettings, TargetsOfTheImportPolicy) {
  auto config = parse_config(R"([global]
as = 65000
router-id = "10.255.0.1"
[[families]]
name = "l3vpn-ipv4-unicast"
[[families]]
name = "rt-constrain"
without-rtc = "configured"
[[policy.sets]]
name = "vpns"
route-targets = ["65000:1", "65000:2", "64512:*"]
[[policy.statements]]
name = "vpns"
match = { any-route-target-in = "vpns" }
action = "accept"
[[peer-groups]]
name = "pe"
import-policy = ["vpns"]
rt-constrain = { proxy = "import-policy", route-targets = ["65000:1", "65000:9"], marker-community = "65000:4684" }
[[peer-groups]]
name = "plain"
import-policy = ["vpns"]
[[neighbors]]
address = "10.0.0.1"
peer-group = "pe"
[[neighbors]]
address = "10.0.0.2"
peer-group = "pe"
route-targets = ["65000:7"]
[[neighbors]]
address = "10.0.0.3"
peer-group = "plain"
)", "t.toml", "/etc");
  ASSERT_TRUE(config) << format_problem(config.error()[0]);
  auto neighbors = make_session_settings(*config, "rr1").neighbors;
  const session::GroupSettings& group = *neighbors[0].group;
  EXPECT_EQ(group.configured_targets, (std::vector<std::uint64_t>{0x0002fde800000001, 0x0002fde800000009, 0x0002fde800000002}));
  ASSERT_EQ(group.configured_memberships.size(), 1u);
  EXPECT_EQ(wire::format_membership(group.configured_memberships[0]), "65000:0x0002fc00/64");
  EXPECT_EQ(group.memberships_without_rtc().size(), 4u);
  EXPECT_EQ(group.marker_community, 0xfde8124cu);
  EXPECT_TRUE(group.filters_without_rtc());
  EXPECT_EQ(neighbors[1].group->configured_targets, (std::vector<std::uint64_t>{0x0002fde800000007, 0x0002fde800000001, 0x0002fde800000002}));
  EXPECT_TRUE(neighbors[2].group->configured_targets.empty());
  EXPECT_FALSE(neighbors[2].group->marker_community);
}

// Pitfall 1.25 a: the targets of PEs without RT-Constrain, by group and by neighbour.
TEST(SessionSettings, ConfiguredTargets) {
  auto made = [](const std::string& mode) {
    auto config = parse_config("[global]\nas = 65000\nrouter-id = \"10.255.0.1\"\n[[families]]\nname = \"l3vpn-ipv4-unicast\"\n[[families]]\nname = \"rt-constrain\"\nwithout-rtc = \"" +
                                   mode + "\"\n" + R"(
[[peer-groups]]
name = "pe"
rt-constrain = { route-targets = ["65000:1", "192.0.2.1:7"] }
[[neighbors]]
address = "10.0.0.1"
peer-group = "pe"
[[neighbors]]
address = "10.0.0.2"
peer-group = "pe"
route-targets = ["4200000000:5"]
)", "t.toml", "/etc");
    EXPECT_TRUE(config) << format_problem(config.error()[0]);
    return make_session_settings(*config, "rr1").neighbors;
  };
  auto configured = made("configured");
  EXPECT_FALSE(configured[0].group->without_rtc_send_all);
  EXPECT_EQ(configured[0].group->configured_targets, (std::vector<std::uint64_t>{0x0002fde800000001, 0x0102c00002010007}));
  EXPECT_EQ(configured[1].group->configured_targets, (std::vector<std::uint64_t>{0x0202fa56ea000005}));
  EXPECT_TRUE(made("send-all")[0].group->configured_targets.empty());
}

}  // namespace
}  // namespace helio::config

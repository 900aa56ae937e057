#include "rr/wire/negotiate.hpp"

#include <gtest/gtest.h>

namespace helio::wire {
namespace {

constexpr AfiSafi kVpnv4{1, 128};
constexpr AfiSafi kVpnv6{2, 128};
constexpr AfiSafi kRtc{1, 132};

OpenMessage open_with(auto set) {
  OpenMessage open;
  open.set_as(65000);
  open.hold_time = 90;
  open.bgp_identifier = 1;
  open.capabilities.multiprotocol = {kVpnv4, kVpnv6, kRtc};
  set(open.capabilities);
  return open;
}
OpenMessage plain_open() {
  return open_with([](auto&) {});
}

FamilySet set_of(std::initializer_list<Family> families) {
  FamilySet out;
  for (Family family : families) out.insert(family);
  return out;
}

TEST(Negotiate, FamiliesAreTheCommonOnes) {
  OpenMessage remote = open_with([](auto& c) { c.multiprotocol = {{25, 70}, kVpnv4, {1, 1}}; });
  EXPECT_EQ(negotiate(plain_open(), remote).families, set_of({Family::vpnv4}));
}

// RFC 4760 §8.
TEST(Negotiate, NoCapabilityMeansIpv4Unicast) {
  OpenMessage remote = open_with([](auto& c) { c.multiprotocol.clear(); });
  EXPECT_TRUE(negotiate(plain_open(), remote).families.empty());
  OpenMessage local = open_with([](auto& c) { c.multiprotocol = {{1, 1}, kVpnv4}; });
  EXPECT_EQ(negotiate(local, remote).families, set_of({Family::ipv4_unicast}));
}

// RFC 7911 §4: each direction on its own, in negotiated families.
TEST(Negotiate, AddPath) {
  OpenMessage local = open_with([](auto& c) { c.add_path = {{kVpnv4, true, true}, {kVpnv6, true, false}, {{1, 1}, true, true}}; });
  OpenMessage remote = open_with([](auto& c) { c.add_path = {{kVpnv4, false, true}, {kVpnv6, true, true}, {{1, 1}, true, true}}; });
  Negotiated result = negotiate(local, remote);
  EXPECT_EQ(result.add_path_receive, set_of({Family::vpnv4, Family::vpnv6}));
  EXPECT_EQ(result.add_path_send, FamilySet{});
  result = negotiate(remote, local);
  EXPECT_EQ(result.add_path_send, set_of({Family::vpnv4, Family::vpnv6}));
  EXPECT_EQ(result.add_path_receive, FamilySet{});
}

// RFC 8950 §4, wire 2.15.
TEST(Negotiate, ExtendedNextHopNeedsBoth) {
  OpenMessage local = open_with([](auto& c) { c.extended_next_hop = {{kVpnv4, 2}}; });
  EXPECT_EQ(negotiate(local, local).ipv6_next_hop, set_of({Family::vpnv4}));
  EXPECT_EQ(negotiate(local, plain_open()).ipv6_next_hop, FamilySet{});
  OpenMessage odd = open_with([](auto& c) { c.extended_next_hop = {{kVpnv4, 3}}; });
  EXPECT_EQ(negotiate(local, odd).ipv6_next_hop, FamilySet{});
}

// RFC 8654 §3: received where we offered it, sent where both did.
TEST(Negotiate, MessageSizes) {
  OpenMessage offered = open_with([](auto& c) { c.extended_message = true; });
  EXPECT_EQ(negotiate(offered, offered).max_send, kMaxExtendedMessage);
  EXPECT_EQ(negotiate(offered, offered).max_receive, kMaxExtendedMessage);
  EXPECT_EQ(negotiate(offered, plain_open()).max_send, kMaxMessage);
  EXPECT_EQ(negotiate(offered, plain_open()).max_receive, kMaxExtendedMessage);
  EXPECT_EQ(negotiate(plain_open(), offered).max_send, kMaxMessage);
  EXPECT_EQ(negotiate(plain_open(), offered).max_receive, kMaxMessage);
}

TEST(Negotiate, FourOctetAs) {
  OpenMessage old = plain_open();
  old.capabilities.four_octet_as.reset();
  EXPECT_TRUE(negotiate(plain_open(), plain_open()).four_octet_as);
  EXPECT_FALSE(negotiate(plain_open(), old).four_octet_as);
  EXPECT_FALSE(negotiate(old, plain_open()).four_octet_as);
}

// RFC 4271 §4.2, §4.4, §10.
TEST(Negotiate, Timers) {
  struct Row {
    std::uint16_t local, remote, hold, keepalive;
  };
  for (const Row& row : {Row{90, 180, 90, 30}, Row{90, 9, 9, 3}, Row{90, 3, 3, 1}, Row{90, 4, 4, 1}, Row{0, 90, 0, 0}, Row{90, 0, 0, 0}}) {
    OpenMessage local = plain_open();
    OpenMessage remote = plain_open();
    local.hold_time = row.local;
    remote.hold_time = row.remote;
    Negotiated result = negotiate(local, remote);
    EXPECT_EQ(result.hold_time, row.hold);
    EXPECT_EQ(result.keepalive, row.keepalive);
  }
}

TEST(Negotiate, RouteRefresh) {
  OpenMessage refresh = open_with([](auto& c) { c.route_refresh = true; });
  OpenMessage enhanced = open_with([](auto& c) { c.enhanced_route_refresh = true; });
  EXPECT_TRUE(negotiate(plain_open(), refresh).route_refresh);
  EXPECT_TRUE(negotiate(plain_open(), enhanced).route_refresh);
  EXPECT_FALSE(negotiate(refresh, plain_open()).route_refresh);
  EXPECT_TRUE(negotiate(enhanced, enhanced).enhanced_route_refresh);
  EXPECT_FALSE(negotiate(enhanced, refresh).enhanced_route_refresh);
}

// RFC 4724 §3, RFC 8538 §2, RFC 9494 §4.
TEST(Negotiate, GracefulRestart) {
  OpenMessage helper = open_with([](auto& c) {
    c.graceful_restart = GracefulRestart{false, true, 0, {}};
    c.long_lived_graceful_restart = {{{kVpnv4, false, 0}}};
  });
  OpenMessage restarter = open_with([](auto& c) {
    c.graceful_restart = GracefulRestart{true, true, 120, {{kVpnv4, true}, {kRtc, false}, {{25, 70}, true}, {{1, 1}, true}}};
    c.long_lived_graceful_restart = {{{kVpnv4, false, 3600}, {kVpnv6, true, 3600}}};
  });
  Negotiated result = negotiate(helper, restarter);
  EXPECT_TRUE(result.remote_restarting);
  EXPECT_TRUE(result.restart_on_notification);
  EXPECT_EQ(result.restart_time, 120);
  EXPECT_EQ(result.graceful_restart, set_of({Family::vpnv4, Family::rtc}));
  EXPECT_EQ(result.forwarding_preserved, set_of({Family::vpnv4}));
  EXPECT_EQ(result.long_lived, set_of({Family::vpnv4}));
  EXPECT_EQ(result.stale_time[index(Family::vpnv4)], 3600u);
  result = negotiate(plain_open(), restarter);
  EXPECT_TRUE(result.graceful_restart.empty());
  EXPECT_FALSE(result.remote_restarting);
  EXPECT_TRUE(result.long_lived.empty());
}

TEST(Negotiate, UpdateContextFollows) {
  OpenMessage local = open_with([](auto& c) {
    c.add_path = {{kVpnv4, true, false}};
    c.extended_next_hop = {{kVpnv4, 2}};
  });
  OpenMessage remote = open_with([](auto& c) {
    c.add_path = {{kVpnv4, false, true}};
    c.extended_next_hop = {{kVpnv4, 2}};
  });
  UpdateContext context = make_update_context(negotiate(local, remote), true);
  EXPECT_TRUE(context.four_octet_as && context.is_external);
  EXPECT_EQ(context.families, set_of({Family::vpnv4, Family::vpnv6, Family::rtc}));
  EXPECT_EQ(context.add_path_receive, set_of({Family::vpnv4}));
  EXPECT_EQ(context.ipv6_next_hop, set_of({Family::vpnv4}));
}

}  // namespace
}  // namespace helio::wire

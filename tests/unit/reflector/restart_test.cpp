// What restarts, errors and storms look like inside the shards: counts of stale paths, our own start (RFC 4724 §4.1),
// AFI/SAFI disable (RFC 7606 §2, §5.3), the last bad message, shared answers to route refreshes (wire 2.13).
#include "tests/unit/reflector/shards.hpp"

namespace helio::reflector::test {
namespace {

using std::chrono::seconds;
using wire::Family;

session::EstablishedPeer restarting(std::uint32_t id, bool rtc = false) {
  auto peer = Shards::pe(id, Shards::group(), rtc);
  peer.restart_capable = true;
  peer.graceful_restart = peer.forwarding_preserved = peer.families;
  peer.restart_time = seconds(30);
  return peer;
}

class Inside : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Shards, Inside, testing::Values(1u, 3u));

// RFC 4724 §4.2: how many paths are stale is exact at every step.
TEST_P(Inside, StalePathsAreCounted) {
  Shards shards(GetParam());
  shards.up(restarting(0));
  shards.up(Shards::pe(1, Shards::group()));
  shards.announce(0, "65000:1", 0, 100);
  shards.announce(1, "65000:1", 50, 100);
  EXPECT_EQ(shards.stale(0), 0u);
  shards.shard_of(0).on_closed(PeerId(0), session::CloseReason::tcp_closed);
  shards.turns();
  EXPECT_EQ(shards.stale(0), 100u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.stale_paths[0]; }), 100u);
  EXPECT_TRUE(shards.shard_of(0).restarts().state(PeerId(0)).stale.contains(Family::vpnv4));
  shards.up(restarting(0));
  shards.announce(0, "65000:1", 0, 30);
  shards.withdraw(0, "65000:1", 30, 10);
  EXPECT_EQ(shards.stale(0), 60u);
  EXPECT_TRUE(shards.shard_of(0).restarts().state(PeerId(0)).is_back);
  shards.end_of_rib(0, Family::vpnv4);
  EXPECT_EQ(shards.stale(0), 0u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.stale_paths[0]; }), 0u);
  EXPECT_EQ(shards.paths(0), 30u);
  shards.end_of_rib(0, Family::vpnv6);
  EXPECT_TRUE(shards.shard_of(0).restarts().is_empty());
}

// RFC 9494 §4.2: marking keeps the count; it goes by slices.
TEST_P(Inside, LongLivedStalePathsAreCounted) {
  EngineSettings settings;
  settings.rib.purge_entries_per_turn = 7;
  Shards shards(GetParam(), settings);
  auto group = Shards::group();
  group->long_lived_stale_time = seconds(1000);
  auto pe = restarting(0);
  pe.group = group;
  pe.long_lived = wire::FamilySet::of(Family::vpnv4);
  pe.long_lived_time.fill(seconds(100));
  shards.up(pe);
  shards.announce(0, "65000:1", 0, 100);
  shards.shard_of(0).on_closed(PeerId(0), session::CloseReason::tcp_closed);
  shards.turns(100);
  shards.pass(seconds(31));
  shards.turns(100);
  EXPECT_EQ(shards.stale(0), 100u);
  EXPECT_EQ(shards.paths(0), 100u);
  EXPECT_TRUE(shards.shard_of(0).restarts().state(PeerId(0)).long_lived.contains(Family::vpnv4));
  shards.up(pe);
  shards.announce(0, "65000:1", 0, 40);
  EXPECT_EQ(shards.stale(0), 60u);
  shards.end_of_rib(0, Family::vpnv4);
  shards.turns(100);
  EXPECT_EQ(shards.paths(0), 40u);
  EXPECT_EQ(shards.stale(0), 0u);
}

// A number that goes to another address does not inherit what the one before left.
TEST_P(Inside, AnotherNeighbourInheritsNothing) {
  Shards shards(GetParam());
  shards.up(restarting(0, true));
  shards.announce(0, "65000:1", 0, 10);
  shards.join(0, {"65000:1"});
  shards.shard_of(0).on_closed(PeerId(0), session::CloseReason::tcp_closed);
  shards.turns();
  auto other = restarting(0, true);
  other.address = wire::IpAddress::v4(0x0a0000ff);
  shards.up(other);
  EXPECT_EQ(shards.paths(0), 0u);
  EXPECT_EQ(shards.shard_of(0).distribution().membership(PeerId(0))->size(), 0u);
  EXPECT_TRUE(shards.shard(0).rtc()->routes().empty());
}

bool has_end_of_rib(const Shards::Output& output, Family family) {
  std::vector<std::uint8_t> mark;
  wire::encode_end_of_rib(mark, family);
  return std::search(output.bytes.begin(), output.bytes.end(), mark.begin(), mark.end()) != output.bytes.end();
}

// RFC 4724 §4.1: after our start nobody is sent anything before the End-of-RIB of all peers that restart gracefully with
// us; memberships first (RFC 4684 §6).
TEST_P(Inside, OurStartWaitsForEverybody) {
  EngineSettings settings;
  settings.start = {.enabled = true, .restarts = true, .neighbors = 2};
  Shards shards(GetParam(), settings);
  EXPECT_TRUE(shards.shard(0).is_restarting());
  shards.up(restarting(0, true));
  shards.end_of_rib(0, Family::rtc);
  shards.announce(0, "65000:1", 0, 10);
  for (Family f : {Family::vpnv4, Family::vpnv6}) shards.end_of_rib(0, f);
  EXPECT_FALSE(has_end_of_rib(shards.take(0), Family::rtc));  // the second one is not there yet
  shards.up(restarting(1, true));
  shards.join(1, {"65000:1"});
  shards.end_of_rib(1, Family::rtc);
  EXPECT_TRUE(has_end_of_rib(shards.take(0), Family::rtc));
  auto early = shards.take(1);
  EXPECT_TRUE(has_end_of_rib(early, Family::rtc));
  EXPECT_FALSE(has_end_of_rib(early, Family::vpnv4));
  for (Family f : {Family::vpnv4, Family::vpnv6}) shards.end_of_rib(1, f);
  EXPECT_FALSE(shards.shard(0).is_restarting());
  EXPECT_TRUE(has_end_of_rib(shards.take(1), Family::vpnv4));
  EXPECT_TRUE(has_end_of_rib(shards.take(0), Family::vpnv4));
}

// RFC 4724 §4.1: not for those without the capability or with the R bit; not for ever.
TEST_P(Inside, OurStartDoesNotWaitForEver) {
  EngineSettings settings;
  settings.start = {.enabled = true, .restarts = true, .neighbors = 3, .restart_time = seconds(60), .most = seconds(200)};
  Shards shards(GetParam(), settings);
  shards.up(Shards::pe(0, Shards::group()));
  auto also_restarting = restarting(1);
  also_restarting.remote_restarting = true;
  shards.up(also_restarting);
  EXPECT_TRUE(shards.shard(0).is_restarting());
  shards.pass(seconds(59));
  EXPECT_TRUE(shards.shard(0).is_restarting());  // the third neighbour may still come
  shards.pass(seconds(2));
  EXPECT_FALSE(shards.shard(0).is_restarting());
  EXPECT_TRUE(has_end_of_rib(shards.take(0), Family::vpnv4));

  Shards silent(GetParam(), settings);
  for (std::uint32_t pe : {0u, 1u, 2u}) silent.up(restarting(pe));
  silent.pass(seconds(199));
  EXPECT_TRUE(silent.shard(0).is_restarting());
  silent.pass(seconds(2));
  EXPECT_FALSE(silent.shard(0).is_restarting());
}

// A peer that leaves again is not waited for.
TEST_P(Inside, OurStartForgetsThoseWhoLeave) {
  EngineSettings settings;
  settings.start = {.enabled = true, .restarts = true, .neighbors = 2};
  Shards shards(GetParam(), settings);
  shards.up(restarting(0));
  shards.up(restarting(1));
  for (Family f : {Family::vpnv4, Family::vpnv6}) shards.end_of_rib(0, f);
  EXPECT_TRUE(shards.shard(0).is_restarting());
  shards.shard_of(1).on_closed(PeerId(1), session::CloseReason::hard_reset);
  shards.turns();
  EXPECT_FALSE(shards.shard(0).is_restarting());
}

// An UPDATE of VPNv4 whose NLRI ends in the middle of a prefix.
std::vector<std::uint8_t> unreadable(Family family) {
  std::vector<std::uint8_t> bytes, value;
  ByteWriter out(value);
  out.u16(wire::afi_safi(family).afi);
  out.u8(wire::afi_safi(family).safi);
  if (family == Family::rtc) {
    out.u8(4);
    out.u32(0x0a000001);
  } else {
    out.u8(12);
    out.u64(0);
    out.u32(0xc0000201);
  }
  out.u8(0);
  out.u8(112);
  out.u32(1);
  std::vector<std::uint8_t> attributes;
  wire::encode_attribute(attributes, 0x80, wire::attr::mp_reach, value);
  auto rest = Shards::attributes("65000:1");
  attributes.insert(attributes.end(), rest.begin(), rest.end());
  std::size_t start = wire::begin_message(bytes, wire::MessageType::update);
  ByteWriter message(bytes);
  message.u16(0);
  message.u16(static_cast<std::uint16_t>(attributes.size()));
  message.bytes(attributes);
  wire::end_message(bytes, start);
  return bytes;
}

// RFC 7606 §2, RFC 4760 §7: the family is ignored until the session restarts, its routes go; the rest goes on.
TEST_P(Inside, AFamilyThatCannotBeReadIsDisabled) {
  Shards shards(GetParam());
  auto pe = Shards::pe(0, Shards::group());
  shards.up(pe);
  shards.announce(0, "65000:1", 0, 10);
  auto bad = unreadable(Family::vpnv4);
  shards.receive(0, bad);
  EXPECT_FALSE(shards.answer.has_value());
  EXPECT_EQ(shards.paths(0), 0u);
  EXPECT_TRUE(shards.shard_of(0).peer_record(PeerId(0))->disabled.contains(Family::vpnv4));
  shards.announce(0, "65000:1", 0, 10);
  EXPECT_EQ(shards.paths(0), 0u);
  auto disabled = static_cast<std::size_t>(wire::UpdateErrorAction::disable_family);
  EXPECT_EQ(shards.count([&](auto& c) -> auto& { return c.update_errors[disabled][wire::attr::mp_reach]; }), 1u);
  // What was wrong can be looked at, also when the session is gone.
  ASSERT_NE(shards.shard_of(0).trouble(PeerId(0)), nullptr);
  EXPECT_EQ(shards.shard_of(0).trouble(PeerId(0))->message, bad);
  shards.shard_of(0).on_closed(PeerId(0), session::CloseReason::tcp_closed);
  EXPECT_EQ(shards.shard_of(0).trouble(PeerId(0))->message, bad);
  shards.up(pe);
  shards.announce(0, "65000:1", 0, 10);
  EXPECT_EQ(shards.paths(0), 10u);
}

// pitfall 1.14: an RT membership attribute that cannot be read costs neither the session nor what is known.
TEST_P(Inside, AnUnreadableMembershipCostsNothing) {
  Shards shards(GetParam());
  shards.up(Shards::pe(0, Shards::group(), true));
  shards.join(0, {"65000:1"});
  shards.receive(0, unreadable(Family::rtc));
  EXPECT_FALSE(shards.answer.has_value());
  EXPECT_EQ(shards.shard_of(0).distribution().membership(PeerId(0))->size(), 1u);
  shards.join(0, {"65000:2"});
  EXPECT_EQ(shards.shard_of(0).distribution().membership(PeerId(0))->size(), 2u);
}

// wire 2.13: a storm of refreshes is answered with shared output; who asks during a round shares the next one.
TEST_P(Inside, RefreshesShareTheirAnswer) {
  Shards shards(GetParam());
  constexpr std::uint32_t kPeers = 12;
  for (std::uint32_t pe = 0; pe < kPeers; ++pe) shards.up(Shards::pe(pe, Shards::group()));
  shards.announce(0, "65000:1", 0, 200);
  for (std::uint32_t pe = 0; pe < kPeers; ++pe) shards.take(pe);
  // Those of one shard: its output is what they can share.
  auto step = static_cast<std::uint32_t>(shards.count());
  for (int repeat = 0; repeat < 5; ++repeat)
    for (std::uint32_t pe = 0; pe < kPeers; ++pe) shards.shard_of(pe).on_route_refresh(PeerId(pe), {Family::vpnv4, 0});
  shards.turns();
  auto first = shards.take(step);
  ASSERT_FALSE(first.pieces.empty());
  EXPECT_LT(first.bytes.size(), 200u * 40);  // once, not five times
  for (std::uint32_t pe = 2 * step; pe < kPeers; pe += step) EXPECT_EQ(shards.take(pe).pieces, first.pieces) << pe;
}

// A peer that does not read does not keep the others from their refresh.
TEST_P(Inside, ARefreshDoesNotWaitForASlowPeer) {
  EngineSettings settings;
  settings.rib.walk_bytes = 4096;
  Shards shards(GetParam(), settings);
  auto step = static_cast<std::uint32_t>(shards.count());
  for (std::uint32_t pe : {0u, step, 2 * step}) shards.up(Shards::pe(pe, Shards::group()));
  for (std::uint32_t n = 0; n < 20; ++n) {
    shards.announce(0, "65000:" + std::to_string(n), 0, 200);
    for (std::uint32_t pe : {step, 2 * step}) shards.take(pe);
  }
  shards.shard_of(step).on_route_refresh(PeerId(step), {Family::vpnv4, 0});
  shards.turns();
  shards.shard_of(2 * step).on_route_refresh(PeerId(2 * step), {Family::vpnv4, 0});
  std::size_t octets = 0;
  for (int i = 0; i < 300; ++i) {
    shards.pass(std::chrono::milliseconds(50));
    octets += shards.take(2 * step).bytes.size();
  }
  EXPECT_GT(octets, 20u * 200 * 15);
}

}  // namespace
}  // namespace helio::reflector::test

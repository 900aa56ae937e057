// Graceful restart at the session: what OPENs say (RFC 4724 §3, RFC 8538 §2, RFC 9494 §3.1), which endings are restarts,
// Hard Reset both ways (RFC 8538 §3), our own stop and start, and the pause after a prefix limit (RFC 4486 §4).
#include <gmock/gmock.h>

#include "harness.hpp"
#include "rr/session/open_exchange.hpp"

namespace helio::session::test {
namespace {

using wire::Family;

std::shared_ptr<GroupSettings> group_with(bool full, std::chrono::seconds long_lived = 0s) {
  auto group = make_group();
  group->graceful_restart_helper = true;
  group->graceful_restart_full = full;
  group->restart_time = 90s;
  group->long_lived_stale_time = long_lived;
  return group;
}

wire::OpenMessage restarting_open(bool notification) {
  auto open = make_remote_open();
  open.capabilities.graceful_restart.emplace();
  open.capabilities.graceful_restart->notification = notification;
  open.capabilities.graceful_restart->restart_time = 120;
  open.capabilities.graceful_restart->families.push_back({wire::afi_safi(Family::vpnv4), true});
  return open;
}

// RFC 4724 §3: a helper lists no families; RFC 8538 §2: the N bit is always there.
TEST(RestartOpen, AHelperAsksForNothing) {
  auto open = make_open(*group_with(false), Offer{}, true);
  ASSERT_TRUE(open.capabilities.graceful_restart);
  EXPECT_FALSE(open.capabilities.graceful_restart->restarting);
  EXPECT_TRUE(open.capabilities.graceful_restart->notification);
  EXPECT_TRUE(open.capabilities.graceful_restart->families.empty());
  EXPECT_FALSE(open.capabilities.long_lived_graceful_restart);
}

// RFC 4724 §3, §4.1: all families with the F bit, the R bit for as long as we are starting.
TEST(RestartOpen, FullAsksForAllFamilies) {
  auto group = group_with(true);
  for (bool restarting : {true, false}) {
    auto open = make_open(*group, Offer{}, restarting);
    ASSERT_TRUE(open.capabilities.graceful_restart);
    const wire::GracefulRestart& restart = *open.capabilities.graceful_restart;
    EXPECT_EQ(restart.restarting, restarting);
    EXPECT_EQ(restart.restart_time, 90);
    std::size_t families = 0;
    for (Family f : {Family::vpnv4, Family::vpnv6, Family::rtc}) families += group->families.contains(f);
    EXPECT_EQ(restart.families.size(), families);
    for (const auto& entry : restart.families) EXPECT_TRUE(entry.forwarding_preserved);
  }
}

// RFC 9494 §3.1, §4.1: never without the graceful restart capability; not for RT membership; a helper asks for no time.
TEST(RestartOpen, LongLived) {
  for (bool full : {false, true}) {
    auto open = make_open(*group_with(full, 3600s), Offer{});
    ASSERT_TRUE(open.capabilities.long_lived_graceful_restart);
    for (const auto& entry : *open.capabilities.long_lived_graceful_restart) {
      EXPECT_FALSE(entry.family == wire::afi_safi(Family::rtc));
      EXPECT_EQ(entry.forwarding_preserved, full);
      EXPECT_EQ(entry.stale_time, full ? 3600u : 0u);
    }
  }
  Offer refused;
  refused.graceful_restart = false;
  EXPECT_FALSE(make_open(*group_with(true, 3600s), refused).capabilities.long_lived_graceful_restart);
  EXPECT_FALSE(make_open(*make_group(), Offer{}).capabilities.graceful_restart);
}

// RFC 4724 §4, RFC 8538 §4: every reason, with and without the N bit.
TEST(RestartReasons, WhichEndingsAreRestarts) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(CloseReason::count_); ++i) {
    auto reason = static_cast<CloseReason>(i);
    bool lost = reason == CloseReason::tcp_closed || reason == CloseReason::tcp_error;
    bool notified = reason == CloseReason::hold_timer_expired || reason == CloseReason::send_hold_timer_expired ||
                    reason == CloseReason::notification_received || reason == CloseReason::update_error ||
                    reason == CloseReason::header_error || reason == CloseReason::fsm_error || reason == CloseReason::slow_peer;
    EXPECT_EQ(is_restart(reason, false), lost) << close_reason_name(reason);
    EXPECT_EQ(is_restart(reason, true), lost || notified) << close_reason_name(reason);
  }
}

// RFC 8538 §3.1: what is not to be taken for a restart goes out as Hard Reset with the NOTIFICATION inside.
TEST(RestartSession, AnOperatorsResetIsHard) {
  Up up(one_neighbor(group_with(false)), restarting_open(true));
  EXPECT_TRUE(up.sessions.engine().established().at(0).restart_on_notification);
  EXPECT_TRUE(up.sessions.manager.take_down(ip("127.0.0.2"), "gone"));
  EXPECT_EQ(up.remote.receive_notification(),
            wire::make_hard_reset(wire::make_cease(wire::cease::administrative_shutdown, "gone")));
  EXPECT_TRUE(up.closed_with(CloseReason::admin_down));
}

// RFC 8538 §3: only to a peer that has the N bit; RFC 8538 §4: an error is a restart, and goes out as it is.
TEST(RestartSession, NoHardResetWithoutNeed) {
  {
    Up up(one_neighbor(group_with(false)), restarting_open(false));
    EXPECT_TRUE(up.sessions.manager.take_down(ip("127.0.0.2"), "gone"));
    EXPECT_EQ(up.remote.receive_notification(), wire::make_cease(wire::cease::administrative_shutdown, "gone"));
  }
  Up up(one_neighbor(group_with(false)), restarting_open(true));
  up.sessions.engine().answer_updates_with(wire::Notification{3, 1, {}});
  up.remote.send(RawPeer::make_update());
  EXPECT_EQ(up.remote.receive_notification(), (wire::Notification{3, 1, {}}));
}

// RFC 8538 §3: a Hard Reset that comes in ends it for good, any other Cease does not.
TEST(RestartSession, HardResetReceived) {
  {
    Up up(one_neighbor(group_with(false)), restarting_open(true));
    up.remote.send_notification(wire::make_hard_reset(wire::make_cease(wire::cease::administrative_reset)));
    EXPECT_TRUE(up.closed_with(CloseReason::hard_reset));
  }
  Up up(one_neighbor(group_with(false)), restarting_open(true));
  up.remote.send_notification(wire::make_cease(wire::cease::administrative_reset));
  EXPECT_TRUE(up.closed_with(CloseReason::notification_received));
}

// Our own stop with mode full: with the N bit the peer keeps our routes over the NOTIFICATION; without it any
// NOTIFICATION would make it forget them (RFC 4724 §4), so the connection is just closed.
TEST(RestartSession, StoppingInModeFull) {
  {
    Up up(one_neighbor(group_with(true)), restarting_open(true));
    up.sessions.manager.stop("new version", 500ms);
    EXPECT_EQ(up.remote.receive_notification(), wire::make_cease(wire::cease::administrative_shutdown, "new version"));
  }
  Up up(one_neighbor(group_with(true)), restarting_open(false));
  up.sessions.manager.stop("new version", 500ms);
  EXPECT_FALSE(up.remote.receive_notification());
  EXPECT_FALSE(up.remote.timed_out());
}

// RFC 4486 §4: Cease/1 with the family and the limit; nobody gets a session before restart-timer is over, or a clear.
TEST(RestartSession, IdleHoldAfterAPrefixLimit) {
  auto group = make_group();
  group->prefix_limits[wire::index(Family::vpnv4)] = PrefixLimit{.max_prefixes = 10, .action = PrefixLimit::Action::idle_hold, .restart_timer = 1s};
  Up up(one_neighbor(group));
  auto& loop = up.sessions.manager.shard(ShardId(0));
  wire::Notification limit{6, wire::cease::max_prefixes, {0, 1, 128, 0, 0, 0, 10}};
  loop.post([&] { loop.close(PeerId(0), limit, CloseReason::max_prefixes); });
  EXPECT_EQ(up.remote.receive_notification(), limit);
  RawPeer early = RawPeer::connect(ip("127.0.0.2"), up.sessions.endpoint());
  EXPECT_TRUE(early.is_closed_by_peer());
  EXPECT_EQ(up.sessions.peer("127.0.0.2").held, 1s);
  std::this_thread::sleep_for(1100ms);
  RawPeer later = RawPeer::connect(ip("127.0.0.2"), up.sessions.endpoint());
  EXPECT_TRUE(later.handshake(make_remote_open()));
}

TEST(RestartSession, IdleHoldUntilCleared) {
  auto group = make_group();
  group->prefix_limits[wire::index(Family::vpnv4)] = PrefixLimit{.max_prefixes = 10, .action = PrefixLimit::Action::idle_hold, .restart_timer = 0s};
  Up up(one_neighbor(group));
  auto& loop = up.sessions.manager.shard(ShardId(0));
  loop.post([&] { loop.close(PeerId(0), {6, wire::cease::max_prefixes, {0, 1, 128, 0, 0, 0, 10}}, CloseReason::max_prefixes); });
  ASSERT_TRUE(up.remote.receive_notification());
  ASSERT_TRUE(Sessions::eventually([&] { return up.sessions.peer("127.0.0.2").held == std::chrono::seconds::max(); }));
  EXPECT_TRUE(up.sessions.manager.reset(ip("127.0.0.2"), ""));
  RawPeer later = RawPeer::connect(ip("127.0.0.2"), up.sessions.endpoint());
  EXPECT_TRUE(later.handshake(make_remote_open()));
}

// An OPEN that is refused can be looked at.
TEST(RestartSession, ABadOpenIsKept) {
  Sessions sessions(one_neighbor());
  RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  auto open = make_remote_open(0x0a000001, 64999);
  remote.send_open(open);
  EXPECT_TRUE(remote.receive_notification());
  std::vector<std::uint8_t> bytes;
  wire::encode_open(bytes, open);
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer("127.0.0.2").last_bad_message == bytes; }));
}

}  // namespace
}  // namespace helio::session::test

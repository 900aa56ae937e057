// How sessions end, and that what was sent stays well framed until then: errors, commands, slow readers, the last message.
#include <gmock/gmock.h>

#include "harness.hpp"

namespace helio::session::test {
namespace {

// The engine's error ends the session with exactly that NOTIFICATION (RFC 4271 §6.3).
TEST(Session, AnUpdateErrorIsSent) {
  Up up;
  up.sessions.engine().answer_updates_with(wire::Notification{3, 1, {7, 7}});
  up.remote.send(RawPeer::make_update());
  up.remote.send(RawPeer::make_update());  // not handed out any more
  EXPECT_EQ(up.remote.receive_notification(), (wire::Notification{3, 1, {7, 7}}));
  EXPECT_TRUE(up.closed_with(CloseReason::update_error));
  EXPECT_EQ(up.sessions.engine().update_count(), 1u);
  EXPECT_EQ(up.sessions.peer("127.0.0.2").last_notification.rfind("sent: UPDATE Message Error", 0), 0u);
}

TEST(Session, ANotificationFromTheNeighborEndsItWithoutAnAnswer) {
  Up up;
  up.remote.send_notification(wire::make_cease(wire::cease::administrative_shutdown, "bye"));
  EXPECT_TRUE(up.closed_with(CloseReason::notification_received));
  EXPECT_FALSE(up.remote.receive_notification());
  PeerSnapshot snapshot = up.sessions.peer("127.0.0.2");
  EXPECT_EQ(snapshot.last_notification, "received: Cease/Administrative Shutdown: bye");
  EXPECT_EQ(snapshot.flaps, 1u);
}

TEST(Session, AClosedConnectionEndsTheSession) {
  Up up;
  up.remote.close();
  EXPECT_TRUE(up.closed_with(CloseReason::tcp_closed));
}

// SessionControl::close takes effect after the engine's call, with the given NOTIFICATION (RFC 4486).
TEST(Session, TheEngineCanCloseASession) {
  Up up;
  auto& loop = up.sessions.manager.shard(ShardId(0));
  loop.post([&] { loop.close(PeerId(0), wire::make_cease(wire::cease::out_of_resources), CloseReason::slow_peer); });
  auto notification = up.remote.receive_notification();
  ASSERT_TRUE(notification);
  EXPECT_EQ(notification->subcode, wire::cease::out_of_resources);
  EXPECT_TRUE(up.closed_with(CloseReason::slow_peer));
}

// A slow reader: everything arrives, in order, and nothing of ours waits for it. Control messages go between messages.
TEST(Session, LargeOutputToASlowReaderArrivesInOrder) {
  Up up(one_neighbor(), make_remote_open(0x0a000001, 65000, 3));
  std::vector<std::uint8_t> output;
  constexpr std::size_t kMessages = 12'000;
  for (std::size_t i = 0; i < kMessages; ++i) {
    auto update = RawPeer::make_update(1500 + i % 700);
    store_be32(update.data() + 19, static_cast<std::uint32_t>(i));
    output.insert(output.end(), update.begin(), update.end());
  }
  up.queue(output);
  std::this_thread::sleep_for(200ms);  // the socket buffers fill up; the rest waits in the engine
  EXPECT_TRUE(up.sessions.engine().has_output(PeerId(0)));
  std::vector<std::uint8_t> refresh;
  wire::encode_route_refresh(refresh, wire::Family::vpnv4, wire::RouteRefresh::Subtype::request);
  auto& loop = up.sessions.manager.shard(ShardId(0));
  loop.post([&loop, refresh] { loop.send_message(PeerId(0), refresh); });
  std::size_t next = 0;
  bool refreshed = false;
  while (next < kMessages) {
    if (next % 1000 == 0) up.remote.send_keepalive();
    auto message = up.remote.receive();
    ASSERT_TRUE(message);
    if (message->type == wire::MessageType::route_refresh) {
      refreshed = true;
      EXPECT_EQ(message->bytes, refresh);
    }
    if (message->type != wire::MessageType::update) continue;
    ASSERT_EQ(load_be32(message->bytes.data() + 19), next);
    ASSERT_EQ(message->bytes.size(), 1500 + next % 700);
    ++next;
  }
  EXPECT_TRUE(refreshed) << "the control message was sent between two UPDATEs";
  EXPECT_TRUE(up.sessions.engine().closed().empty());
}

// A NOTIFICATION never lands inside a message that was begun.
TEST(Session, NotificationAfterAPartialWriteIsFramed) {
  for (int round = 0; round < 5; ++round) {
    Up up;
    std::vector<std::uint8_t> output;
    for (int i = 0; i < 4000; ++i) {
      auto update = RawPeer::make_update(4001);
      output.insert(output.end(), update.begin(), update.end());
    }
    up.queue(output);
    std::this_thread::sleep_for(100ms);
    // Some room, so that the socket takes a little more but ends within a message; then the session is closed.
    for (int i = 0; i < 20 + round; ++i) ASSERT_TRUE(up.remote.receive());
    std::this_thread::sleep_for(20ms);
    EXPECT_TRUE(up.sessions.manager.reset(ip("127.0.0.2"), "test"));
    // Best effort: the NOTIFICATION may not fit. But what does arrive is whole messages to the end, then maybe it.
    while (auto message = up.remote.receive(2000ms)) {
      if (message->type == wire::MessageType::notification) break;
      ASSERT_EQ(message->bytes.size(), 4001u);
    }
    EXPECT_FALSE(up.remote.timed_out());
    EXPECT_TRUE(up.closed_with(CloseReason::admin_reset));
  }
}

// RFC 9687: a neighbour that takes nothing for send-hold-time is closed.
TEST(Session, SendHoldTimerExpires) {
  auto group = make_group();
  group->send_hold_time = 1s;
  Up up(one_neighbor(group));
  std::vector<std::uint8_t> output;
  for (int i = 0; i < 5000; ++i) {
    auto update = RawPeer::make_update(4000);
    output.insert(output.end(), update.begin(), update.end());
  }
  up.queue(output);
  EXPECT_TRUE(up.closed_with(CloseReason::send_hold_timer_expired));
  EXPECT_EQ(up.sessions.peer("127.0.0.2").last_notification, "sent: Send Hold Timer Expired");
}

// RFC 9003 text on the way down; reset comes back, take_down stays down until bring_up.
TEST(Session, AdministrativeCommands) {
  Up up;
  EXPECT_TRUE(up.sessions.manager.take_down(ip("127.0.0.2"), "maintenance"));
  auto notification = up.remote.receive_notification();
  ASSERT_TRUE(notification);
  EXPECT_EQ(*notification, wire::make_cease(wire::cease::administrative_shutdown, "maintenance"));
  EXPECT_TRUE(up.closed_with(CloseReason::admin_down));
  RawPeer refused = RawPeer::connect(ip("127.0.0.2"), up.sessions.endpoint());
  EXPECT_TRUE(refused.is_closed_by_peer());
  EXPECT_TRUE(up.sessions.peer("127.0.0.2").admin_down);
  EXPECT_TRUE(up.sessions.manager.bring_up(ip("127.0.0.2")));
  RawPeer again = RawPeer::connect(ip("127.0.0.2"), up.sessions.endpoint());
  EXPECT_TRUE(again.handshake(make_remote_open()));
  EXPECT_FALSE(up.sessions.manager.take_down(ip("127.9.9.9"), ""));
}

// The end of the daemon: Cease/Administrative Shutdown to all, bounded.
TEST(Session, StopTellsEveryNeighbor) {
  Up up;
  std::thread stopping([&] { up.sessions.manager.stop("good night", 2000ms); });
  EXPECT_EQ(up.remote.receive_notification(), wire::make_cease(wire::cease::administrative_shutdown, "good night"));
  auto start = std::chrono::steady_clock::now();
  up.remote.close();
  stopping.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1000ms);
  EXPECT_TRUE(up.closed_with(CloseReason::shutdown));
}

}  // namespace
}  // namespace helio::session::test

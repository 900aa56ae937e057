// What the shards count for telemetry, and the two ways in which all new connections are refused: rate and memory.
#include <gmock/gmock.h>

#include "harness.hpp"
#include "rr/session/token_bucket.hpp"

namespace helio::session::test {
namespace {

using telemetry::Direction;
using wire::MessageType;

// One neighbour, and counters that the test reads.
struct Counted {
  explicit Counted(SessionSettings settings = one_neighbor()) : sessions(std::move(settings)) {}
  telemetry::ShardCounters& counters() { return sessions.manager.shard(ShardId(0)).counters(); }
  std::uint64_t messages(Direction direction, MessageType type) {
    return counters().messages[static_cast<std::size_t>(direction)][static_cast<std::size_t>(type)].get();
  }
  std::uint64_t bytes(Direction direction, MessageType type) {
    return counters().bytes[static_cast<std::size_t>(direction)][static_cast<std::size_t>(type)].get();
  }
  std::uint64_t closes(CloseReason reason) { return counters().session_closes[static_cast<std::size_t>(reason)].get(); }
  RawPeer come_up() {
    RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
    std::size_t before = sessions.engine().established_count();
    EXPECT_TRUE(remote.handshake(make_remote_open()));
    EXPECT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == before + 1; }));
    return remote;
  }
  Sessions sessions;
};

TEST(Counting, MessagesAndOctetsByDirectionAndType) {
  Counted c;
  RawPeer remote = c.come_up();
  remote.send(RawPeer::make_update(100));
  remote.send(RawPeer::make_update(50));
  ASSERT_TRUE(Sessions::eventually([&] { return c.messages(Direction::in, MessageType::update) == 2; }));
  EXPECT_EQ(c.bytes(Direction::in, MessageType::update), 150u);
  EXPECT_EQ(c.messages(Direction::in, MessageType::open), 1u);
  EXPECT_EQ(c.messages(Direction::in, MessageType::keepalive), 1u);
  EXPECT_EQ(c.bytes(Direction::in, MessageType::keepalive), 19u);
  EXPECT_EQ(c.messages(Direction::out, MessageType::open), 1u);
  EXPECT_GE(c.bytes(Direction::out, MessageType::open), 29u);
  EXPECT_GE(c.messages(Direction::out, MessageType::keepalive), 1u);
  c.sessions.manager.shard(ShardId(0)).call([&] {
    c.sessions.engine().queue(PeerId(0), RawPeer::make_update(300));
    return 0;
  });
  ASSERT_TRUE(remote.receive_beyond_keepalives());
  EXPECT_TRUE(Sessions::eventually([&] { return c.bytes(Direction::out, MessageType::update) == 300; }));
}

TEST(Counting, NotificationsAndTheReasonOfTheEnd) {
  Counted c;
  RawPeer remote = c.come_up();
  remote.send_notification(wire::make_cease(wire::cease::administrative_reset));
  ASSERT_TRUE(Sessions::eventually([&] { return c.closes(CloseReason::notification_received) == 1; }));
  EXPECT_EQ(c.counters().notifications[0][6][wire::cease::administrative_reset].get(), 1u);
  EXPECT_EQ(c.messages(Direction::in, MessageType::notification), 1u);

  RawPeer again = c.come_up();
  ASSERT_TRUE(c.sessions.manager.take_down(ip("127.0.0.2"), "maintenance"));
  EXPECT_EQ(c.closes(CloseReason::admin_down), 1u);
  EXPECT_EQ(c.counters().notifications[1][6][wire::cease::administrative_shutdown].get(), 1u);
  EXPECT_EQ(c.messages(Direction::out, MessageType::notification), 1u);
  EXPECT_EQ(c.bytes(Direction::out, MessageType::notification), 21u + 1 + std::string_view("maintenance").size());
}

// A session that ends before it is Established counts once, too.
TEST(Counting, OpeningSessions) {
  Counted c;
  RawPeer remote = RawPeer::connect(ip("127.0.0.2"), c.sessions.endpoint());
  ASSERT_TRUE(remote.receive());  // its OPEN
  remote.close();
  EXPECT_TRUE(Sessions::eventually([&] { return c.closes(CloseReason::tcp_closed) + c.closes(CloseReason::tcp_error) == 1; }));
  EXPECT_EQ(c.sessions.manager.shard(ShardId(0)).call([&] { return c.sessions.engine().closed().size(); }), 0u);
}

TEST(Counting, BusyTimeGrowsWithWorkOnly) {
  Counted c;
  ShardLoop& loop = c.sessions.manager.shard(ShardId(0));
  auto before = loop.busy_time();
  loop.call([] {
    auto until = std::chrono::steady_clock::now() + 30ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    return 0;
  });
  auto after = loop.busy_time();
  EXPECT_GT(after, before);
  std::this_thread::sleep_for(100ms);
  EXPECT_LT(loop.busy_time() - after, 50ms);
}

TEST(TokenBucket, ABurstOfOneSecondThenTheRate) {
  TokenBucket bucket(10);
  TokenBucket::TimePoint start{1h};
  int taken = 0;
  for (int i = 0; i < 50; ++i) taken += bucket.take(start);
  EXPECT_EQ(taken, 10);
  EXPECT_FALSE(bucket.take(start + 90ms));
  EXPECT_TRUE(bucket.take(start + 110ms));
  for (taken = 0; bucket.take(start + 10s);) ++taken;
  EXPECT_EQ(taken, 10) << "a long pause saves up one second's worth, no more";
  TokenBucket unlimited(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(unlimited.take(start));
}

// security.session-rate
TEST(Refusing, ConnectionsAboveTheRate) {
  SessionSettings settings = one_neighbor();
  settings.session_rate = 2;
  Counted c(std::move(settings));
  std::vector<RawPeer> remotes;
  for (int i = 0; i < 6; ++i) remotes.push_back(RawPeer::connect(ip("127.0.0.2"), c.sessions.endpoint()));
  ASSERT_TRUE(Sessions::eventually([&] { return c.sessions.manager.accept_counters().accepted == 6; }));
  EXPECT_GE(c.sessions.manager.accept_counters().over_rate, 3u);
  EXPECT_FALSE(remotes.back().receive(2000ms));
  EXPECT_FALSE(remotes.back().timed_out()) << "closed quietly";
}

// HOSTILE-INPUT §3, connection flood: what is closed without a session is counted by its reason.
TEST(Refusing, SilentConnectionsThatMakeRoomForTheirOwnAddress) {
  Counted c;
  auto refused = [&](telemetry::Refused reason) { return c.counters().refused[static_cast<std::size_t>(reason)].get(); };
  std::vector<RawPeer> silent;
  for (int i = 0; i < 5; ++i) silent.push_back(RawPeer::connect(ip("127.0.0.2"), c.sessions.endpoint()));
  ASSERT_TRUE(Sessions::eventually([&] { return refused(telemetry::Refused::superseded) == 4; }));
  RawPeer opening = RawPeer::connect(ip("127.0.0.2"), c.sessions.endpoint());
  opening.send_open(make_remote_open());
  ASSERT_TRUE(opening.receive(2000ms)) << "its OPEN is answered";
  ASSERT_TRUE(opening.receive(2000ms));
  RawPeer late = RawPeer::connect(ip("127.0.0.2"), c.sessions.endpoint());
  EXPECT_FALSE(late.receive(2000ms));
  EXPECT_EQ(refused(telemetry::Refused::busy), 1u);
  EXPECT_EQ(refused(telemetry::Refused::superseded), 5u);
  EXPECT_EQ(refused(telemetry::Refused::held), 0u);
  c.sessions.manager.take_down(ip("127.0.0.2"), "");
  RawPeer unwanted = RawPeer::connect(ip("127.0.0.2"), c.sessions.endpoint());
  EXPECT_FALSE(unwanted.receive(2000ms));
  EXPECT_EQ(refused(telemetry::Refused::held), 1u);
}

// runtime.memory-limit: at 90 %
TEST(Refusing, NewSessionsWhileMemoryIsShort) {
  SessionSettings settings = one_neighbor();
  settings.neighbors.push_back(make_neighbor("127.0.0.3", make_group()));
  Counted c(std::move(settings));
  RawPeer up = c.come_up();
  c.sessions.manager.refuse_sessions(true);
  RawPeer late = RawPeer::connect(ip("127.0.0.3"), c.sessions.endpoint());
  EXPECT_FALSE(late.receive(2000ms));
  EXPECT_FALSE(late.timed_out());
  EXPECT_EQ(c.sessions.manager.accept_counters().out_of_memory, 1u);
  EXPECT_EQ(c.sessions.peer("127.0.0.2").state, fsm::State::established) << "those that are up stay";
  c.sessions.manager.refuse_sessions(false);
  RawPeer welcome = RawPeer::connect(ip("127.0.0.3"), c.sessions.endpoint());
  EXPECT_TRUE(welcome.handshake(make_remote_open(0x0a000003)));
}

// … and our own connections to neighbours.
TEST(Refusing, OurConnectionsToo) {
  auto listening = open_listener({ip("127.0.0.3"), 0});
  ASSERT_TRUE(listening);
  auto group = make_group();
  group->passive = false;
  SessionSettings settings;
  settings.limits.idle_hold_first = 50ms;
  settings.limits.idle_hold_most = 50ms;
  settings.neighbors.push_back(make_neighbor("127.0.0.3", group));
  settings.neighbors[0].remote_port = local_port_of(*listening);
  settings.neighbors[0].admin_down = true;
  Counted c(std::move(settings));
  c.sessions.manager.refuse_sessions(true);
  ASSERT_TRUE(c.sessions.manager.bring_up(ip("127.0.0.3")));
  std::this_thread::sleep_for(300ms);
  EXPECT_LT(::accept4(*listening, nullptr, nullptr, SOCK_NONBLOCK), 0);
  EXPECT_THAT(c.sessions.peer("127.0.0.3").last_error, testing::HasSubstr("new sessions are refused"));
  c.sessions.manager.refuse_sessions(false);
  int fd = -1;
  EXPECT_TRUE(Sessions::eventually([&] { return (fd = ::accept4(*listening, nullptr, nullptr, SOCK_NONBLOCK)) >= 0; }));
  if (fd >= 0) ::close(fd);
  ::close(*listening);
}

// runtime.memory-limit: at 100 %. RFC 4486 §4: Out of Resources.
TEST(Refusing, SheddingASession) {
  Counted c;
  RawPeer remote = c.come_up();
  c.sessions.manager.refuse_sessions(true);
  ASSERT_TRUE(c.sessions.manager.shed(ip("127.0.0.2")));
  auto notification = remote.receive_notification();
  ASSERT_TRUE(notification);
  EXPECT_EQ(notification->code, 6);
  EXPECT_EQ(notification->subcode, wire::cease::out_of_resources);
  EXPECT_EQ(c.closes(CloseReason::out_of_resources), 1u);
  remote.close();
  RawPeer again = RawPeer::connect(ip("127.0.0.2"), c.sessions.endpoint());
  EXPECT_FALSE(again.receive(2000ms));
  EXPECT_FALSE(again.timed_out()) << "it stays away while memory is short";
  c.sessions.manager.refuse_sessions(false);
  RawPeer back = c.come_up();
  EXPECT_FALSE(c.sessions.manager.shed(ip("127.0.0.9")));
}

}  // namespace
}  // namespace helio::session::test

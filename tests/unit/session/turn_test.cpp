// The shard loop's turns: bounds, fairness, wake-ups; and the pure parts beside the FSM: offers and the directory.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <unistd.h>

#include "harness.hpp"

namespace helio::session::test {
namespace {

using fsm::State;

SessionSettings neighbors(std::initializer_list<const char*> addresses, std::shared_ptr<GroupSettings> group = make_group()) {
  SessionSettings settings;
  for (const char* address : addresses) settings.neighbors.push_back(make_neighbor(address, group));
  return settings;
}

RawPeer come_up(Sessions& sessions, const char* from, std::uint32_t router_id = 0x0a000001) {
  RawPeer remote = RawPeer::connect(ip(from), sessions.endpoint());
  EXPECT_TRUE(remote.handshake(make_remote_open(router_id)));
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer(from).state == State::established; }));
  return remote;
}

// A lone UPDATE goes through in one turn: no latency timer.
TEST(Turn, AnUpdateIsPassedOnAtOnce) {
  Sessions sessions(neighbors({"127.0.0.2", "127.0.0.3"}));
  sessions.engine().set_echo_to_all(true);
  RawPeer from = come_up(sessions, "127.0.0.2"), to = come_up(sessions, "127.0.0.3", 0x0a000002);
  std::vector<std::chrono::microseconds> times;
  for (std::uint8_t i = 0; i < 50; ++i) {
    auto start = std::chrono::steady_clock::now();
    from.send(RawPeer::make_update(60, i));
    auto message = to.receive_beyond_keepalives();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->bytes, RawPeer::make_update(60, i));
    times.push_back(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start));
  }
  std::sort(times.begin(), times.end());
  std::printf("UPDATE through a shard: median %d us\n", static_cast<int>(times[25].count()));
}

// DESIGN §2: a turn is bounded in staged output bytes, and what is read is spread over the peers.
TEST(Turn, ReadingStopsAtTheBoundAndGoesRound) {
  Sessions sessions(neighbors({"127.0.0.2", "127.0.0.3"}));
  sessions.engine().set_keep_updates(false);
  sessions.engine().set_staged_per_update(64 << 10);  // 16 UPDATEs are 1 MiB, 256 are 16 MiB
  RawPeer a = come_up(sessions, "127.0.0.2"), b = come_up(sessions, "127.0.0.3", 0x0a000002);
  sessions.engine().set_may_read(false);
  std::vector<std::uint8_t> stream;
  for (int i = 0; i < 600; ++i) {
    auto update = RawPeer::make_update(1000);
    stream.insert(stream.end(), update.begin(), update.end());
  }
  std::thread other([&] { b.send(stream); });
  a.send(stream);
  other.join();
  sessions.engine().set_may_read(true);
  sessions.manager.control(ShardId(0)).wake();
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.engine().update_count() == 1200; }));
  // One read of 256 KiB holds at most 262 of these; the bound is looked at between reads.
  EXPECT_LE(sessions.engine().most_updates_in_a_turn(), 256u + 263u);
  EXPECT_LE(sessions.engine().most_updates_in_a_row(), 2 * 263u);
}

// TurnResult::wake_at: the loop sleeps until then.
TEST(Turn, WakesAtTheTimeTheEngineNames) {
  Sessions sessions(neighbors({"127.0.0.2"}));
  sessions.engine().set_wake_at(std::chrono::steady_clock::now() + 150ms);
  sessions.manager.control(ShardId(0)).wake();
  std::this_thread::sleep_for(50ms);
  std::size_t before = sessions.engine().turns();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(sessions.engine().turns(), before) << "nothing to do: no turns";
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.engine().turns() > before; }, 300ms));
}

// While UPDATEs are left in the sockets, handshakes and keepalives of others go on.
TEST(Turn, HandshakesGoOnWhileReadingIsPaused) {
  Sessions sessions(neighbors({"127.0.0.2", "127.0.0.3"}));
  RawPeer busy = come_up(sessions, "127.0.0.2");
  sessions.engine().set_may_read(false);
  busy.send(RawPeer::make_update());
  RawPeer fresh = come_up(sessions, "127.0.0.3", 0x0a000002);
  EXPECT_EQ(sessions.engine().update_count(), 0u);
  sessions.engine().set_may_read(true);
  sessions.manager.control(ShardId(0)).wake();
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.engine().update_count() == 1; }));
}

TEST(Turn, Ipv6Sessions) {
  int probe = ::socket(AF_INET6, SOCK_STREAM, 0);
  SocketAddress loopback = to_socket_address(ip("::1"), 0);
  bool works = probe >= 0 && ::bind(probe, loopback.get(), loopback.length) == 0;
  if (probe >= 0) ::close(probe);
  if (!works) GTEST_SKIP() << "no IPv6 loopback here";
  SessionSettings settings = neighbors({"::1"});
  settings.listen.push_back({ip("::1"), 0});
  Sessions sessions(std::move(settings));
  int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
  SocketAddress to = to_socket_address(ip("::1"), sessions.endpoint().port);
  ASSERT_EQ(::connect(fd, to.get(), to.length), 0);
  RawPeer remote = RawPeer::adopt(fd);
  EXPECT_TRUE(remote.handshake(make_remote_open()));
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer("::1").state == State::established; }));
  EXPECT_EQ(sessions.engine().established().at(0).local_address, ip("::1"));
}

std::shared_ptr<GroupSettings> near_group() {
  auto group = make_group();
  group->ttl_min = 255;
  return group;
}

// RFC 5082 §3: packets with a lower TTL never reach the session.
TEST(Turn, GtsmIgnoresNeighborsFromAfar) {
  Sessions sessions(neighbors({"127.0.0.2"}, near_group()));
  EXPECT_FALSE(RawPeer::can_connect(ip("127.0.0.2"), sessions.endpoint(), 254));
  RawPeer near = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint(), 255);
  EXPECT_TRUE(near.handshake(make_remote_open()));
  // What comes from afar later, on a connection that is up.
  int ttl = 64;
  ::setsockopt(near.fd(), IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
  near.send(Bytes(std::array<std::uint8_t, 19>{}));  // would be a header error
  EXPECT_FALSE(near.receive(300ms));
  EXPECT_TRUE(near.timed_out());
}

// RFC 5082 §3: the listening socket must take those of the other group, the one with GTSM does not. A reload changes both.
TEST(Turn, GtsmBesideAGroupWithout) {
  SessionSettings settings = neighbors({"127.0.0.2"}, near_group());
  settings.neighbors.push_back(make_neighbor("127.0.0.3", make_group()));
  Sessions sessions(settings);
  RawPeer afar = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint(), 254);
  EXPECT_FALSE(afar.receive(2000ms));  // closed, no OPEN of ours
  EXPECT_FALSE(afar.timed_out());
  RawPeer other = RawPeer::connect(ip("127.0.0.3"), sessions.endpoint(), 254);
  EXPECT_TRUE(other.handshake(make_remote_open()));
  settings.neighbors.pop_back();
  ASSERT_TRUE(sessions.manager.reconfigure(settings));
  EXPECT_FALSE(RawPeer::can_connect(ip("127.0.0.2"), sessions.endpoint(), 254));
  settings.neighbors[0].group = make_group();
  ASSERT_TRUE(sessions.manager.reconfigure(settings));
  EXPECT_TRUE(RawPeer::can_connect(ip("127.0.0.2"), sessions.endpoint(), 254));
}

// RFC 4271 §4.2: hold time 0 means neither hold timer nor keepalives.
TEST(Turn, HoldTimeZero) {
  SessionSettings settings = neighbors({"127.0.0.2"});
  settings.limits.open_wait = 500ms;  // must not go on running in Established
  Sessions sessions(std::move(settings));
  RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  ASSERT_TRUE(remote.handshake(make_remote_open(0x0a000001, 65000, 0)));
  EXPECT_FALSE(remote.receive(1200ms));
  EXPECT_TRUE(remote.timed_out());
  EXPECT_EQ(sessions.peer("127.0.0.2").state, State::established);
  EXPECT_EQ(sessions.peer("127.0.0.2").hold_time, 0s);
}

// Before the session is up it does not count: who sends such an OPEN and then nothing frees its address again.
TEST(Turn, HoldTimeZeroDoesNotHoldOpenConfirm) {
  SessionSettings settings = neighbors({"127.0.0.2"});
  settings.limits.open_wait = 300ms;
  Sessions sessions(std::move(settings));
  RawPeer dead = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  dead.send_open(make_remote_open(0x0a000001, 65000, 0));
  ASSERT_EQ(dead.receive()->type, wire::MessageType::open);
  ASSERT_EQ(dead.receive()->type, wire::MessageType::keepalive);  // OpenConfirm
  EXPECT_EQ(dead.receive_notification(), (wire::Notification{4, 0, {}}));
  EXPECT_TRUE(dead.is_closed_by_peer());
  RawPeer next = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  EXPECT_TRUE(next.handshake(make_remote_open()));
}

// A neighbour that is not there is tried again and again, with pauses that do not shrink below idle hold.
TEST(Turn, RetriesWithPauses) {
  auto listening = open_listener({ip("127.0.0.3"), 0});
  ASSERT_TRUE(listening);
  auto group = make_group();
  group->passive = false;
  SessionSettings settings = neighbors({"127.0.0.3"}, group);
  settings.neighbors[0].remote_port = local_port_of(*listening);
  settings.limits.idle_hold_first = 100ms;
  settings.limits.idle_hold_most = 400ms;
  Sessions sessions(std::move(settings));
  std::vector<TimePoint> tries;
  auto until = std::chrono::steady_clock::now() + 2500ms;
  while (std::chrono::steady_clock::now() < until) {
    int fd = ::accept4(*listening, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      std::this_thread::sleep_for(2ms);
      continue;
    }
    tries.push_back(std::chrono::steady_clock::now());
    RawPeer remote = RawPeer::adopt(fd);
    remote.send_open(make_remote_open(0x0a000001, 65099));  // Bad Peer AS
    EXPECT_TRUE(remote.receive_notification());
  }
  ::close(*listening);
  ASSERT_GE(tries.size(), 5u);
  EXPECT_LE(tries.size(), 12u);
  // 100, 200, 400, 400, … ms, each times 0.75 to 1.
  EXPECT_GE(tries[1] - tries[0], 70ms);
  EXPECT_GE(tries[2] - tries[1], 145ms);
  for (std::size_t i = 3; i < tries.size(); ++i) EXPECT_GE(tries[i] - tries[i - 1], 295ms);
  EXPECT_EQ(sessions.peer("127.0.0.3").last_close, CloseReason::open_rejected);
}

// --- pure parts -------------------------------------------------------------------------------------------------------

TEST(OfferTest, OnlyWhatWasRefusedIsLeftOut) {
  Offer less = Offer{}.without_refused({2, 7, {wire::capability::extended_message, 0, wire::capability::graceful_restart, 2, 0, 120}});
  EXPECT_EQ(less, (Offer{.extended_message = false, .graceful_restart = false}));
  Offer none{false, false, false, false, false, false};
  EXPECT_EQ(Offer{}.without_refused({2, 7, {}}), none);
  EXPECT_EQ(Offer{}.without_refused({2, 7, {1, 4, 0, 1, 0, 128}}), none);  // names what we cannot do without
  EXPECT_EQ(Offer{}.without_refused({2, 7, {73}}), none);                  // cut short
  EXPECT_EQ(Offer{}.without_refused({2, 4, {}}), none);
}

TEST(DirectoryTest, LongestRangeAndStableIds) {
  auto wide = make_group(), narrow = make_group();
  Directory directory(100);
  directory.set_ranges({{ip("10.0.0.0"), 8, 5, wide}, {ip("10.1.0.0"), 17, 5, narrow}, {ip("2001:db8::"), 33, 5, wide}});
  EXPECT_EQ(directory.range_of(ip("10.1.127.255"))->group, narrow);
  EXPECT_EQ(directory.range_of(ip("10.1.128.0"))->group, wide);
  EXPECT_EQ(directory.range_of(ip("11.0.0.0")), nullptr);
  EXPECT_NE(directory.range_of(ip("2001:db8:7fff::1")), nullptr);
  EXPECT_EQ(directory.range_of(ip("2001:db8:8000::1")), nullptr);
  EXPECT_EQ(directory.add(make_neighbor("10.9.9.9", narrow)).id, PeerId(0));
  auto first = directory.admit(ip("10.0.0.1"));
  EXPECT_EQ(first.verdict, Directory::Verdict::created);
  EXPECT_EQ(first.entry->id, PeerId(1));
  EXPECT_EQ(directory.admit(ip("10.0.0.1")).verdict, Directory::Verdict::known);
  EXPECT_EQ(directory.admit(ip("10.9.9.9")).entry->id, PeerId(0));  // a neighbour before any range
  EXPECT_EQ(directory.admit(ip("12.0.0.1")).verdict, Directory::Verdict::stranger);
}

TEST(DirectoryTest, AFullRangeForgetsOneThatIsDownElseDropsThePendingOne) {
  Directory directory(100);
  directory.set_ranges({{ip("10.0.0.0"), 8, 2, make_group()}});
  auto a = directory.admit(ip("10.0.0.1")), b = directory.admit(ip("10.0.0.2"));
  ASSERT_TRUE(a.entry && b.entry);
  a.entry->status->phase = Phase::established;
  b.entry->status->phase = Phase::established;
  EXPECT_EQ(directory.admit(ip("10.0.0.3")).verdict, Directory::Verdict::range_full);
  b.entry->status->phase = Phase::pending;
  auto crowded = directory.admit(ip("10.0.0.3"));
  EXPECT_EQ(crowded.verdict, Directory::Verdict::make_room);
  EXPECT_EQ(crowded.to_drop, PeerId(1));
  b.entry->status->phase = Phase::down;
  auto c = directory.admit(ip("10.0.0.3"));
  EXPECT_EQ(c.verdict, Directory::Verdict::created);
  EXPECT_EQ(c.entry->id, PeerId(1));
  EXPECT_EQ(directory.find(ip("10.0.0.2")), nullptr);
  EXPECT_EQ(directory.size(), 2u);
}

}  // namespace
}  // namespace helio::session::test

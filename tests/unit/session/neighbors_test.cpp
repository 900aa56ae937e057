// Neighbours as a whole: collisions, dynamic neighbours, floods of connections, reload, TCP options, many at once.
#include <gmock/gmock.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "harness.hpp"
#include "rr/base/log.hpp"

namespace helio::session::test {
namespace {

using fsm::State;

SessionSettings with_range(const char* prefix, std::uint8_t length, std::uint32_t max_peers,
                           std::shared_ptr<const GroupSettings> group = make_group()) {
  SessionSettings settings;
  settings.ranges.push_back({ip(prefix), length, max_peers, std::move(group)});
  return settings;
}

std::string address_in(unsigned a, unsigned b, unsigned i) {
  return fmt::format("127.{}.{}.{}", a, b + i / 250, 1 + i % 250);
}

// --- RFC 4271 §6.8 --------------------------------------------------------------------------------------------------

// Both connections exist: ours reaches the neighbour's listening socket, the neighbour's reaches ours.
class Collision : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listening = open_listener({ip("127.0.0.3"), 0});
    ASSERT_TRUE(listening);
    listening_ = *listening;
    auto group = make_group();
    group->passive = false;
    group->local_address = ip("127.0.0.1");
    SessionSettings settings;
    settings.neighbors.push_back(make_neighbor("127.0.0.3", group));
    settings.neighbors[0].remote_port = local_port_of(listening_);
    sessions_ = std::make_unique<Sessions>(std::move(settings));
    int fd = -1;
    ASSERT_TRUE(Sessions::eventually([&] { return (fd = ::accept4(listening_, nullptr, nullptr, 0)) >= 0; }));
    ours_ = RawPeer::adopt(fd);
    theirs_ = RawPeer::connect(ip("127.0.0.3"), sessions_->endpoint());
    ASSERT_TRUE(ours_.receive() && theirs_.receive());  // an OPEN on both
  }
  void TearDown() override {
    sessions_.reset();
    ::close(listening_);
  }
  // OPEN on the first, then on the second connection; the survivor is the one that `expect_ours` says.
  void collide(std::uint32_t remote_id, RawPeer& first, RawPeer& second, bool expect_ours) {
    first.send_open(make_remote_open(remote_id));
    ASSERT_EQ(first.receive()->type, wire::MessageType::keepalive);  // OpenConfirm
    second.send_open(make_remote_open(remote_id));
    RawPeer& winner = expect_ours ? ours_ : theirs_;
    RawPeer& loser = expect_ours ? theirs_ : ours_;
    EXPECT_EQ(loser.receive_notification(), wire::make_cease(wire::cease::collision));
    EXPECT_TRUE(loser.is_closed_by_peer());
    winner.send_keepalive();
    EXPECT_TRUE(Sessions::eventually([&] { return sessions_->engine().established_count() == 1; }));
    std::this_thread::sleep_for(50ms);
    EXPECT_TRUE(sessions_->engine().closed().empty());
    EXPECT_EQ(sessions_->engine().established_count(), 1u);
  }
  int listening_ = -1;
  std::unique_ptr<Sessions> sessions_;
  RawPeer ours_, theirs_;
};

constexpr std::uint32_t kLower = 0x0a000001, kHigher = 0x0affffff;  // than our 10.255.0.1

TEST_F(Collision, HigherLocalIdentifierKeepsOurConnectionExisting) { collide(kLower, ours_, theirs_, true); }
TEST_F(Collision, HigherLocalIdentifierKeepsOurConnectionNew) { collide(kLower, theirs_, ours_, true); }
TEST_F(Collision, HigherRemoteIdentifierKeepsItsConnectionExisting) { collide(kHigher, theirs_, ours_, false); }
TEST_F(Collision, HigherRemoteIdentifierKeepsItsConnectionNew) { collide(kHigher, ours_, theirs_, false); }

// §6.8: "a connection collision with an existing BGP connection that is in the Established state causes closing of the
// newly created connection".
TEST_F(Collision, AnEstablishedSessionStays) {
  ours_.send_open(make_remote_open(kHigher));
  ours_.send_keepalive();
  ASSERT_TRUE(Sessions::eventually([&] { return sessions_->engine().established_count() == 1; }));
  EXPECT_EQ(theirs_.receive_notification(), wire::make_cease(wire::cease::collision));
  RawPeer late = RawPeer::connect(ip("127.0.0.3"), sessions_->endpoint());
  late.send_open(make_remote_open(kHigher));
  EXPECT_EQ(late.receive_notification(), wire::make_cease(wire::cease::collision));
  EXPECT_TRUE(sessions_->engine().closed().empty());
}

// RFC 4724 §4.2: with graceful restart the new connection means that the old one is dead.
TEST(Neighbors, ANewConnectionReplacesARestartingNeighborsSession) {
  auto group = make_group();
  group->graceful_restart_helper = true;
  SessionSettings settings;
  settings.neighbors.push_back(make_neighbor("127.0.0.2", group));
  Sessions sessions(std::move(settings));
  auto open = make_remote_open();
  open.capabilities.graceful_restart.emplace();
  open.capabilities.graceful_restart->restart_time = 120;
  open.capabilities.graceful_restart->families.push_back({wire::afi_safi(wire::Family::vpnv4), true});
  RawPeer old = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  ASSERT_TRUE(old.handshake(open));
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 1; }));
  EXPECT_TRUE(sessions.engine().established().at(0).graceful_restart.contains(wire::Family::vpnv4));
  open.capabilities.graceful_restart->restarting = true;
  RawPeer fresh = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  ASSERT_TRUE(fresh.handshake(open));
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 2; }));
  EXPECT_TRUE(old.is_closed_by_peer());
  auto closed = sessions.engine().closed();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].reason, CloseReason::tcp_closed);
  EXPECT_TRUE(sessions.engine().established().at(0).remote_restarting);
}

// --- listen ranges --------------------------------------------------------------------------------------------------

TEST(Neighbors, DynamicNeighborsKeepTheirIdAndTheLongestRangeCounts) {
  SessionSettings settings = with_range("127.1.0.0", 16, 10);
  auto special = make_group();
  special->name = "special";
  settings.ranges.push_back({ip("127.1.2.0"), 24, 10, special});
  Sessions sessions(std::move(settings));
  auto session = [&](const char* from) {
    RawPeer remote = RawPeer::connect(ip(from), sessions.endpoint());
    EXPECT_TRUE(remote.handshake(make_remote_open()));
    EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer(from).state == State::established; }));
    return remote;
  };
  RawPeer first = session("127.1.0.1");
  RawPeer second = session("127.1.2.1");
  EXPECT_EQ(sessions.peer("127.1.0.1").group, "pe");
  EXPECT_EQ(sessions.peer("127.1.2.1").group, "special");
  PeerId id = sessions.peer("127.1.0.1").peer;
  first.close();
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer("127.1.0.1").state < State::open_sent; }));
  RawPeer third = session("127.1.0.2");
  RawPeer back = session("127.1.0.1");
  EXPECT_EQ(sessions.peer("127.1.0.1").peer, id);
  EXPECT_TRUE(sessions.peer("127.1.0.1").dynamic);
  EXPECT_NE(sessions.peer("127.1.0.2").peer, id);
}

TEST(Neighbors, MaxPeersHoldsAndGivesWay) {
  Sessions sessions(with_range("127.1.0.0", 16, 2));
  auto connect = [&](const char* from) { return RawPeer::connect(ip(from), sessions.endpoint()); };
  RawPeer first = connect("127.1.0.1"), second = connect("127.1.0.2");
  ASSERT_TRUE(first.handshake(make_remote_open()) && second.handshake(make_remote_open()));
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 2; }));
  RawPeer third = connect("127.1.0.3");
  EXPECT_FALSE(third.receive());  // nothing is sent to it
  EXPECT_FALSE(third.timed_out());
  EXPECT_EQ(sessions.manager.accept_counters().range_full, 1u);
  // One that went down gives way, and takes its id with it.
  PeerId freed = sessions.peer("127.1.0.1").peer;
  first.close();
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.peer("127.1.0.1").state < State::open_sent; }));
  RawPeer again = connect("127.1.0.3");
  EXPECT_TRUE(again.handshake(make_remote_open()));
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer("127.1.0.3").state == State::established; }));
  EXPECT_EQ(sessions.peer("127.1.0.3").peer, freed);
}

TEST(Neighbors, StrangersAreClosedWithoutAWord) {
  Sessions sessions(with_range("127.1.0.0", 16, 2));
  RawPeer stranger = RawPeer::connect(ip("127.9.0.1"), sessions.endpoint());
  EXPECT_FALSE(stranger.receive());
  EXPECT_FALSE(stranger.timed_out());
  EXPECT_EQ(sessions.manager.accept_counters().strangers, 1u);
}

// HOSTILE-INPUT §3, connection flood: silent connections make room for a neighbour that speaks.
TEST(Neighbors, SilentConnectionsOfARangeMakeRoom) {
  Sessions sessions(with_range("127.1.0.0", 16, 50));
  std::vector<RawPeer> silent;
  for (unsigned i = 0; i < 500; ++i) silent.push_back(RawPeer::connect(ip(address_in(1, 0, i).c_str()), sessions.endpoint()));
  RawPeer good = RawPeer::connect(ip("127.1.100.1"), sessions.endpoint());
  EXPECT_TRUE(good.handshake(make_remote_open()));
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 1; }));
  EXPECT_GE(sessions.manager.accept_counters().pending_dropped, 400u);
  EXPECT_LE(sessions.manager.peers().size(), 50u);
}

TEST(Neighbors, SilentConnectionsFromOneAddressDoNotLockItOut) {
  Sessions sessions(with_range("127.1.0.0", 16, 50));
  std::vector<RawPeer> silent;
  for (unsigned i = 0; i < 500; ++i) silent.push_back(RawPeer::connect(ip("127.1.0.1"), sessions.endpoint()));
  RawPeer good = RawPeer::connect(ip("127.1.0.1"), sessions.endpoint());
  EXPECT_TRUE(good.handshake(make_remote_open()));
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 1; }));
}

TEST(Neighbors, ThePendingLimitDropsTheOldest) {
  SessionSettings settings = with_range("127.1.0.0", 16, 1000);
  settings.max_pending = 20;
  Sessions sessions(std::move(settings));
  RawPeer oldest = RawPeer::connect(ip("127.1.0.1"), sessions.endpoint());
  std::vector<RawPeer> silent;
  for (unsigned i = 1; i <= 20; ++i) silent.push_back(RawPeer::connect(ip(address_in(1, 0, i).c_str()), sessions.endpoint()));
  auto notification = oldest.receive_notification();
  ASSERT_TRUE(notification);
  EXPECT_EQ(notification->subcode, wire::cease::out_of_resources);
  EXPECT_EQ(sessions.manager.accept_counters().pending_dropped, 1u);
  EXPECT_TRUE(silent.back().handshake(make_remote_open()));
}

// --- reload -----------------------------------------------------------------------------------------------------------

TEST(Neighbors, ReconfigureTouchesOnlyWhatChanged) {
  SessionSettings settings;
  auto group = make_group();
  for (const char* address : {"127.0.0.2", "127.0.0.3", "127.0.0.4"}) settings.neighbors.push_back(make_neighbor(address, group));
  Sessions sessions(settings);
  std::vector<RawPeer> remotes;
  for (const char* address : {"127.0.0.2", "127.0.0.3", "127.0.0.4"}) {
    remotes.push_back(RawPeer::connect(ip(address), sessions.endpoint()));
    ASSERT_TRUE(remotes.back().handshake(make_remote_open()));
  }
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 3; }));
  auto longer = std::make_shared<GroupSettings>(*group);
  longer->hold_time = 180s;
  settings.neighbors[0].description = "kept";
  settings.neighbors[1].group = longer;
  settings.neighbors.pop_back();
  settings.neighbors.push_back(make_neighbor("127.0.0.5", group));
  ASSERT_TRUE(sessions.manager.reconfigure(settings));
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer("127.0.0.3").needs_reset; }));
  EXPECT_EQ(sessions.peer("127.0.0.3").state, State::established) << "another hold time waits for the next session";
  ASSERT_TRUE(sessions.manager.reconfigure(settings, true));
  EXPECT_EQ(remotes[1].receive_notification(), wire::make_cease(wire::cease::other_configuration_change));
  EXPECT_EQ(remotes[2].receive_notification(), wire::make_cease(wire::cease::peer_deconfigured));
  RawPeer added = RawPeer::connect(ip("127.0.0.5"), sessions.endpoint());
  EXPECT_TRUE(added.handshake(make_remote_open()));
  RawPeer removed = RawPeer::connect(ip("127.0.0.4"), sessions.endpoint());
  EXPECT_FALSE(removed.receive());
  EXPECT_EQ(sessions.peer("127.0.0.2").state, State::established);
  EXPECT_EQ(sessions.peer("127.0.0.2").description, "kept");
  EXPECT_EQ(sessions.peer("127.0.0.4").description, "");
  EXPECT_EQ(sessions.engine().closed().size(), 2u);
}

// --- TCP options ------------------------------------------------------------------------------------------------------

int int_option(int fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  ::getsockopt(fd, level, option, &value, &length);
  return value;
}

TEST(Sockets, SessionOptions) {
  auto group = make_group();
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_TRUE(apply_session_options(fd, *group, false));
  EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TTL), 255);
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TOS), 0xc0);  // CS6
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_MINTTL), 0);
  group->role = PeerRole::external;
  ASSERT_TRUE(apply_session_options(fd, *group, false));
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TTL), 1);
  group->multihop = 5;
  ASSERT_TRUE(apply_session_options(fd, *group, false));
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TTL), 5);
  group->ttl_min = 254;  // RFC 5082
  ASSERT_TRUE(apply_session_options(fd, *group, false));
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TTL), 255);
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_MINTTL), 254);
  ::close(fd);
}

TEST(Sockets, AddressesBothWays) {
  for (const char* text : {"192.0.2.7", "2001:db8::7"}) {
    SocketAddress address = to_socket_address(ip(text), 1790);
    std::uint16_t port = 0;
    EXPECT_EQ(from_socket_address(address.storage, &port), ip(text));
    EXPECT_EQ(port, 1790);
  }
  EXPECT_EQ(from_socket_address(to_socket_address(ip("::ffff:192.0.2.7"), 1).storage), ip("192.0.2.7"));
}

// A connection without and with the TCP-MD5 key (RFC 2385), for a neighbour and for a listen range.
class Md5 : public ::testing::Test {
 protected:
  void SetUp() override {
    int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    bool works = set_md5_key(fd, ip("127.0.0.2"), kHost, "x").has_value();
    ::close(fd);
    if (!works) GTEST_SKIP() << "this kernel has no TCP-MD5";
  }
  // A handshake from `from` with `password`; false when no connection comes about within a second.
  static bool can_connect(const char* from, const Secret& password, const ListenEndpoint& to) {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SocketAddress local = to_socket_address(ip(from), 0), remote = to_socket_address(to.address, to.port);
    EXPECT_EQ(::bind(fd, local.get(), local.length), 0);
    if (!password.empty()) {
      EXPECT_TRUE(set_md5_key(fd, to.address, kHost, password));
    }
    (void)::connect(fd, remote.get(), remote.length);
    RawPeer peer = RawPeer::adopt(fd);
    auto open = peer.receive(700ms);
    return open && open->type == wire::MessageType::open;
  }
};

TEST_F(Md5, KeysOfNeighborsAndRanges) {
  auto secret = make_group(), shared = make_group();
  secret->auth_password = "correct horse";
  shared->auth_password = "battery staple";
  SessionSettings settings = with_range("127.1.0.0", 16, 10, shared);
  settings.neighbors.push_back(make_neighbor("127.0.0.2", secret));
  settings.neighbors.push_back(make_neighbor("127.0.0.3", make_group()));
  Sessions sessions(settings);
  EXPECT_TRUE(can_connect("127.0.0.2", "correct horse", sessions.endpoint()));
  EXPECT_FALSE(can_connect("127.0.0.2", "", sessions.endpoint()));
  EXPECT_FALSE(can_connect("127.0.0.2", "wrong", sessions.endpoint()));
  EXPECT_TRUE(can_connect("127.0.0.3", "", sessions.endpoint()));
  EXPECT_TRUE(can_connect("127.1.7.1", "battery staple", sessions.endpoint()));
  EXPECT_FALSE(can_connect("127.1.7.2", "", sessions.endpoint()));
  // A reload that takes the key away lets the neighbour in without one.
  settings.neighbors[0].group = make_group();
  ASSERT_TRUE(sessions.manager.reconfigure(settings));
  EXPECT_TRUE(can_connect("127.0.0.2", "", sessions.endpoint()));
}

// RFC 2385 §4.5 leaves it to us: of a neighbour's key and those of ranges around it the longest counts, also within /0.
TEST_F(Md5, TheLongestPrefixCounts) {
  auto keyed = [](const char* password) {
    auto group = make_group();
    group->auth_password = password;
    return group;
  };
  SessionSettings settings = with_range("0.0.0.0", 0, 10, keyed("everybody"));
  settings.ranges.push_back({ip("127.1.0.0"), 16, 10, keyed("some")});
  settings.neighbors.push_back(make_neighbor("127.1.0.2", keyed("one")));
  Sessions sessions(settings);
  EXPECT_TRUE(can_connect("127.1.0.2", "one", sessions.endpoint()));
  EXPECT_FALSE(can_connect("127.1.0.2", "some", sessions.endpoint()));
  EXPECT_TRUE(can_connect("127.1.0.3", "some", sessions.endpoint()));
  EXPECT_FALSE(can_connect("127.1.0.4", "everybody", sessions.endpoint()));
  EXPECT_TRUE(can_connect("127.2.0.1", "everybody", sessions.endpoint()));
  EXPECT_FALSE(can_connect("127.2.0.2", "", sessions.endpoint()));
  // A reload gives another key to the range and takes the neighbour's away: then the range's is the longest.
  settings.ranges[1].group = keyed("others");
  settings.neighbors.clear();
  ASSERT_TRUE(sessions.manager.reconfigure(settings));
  EXPECT_TRUE(can_connect("127.1.0.2", "others", sessions.endpoint()));
  EXPECT_FALSE(can_connect("127.1.0.5", "some", sessions.endpoint()));
}

// RFC 5925. Where the kernel has it, both ends must have the key; where not, the start says what is missing.
TEST(TcpAo, WorksOrSaysWhatIsMissing) {
  auto group = make_group();
  group->auth_password = "correct horse";
  group->auth_method = AuthMethod::tcp_ao;
  group->auth_key_id = 7;
  SessionSettings settings = one_neighbor(group);
  if (!kernel_has_tcp_ao()) {
    settings.listen.push_back({ip("127.0.0.1"), 0});
    SessionManager manager(settings);
    FakeEngine engine;
    Engine* engines[] = {&engine};
    auto started = manager.start(engines);
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error(), testing::HasSubstr("TCP-AO, which this kernel does not have: it takes Linux 6.7"));
    EXPECT_THAT(started.error(), testing::Not(testing::HasSubstr("horse")));
    return;
  }
  Sessions sessions(settings);
  auto connects = [&](std::optional<SessionKey> key) {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SocketAddress local = to_socket_address(ip("127.0.0.2"), 0), remote = to_socket_address(sessions.endpoint().address, sessions.endpoint().port);
    EXPECT_EQ(::bind(fd, local.get(), local.length), 0);
    if (key) {
      EXPECT_TRUE(set_session_key(fd, sessions.endpoint().address, kHost, *key));
    }
    (void)::connect(fd, remote.get(), remote.length);
    return RawPeer::adopt(fd).receive(700ms).has_value();
  };
  EXPECT_TRUE(connects(SessionKey{AuthMethod::tcp_ao, 7, "correct horse"}));
  EXPECT_FALSE(connects(SessionKey{AuthMethod::tcp_ao, 7, "wrong"}));
  EXPECT_FALSE(connects(SessionKey{AuthMethod::tcp_ao, 8, "correct horse"}));
  EXPECT_FALSE(connects(std::nullopt));
}

// A neighbour with a local-address reaches us there and nowhere else; a range likewise.
TEST(Neighbors, OnlyTheLocalAddressIsTheRightOne) {
  auto here = make_group(), elsewhere = make_group();
  here->local_address = ip("127.0.0.1");
  elsewhere->local_address = ip("127.0.0.99");
  SessionSettings settings = with_range("127.1.0.0", 16, 10, elsewhere);
  settings.neighbors.push_back(make_neighbor("127.0.0.2", here));
  settings.neighbors.push_back(make_neighbor("127.0.0.3", elsewhere));
  Sessions sessions(settings);
  EXPECT_TRUE(RawPeer::connect(ip("127.0.0.2"), sessions.endpoint()).handshake(make_remote_open()));
  for (const char* wrong : {"127.0.0.3", "127.1.0.1"}) {
    RawPeer refused = RawPeer::connect(ip(wrong), sessions.endpoint());
    EXPECT_TRUE(refused.is_closed_by_peer()) << wrong;
  }
  EXPECT_EQ(sessions.manager.accept_counters().wrong_address, 2u);
  EXPECT_EQ(sessions.manager.peers().size(), 2u) << "no dynamic neighbour was made";
}

// --- many -------------------------------------------------------------------------------------------------------------

// MEASUREMENTS §4, S3: a thousand sessions. No timed assertion; the time is printed.
TEST(Neighbors, AThousandSessionsOnTwoShards) {
  constexpr unsigned kPeers = 1000;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 3 * kPeers) {
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4 * kPeers);
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (files.rlim_cur < 3 * kPeers) GTEST_SKIP() << "not enough descriptors";
  SessionSettings settings = with_range("127.1.0.0", 16, 2000);
  settings.shards = 2;
  Sessions sessions(std::move(settings));
  spdlog::set_level(spdlog::level::warn);
  auto start = std::chrono::steady_clock::now();
  std::vector<RawPeer> remotes;
  for (unsigned i = 0; i < kPeers; ++i) {
    remotes.push_back(RawPeer::connect(ip(address_in(1, 0, i).c_str()), sessions.endpoint()));
    remotes.back().send_open(make_remote_open(0x0a000001 + i));
    remotes.back().send_keepalive();
  }
  auto count = [&] { return sessions.engine(0).established_count() + sessions.engine(1).established_count(); };
  EXPECT_TRUE(Sessions::eventually([&] { return count() == kPeers; }, 20'000ms));
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  RecordProperty("sessions_up_ms", static_cast<int>(took.count()));
  std::printf("%u sessions up in %d ms\n", kPeers, static_cast<int>(took.count()));
  EXPECT_EQ(sessions.engine(0).established_count(), kPeers / 2);  // id % shards
  EXPECT_EQ(sessions.manager.peers().size(), kPeers);
  spdlog::set_level(spdlog::level::info);
}

}  // namespace
}  // namespace helio::session::test

// BFD beside BGP sessions: the service with real sockets on loopback, against a neighbour that is a bfd::Session of its own.
#include <gmock/gmock.h>
#include <netinet/in.h>

#include "harness.hpp"
#include "rr/session/sockets.hpp"

namespace helio::session::test {
namespace {

std::shared_ptr<GroupSettings> bfd_group() {
  auto group = make_group();
  group->bfd = {true, 100ms, 3};
  return group;
}

SessionSettings with_bfd(std::uint16_t port, std::shared_ptr<GroupSettings> group = bfd_group()) {
  SessionSettings settings = one_neighbor(std::move(group));
  settings.bfd_port = port;  // one for each test: they may run side by side
  return settings;
}

// The neighbour's end, on 127.0.0.2; serve() for as long as it shall be alive.
class BfdNeighbor {
 public:
  explicit BfdNeighbor(std::uint16_t port, const char* address = "127.0.0.2")
      : port_(port), session_({100ms, 3}, 4711, 1, std::chrono::steady_clock::now()) {
    auto receiver = open_bfd_receiver(ip(address), port);
    auto sender = open_bfd_sender(ip(address), 5);
    EXPECT_TRUE(receiver && sender);
    receiver_ = receiver.value_or(-1);
    sender_ = sender.value_or(-1);
  }
  ~BfdNeighbor() {
    ::close(receiver_);
    ::close(sender_);
  }
  void serve_for(std::chrono::milliseconds time) {
    serve_until([] { return false; }, time);
  }
  bool serve_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = 5000ms) {
    auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      if (condition()) return true;
      step();
      std::this_thread::sleep_for(5ms);
    }
    return condition();
  }
  void step() {
    auto now = std::chrono::steady_clock::now();
    std::array<std::uint8_t, 256> buffer;
    wire::IpAddress from;
    int ttl = 0;
    for (ssize_t size; (size = receive_bfd(receiver_, buffer, from, ttl)) >= 0;) {
      EXPECT_EQ(ttl, 255);
      EXPECT_EQ(from, ip("127.0.0.1"));
      auto packet = bfd::decode(Bytes(buffer.data(), static_cast<std::size_t>(size)));
      ASSERT_TRUE(packet);
      ++received_;
      if (!is_deaf_) session_.on_packet(*packet, now);
      last_ = *packet;
    }
    session_.run(now);
    for (const bfd::ControlPacket& packet : session_.take_packets()) send(bfd::encode(packet));
  }
  void send(std::span<const std::uint8_t> bytes, int ttl = 255) {
    ::setsockopt(sender_, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    SocketAddress to = to_socket_address(ip("127.0.0.1"), port_);
    EXPECT_EQ(::sendto(sender_, bytes.data(), bytes.size(), 0, to.get(), to.length), static_cast<ssize_t>(bytes.size()));
  }
  bool is_up() const { return session_.state() == bfd::State::up; }
  void shut_down() { session_.shut_down(std::chrono::steady_clock::now()); }
  void set_deaf(bool deaf) { is_deaf_ = deaf; }
  unsigned received() const { return received_; }
  const bfd::ControlPacket& last() const { return last_; }

 private:
  std::uint16_t port_;
  bfd::Session session_;
  int receiver_ = -1, sender_ = -1;
  bool is_deaf_ = false;
  unsigned received_ = 0;
  bfd::ControlPacket last_;
};

// RFC 5883: up beside the session, shown with what was negotiated. RFC 9384: down closes it with Cease/BFD Down.
TEST(Bfd, AFailureClosesTheSession) {
  Up up(with_bfd(47841));
  BfdNeighbor neighbor(47841);
  ASSERT_TRUE(neighbor.serve_until([&] { return neighbor.is_up() && up.sessions.peer("127.0.0.2").bfd->state == bfd::State::up; }));
  neighbor.serve_for(600ms);
  PeerSnapshot shown = up.sessions.peer("127.0.0.2");
  EXPECT_EQ(shown.bfd->remote_state, bfd::State::up);
  EXPECT_EQ(shown.bfd->remote_discriminator, 4711u);
  EXPECT_EQ(shown.bfd->transmit_interval, 100ms);
  EXPECT_EQ(shown.bfd->detection_time, 300ms);
  EXPECT_GT(shown.bfd->packets_in, 3u);
  EXPECT_TRUE(shown.bfd->error.empty());
  EXPECT_TRUE(up.sessions.engine().closed().empty());
  // Silence.
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(up.remote.receive_notification(), wire::make_cease(wire::cease::bfd_down));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1500ms);
  EXPECT_TRUE(up.closed_with(CloseReason::bfd_down));
  shown = up.sessions.peer("127.0.0.2");
  EXPECT_EQ(shown.last_notification, "sent: Cease/BFD Down");
  EXPECT_FALSE(shown.bfd);
}

// The path works in one direction only: the neighbour says Down.
TEST(Bfd, TheNeighborsDownClosesTheSession) {
  Up up(with_bfd(47842));
  BfdNeighbor neighbor(47842);
  ASSERT_TRUE(neighbor.serve_until([&] { return up.sessions.peer("127.0.0.2").bfd->state == bfd::State::up; }));
  neighbor.set_deaf(true);
  EXPECT_TRUE(neighbor.serve_until([&] { return !up.sessions.engine().closed().empty(); }));
  EXPECT_TRUE(up.closed_with(CloseReason::bfd_down));
}

// RFC 5882 §3.2: AdminDown is no failure of the path; nor is a neighbour that never speaks BFD.
TEST(Bfd, OnlyALossAfterUpClosesTheSession) {
  Up up(with_bfd(47843));
  {
    BfdNeighbor neighbor(47843);
    ASSERT_TRUE(neighbor.serve_until([&] { return up.sessions.peer("127.0.0.2").bfd->state == bfd::State::up; }));
    neighbor.shut_down();
    neighbor.serve_for(400ms);
    EXPECT_EQ(up.sessions.peer("127.0.0.2").bfd->remote_state, bfd::State::admin_down);
  }
  std::this_thread::sleep_for(3500ms);  // the neighbour's AdminDown packets have ended, their detection time too
  EXPECT_EQ(up.sessions.peer("127.0.0.2").bfd->state, bfd::State::down);
  EXPECT_TRUE(up.sessions.engine().closed().empty());
}

// The session's own end says AdminDown, so that the neighbour does not take it for a failure.
TEST(Bfd, TheEndIsAdminDown) {
  Up up(with_bfd(47844));
  BfdNeighbor neighbor(47844);
  ASSERT_TRUE(neighbor.serve_until([&] { return neighbor.is_up(); }));
  EXPECT_TRUE(up.sessions.manager.take_down(ip("127.0.0.2"), ""));
  ASSERT_TRUE(neighbor.serve_until([&] { return neighbor.last().state == bfd::State::admin_down; }));
  EXPECT_EQ(neighbor.last().diagnostic, bfd::Diagnostic::administratively_down);
  EXPECT_TRUE(up.closed_with(CloseReason::admin_down));
}

// What is malformed, from elsewhere, for nobody or from too far away changes nothing, and is counted.
TEST(Bfd, StrayPacketsAreDiscarded) {
  auto group = bfd_group();
  group->bfd.interval = 300ms;
  group->ttl_min = 250;
  SessionSettings settings = with_bfd(47845, group);
  Sessions sessions(settings);
  RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint(), 255);
  ASSERT_TRUE(remote.handshake(make_remote_open()));
  BfdNeighbor neighbor(47845), stranger(47845, "127.0.0.9");
  ASSERT_TRUE(neighbor.serve_until([&] { return neighbor.is_up(); }));
  std::uint64_t before = sessions.manager.bfd_counters().discarded;
  bfd::ControlPacket down;  // would take the session down
  down.my_discriminator = 4711;
  down.your_discriminator = neighbor.last().my_discriminator;
  stranger.send(bfd::encode(down));
  neighbor.send(bfd::encode(down), 249);
  down.your_discriminator ^= 1;
  neighbor.send(bfd::encode(down));
  down.your_discriminator ^= 1;
  auto bytes = bfd::encode(down);
  bytes[0] = 0x40;
  neighbor.send(bytes);
  neighbor.send(std::span(bytes).first(7));
  neighbor.serve_for(300ms);
  EXPECT_EQ(sessions.manager.bfd_counters().discarded - before, 5u);
  EXPECT_EQ(sessions.peer("127.0.0.2").bfd->state, bfd::State::up);
  EXPECT_TRUE(sessions.engine().closed().empty());
}

// A reload that turns it on, changes and turns it off leaves the session alone.
TEST(Bfd, FollowsTheConfiguration) {
  SessionSettings settings = with_bfd(47846, make_group());
  Up up(settings);
  BfdNeighbor neighbor(47846);
  neighbor.serve_for(200ms);
  EXPECT_FALSE(up.sessions.peer("127.0.0.2").bfd);
  EXPECT_EQ(neighbor.received(), 0u);
  auto reconfigure = [&](BfdSettings bfd) {
    auto group = make_group();
    group->bfd = bfd;
    settings.neighbors[0].group = group;
    ASSERT_TRUE(up.sessions.manager.reconfigure(settings));
  };
  reconfigure({true, 100ms, 3});
  EXPECT_TRUE(neighbor.serve_until([&] { return neighbor.is_up(); }));
  reconfigure({true, 250ms, 4});
  EXPECT_TRUE(neighbor.serve_until([&] { return neighbor.last().detect_multiplier == 4 && neighbor.last().desired_min_tx == 250ms && !neighbor.last().poll; }));
  EXPECT_TRUE(neighbor.is_up());
  reconfigure({});
  EXPECT_TRUE(neighbor.serve_until([&] { return neighbor.last().state == bfd::State::admin_down; }));
  EXPECT_TRUE(up.sessions.engine().closed().empty());
}

// A port that somebody else has: said, and the session lives on.
TEST(Bfd, WithoutASocketSaysSo) {
  auto taken = open_bfd_receiver(ip("127.0.0.1"), 47847);
  ASSERT_TRUE(taken);
  Up up(with_bfd(47847));
  EXPECT_TRUE(Sessions::eventually([&] {
    auto bfd = up.sessions.peer("127.0.0.2").bfd;
    return bfd && bfd->error == "bind (BFD): Address already in use";
  }));
  EXPECT_TRUE(up.sessions.engine().closed().empty());
  ::close(*taken);
}

}  // namespace
}  // namespace helio::session::test

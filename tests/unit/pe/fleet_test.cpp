// The session client over real sockets against a reflector of a hundred lines in another thread: bring-up,
// delivery, leaving, a peer that refuses, keepalives.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "bench/pe/lib/fleet_group.hpp"
#include "tests/unit/pe/reflect.hpp"

namespace helio::pe {
namespace {

// Accepts sessions, answers OPEN and reflects every UPDATE to everybody else.
class MiniReflector {
 public:
  explicit MiniReflector(std::uint16_t hold_time) : hold_time_(hold_time) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~MiniReflector() {
    stopping_ = true;
    thread_.join();
    for (Client& c : clients_) ::close(c.fd);
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  std::uint32_t keepalives() const { return keepalives_; }
  void refuse_all() { refusing_ = true; }

 private:
  struct Client {
    int fd;
    std::uint32_t id = 0;
    ByteVector in;
  };
  void run() {
    while (!stopping_) {
      std::vector<pollfd> fds{{listener_, POLLIN, 0}};
      for (Client& c : clients_) fds.push_back({c.fd, POLLIN, 0});
      if (poll(fds.data(), fds.size(), 20) <= 0) continue;
      for (std::size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].revents != 0) read(clients_[i - 1]);
      }
      std::erase_if(clients_, [](Client& c) { return c.fd < 0; });
      if (fds[0].revents != 0) clients_.push_back({accept(listener_, nullptr, nullptr), 0, {}});
    }
  }
  void send(Client& c, const ByteVector& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      ssize_t n = ::send(c.fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
    }
  }
  void read(Client& c) {
    std::uint8_t buffer[65536];
    ssize_t n = recv(c.fd, buffer, sizeof buffer, 0);
    if (n <= 0) {
      ::close(c.fd);
      c.fd = -1;
      return;
    }
    c.in.insert(c.in.end(), buffer, buffer + n);
    while (c.in.size() >= 19 && c.in.size() >= load_be16(c.in.data() + 16)) {
      std::size_t length = load_be16(c.in.data() + 16);
      Body body(c.in.begin() + 19, c.in.begin() + static_cast<std::ptrdiff_t>(length));
      std::uint8_t type = c.in[18];
      c.in.erase(c.in.begin(), c.in.begin() + static_cast<std::ptrdiff_t>(length));
      on_message(c, type, body);
    }
  }
  void on_message(Client& c, std::uint8_t type, const Body& body) {
    ByteVector out;
    if (type == 1 && refusing_) {
      append_cease(out, 5);  // Connection Rejected
      send(c, out);
    } else if (type == 1) {
      c.id = load_be32(body.data() + 5);
      append_open(out, {65000, kClusterId, hold_time_, true, false, false});
      append_keepalive(out);
      send(c, out);
    } else if (type == 4) {
      ++keepalives_;
    } else if (type == 2 && body.size() > 10) {
      Body changed = reflected(body, c.id);
      ByteWriter w(out);
      w.fill(16, 0xff), w.u16(static_cast<std::uint16_t>(changed.size() + 19)), w.u8(2), w.bytes(changed);
      for (Client& other : clients_) {
        if (&other != &c && other.fd >= 0) send(other, out);
      }
    }
  }

  std::uint16_t hold_time_, port_ = 0;
  int listener_ = -1;
  std::vector<Client> clients_;
  std::atomic<bool> stopping_ = false, refusing_ = false;
  std::atomic<std::uint32_t> keepalives_ = 0;
  std::thread thread_;
};

class Peers final : public FleetListener {
 public:
  Peers(const Plan& plan, std::uint16_t port, std::uint16_t hold_time = 90, std::uint32_t threads = 1)
      : plan_(plan),
        checker(plan, threads),
        fleet(options(port, hold_time), addresses(plan), *this, threads) {}

  bool turn_until(const std::function<bool()>& condition, int milliseconds = 5000) {
    Nanoseconds deadline = now_ns() + milliseconds * 1'000'000ll;
    while (!condition() && now_ns() < deadline) fleet.turn(10);
    return condition();
  }
  bool all_exact() {
    for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) {
      if (!checker.holds_target(pe)) return false;
    }
    return true;
  }

 private:
  static FleetOptions options(std::uint16_t port, std::uint16_t hold_time) {
    FleetOptions o;
    o.target_port = port;
    o.hold_time = hold_time;
    return o;
  }
  static std::vector<std::uint32_t> addresses(const Plan& plan) {
    std::vector<std::uint32_t> list;
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) list.push_back(plan.address(pe));
    return list;
  }
  void on_established(std::uint32_t) override {}
  void on_update(std::uint32_t pe, Bytes body) override { checker.on_update(pe, body); }
  void after_read(std::uint32_t, std::size_t) override {}
  void on_closed(std::uint32_t, const std::string& reason, bool by_us) override {
    ++(by_us ? own_closes : losses);
    last_reason = reason;
  }

  const Plan& plan_;

 public:
  Checker checker;
  FleetGroup fleet;
  int own_closes = 0, losses = 0;  // in tests with one thread
  std::string last_reason;
};

// Room for ORIGINATOR_ID and CLUSTER_LIST: this reflector does not repack.
constexpr Announcement kRoom{.pack = 200};

PlanOptions five_pes() {
  PlanOptions o;
  o.pes = 5;
  o.vrfs_per_pe = 3;
  o.routes_per_vrf = 2000;
  o.rtc = RtcMode::off;
  return o;
}

TEST(Fleet, SessionsComeUpAndEveryRouteArrives) {
  Plan plan(five_pes());
  MiniReflector reflector(90);
  Peers peers(plan, reflector.port());
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) peers.fleet.start(pe);
  ASSERT_TRUE(peers.turn_until([&] { return peers.fleet.established() == 5; }));
  EXPECT_EQ(peers.fleet.reflector_id(0), kClusterId);
  std::vector<ByteVector> routes;
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) routes.push_back(build_routes(plan, pe, kRoom));
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) peers.fleet.send_shared(pe, routes[pe]);
  EXPECT_TRUE(peers.turn_until([&] { return peers.all_exact(); }));
  EXPECT_TRUE(peers.checker.counters().is_clean());
  EXPECT_EQ(peers.checker.compare().missing, 0u);
  peers.fleet.stop(2);
  EXPECT_EQ(peers.own_closes, 1);
  EXPECT_EQ(peers.fleet.established(), 4u);
  peers.fleet.start(2);
  EXPECT_TRUE(peers.turn_until([&] { return peers.fleet.established() == 5; }));
}

TEST(Fleet, ThreadsChangeNothing) {
  for (std::uint32_t threads : {2, 3}) {
    Plan plan(five_pes());
    MiniReflector reflector(90);
    Peers peers(plan, reflector.port(), 90, threads);
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) peers.fleet.start(pe);
    ASSERT_TRUE(peers.turn_until([&] { return peers.fleet.established() == 5; }));
    std::vector<ByteVector> routes;
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) routes.push_back(build_routes(plan, pe, kRoom));
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) peers.fleet.send_shared(pe, routes[pe]);
    EXPECT_TRUE(peers.turn_until([&] { return peers.all_exact(); }));
    Counters c = peers.checker.counters();
    EXPECT_TRUE(c.is_clean());
    EXPECT_EQ(c.reached, peers.checker.total_target());
    EXPECT_EQ(c.duplicates, 0u);
    EXPECT_EQ(peers.checker.compare().missing, 0u);
    peers.fleet.stop(4);
    EXPECT_EQ(peers.fleet.established(), 4u);
    peers.fleet.start(4);
    EXPECT_TRUE(peers.turn_until([&] { return peers.fleet.established() == 5; }));
  }
}

TEST(Fleet, APausedPeReadsNothingUntilItIsResumed) {
  Plan plan(five_pes());
  MiniReflector reflector(90);
  Peers peers(plan, reflector.port());
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) peers.fleet.start(pe);
  ASSERT_TRUE(peers.turn_until([&] { return peers.fleet.established() == 5; }));
  peers.fleet.pause_reading(4, true);
  ByteVector routes = build_routes(plan, 0, kRoom);
  peers.fleet.send_shared(0, routes);
  EXPECT_TRUE(peers.turn_until([&] { return peers.checker.held(1) == 6000; }));
  EXPECT_EQ(peers.checker.held(4), 0u);
  peers.fleet.pause_reading(4, false);
  EXPECT_TRUE(peers.turn_until([&] { return peers.checker.held(4) == 6000; }));
}

TEST(Fleet, KeepalivesGoOutAtAThirdOfTheHoldTime) {  // RFC 4271 §4.4
  PlanOptions o = five_pes();
  o.pes = 1;
  Plan plan(o);
  MiniReflector reflector(3);
  Peers peers(plan, reflector.port());
  peers.fleet.start(0);
  ASSERT_TRUE(peers.turn_until([&] { return peers.fleet.established() == 1; }));
  std::uint32_t before = reflector.keepalives();
  EXPECT_TRUE(peers.turn_until([&] { return reflector.keepalives() > before; }, 2500));
}

TEST(Fleet, ASilentReflectorIsNoticed) {  // RFC 4271 §6.5: hold timer
  PlanOptions o = five_pes();
  o.pes = 1;
  Plan plan(o);
  MiniReflector reflector(1);  // and never sends a keepalive after the first
  Peers peers(plan, reflector.port());
  peers.fleet.start(0);
  ASSERT_TRUE(peers.turn_until([&] { return peers.fleet.established() == 1; }));
  EXPECT_TRUE(peers.turn_until([&] { return peers.losses == 1; }));
  EXPECT_EQ(peers.last_reason, "hold timer expired");
}

TEST(Fleet, RefusedSessionsAreTriedAgainAndCounted) {
  PlanOptions o = five_pes();
  o.pes = 1;
  Plan plan(o);
  MiniReflector reflector(90);
  reflector.refuse_all();
  Peers peers(plan, reflector.port());
  peers.fleet.start(0);
  EXPECT_TRUE(peers.turn_until([&] { return peers.fleet.failed_connects() >= 2; }));
  EXPECT_EQ(peers.fleet.last_error(), "NOTIFICATION 6/5 received");
  EXPECT_EQ(peers.losses, 0);
}

}  // namespace
}  // namespace helio::pe

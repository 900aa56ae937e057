// The server over a real Unix socket: whole requests, keep-alive, limits, timeouts, who gives way to whom, the socket file.
#include "rr/control/server.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/unit/control/fake_state.hpp"

namespace helio::control {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Client() { ::close(fd_); }
  bool connected() const { return connected_; }
  void send(std::string_view text) { (void)!::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // One answer: its header and as many octets as Content-Length says. Empty: the connection ended.
  std::string receive() {
    while (true) {
      std::size_t end = pending_.find("\r\n\r\n");
      if (end != std::string::npos) {
        std::size_t at = pending_.find("Content-Length: ");
        std::size_t length = at < end ? std::stoul(pending_.substr(at + 16)) : 0;
        if (pending_.size() >= end + 4 + length) {
          std::string answer = pending_.substr(0, end + 4 + length);
          pending_.erase(0, answer.size());
          return answer;
        }
      }
      char buffer[4096];
      ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) return {};
      pending_.append(buffer, static_cast<std::size_t>(n));
    }
  }
  std::string receive_some(std::size_t size) {
    char buffer[4096];
    for (ssize_t n; pending_.size() < size && (n = ::recv(fd_, buffer, sizeof(buffer), 0)) > 0;) pending_.append(buffer, static_cast<std::size_t>(n));
    return pending_.substr(0, size);
  }
  // To the end of the connection.
  std::string receive_all() {
    char buffer[4096];
    for (ssize_t n; (n = ::recv(fd_, buffer, sizeof(buffer), 0)) > 0;) pending_.append(buffer, static_cast<std::size_t>(n));
    return std::exchange(pending_, {});
  }
  std::string ask(std::string_view request) {
    send(request);
    return receive();
  }

 private:
  int fd_;
  bool connected_ = false;
  std::string pending_;
};

constexpr std::string_view kVersionRequest = "GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n";

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "helio-control-" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_);
    options_.socket = directory_ + "/run/control.sock";
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void start() {
    auto server = Server::start(options_, api_);
    ASSERT_TRUE(server) << server.error();
    server_ = std::move(*server);
  }
  std::string start_error() {
    auto server = Server::start(options_, api_);
    return server ? "it started" : server.error();
  }

  std::string directory_;
  ServerOptions options_;
  FakeState state_;
  Api api_{state_, nullptr, [] { return std::make_shared<const config::Config>(); }};
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  start();
  Client client(options_.socket);
  for (int i = 0; i < 3; ++i) {
    std::string answer = client.ask(kVersionRequest);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(answer, HasSubstr("\"api\":\"v1\""));
  }
  // Two requests in one write come back as two answers.
  client.send(std::string(kVersionRequest) + "GET /v1/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.receive(), HasSubstr("200 OK"));
  EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 404 Not Found"));
  EXPECT_EQ(client.receive(), "");
}

TEST_F(ServerTest, SetsModeAndRemovesTheFileAtTheEnd) {
  options_.mode = 0600;
  start();
  struct stat info {};
  ASSERT_EQ(::stat(options_.socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(options_.socket));
}

TEST_F(ServerTest, ReplacesAStaleSocketOnly) {
  start();
  EXPECT_THAT(start_error(), HasSubstr("another daemon listens on it"));
  EXPECT_THAT(Client(options_.socket).ask(kVersionRequest), HasSubstr("200 OK"));
  server_.reset();

  // What a killed daemon leaves: a socket file without a listener.
  int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, options_.socket.data(), options_.socket.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ::close(fd);
  start();
  EXPECT_THAT(Client(options_.socket).ask(kVersionRequest), HasSubstr("200 OK"));
  server_.reset();

  std::ofstream(options_.socket) << "precious";
  EXPECT_THAT(start_error(), HasSubstr("exists and is not a socket"));
  EXPECT_TRUE(std::filesystem::exists(options_.socket));
}

TEST_F(ServerTest, UnknownGroupIsAnError) {
  options_.group = "no-such-group-here";
  EXPECT_THAT(start_error(), HasSubstr("there is no group \"no-such-group-here\""));
  EXPECT_FALSE(std::filesystem::exists(options_.socket));
}

TEST_F(ServerTest, RefusesWhatIsTooLargeOrNoHttp) {
  start();
  std::string header = "GET /v1/version HTTP/1.1\r\nHost: x\r\nX: " + std::string(9000, 'x') + "\r\n\r\n";
  EXPECT_THAT(Client(options_.socket).ask(header), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(Client(options_.socket).ask("POST /v1/peers/10.0.0.1:clear HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(Client(options_.socket).ask("hello there\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Client(options_.socket).ask("DELETE /v1/peers HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, POST\r\n")));
}

TEST_F(ServerTest, ClosesSilentConnectionsAndServesTheNext) {
  options_.idle_timeout = std::chrono::seconds(1);
  options_.max_connections = 2;
  start();
  Client silent(options_.socket), half(options_.socket);
  half.send("GET /v1/ver");
  EXPECT_EQ(silent.receive(), "");
  // RFC 9110 §15.5.9: what began and did not end.
  EXPECT_THAT(half.receive(), testing::AllOf(StartsWith("HTTP/1.1 408"), HasSubstr("within 1 s")));
  EXPECT_EQ(half.receive(), "");
  EXPECT_THAT(Client(options_.socket).ask(kVersionRequest), HasSubstr("200 OK"));
  server_.reset();
  EXPECT_EQ(api_.refused().too_slow, 1u);
}

// HOSTILE-INPUT §3, connection flood: who has sent no whole request gives way, who has waited longest first.
TEST_F(ServerTest, SilentConnectionsGiveWay) {
  options_.max_connections = 2;
  start();
  Client silent(options_.socket), half(options_.socket);
  half.send("GET /v1/ver");
  EXPECT_THAT(Client(options_.socket).ask(kVersionRequest), HasSubstr("200 OK"));
  EXPECT_THAT(silent.receive(), testing::AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("\"error\":\"crowded\"")));
  EXPECT_EQ(silent.receive(), "");
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < 100; ++i) crowd.push_back(std::make_unique<Client>(options_.socket));
  EXPECT_THAT(Client(options_.socket).ask(kVersionRequest), HasSubstr("200 OK"));
  EXPECT_THAT(half.receive(), StartsWith("HTTP/1.1 503"));
  server_.reset();
  EXPECT_GE(api_.refused().crowded, 100u);
}

// A client that reads nothing of a stream holds its connection for a while only.
TEST_F(ServerTest, StreamsEndWhoseClientTakesNothing) {
  options_.stall_timeout = std::chrono::seconds(1);
  state_.endless_routes = true;
  start();
  Client deaf(options_.socket);
  deaf.send("GET /v1/routes?stream=true HTTP/1.1\r\nHost: x\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  server_.reset();
  EXPECT_EQ(api_.refused().stalled, 1u);
}

// RFC 9112 §9.6: the answer arrives though the client is still sending what nobody will read.
TEST_F(ServerTest, RefusalsReachClientsThatGoOnSending) {
  start();
  for (int i = 0; i < 20; ++i) {
    Client client(options_.socket);
    client.send("POST /v1/log:debug HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
    for (int part = 0; part < 10; ++part) client.send(std::string(20000, 'x'));
    EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 413"));
    EXPECT_EQ(client.receive(), "");
  }
  server_.reset();
  EXPECT_EQ(api_.refused().too_large, 20u);
}

// RFC 9110 §9.3.2, RFC 9112 §6.1.
TEST_F(ServerTest, HeadHasNoContentAndHttp10NoChunks) {
  start();
  Client client(options_.socket);
  client.send("HEAD /v1/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string all = client.receive_all();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 405"));
  EXPECT_EQ(all.find("\r\n\r\n") + 4, all.size()) << all;
  Client old(options_.socket);
  old.send("GET /v1/routes?stream=true HTTP/1.0\r\n\r\n");
  all = old.receive();  // its lines have no end here
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(all, testing::Not(HasSubstr("chunked")));
  EXPECT_EQ(old.receive_some(1), "{");
}

TEST_F(ServerTest, TicksWithTheSummary) {
  std::atomic<int> ticks{0};
  std::atomic<std::uint32_t> as{0};
  options_.tick_interval = std::chrono::milliseconds(5);
  options_.on_tick = [&](const reflector::SummaryView& summary) {
    as = summary.local_as;
    ++ticks;
  };
  start();
  for (int i = 0; i < 1000 && ticks < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(ticks, 3);
  EXPECT_EQ(as, 65000u);
  server_.reset();
}

// Stopped for 9 s in the middle of a tick, heliod showed the same figures for seven minutes.
TEST_F(ServerTest, ATickThatTookLongIsNotFollowedByALongSilence) {
  std::atomic<int> ticks{0};
  options_.tick_interval = std::chrono::milliseconds(5);
  options_.longest_tick_interval = std::chrono::milliseconds(50);
  options_.on_tick = [&](const reflector::SummaryView&) {
    if (ticks++ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(400));
  };
  start();
  for (int i = 0; i < 1000 && ticks < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(ticks, 3);
  server_.reset();
}

TEST_F(ServerTest, ServesManyClientsThatComeAndGo) {
  start();
  for (int i = 0; i < 200; ++i) {
    Client client(options_.socket);
    ASSERT_TRUE(client.connected());
    if (i % 3 == 0) continue;  // leaves without a word
    if (i % 3 == 1) client.send("GET / HT");
    if (i % 3 == 2) {
      EXPECT_THAT(client.ask(kVersionRequest), HasSubstr("200 OK"));
    }
  }
}

}  // namespace
}  // namespace helio::control

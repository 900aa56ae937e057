// What the session tests stand on: a scripted engine, a BGP speaker made of a bare socket, and a SessionManager on ports
// that the kernel picks.
#pragma once
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "rr/session/session_manager.hpp"

namespace helio::session::test {

using namespace std::chrono_literals;

wire::IpAddress ip(const char* text);

// Records what it is told; its output is what the test queues. Touched by the shard's thread and the test's.
class FakeEngine : public Engine {
 public:
  struct Closed {
    PeerId peer;
    CloseReason reason;
  };
  void set_control(SessionControl& control) { control_ = &control; }

  void on_established(const EstablishedPeer& peer, TimePoint) override;
  std::optional<wire::Notification> on_update(PeerId peer, Bytes body) override;
  std::optional<wire::Notification> on_route_refresh(PeerId peer, const RefreshRequest& request) override;
  void on_closed(PeerId peer, CloseReason reason) override;
  bool may_read() const override { return may_read_.load(); }
  std::size_t staged_bytes() const override { return staged_; }
  TurnResult run_turn(TimePoint now) override;
  std::size_t gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) override;
  void consumed(PeerId peer, std::size_t bytes) override;
  bool has_output(PeerId peer) const override;
  bool at_message_boundary(PeerId peer) const override;
  Bytes rest_of_message(PeerId peer) const override;

  // The test's side.
  std::vector<EstablishedPeer> established();
  std::vector<Closed> closed();
  std::vector<std::vector<std::uint8_t>> updates();
  std::vector<RefreshRequest> refreshes();
  std::size_t update_count() const { return update_count_.load(); }
  std::size_t established_count() const { return established_count_.load(); }
  // Whole messages for a peer; call on its shard's thread.
  void queue(PeerId peer, std::vector<std::uint8_t> messages);
  void set_may_read(bool may_read) { may_read_.store(may_read); }
  void set_keep_updates(bool keep) { keep_updates_ = keep; }
  // The answer to every UPDATE from now on.
  void answer_updates_with(std::optional<wire::Notification> error);
  // Every UPDATE is sent on to all other peers.
  void set_echo_to_all(bool echo) { echo_to_all_ = echo; }
  // Every UPDATE counts as so many bytes of staged output.
  void set_staged_per_update(std::size_t bytes) { staged_per_update_ = bytes; }
  // The most UPDATEs of one turn, and of one peer in a row.
  std::size_t most_updates_in_a_turn() const { return most_in_a_turn_.load(); }
  std::size_t most_updates_in_a_row() const { return most_in_a_row_.load(); }
  void set_wake_at(std::optional<TimePoint> at) {
    std::lock_guard lock(mutex_);
    wake_at_ = at;
  }
  std::size_t turns() const { return turns_.load(); }

 private:
  struct Output {
    std::vector<std::uint8_t> bytes;
    std::size_t sent = 0;
    std::size_t boundary_before = 0;  // start of the message that holds `sent`
    std::size_t message_end() const;
  };
  mutable std::mutex mutex_;
  SessionControl* control_ = nullptr;
  std::vector<EstablishedPeer> established_;
  std::vector<Closed> closed_;
  std::vector<std::vector<std::uint8_t>> updates_;
  std::vector<RefreshRequest> refreshes_;
  std::map<PeerId, Output> output_;
  std::optional<wire::Notification> answer_;
  std::atomic<bool> may_read_{true};
  std::atomic<bool> keep_updates_{true};
  std::atomic<bool> echo_to_all_{false};
  std::atomic<std::size_t> update_count_{0};
  std::atomic<std::size_t> established_count_{0};
  std::atomic<std::size_t> staged_per_update_{0};
  std::atomic<std::size_t> most_in_a_turn_{0}, most_in_a_row_{0}, turns_{0};
  std::optional<TimePoint> wake_at_;
  std::size_t staged_ = 0, in_this_turn_ = 0, in_a_row_ = 0;  // shard's thread only
  PeerId last_peer_;
};

struct Message {
  wire::MessageType type{};
  std::vector<std::uint8_t> bytes;  // with the header
  Bytes body() const { return Bytes(bytes).subspan(wire::kHeaderSize); }
};

// A BGP speaker made of one blocking socket with a receive timeout.
class RawPeer {
 public:
  RawPeer() = default;
  RawPeer(RawPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  RawPeer& operator=(RawPeer&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    buffer_ = std::move(other.buffer_);
    return *this;
  }
  ~RawPeer() { close(); }

  // Connects from `from` (127.x); fails the test when it cannot.
  static RawPeer connect(const wire::IpAddress& from, const ListenEndpoint& to, int ttl = 64);
  // Whether a connection comes about within half a second.
  static bool can_connect(const wire::IpAddress& from, const ListenEndpoint& to, int ttl);
  static RawPeer adopt(int fd);

  void send(Bytes bytes);
  void send_open(const wire::OpenMessage& open);
  void send_keepalive();
  void send_notification(const wire::Notification& notification);
  // An UPDATE with `filler` octets of unknown optional attributes: content does not matter to sessions.
  static std::vector<std::uint8_t> make_update(std::size_t total_size = 23, std::uint8_t fill = 0);
  // nullopt: end of stream, reset or timeout (then timed_out()).
  std::optional<Message> receive(std::chrono::milliseconds timeout = 5000ms);
  // Skips keepalives.
  std::optional<Message> receive_beyond_keepalives(std::chrono::milliseconds timeout = 5000ms);
  std::optional<wire::Notification> receive_notification(std::chrono::milliseconds timeout = 5000ms);
  bool timed_out() const { return timed_out_; }
  bool is_closed_by_peer(std::chrono::milliseconds timeout = 2000ms);
  // OPEN and KEEPALIVE both ways, as the side that is `open`.
  bool handshake(const wire::OpenMessage& open);
  int fd() const { return fd_; }
  void close();

 private:
  int fd_ = -1;
  bool timed_out_ = false;
  std::vector<std::uint8_t> buffer_;
};

// The neighbour's OPEN as a plain VPN PE sends it.
wire::OpenMessage make_remote_open(std::uint32_t router_id = 0x0a000001, Asn as = 65000, std::uint16_t hold_time = 90);
std::shared_ptr<GroupSettings> make_group();
NeighborSettings make_neighbor(const char* address, std::shared_ptr<const GroupSettings> group);

// A SessionManager with FakeEngines, on 127.0.0.1 and a port of the kernel's.
class Sessions {
 public:
  explicit Sessions(SessionSettings settings);
  ~Sessions() { manager.stop({}, 100ms); }
  ListenEndpoint endpoint() const { return manager_endpoint_; }
  PeerSnapshot peer(const char* address);
  // Waits until the condition holds; false after five seconds.
  static bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = 5000ms);
  FakeEngine& engine(std::size_t shard = 0) { return *engines[shard]; }

  std::vector<std::unique_ptr<FakeEngine>> engines;
  SessionManager manager;

 private:
  ListenEndpoint manager_endpoint_;
};

inline SessionSettings one_neighbor(std::shared_ptr<GroupSettings> group = make_group(), const char* address = "127.0.0.2") {
  SessionSettings settings;
  settings.neighbors.push_back(make_neighbor(address, std::move(group)));
  return settings;
}

// A session that is up, from 127.0.0.2.
struct Up {
  explicit Up(SessionSettings settings = one_neighbor(), wire::OpenMessage open = make_remote_open())
      : sessions(std::move(settings)), remote(RawPeer::connect(ip("127.0.0.2"), sessions.endpoint())) {
    EXPECT_TRUE(remote.handshake(open));
    EXPECT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 1; }));
  }
  // Queues output for the peer on its shard's thread.
  void queue(std::vector<std::uint8_t> messages) {
    sessions.manager.shard(ShardId(0)).call([&] {
      sessions.engine().queue(PeerId(0), std::move(messages));
      return 0;
    });
  }
  bool closed_with(CloseReason reason) {
    return Sessions::eventually([&] {
      auto closed = sessions.engine().closed();
      return closed.size() == 1 && closed[0].reason == reason;
    });
  }
  Sessions sessions;
  RawPeer remote;
};

}  // namespace helio::session::test

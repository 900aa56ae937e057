// One neighbour: what was configured, up to two connection attempts with their FSMs, collision detection (RFC 4271 §6.8),
// idle hold between tries, counters. Lives on its shard's thread from the first time the address is known; a dynamic
// neighbour keeps its Peer after it went down.
//
// Roles of the two attempts: one of them, the connector, goes through Idle/Connect/Active by itself; the other takes an
// accepted connection. Once one is Established the other one is parked in Idle.
// About 1 KiB, whether idle or Established.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <array>
#include <atomic>
#include <string>

#include "rr/base/log_pace.hpp"
#include "rr/session/attempt.hpp"
#include "rr/session/bfd_service.hpp"

namespace helio::session {

// Limits and times that are not the neighbour's own.
struct SessionLimits {
  std::chrono::milliseconds open_wait{240'000};      // RFC 4271 §8.2.2: "a HoldTimer value of 4 minutes is suggested"
  std::chrono::milliseconds idle_hold_first{1'000};  // doubles with every failure in a row
  std::chrono::milliseconds idle_hold_most{60'000};
  std::chrono::milliseconds stable_after{60'000};    // a session that lasted as long counts as good
  std::chrono::milliseconds linger{1'000};           // for the neighbour to read our last message
  std::size_t most_lingering = 512;                  // descriptors per shard
};

// What the shard gives its peers.
class ShardServices : public ConnectionQueues {
 public:
  virtual boost::asio::io_context& io() = 0;
  virtual Engine& engine() = 0;
  virtual const SessionLimits& limits() const = 0;
  // Keeps a connection whose last message was sent until the neighbour closes, or a second.
  virtual void linger(ConnectionPtr connection) = 0;
  virtual double random() = 0;  // [0, 1)
  virtual bool may_connect() const = 0;  // false: no new sessions for now
  virtual BfdService* bfd() = 0;         // nullptr: none
};

// Shared between the shard and whoever accepts connections: how far a neighbour is.
enum class Phase : std::uint8_t { down, pending, established };
struct PeerStatus {
  std::atomic<Phase> phase{Phase::down};
};

// Session side of what the control API shows of a neighbour.
struct PeerSnapshot {
  PeerId peer;
  wire::IpAddress address;
  std::string group, description, hostname;
  fsm::State state = fsm::State::idle;
  bool admin_down = false;
  bool dynamic = false;
  PeerRole role = PeerRole::client;
  Asn peer_as = 0;
  std::uint32_t router_id = 0;
  TimePoint state_since{};
  wire::FamilySet families;  // negotiated; empty unless Established
  std::chrono::seconds hold_time{0}, keepalive_interval{0};
  std::array<std::uint64_t, 6> messages_in{}, messages_out{};  // by wire::MessageType; UPDATEs sent come from the engine
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint32_t flaps = 0;              // times Established was lost
  std::uint32_t connect_retries = 0;    // ConnectRetryCounter
  CloseReason last_close = CloseReason::none;
  std::string last_notification;        // "sent: …" or "received: …"
  std::string last_error;               // of connect() or the socket options
  std::optional<BfdView> bfd;           // Established, and BFD is on
  std::vector<std::uint8_t> last_bad_message;  // OPEN that was refused; UPDATEs are the engine's
  bool needs_reset = false;             // Established, with settings from before a reload
  std::chrono::seconds held{0};         // idle because of a prefix limit for so long; max(): until cleared
};

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  Peer(ShardServices& shard, PeerId id, NeighborSettings settings, std::shared_ptr<PeerStatus> status);

  PeerId id() const { return id_; }
  const NeighborSettings& settings() const { return settings_; }
  const GroupSettings& group() const { return *settings_.group; }
  const std::string& name() const { return name_; }  // the address
  ShardServices& shard() { return shard_; }
  const ShardServices& shard() const { return shard_; }
  bool is_passive() const { return settings_.group->passive || settings_.dynamic; }
  const Offer& offer() const { return offer_; }

  // Commands, on the shard's thread.
  void start();
  // Takes over an accepted descriptor.
  void accept(int fd);
  // Takes the neighbour down for good (until bring_up) or for one idle hold.
  void take_down(const wire::Notification& notification, CloseReason reason);
  void bring_up();
  void reset(const wire::Notification& notification, CloseReason reason);
  // New settings. What an Established session cannot take over waits for the next one, or, with `reset_now`, the session is
  // reset (Cease/Other Configuration Change). Whether the operator took the neighbour down stays as it is.
  void configure(NeighborSettings settings, bool reset_now);
  // Makes room: closes a connection that has not sent an OPEN; false when there is none.
  bool drop_silent();
  void send_message(std::vector<std::uint8_t> message);
  // BFD of the BGP session number `generation` says that the path is gone.
  void on_bfd_failed(std::uint32_t generation);
  // Closes when the engine call that is under way has returned.
  void request_close(wire::Notification notification, CloseReason reason);
  void apply_requested_close();
  // The connection that output goes to; nullptr unless Established.
  Connection* output_connection() { return established_ ? established_->connection() : nullptr; }
  PeerSnapshot snapshot() const;

  // For the attempts.
  Attempt* established_attempt() const { return established_; }
  bool survives_collision(Attempt& attempt);
  std::vector<std::uint8_t> open_message() const;
  void on_state_changed(Attempt& attempt, fsm::State before, CloseReason reason);
  void on_established(Attempt& attempt);
  void on_routes_released(CloseReason reason);
  void on_connection_gone(const Connection& connection);
  void on_bad_message(Bytes message);
  void on_notification_sent(const wire::Notification& notification);
  void on_notification_received(const wire::Notification& notification);
  void on_connect_failed(const char* step, int error);
  void count_in(wire::MessageType type, std::size_t octets) {
    ++messages_in_[static_cast<std::size_t>(type)];
    shard_.counters().count_message(telemetry::Direction::in, static_cast<std::uint8_t>(type), octets);
  }
  void count_out(wire::MessageType type, std::size_t octets) {
    ++messages_out_[static_cast<std::size_t>(type)];
    shard_.counters().count_message(telemetry::Direction::out, static_cast<std::uint8_t>(type), octets);
  }
  void clear_retry_counter() { connect_retries_ = 0; }
  void count_retry() { ++connect_retries_; }
  // RFC 4271 §10: the interval times a random factor from 0.75 to 1.
  std::chrono::steady_clock::duration jittered(std::chrono::steady_clock::duration interval);
  // Arms the timer when something is due earlier than it is armed for.
  void reschedule();

 private:
  struct RequestedClose {
    wire::Notification notification;
    CloseReason reason;
  };
  Attempt& other_of(const Attempt& attempt) { return &attempt == &attempts_[0] ? attempts_[1] : attempts_[0]; }
  bool take_accepted(int fd);
  Attempt* slot_for_accepted();
  void count_refused(telemetry::Refused reason);
  void start_connector();
  void hold_idle(bool connect_failed);
  void hold_for_limit(const wire::Notification& notification);
  void stop_all(const wire::Notification& notification, CloseReason reason, bool manual);
  void update_status();
  void start_bfd();
  void take_next_group();
  void on_timer();
  fsm::State shown_state() const;

  ShardServices& shard_;
  PeerId id_;
  NeighborSettings settings_;
  std::shared_ptr<const GroupSettings> next_group_;  // for the next session; null: nothing waits
  std::shared_ptr<PeerStatus> status_;
  std::string name_;
  std::array<Attempt, 2> attempts_;
  Attempt* established_ = nullptr;
  std::optional<RequestedClose> requested_close_;
  Offer offer_;
  bool accepting_ = false;   // within accept(): pending, whatever becomes of an older connection
  bool bfd_runs_ = false;
  bool retry_soon_ = false;  // the neighbour refused a capability: try again without it

  boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                    boost::asio::io_context::executor_type>
      timer_;
  TimePoint armed_for_ = TimePoint::max();
  TimePoint idle_hold_at_ = TimePoint::max();
  TimePoint limit_hold_until_{};  // no session before, neither way: a prefix limit was exceeded
  TimePoint established_at_{};
  TimePoint state_since_{};
  TimePoint quiet_until_{};     // no log line about failed tries before
  log::LogPace refusals_;
  std::uint32_t failures_ = 0;  // in a row
  std::uint32_t unlogged_ = 0;
  fsm::State last_shown_ = fsm::State::idle;

  std::array<std::uint64_t, 6> messages_in_{}, messages_out_{};
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0;  // of connections that are gone
  std::uint32_t flaps_ = 0;
  std::uint32_t generation_ = 0;  // sessions that were Established
  std::uint32_t connect_retries_ = 0;
  CloseReason last_close_ = CloseReason::none;
  std::string last_notification_;
  std::string last_error_;
  std::vector<std::uint8_t> last_bad_message_;
  std::string hostname_;
  std::uint32_t router_id_ = 0;
};

}  // namespace helio::session

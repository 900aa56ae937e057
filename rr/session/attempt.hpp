// One FSM with its TCP connection and its timers: the running half of RFC 4271 §8. A Peer has two of them, so that an
// outgoing and an incoming connection can live side by side until collision detection decides (§6.8). Executes the
// actions that fsm::step() asks for; what concerns the neighbour as a whole goes up to the Peer.
#pragma once
#include <optional>

#include "rr/session/connection.hpp"
#include "rr/session/fsm.hpp"
#include "rr/session/open_exchange.hpp"

namespace helio::session {

class Peer;

class Attempt final : public ConnectionUser {
 public:
  explicit Attempt(Peer& peer) : peer_(peer) {}
  ~Attempt() override {
    if (connection_) connection_->close();
  }

  fsm::State state() const { return state_; }
  bool is_running() const { return state_ != fsm::State::idle; }
  bool is_outgoing() const { return is_outgoing_; }  // of the present connection
  bool has_connection() const { return connection_ != nullptr; }
  Connection* connection() { return connection_.get(); }
  const Connection* connection() const { return connection_.get(); }
  const std::optional<Negotiated>& negotiated() const { return negotiated_; }
  // Once: what was exchanged on the way to Established.
  std::shared_ptr<const SessionOpens> take_opens();

  // An event without, or with, the NOTIFICATION that goes with it. `reason` overrides what the event implies.
  void raise(fsm::Event event);
  void raise(fsm::Event event, wire::Notification notification, CloseReason reason);
  // Takes over an accepted descriptor: passive start, then TcpConnectionConfirmed. The FSM must be in Idle or Active.
  void accept(int fd);

  // When run_timers() has to be called at the latest; may be earlier than necessary, never later.
  TimePoint deadline() const;
  void run_timers(TimePoint now);

  // Queues a whole message of our own.
  void send(Bytes message);
  // No OPEN from the neighbour yet and nothing to read: the first to go when there are too many.
  bool is_silent();

 private:
  void on_connected(int error) override;
  void on_message(const wire::Frame& frame) override;
  void on_frame_error(const wire::Notification& notification) override;
  void on_end(CloseReason reason, int error) override;
  bool is_established() const override { return state_ == fsm::State::established; }
  Connection::Outcome on_write_turn(Connection& connection, std::size_t max_bytes) override;

  void transition(fsm::Event event);
  void execute(fsm::Actions actions);
  void send_last(const wire::Notification& notification);
  void release();
  void initiate();
  void on_open(const wire::Frame& frame);
  void on_notification(const wire::Frame& frame);
  void process_update();
  void on_route_refresh(const wire::Frame& frame);
  void run_hold_timer(TimePoint now);
  void run_keepalive_timer(TimePoint now);
  void run_send_hold_timer(TimePoint now);
  Bytes rest_of_message() const;

  Peer& peer_;
  ConnectionPtr connection_;
  fsm::State state_ = fsm::State::idle;
  bool is_outgoing_ = false;
  bool send_hold_runs_ = false;
  std::vector<std::uint8_t> sent_open_, received_open_;
  std::optional<Negotiated> negotiated_;  // once the neighbour's OPEN was accepted

  // What the current event carries.
  Bytes update_body_;
  wire::Notification notification_;
  CloseReason reason_ = CloseReason::none;

  // Timers: max() is "stopped". The hold timer is last_received_ + hold_, so that a message costs one store.
  TimePoint connect_retry_at_ = TimePoint::max();
  TimePoint connect_failed_at_ = TimePoint::max();  // connect() failed at once; reported by the timer
  TimePoint delay_open_at_ = TimePoint::max();
  TimePoint keepalive_at_ = TimePoint::max();
  TimePoint last_received_{};
  std::chrono::steady_clock::duration hold_{0};      // 0: off
  std::chrono::steady_clock::duration keepalive_{0};  // jittered interval; 0: off
};

}  // namespace helio::session

#include "rr/session/attempt.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "rr/base/check.hpp"
#include "rr/base/log.hpp"
#include "rr/session/peer.hpp"
#include "rr/session/sockets.hpp"

namespace helio::session {
namespace {

using fsm::Event;
using fsm::State;


wire::Notification make_error(wire::ErrorCode code, std::uint8_t subcode) {
  return {static_cast<std::uint8_t>(code), subcode, {}};
}

// RFC 6608: the subcode of an FSM error names the state.
std::uint8_t fsm_error_subcode(State state) {
  switch (state) {
    case State::open_sent: return 1;
    case State::open_confirm: return 2;
    case State::established: return 3;
    default: return 0;
  }
}

CloseReason implied_reason(Event event) {
  switch (event) {
    case Event::manual_stop: return CloseReason::admin_down;
    case Event::automatic_stop: return CloseReason::deconfigured;
    case Event::hold_timer_expires: return CloseReason::hold_timer_expired;
    case Event::send_hold_expires: return CloseReason::send_hold_timer_expired;
    case Event::tcp_fails: return CloseReason::tcp_error;
    case Event::header_error: return CloseReason::header_error;
    case Event::open_error: return CloseReason::open_rejected;
    case Event::collision_dump: return CloseReason::collision;
    case Event::version_error:
    case Event::notification: return CloseReason::notification_received;
    case Event::update_error: return CloseReason::update_error;
    default: return CloseReason::fsm_error;
  }
}

}  // namespace

void Attempt::raise(Event event) {
  notification_ = {};
  reason_ = implied_reason(event);
  transition(event);
}

void Attempt::raise(Event event, wire::Notification notification, CloseReason reason) {
  notification_ = std::move(notification);
  reason_ = reason;
  transition(event);
}

void Attempt::accept(int fd) {
  HELIO_CHECK(connection_ == nullptr, "accept into an attempt that has a connection");
  is_outgoing_ = false;
  connection_ = std::make_shared<Connection>(peer_.shard().io(), peer_.shard(), *this, fd);
  connection_->start(false);
  if (state_ == State::idle) raise(Event::automatic_start_passive);
  raise(Event::tcp_confirmed);
}

void Attempt::transition(Event event) {
  State before = state_;
  fsm::Transition next = fsm::step(before, event, {peer_.group().delay_open.count() > 0, delay_open_at_ != kStopped});
  // The last message and the state that it names come before the change; everything else after.
  if (next.actions & fsm::kSendFsmError)
    notification_ = make_error(wire::ErrorCode::fsm, fsm_error_subcode(before));
  state_ = next.next;
  execute(next.actions);
  if (state_ != next.next) return;  // an action raised another event, which has been reported
  if (state_ != before) peer_.on_state_changed(*this, before, reason_);
  if (state_ != before || (next.actions & ~(fsm::kRestartHold | fsm::kProcessUpdate))) peer_.reschedule();
}

void Attempt::execute(fsm::Actions actions) {
  if (actions == (fsm::kRestartHold | fsm::kProcessUpdate)) {
    last_received_ = peer_.shard().now();
    process_update();
    return;
  }
  TimePoint now = peer_.shard().now();
  auto wants = [actions](fsm::Action action) { return (actions & action) != 0; };
  if (wants(fsm::kSendCease) && notification_.code == 0)
    notification_ = wire::make_cease(reason_ == CloseReason::collision ? wire::cease::collision
                                                                       : wire::cease::administrative_shutdown);
  if (wants(fsm::kSendHoldExpired)) notification_ = make_error(wire::ErrorCode::hold_timer_expired, 0);
  if (wants(fsm::kSendSendHoldExpired)) notification_ = make_error(wire::ErrorCode::send_hold_timer_expired, 0);
  if (actions & (fsm::kSendCease | fsm::kSendHoldExpired | fsm::kSendSendHoldExpired | fsm::kSendFsmError |
                 fsm::kSendEventError))
    send_last(notification_);
  if (wants(fsm::kReleaseRoutes)) peer_.on_routes_released(reason_);
  if (wants(fsm::kRelease)) release();
  if (wants(fsm::kStopConnectRetry)) connect_retry_at_ = kStopped;
  if (wants(fsm::kStopDelayOpen)) delay_open_at_ = kStopped;
  if (wants(fsm::kClearRetryCounter)) peer_.clear_retry_counter();
  if (wants(fsm::kCountRetry)) peer_.count_retry();
  // Deviation: a passive neighbour's ConnectRetryTimer never runs, where §8.2.2 would let it connect from Active.
  if (wants(fsm::kRestartConnectRetry) && !peer_.is_passive())
    connect_retry_at_ = now + peer_.jittered(peer_.group().connect_retry);
  if (wants(fsm::kInitiateConnection)) initiate();
  if (wants(fsm::kStartDelayOpen)) delay_open_at_ = now + peer_.group().delay_open;
  if (wants(fsm::kSendOpen)) {
    std::vector<std::uint8_t> message = peer_.open_message();
    send(message);
    peer_.count_out(wire::MessageType::open, message.size());
    sent_open_ = std::move(message);
  }
  if (wants(fsm::kStartLargeHold)) {
    last_received_ = now;
    hold_ = peer_.shard().limits().open_wait;
  }
  if (wants(fsm::kStartSessionTimers)) {
    last_received_ = now;
    // Without a hold time a neighbour that is gone after its OPEN would be waited for without end, and others refused meanwhile.
    hold_ = negotiated_->hold_time.count() == 0 ? peer_.shard().limits().open_wait : std::chrono::milliseconds(negotiated_->hold_time);
    keepalive_ = negotiated_->keepalive_interval;
  }
  if (wants(fsm::kSendKeepalive) && !(connection_ && connection_->has_control() && connection_->is_write_blocked())) {
    std::vector<std::uint8_t> message;
    wire::encode_keepalive(message);
    send(message);
    peer_.count_out(wire::MessageType::keepalive, message.size());
  }
  if (actions & (fsm::kStartSessionTimers | fsm::kRestartKeepalive))
    keepalive_at_ = keepalive_.count() == 0 ? kStopped : now + peer_.jittered(keepalive_);
  if (wants(fsm::kRestartHold)) last_received_ = now;
  if (wants(fsm::kEnterEstablished)) {
    send_hold_runs_ = true;
    hold_ = negotiated_->hold_time;
    peer_.on_established(*this);
  }
}

// Nothing to send it on in Connect and Active before TCP is up; the FSM does not care.
void Attempt::send_last(const wire::Notification& notification) {
  if (!connection_) return;
  wire::Notification last = notification;
  if (peer_.established_attempt() == this && negotiated_->agreed.restart_capable) {
    bool agreed = negotiated_->agreed.restart_on_notification;
    bool we_restart = reason_ == CloseReason::shutdown && peer_.group().graceful_restart_full;
    // A peer that forgets our routes on any NOTIFICATION (RFC 4724 §4) must find the connection lost to keep them.
    if (we_restart && !agreed) return;
    if (agreed && !we_restart && !is_restart(reason_, true)) last = wire::make_hard_reset(last);
  }
  if (peer_.established_attempt() == this) peer_.shard().engine().on_notification(peer_.id(), last, true);
  peer_.on_notification_sent(last);
  peer_.shard().linger(connection_);
  connection_->finish(rest_of_message(), last);
}

Bytes Attempt::rest_of_message() const {
  return peer_.established_attempt() == this ? peer_.shard().engine().rest_of_message(peer_.id()) : Bytes();
}

void Attempt::release() {
  if (connection_) {
    peer_.on_connection_gone(*connection_);
    if (!connection_->is_finishing()) connection_->close();
    connection_.reset();
  }
  negotiated_.reset();
  hold_ = keepalive_ = {};
  keepalive_at_ = delay_open_at_ = connect_failed_at_ = kStopped;
  send_hold_runs_ = false;
}

std::shared_ptr<const SessionOpens> Attempt::take_opens() {
  auto [local, remote] = connection_->ports();
  return std::make_shared<const SessionOpens>(SessionOpens{std::move(sent_open_), std::move(received_open_), local, remote});
}

void Attempt::initiate() {
  is_outgoing_ = true;
  if (!peer_.shard().may_connect()) {
    peer_.on_connect_failed("new sessions are refused", ENOMEM);
    connect_failed_at_ = peer_.shard().now();
    return;
  }
  auto fd = open_connecting(peer_.settings());
  if (!fd) {
    peer_.on_connect_failed(fd.error().step, fd.error().error);
    connect_failed_at_ = peer_.shard().now();
    return;
  }
  connection_ = std::make_shared<Connection>(peer_.shard().io(), peer_.shard(), *this, *fd);
  connection_->start(true);
}

void Attempt::send(Bytes message) {
  if (connection_) connection_->queue_control(message);
}

bool Attempt::is_silent() { return !negotiated_ && !(connection_ && connection_->has_bytes_waiting()); }

Connection::Outcome Attempt::on_write_turn(Connection& connection, std::size_t max_bytes) {
  Engine* engine = state_ == State::established ? &peer_.shard().engine() : nullptr;
  return connection.write(engine, peer_.id(), max_bytes);
}

void Attempt::on_connected(int error) {
  if (error == 0) {
    raise(Event::tcp_acked);
  } else {
    peer_.on_connect_failed("connect", error);
    raise(Event::tcp_fails);
  }
}

void Attempt::on_end(CloseReason reason, int error) {
  if (error != 0) log::debug("peer={} connection lost: errno {}", peer_.name(), error);
  raise(Event::tcp_fails, {}, reason);
}

void Attempt::on_frame_error(const wire::Notification& notification) {
  raise(Event::header_error, notification, CloseReason::header_error);
}

void Attempt::on_message(const wire::Frame& frame) {
  peer_.count_in(frame.type, frame.message.size());
  switch (frame.type) {
    case wire::MessageType::open: on_open(frame); return;
    case wire::MessageType::keepalive: raise(Event::keepalive); return;
    case wire::MessageType::update:
      update_body_ = frame.body();
      raise(Event::update);
      return;
    case wire::MessageType::notification: on_notification(frame); return;
    case wire::MessageType::route_refresh: on_route_refresh(frame); return;
  }
}

void Attempt::on_open(const wire::Frame& frame) {
  bool delayed = (state_ == State::connect || state_ == State::active) && delay_open_at_ != kStopped;
  if (state_ != State::open_sent && !delayed) {
    raise(Event::open);  // an FSM error, or nothing at all in Idle
    return;
  }
  auto negotiated = evaluate_open(frame.body(), peer_.group(), peer_.offer());
  if (!negotiated) {
    peer_.on_bad_message(frame.message);
    raise(Event::open_error, negotiated.error(), CloseReason::open_rejected);
    return;
  }
  negotiated_ = std::move(*negotiated);
  received_open_.assign(frame.message.begin(), frame.message.end());
  if (!peer_.survives_collision(*this)) {
    raise(Event::collision_dump, wire::make_cease(wire::cease::collision), CloseReason::collision);
    return;
  }
  connection_->set_max_message(negotiated_->agreed.max_receive);
  raise(delayed ? Event::open_with_delay : Event::open);
}

void Attempt::on_notification(const wire::Frame& frame) {
  auto notification = wire::decode_notification(frame.body());
  // RFC 4271 §6.4: an error in a NOTIFICATION cannot be reported with one; framing has checked the length.
  if (!notification) return;
  if (peer_.established_attempt() == this) peer_.shard().engine().on_notification(peer_.id(), *notification, false);
  peer_.on_notification_received(*notification);
  bool version = notification->code == static_cast<std::uint8_t>(wire::ErrorCode::open_message) && notification->subcode == 1;
  bool hard = notification->code == static_cast<std::uint8_t>(wire::ErrorCode::cease) && notification->subcode == wire::cease::hard_reset;
  if (version) raise(Event::version_error);
  else raise(Event::notification, {}, hard ? CloseReason::hard_reset : CloseReason::notification_received);
}

void Attempt::process_update() {
  Bytes body = std::exchange(update_body_, {});
  auto error = peer_.shard().engine().on_update(peer_.id(), body);
  if (error) {
    raise(Event::update_error, std::move(*error), CloseReason::update_error);
    return;
  }
  peer_.apply_requested_close();
}

void Attempt::on_route_refresh(const wire::Frame& frame) {
  if (state_ != State::established) {
    raise(Event::update);  // as unexpected as an UPDATE would be
    return;
  }
  last_received_ = peer_.shard().now();
  auto refresh = evaluate_route_refresh(frame, *negotiated_);
  if (!refresh) {
    peer_.on_bad_message(frame.message);
    raise(Event::update_error, refresh.error(), CloseReason::update_error);
    return;
  }
  if (!*refresh) return;
  auto error = peer_.shard().engine().on_route_refresh(peer_.id(), **refresh);
  if (error) {
    raise(Event::update_error, std::move(*error), CloseReason::update_error);
    return;
  }
  peer_.apply_requested_close();
}

TimePoint Attempt::deadline() const {
  TimePoint at = std::min({connect_retry_at_, connect_failed_at_, delay_open_at_, keepalive_at_});
  if (hold_.count() > 0 && connection_) at = std::min(at, last_received_ + hold_);
  if (send_hold_runs_ && peer_.group().send_hold_time.count() > 0) {
    TimePoint since = connection_->blocked_since();
    at = std::min(at, (since == kStopped ? peer_.shard().now() : since) + peer_.group().send_hold_time);
  }
  return at;
}

void Attempt::run_timers(TimePoint now) {
  if (connect_failed_at_ <= now) {
    connect_failed_at_ = kStopped;
    raise(Event::tcp_fails);
  }
  if (connect_retry_at_ <= now) {
    connect_retry_at_ = kStopped;
    raise(Event::connect_retry_expires);
  }
  if (delay_open_at_ <= now) {
    delay_open_at_ = kStopped;
    raise(Event::delay_open_expires);
  }
  if (hold_.count() > 0 && connection_ && last_received_ + hold_ <= now) run_hold_timer(now);
  if (keepalive_at_ <= now) run_keepalive_timer(now);
  if (send_hold_runs_ && peer_.group().send_hold_time.count() > 0) run_send_hold_timer(now);
}

void Attempt::run_hold_timer(TimePoint now) {
  // The neighbour is not silent when it is us who have not read what it sent: the engine may have stopped reading.
  if (connection_->has_bytes_waiting()) {
    last_received_ = now;
    return;
  }
  raise(Event::hold_timer_expires);
}

void Attempt::run_keepalive_timer(TimePoint now) {
  // RFC 4271 §8.2.2: "Each time the local system sends a KEEPALIVE or UPDATE message, it restarts its KeepaliveTimer".
  TimePoint due = connection_->last_sent() + keepalive_ * 3 / 4;
  if (due > now) {
    keepalive_at_ = due;
    return;
  }
  raise(Event::keepalive_timer_expires);
}

void Attempt::run_send_hold_timer(TimePoint now) {
  TimePoint since = connection_->blocked_since();
  if (since != kStopped && since + peer_.group().send_hold_time <= now) raise(Event::send_hold_expires);
}

}  // namespace helio::session

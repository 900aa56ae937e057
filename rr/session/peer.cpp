#include "rr/session/peer.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "rr/base/log.hpp"
#include "rr/session/sockets.hpp"

namespace helio::session {
namespace {

using fsm::Event;
using fsm::State;

constexpr auto kQuiet = std::chrono::seconds(10);  // between two log lines about failed tries of one neighbour

}  // namespace

Peer::Peer(ShardServices& shard, PeerId id, NeighborSettings settings, std::shared_ptr<PeerStatus> status)
    : shard_(shard),
      id_(id),
      settings_(std::move(settings)),
      status_(std::move(status)),
      name_(wire::format_ip(settings_.address)),
      attempts_{Attempt(*this), Attempt(*this)},
      timer_(shard.io().get_executor()),
      state_since_(shard.now()) {}

std::chrono::steady_clock::duration Peer::jittered(std::chrono::steady_clock::duration interval) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(interval * (0.75 + 0.25 * shard_.random()));
}

// --- commands -------------------------------------------------------------------------------------------------------

void Peer::start() {
  if (!settings_.admin_down) start_connector();
}

void Peer::start_connector() {
  idle_hold_at_ = kStopped;
  if (established_ || attempts_[0].is_running()) return;
  attempts_[0].raise(is_passive() ? Event::automatic_start_passive : Event::automatic_start);
}

void Peer::accept(int fd) {
  accepting_ = true;
  if (!take_accepted(fd)) ::close(fd);
  accepting_ = false;
  update_status();
}

bool Peer::take_accepted(int fd) {
  if (settings_.admin_down || shard_.now() < limit_hold_until_) {
    count_refused(telemetry::Refused::held);
    return false;
  }
  if (group().ttl_min != 0 && proven_ttl(fd, settings_.address.is_v6) < group().ttl_min) {
    count_refused(telemetry::Refused::ttl);
    return false;
  }
  if (auto done = apply_session_options(fd, group(), settings_.address.is_v6); !done) {
    on_connect_failed(done.error().step, done.error().error);
    return false;
  }
  // §8.2.2 refuses connections in Idle. An idle hold is our own pause between tries; a neighbour that comes ends it.
  Attempt* slot = slot_for_accepted();
  if (slot) slot->accept(fd);
  else count_refused(telemetry::Refused::busy);
  return slot != nullptr;
}

// The attempt for a new incoming connection. At most one connection per neighbour waits for its OPEN: a newer one replaces
// an older one that has said nothing, so that silent connections do not lock their own address out.
Attempt* Peer::slot_for_accepted() {
  Attempt& slot = established_ == &attempts_[1] ? attempts_[0] : attempts_[1];
  if (!slot.is_running()) return &slot;
  if (slot.is_silent()) {
    slot.raise(Event::collision_dump, wire::make_cease(wire::cease::collision), CloseReason::collision);
    count_refused(telemetry::Refused::superseded);
  }
  return slot.is_running() ? nullptr : &slot;
}

void Peer::count_refused(telemetry::Refused reason) {
  shard_.counters().count_refused(reason);
  auto more = refusals_.admit(shard_.now());
  if (!more) return;
  using telemetry::Refused;
  const char* why = reason == Refused::superseded ? "dropped: it said nothing, and another one came"
                    : reason == Refused::busy     ? "refused: there is one of it already"
                    : reason == Refused::ttl        ? "refused: it comes from farther away than ttl-min allows, or under SYN cookies, which hide how far"
                    : settings_.admin_down        ? "refused: the peer is shut down here"
                                                  : "refused: the peer is held down after its prefix limit";
  log::warn("connection from {} {} ({} more since the last line)", wire::format_ip(settings_.address), why, *more);
}

void Peer::stop_all(const wire::Notification& notification, CloseReason reason, bool manual) {
  Event event = manual ? Event::manual_stop : Event::automatic_stop;
  for (Attempt& attempt : attempts_)
    if (attempt.is_running()) attempt.raise(event, notification, reason);
}

void Peer::take_down(const wire::Notification& notification, CloseReason reason) {
  settings_.admin_down = true;
  stop_all(notification, reason, true);
  if (reason != CloseReason::shutdown) shard_.engine().forget(id_);
  idle_hold_at_ = kStopped;
  failures_ = 0;
}

void Peer::bring_up() {
  settings_.admin_down = false;
  limit_hold_until_ = {};
  failures_ = 0;
  start_connector();
}

void Peer::reset(const wire::Notification& notification, CloseReason reason) {
  if (settings_.admin_down) return;
  stop_all(notification, reason, false);
  shard_.engine().forget(id_);
  failures_ = 0;
  limit_hold_until_ = {};
  offer_ = {};
  start_connector();
}

void Peer::configure(NeighborSettings settings, bool reset_now) {
  settings.admin_down = settings_.admin_down;
  GroupSettings under_session = settings_under_session(group(), *settings.group);
  bool keeps = under_session == *settings.group;
  bool other_way = settings.remote_port != settings_.remote_port || settings.group->passive != group().passive;
  bool same_bfd = settings.group->bfd == group().bfd;
  next_group_.reset();
  if (established_ && (keeps || !reset_now)) {
    if (!keeps) {
      next_group_ = settings.group;
      settings.group = std::make_shared<const GroupSettings>(std::move(under_session));
    }
    bool same = *settings.group == group();
    settings_ = std::move(settings);
    if (!same) shard_.engine().on_settings(id_, settings_.group);
    if (!same_bfd) start_bfd();
    return;
  }
  bool restart = (!keeps || other_way) && !settings_.admin_down;
  if (restart) {
    stop_all(wire::make_cease(wire::cease::other_configuration_change), CloseReason::configuration_changed, false);
    shard_.engine().forget(id_);
  }
  settings_ = std::move(settings);
  offer_ = {};
  if (restart) bring_up();
}

// What waited for the end of a session.
void Peer::take_next_group() {
  if (!next_group_) return;
  settings_.group = std::exchange(next_group_, nullptr);
  offer_ = {};
}

bool Peer::drop_silent() {
  for (Attempt& attempt : attempts_) {
    if (!attempt.has_connection() || attempt.is_outgoing() || &attempt == established_ || !attempt.is_silent()) continue;
    attempt.raise(Event::automatic_stop, wire::make_cease(wire::cease::out_of_resources), CloseReason::out_of_resources);
    return true;
  }
  return false;
}

void Peer::send_message(std::vector<std::uint8_t> message) {
  if (!established_ || message.size() < wire::kHeaderSize) return;
  if (std::uint8_t type = message[wire::kHeaderSize - 1]; type < messages_out_.size())
    count_out(static_cast<wire::MessageType>(type), message.size());
  established_->send(message);
}

void Peer::request_close(wire::Notification notification, CloseReason reason) {
  if (established_ && !requested_close_) requested_close_ = RequestedClose{std::move(notification), reason};
}

void Peer::apply_requested_close() {
  if (!requested_close_ || !established_) return;
  RequestedClose close = *std::exchange(requested_close_, std::nullopt);
  if (close.reason == CloseReason::max_prefixes) hold_for_limit(close.notification);
  established_->raise(Event::automatic_stop, std::move(close.notification), close.reason);
}

// BFD runs between the ends of the BGP session, as configured now.
void Peer::start_bfd() {
  BfdService* bfd = shard_.bfd();
  if (!bfd || !established_) return;
  const BfdSettings& wanted = group().bfd;
  if (!wanted.enabled) {
    bfd->stop(id_);
  } else if (bfd_runs_) {
    bfd->configure(id_, {wanted.interval, wanted.multiplier}, group().ttl_min);
  } else {
    bfd->start({id_, generation_, settings_.address, established_->connection()->local_address(),
                {wanted.interval, wanted.multiplier}, group().ttl_min});
  }
  bfd_runs_ = wanted.enabled;
}

void Peer::on_bfd_failed(std::uint32_t generation) {
  if (!established_ || generation != generation_ || !bfd_runs_) return;
  request_close(wire::make_cease(wire::cease::bfd_down), CloseReason::bfd_down);
  apply_requested_close();
}

// --- what the attempts report -----------------------------------------------------------------------------------------

std::vector<std::uint8_t> Peer::open_message() const {
  std::vector<std::uint8_t> out;
  wire::encode_open(out, make_open(group(), offer_, shard_.engine().is_restarting()));
  return out;
}

// RFC 4271 §6.8. `attempt` has just received an acceptable OPEN. True: it goes on, and the other one is gone if the two
// collided. RFC 6286 §2.3: equal identifiers (in different ASes) are decided by the AS number.
bool Peer::survives_collision(Attempt& attempt) {
  Attempt& other = other_of(attempt);
  if (other.state() == State::established) {
    // RFC 4724 §4.2: with graceful restart, a new connection says that the old one is dead; no NOTIFICATION.
    if (!other.negotiated()->agreed.restart_capable) return false;
    other.raise(Event::tcp_fails, {}, CloseReason::tcp_closed);
    return true;
  }
  if (other.state() != State::open_confirm) return true;
  const Negotiated& remote = *attempt.negotiated();
  bool keep_ours = group().router_id != remote.router_id ? group().router_id > remote.router_id
                                                         : group().local_as > remote.peer_as;
  if (attempt.is_outgoing() != keep_ours || other.is_outgoing() == attempt.is_outgoing()) return false;
  other.raise(Event::collision_dump, wire::make_cease(wire::cease::collision), CloseReason::collision);
  return true;
}

void Peer::on_established(Attempt& attempt) {
  established_ = &attempt;
  established_at_ = shard_.now();
  idle_hold_at_ = kStopped;
  retry_soon_ = false;
  requested_close_.reset();
  const Negotiated& negotiated = *attempt.negotiated();
  hostname_ = negotiated.hostname;
  router_id_ = negotiated.router_id;
  if (Attempt& other = other_of(attempt); other.is_running())
    other.raise(Event::collision_dump, wire::make_cease(wire::cease::collision), CloseReason::collision);

  EstablishedPeer peer;
  peer.peer = id_;
  peer.address = settings_.address;
  peer.local_address = attempt.connection()->local_address();
  peer.router_id = negotiated.router_id;
  peer.peer_as = negotiated.peer_as;
  peer.families = negotiated.agreed.families;
  peer.add_path_receive = negotiated.agreed.add_path_receive;
  peer.add_path_send = negotiated.agreed.add_path_send;
  peer.ipv6_next_hop = negotiated.agreed.ipv6_next_hop;
  peer.four_octet_as = negotiated.agreed.four_octet_as;
  peer.route_refresh = negotiated.agreed.route_refresh;
  peer.enhanced_refresh = negotiated.agreed.enhanced_route_refresh;
  peer.extended_messages = negotiated.agreed.max_send > wire::kMaxMessage;
  peer.remote_restarting = negotiated.agreed.remote_restarting;
  peer.restart_capable = negotiated.agreed.restart_capable;
  peer.graceful_restart = negotiated.agreed.graceful_restart;
  peer.forwarding_preserved = negotiated.agreed.forwarding_preserved;
  peer.restart_on_notification = negotiated.agreed.restart_on_notification;
  peer.restart_time = std::chrono::seconds(negotiated.agreed.restart_time);
  peer.long_lived_capable = negotiated.agreed.long_lived_capable;
  peer.long_lived = negotiated.agreed.long_lived;
  for (std::size_t i = 0; i < wire::kFamilyCount; ++i) peer.long_lived_time[i] = std::chrono::seconds(negotiated.agreed.stale_time[i]);
  peer.group = settings_.group;
  peer.opens = attempt.take_opens();
  log::info("peer={} group={} state=Established as={} hold-time={} hostname=\"{}\"", name_, group().name,
            negotiated.peer_as, negotiated.hold_time.count(), hostname_);
  shard_.engine().on_established(peer, shard_.now());
  ++generation_;
  start_bfd();
}

void Peer::on_routes_released(CloseReason reason) {
  established_ = nullptr;
  requested_close_.reset();
  if (std::exchange(bfd_runs_, false)) shard_.bfd()->stop(id_);
  ++flaps_;
  // A session that breaks down again and again, soon after it came up, is held back like one that never comes up.
  if (shard_.now() - established_at_ >= shard_.limits().stable_after) failures_ = 0;
  log::info("peer={} group={} session closed reason={} {}", name_, group().name, close_reason_name(reason),
            reason == CloseReason::tcp_closed || reason == CloseReason::tcp_error ? "" : last_notification_);
  shard_.engine().on_closed(id_, reason);
  take_next_group();
}

void Peer::on_state_changed(Attempt& attempt, State before, CloseReason reason) {
  bool is_connector = &attempt == &attempts_[0];
  if (before >= State::open_sent && attempt.state() < State::open_sent)
    shard_.counters().session_closes[static_cast<std::size_t>(reason)].add();
  if (attempt.state() == State::active && before == State::open_sent && (!is_connector || established_)) {
    attempt.raise(Event::automatic_stop, {}, reason);  // only the connector waits for its next try
    return;
  }
  if (attempt.state() == State::idle) {
    bool had_session = before >= State::open_sent;
    if (had_session) last_close_ = reason;
    bool counts = reason != CloseReason::collision && reason != CloseReason::admin_down && reason != CloseReason::shutdown &&
                  reason != CloseReason::admin_reset && reason != CloseReason::configuration_changed;
    if (counts && failures_ < 32) ++failures_;
    if (had_session && before != State::established && counts) {
      // Dropped to make room: the listener counts those, a line for each would serve the flood.
      if (shard_.now() < quiet_until_ || reason == CloseReason::out_of_resources) {
        ++unlogged_;
      } else {
        log::warn("peer={} group={} no session: reason={} {} ({} earlier failures not logged)", name_, group().name,
                  close_reason_name(reason), last_notification_, std::exchange(unlogged_, 0));
        quiet_until_ = shard_.now() + kQuiet;
      }
    }
    if (!settings_.admin_down && !established_ && !attempts_[0].is_running() && idle_hold_at_ == kStopped)
      hold_idle(!had_session);
  }
  State shown = shown_state();
  if (shown != last_shown_) {
    last_shown_ = shown;
    state_since_ = shard_.now();
  }
}

// The family is in the data (RFC 4486 §4).
void Peer::hold_for_limit(const wire::Notification& notification) {
  ByteReader data(notification.data);
  wire::AfiSafi value;
  value.afi = data.u16();
  value.safi = data.u8();
  auto family = wire::family_of(value);
  if (!data.ok() || !family) return;
  const auto& limit = group().prefix_limits[wire::index(*family)];
  if (!limit) return;
  limit_hold_until_ = limit->restart_timer.count() == 0 ? kStopped : shard_.now() + limit->restart_timer;
}

// The pause before the next try: doubles with every failure in a row. Where nobody answers, at most connect-retry.
void Peer::hold_idle(bool connect_failed) {
  const SessionLimits& limits = shard_.limits();
  std::chrono::milliseconds most = limits.idle_hold_most;
  if (connect_failed) most = std::min<std::chrono::milliseconds>(most, group().connect_retry);
  unsigned doublings = failures_ == 0 ? 0 : std::min(failures_ - 1, 16u);
  std::chrono::milliseconds pause = std::min(limits.idle_hold_first * (1 << doublings), most);
  if (std::exchange(retry_soon_, false)) pause = std::min(pause, limits.idle_hold_first);
  idle_hold_at_ = shard_.now() + jittered(pause);
  if (limit_hold_until_ > shard_.now()) idle_hold_at_ = limit_hold_until_;
}

void Peer::on_bad_message(Bytes message) { last_bad_message_.assign(message.begin(), message.end()); }

void Peer::on_connection_gone(const Connection& connection) {
  bytes_in_ += connection.bytes_in();
  bytes_out_ += connection.bytes_out();
}

void Peer::on_notification_sent(const wire::Notification& notification) {
  count_out(wire::MessageType::notification, wire::kHeaderSize + 2 + notification.data.size());
  shard_.counters().count_notification(telemetry::Direction::out, notification.code, notification.subcode);
  last_notification_ = "sent: " + wire::format_notification(notification);
}

void Peer::on_notification_received(const wire::Notification& notification) {
  shard_.counters().count_notification(telemetry::Direction::in, notification.code, notification.subcode);
  last_notification_ = "received: " + wire::format_notification(notification);
  bool refuses_capability = notification.code == static_cast<std::uint8_t>(wire::ErrorCode::open_message) &&
                            (notification.subcode == 4 || notification.subcode == 7);
  if (!refuses_capability) return;
  Offer less = offer_.without_refused(notification);
  retry_soon_ = less != offer_;
  offer_ = less;
}

void Peer::on_connect_failed(const char* step, int error) {
  last_error_ = std::string(step) + ": " + std::strerror(error);
  log::debug("peer={} {}", name_, last_error_);
}

// --- timers and views -------------------------------------------------------------------------------------------------

void Peer::reschedule() {
  update_status();
  TimePoint due = std::min({idle_hold_at_, attempts_[0].deadline(), attempts_[1].deadline()});
  if (due >= armed_for_) return;
  armed_for_ = due;
  timer_.expires_at(due);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    std::shared_ptr<Peer> self = weak.lock();
    if (error || !self) return;
    self->armed_for_ = kStopped;
    self->on_timer();
  });
}

void Peer::on_timer() {
  TimePoint now = std::chrono::steady_clock::now();
  for (Attempt& attempt : attempts_) attempt.run_timers(now);
  if (idle_hold_at_ <= now) start_connector();
  reschedule();
}

void Peer::update_status() {
  bool pending = accepting_ || attempts_[0].has_connection() || attempts_[1].has_connection();
  Phase phase = established_ ? Phase::established : pending ? Phase::pending : Phase::down;
  status_->phase.store(phase, std::memory_order_relaxed);
}

State Peer::shown_state() const { return std::max(attempts_[0].state(), attempts_[1].state()); }

PeerSnapshot Peer::snapshot() const {
  PeerSnapshot out;
  out.peer = id_;
  out.address = settings_.address;
  out.group = group().name;
  out.description = settings_.description;
  out.hostname = hostname_;
  out.state = shown_state();
  out.admin_down = settings_.admin_down;
  out.dynamic = settings_.dynamic;
  out.role = group().role;
  out.peer_as = group().peer_as;
  out.router_id = router_id_;
  out.state_since = state_since_;
  out.messages_in = messages_in_;
  out.messages_out = messages_out_;
  out.bytes_in = bytes_in_;
  out.bytes_out = bytes_out_;
  for (const Attempt& attempt : attempts_) {
    if (const Connection* connection = attempt.connection()) {
      out.bytes_in += connection->bytes_in();
      out.bytes_out += connection->bytes_out();
    }
  }
  if (established_) {
    const Negotiated& negotiated = *established_->negotiated();
    out.families = negotiated.agreed.families;
    out.hold_time = negotiated.hold_time;
    out.keepalive_interval = negotiated.keepalive_interval;
    out.peer_as = negotiated.peer_as;
  }
  out.flaps = flaps_;
  out.connect_retries = connect_retries_;
  out.last_close = last_close_;
  out.last_notification = last_notification_;
  out.last_error = last_error_;
  out.last_bad_message = last_bad_message_;
  out.needs_reset = next_group_ != nullptr;
  if (limit_hold_until_ == kStopped) out.held = std::chrono::seconds::max();
  else if (limit_hold_until_ > shard_.now()) out.held = std::chrono::ceil<std::chrono::seconds>(limit_hold_until_ - shard_.now());
  return out;
}

}  // namespace helio::session

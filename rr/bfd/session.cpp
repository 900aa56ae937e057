#include "rr/bfd/session.hpp"

#include <algorithm>

namespace helio::bfd {
namespace {

using std::chrono::microseconds;

// §6.8.3: "When bfd.SessionState is not Up, the system MUST set bfd.DesiredMinTxInterval to a value of not less than one
// second (1,000,000 microseconds)."
constexpr microseconds kSlow = std::chrono::seconds(1);
constexpr microseconds kNever = microseconds::max();

}  // namespace

Session::Session(Parameters parameters, std::uint32_t discriminator, std::uint32_t seed, TimePoint now)
    : parameters_(parameters),
      discriminator_(discriminator),
      random_(seed),
      desired_(std::max<microseconds>(parameters.interval, kSlow)),
      used_desired_(desired_),
      required_(parameters.interval),
      used_required_(required_),
      next_packet_(now) {}

microseconds Session::transmit_interval() const { return remote_min_rx_.count() == 0 ? kNever : std::max(used_desired_, remote_min_rx_); }

// §6.8.4, asynchronous mode.
microseconds Session::detection_time() const { return remote_multiplier_ * std::max(used_required_, remote_desired_); }

// §6.8.7: 75 to 100 % of the interval, at most 90 % where one lost packet is enough.
microseconds Session::jittered(microseconds interval) {
  double most = parameters_.multiplier == 1 ? 0.9 : 1.0;
  double factor = std::uniform_real_distribution<double>(0.75, most)(random_);
  return microseconds(static_cast<microseconds::rep>(static_cast<double>(interval.count()) * factor));
}

// §6.6: Demand mode is active on the neighbour: nothing periodic but Poll Sequences.
bool Session::is_silenced() const {
  return remote_demand_ && state_ == State::up && remote_state_ == State::up && !is_polling_;
}

void Session::schedule(TimePoint now) {
  microseconds interval = transmit_interval();
  next_packet_ = interval == kNever || is_silenced() ? TimePoint::max() : now + jittered(interval);
}

void Session::send(bool final) {
  ControlPacket packet;
  packet.diagnostic = diagnostic_;
  packet.state = state_;
  packet.final = final;
  packet.poll = is_polling_ && !final;  // §6.5: "it MUST NOT set both"
  packet.detect_multiplier = parameters_.multiplier;
  packet.my_discriminator = discriminator_;
  packet.your_discriminator = remote_discriminator_;
  packet.desired_min_tx = desired_;
  packet.required_min_rx = required_;
  packets_.push_back(packet);
}

void Session::set_intervals(microseconds desired, microseconds required, TimePoint now) {
  if (desired == desired_ && required == required_) return;
  bool is_up = state_ == State::up;
  microseconds before = transmit_interval();
  // §6.8.3: "If bfd.DesiredMinTxInterval is increased and bfd.SessionState is Up, the actual transmission interval used MUST
  // NOT change until the Poll Sequence described above has terminated"; alike for a reduced RequiredMinRxInterval.
  if (!is_up || desired < desired_) used_desired_ = desired;
  if (!is_up || required > required_) used_required_ = required;
  desired_ = desired;
  required_ = required;
  is_polling_ = remote_discriminator_ != 0;
  if (transmit_interval() < before && next_packet_ != TimePoint::max())
    next_packet_ = std::min(next_packet_, now + jittered(transmit_interval()));
}

void Session::change_state(State state, Diagnostic diagnostic, Event event, TimePoint now) {
  state_ = state;
  diagnostic_ = diagnostic;
  if (event != Event::none) event_ = event;
  microseconds desired = parameters_.interval;
  if (state != State::up) desired = std::max(desired, kSlow);
  set_intervals(desired, parameters_.interval, now);
  // §6.8.7: a packet "SHOULD be transmitted during the interval between periodic Control packet transmissions when the
  // contents of that packet would differ": the neighbour learns of the change at once.
  if (remote_min_rx_.count() != 0) send(false);
  schedule(now);
}

void Session::on_packet(const ControlPacket& packet, TimePoint now) {
  microseconds before = transmit_interval();
  bool was_silenced = is_silenced();
  last_received_ = now;
  remote_discriminator_ = packet.my_discriminator;
  remote_state_ = packet.state;
  remote_diagnostic_ = packet.diagnostic;
  remote_demand_ = packet.demand;
  remote_min_rx_ = packet.required_min_rx;
  remote_desired_ = packet.desired_min_tx;
  remote_multiplier_ = packet.detect_multiplier;
  if (packet.final && is_polling_) {
    is_polling_ = false;
    used_desired_ = desired_;
    used_required_ = required_;
  }
  if (state_ == State::admin_down) return;  // §6.8.6: "discard the packet"
  State state_before = state_;
  follow_state(packet, now);
  if (packet.poll) send(true);
  // A change of state has set the next packet's time already.
  microseconds interval = transmit_interval();
  if (state_ == state_before && (interval < before || interval == kNever || next_packet_ == TimePoint::max() || was_silenced != is_silenced()))
    schedule(now);
}

// §6.8.6, the state machine of §6.2.
void Session::follow_state(const ControlPacket& packet, TimePoint now) {
  if (packet.state == State::admin_down) {
    if (state_ == State::down) return;
    Event event = state_ == State::up ? Event::neighbor_admin_down : Event::none;
    change_state(State::down, Diagnostic::neighbor_signaled_down, event, now);
    return;
  }
  switch (state_) {
    case State::down:
      if (packet.state == State::down) change_state(State::init, Diagnostic::none, Event::none, now);
      if (packet.state == State::init) change_state(State::up, Diagnostic::none, Event::up, now);
      break;
    case State::init:
      if (packet.state >= State::init) change_state(State::up, Diagnostic::none, Event::up, now);
      break;
    case State::up:
      if (packet.state == State::down) change_state(State::down, Diagnostic::neighbor_signaled_down, Event::failed, now);
      break;
    case State::admin_down: break;
  }
}

void Session::run(TimePoint now) {
  if (remote_discriminator_ != 0 && now >= last_received_ + detection_time()) {
    // §6.8.1: "If a period of a Detection Time passes without the receipt of a valid, authenticated BFD packet from the
    // remote system, this variable MUST be set to zero."
    remote_discriminator_ = 0;
    remote_demand_ = false;
    is_polling_ = false;
    if (state_ == State::init || state_ == State::up)
      change_state(State::down, Diagnostic::detection_time_expired, state_ == State::up ? Event::failed : Event::none, now);
    remote_state_ = State::down;
  }
  if (now >= next_packet_) {
    send(false);
    schedule(now);
  }
}

TimePoint Session::deadline() const {
  TimePoint at = std::min(next_packet_, over_at_);
  return remote_discriminator_ != 0 ? std::min(at, last_received_ + detection_time()) : at;
}

void Session::configure(Parameters parameters, TimePoint now) {
  if (parameters == parameters_) return;
  parameters_ = parameters;
  if (state_ == State::admin_down) return;
  microseconds desired = parameters.interval;
  if (state_ != State::up) desired = std::max(desired, kSlow);
  set_intervals(desired, parameters.interval, now);
}

void Session::shut_down(TimePoint now) {
  if (state_ == State::admin_down) return;
  change_state(State::admin_down, Diagnostic::administratively_down, Event::none, now);
  microseconds interval = transmit_interval() == kNever ? kSlow : transmit_interval();
  over_at_ = now + parameters_.multiplier * interval;
}

}  // namespace helio::bfd

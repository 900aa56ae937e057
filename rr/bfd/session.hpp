// One BFD session in asynchronous mode (RFC 5880 §6): state machine, timers, Poll Sequences. Pure: time comes in, packets
// and events come out; whoever owns it sends the packets at once and calls run() at deadline().
//
// We take the active role, never ask for Demand mode and offer no echo. A neighbour that asks for Demand mode is obeyed:
// periodic packets stop while both ends are Up (§6.6). About 200 bytes.
#pragma once
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "rr/bfd/packet.hpp"

namespace helio::bfd {

using TimePoint = std::chrono::steady_clock::time_point;

struct Parameters {
  std::chrono::milliseconds interval{300};  // DesiredMinTxInterval once Up, and RequiredMinRxInterval
  std::uint8_t multiplier = 3;
  bool operator==(const Parameters&) const = default;
};

// What the user of the session is told. A neighbour that goes AdminDown is no failure of the path (RFC 5882 §3.2).
enum class Event : std::uint8_t { none, up, failed, neighbor_admin_down };

class Session {
 public:
  // `discriminator`: ours, unique on this system and not 0. Its first packet is due at once.
  Session(Parameters parameters, std::uint32_t discriminator, std::uint32_t seed, TimePoint now);

  // A packet that decode() took and that belongs to this session.
  void on_packet(const ControlPacket& packet, TimePoint now);
  // What is due by now: periodic packets, the end of the detection time.
  void run(TimePoint now);
  TimePoint deadline() const;
  void configure(Parameters parameters, TimePoint now);
  // AdminDown (§6.8.16): goes on telling the neighbour for its detection time, then is_over().
  void shut_down(TimePoint now);
  bool is_over(TimePoint now) const { return state_ == State::admin_down && now >= over_at_; }

  // Packets to send now, in order; empties the list.
  std::vector<ControlPacket> take_packets() { return std::exchange(packets_, {}); }
  Event take_event() { return std::exchange(event_, Event::none); }

  State state() const { return state_; }
  State remote_state() const { return remote_state_; }
  Diagnostic diagnostic() const { return diagnostic_; }
  Diagnostic remote_diagnostic() const { return remote_diagnostic_; }
  std::uint32_t discriminator() const { return discriminator_; }
  std::uint32_t remote_discriminator() const { return remote_discriminator_; }
  bool is_polling() const { return is_polling_; }
  std::chrono::microseconds transmit_interval() const;  // before jitter; max() when nothing periodic is sent
  std::chrono::microseconds detection_time() const;     // 0 before the first packet

 private:
  void change_state(State state, Diagnostic diagnostic, Event event, TimePoint now);
  void set_intervals(std::chrono::microseconds desired, std::chrono::microseconds required, TimePoint now);
  void follow_state(const ControlPacket& packet, TimePoint now);
  void send(bool final);
  void schedule(TimePoint now);
  bool is_silenced() const;
  std::chrono::microseconds jittered(std::chrono::microseconds interval);

  Parameters parameters_;
  std::uint32_t discriminator_, remote_discriminator_ = 0;
  std::minstd_rand random_;
  State state_ = State::down, remote_state_ = State::down;
  Diagnostic diagnostic_ = Diagnostic::none, remote_diagnostic_ = Diagnostic::none;
  // What is said in packets, and what is used until a Poll Sequence has told the neighbour (§6.8.3).
  std::chrono::microseconds desired_, used_desired_, required_, used_required_;
  std::chrono::microseconds remote_min_rx_{1}, remote_desired_{0};
  std::uint8_t remote_multiplier_ = 0;
  bool remote_demand_ = false;
  bool is_polling_ = false;
  TimePoint last_received_{};
  TimePoint next_packet_;
  TimePoint over_at_ = TimePoint::max();
  std::vector<ControlPacket> packets_;
  Event event_ = Event::none;
};

}  // namespace helio::bfd

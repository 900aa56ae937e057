// The BFD session: the state machine of RFC 5880 §6.2 cell by cell, timers against a simulated clock, two of them talking
// over a wire that loses packets.
#include "rr/bfd/session.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace helio::bfd {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

constexpr TimePoint kStart{1000s};

ControlPacket packet(State state, std::uint32_t your = 0, microseconds interval = 1s) {
  ControlPacket p;
  p.state = state;
  p.my_discriminator = 99;
  p.your_discriminator = your;
  p.desired_min_tx = p.required_min_rx = interval;
  return p;
}

// A session in the state, fed by a neighbour with number 99.
Session session_in(State state, TimePoint now = kStart, Parameters parameters = {300ms, 3}) {
  Session s(parameters, 7, 1, now);
  if (state == State::admin_down) s.shut_down(now);
  if (state == State::init) s.on_packet(packet(State::down), now);
  if (state == State::up) s.on_packet(packet(State::init, 7), now);
  s.take_packets();
  s.take_event();
  EXPECT_EQ(s.state(), state);
  return s;
}

// §6.2, §6.8.6.
TEST(BfdSession, EveryCellOfTheStateMachine) {
  using enum State;
  struct Row {
    State before, received, after;
    Diagnostic diagnostic;
    Event event;
  };
  constexpr Diagnostic kNone = Diagnostic::none, kSignaled = Diagnostic::neighbor_signaled_down;
  for (const Row& row : {
           Row{down, admin_down, down, kNone, Event::none}, Row{down, down, init, kNone, Event::none},
           Row{down, init, up, kNone, Event::up}, Row{down, up, down, kNone, Event::none},
           Row{init, admin_down, down, kSignaled, Event::none}, Row{init, down, init, kNone, Event::none},
           Row{init, init, up, kNone, Event::up}, Row{init, up, up, kNone, Event::up},
           Row{up, admin_down, down, kSignaled, Event::neighbor_admin_down}, Row{up, down, down, kSignaled, Event::failed},
           Row{up, init, up, kNone, Event::none}, Row{up, up, up, kNone, Event::none},
           Row{admin_down, down, admin_down, Diagnostic::administratively_down, Event::none},
           Row{admin_down, init, admin_down, Diagnostic::administratively_down, Event::none},
           Row{admin_down, up, admin_down, Diagnostic::administratively_down, Event::none},
       }) {
    SCOPED_TRACE(std::string(state_name(row.before)) + " + " + std::string(state_name(row.received)));
    Session s = session_in(row.before);
    s.on_packet(packet(row.received, 7), kStart + 10ms);
    EXPECT_EQ(s.state(), row.after);
    EXPECT_EQ(s.diagnostic(), row.diagnostic);
    EXPECT_EQ(s.take_event(), row.event);
    EXPECT_EQ(s.remote_state(), row.received);
    // §6.8.7: a change is told at once.
    auto sent = s.take_packets();
    EXPECT_EQ(sent.size(), row.before != row.after ? 1u : 0u);
    for (const ControlPacket& p : sent) {
      EXPECT_EQ(p.state, row.after);
      EXPECT_EQ(p.your_discriminator, 99u);
      EXPECT_EQ(p.diagnostic, row.diagnostic);
    }
  }
}

// §6.8.1, §6.8.3: at least a second between packets until it is Up; the first one is due at once.
TEST(BfdSession, BeginsSlowly) {
  Session s({300ms, 3}, 7, 1, kStart);
  EXPECT_EQ(s.deadline(), kStart);
  s.run(kStart);
  auto sent = s.take_packets();
  ASSERT_EQ(sent.size(), 1u);
  ControlPacket expected;
  expected.my_discriminator = 7;
  expected.desired_min_tx = 1s;
  expected.required_min_rx = 300ms;
  EXPECT_TRUE(sent[0] == expected);
  EXPECT_GE(s.deadline(), kStart + 750ms);
  EXPECT_LE(s.deadline(), kStart + 1s);
  s.run(s.deadline() - 1us);
  EXPECT_TRUE(s.take_packets().empty());
}

// §6.8.7: 75 to 100 % of the larger of both intervals; 75 to 90 % with a multiplier of 1.
TEST(BfdSession, JitterStaysInBounds) {
  for (std::uint8_t multiplier : {std::uint8_t{1}, std::uint8_t{3}}) {
    Session s = session_in(State::up, kStart, {300ms, multiplier});
    ControlPacket keep = packet(State::up, 7, 500ms);
    keep.final = true;
    keep.desired_min_tx = 20s;  // no detection in this test
    s.on_packet(keep, kStart);
    s.run(s.deadline());
    microseconds least = 10s, most = 0s;
    for (int i = 0; i < 500; ++i) {
      TimePoint before = s.deadline();
      s.on_packet(keep, before);
      s.run(before);
      ASSERT_EQ(s.take_packets().size(), i == 0 ? 2u : 1u) << i;
      microseconds gap = std::chrono::duration_cast<microseconds>(s.deadline() - before);
      least = std::min(least, gap), most = std::max(most, gap);
    }
    EXPECT_GE(least, 375ms);
    EXPECT_LE(least, 380ms);
    EXPECT_LE(most, multiplier == 1 ? 450ms : 500ms);
    EXPECT_GE(most, multiplier == 1 ? 445ms : 495ms);
  }
}

// §6.8.4: the neighbour's multiplier times the larger of what we require and what it desires.
TEST(BfdSession, DetectionTime) {
  Session s = session_in(State::up);
  EXPECT_EQ(s.detection_time(), 3s);
  ControlPacket fast = packet(State::up, 7, 50ms);
  fast.detect_multiplier = 4;
  TimePoint last = kStart + 100ms;
  s.on_packet(fast, last);
  EXPECT_EQ(s.detection_time(), 1200ms);
  while (s.deadline() < last + 1200ms) s.run(s.deadline());
  s.take_packets();
  EXPECT_EQ(s.state(), State::up);
  EXPECT_EQ(s.take_event(), Event::none);
  s.run(last + 1200ms);
  EXPECT_EQ(s.state(), State::down);
  EXPECT_EQ(s.diagnostic(), Diagnostic::detection_time_expired);
  EXPECT_EQ(s.take_event(), Event::failed);
  EXPECT_EQ(s.remote_discriminator(), 0u);  // §6.8.1
  auto sent = s.take_packets();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].state, State::down);
  EXPECT_EQ(sent[0].desired_min_tx, 1s);
  EXPECT_FALSE(sent[0].poll);
}

// A neighbour that is lost before the session was Up is no failure of anything.
TEST(BfdSession, InitThatTimesOutIsNoFailure) {
  Session s = session_in(State::init);
  s.run(kStart + 3s);
  EXPECT_EQ(s.state(), State::down);
  EXPECT_EQ(s.take_event(), Event::none);
}

// §6.5, §6.8.3: Up changes the interval, so a Poll Sequence says so, until the Final.
TEST(BfdSession, PollSequence) {
  Session s(Parameters{300ms, 3}, 7, 1, kStart);
  s.on_packet(packet(State::init, 7, 100ms), kStart);
  auto sent = s.take_packets();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].poll && !sent[0].final);
  EXPECT_EQ(sent[0].desired_min_tx, 300ms);
  EXPECT_EQ(s.transmit_interval(), 300ms);  // a smaller interval counts at once
  s.run(s.deadline());
  EXPECT_TRUE(s.take_packets().at(0).poll);  // until it is answered
  ControlPacket answer = packet(State::up, 7, 100ms);
  answer.final = true;
  s.on_packet(answer, kStart + 310ms);
  EXPECT_FALSE(s.is_polling());
  s.run(s.deadline());
  EXPECT_FALSE(s.take_packets().at(0).poll);
}

// §6.8.7: a Poll is answered with a Final at once, whatever the timers say, and not with a Poll of our own.
TEST(BfdSession, AnswersAPoll) {
  for (State state : {State::down, State::init, State::up}) {
    Session s = session_in(state);
    TimePoint due = s.deadline();
    ControlPacket poll = packet(state == State::down ? State::up : state, 7);
    poll.poll = true;
    if (state == State::init) poll.state = State::down;
    s.on_packet(poll, kStart + 1ms);
    auto sent = s.take_packets();
    ASSERT_EQ(sent.size(), 1u) << state_name(state);
    EXPECT_TRUE(sent[0].final && !sent[0].poll);
    EXPECT_EQ(s.deadline(), due) << "the periodic packets go on as they were";
  }
  Session admin_down = session_in(State::admin_down);
  ControlPacket poll = packet(State::up, 7);
  poll.poll = true;
  admin_down.on_packet(poll, kStart);
  EXPECT_TRUE(admin_down.take_packets().empty());  // §6.8.6: discarded
}

// §6.8.3: in Up, a longer interval of ours waits for the Final, a shorter one does not; for what we require, reversed.
TEST(BfdSession, IntervalsChangeWhenTheNeighborKnows) {
  Session s = session_in(State::up);
  ControlPacket final_packet = packet(State::up, 7, 10ms);
  final_packet.final = true;
  s.on_packet(final_packet, kStart);
  EXPECT_EQ(s.transmit_interval(), 300ms);
  s.configure({900ms, 3}, kStart);
  EXPECT_TRUE(s.is_polling());
  EXPECT_EQ(s.transmit_interval(), 300ms);
  EXPECT_EQ(s.detection_time(), 2700ms);
  s.on_packet(final_packet, kStart + 10ms);
  EXPECT_EQ(s.transmit_interval(), 900ms);
  s.configure({100ms, 3}, kStart + 20ms);
  EXPECT_EQ(s.transmit_interval(), 100ms);
  EXPECT_EQ(s.detection_time(), 2700ms);
  EXPECT_LE(s.deadline(), kStart + 120ms);
  s.on_packet(final_packet, kStart + 30ms);
  EXPECT_EQ(s.detection_time(), 300ms);
}

// §6.8.7: nothing periodic for a neighbour that takes none.
TEST(BfdSession, NothingPeriodicWhereNoneIsTaken) {
  Session s = session_in(State::up);
  ControlPacket closed = packet(State::up, 7);
  closed.required_min_rx = 0s;
  s.on_packet(closed, kStart + 1ms);
  EXPECT_EQ(s.deadline(), kStart + 1ms + s.detection_time()) << "what was scheduled is not sent either";
  s.run(kStart + 2900ms);
  EXPECT_TRUE(s.take_packets().empty());
  s.on_packet(packet(State::up, 7), kStart + 2900ms);
  EXPECT_LE(s.deadline(), kStart + 3900ms) << "periodic again";
}

// §6.6: Demand mode of the neighbour silences us while both are Up; a Poll Sequence still goes.
TEST(BfdSession, ObeysDemandMode) {
  Session s = session_in(State::up);
  ControlPacket demand = packet(State::up, 7, 100ms);
  demand.demand = demand.final = true;
  s.on_packet(demand, kStart + 1ms);
  s.take_packets();
  demand.final = false;
  for (int i = 0; i < 50; ++i) {
    TimePoint now = kStart + 1ms + i * 100ms;
    s.on_packet(demand, now);
    s.run(now);
    ASSERT_TRUE(s.take_packets().empty()) << i;
  }
  TimePoint now = kStart + 6s;
  s.on_packet(demand, now - 1s);
  s.configure({200ms, 3}, now - 1s);
  s.on_packet(demand, now - 1s);
  s.run(now - 500ms);
  auto sent = s.take_packets();
  ASSERT_FALSE(sent.empty());
  EXPECT_TRUE(sent[0].poll);
  EXPECT_FALSE(sent[0].demand) << "we never ask for it";
  ControlPacket over = packet(State::up, 7, 100ms);
  over.final = true;
  s.on_packet(over, now - 400ms);
  s.run(now);
  EXPECT_FALSE(s.take_packets().empty()) << "periodic again";
}

// §6.8.16: AdminDown is told for the neighbour's detection time.
TEST(BfdSession, ShutsDown) {
  Session s = session_in(State::up);
  s.shut_down(kStart);
  EXPECT_EQ(s.take_event(), Event::none);
  auto sent = s.take_packets();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].state, State::admin_down);
  EXPECT_EQ(sent[0].diagnostic, Diagnostic::administratively_down);
  EXPECT_FALSE(s.is_over(kStart + 2900ms));
  unsigned more = 0;
  while (!s.is_over(s.deadline())) {
    s.run(s.deadline());
    more += static_cast<unsigned>(s.take_packets().size());
  }
  EXPECT_GE(more, 2u);
  EXPECT_TRUE(s.is_over(kStart + 3s));
}

// Two sessions, a wire with a delay, and a cut.
class Wire {
 public:
  Wire(Parameters a, Parameters b) : ends{Session(a, 1, 11, kStart), Session(b, 2, 22, kStart)} {}
  void run_until(TimePoint until) {
    while (true) {
      TimePoint next = std::min({ends[0].deadline(), ends[1].deadline(), in_flight.empty() ? TimePoint::max() : in_flight.front().at});
      if (next > until) break;
      now = std::max(now, next);
      if (!in_flight.empty() && in_flight.front().at <= now) {
        Flight flight = in_flight.front();
        in_flight.pop_front();
        if (!is_cut[flight.to]) ends[flight.to].on_packet(flight.packet, now);
      }
      for (std::size_t i = 0; i < 2; ++i) {
        ends[i].run(now);
        for (ControlPacket p : ends[i].take_packets()) {
          auto copy = decode(encode(p));
          ASSERT_TRUE(copy);
          in_flight.push_back({now + 5ms, 1 - i, *copy});
          ++sent[i];
        }
        if (Event event = ends[i].take_event(); event != Event::none) events[i].push_back(event);
      }
    }
    now = until;
  }
  struct Flight {
    TimePoint at;
    std::size_t to;
    ControlPacket packet;
  };
  Session ends[2];
  std::deque<Flight> in_flight;
  bool is_cut[2] = {};
  unsigned sent[2] = {};
  std::vector<Event> events[2];
  TimePoint now = kStart;
};

TEST(BfdSession, TwoEndsComeUpAndDetectACut) {
  Wire wire({50ms, 3}, {200ms, 5});
  wire.run_until(kStart + 3s);
  for (const Session& s : wire.ends) {
    EXPECT_EQ(s.state(), State::up);
    EXPECT_EQ(s.transmit_interval(), 200ms);  // the slower one counts
    EXPECT_FALSE(s.is_polling());
  }
  EXPECT_EQ(wire.ends[0].detection_time(), 1000ms);
  EXPECT_EQ(wire.ends[1].detection_time(), 600ms);
  unsigned before = wire.sent[0];
  wire.run_until(kStart + 13s);
  EXPECT_NEAR(wire.sent[0] - before, 57, 4);  // 10 s at 150 to 200 ms
  EXPECT_EQ(wire.events[0], std::vector<Event>{Event::up});
  // One direction is cut: the far end times out and tells the near one.
  wire.is_cut[1] = true;
  wire.run_until(kStart + 14s);
  EXPECT_EQ(wire.events[1], (std::vector<Event>{Event::up, Event::failed}));
  EXPECT_EQ(wire.ends[1].diagnostic(), Diagnostic::detection_time_expired);
  EXPECT_EQ(wire.events[0], (std::vector<Event>{Event::up, Event::failed}));
  EXPECT_EQ(wire.ends[0].diagnostic(), Diagnostic::neighbor_signaled_down);
  wire.is_cut[1] = false;
  wire.run_until(kStart + 18s);
  EXPECT_EQ(wire.ends[0].state(), State::up);
  EXPECT_EQ(wire.ends[1].state(), State::up);
  wire.ends[0].shut_down(wire.now);
  wire.run_until(kStart + 19s);
  EXPECT_EQ(wire.events[1].back(), Event::neighbor_admin_down);
}

}  // namespace
}  // namespace helio::bfd

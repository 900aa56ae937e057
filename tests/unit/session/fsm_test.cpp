// The FSM against RFC 4271 §8.2.2, cell by cell. The table below was written from the RFC's text, a group of events per
// sentence; the test fails when a cell is missing, named twice or answered differently.
#include "rr/session/fsm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace helio::session::fsm {
namespace {

using enum State;
using E = Event;

enum class When { always, delay_open, no_delay_open, delay_running, delay_not_running };

struct Group {
  const char* clause;
  State state;
  std::vector<Event> events;
  When when;
  State next;
  Actions actions;
};

constexpr Actions kDropConnection = kRelease | kStopConnectRetry;
constexpr Actions kDropDelayed = kDropConnection | kStopDelayOpen;

const std::vector<Group>& expectations() {
  static const std::vector<Group> groups = {
      // Idle
      {"8.2.2 Idle: ManualStart or AutomaticStart", idle, {E::manual_start, E::automatic_start}, When::always, connect,
       kClearRetryCounter | kRestartConnectRetry | kInitiateConnection},
      {"8.2.2 Idle: start with PassiveTcpEstablishment", idle, {E::manual_start_passive, E::automatic_start_passive},
       When::always, active, kClearRetryCounter | kRestartConnectRetry},
      {"8.2.2 Idle: ManualStop and AutomaticStop are ignored", idle, {E::manual_stop, E::automatic_stop}, When::always,
       idle, 0},
      {"8.2.2 Idle: any other event (9-12, 15-28) does not cause change", idle,
       {E::connect_retry_expires, E::hold_timer_expires, E::keepalive_timer_expires, E::delay_open_expires, E::tcp_acked,
        E::tcp_confirmed, E::tcp_fails, E::open, E::open_with_delay, E::header_error, E::open_error, E::collision_dump,
        E::version_error, E::notification, E::keepalive, E::update, E::update_error},
       When::always, idle, 0},
      {"RFC 9687 3.2: only Established knows the send hold timer", idle, {E::send_hold_expires}, When::always, idle, 0},

      // Connect
      {"8.2.2 Connect: start events (1, 3-7) are ignored", connect,
       {E::manual_start, E::automatic_start, E::manual_start_passive, E::automatic_start_passive}, When::always, connect, 0},
      {"8.2.2 Connect: ManualStop", connect, {E::manual_stop}, When::delay_not_running, idle,
       kDropDelayed | kClearRetryCounter},
      {"8.1.1 SendNOTIFICATIONwithoutOPEN: Cease while the DelayOpenTimer runs", connect, {E::manual_stop},
       When::delay_running, idle, kSendCease | kDropDelayed | kClearRetryCounter},
      {"8.2.2 Connect: ConnectRetryTimer_Expires", connect, {E::connect_retry_expires}, When::always, connect,
       kRelease | kRestartConnectRetry | kStopDelayOpen | kInitiateConnection},
      {"8.2.2 Connect: DelayOpenTimer_Expires", connect, {E::delay_open_expires}, When::always, open_sent,
       kStopConnectRetry | kStopDelayOpen | kSendOpen | kStartLargeHold},
      {"8.2.2 Connect: TCP succeeds, DelayOpen TRUE", connect, {E::tcp_acked, E::tcp_confirmed}, When::delay_open, connect,
       kStopConnectRetry | kStartDelayOpen},
      {"8.2.2 Connect: TCP succeeds, DelayOpen FALSE", connect, {E::tcp_acked, E::tcp_confirmed}, When::no_delay_open,
       open_sent, kStopConnectRetry | kSendOpen | kStartLargeHold},
      {"8.2.2 Connect: TcpConnectionFails, DelayOpenTimer running", connect, {E::tcp_fails}, When::delay_running, active,
       kRelease | kRestartConnectRetry | kStopDelayOpen},
      {"8.2.2 Connect: TcpConnectionFails, DelayOpenTimer not running", connect, {E::tcp_fails}, When::delay_not_running,
       idle, kDropConnection},
      {"8.2.2 Connect: BGPOpen with DelayOpenTimer running", connect, {E::open_with_delay}, When::always, open_confirm,
       kStopConnectRetry | kStopDelayOpen | kSendOpen | kSendKeepalive | kStartSessionTimers},
      {"8.2.2 Connect: BGPHeaderErr or BGPOpenMsgErr", connect, {E::header_error, E::open_error}, When::always, idle,
       kSendEventError | kDropDelayed | kCountRetry},
      {"8.2.2 Connect: NotifMsgVerErr, DelayOpenTimer running", connect, {E::version_error}, When::delay_running, idle,
       kDropDelayed},
      {"8.2.2 Connect: NotifMsgVerErr, DelayOpenTimer not running", connect, {E::version_error}, When::delay_not_running,
       idle, kDropDelayed | kCountRetry},
      {"8.2.2 Connect: any other events (8, 10-11, 13, 19, 23, 25-28)", connect,
       {E::automatic_stop, E::hold_timer_expires, E::keepalive_timer_expires, E::open, E::collision_dump, E::notification,
        E::keepalive, E::update, E::update_error, E::send_hold_expires},
       When::always, idle, kDropDelayed | kCountRetry},

      // Active
      {"8.2.2 Active: start events (1, 3-7) are ignored", active,
       {E::manual_start, E::automatic_start, E::manual_start_passive, E::automatic_start_passive}, When::always, active, 0},
      {"8.2.2 Active: ManualStop, DelayOpenTimer running and SendNOTIFICATIONwithoutOPEN", active, {E::manual_stop},
       When::delay_running, idle, kSendCease | kDropDelayed | kClearRetryCounter},
      {"8.2.2 Active: ManualStop", active, {E::manual_stop}, When::delay_not_running, idle,
       kDropDelayed | kClearRetryCounter},
      {"8.2.2 Active: ConnectRetryTimer_Expires", active, {E::connect_retry_expires}, When::always, connect,
       kRestartConnectRetry | kInitiateConnection},
      {"8.2.2 Active: DelayOpenTimer_Expires", active, {E::delay_open_expires}, When::always, open_sent,
       kStopConnectRetry | kStopDelayOpen | kSendOpen | kStartLargeHold},
      {"8.2.2 Active: TCP succeeds, DelayOpen TRUE", active, {E::tcp_acked, E::tcp_confirmed}, When::delay_open, active,
       kStopConnectRetry | kStartDelayOpen},
      {"8.2.2 Active: TCP succeeds, DelayOpen FALSE", active, {E::tcp_acked, E::tcp_confirmed}, When::no_delay_open,
       open_sent, kStopConnectRetry | kSendOpen | kStartLargeHold},
      {"8.2.2 Active: TcpConnectionFails", active, {E::tcp_fails}, When::always, idle,
       kRestartConnectRetry | kStopDelayOpen | kRelease | kCountRetry},
      {"8.2.2 Active: BGPOpen with DelayOpenTimer running", active, {E::open_with_delay}, When::always, open_confirm,
       kStopConnectRetry | kStopDelayOpen | kSendOpen | kSendKeepalive | kStartSessionTimers},
      {"8.2.2 Active: BGPHeaderErr or BGPOpenMsgErr", active, {E::header_error, E::open_error}, When::always, idle,
       kSendEventError | kDropDelayed | kCountRetry},
      {"8.2.2 Active: NotifMsgVerErr, DelayOpenTimer running", active, {E::version_error}, When::delay_running, idle,
       kDropDelayed},
      {"8.2.2 Active: NotifMsgVerErr, DelayOpenTimer not running", active, {E::version_error}, When::delay_not_running,
       idle, kDropDelayed | kCountRetry},
      {"8.2.2 Active: any other event (8, 10-11, 13, 19, 23, 25-28)", active,
       {E::automatic_stop, E::hold_timer_expires, E::keepalive_timer_expires, E::open, E::collision_dump, E::notification,
        E::keepalive, E::update, E::update_error, E::send_hold_expires},
       When::always, idle, kDropDelayed | kCountRetry},

      // OpenSent
      {"8.2.2 OpenSent: start events (1, 3-7) are ignored", open_sent,
       {E::manual_start, E::automatic_start, E::manual_start_passive, E::automatic_start_passive}, When::always, open_sent,
       0},
      {"8.2.2 OpenSent: ManualStop", open_sent, {E::manual_stop}, When::always, idle,
       kSendCease | kDropConnection | kClearRetryCounter},
      {"8.2.2 OpenSent: AutomaticStop; OpenCollisionDump", open_sent, {E::automatic_stop, E::collision_dump}, When::always,
       idle, kSendCease | kDropConnection | kCountRetry},
      {"8.2.2 OpenSent: HoldTimer_Expires", open_sent, {E::hold_timer_expires}, When::always, idle,
       kSendHoldExpired | kDropConnection | kCountRetry},
      {"8.2.2 OpenSent: Tcp_CR_Acked, TcpConnectionConfirmed: a second connection may be in progress", open_sent,
       {E::tcp_acked, E::tcp_confirmed}, When::always, open_sent, 0},
      {"8.2.2 OpenSent: TcpConnectionFails", open_sent, {E::tcp_fails}, When::always, active,
       kRelease | kRestartConnectRetry},
      {"8.2.2 OpenSent: BGPOpen without errors", open_sent, {E::open}, When::always, open_confirm,
       kStopDelayOpen | kStopConnectRetry | kSendKeepalive | kStartSessionTimers},
      {"8.2.2 OpenSent: BGPHeaderErr or BGPOpenMsgErr", open_sent, {E::header_error, E::open_error}, When::always, idle,
       kSendEventError | kDropConnection | kCountRetry},
      {"8.2.2 OpenSent: NotifMsgVerErr", open_sent, {E::version_error}, When::always, idle, kDropConnection},
      {"Deviation from 8.2.2: a NOTIFICATION is not answered with an FSM error", open_sent, {E::notification},
       When::always, idle, kDropConnection | kCountRetry},
      {"8.2.2 OpenSent: any other event (9, 11-13, 20, 25-28)", open_sent,
       {E::connect_retry_expires, E::keepalive_timer_expires, E::delay_open_expires, E::open_with_delay, E::keepalive,
        E::update, E::update_error, E::send_hold_expires},
       When::always, idle, kSendFsmError | kDropConnection | kCountRetry},

      // OpenConfirm
      {"8.2.2 OpenConfirm: start events (1, 3-7) are ignored", open_confirm,
       {E::manual_start, E::automatic_start, E::manual_start_passive, E::automatic_start_passive}, When::always,
       open_confirm, 0},
      {"8.2.2 OpenConfirm: ManualStop", open_confirm, {E::manual_stop}, When::always, idle,
       kSendCease | kDropConnection | kClearRetryCounter},
      {"8.2.2 OpenConfirm: AutomaticStop; OpenCollisionDump", open_confirm, {E::automatic_stop, E::collision_dump},
       When::always, idle, kSendCease | kDropConnection | kCountRetry},
      {"8.2.2 OpenConfirm: HoldTimer_Expires", open_confirm, {E::hold_timer_expires}, When::always, idle,
       kSendHoldExpired | kDropConnection | kCountRetry},
      {"8.2.2 OpenConfirm: KeepaliveTimer_Expires", open_confirm, {E::keepalive_timer_expires}, When::always, open_confirm,
       kSendKeepalive | kRestartKeepalive},
      {"8.2.2 OpenConfirm: events 14, 16, 17 track a second connection", open_confirm, {E::tcp_acked, E::tcp_confirmed},
       When::always, open_confirm, 0},
      {"8.2.2 OpenConfirm: TcpConnectionFails or NotifMsg", open_confirm, {E::tcp_fails, E::notification}, When::always,
       idle, kDropConnection | kCountRetry},
      {"8.2.2 OpenConfirm: NotifMsgVerErr", open_confirm, {E::version_error}, When::always, idle, kDropConnection},
      {"8.2.2 OpenConfirm: BGPHeaderErr or BGPOpenMsgErr", open_confirm, {E::header_error, E::open_error}, When::always,
       idle, kSendEventError | kDropConnection | kCountRetry},
      {"8.2.2 OpenConfirm: KeepAliveMsg", open_confirm, {E::keepalive}, When::always, established,
       kRestartHold | kEnterEstablished},
      {"8.2.2 OpenConfirm: any other event (9, 12-13, 20, 27-28), and a second OPEN on this connection", open_confirm,
       {E::connect_retry_expires, E::delay_open_expires, E::open, E::open_with_delay, E::update, E::update_error,
        E::send_hold_expires},
       When::always, idle, kSendFsmError | kDropConnection | kCountRetry},

      // Established
      {"8.2.2 Established: start events (1, 3-7) are ignored", established,
       {E::manual_start, E::automatic_start, E::manual_start_passive, E::automatic_start_passive}, When::always,
       established, 0},
      {"8.2.2 Established: ManualStop", established, {E::manual_stop}, When::always, idle,
       kSendCease | kReleaseRoutes | kDropConnection | kClearRetryCounter},
      {"8.2.2 Established: AutomaticStop; OpenCollisionDump", established, {E::automatic_stop, E::collision_dump},
       When::always, idle, kSendCease | kReleaseRoutes | kDropConnection | kCountRetry},
      {"8.2.2 Established: HoldTimer_Expires", established, {E::hold_timer_expires}, When::always, idle,
       kSendHoldExpired | kReleaseRoutes | kDropConnection | kCountRetry},
      {"8.2.2 Established: KeepaliveTimer_Expires", established, {E::keepalive_timer_expires}, When::always, established,
       kSendKeepalive | kRestartKeepalive},
      {"8.2.2 Established: events 14, 16, 17 track a second connection", established, {E::tcp_acked, E::tcp_confirmed},
       When::always, established, 0},
      {"8.2.2 Established: TcpConnectionFails, NotifMsg, NotifMsgVerErr", established,
       {E::tcp_fails, E::notification, E::version_error}, When::always, idle,
       kReleaseRoutes | kDropConnection | kCountRetry},
      {"8.2.2 Established: KeepAliveMsg", established, {E::keepalive}, When::always, established, kRestartHold},
      {"8.2.2 Established: UpdateMsg", established, {E::update}, When::always, established,
       kRestartHold | kProcessUpdate},
      {"8.2.2 Established: UpdateMsgErr", established, {E::update_error}, When::always, idle,
       kSendEventError | kReleaseRoutes | kDropConnection | kCountRetry},
      {"RFC 9687 3.2 Established: SendHoldTimer_Expires", established, {E::send_hold_expires}, When::always, idle,
       kSendSendHoldExpired | kReleaseRoutes | kDropConnection | kCountRetry},
      {"6.1, 6.2 over 8.2.2: header and OPEN errors are reported as such", established, {E::header_error, E::open_error},
       When::always, idle, kSendEventError | kReleaseRoutes | kDropConnection | kCountRetry},
      {"8.2.2 Established: any other event (9, 12-13, 20), and a second OPEN on this connection", established,
       {E::connect_retry_expires, E::delay_open_expires, E::open, E::open_with_delay}, When::always, idle,
       kSendFsmError | kReleaseRoutes | kDropConnection | kCountRetry},
  };
  return groups;
}

bool applies(When when, Conditions c) {
  switch (when) {
    case When::always: return true;
    case When::delay_open: return c.delay_open;
    case When::no_delay_open: return !c.delay_open;
    case When::delay_running: return c.delay_open_running;
    case When::delay_not_running: return !c.delay_open_running;
  }
  return false;
}

TEST(Fsm, EveryCellIsWhatRfc4271Says) {
  std::size_t cells = 0;
  for (std::size_t s = 0; s < kStateCount; ++s) {
    for (std::size_t e = 0; e < kEventCount; ++e) {
      for (unsigned bits = 0; bits < 4; ++bits) {
        auto state = static_cast<State>(s);
        auto event = static_cast<Event>(e);
        Conditions conditions{(bits & 1) != 0, (bits & 2) != 0};
        SCOPED_TRACE(std::string(state_name(state)) + " + " + std::string(event_name(event)));
        int found = 0;
        for (const Group& group : expectations()) {
          if (group.state != state || !applies(group.when, conditions)) continue;
          for (Event listed : group.events) {
            if (listed != event) continue;
            ++found;
            Transition got = step(state, event, conditions);
            EXPECT_EQ(got.next, group.next) << group.clause;
            EXPECT_EQ(got.actions, group.actions) << group.clause;
          }
        }
        EXPECT_EQ(found, 1) << "named by exactly one sentence";
        ++cells;
      }
    }
  }
  EXPECT_EQ(cells, kStateCount * kEventCount * 4);
}

// RFC 4271 §8.2.2: routes are released exactly when Established is left.
TEST(Fsm, RoutesAreReleasedExactlyWhenEstablishedIsLeft) {
  for (std::size_t s = 0; s < kStateCount; ++s)
    for (std::size_t e = 0; e < kEventCount; ++e) {
      Transition got = step(static_cast<State>(s), static_cast<Event>(e), {});
      bool leaves = static_cast<State>(s) == established && got.next != established;
      EXPECT_EQ((got.actions & kReleaseRoutes) != 0, leaves);
      EXPECT_EQ((got.actions & kEnterEstablished) != 0, static_cast<State>(s) != established && got.next == established);
    }
}

TEST(Fsm, NamesAreTheRfcsWords) {
  EXPECT_EQ(state_name(State::open_confirm), "OpenConfirm");
  EXPECT_EQ(event_name(Event::manual_start), "ManualStart");
  EXPECT_EQ(event_name(Event::tcp_acked), "Tcp_CR_Acked");
  EXPECT_EQ(event_name(Event::collision_dump), "OpenCollisionDump");
  EXPECT_EQ(event_name(Event::send_hold_expires), "SendHoldTimer_Expires");
}

}  // namespace
}  // namespace helio::session::fsm

// The BGP finite state machine (RFC 4271 §8, RFC 9687 for the send hold timer) as a pure table:
// (state, event, conditions) -> (next state, actions). No clock, no socket: an Attempt executes the actions.
//
// There is one FSM per TCP connection (RFC 4271 §8.2.1), so a neighbour has up to two of them while connections collide.
// Events that do not exist here: the DampPeerOscillations forms of start and IdleHoldTimer (the Peer's idle hold ends in
// an AutomaticStart), and TcpConnection_Valid / Tcp_CR_Invalid, which the listener settles before an FSM is involved.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace helio::session::fsm {

enum class State : std::uint8_t { idle, connect, active, open_sent, open_confirm, established };
inline constexpr std::size_t kStateCount = 6;
std::string_view state_name(State state);  // the RFC's words: "OpenConfirm"

// Numbers in comments are those of RFC 4271 §8.1.
enum class Event : std::uint8_t {
  manual_start,               // 1
  manual_stop,                // 2
  automatic_start,            // 3
  manual_start_passive,       // 4  ManualStart_with_PassiveTcpEstablishment
  automatic_start_passive,    // 5  AutomaticStart_with_PassiveTcpEstablishment
  automatic_stop,             // 8
  connect_retry_expires,      // 9
  hold_timer_expires,         // 10
  keepalive_timer_expires,    // 11
  delay_open_expires,         // 12
  tcp_acked,                  // 16 Tcp_CR_Acked: our connect() succeeded
  tcp_confirmed,              // 17 TcpConnectionConfirmed: accepted
  tcp_fails,                  // 18 TcpConnectionFails
  open,                       // 19 BGPOpen, acceptable
  open_with_delay,            // 20 BGPOpen with DelayOpenTimer running
  header_error,               // 21 BGPHeaderErr
  open_error,                 // 22 BGPOpenMsgErr
  collision_dump,             // 23 OpenCollisionDump
  version_error,              // 24 NotifMsgVerErr
  notification,               // 25 NotifMsg
  keepalive,                  // 26 KeepAliveMsg
  update,                     // 27 UpdateMsg; ROUTE-REFRESH (RFC 2918) counts as one
  update_error,               // 28 UpdateMsgErr
  send_hold_expires,          // 29 SendHoldTimer_Expires (RFC 9687 §3.1)
};
inline constexpr std::size_t kEventCount = 24;
std::string_view event_name(Event event);

// Bits, executed from the lowest to the highest.
enum Action : std::uint32_t {
  kSendCease = 1u << 0,              // subcode from whoever raised the event
  kSendHoldExpired = 1u << 1,        // 4/0
  kSendSendHoldExpired = 1u << 2,    // 8/0
  kSendFsmError = 1u << 3,           // 5/1..3 by state (RFC 6608)
  kSendEventError = 1u << 4,         // the NOTIFICATION that came with the event
  kReleaseRoutes = 1u << 5,          // leaves Established: "deletes all routes associated with this connection"
  kRelease = 1u << 6,                // drops the TCP connection, stops hold, keepalive, delay-open and send-hold timers
  kStopConnectRetry = 1u << 7,
  kStopDelayOpen = 1u << 8,
  kClearRetryCounter = 1u << 9,      // ConnectRetryCounter := 0
  kCountRetry = 1u << 10,            // ConnectRetryCounter += 1
  kRestartConnectRetry = 1u << 11,
  kInitiateConnection = 1u << 12,
  kStartDelayOpen = 1u << 13,
  kSendOpen = 1u << 14,
  kStartLargeHold = 1u << 15,        // 4 minutes suggested
  kSendKeepalive = 1u << 16,
  kStartSessionTimers = 1u << 17,    // hold and keepalive with the negotiated values; neither when that is zero
  kRestartHold = 1u << 18,
  kRestartKeepalive = 1u << 19,
  kEnterEstablished = 1u << 20,      // starts the send hold timer too (RFC 9687 §3.3)
  kProcessUpdate = 1u << 21,
};
using Actions = std::uint32_t;

// What a cell may depend on beside state and event.
struct Conditions {
  bool delay_open = false;          // session attribute DelayOpen is set
  bool delay_open_running = false;  // the DelayOpenTimer runs
};

struct Transition {
  State next = State::idle;
  Actions actions = 0;
  bool operator==(const Transition&) const = default;
};

Transition step(State state, Event event, Conditions conditions);

}  // namespace helio::session::fsm

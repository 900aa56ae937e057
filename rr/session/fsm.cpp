// RFC 4271 §8.2.2, state by state. The "any other event" line of a state is its default; the rows that follow are
// the events that the RFC names. The optional attribute SendNOTIFICATIONwithoutOPEN is TRUE.
#include "rr/session/fsm.hpp"

#include <array>

namespace helio::session::fsm {
namespace {

// A cell: what happens without a condition, and what happens when `guard` holds.
enum class Guard : std::uint8_t { none, delay_open, delay_open_running };
struct Cell {
  Transition plain;
  Guard guard = Guard::none;
  Transition guarded;
};
using Row = std::array<Cell, kEventCount>;
using Table = std::array<Row, kStateCount>;

constexpr std::size_t at(State s) { return static_cast<std::size_t>(s); }
constexpr std::size_t at(Event e) { return static_cast<std::size_t>(e); }

constexpr Actions kGiveUp = kRelease | kStopConnectRetry | kStopDelayOpen | kCountRetry;

constexpr void ignore_starts(Row& row, State stay) {
  for (Event e : {Event::manual_start, Event::automatic_start, Event::manual_start_passive, Event::automatic_start_passive})
    row[at(e)] = {{stay, 0}};
}

constexpr Row idle_row() {
  Row row{};
  for (Cell& cell : row) cell = {{State::idle, 0}};  // "does not cause change in the state of the local system"
  constexpr Actions start = kClearRetryCounter | kRestartConnectRetry;
  row[at(Event::manual_start)] = row[at(Event::automatic_start)] = {{State::connect, start | kInitiateConnection}};
  row[at(Event::manual_start_passive)] = row[at(Event::automatic_start_passive)] = {{State::active, start}};
  return row;
}

// What Connect and Active have in common once TCP is there.
constexpr void tcp_rows(Row& row, State stay) {
  Cell established_tcp = {{State::open_sent, kStopConnectRetry | kSendOpen | kStartLargeHold},
                          Guard::delay_open,
                          {stay, kStopConnectRetry | kStartDelayOpen}};
  row[at(Event::tcp_acked)] = row[at(Event::tcp_confirmed)] = established_tcp;
  row[at(Event::delay_open_expires)] = {
      {State::open_sent, kStopConnectRetry | kStopDelayOpen | kSendOpen | kStartLargeHold}};
  row[at(Event::open_with_delay)] = {
      {State::open_confirm, kStopConnectRetry | kStopDelayOpen | kSendOpen | kSendKeepalive | kStartSessionTimers}};
  row[at(Event::header_error)] = row[at(Event::open_error)] = {{State::idle, kSendEventError | kGiveUp}};
  row[at(Event::version_error)] = {{State::idle, kGiveUp},
                                   Guard::delay_open_running,
                                   {State::idle, kRelease | kStopConnectRetry | kStopDelayOpen}};
}

constexpr Row connect_row() {
  Row row{};
  for (Cell& cell : row) cell = {{State::idle, kGiveUp}};
  ignore_starts(row, State::connect);
  tcp_rows(row, State::connect);
  row[at(Event::manual_stop)] = {{State::idle, kRelease | kStopConnectRetry | kStopDelayOpen | kClearRetryCounter},
                                 Guard::delay_open_running,
                                 {State::idle, kSendCease | kRelease | kStopConnectRetry | kStopDelayOpen | kClearRetryCounter}};
  row[at(Event::connect_retry_expires)] = {
      {State::connect, kRelease | kStopDelayOpen | kRestartConnectRetry | kInitiateConnection}};
  row[at(Event::tcp_fails)] = {{State::idle, kRelease | kStopConnectRetry},
                               Guard::delay_open_running,
                               {State::active, kRelease | kStopDelayOpen | kRestartConnectRetry}};
  return row;
}

constexpr Row active_row() {
  Row row{};
  for (Cell& cell : row) cell = {{State::idle, kGiveUp}};
  ignore_starts(row, State::active);
  tcp_rows(row, State::active);
  row[at(Event::manual_stop)] = {{State::idle, kRelease | kStopConnectRetry | kStopDelayOpen | kClearRetryCounter},
                                 Guard::delay_open_running,
                                 {State::idle, kSendCease | kRelease | kStopConnectRetry | kStopDelayOpen | kClearRetryCounter}};
  row[at(Event::connect_retry_expires)] = {{State::connect, kRestartConnectRetry | kInitiateConnection}};
  row[at(Event::tcp_fails)] = {{State::idle, kRelease | kStopDelayOpen | kCountRetry | kRestartConnectRetry}};
  return row;
}

// What OpenSent, OpenConfirm and Established have in common. `leave` is kReleaseRoutes for Established.
constexpr Row session_row(State stay, Actions leave) {
  Row row{};
  constexpr Actions drop = kRelease | kStopConnectRetry;
  for (Cell& cell : row) cell = {{State::idle, kSendFsmError | leave | drop | kCountRetry}};
  ignore_starts(row, stay);
  row[at(Event::manual_stop)] = {{State::idle, kSendCease | leave | drop | kClearRetryCounter}};
  row[at(Event::automatic_stop)] = row[at(Event::collision_dump)] = {
      {State::idle, kSendCease | leave | drop | kCountRetry}};
  row[at(Event::hold_timer_expires)] = {{State::idle, kSendHoldExpired | leave | drop | kCountRetry}};
  // The second connection of a collision has its own FSM.
  row[at(Event::tcp_acked)] = row[at(Event::tcp_confirmed)] = {{stay, 0}};
  // Deviation: §8.2.2 answers header and OPEN errors in Established with an FSM error; §6.1 and §6.2 demand their own
  // NOTIFICATION ("MUST be indicated by sending the NOTIFICATION message with the Error Code Message Header Error").
  row[at(Event::header_error)] = row[at(Event::open_error)] = {
      {State::idle, kSendEventError | leave | drop | kCountRetry}};
  // Deviation: §8.2.2 sends an FSM error for a NOTIFICATION in OpenSent. A NOTIFICATION is never answered with one.
  row[at(Event::notification)] = {{State::idle, leave | drop | kCountRetry}};
  row[at(Event::version_error)] = {{State::idle, leave | drop}};
  return row;
}

constexpr Row open_sent_row() {
  Row row = session_row(State::open_sent, 0);
  row[at(Event::tcp_fails)] = {{State::active, kRelease | kRestartConnectRetry}};
  row[at(Event::open)] = {{State::open_confirm, kStopConnectRetry | kStopDelayOpen | kSendKeepalive | kStartSessionTimers}};
  return row;
}

constexpr Row open_confirm_row() {
  Row row = session_row(State::open_confirm, 0);
  row[at(Event::keepalive_timer_expires)] = {{State::open_confirm, kSendKeepalive | kRestartKeepalive}};
  row[at(Event::tcp_fails)] = {{State::idle, kRelease | kStopConnectRetry | kCountRetry}};
  row[at(Event::keepalive)] = {{State::established, kRestartHold | kEnterEstablished}};
  return row;
}

constexpr Row established_row() {
  Row row = session_row(State::established, kReleaseRoutes);
  row[at(Event::keepalive_timer_expires)] = {{State::established, kSendKeepalive | kRestartKeepalive}};
  row[at(Event::tcp_fails)] = row[at(Event::notification)];
  row[at(Event::version_error)] = row[at(Event::notification)];
  row[at(Event::keepalive)] = {{State::established, kRestartHold}};
  row[at(Event::update)] = {{State::established, kRestartHold | kProcessUpdate}};
  row[at(Event::update_error)] = {
      {State::idle, kSendEventError | kReleaseRoutes | kRelease | kStopConnectRetry | kCountRetry}};
  row[at(Event::send_hold_expires)] = {  // RFC 9687 §3.2
      {State::idle, kSendSendHoldExpired | kReleaseRoutes | kRelease | kStopConnectRetry | kCountRetry}};
  return row;
}

constexpr Table kTable = {idle_row(), connect_row(), active_row(), open_sent_row(), open_confirm_row(), established_row()};

constexpr std::array<std::string_view, kStateCount> kStateNames = {"Idle",     "Connect",     "Active",
                                                                  "OpenSent", "OpenConfirm", "Established"};
constexpr std::array<std::string_view, kEventCount> kEventNames = {
    "ManualStart",           "ManualStop",
    "AutomaticStart",        "ManualStart_with_PassiveTcpEstablishment",
    "AutomaticStart_with_PassiveTcpEstablishment",
    "AutomaticStop",         "ConnectRetryTimer_Expires",
    "HoldTimer_Expires",     "KeepaliveTimer_Expires",
    "DelayOpenTimer_Expires", "Tcp_CR_Acked",
    "TcpConnectionConfirmed", "TcpConnectionFails",
    "BGPOpen",               "BGPOpen with DelayOpenTimer running",
    "BGPHeaderErr",          "BGPOpenMsgErr",
    "OpenCollisionDump",     "NotifMsgVerErr",
    "NotifMsg",              "KeepAliveMsg",
    "UpdateMsg",             "UpdateMsgErr",
    "SendHoldTimer_Expires"};

}  // namespace

std::string_view state_name(State state) { return kStateNames[at(state)]; }
std::string_view event_name(Event event) { return kEventNames[at(event)]; }

Transition step(State state, Event event, Conditions conditions) {
  const Cell& cell = kTable[at(state)][at(event)];
  bool guarded = (cell.guard == Guard::delay_open && conditions.delay_open) ||
                 (cell.guard == Guard::delay_open_running && conditions.delay_open_running);
  return guarded ? cell.guarded : cell.plain;
}

}  // namespace helio::session::fsm

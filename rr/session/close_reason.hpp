// Why a session ended: typed, the same word in the log, the CLI and the metric heliograph_session_closes_total.
#pragma once
#include <cstdint>
#include <string_view>

namespace helio::session {

enum class CloseReason : std::uint8_t {
  none,
  hold_timer_expired,
  send_hold_timer_expired,
  notification_received,
  tcp_closed,            // the peer closed the connection
  tcp_error,             // reset, unreachable, timeout
  collision,             // RFC 4271 §6.8
  open_rejected,         // the peer's OPEN was not acceptable
  update_error,          // RFC 4271 §6.3 / RFC 7606 session reset
  header_error,
  fsm_error,
  admin_down,
  admin_reset,
  deconfigured,
  shutdown,              // the daemon stops
  max_prefixes,
  out_of_resources,
  slow_peer,
  configuration_changed,
  bfd_down,              // RFC 9384
  hard_reset,            // Cease/Hard Reset received (RFC 8538)
  count_                 // number of reasons
};

std::string_view close_reason_name(CloseReason reason);

// Is the end of the session taken for a restart, after which the routes stay for a while? A lost connection always is
// (RFC 4724 §4.2); what ended with a NOTIFICATION only when both sides agreed on that (RFC 8538 §4), and not when
// somebody meant the routes to go: then the NOTIFICATION goes out as Hard Reset.
bool is_restart(CloseReason reason, bool notification_restarts);

}  // namespace helio::session

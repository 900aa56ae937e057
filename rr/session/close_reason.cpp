#include "rr/session/close_reason.hpp"

#include <array>

namespace helio::session {

std::string_view close_reason_name(CloseReason reason) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(CloseReason::count_)> kNames = {
      "none",          "hold-timer-expired", "send-hold-timer-expired", "notification-received", "tcp-closed",
      "tcp-error",     "collision",          "open-rejected",           "update-error",          "header-error",
      "fsm-error",     "admin-down",         "admin-reset",             "deconfigured",          "shutdown",
      "max-prefixes",  "out-of-resources",   "slow-peer",               "configuration-changed", "bfd-down",
      "hard-reset"};
  auto at = static_cast<std::size_t>(reason);
  return at < kNames.size() ? kNames[at] : "unknown";
}

bool is_restart(CloseReason reason, bool notification_restarts) {
  switch (reason) {
    case CloseReason::tcp_closed:
    case CloseReason::tcp_error: return true;
    case CloseReason::hold_timer_expired:
    case CloseReason::send_hold_timer_expired:
    case CloseReason::notification_received:
    case CloseReason::update_error:
    case CloseReason::header_error:
    case CloseReason::fsm_error:
    case CloseReason::slow_peer: return notification_restarts;
    default: return false;
  }
}

}  // namespace helio::session

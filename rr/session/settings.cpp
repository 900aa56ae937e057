#include "rr/session/settings.hpp"

namespace helio::session {

GroupSettings settings_under_session(const GroupSettings& running, const GroupSettings& wanted) {
  GroupSettings out = running;
  out.connect_retry = wanted.connect_retry;
  out.send_hold_time = wanted.send_hold_time;
  out.rtc_initial_wait = wanted.rtc_initial_wait;
  out.close_when_behind = wanted.close_when_behind;
  out.max_lag = wanted.max_lag;
  out.passive = wanted.passive;
  out.bfd = wanted.bfd;
  out.stale_routes_time = wanted.stale_routes_time;
  out.prefix_limits = wanted.prefix_limits;
  return out;
}

}  // namespace helio::session

// NOTIFICATION (RFC 4271 §4.5, subcodes of RFC 4486, 9003, 8538, 9384): value, codec and text.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/bytes.hpp"
#include "rr/base/result.hpp"

namespace helio::wire {

enum class ErrorCode : std::uint8_t {
  message_header = 1, open_message = 2, update_message = 3, hold_timer_expired = 4, fsm = 5, cease = 6, route_refresh = 7, send_hold_timer_expired = 8
};
namespace cease {
inline constexpr std::uint8_t max_prefixes = 1, administrative_shutdown = 2, peer_deconfigured = 3, administrative_reset = 4,
                              connection_rejected = 5, other_configuration_change = 6, collision = 7, out_of_resources = 8, hard_reset = 9, bfd_down = 10;
}

struct Notification {
  std::uint8_t code = 0;
  std::uint8_t subcode = 0;
  std::vector<std::uint8_t> data;
  bool operator==(const Notification&) const = default;
};

// Body (without header) both ways. Decoding never fails on data; a body under two octets is an error.
Result<Notification, Notification> decode_notification(Bytes body);
void encode_notification(std::vector<std::uint8_t>& out, const Notification& notification);  // whole message with header

// Cease with a shutdown communication (RFC 9003): text is cut at 255 octets on a UTF-8 boundary.
Notification make_cease(std::uint8_t subcode, std::string_view text = {});
// Cease/Hard Reset with the notification inside (RFC 8538 §3.1): to a peer that would take the bare one for a restart.
Notification make_hard_reset(const Notification& inner);
// "Cease/Administrative Shutdown: maintenance until 04:00" for logs and CLI; unprintable bytes escaped.
std::string format_notification(const Notification& notification);

}  // namespace helio::wire

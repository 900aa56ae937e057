// What the control API may do to the running daemon, beside looking at it (reflector::StateSource). The application
// implements it on top of the session managers; calls come from the control thread and return when it is done.
#pragma once
#include <string>
#include <string_view>

#include "rr/wire/types.hpp"

namespace helio::control {

class ConfigControl;

enum class PeerAction : std::uint8_t {
  up,        // allow sessions again after `down`
  down,      // Cease/Administrative Shutdown, stay down until `up`
  clear,     // Cease/Administrative Reset, come back at once
  soft_in,   // ask the peer to send everything again (ROUTE-REFRESH)
  soft_out,  // send everything to the peer again
  refresh,   // soft_in and soft_out
};

inline constexpr std::string_view kLogLevels[] = {"trace", "debug", "info", "warn", "error"};

struct ActionResult {
  enum class Status : std::uint8_t { done, unknown_peer, refused };
  Status status = Status::done;
  std::string message;  // what was done, or why not
};

class ControlActions {
 public:
  virtual ~ControlActions() = default;
  // `text`: shutdown communication of RFC 9003, at most 255 octets of UTF-8; may be empty.
  virtual ActionResult peer(const wire::IpAddress& address, PeerAction action, const std::string& text) = 0;
  // `text`: what peers are told when the daemon stops in maintenance.
  virtual ActionResult maintenance(bool on, const std::string& text) = 0;
  // From now on, until the configuration says something else. `level`: one of kLogLevels.
  virtual ActionResult log_level(const std::string& level) = 0;
  // Reloads; null: this daemon does none.
  virtual ConfigControl* config() { return nullptr; }
};

}  // namespace helio::control

// Reloads as the control API sees them: what a new configuration would change, what became of it. The application
// implements ConfigControl; calls come from the control thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rr/config/diff.hpp"
#include "rr/config/problem.hpp"
#include "rr/wire/types.hpp"

namespace helio::control {

// What a change touches. VPN routes are counted where they are received or sent now.
struct ChangeImpact {
  enum class Effect : std::uint8_t {
    none,            // on sessions and routes
    settings,        // sessions go on with other timers or limits
    judged_again,    // policies look at routes again; sessions stay
    session_reset,   // sessions have to come up again before it counts
    session_closed,  // sessions end
    restart,         // everything, when the daemon restarts
  };
  Effect effect = Effect::none;
  std::uint64_t peers = 0, sessions = 0;  // concerned; of these Established
  std::uint64_t routes_received = 0, routes_sent = 0;
};
std::string_view effect_name(ChangeImpact::Effect effect);

struct ConfigChange {
  config::Change change;
  std::optional<ChangeImpact> impact;  // asked for
};

struct ConfigReport {
  enum class Status : std::uint8_t {
    done,
    invalid,  // the file has mistakes: `problems`
    refused,  // not now, or it could not be applied: `message`
  };
  Status status = Status::done;
  std::string message;                           // a sentence
  std::string hint;                              // what to do next; may be empty
  std::string file, hash;                        // of the configuration that was read
  std::vector<config::ConfigProblem> problems;   // errors and warnings
  std::vector<ConfigChange> changes;
  std::vector<wire::IpAddress> needs_reset;      // Established with settings from before
  bool applied = false;
  std::optional<std::chrono::seconds> confirm_within;  // rolled back otherwise
};

struct ReloadRequest {
  std::optional<std::chrono::seconds> confirm;  // roll back unless confirmed within
  bool reset_sessions = false;                  // those that need it, at once
};

class ConfigControl {
 public:
  virtual ~ConfigControl() = default;
  // The file against what is in force; nothing changes.
  virtual ConfigReport diff(bool with_impact) = 0;
  virtual ConfigReport reload(const ReloadRequest& request) = 0;
  // The last reload stays / goes, when it waits for that.
  virtual ConfigReport confirm() = 0;
  virtual ConfigReport rollback() = 0;
};

}  // namespace helio::control

// Why a peer is not Established, or not as one would have it: what `helioctl explain peer` says. A pure function of what is
// known; the first problem is the likeliest cause.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "rr/config/config.hpp"
#include "rr/control/kernel_counters.hpp"
#include "rr/reflector/state_source.hpp"

namespace helio::control {

struct Finding {
  enum class Kind : std::uint8_t { good, problem, note };
  Kind kind = Kind::note;
  std::string reason;  // a stable word
  std::string text;
  std::string hint;    // what to do; may be empty
};

struct Diagnosis {
  wire::IpAddress address;
  std::string state;   // as in show peers; "Unknown" when there is no such peer
  std::string configured_by;  // "neighbour", "listen range 10.0.0.0/8", or empty
  std::string group;
  std::vector<Finding> findings;
};

// `peer` null: no session of it is known. `kernel`: counted since the daemon's start.
Diagnosis diagnose(const wire::IpAddress& address, const reflector::PeerView* peer, const config::Config& config, const KernelCounters& kernel);

}  // namespace helio::control

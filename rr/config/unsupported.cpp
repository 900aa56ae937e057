// What this version of Heliograph parses and checks but refuses to run with. A feature that is built takes its rows out.
#include "rr/config/schema.hpp"

namespace helio::config {

std::span<const Unsupported> unsupported() {
  static constexpr Unsupported kRows[] = {
      {"runtime.shard-queue", ""},
      {"timers.advertise-delay", "\"0ms\"|\"0s\""},
      {"best-path.deterministic-med", "true"},
      {"security.max-sessions-per-source", "1"},
  };
  return kRows;
}

}  // namespace helio::config

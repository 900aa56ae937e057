// What a reload would change: two configurations compared key by key, entries of arrays by what names them.
#pragma once
#include <string>
#include <vector>

#include "rr/base/result.hpp"
#include "rr/config/config.hpp"
#include "rr/config/load.hpp"
#include "rr/config/schema.hpp"

namespace helio::config {

struct Change {
  enum class Kind : std::uint8_t { changed, added, removed };
  std::string path;            // "timers.hold-time", "peer-groups[pe-east].role"; of whole entries "neighbors[192.0.2.9]"
  Kind kind = Kind::changed;
  Reload reload = Reload::applied;
  std::string before, after;   // as TOML writes it; the default when the key is not there; empty for entries and secrets
};

// In the order of the schema.
std::vector<Change> diff(const Config& running, const Config& wanted);

// What `wanted` is in a daemon that runs `running`: keys that need a restart have the values that they run with. Fails when
// the rest does not go together with these.
LoadResult effective(const Config& running, const Config& wanted);

// "applied", "needs-session-reset", "needs-restart".
std::string_view reload_name(Reload reload);

}  // namespace helio::config

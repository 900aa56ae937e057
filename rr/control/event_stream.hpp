// The event stream of the control API: a listener's place in the journals of the shards, and lines of JSON from there on.
// Nothing is computed while nobody listens; a listener that the ring overtakes gets a `lost` line with a count.
#pragma once
#include <memory>

#include "rr/control/api.hpp"
#include "rr/control/query.hpp"

namespace helio::control {

// Parameters: kind (comma-separated), peer, rd, rt, prefix.
Result<std::unique_ptr<ApiStream>, ApiProblem> make_event_stream(reflector::StateSource& state, const Target& target);

}  // namespace helio::control

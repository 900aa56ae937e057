// The real engine as the simulation wants it: N shards of rr/reflector over one set of mailboxes.
#pragma once
#include "tests/support/simulation.hpp"

namespace helio::test {

EngineFactory reflector_engine();

}  // namespace helio::test

// The floor's other process: accepts one connection per PE, reads what each announces and writes to every PE
// what a reflector would send it. It knows the plan, not the messages: nothing is parsed.
#pragma once
#include <vector>

#include "bench/pe/lib/plan.hpp"

namespace helio::pe {

struct RelayPlan {
  std::vector<std::vector<std::size_t>> slice_ends;  // per PE: where in its stream each VRF's bytes end
  bool has_rtc = false;                              // without RT-Constrain everybody wants everything
};

// Serves until it is killed or all connections are gone.
void run_relay(int listener, const Plan& plan, const RelayPlan& relay);

}  // namespace helio::pe

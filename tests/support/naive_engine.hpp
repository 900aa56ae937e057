// An engine made of the oracle: each turn compares what a peer holds with what it should hold and sends the difference.
// It exists to test the checker: with a planted bug a run must fail, without one it must pass.
#pragma once
#include "tests/support/simulation.hpp"

namespace helio::test {

enum class PlantedBug : std::uint8_t {
  none,
  forgets_old_rt,              // pitfall 1.18: members of the old RT only get no withdrawal
  withdraws_everywhere,        // pitfall 1.17: withdrawals also to peers that never had the route
  repeats_announcements,       // the same again when a peer re-announces the same
  ignores_label_change,        // wire 2.5
  end_of_rib_too_early,        // wire 2.7: before the routes
  end_of_rib_missing,
  floods_before_rtc_eor,       // pitfall 1.7
  crosses_rds,                 // invariant 4
  keeps_membership_of_the_dead,  // pitfall 1.19
  ignores_refresh,             // wire 2.12
  no_partial_bit,
  no_reflection_to_originator, // pitfall 1.4
  oversized_messages,
  loses_after_slow_reading,
  leaks_memory
};

EngineFactory naive_engine(PlantedBug bug = PlantedBug::none);

}  // namespace helio::test

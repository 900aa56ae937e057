// How many cores this process may use: CPU affinity and the cgroup's CPU quota, whichever is less.
#pragma once
#include <cstdint>

namespace helio::app {

std::uint32_t available_cores();

}  // namespace helio::app

#include "rr/app/cores.hpp"

#include <sched.h>

#include <algorithm>

#include "rr/base/cgroup.hpp"

namespace helio::app {

std::uint32_t available_cores() {
  cpu_set_t set;
  std::uint32_t cores = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
  return std::min(cores, Cgroup().cores());
}

}  // namespace helio::app

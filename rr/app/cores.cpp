#include "rr/app/cores.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace helio::app {
namespace {

// cgroup v2: "max 100000" or "150000 100000" (quota and period in microseconds), in every group above the process.
std::uint32_t quota_of(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  std::string quota;
  std::uint64_t period = 0;
  if (!(file >> quota >> period) || quota == "max" || period == 0) return ~0u;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, std::stoull(quota) / period));
}

std::uint32_t cgroup_cores() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  std::uint32_t cores = ~0u;
  while (std::getline(file, line)) {
    if (!line.starts_with("0::")) continue;
    for (std::string path = line.substr(3); !path.empty(); path = path.substr(0, path.find_last_of('/')))
      cores = std::min(cores, quota_of("/sys/fs/cgroup" + path));
  }
  return std::min(cores, quota_of("/sys/fs/cgroup"));
}

}  // namespace

std::uint32_t available_cores() {
  cpu_set_t set;
  std::uint32_t cores = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
  return std::min(cores, cgroup_cores());
}

}  // namespace helio::app

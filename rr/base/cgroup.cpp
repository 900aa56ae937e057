#include "rr/base/cgroup.hpp"

#include <algorithm>
#include <fstream>

namespace helio {
namespace {

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;  // v1 says "none" by a number near 2^63

std::uint64_t number_in(const std::string& path, std::uint64_t otherwise) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? number : otherwise;  // "max" is no number
}

std::uint32_t cores_of(std::uint64_t quota, std::uint64_t period) {
  if (period == 0) return ~0u;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(quota / period, 1, ~0u));
}

// "max 100000" or "150000 100000": quota and period in microseconds.
std::uint32_t cores_v2(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  std::uint64_t quota = 0, period = 0;
  return file >> quota >> period ? cores_of(quota, period) : ~0u;
}

std::uint32_t cores_v1(const std::string& directory) {
  std::uint64_t quota = number_in(directory + "/cpu.cfs_quota_us", 0);  // none: -1, and then this is 0 or above any period
  if (quota == 0 || quota >= kNoLimit) return ~0u;
  return cores_of(quota, number_in(directory + "/cpu.cfs_period_us", 0));
}

bool names_controller(const std::string& controllers, const std::string& name) {
  return ("," + controllers + ",").find("," + name + ",") != std::string::npos;
}

}  // namespace

const Cgroup::Names Cgroup::kV1 = {"memory.limit_in_bytes", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
const Cgroup::Names Cgroup::kV2 = {"memory.max", "memory.high", "memory.current", "inactive_file"};

Cgroup::Cgroup(const std::string& mount, const std::string& membership) {
  std::ifstream file(membership);
  std::string line;
  while (std::getline(file, line)) {  // "0::/system.slice/heliod.service", "4:memory:/docker/0123"
    std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    bool is_v2 = controllers.empty();
    for (;; path.resize(path.find_last_of('/'))) {
      while (path.ends_with('/')) path.pop_back();
      if (is_v2) {
        look_for_memory(mount + path, kV2);
        cores_ = std::min(cores_, cores_v2(mount + path));
      }
      if (names_controller(controllers, "memory")) look_for_memory(mount + "/memory" + path, kV1);
      if (names_controller(controllers, "cpu")) cores_ = std::min(cores_, cores_v1(mount + "/cpu" + path));
      if (path.empty()) break;
    }
  }
}

void Cgroup::look_for_memory(const std::string& directory, const Names& names) {
  std::uint64_t limit = std::min(number_in(directory + "/" + names.maximum, kNoLimit), number_in(directory + "/" + names.high, kNoLimit));
  if (limit >= kNoLimit || (limit_ != 0 && limit >= limit_)) return;
  limit_ = limit;
  directory_ = directory;
  names_ = &names;
}

std::uint64_t Cgroup::memory_used() const {
  if (names_ == nullptr) return 0;
  std::uint64_t used = number_in(directory_ + "/" + names_->current, 0);
  std::ifstream file(directory_ + "/memory.stat");
  std::string name;
  std::uint64_t bytes = 0;
  while (file >> name >> bytes)
    if (name == names_->inactive) return used - std::min(used, bytes);
  return used;
}

}  // namespace helio

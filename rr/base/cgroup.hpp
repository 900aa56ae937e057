// What the control groups of the process allow it: memory and cores. Every group from its own up to the root counts, of cgroup v2
// and of the memory and cpu controllers of v1 (also in a container, where v1's paths are those of the host).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace helio {

class Cgroup {
 public:
  // Where the groups are mounted, and the file that names those of the process.
  explicit Cgroup(const std::string& mount = "/sys/fs/cgroup", const std::string& membership = "/proc/self/cgroup");

  // Bytes, the least of all groups; 0: none. memory.high counts as memory.max does: what goes beyond is not killed but halted.
  std::uint64_t memory_limit() const { return limit_; }
  // Bytes that count against memory_limit(), with sockets and files in memory, without the page cache that the kernel would take
  // back first. 0: no limit, or not readable.
  std::uint64_t memory_used() const;
  // Quotas of CPU time, rounded down, at least 1; ~0u: none.
  std::uint32_t cores() const { return cores_; }

 private:
  struct Names {
    const char *maximum, *high, *current, *inactive;
  };
  static const Names kV1, kV2;

  void look_for_memory(const std::string& directory, const Names& names);

  std::uint64_t limit_ = 0;
  std::uint32_t cores_ = ~0u;
  std::string directory_;  // of the group with that limit
  const Names* names_ = nullptr;
};

}  // namespace helio

// CPU and memory of the reflector by pid, of ourselves and of everybody else, from /proc: deltas, not
// percentages.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace helio::pe {

struct ProcessSample {
  std::int64_t cpu_ns = 0;  // user and system, all threads, also ended ones
  double user_share = 0;    // of cpu_ns, from the ticks
  std::uint64_t user_ticks = 0, system_ticks = 0;
  std::uint64_t rss_bytes = 0, peak_rss_bytes = 0;
};

// The process that listens on a TCP port; nullopt when none is found (or it is another user's).
std::optional<int> find_listener(std::uint16_t port);
std::optional<ProcessSample> sample_process(int pid);
// Starts VmHWM anew, so that the peak is that of this run. False without the right to.
bool reset_peak_rss(int pid);
std::string process_name(int pid);

// CPU time of the whole machine that was not idle, and the number of CPUs.
struct MachineSample {
  std::int64_t busy_ns = 0;
  unsigned cpus = 1;
};
MachineSample sample_machine();
// "AMD EPYC, 2 cores, Linux 6.1.0"
std::string machine_name();
std::int64_t own_cpu_ns();

}  // namespace helio::pe

// The physical floor: the same bytes over the same number of sockets through a process that does no BGP. What
// remains of a reflector's time when decoding, tables and encoding cost nothing.
#pragma once
#include "bench/pe/lib/options.hpp"
#include "bench/pe/report.hpp"

namespace helio::pe {

struct FloorResult {
  bool is_complete = false;
  double seconds = 0;  // all sockets connected, first write, to the last byte read
  double relay_cpu_seconds = 0;
  double generator_cpu_seconds = 0;
  double relay_user_share = 0;
  std::uint64_t delivered_bytes = 0;
  std::uint64_t relay_peak_rss_bytes = 0;
};

// A listening socket on a free port of 127.0.0.1.
int listen_anywhere(std::uint16_t& port);

// Forks the relay and moves the plan's cold start through it.
FloorResult measure_floor(const Options& options, const Plan& plan);
// The median of several (by time).
FloorResult measure_floor_median(const Options& options, const Plan& plan, int runs);
void add_floor(const FloorResult& floor, Report& report);

}  // namespace helio::pe

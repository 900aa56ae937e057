// What the generator can offer: the plan's routes built and sent, over the plan's sockets, to a process that
// reads and forgets them. No reflector has a part in it.
#pragma once
#include "bench/pe/lib/options.hpp"
#include "bench/pe/report.hpp"

namespace helio::pe {

struct SinkResult {
  bool is_complete = false;
  std::uint64_t routes = 0, bytes = 0;
  double build_cpu_seconds = 0;  // of the streams
  double send_cpu_seconds = 0;   // of handing them to the sockets
  double send_seconds = 0;       // the same by the clock, the sink reading beside it
  double routes_per_core_second() const {
    return static_cast<double>(routes) / (build_cpu_seconds + send_cpu_seconds);
  }
};

// Forks the sink. Best of `runs`, by CPU.
SinkResult measure_sink(const Options& options, const Plan& plan, int runs);
void add_sink(const SinkResult& sink, Report& report);

}  // namespace helio::pe

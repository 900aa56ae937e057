// Canaries: pairs of PEs of their own that measure how long a change takes through the reflector while the
// others load it. Load and probe are different peers, and the probe has a thread of its own, so that the
// generator's work is not in the latency.
#pragma once
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "bench/pe/lib/options.hpp"

namespace helio::pe {

class Canaries {
 public:
  // Brings up `options.canaries` pairs and starts probing. Throws when they do not come up.
  explicit Canaries(const Options& options);
  ~Canaries();
  // Ends the probing; the latencies in ns, one per change received.
  std::vector<std::int64_t> stop();
  std::uint64_t lost() const { return lost_; }  // probes without an answer when it ended

 private:
  void run();

  Options options_;
  Plan plan_;
  std::atomic<bool> stopping_ = false, is_up_ = false;
  std::atomic<std::uint64_t> lost_ = 0;
  std::vector<std::int64_t> latency_ns_;
  std::thread thread_;
};

}  // namespace helio::pe

// What can be seen of a run while it goes on: bars on a terminal, Prometheus metrics over HTTP, the memory
// curve.
#pragma once
#include <atomic>
#include <thread>

#include "bench/pe/runner.hpp"

namespace helio::pe {

class Progress {
 public:
  // Hooks into the runner; it must outlive the runner's use.
  Progress(Runner& runner, Report& report);
  ~Progress();

 private:
  void on_turn();
  void draw();
  void sample_held(Nanoseconds now);
  void serve(int listener);
  std::string metrics() const;

  Runner& runner_;
  Report& report_;
  bool is_terminal_;
  Nanoseconds next_at_ = 0, next_draw_at_ = 0, next_held_at_ = 0;
  std::vector<double> shares_;
  // Published once per interval for the serving thread.
  std::atomic<std::uint64_t> sessions_ = 0, delivered_ = 0, expected_ = 0, bytes_ = 0, duplicates_ = 0,
                             wrong_ = 0, rr_rss_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread server_;
};

}  // namespace helio::pe

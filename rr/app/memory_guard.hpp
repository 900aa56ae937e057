// Keeps the process within its memory: looks at it twice a second, refuses new sessions and sheds the largest ones. In a
// thread of its own: the control thread's ticks become rare when the shards are busy, which is when memory grows.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "rr/base/cgroup.hpp"
#include "rr/base/memory_limit.hpp"
#include "rr/reflector/state_source.hpp"
#include "rr/session/session_manager.hpp"
#include "telemetry/counters.hpp"

namespace helio::app {

class MemoryGuard {
 public:
  // `configured` in bytes; 0: none. It bounds what is resident. If the limit of the control group, less a twentieth, is smaller, that
  // counts, and what the group uses. Between start and stop of the sessions.
  MemoryGuard(std::uint64_t configured, reflector::StateSource& state, session::SessionManager& sessions, telemetry::MemoryGauges& gauges);

 private:
  void run(const std::stop_token& stop);
  void look();
  void shed(std::uint64_t used);

  std::uint64_t used() const;

  Cgroup cgroup_;
  bool group_counts_ = false;
  MemoryLimit limit_{0};
  reflector::StateSource& state_;
  session::SessionManager& sessions_;
  telemetry::MemoryGauges& gauges_;
  bool nothing_to_shed_ = false;  // said already
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace helio::app

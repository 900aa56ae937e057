// Keeps the process within its memory: looks at it twice a second, refuses new sessions and sheds the largest ones. In a
// thread of its own: the control thread's ticks become rare when the shards are busy, which is when memory grows.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "rr/base/memory_limit.hpp"
#include "rr/reflector/state_source.hpp"
#include "rr/session/session_manager.hpp"

namespace helio::app {

// Of the cgroup (v2) that the process is in or of one above it, whichever is least; 0: none.
std::uint64_t cgroup_memory_limit();

class MemoryGuard {
 public:
  // `limit` in bytes; 0: none. Between start and stop of the sessions.
  MemoryGuard(std::uint64_t limit, reflector::StateSource& state, session::SessionManager& sessions);

 private:
  void run(const std::stop_token& stop);
  void look();
  void shed(std::uint64_t used);

  MemoryLimit limit_;
  reflector::StateSource& state_;
  session::SessionManager& sessions_;
  bool nothing_to_shed_ = false;  // said already
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace helio::app

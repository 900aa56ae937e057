// Keeps the process within its memory: looks at it every few seconds, refuses new sessions and sheds the largest ones.
#pragma once
#include <cstdint>

#include "rr/base/memory_limit.hpp"
#include "rr/reflector/state_source.hpp"
#include "rr/session/session_manager.hpp"

namespace helio::app {

// Of the cgroup (v2) that the process is in or of one above it, whichever is least; 0: none.
std::uint64_t cgroup_memory_limit();

class MemoryGuard {
 public:
  // `limit` in bytes; 0: none.
  MemoryGuard(std::uint64_t limit, reflector::StateSource& state, session::SessionManager& sessions);
  // On the control thread.
  void tick();

 private:
  void shed(std::uint64_t used);

  MemoryLimit limit_;
  reflector::StateSource& state_;
  session::SessionManager& sessions_;
  bool nothing_to_shed_ = false;  // said already
};

}  // namespace helio::app

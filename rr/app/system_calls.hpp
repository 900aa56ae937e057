// The system calls that heliod needs once it runs; the kernel refuses it the others (seccomp(2)). Whoever takes the process
// over can then start no program, look into no other process, map nothing executable and open no raw socket.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace helio::app {

// After start; for every thread, and for those to come. Programs that would be started end the process; other system calls
// that are not on the list fail with EPERM and are counted. An error is text for the operator.
std::string restrict_system_calls();

// Built with a sanitizer: their run-time needs system calls of its own, so nothing is restricted.
bool can_restrict_system_calls();

struct DeniedCall {
  std::string name;
  std::uint64_t count = 0;  // since the last time
};
// What was refused since it was asked last.
std::vector<DeniedCall> take_denied_calls();
// Of all, ever.
std::uint64_t denied_calls();

}  // namespace helio::app

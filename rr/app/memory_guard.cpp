#include "rr/app/memory_guard.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "rr/base/log.hpp"

// Present when the program is linked with jemalloc.
extern "C" int mallctl(const char* name, void* old_value, std::size_t* old_size, void* new_value, std::size_t new_size)
    __attribute__((weak));

namespace helio::app {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(500);

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// What was freed is given back to the system now and not when it has been unused for a while. 4096: every arena.
void return_freed_pages() {
  if (mallctl) mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
}

std::uint64_t paths_of(const reflector::PeerView& peer) {
  std::uint64_t paths = 0;
  for (const reflector::PeerFamilyView& family : peer.families) paths += family.received;
  return paths;
}

std::uint64_t mib(std::uint64_t bytes) { return bytes >> 20; }

}  // namespace

MemoryGuard::MemoryGuard(std::uint64_t configured, reflector::StateSource& state, session::SessionManager& sessions,
                         telemetry::MemoryGauges& gauges)
    : state_(state), sessions_(sessions), gauges_(gauges) {
  // The kernel acts at the group's limit itself; we have to be earlier.
  std::uint64_t of_group = cgroup_.memory_limit() / 100 * 95;
  group_counts_ = of_group != 0 && (configured == 0 || of_group < configured);
  limit_ = MemoryLimit(group_counts_ ? of_group : configured);
  gauges_.limit.set(limit_.limit());
  if (limit_.limit() == 0) return;
  log::info("memory-limit mib={} from={}", mib(limit_.limit()), group_counts_ ? "cgroup" : "configuration");
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

// What a group counts is more than what is resident: the sockets of slow readers above all.
std::uint64_t MemoryGuard::used() const { return std::max(resident_bytes(), group_counts_ ? cgroup_.memory_used() : 0); }

void MemoryGuard::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    look();
    wake_.wait_for(lock, stop, kInterval, [] { return false; });
  }
}

void MemoryGuard::look() {
  std::uint64_t used = this->used();
  if (used >= limit_.limit() / 100 * 85) {
    return_freed_pages();
    used = this->used();
  }
  gauges_.used.set(used);
  using Action = MemoryLimit::Action;
  auto now = std::chrono::steady_clock::now();
  Action action = limit_.decide(used, now);
  if (action == Action::refuse) {
    sessions_.refuse_sessions(true);
    log::warn("memory used-mib={} limit-mib={}: new sessions are refused", mib(used), mib(limit_.limit()));
    action = limit_.decide(used, now);  // it may be above the limit at once
  }
  if (action == Action::allow) {
    sessions_.refuse_sessions(false);
    nothing_to_shed_ = false;
    log::info("memory used-mib={} limit-mib={}: new sessions are accepted again; refused so far: {}", mib(used),
              mib(limit_.limit()), sessions_.accept_counters().out_of_memory);
  }
  if (action == Action::shed) shed(used);
}

void MemoryGuard::shed(std::uint64_t used) {
  const reflector::PeerView* largest = nullptr;
  auto peers = state_.peers();
  for (const reflector::PeerView& peer : peers)
    if (peer.state == "Established" && (!largest || paths_of(peer) > paths_of(*largest))) largest = &peer;
  if (largest && sessions_.shed(largest->address)) {
    gauges_.shed.add();
    log::error("memory used-mib={} limit-mib={}: session with {} closed, the one with the most paths ({})", mib(used),
               mib(limit_.limit()), wire::format_ip(largest->address), paths_of(*largest));
  } else if (!std::exchange(nothing_to_shed_, true)) {
    log::error("memory used-mib={} limit-mib={}: above the limit, and no session to close", mib(used), mib(limit_.limit()));
  }
}

}  // namespace helio::app

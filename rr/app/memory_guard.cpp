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

std::uint64_t limit_of(const std::string& directory) {
  std::ifstream file(directory + "/memory.max");
  std::uint64_t bytes = 0;
  return file >> bytes ? bytes : UINT64_MAX;  // "max"
}

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

std::uint64_t cgroup_memory_limit() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  std::uint64_t limit = limit_of("/sys/fs/cgroup");
  while (std::getline(file, line)) {
    if (!line.starts_with("0::")) continue;
    for (std::string path = line.substr(3); !path.empty(); path = path.substr(0, path.find_last_of('/')))
      limit = std::min(limit, limit_of("/sys/fs/cgroup" + path));
  }
  return limit == UINT64_MAX ? 0 : limit;
}

MemoryGuard::MemoryGuard(std::uint64_t limit, reflector::StateSource& state, session::SessionManager& sessions)
    : limit_(limit), state_(state), sessions_(sessions) {
  if (limit == 0) return;
  log::info("memory-limit mib={}", mib(limit));
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void MemoryGuard::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    look();
    wake_.wait_for(lock, stop, kInterval, [] { return false; });
  }
}

void MemoryGuard::look() {
  std::uint64_t used = resident_bytes();
  if (used >= limit_.limit() / 100 * 85) {
    return_freed_pages();
    used = resident_bytes();
  }
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
    log::error("memory used-mib={} limit-mib={}: session with {} closed, the one with the most paths ({})", mib(used),
               mib(limit_.limit()), wire::format_ip(largest->address), paths_of(*largest));
  } else if (!std::exchange(nothing_to_shed_, true)) {
    log::error("memory used-mib={} limit-mib={}: above the limit, and no session to close", mib(used), mib(limit_.limit()));
  }
}

}  // namespace helio::app

// What to do about memory: decides from one figure and a limit, every time the figure was read anew.
//
//             ── 90 % ──►  refuse new sessions  ── 100 % ──►  and close one session at a time
//   allow  ◄── below 85 % ──
#pragma once
#include <chrono>
#include <cstdint>

namespace helio {

class MemoryLimit {
 public:
  enum class Action : std::uint8_t {
    none,
    refuse,  // no new sessions from now on
    allow,   // new sessions again
    shed,    // close the session with the most routes; new ones are refused already
  };
  using TimePoint = std::chrono::steady_clock::time_point;
  // Routes of a closed session are freed in slices and the allocator gives pages back later: the next session is closed
  // no earlier, unless memory goes on growing.
  static constexpr auto kPatience = std::chrono::seconds(10);

  // In bytes; 0: no limit.
  explicit MemoryLimit(std::uint64_t limit) : limit_(limit) {}

  // One action a time: from "allow" straight above the limit takes two calls.
  Action decide(std::uint64_t used, TimePoint now);
  bool is_refusing() const { return refusing_; }
  std::uint64_t limit() const { return limit_; }

 private:
  std::uint64_t percent(std::uint64_t n) const { return limit_ / 100 * n; }

  std::uint64_t limit_;
  bool refusing_ = false;
  bool has_shed_ = false;
  TimePoint shed_at_{};
  std::uint64_t used_at_shed_ = 0;
};

}  // namespace helio

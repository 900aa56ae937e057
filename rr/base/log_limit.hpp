// How many lines of one cause the log takes: bursts pass, a flood is cut and counted. A cause is the text of a message
// before its arguments are put in.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace helio::log {

struct LimitSettings {
  std::uint32_t burst = 500;      // lines at once
  std::uint32_t per_second = 50;  // and on and on
};

// Not for several threads at a time.
class LogLimiter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  explicit LogLimiter(LimitSettings settings = {}) : settings_(settings) {}

  // Nothing: the line is left out. Otherwise how many were left out since the last one of its cause.
  std::optional<std::uint64_t> admit(std::string_view cause, TimePoint now);
  struct Suppressed {
    std::string_view cause;
    std::uint64_t lines;
  };
  // What was left out and not told since; told by this.
  std::vector<Suppressed> take_suppressed();
  std::uint64_t total() const { return total_; }

 private:
  struct Bucket {
    std::string_view cause;       // of a program's own texts: they outlive it
    double tokens = 0;
    TimePoint at{};
    std::uint64_t suppressed = 0;
  };
  static constexpr std::size_t kMost = 256;  // causes; more share the last bucket

  Bucket& bucket(std::string_view cause, TimePoint now);

  LimitSettings settings_;
  std::vector<Bucket> buckets_;
  std::uint64_t total_ = 0;
};

}  // namespace helio::log

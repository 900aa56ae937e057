// One line in ten seconds about something that may happen thousands of times in one, and how often it did in between.
// For what strangers can cause at will; log_limit.hpp is the net below that. Not for several threads at a time.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace helio::log {

class LogPace {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr auto kQuiet = std::chrono::seconds(10);

  // Nothing: too early for a line. Otherwise how many were left out since the last one.
  std::optional<std::uint64_t> admit(TimePoint now) {
    if (now < quiet_until_) {
      ++left_out_;
      return std::nullopt;
    }
    quiet_until_ = now + kQuiet;
    return std::exchange(left_out_, 0);
  }

 private:
  TimePoint quiet_until_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace helio::log

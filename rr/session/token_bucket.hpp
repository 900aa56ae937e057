// A limit of events per second that allows a burst of one second's worth. Not thread-safe; time is given from outside.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace helio::session {

class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // 0: no limit.
  explicit TokenBucket(std::uint32_t per_second) : rate_(per_second), tokens_(per_second) {}

  bool take(TimePoint now) {
    if (rate_ == 0) return true;
    if (last_ != TimePoint{}) {
      double passed = std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min<double>(rate_, tokens_ + std::max(passed, 0.0) * rate_);
    }
    last_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  std::uint32_t rate_;
  double tokens_;
  TimePoint last_{};
};

}  // namespace helio::session

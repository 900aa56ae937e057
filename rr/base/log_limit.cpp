#include "rr/base/log_limit.hpp"

#include <algorithm>
#include <utility>

namespace helio::log {

// Texts are told apart by where they stand: one per place in the program.
LogLimiter::Bucket& LogLimiter::bucket(std::string_view cause, TimePoint now) {
  for (Bucket& b : buckets_)
    if (b.cause.data() == cause.data()) return b;
  if (buckets_.size() == kMost) return buckets_.back();
  return buckets_.emplace_back(Bucket{cause, static_cast<double>(settings_.burst), now, 0});
}

std::optional<std::uint64_t> LogLimiter::admit(std::string_view cause, TimePoint now) {
  Bucket& b = bucket(cause, now);
  b.tokens = std::min<double>(settings_.burst, b.tokens + std::chrono::duration<double>(std::max(now, b.at) - b.at).count() * settings_.per_second);
  b.at = std::max(now, b.at);
  if (b.tokens < 1) {
    ++b.suppressed;
    ++total_;
    return std::nullopt;
  }
  b.tokens -= 1;
  return std::exchange(b.suppressed, 0);
}

std::vector<LogLimiter::Suppressed> LogLimiter::take_suppressed() {
  std::vector<Suppressed> out;
  for (Bucket& b : buckets_)
    if (b.suppressed != 0) out.push_back({b.cause, std::exchange(b.suppressed, 0)});
  return out;
}

}  // namespace helio::log

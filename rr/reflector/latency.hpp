// How long changes take from socket to socket, by stage, as histograms that only grow. One writer, the shard's thread.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace helio::reflector {

// Upper bounds in microseconds; above the last one is a bucket of its own.
inline constexpr std::array<std::uint64_t, 16> kLatencyBounds = {50,      100,     250,     500,       1'000,     2'500,     5'000,      10'000,
                                                                 25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 5'000'000, 30'000'000};

enum class LatencyStage : std::uint8_t {
  decide,  // from the first message read in a turn to the beginning of encoding: decoding, RIB, decision, mail from another shard
  encode,  // of the changes of a turn
  queue,   // mail from the RIB's shard to the session's
  write,   // from the beginning of encoding until the kernel took the change for a peer
  total,   // from the first message read until the kernel took the change for a peer
  count_
};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(LatencyStage::count_)> kLatencyStageNames = {"decide", "encode", "queue", "write", "total"};

struct LatencyCounts {
  std::array<std::uint64_t, kLatencyBounds.size() + 1> buckets{};
  std::uint64_t sum_us = 0;
  std::uint64_t count() const {
    std::uint64_t n = 0;
    for (std::uint64_t b : buckets) n += b;
    return n;
  }
  LatencyCounts& operator+=(const LatencyCounts& other) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    sum_us += other.sum_us;
    return *this;
  }
  LatencyCounts& operator-=(const LatencyCounts& other) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] -= other.buckets[i];
    sum_us -= other.sum_us;
    return *this;
  }
  // Microseconds below which the share of all lies, on a straight line within its bucket; 0 when there are none.
  double quantile(double share) const;
};
inline double LatencyCounts::quantile(double share) const {
  std::uint64_t n = count();
  if (n == 0) return 0;
  double wanted = share * static_cast<double>(n), seen = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    auto here = static_cast<double>(buckets[i]);
    if (here > 0 && seen + here >= wanted) {
      double low = i == 0 ? 0 : static_cast<double>(kLatencyBounds[i - 1]);
      double high = i < kLatencyBounds.size() ? static_cast<double>(kLatencyBounds[i]) : low;  // beyond the last bound: at least that
      return low + (high - low) * (wanted - seen) / here;
    }
    seen += here;
  }
  return static_cast<double>(kLatencyBounds.back());
}

using Latencies = std::array<LatencyCounts, static_cast<std::size_t>(LatencyStage::count_)>;

// What the canary's markers met with.
struct CanaryView {
  LatencyCounts delay;
  std::uint64_t in_time = 0, late = 0, wrong = 0;
};

class LatencyHistogram {
 public:
  void observe(std::uint64_t us) {
    auto at = std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), us);
    add(buckets_[static_cast<std::size_t>(at - kLatencyBounds.begin())], 1);
    add(sum_us_, us);
  }
  LatencyCounts counts() const {
    LatencyCounts out;
    for (std::size_t i = 0; i < buckets_.size(); ++i) out.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    out.sum_us = sum_us_.load(std::memory_order_relaxed);
    return out;
  }

 private:
  static void add(std::atomic<std::uint64_t>& value, std::uint64_t n) { value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::array<std::atomic<std::uint64_t>, kLatencyBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

}  // namespace helio::reflector

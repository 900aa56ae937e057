// What hot paths count. Every value has one writer, the shard's thread, and any number of readers: a relaxed load and
// store, no locked instruction (a library counter costs 5 ns and a histogram a mutex; here it is one add). A reader may
// see values of slightly different moments; each one only grows.
// About 22 KiB a shard.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace helio::telemetry {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  // For what is counted elsewhere and carried here; never less than before.
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Goes up and down; also for values computed elsewhere and stored here.
class Gauge {
 public:
  void set(std::uint64_t v) { value_.store(v, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Observations in fixed buckets. `Bounds` are the upper ends in the unit that is observed; what is above the last one
// counts in +Inf only.
template <const auto& Bounds>
class Histogram {
 public:
  static constexpr std::size_t kBuckets = std::size(Bounds);
  void observe(std::uint64_t value) {
    std::size_t bucket = 0;
    while (bucket < kBuckets && value > Bounds[bucket]) ++bucket;
    counts_[bucket].add();
    sum_.add(value);
  }
  // Observations in bucket i alone; i == kBuckets: above the last bound.
  std::uint64_t count(std::size_t i) const { return counts_[i].get(); }
  std::uint64_t sum() const { return sum_.get(); }
  static constexpr std::span<const std::uint64_t> bounds() { return Bounds; }

 private:
  std::array<Counter, kBuckets + 1> counts_;
  Counter sum_;
};

// 50 µs to 30 s, in nanoseconds.
inline constexpr std::array<std::uint64_t, 16> kLatencyBounds = {
    50'000,      100'000,     250'000,       500'000,       1'000'000,     2'500'000,     5'000'000,      10'000'000,
    25'000'000,  100'000'000, 250'000'000,   1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000, 30'000'000'000};
inline constexpr std::array<std::uint64_t, 10> kPackingBounds = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
using LatencyHistogram = Histogram<kLatencyBounds>;
using PackingHistogram = Histogram<kPackingBounds>;

enum class Direction : std::uint8_t { in, out };
inline constexpr std::size_t kDirections = 2;

// Why a route that exists was not sent to a peer.
enum class Suppressed : std::uint8_t { originator_loop, cluster_loop, as_loop, non_client, no_rt_interest, policy, count_ };

// From the socket that brought a route to the socket that took it away.
enum class Stage : std::uint8_t { decode, queue, decide, encode, write, total, count_ };

struct ShardCounters {
  static constexpr std::size_t kMessageTypes = 6;    // index: BGP message type 1..5
  static constexpr std::size_t kErrorCodes = 9;      // index: NOTIFICATION code, 0 = any other
  static constexpr std::size_t kErrorSubcodes = 16;  // index: subcode, 15 = 15 and above
  static constexpr std::size_t kFamilies = 8;        // index: wire::Family
  static constexpr std::size_t kReasons = 32;        // index: close reason, decision step
  static constexpr std::size_t kUpdateActions = 4;   // discard, withdraw, disable_family, reset
  static constexpr std::size_t kAttributes = 256;

  template <class T, std::size_t A, std::size_t B>
  using Grid = std::array<std::array<T, B>, A>;

  Grid<Counter, kDirections, kMessageTypes> messages, bytes;
  std::array<Grid<Counter, kErrorCodes, kErrorSubcodes>, kDirections> notifications;
  std::array<Counter, kReasons> session_closes;
  Grid<Counter, kUpdateActions, kAttributes> update_errors;
  std::array<Counter, static_cast<std::size_t>(Suppressed::count_)> suppressed;

  std::array<Gauge, kFamilies> rib_prefixes, rib_paths;
  std::array<Counter, kFamilies> best_changes;
  Grid<Counter, kFamilies, kReasons> decisions;
  Gauge attribute_sets, attribute_refs;

  std::array<LatencyHistogram, static_cast<std::size_t>(Stage::count_)> reflect_latency;
  std::array<PackingHistogram, kDirections> nlri_per_update;
  Counter loop_busy_ns;
  LatencyHistogram loop_lag;
  Gauge queue_depth;
  Counter queue_full;

  void count_message(Direction direction, std::uint8_t type, std::uint64_t octets) {
    std::size_t d = static_cast<std::size_t>(direction), t = type < kMessageTypes ? type : 0;
    messages[d][t].add();
    bytes[d][t].add(octets);
  }
  void count_notification(Direction direction, std::uint8_t code, std::uint8_t subcode) {
    notifications[static_cast<std::size_t>(direction)][code < kErrorCodes ? code : 0]
                 [subcode < kErrorSubcodes ? subcode : kErrorSubcodes - 1]
                     .add();
  }
  void count_suppressed(Suppressed reason, std::uint64_t n = 1) { suppressed[static_cast<std::size_t>(reason)].add(n); }
};

}  // namespace helio::telemetry

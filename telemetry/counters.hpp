// What hot paths count. Every value has one writer, the shard's thread, and any number of readers: a relaxed load and
// store, no locked instruction (a library counter costs 5 ns; here it is one add). A reader may see values of slightly
// different moments; each one only grows. Fields that no shard counts are written by the control thread alone.
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

// The memory guard's figures, written by its thread.
struct MemoryGauges {
  Gauge limit, used;  // bytes; limit 0: none
  Counter shed;       // sessions closed for want of memory
};

enum class Direction : std::uint8_t { in, out };
inline constexpr std::size_t kDirections = 2;

// Why the routes of an UPDATE were not taken in, and so not reflected.
enum class Suppressed : std::uint8_t { originator_loop, cluster_loop, as_loop, other_plane, count_ };

// Why a route was not taken in though nothing is wrong with it.
enum class Discarded : std::uint8_t { prefix_limit, rd_quota, rt_set_quota, attribute_size, message_size, label_stacks, count_ };

// Why a connection was not taken, or was dropped before it was a session: pending, it said nothing and another one came when
// there were too many of them; superseded, the same for one of the same address; busy, its address has a session or one on
// its way; held, its address is shut down or held down; ttl, it comes from farther away than ttl-min allows.
enum class Refused : std::uint8_t { stranger, range_full, rate, memory, wrong_address, pending, superseded, busy, held, ttl, count_ };

// Why a line is not in the log: too many of its cause at once, or the log's reader did not keep up.
enum class LogLost : std::uint8_t { limited, overrun, count_ };

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

  std::array<Counter, static_cast<std::size_t>(Discarded::count_)> discarded;
  std::array<Gauge, kFamilies> rib_prefixes, rib_paths, rib_stale_paths;
  std::array<Counter, kFamilies> best_changes;
  Counter decisions;
  Counter oversize_updates;
  Counter memberships_refused;
  Gauge attribute_sets;

  // reflector::LatencyStage; buckets of reflector::kLatencyBounds and one above.
  static constexpr std::size_t kLatencyStages = 5, kLatencyBuckets = 17;
  Grid<Counter, kLatencyStages, kLatencyBuckets> latency;
  std::array<Counter, kLatencyStages> latency_sum_us;

  // Markers of the canary; zeros where there is none.
  std::array<Counter, kLatencyBuckets> canary;
  Counter canary_sum_us, canary_in_time, canary_late, canary_wrong;

  Counter loop_busy_ns;
  std::array<Counter, static_cast<std::size_t>(Refused::count_)> refused;
  Counter descriptors_exhausted;
  std::array<Counter, static_cast<std::size_t>(LogLost::count_)> log_lost;
  std::array<Counter, kDirections> bfd_packets;
  Counter bfd_discarded;
  Counter denied_system_calls;  // of the process; counted in shard 0

  // UPDATEs are sent as runs of octets that many peers share: what goes out is known in octets only.
  void count_updates_sent(std::uint64_t octets) { bytes[static_cast<std::size_t>(Direction::out)][2].add(octets); }
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
  void count_refused(Refused reason) { refused[static_cast<std::size_t>(reason)].add(); }
  void count_suppressed(Suppressed reason, std::uint64_t n = 1) { suppressed[static_cast<std::size_t>(reason)].add(n); }
};

}  // namespace helio::telemetry

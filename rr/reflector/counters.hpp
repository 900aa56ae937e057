// Counters of one shard, written by its thread only and read by whoever scrapes: relaxed atomics, never a lock.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "rr/reflector/latency.hpp"
#include "rr/reflector/reflection.hpp"
#include "rr/wire/update.hpp"

namespace helio::reflector {

struct Counter {
  std::atomic<std::uint64_t> value{0};
  void add(std::uint64_t n = 1) { value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void set(std::uint64_t n) { value.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value.load(std::memory_order_relaxed); }
};

struct ShardCounters {
  Counter updates_in;
  std::array<std::array<Counter, 256>, 4> update_errors;  // [UpdateErrorAction][attribute type]
  std::array<Counter, static_cast<std::size_t>(Exclusion::count_)> excluded;  // UPDATEs by loop check
  Counter rtc_invalid;                                    // RT membership NLRIs of 1..31 bits or unreadable
  Counter discarded_by_limit, discarded_by_rd, discarded_by_rt_set, discarded_by_size, discarded_by_label_stacks;  // routes
  Counter discarded_by_message;                           // UPDATEs whose attributes fit no message as we would send them
  Counter oversize;                                       // UPDATEs whose attributes fit none of 4096 octets
  Counter memberships_refused;                            // by import policies
  Counter turns, lag_events;
  std::array<LatencyHistogram, static_cast<std::size_t>(LatencyStage::count_)> latency;
  void observe(LatencyStage stage, std::uint64_t us) { latency[static_cast<std::size_t>(stage)].observe(us); }
  LatencyHistogram canary;                                // of markers, from the control thread and back
  Counter canary_in_time, canary_late, canary_wrong;      // late: not back before the next one
  // Published at the end of a turn.
  Counter attribute_sets, rt_sets, memory_bytes, walks;
  std::array<Counter, wire::kFamilyCount> prefixes, paths, stale_paths, best_changes;
  Counter decisions, duplicates, unknown_withdrawals;
};

}  // namespace helio::reflector

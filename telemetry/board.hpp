// Where the daemon leaves its numbers and a scrape picks them up:
//
//   shard threads ──relaxed adds──► counters(shard) ──┐
//   control thread ──publish()────► sample() ─────────┴──► collectors (threads of the exporter)
//
// No side ever waits for the other: counters are relaxed atomics, a sample is swapped in as a pointer.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "telemetry/counters.hpp"
#include "telemetry/samples.hpp"

namespace helio::telemetry {

// The words behind the indices of ShardCounters; telemetry does not know BGP.
struct Labels {
  std::vector<std::string> families;          // "vpnv4", …
  std::vector<std::string> close_reasons;
  std::vector<std::string> latency_stages;
  std::vector<double> latency_bounds;         // seconds
  std::function<std::string(std::uint8_t)> attribute;  // "ORIGIN"; must be callable from any thread
};

class Board {
 public:
  Board(std::size_t shards, Labels labels) : labels_(std::move(labels)) {
    for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<ShardCounters>());
  }

  const Labels& labels() const { return labels_; }
  std::size_t shards() const { return shards_.size(); }
  // Writing: by the thread of that shard only.
  ShardCounters& counters(std::size_t shard) { return *shards_[shard]; }
  const ShardCounters& counters(std::size_t shard) const { return *shards_[shard]; }

  MemoryGauges& memory() { return memory_; }
  const MemoryGauges& memory() const { return memory_; }

  // Any thread.
  void publish(std::shared_ptr<const DaemonSample> sample) {
    std::lock_guard lock(mutex_);  // held for the exchange of a pointer
    sample_.swap(sample);
  }
  // Never null.
  std::shared_ptr<const DaemonSample> sample() const {
    std::lock_guard lock(mutex_);
    return sample_;
  }

 private:
  Labels labels_;
  std::vector<std::unique_ptr<ShardCounters>> shards_;  // apart, so that shards do not share cache lines
  MemoryGauges memory_;
  mutable std::mutex mutex_;
  std::shared_ptr<const DaemonSample> sample_ = std::make_shared<DaemonSample>();
};

}  // namespace helio::telemetry

// Read-copy-update by quiescent states: forwarding threads read tables without locks while one writer replaces parts of
// them. A replaced part is retired and freed once every reader has said, between two batches of packets, that it holds
// nothing any more. No thread and no clock in here: whoever owns the threads calls quiescent() and reclaim().
//
// The writer publishes with a release store first and retires what was there second; readers load with acquire.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "rib/memory.hpp"

namespace helio::forwarding {

class RcuDomain {
 public:
  // One forwarding thread. Between construction and the first quiescent() it already counts as reading.
  class Reader {
   public:
    explicit Reader(RcuDomain& domain) : domain_(domain) {
      seen_.store(domain_.epoch_.load(std::memory_order_acquire), std::memory_order_release);
      domain_.readers_.push_back(this);
    }
    ~Reader() { std::erase(domain_.readers_, this); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    // The thread holds no reference into the tables. A fence, then one store: once per batch.
    void quiescent() {
      std::atomic_thread_fence(std::memory_order_seq_cst);
      seen_.store(domain_.epoch_.load(std::memory_order_acquire), std::memory_order_release);
    }

   private:
    friend class RcuDomain;
    RcuDomain& domain_;
    alignas(64) std::atomic<std::uint64_t> seen_{0};
  };

  RcuDomain() = default;
  RcuDomain(const RcuDomain&) = delete;
  RcuDomain& operator=(const RcuDomain&) = delete;
  ~RcuDomain() {
    for (const Retired& r : retired_) rib::release(account_, r.kind, r.memory, r.bytes);
  }

  // Everything that stands in the tables is accounted here. Writer's thread.
  rib::MemoryAccount& account() { return account_; }
  const rib::MemoryAccount& account() const { return account_; }

  // Writer: `memory` came from rib::allocate(account(), kind, bytes) and can no longer be reached from the tables.
  // Readers are registered and removed only while no writer is inside.
  void retire(rib::MemoryKind kind, void* memory, std::size_t bytes) {
    if (readers_.empty()) return rib::release(account_, kind, memory, bytes);
    retired_.push_back({epoch_.load(std::memory_order_relaxed), kind, memory, bytes});
    if (retired_.size() % 256 == 0) reclaim();
  }
  // Begins a new epoch and frees what all readers have let go of.
  void reclaim() {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    std::uint64_t oldest = settled();
    // What was retired in epoch e is free once every reader has seen a later one.
    while (!retired_.empty() && retired_.front().epoch < oldest) {
      const Retired& r = retired_.front();
      rib::release(account_, r.kind, r.memory, r.bytes);
      retired_.pop_front();
    }
  }
  std::size_t waiting() const { return retired_.size(); }
  // For what is used again rather than freed: taken out of the tables in epoch e, it may be used again once settled() is
  // above e and reclaim() has been called since.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  std::uint64_t settled() const {
    if (readers_.empty()) return ~std::uint64_t{0};
    std::uint64_t oldest = epoch();
    for (const Reader* r : readers_) oldest = std::min(oldest, r->seen_.load(std::memory_order_acquire));
    return oldest;
  }

 private:
  struct Retired {
    std::uint64_t epoch;
    rib::MemoryKind kind;
    void* memory;
    std::size_t bytes;
  };
  rib::MemoryAccount account_;
  std::atomic<std::uint64_t> epoch_{1};
  std::vector<Reader*> readers_;
  std::deque<Retired> retired_;
};

}  // namespace helio::forwarding

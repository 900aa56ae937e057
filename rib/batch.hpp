// Batch: a contiguous run of encoded UPDATEs of one family and encoding class, made once per turn (or walk slice) and
// shared by every peer that wants a part of it. Reference-counted across threads; it is never changed once made.
//
//   bytes:  [withdrawals by RT set][announcements by RT set, provenance][withdrawals of changed provenance]
//           '------------------ shared_end: what a peer without a filter takes ----------------'
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "rib/path.hpp"
#include "rib/provenance.hpp"
#include "rr/wire/types.hpp"

namespace helio::rib {

// A part of a batch that the same peers get. Announcement: after is set, before is not. Withdrawal: before is set;
// after is the provenance of the path that took its place, if any: who may have that one does not get the withdrawal.
struct Segment {
  std::uint32_t begin = 0, end = 0;  // offsets into the bytes; whole messages
  ProvenanceId before = kNoId, after = kNoId;
  bool is_announcement() const { return before == kNoId; }
};

// What a shard's batches hold in memory, and whether somebody waits for that to fall.
struct RetainedBytes {
  std::atomic<std::int64_t> bytes{0};
};

// Tells whether a batch still exists somewhere.
struct BatchLife {
  std::atomic<bool> ended{false};
};

class Batch {
 public:
  Batch(std::size_t capacity, std::shared_ptr<RetainedBytes> retained);
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  const std::uint8_t* data() const { return data_; }
  std::uint8_t* mutable_data() { return data_; }
  std::uint32_t size() const { return size_; }
  // Fixes the size and gives spare room back.
  void finish(std::size_t size);
  // Counts the bytes in a second place too (the images of one walk); after finish.
  void count_also(std::shared_ptr<RetainedBytes> also);
  std::shared_ptr<BatchLife> life();

  void add_refs(std::uint32_t n) { refs_.fetch_add(n, std::memory_order_relaxed); }
  void drop_ref() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  wire::Family family = wire::Family::vpnv4;
  std::uint8_t encoding_class = 0;
  bool is_partial = false;         // holds announcements of routes that did not change but for an export policy
  std::uint16_t shard = 0;         // RIB shard that made it
  std::uint32_t walk = 0;          // 0: changes; otherwise the walk it belongs to
  Stamp stamp = 0;                 // the turn it was made in
  std::uint64_t made_at_ms = 0;    // milliseconds since start
  // Microseconds since start, of changes: when the first message behind them was read, and when encoding began. 0: not measured.
  std::uint64_t read_at_us = 0, encoded_at_us = 0;
  std::uint32_t shared_end = 0;
  std::uint32_t updates = 0;       // messages in it
  std::vector<Segment> segments;   // in order of begin

 private:
  ~Batch();
  std::atomic<std::uint32_t> refs_{1};
  std::uint32_t size_ = 0;
  std::size_t capacity_ = 0;
  std::uint8_t* data_ = nullptr;
  std::shared_ptr<RetainedBytes> retained_, also_;
  std::shared_ptr<BatchLife> life_;
};

// A counted reference.
class BatchRef {
 public:
  BatchRef() = default;
  explicit BatchRef(Batch* adopted) : batch_(adopted) {}
  BatchRef(const BatchRef& o) : batch_(o.batch_) {
    if (batch_ != nullptr) batch_->add_refs(1);
  }
  BatchRef(BatchRef&& o) noexcept : batch_(std::exchange(o.batch_, nullptr)) {}
  BatchRef& operator=(BatchRef o) noexcept {
    std::swap(batch_, o.batch_);
    return *this;
  }
  ~BatchRef() {
    if (batch_ != nullptr) batch_->drop_ref();
  }
  Batch* get() const { return batch_; }
  Batch* operator->() const { return batch_; }
  explicit operator bool() const { return batch_ != nullptr; }

 private:
  Batch* batch_ = nullptr;
};

}  // namespace helio::rib

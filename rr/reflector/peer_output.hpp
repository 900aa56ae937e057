// PeerOutput: what one peer still has to be sent: ranges of shared batches, in order. 16 octets per range; a range
// that continues the last one extends it. The bytes are never copied: the session gathers them into sendmsg.
#pragma once
#include <sys/uio.h>

#include <span>
#include <vector>

#include "rib/batch.hpp"
#include "rr/base/bytes.hpp"

namespace helio::reflector {

class PeerOutput {
 public:
  ~PeerOutput() { clear(); }
  PeerOutput() = default;
  PeerOutput(const PeerOutput&) = delete;
  PeerOutput& operator=(const PeerOutput&) = delete;

  bool empty() const { return head_ == entries_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t ranges() const { return entries_.size() - head_; }

  // [from, to) of the batch goes out next after what is queued.
  void push(rib::Batch* batch, std::uint32_t from, std::uint32_t to) {
    bytes_ += to - from;
    if (!empty() && entries_.back().batch == batch && entries_.back().to == from) {
      entries_.back().to = to;
      return;
    }
    batch->add_refs(1);
    entries_.push_back({batch, from, to});
  }
  std::size_t gather(std::span<iovec> out, std::size_t max_bytes) const;
  // The first change that went out completely by it, for measuring; zeros when none did.
  struct Written {
    std::uint64_t read_at_us = 0, encoded_at_us = 0;
  };
  Written consumed(std::size_t bytes);
  void clear();

  bool at_message_boundary() const;
  // The unsent rest of a message that was partly sent.
  Bytes rest_of_message() const;

  // Removes ranges of which nothing was sent and for which drop(batch) is true; a range that was begun keeps the rest of the
  // message under way and loses the rest. Calls on_drop(batch pointer) for each.
  template <class Drop, class OnDrop>
  void drop_if(Drop&& drop, OnDrop&& on_drop) {
    std::size_t kept = head_;
    for (std::size_t i = head_; i < entries_.size(); ++i) {
      Entry& e = entries_[i];
      bool dropped = drop(*e.batch);
      if (dropped) on_drop(e.batch);
      std::uint32_t begun = i == head_ ? offset_ : 0;
      if (dropped && begun != 0) {
        std::uint32_t end = message_end(e, begun);
        bytes_ -= e.to - end;
        e.to = end;
        dropped = end == e.from + begun;
      } else if (dropped) {
        bytes_ -= e.to - e.from;
      }
      if (dropped) {
        if (i == head_) offset_ = 0;
        e.batch->drop_ref();
      } else {
        entries_[kept++] = e;
      }
    }
    entries_.resize(kept);
  }
  // When a message is half sent: its octets move to a batch of their own, made by make(octets of the message), so that a peer that
  // stopped reading in the middle of it does not hold on to a large one.
  template <class Make>
  void detach_begun_message(Make&& make) {
    if (empty() || offset_ == 0) return;
    Entry& e = entries_[head_];
    std::uint32_t start = e.from, end = e.from;
    while (end <= e.from + offset_ && end < e.to) {
      start = end;
      end += load_be16(e.batch->data() + start + 16);
    }
    if (start == e.from + offset_ || end != e.to) return;  // at a boundary, or more of the range is still to go out
    rib::BatchRef small = make(Bytes(e.batch->data() + start, end - start));
    small->add_refs(1);
    offset_ -= start - e.from;
    e.batch->drop_ref();
    e = {small.get(), 0, end - start};
  }
  // When the oldest change that is queued was made (milliseconds since start); 0: none is.
  std::uint64_t oldest_ms() const {
    for (std::size_t i = head_; i < entries_.size(); ++i)
      if (entries_[i].batch->made_at_ms != 0) return entries_[i].batch->made_at_ms;
    return 0;
  }
  // The batch of the oldest range; null when empty.
  const rib::Batch* oldest() const { return empty() ? nullptr : entries_[head_].batch; }

 private:
  struct Entry {
    rib::Batch* batch;
    std::uint32_t from, to;
  };
  // Where the message that octet `begun` of the range belongs to ends; begun itself when it is the first of one.
  static std::uint32_t message_end(const Entry& e, std::uint32_t begun);

  std::vector<Entry> entries_;
  std::size_t head_ = 0;
  std::uint32_t offset_ = 0;  // octets of the first range already sent
  std::size_t bytes_ = 0;
};

}  // namespace helio::reflector

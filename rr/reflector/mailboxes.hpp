// Mailboxes: the ordered queues between shards. A sender collects its messages of a turn and hands them over at once;
// the receiver takes all there is. One short lock per hand-over, so contention does not show at any load measured; the
// order per (sender, receiver) is what correctness rests on. Nothing is dropped: reading from sockets stops when a
// receiver is behind (pending_bytes).
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "rr/reflector/messages.hpp"
#include "rr/reflector/start_deferral.hpp"

namespace helio::reflector {

class ShardMailboxes {
 public:
  // `has_evpn`: each shard has a slice of the EVPN RIB, too.
  explicit ShardMailboxes(std::uint32_t shards, bool has_evpn = false) : shards_(shards), has_evpn_(has_evpn), boxes_(shards * shards) {
    for (std::uint32_t i = 0; i < shards; ++i) retained_.push_back(std::make_shared<Retained>());
  }

  std::uint32_t shards() const { return shards_; }
  bool has_evpn() const { return has_evpn_; }
  // Slices of the RIB that a session shard hears from: those of the VPN families by shard, then those of EVPN.
  std::uint32_t sources() const { return has_evpn_ ? 2 * shards_ : shards_; }
  // Appends; returns true when the box was empty (the receiver must be woken).
  bool send(std::uint32_t from, std::uint32_t to, std::vector<Message>& messages) {
    Box& box = boxes_[from * shards_ + to];
    std::scoped_lock lock(box.mutex);
    bool was_empty = box.messages.empty();
    for (Message& m : messages) {
      if (auto* updates = std::get_if<Updates>(&m)) box.pending_bytes.fetch_add(updates->nlri.size(), std::memory_order_relaxed);
      box.messages.push_back(std::move(m));
    }
    messages.clear();
    return was_empty;
  }
  std::vector<Message> take(std::uint32_t from, std::uint32_t to) {
    Box& box = boxes_[from * shards_ + to];
    std::scoped_lock lock(box.mutex);
    box.pending_bytes.store(0, std::memory_order_relaxed);
    return std::exchange(box.messages, {});
  }
  bool has_mail(std::uint32_t to) {
    for (std::uint32_t from = 0; from < shards_; ++from) {
      Box& box = boxes_[from * shards_ + to];
      std::scoped_lock lock(box.mutex);
      if (!box.messages.empty()) return true;
    }
    return false;
  }
  // Announced and withdrawn octets on their way from this shard.
  std::size_t pending_bytes(std::uint32_t from) const {
    std::size_t sum = 0;
    for (std::uint32_t to = 0; to < shards_; ++to) sum += boxes_[from * shards_ + to].pending_bytes.load(std::memory_order_relaxed);
    return sum;
  }

  // What the batches of each RIB shard hold in memory: changes and images apart, since reading waits for the first only.
  struct Retained {
    std::shared_ptr<rib::RetainedBytes> changes = std::make_shared<rib::RetainedBytes>();
    std::shared_ptr<rib::RetainedBytes> images = std::make_shared<rib::RetainedBytes>();
  };
  Retained& retained(std::uint32_t shard) { return *retained_[shard]; }

  std::vector<rib::EncodingClass> classes() {
    std::scoped_lock lock(classes_mutex_);
    return classes_;
  }
  // The number of an encoding class, the same in every shard; nothing when 64 are in use.
  std::optional<std::uint8_t> class_id(const rib::EncodingClass& encoding) {
    std::scoped_lock lock(classes_mutex_);
    for (std::size_t i = 0; i < classes_.size(); ++i)
      if (classes_[i] == encoding) return static_cast<std::uint8_t>(i);
    if (classes_.size() == 64) return std::nullopt;
    classes_.push_back(encoding);
    return static_cast<std::uint8_t>(classes_.size() - 1);
  }

  // The moment from which all shards count milliseconds: the `now` of whoever asks first.
  session::TimePoint start(session::TimePoint now) {
    session::TimePoint::rep none = 0, mine = now.time_since_epoch().count();
    return session::TimePoint(session::TimePoint::duration(start_.compare_exchange_strong(none, mine) ? mine : none));
  }

  // What the shards share beside mail.
  StartDeferral& start_deferral() { return start_deferral_; }
  RtSetCounts& rt_set_counts() { return rt_set_counts_; }

  // Called with a shard's number when it got mail from another one; set once before threads start.
  std::function<void(std::uint32_t)> wake = [](std::uint32_t) {};

 private:
  struct Box {
    std::mutex mutex;
    std::vector<Message> messages;
    std::atomic<std::size_t> pending_bytes{0};
  };
  std::uint32_t shards_;
  bool has_evpn_;
  std::vector<Box> boxes_;
  std::vector<std::shared_ptr<Retained>> retained_;
  std::atomic<session::TimePoint::rep> start_{0};
  StartDeferral start_deferral_;
  RtSetCounts rt_set_counts_;
  std::mutex classes_mutex_;
  std::vector<rib::EncodingClass> classes_;
};

}  // namespace helio::reflector

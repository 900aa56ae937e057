// UpdateRecorder: writes down what the peers of a shard send, octet for octet, and how their sessions change, as MRT records
// (BGP4MP_ET), and hands them over once per turn. The queue is bounded: what finds no room is counted and lost, a shard never waits.
#pragma once
#include <condition_variable>
#include <mutex>
#include <vector>

#include "rr/export/mrt_record.hpp"
#include "rr/reflector/shard_observer.hpp"

namespace helio::exporter {

struct RecordedUpdates {
  std::vector<std::uint8_t> bytes;       // whole records
  std::uint64_t records = 0;
};

// From all shards to the writer.
class UpdateQueue {
 public:
  // Shared with the writer, which sleeps on it.
  UpdateQueue(std::mutex& mutex, std::condition_variable& changed) : mutex_(mutex), changed_(changed) {}
  void push(RecordedUpdates&& part);
  // With the mutex held.
  bool is_empty() const { return parts_.empty(); }
  std::vector<RecordedUpdates> take() {
    bytes_ = 0;
    return std::exchange(parts_, {});
  }
  std::uint64_t dropped() const { return dropped_; }
  void count_dropped(std::uint64_t records) { dropped_ += records; }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  std::mutex& mutex_;
  std::condition_variable& changed_;
  std::vector<RecordedUpdates> parts_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

class UpdateRecorder final : public reflector::ShardObserver {
 public:
  explicit UpdateRecorder(UpdateQueue& queue) : queue_(queue) {}

  void on_session_up(const session::EstablishedPeer& peer, std::uint32_t session) override;
  void on_session_down(const session::EstablishedPeer& peer, std::uint32_t session, const reflector::SessionEnd& end) override;
  void on_update(const session::EstablishedPeer& peer, Bytes body) override;
  bool on_turn() override;

  void on_end_of_rib(PeerId, std::uint32_t, wire::Family) override {}
  void on_announced(reflector::RibShard&, PeerId, rib::AttributeId, std::span<const rib::NlriEntry<rib::Address4>>) override {}
  void on_announced(reflector::RibShard&, PeerId, rib::AttributeId, std::span<const rib::NlriEntry<rib::Address6>>) override {}
  void on_judged(reflector::RibShard&, PeerId, rib::AttributeId, std::span<const rib::NlriEntry<rib::Address4>>) override {}
  void on_judged(reflector::RibShard&, PeerId, rib::AttributeId, std::span<const rib::NlriEntry<rib::Address6>>) override {}
  void on_withdrawn(reflector::RibShard&, PeerId, std::span<const rib::NlriEntry<rib::Address4>>) override {}
  void on_withdrawn(reflector::RibShard&, PeerId, std::span<const rib::NlriEntry<rib::Address6>>) override {}
  void on_best_changes(reflector::RibShard&, wire::Family, rib::ChangeLog&) override {}
  void on_policies_changed(reflector::RibShard&) override {}
  void on_memberships(const reflector::RtcUpdate&) override {}

 private:
  void change(const session::EstablishedPeer& peer, std::uint16_t before, std::uint16_t after);
  UpdateQueue& queue_;
  RecordedUpdates part_;                 // of this turn
  std::vector<std::uint8_t> message_;    // scratch
};

}  // namespace helio::exporter

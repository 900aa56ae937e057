// ShardWatch: the one observer of a shard, for as many as want to watch it: the BMP stations' feed, the recorder of UPDATEs. Attached
// while there is somebody. On the shard's thread.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "rr/reflector/reflector.hpp"

namespace helio::exporter {

class ShardWatch final : public reflector::ShardObserver {
 public:
  explicit ShardWatch(reflector::Shard& shard) : shard_(shard) {}

  // `hears_of_sessions`: it is told of those that are there already.
  void add(reflector::ShardObserver& observer, bool hears_of_sessions) {
    observers_.push_back(&observer);
    newcomer_ = &observer;
    is_silent_ = !hears_of_sessions;
    shard_.observe(this);
    newcomer_ = nullptr;
  }
  void remove(reflector::ShardObserver& observer) {
    std::erase(observers_, &observer);
    if (observers_.empty()) shard_.observe(nullptr);
  }
  bool contains(const reflector::ShardObserver* observer) const { return std::ranges::find(observers_, observer) != observers_.end(); }

  void on_session_up(const session::EstablishedPeer& peer, std::uint32_t session) override {
    if (newcomer_ == nullptr) each([&](auto& o) { o.on_session_up(peer, session); });
    else if (!is_silent_) newcomer_->on_session_up(peer, session);
  }
  void on_session_down(const session::EstablishedPeer& peer, std::uint32_t session, const reflector::SessionEnd& end) override {
    each([&](auto& o) { o.on_session_down(peer, session, end); });
  }
  void on_update(const session::EstablishedPeer& peer, Bytes body) override {
    each([&](auto& o) { o.on_update(peer, body); });
  }
  bool wants_output() const override { return std::ranges::any_of(observers_, [](const auto* o) { return o->wants_output(); }); }
  void on_sent(PeerId peer, std::span<const iovec> octets, std::size_t unsent) override {
    each([&](auto& o) { o.on_sent(peer, octets, unsent); });
  }
  void on_walk(std::uint32_t source, reflector::Message&& message) override {
    each([&](auto& o) { o.on_walk(source, reflector::Message(message)); });
  }
  void on_end_of_rib(PeerId peer, std::uint32_t session, wire::Family family) override {
    each([&](auto& o) { o.on_end_of_rib(peer, session, family); });
  }
  void on_announced(reflector::RibShard& slice, PeerId peer, rib::AttributeId id, std::span<const rib::NlriEntry<rib::Address4>> entries) override {
    each([&](auto& o) { o.on_announced(slice, peer, id, entries); });
  }
  void on_announced(reflector::RibShard& slice, PeerId peer, rib::AttributeId id, std::span<const rib::NlriEntry<rib::Address6>> entries) override {
    each([&](auto& o) { o.on_announced(slice, peer, id, entries); });
  }
  void on_judged(reflector::RibShard& slice, PeerId peer, rib::AttributeId id, std::span<const rib::NlriEntry<rib::Address4>> entries) override {
    each([&](auto& o) { o.on_judged(slice, peer, id, entries); });
  }
  void on_judged(reflector::RibShard& slice, PeerId peer, rib::AttributeId id, std::span<const rib::NlriEntry<rib::Address6>> entries) override {
    each([&](auto& o) { o.on_judged(slice, peer, id, entries); });
  }
  void on_withdrawn(reflector::RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<rib::Address4>> entries) override {
    each([&](auto& o) { o.on_withdrawn(slice, peer, entries); });
  }
  void on_withdrawn(reflector::RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<rib::Address6>> entries) override {
    each([&](auto& o) { o.on_withdrawn(slice, peer, entries); });
  }
  void on_best_changes(reflector::RibShard& slice, wire::Family family, rib::ChangeLog& log) override {
    each([&](auto& o) { o.on_best_changes(slice, family, log); });
  }
  void on_policies_changed(reflector::RibShard& slice) override {
    each([&](auto& o) { o.on_policies_changed(slice); });
  }
  void on_memberships(const reflector::RtcUpdate& update) override {
    each([&](auto& o) { o.on_memberships(update); });
  }
  bool on_turn() override {
    bool more = false;
    each([&](auto& o) { more = o.on_turn() || more; });
    return more;
  }

 private:
  template <class Function>
  void each(Function function) {
    for (reflector::ShardObserver* o : observers_) function(*o);
  }

  reflector::Shard& shard_;
  std::vector<reflector::ShardObserver*> observers_;
  reflector::ShardObserver* newcomer_ = nullptr;  // while it is told of the sessions
  bool is_silent_ = false;
};

// Those of all shards; any thread but the shards'.
class ShardWatches {
 public:
  explicit ShardWatches(reflector::Reflector& reflector) : reflector_(reflector) {
    for (std::uint32_t s = 0; s < reflector.sessions().shards(); ++s) watches_.push_back(std::make_unique<ShardWatch>(reflector.shard(s)));
  }
  reflector::Reflector& reflector() { return reflector_; }
  std::uint32_t shards() const { return static_cast<std::uint32_t>(watches_.size()); }
  void add(std::uint32_t shard, reflector::ShardObserver& observer, bool hears_of_sessions) {
    on_shard(shard, [&](ShardWatch& watch) { watch.add(observer, hears_of_sessions); });
  }
  void remove(std::uint32_t shard, reflector::ShardObserver& observer) {
    on_shard(shard, [&](ShardWatch& watch) { watch.remove(observer); });
  }
  // Not waited for, and not called when the observer does not watch any more by then.
  template <class Observer, class Function>
  void post(std::uint32_t shard, Observer& observer, Function function) {
    reflector_.sessions().shard(ShardId(shard)).post([watch = watches_[shard].get(), at = &observer, function] {
      if (watch->contains(at)) function(*at);
    });
  }

 private:
  template <class Function>
  void on_shard(std::uint32_t shard, Function function) {
    reflector_.sessions().shard(ShardId(shard)).call([&] {
      function(*watches_[shard]);
      return 0;
    });
  }
  reflector::Reflector& reflector_;
  std::vector<std::unique_ptr<ShardWatch>> watches_;
};

}  // namespace helio::exporter

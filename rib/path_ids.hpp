// PathIdStore: the path ids that go out (RFC 7911 §2) by source peer and path id received. One id stands for one path
// of a prefix towards everybody, whatever its rank, so it stays the same while the path is there. A peer without ADD-PATH
// has a single path, whose id follows from its number; only ids received take room here. One store per shard.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>

#include "rib/hash_seed.hpp"
#include "rr/base/check.hpp"
#include "rr/base/ids.hpp"

namespace helio::rib {

class PathIdStore {
 public:
  // A path with this received id was added, or is gone. 0 is no id.
  void add_path(PeerId peer, std::uint32_t received) {
    if (received == 0) return;
    auto [at, is_new] = ids_.try_emplace(key(peer, received));
    if (is_new) at->second.id = next_id();
    ++at->second.paths;
  }
  void remove_path(PeerId peer, std::uint32_t received) {
    if (received == 0) return;
    auto at = ids_.find(key(peer, received));
    HELIO_DCHECK(at != ids_.end(), "path id without a path");
    if (--at->second.paths > 0) return;
    used_.erase(at->second.id);
    ids_.erase(at);
  }
  std::uint32_t outgoing(PeerId peer, std::uint32_t received) const {
    return received == 0 ? peer.value + 1 : ids_.at(key(peer, received)).id;
  }
  std::size_t size() const { return ids_.size(); }

 private:
  static constexpr std::uint32_t kFirst = 1u << 24;  // below: peers' numbers
  struct Entry {
    std::uint32_t id = 0, paths = 0;
  };
  static std::uint64_t key(PeerId peer, std::uint32_t received) { return std::uint64_t{peer.value} << 32 | received; }
  // Counts up, so that an id that was given back does not soon mean another path (wire 2.11).
  std::uint32_t next_id() {
    do {
      next_ = next_ == 0xffffffff ? kFirst : next_ + 1;
    } while (used_.contains(next_));
    used_.insert(next_);
    return next_;
  }

  boost::unordered_flat_map<std::uint64_t, Entry, SeededHash> ids_;
  boost::unordered_flat_set<std::uint32_t> used_;
  std::uint32_t next_ = kFirst;
};

}  // namespace helio::rib

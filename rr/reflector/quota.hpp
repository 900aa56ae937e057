// Limits on what is taken in, and the counts that all RIB shards share for them: of one peer's routes by family, and of
// the prefixes of each set of route targets. Counts are exact for a peer; those of RT sets of other shards are a second
// old at most.
#pragma once
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "rr/session/settings.hpp"

namespace helio::reflector {

// Made for a session of a peer that has limits; its RIB shards and its own shard hold it.
struct PeerQuota {
  session::PrefixLimits limits;                                          // fixed
  std::array<std::atomic<std::int64_t>, wire::kFamilyCount> routes{};    // in all RIB shards
  std::array<std::atomic<std::uint64_t>, wire::kFamilyCount> discarded{};
  // discard_new, which never exceeds its limit: what was reported, until there is room again.
  struct Told {
    std::atomic<bool> near{false}, full{false};
    std::atomic<std::uint64_t> discarded{0};
  };
  std::array<Told, wire::kFamilyCount> told{};
};

struct RibQuotas {
  std::uint32_t max_paths_per_rd = 0;
  std::uint32_t max_prefixes_per_rt_set = 0;
  bool any() const { return max_paths_per_rd != 0 || max_prefixes_per_rt_set != 0; }
};

// Prefixes by RT set, over all shards. Asked once for each set and shard.
class RtSetCounts {
 public:
  using Count = std::shared_ptr<std::atomic<std::int64_t>>;
  Count find(const std::vector<std::uint64_t>& targets, const std::vector<wire::RouteTarget6>& targets6) {
    std::scoped_lock lock(mutex_);
    std::weak_ptr<std::atomic<std::int64_t>>& slot = counts_[{targets, targets6}];
    Count count = slot.lock();
    if (!count) {
      count = std::make_shared<std::atomic<std::int64_t>>(0);
      slot = count;
      if (counts_.size() > 2 * live_ + 64) {
        std::erase_if(counts_, [](const auto& entry) { return entry.second.expired(); });
        live_ = counts_.size();
      }
    }
    return count;
  }

 private:
  using Key = std::pair<std::vector<std::uint64_t>, std::vector<wire::RouteTarget6>>;
  std::mutex mutex_;
  std::map<Key, std::weak_ptr<std::atomic<std::int64_t>>> counts_;
  std::size_t live_ = 0;
};

}  // namespace helio::reflector

// NextHopChanges: next hop tracking in one RIB shard (RFC 4271 §9.1.2: a route whose next hop is not resolvable is not
// taken into the decision). Gives announcements the set that fits the state of their next hop, and when the state
// changes the shard goes through the tables that hold its paths (rib/next_hops.hpp has the index), a bounded number of
// prefixes per turn, lost and returned next hops before new metrics.
// Its shard's thread only.
#pragma once
#include <optional>

#include "rib/journal.hpp"
#include "rib/rib_shared.hpp"
#include "rr/nexthop/tracker.hpp"

namespace helio::reflector {

class NextHopChanges final : public rib::NextHopSource {
 public:
  NextHopChanges(rib::RibShared& shared, nexthop::NextHopTracker& tracker, std::uint32_t shard);
  ~NextHopChanges() override;

  rib::NextHopState watch(const wire::IpAddress& address) override { return tracker_.watch(address, shard_); }
  void unwatch(const wire::IpAddress& address) override { tracker_.unwatch(address, shard_); }

  // The set that paths with this one are to have now. Good until the next call, and as long as the one given.
  rib::AttributeId fit(rib::AttributeId id);
  // Gives up the reference that keeps the last result of fit.
  void release();
  // Takes what has changed. The tables it concerns are marked in RibShared::next_hops.
  // Lost and returned next hops are written to the journal; null: to none.
  void take(rib::Journal* journal);
  // The set that fit() holds a reference of, for counting paths by references.
  std::optional<rib::AttributeId> held() const { return held_; }

 private:
  rib::RibShared& shared_;
  nexthop::NextHopTracker& tracker_;
  std::uint32_t shard_;
  std::optional<rib::AttributeId> held_;
};

}  // namespace helio::reflector

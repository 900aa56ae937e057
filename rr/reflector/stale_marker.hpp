// StaleMarker: what the attributes of a path become when it turns long-lived stale (RFC 9494 §4.2): LLGR_STALE is added,
// the decision takes the path last, and only peers that understand the community are sent it; a path with NO_LLGR goes.
// One per RIB shard, its thread only. The sets made during a run over a peer's paths are remembered until forget().
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>

#include "rib/family_rib.hpp"
#include "rr/reflector/next_hop_changes.hpp"
#include "rr/reflector/rib_policy.hpp"

namespace helio::reflector {

class StaleMarker final : public rib::PathRewriter {
 public:
  StaleMarker(rib::RibShared& shared, RibPolicy& policy) : shared_(shared), policy_(policy) {}

  rib::AttributeId rewrite(rib::AttributeId id) override;
  void forget();
  // Where next hops are tracked.
  void fit_by(NextHopChanges* next_hops) { next_hops_ = next_hops; }

 private:
  rib::AttributeId stale_of(rib::AttributeId id);

  rib::RibShared& shared_;
  RibPolicy& policy_;
  NextHopChanges* next_hops_ = nullptr;
  // One reference on both sides is held, so that no id is reused meanwhile.
  boost::unordered_flat_map<rib::AttributeId, rib::AttributeId> made_;
};

}  // namespace helio::reflector

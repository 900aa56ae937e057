#include "rr/reflector/stale_marker.hpp"

#include "rr/wire/attributes.hpp"

namespace helio::reflector {

using rib::kNoId;

rib::AttributeId StaleMarker::rewrite(rib::AttributeId id) {
  rib::AttributeId to = stale_of(shared_.attributes.found_of(id));
  return to == kNoId || next_hops_ == nullptr ? to : next_hops_->fit(to);
}

rib::AttributeId StaleMarker::stale_of(rib::AttributeId id) {
  if (auto at = made_.find(id); at != made_.end()) return at->second;
  // The community belongs to what was received: the policies judge it again.
  const rib::AttributeSet& set = shared_.attributes[shared_.attributes.received_of(id)];
  if (set.key.llgr_stale) return id;  // it came with the community
  rib::AttributeId to = kNoId;
  if (!wire::contains_community(wire::find_attribute(set.bytes(), wire::attr::communities), wire::community::no_llgr)) {
    const rib::Provenance& provenance = shared_.provenances.provenance(set.provenance);
    const rib::RtSet& targets = shared_.provenances.rt_set(provenance.rt_set);
    std::vector<std::uint8_t> bytes;
    wire::add_community(bytes, set.bytes(), wire::community::llgr_stale);
    rib::CanonicalAttributes stale;
    stale.next_hop = set.next_hop();
    stale.bytes = bytes;
    stale.key = set.key;
    stale.scope = provenance.scope | rib::scope::llgr_stale;
    stale.targets = targets.targets;
    stale.targets6 = targets.targets6;
    stale.key.llgr_stale = true;
    std::optional<rib::DecisionExtras> extras;
    if (const rib::DecisionExtras* found = shared_.attributes.extras(shared_.attributes.received_of(id))) extras = *found;
    if (extras) stale.extras = &*extras;
    rib::AttributeId received = shared_.attributes.intern(set.peer, set.generation, stale);
    to = policy_.judge_as(id, received);
    shared_.attributes.drop_refs(received, 1);
  }
  shared_.attributes.add_refs(id, 1);
  made_.emplace(id, to);
  return to;
}

void StaleMarker::forget() {
  for (auto& [from, to] : made_) {
    shared_.attributes.drop_refs(from, 1);
    if (to != kNoId) shared_.attributes.drop_refs(to, 1);
  }
  made_.clear();
}

}  // namespace helio::reflector

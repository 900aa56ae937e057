// Reflector::next_hops: the attribute sets of all shards by next hop, gone through in portions.
#include <map>

#include "rr/reflector/reflector.hpp"

namespace helio::reflector {
namespace {

constexpr rib::AttributeId kPortion = 2048;

struct Tally {
  std::int64_t sets = 0, paths = 0;
};

}  // namespace

NextHopsView Reflector::next_hops() {
  std::map<wire::IpAddress, Tally> tallies;
  auto shards = static_cast<std::uint32_t>(shards_.size());
  for (std::uint32_t r = 0; r < mailboxes_.sources(); ++r) {
    RibShard& slice = r < shards ? shards_[r]->rib() : *shards_[r - shards]->evpn();
    auto tally = [&](rib::AttributeId id) -> Tally* {
      std::optional<wire::IpAddress> address = rib::tracked_address(slice.shared().attributes[id].next_hop());
      return address ? &tallies[*address] : nullptr;
    };
    // Paths are the references that nobody else holds.
    for (rib::AttributeId from = 0, limit = 1; from < limit; from += kPortion) {
      limit = on_shard(r % shards, [&] {
        const rib::AttributeStore& store = slice.shared().attributes;
        if (from == 0) {
          slice.each_held([&](rib::AttributeId id) {
            if (Tally* t = tally(id)) --t->paths;
          });
        }
        for (rib::AttributeId id = from; id < std::min(from + kPortion, store.limit()); ++id) {
          if (!store.exists(id)) continue;
          const rib::AttributeSet& set = store[id];
          if (Tally* t = tally(id)) {
            if (!set.is_lost()) ++t->sets;
            t->paths += set.refs;
          }
          if (!set.is_derived()) continue;
          if (Tally* t = tally(set.derivation().received)) --t->paths;
        }
        return store.limit();
      });
    }
  }
  NextHopsView view;
  view.tracked = settings_.next_hops != nullptr;
  std::map<wire::IpAddress, nexthop::NextHopView> known;
  if (view.tracked)
    for (nexthop::NextHopView& next_hop : settings_.next_hops->next_hops()) known.emplace(next_hop.address, next_hop);
  for (const auto& [address, tally] : tallies) {
    NextHopView& out = view.next_hops.emplace_back();
    out.address = address;
    out.attribute_sets = static_cast<std::uint64_t>(tally.sets);
    out.paths = static_cast<std::uint64_t>(std::max<std::int64_t>(0, tally.paths));
    auto at = known.find(address);
    if (at == known.end()) continue;
    const nexthop::NextHopView& next_hop = at->second;
    out.reachable = next_hop.state.reachable;
    out.by_default_route = next_hop.by_default_route;
    if (out.reachable) out.metric = next_hop.state.metric;
    out.changes = next_hop.changes;
    if (next_hop.changes != 0) out.since = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - next_hop.since);
  }
  return view;
}

NextHopCounters Reflector::next_hop_counters() {
  if (settings_.next_hops == nullptr) return {};
  nexthop::TrackerCounters c = settings_.next_hops->counters();
  return {c.reachable, c.unreachable, c.lost, c.returned, c.metric_changes, c.overruns};
}

}  // namespace helio::reflector

#include "rr/reflector/next_hop_changes.hpp"

#include <algorithm>

#include "rr/reflector/rib_shard.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using rib::AttributeId;

NextHopChanges::NextHopChanges(rib::RibShared& shared, nexthop::NextHopTracker& tracker, std::uint32_t shard)
    : shared_(shared), tracker_(tracker), shard_(shard) {
  shared_.next_hops = std::make_unique<rib::NextHops>(shared_.memory, shared_.provenances, shared_.attributes, *this);
  shared_.attributes.observe(shared_.next_hops.get());
}

NextHopChanges::~NextHopChanges() {
  shared_.attributes.observe(nullptr);
  shared_.next_hops.reset();
}

AttributeId NextHopChanges::fit(AttributeId id) {
  AttributeId found = shared_.attributes.found_of(id);
  bool usable = shared_.next_hops->is_reachable(found) || !shared_.attributes[found].key.is_eligible;
  if (usable) return found;  // the caller's set holds it, or is it
  AttributeId lost = shared_.attributes.make_lost(found);
  release();
  held_ = lost;
  return lost;
}

void NextHopChanges::release() {
  if (auto before = std::exchange(held_, std::nullopt)) shared_.attributes.drop_refs(*before, 1);
}

void NextHopChanges::take(rib::Journal* journal) {
  if (!tracker_.has_changes(shard_)) return;
  for (const nexthop::NextHopTracker::Change& change : tracker_.take_changes(shard_)) {
    bool turned = shared_.next_hops->update(change.address, change.state);
    if (turned && journal != nullptr)
      journal->write(change.state.reachable ? rib::JournalEvent::next_hop_found : rib::JournalEvent::next_hop_lost, PeerId(), wire::format_ip(change.address));
  }
}

namespace {

constexpr std::size_t kTablesPerTurn = 4096;

// Paths get the sets that fit the state of their next hops.
template <class Address>
class Fitter final : public rib::FamilyRib<Address>::Reassigner {
 public:
  Fitter(NextHopChanges& changes, bool metrics) : changes_(changes), metrics_(metrics) {}
  AttributeId choose(std::uint64_t, const rib::PrefixKey<Address>&, AttributeId attributes) override {
    ++paths;
    return changes_.fit(attributes);
  }
  std::uint16_t changed_exports(AttributeId, AttributeId, rib::Stamp) override { return 0; }
  bool judges_exports() const override { return false; }
  bool brings_metrics() const override { return metrics_; }

  std::size_t paths = 0;

 private:
  NextHopChanges& changes_;
  bool metrics_;
};

}  // namespace

void RibShard::track_next_hops(nexthop::NextHopTracker& tracker) {
  next_hops_ = std::make_unique<NextHopChanges>(shared_, tracker, source_number());
  marker_.fit_by(next_hops_.get());
}

// Part of a table, all of it where a view must know what its prefixes were decided by. Returns what it took of the budget.
template <class Address>
std::size_t RibShard::fit_table(std::uint32_t table, std::optional<rib::PrefixKey<Address>>& next, std::size_t budget, bool metrics) {
  rib::FamilyRib<Address>& rib = family<Address>();
  if (table >= rib.table_limit() || !rib.has_table(table)) {
    next.reset();
    return 1;
  }
  Fitter<Address> fitter(*next_hops_, metrics);
  ++reassignments_;
  do next = rib.reassign_table(table, next.value_or(rib::PrefixKey<Address>{}), budget, fitter);
  while (next && metrics && rib.has_own_ranking());
  return std::max<std::size_t>(fitter.paths, 1);
}

// A bounded part of what next hop changes take. Returns whether more is left.
bool RibShard::follow_next_hops() {
  next_hops_->take(journal_);
  rib::NextHops& next_hops = *shared_.next_hops;
  if (!next_hops.has_work()) return false;
  seal_turn();
  std::size_t budget = limits_.purge_entries_per_turn, tables = 0;
  for (bool metrics : {false, true}) {
    rib::DirtyTables& dirty = metrics ? next_hops.undecided() : next_hops.misfits();
    while (budget > 0 && tables < kTablesPerTurn) {
      std::optional<std::uint32_t> ref = dirty.current();
      if (!ref) break;
      std::size_t used = (*ref & 1) != 0 ? fit_table<Address6>(*ref >> 1, dirty.next6, budget, metrics)
                                         : fit_table<Address4>(*ref >> 1, dirty.next4, budget, metrics);
      budget -= std::min(used, budget);
      ++tables;
      if (!dirty.next4 && !dirty.next6) dirty.done();
    }
  }
  seal_turn();
  return next_hops.has_work();
}

}  // namespace helio::reflector

#include "rib/provenance.hpp"

#include <xxhash.h>

#include <algorithm>

#include "rib/hash_seed.hpp"
#include "rr/base/check.hpp"

namespace helio::rib {
namespace {

std::uint64_t hash_targets(std::span<const std::uint64_t> targets, std::span<const wire::RouteTarget6> targets6) {
  std::uint64_t first = XXH3_64bits_withSeed(targets.data(), targets.size_bytes(), hash_seed);
  return targets6.empty() ? first : XXH3_64bits_withSeed(targets6.data(), targets6.size_bytes(), first);
}

void remove_value(std::vector<ProvenanceId>& list, ProvenanceId id) {
  auto at = std::find(list.rbegin(), list.rend(), id);
  HELIO_CHECK(at != list.rend(), "provenance not listed");
  *at = list.back();
  list.pop_back();
}

}  // namespace

ProvenanceStore::ProvenanceStore(MemoryAccount& account)
    : account_(account), rt_sets_(account, MemoryKind::rt_set), provenances_(account, MemoryKind::provenance),
      rt_set_index_(account), provenance_index_(account) {}

std::int64_t ProvenanceStore::bytes_of(const RtSet& set) {
  return static_cast<std::int64_t>(set.targets.capacity() * 8 + set.targets6.capacity() * 20);
}

std::uint64_t ProvenanceStore::hash_of(const Provenance& p) const {
  std::uint64_t key[2] = {static_cast<std::uint64_t>(p.peer.value) << 32 | p.rt_set, p.scope | static_cast<std::uint64_t>(p.rejected_by) << 8};
  return XXH3_64bits_withSeed(key, sizeof key, hash_seed);
}

RtSetId ProvenanceStore::acquire_rt_set(std::span<const std::uint64_t> targets, std::span<const wire::RouteTarget6> targets6) {
  std::uint64_t hash = hash_targets(targets, targets6);
  RtSetId id = rt_set_index_.find(hash, [&](std::uint32_t i) {
    return rt_sets_[i].hash == hash && std::ranges::equal(rt_sets_[i].targets, targets) &&
           std::ranges::equal(rt_sets_[i].targets6, targets6);
  });
  if (id == HashIndex::kNone) {
    id = rt_sets_.add();
    RtSet& set = rt_sets_[id];
    set.hash = hash;
    set.targets.assign(targets.begin(), targets.end());
    set.targets6.assign(targets6.begin(), targets6.end());
    account_.add(MemoryKind::rt_set, bytes_of(set), 0);
    rt_set_index_.insert(hash, id);
    events_.push_back({ProvenanceEvent::Kind::rt_set_defined, id});
  }
  ++rt_sets_[id].refs;
  return id;
}

void ProvenanceStore::drop_rt_set(RtSetId id) {
  RtSet& set = rt_sets_[id];
  if (--set.refs > 0) return;
  rt_set_index_.erase(set.hash, id);
  set.retired = true;
  events_.push_back({ProvenanceEvent::Kind::rt_set_retired, id});
}

ProvenanceId ProvenanceStore::acquire(PeerId peer, std::span<const std::uint64_t> targets,
                                      std::span<const wire::RouteTarget6> targets6, std::uint8_t scope, std::uint16_t rejected_by) {
  Provenance wanted;
  wanted.peer = peer;
  wanted.scope = scope;
  wanted.rejected_by = rejected_by;
  wanted.rt_set = acquire_rt_set(targets, targets6);
  std::uint64_t hash = hash_of(wanted);
  ProvenanceId id = provenance_index_.find(hash, [&](std::uint32_t i) {
    const Provenance& p = provenances_[i];
    return p.peer == peer && p.rt_set == wanted.rt_set && p.scope == scope && p.rejected_by == rejected_by;
  });
  if (id != HashIndex::kNone) {
    drop_rt_set(wanted.rt_set);
    ++provenances_[id].refs;
    return id;
  }
  id = provenances_.add();
  provenances_[id] = std::move(wanted);
  provenances_[id].refs = 1;
  provenance_index_.insert(hash, id);
  rt_sets_[provenances_[id].rt_set].provenances.push_back(id);
  if (by_peer_.size() <= peer.value) by_peer_.resize(peer.value + 1);
  provenances_[id].at_peer = static_cast<std::uint32_t>(by_peer_[peer.value].size());
  by_peer_[peer.value].push_back(id);
  events_.push_back({ProvenanceEvent::Kind::provenance_defined, id});
  return id;
}

void ProvenanceStore::drop_ref(ProvenanceId id) {
  Provenance& p = provenances_[id];
  if (--p.refs > 0) return;
  HELIO_CHECK(p.live_tables == 0, "provenance dropped while tables hold its paths");
  provenance_index_.erase(hash_of(p), id);
  remove_value(rt_sets_[p.rt_set].provenances, id);
  // By its place, not by search: a peer may have as many as routes.
  std::vector<ProvenanceId>& of_peer = by_peer_[p.peer.value];
  provenances_[of_peer.back()].at_peer = p.at_peer;
  of_peer[p.at_peer] = of_peer.back();
  of_peer.pop_back();
  p.retired = true;
  p.tables.clear(account_);
  events_.push_back({ProvenanceEvent::Kind::provenance_retired, id});
  drop_rt_set(p.rt_set);
}

void ProvenanceStore::table_added(ProvenanceId id, std::uint32_t table) {
  Provenance& p = provenances_[id];
  ++p.live_tables;
  p.tables.push(account_, table);
}

void ProvenanceStore::table_removed(ProvenanceId id) {
  Provenance& p = provenances_[id];
  --p.live_tables;
  if (p.live_tables == 0) p.tables.clear(account_);
}

std::vector<std::uint32_t> ProvenanceStore::tables_of(ProvenanceId id) const {
  std::vector<std::uint32_t> tables;
  provenances_[id].tables.append_to(tables);
  sort_unique(tables);
  return tables;
}

std::vector<std::uint32_t> ProvenanceStore::tables_of_rt_set(RtSetId id) const {
  std::vector<std::uint32_t> tables;
  if (id >= rt_sets_.limit()) return tables;
  for (ProvenanceId p : rt_sets_[id].provenances) provenances_[p].tables.append_to(tables);
  sort_unique(tables);
  return tables;
}

bool ProvenanceStore::wants_compaction(ProvenanceId id) const {
  const Provenance& p = provenances_[id];
  return p.tables.size() > 2 * static_cast<std::size_t>(p.live_tables) + 64 && p.tables.size() > p.compact_above;
}

void ProvenanceStore::set_tables(ProvenanceId id, const std::vector<std::uint32_t>& tables) {
  Provenance& p = provenances_[id];
  HELIO_CHECK(tables.size() >= p.live_tables, "table index out of step");
  // Stale ones of the other family stay until that one compacts: not tried again for every table that is added.
  p.compact_above = tables.size() == p.live_tables ? 0 : static_cast<std::uint32_t>(2 * tables.size());
  p.tables.assign(account_, tables);
}

std::vector<ProvenanceId> ProvenanceStore::provenances_of(PeerId peer) const {
  return peer.value < by_peer_.size() ? by_peer_[peer.value] : std::vector<ProvenanceId>();
}

void ProvenanceStore::release_provenance(ProvenanceId id) {
  HELIO_CHECK(provenances_[id].retired, "release of a live provenance");
  provenances_.remove(id);
}

void ProvenanceStore::release_rt_set(RtSetId id) {
  HELIO_CHECK(rt_sets_[id].retired, "release of a live RT set");
  account_.add(MemoryKind::rt_set, -bytes_of(rt_sets_[id]), 0);
  rt_sets_.remove(id);
}

}  // namespace helio::rib

#include "rib/family_rib.hpp"

#include <algorithm>

#include "rib/family_views.hpp"
#include "rib/hash_seed.hpp"
#include "rr/base/check.hpp"

namespace helio::rib {
namespace {

std::uint64_t hash_rd(std::uint64_t rd) { return seeded_hash(rd); }

// Exact copy of 8..32 octets without a call.
inline void copy_small(std::uint8_t* to, const std::uint8_t* from, std::size_t n) {
  if (n >= 16 && n <= 32) {
    std::memcpy(to, from, 16);
    std::memcpy(to + n - 16, from + n - 16, 16);
  } else if (n >= 8 && n < 16) {
    std::memcpy(to, from, 8);
    std::memcpy(to + n - 8, from + n - 8, 8);
  } else {
    std::memcpy(to, from, n);
  }
}

template <class Address>
void store_prefix(std::uint8_t* to, Address address, unsigned octets) {
  for (unsigned i = 0; i < octets; ++i) to[i] = static_cast<std::uint8_t>(address >> (sizeof(Address) * 8 - 8 - 8 * i));
}

}  // namespace

template <class Address>
FamilyRib<Address>::FamilyRib(wire::Family family, RibShared& shared, EvpnKeys* keys)
    : family_(family), shared_(shared), keys_(keys), tree_(shared.memory), tables_(shared.memory, MemoryKind::table), directory_(shared.memory) {}

template <class Address>
FamilyRib<Address>::~FamilyRib() {
  for (std::uint32_t t = 0; t < tables_.limit(); ++t) {
    tree_.walk(tables_[t].root, Key{}, [&](const Key&, Slot& slot) {
      if (slot.has_list()) slot.list_free(shared_.memory);
      return true;
    });
    tree_.clear(tables_[t].root);
  }
}

// --- Tables -------------------------------------------------------------------------------------------------------

template <class Address>
std::optional<std::uint32_t> FamilyRib<Address>::find_table(std::uint64_t rd) const {
  std::uint32_t id = directory_.find(hash_rd(rd), [&](std::uint32_t i) { return tables_[i].rd == rd; });
  return id == HashIndex::kNone ? std::nullopt : std::optional(id);
}

template <class Address>
std::uint32_t FamilyRib<Address>::table_for(std::uint64_t rd) {
  if (last_table_ != kNoId && last_rd_ == rd) return last_table_;
  std::uint32_t id = directory_.find(hash_rd(rd), [&](std::uint32_t i) { return tables_[i].rd == rd; });
  if (id == HashIndex::kNone) {
    id = tables_.add();
    tables_[id].rd = rd;
    directory_.insert(hash_rd(rd), id);
  }
  last_rd_ = rd;
  last_table_ = id;
  return id;
}

template <class Address>
void FamilyRib<Address>::remove_table(std::uint32_t id) {
  std::uint64_t rd = tables_[id].rd;
  directory_.erase(hash_rd(rd), id);
  tables_.remove(id);
  finger_.reset();
  last_table_ = kNoId;
}

template <class Address>
bool FamilyRib<Address>::table_holds(std::uint32_t table, ProvenanceId provenance) const {
  if (table >= tables_.limit()) return false;
  const Table& t = tables_[table];
  if (t.paths == 0) return false;
  if ((t.provenance & kMixed) == 0) return t.provenance == provenance;
  return mixed_[t.provenance & ~kMixed].contains(provenance);
}

template <class Address>
void FamilyRib<Address>::compact(ProvenanceId provenance) {
  std::vector<std::uint32_t> live;
  for (std::uint32_t ref : shared_.provenances.tables_of(provenance)) {
    // The other family's tables cannot be judged from here; it keeps them, and compacts its own.
    if ((ref & 1) != (kIsV6 ? 1u : 0u) || table_holds(ref >> 1, provenance)) live.push_back(ref);
  }
  shared_.provenances.set_tables(provenance, live);
}

template <class Address>
void FamilyRib<Address>::make_mixed(Table& t) {
  std::uint32_t index;
  if (mixed_free_.empty()) {
    index = static_cast<std::uint32_t>(mixed_.size());
    mixed_.emplace_back();
  } else {
    index = mixed_free_.back();
    mixed_free_.pop_back();
  }
  mixed_[index].emplace(t.provenance, t.paths);
  t.provenance = kMixed | index;
}

template <class Address>
void FamilyRib<Address>::path_added(std::uint32_t table, ProvenanceId provenance) {
  Table& t = tables_[table];
  if (t.paths == 0) {
    t.provenance = provenance;
  } else if ((t.provenance & kMixed) == 0) {
    if (t.provenance == provenance) {
      ++t.paths;
      return;
    }
    make_mixed(t);
  }
  ++t.paths;
  if ((t.provenance & kMixed) != 0 && mixed_[t.provenance & ~kMixed][provenance]++ != 0) return;
  shared_.provenances.table_added(provenance, table_ref(table));
  if (shared_.provenances.wants_compaction(provenance)) compact(provenance);
}

template <class Address>
void FamilyRib<Address>::path_removed(std::uint32_t table, ProvenanceId provenance) {
  Table& t = tables_[table];
  --t.paths;
  if ((t.provenance & kMixed) == 0) {
    if (t.paths == 0) shared_.provenances.table_removed(provenance);
    return;
  }
  Mixed& mixed = mixed_[t.provenance & ~kMixed];
  auto at = mixed.find(provenance);
  HELIO_CHECK(at != mixed.end(), "path of a provenance the table does not have");
  if (--at->second > 0) return;
  mixed.erase(at);
  shared_.provenances.table_removed(provenance);
  if (mixed.size() == 1) {
    std::uint32_t index = t.provenance & ~kMixed;
    t.provenance = mixed.begin()->first;
    mixed.clear();
    mixed_free_.push_back(index);
  }
}

// --- Announcements --------------------------------------------------------------------------------------------------

template <class Address>
void FamilyRib<Address>::retire(AttributeId attributes) {
  if (retired_count_ != 0 && retired_ != attributes) flush_retired();
  retired_ = attributes;
  ++retired_count_;
}

// retire() takes one off for a stale set; a stale path that only changes its set is counted again here.
template <class Address>
void FamilyRib<Address>::count_stale(AttributeId id) {
  const AttributeSet& set = shared_.attributes[id];
  RibPeer& peer = shared_.peers[set.peer.value];
  if (set.generation >= peer.stale_below[wire::index(family_)]) return;
  ++peer.stale[wire::index(family_)];
  ++shared_.counters.stale[wire::index(family_)];
}

template <class Address>
void FamilyRib<Address>::flush_retired() {
  if (retired_count_ == 0) return;
  const AttributeSet& set = shared_.attributes[retired_];
  if (RibPeer& peer = shared_.peers[set.peer.value]; set.generation < peer.stale_below[wire::index(family_)]) {
    peer.stale[wire::index(family_)] -= retired_count_;
    shared_.counters.stale[wire::index(family_)] -= retired_count_;
  }
  shared_.attributes.drop_refs(retired_, retired_count_);
  retired_count_ = 0;
}

template <class Address>
void FamilyRib<Address>::announce(PeerId peer, AttributeId attributes, std::span<const Entry> entries) {
  ProvenanceId provenance = provenance_of(attributes);
  std::uint32_t added = 0;   // references taken
  std::int32_t new_best = 0; // prefixes that were not there
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (entries[i].rd != entries[i - 1].rd) directory_.prefetch(hash_rd(entries[i].rd));
  for (std::size_t i = 0; i < entries.size();) {
    std::uint64_t rd = entries[i].rd;
    std::uint32_t table = deciding_ = table_for(rd);
    Table& t = tables_[table];
    std::size_t run = i + 1;
    while (run < entries.size() && entries[run].rd == rd) ++run;
    for (; i < run; ++i) {
      const Entry& entry = entries[i];
      Key key{entry.address, entry.length};
      auto [slot, inserted] = tree_.insert(t.root, key, finger_, static_cast<unsigned>(std::min<std::size_t>(run - i - 1, 63)));
      if (inserted) key_named(key.address);
      if (!inserted || entry.path_id != 0) {
        if (inserted) {
          ++shared_.counters.prefixes[wire::index(family_)];
          slot->set_single(attributes, 0);
          slot->make_list(shared_.memory, shared_.now_seconds);
          slot->list()[0] = Path{attributes, entry.label, entry.path_id, shared_.now_seconds};
          slot->set_stamp(0);
          path_added(table, provenance);
          shared_.path_ids.add_path(peer, entry.path_id);
          ++added;
          before_.clear();
          emit(rd, key, slot, Best{}, best(*slot), &entry);
          emit_views(rd, key, slot);
          ++shared_.counters.paths[wire::index(family_)];
          ++shared_.peers[peer.value].paths[wire::index(family_)];
        } else {
          announce_existing(table, key, *slot, peer, attributes, entry);
        }
        continue;
      }
      slot->set_single(attributes, entry.label);
      slot->set_stamp(shared_.turn);
      if (t.paths != 0 && t.provenance == provenance) ++t.paths;
      else path_added(table, provenance);
      ++added;
      ++new_best;
      bool new_run;
      std::uint8_t* to = log_.announce(attributes, entry.wire_length, new_run);
      if (new_run) begin_run(log_);
      copy_small(to, entry.wire, entry.wire_length);
      log_.announced(entry.wire_length);
      ++shared_.counters.best_changes[wire::index(family_)];
      ++shared_.counters.prefixes[wire::index(family_)];
      ++shared_.counters.paths[wire::index(family_)];
      ++shared_.peers[peer.value].paths[wire::index(family_)];
      if (has_views_) [[unlikely]] {
        before_.clear();
        emit_views(rd, key, slot);
      }
    }
  }
  shared_.attributes.add_refs(attributes, added);
  shared_.provenances.count_best(provenance, kIsV6, new_best);
  flush_retired();
}

template <class Address>
typename FamilyRib<Address>::Approach FamilyRib<Address>::begin_approach(std::uint64_t rd, const Key& key) const {
  directory_.prefetch(hash_rd(rd));
  Approach approach;
  approach.rd = rd;
  approach.key = key;
  return approach;
}

template <class Address>
bool FamilyRib<Address>::advance(Approach& a) const {
  switch (a.stage) {
    case 0:
      a.table = directory_.guess(hash_rd(a.rd));
      if (a.table == HashIndex::kNone) return false;
      __builtin_prefetch(&tables_[a.table]);
      a.stage = 1;
      return true;
    case 1:
      if (tables_[a.table].rd != a.rd || tables_[a.table].paths == 0) return false;
      a.probe = Tree::begin_probe(tables_[a.table].root);
      a.stage = 2;
      return true;
    case 2:
      if (Tree::step(a.key, a.probe)) return true;
      if (a.probe.slot == nullptr) return false;
      a.stage = 3;
      [[fallthrough]];
    case 3:
      if (a.probe.slot->has_list()) return false;
      a.old = a.probe.slot->attributes();
      shared_.attributes.prefetch_address(a.old);
      a.stage = 4;
      return true;
    case 4:
      shared_.attributes.prefetch(a.old);
      a.stage = 5;
      return true;
    default:
      shared_.attributes.prefetch_release(a.old);
      return false;
  }
}

template <class Address>
bool FamilyRib<Address>::same_content(AttributeId a, AttributeId b) const {
  if (a == b) return true;
  const AttributeSet &x = shared_.attributes[a], &y = shared_.attributes[b];
  // Received sets of one session are interned: two of them differ, and their bytes need not be fetched to see it.
  if (x.peer == y.peer && x.generation == y.generation && !x.is_derived() && !y.is_derived()) return false;
  // Passing other tests of the policies, an export policy that is just being replaced may have made something else of it.
  auto tests = [](const AttributeSet& set) { return set.is_derived() ? set.derivation().tests : 0; };
  return tests(x) == tests(y) && x.provenance == y.provenance && std::ranges::equal(x.bytes(), y.bytes()) && std::ranges::equal(x.next_hop(), y.next_hop());
}

// The prefix has paths already. Takes over the label reference of the entry.
template <class Address>
void FamilyRib<Address>::announce_existing(std::uint32_t table, const Key& key, Slot& slot, PeerId peer, AttributeId attributes,
                                           const Entry& entry) {
  if (slot.has_list() || shared_.attributes[slot.attributes()].peer != peer || entry.path_id != 0) {
    announce_list(table, key, slot, peer, attributes, entry);
    return;
  }
  // Implicit withdrawal: the peer replaces its own, only path (RFC 4271 §3.1).
  Best before = best(slot);
  bool same = before.label == entry.label && same_content(before.attributes, attributes);
  if (same) ++shared_.counters.duplicates;
  if (before.attributes == attributes) {
    if (same) {
      drop_label(entry.label);
      return;
    }
  } else {
    ProvenanceId old_provenance = provenance_of(before.attributes), new_provenance = provenance_of(attributes);
    if (old_provenance != new_provenance) {
      path_added(table, new_provenance);
      path_removed(table, old_provenance);
    }
    shared_.attributes.add_refs(attributes, 1);
  }
  remember(slot);
  slot.set_single(attributes, entry.label);
  if (!same) {
    emit(tables_[table].rd, key, &slot, before, best(slot), &entry);
    emit_views(tables_[table].rd, key, &slot);
  }
  drop_label(before.label);
  if (before.attributes != attributes) retire(before.attributes);
}

template <class Address>
void FamilyRib<Address>::announce_list(std::uint32_t table, const Key& key, Slot& slot, PeerId peer, AttributeId attributes,
                                       const Entry& entry) {
  Best before = best(slot);
  remember(slot);
  if (!slot.has_list()) slot.make_list(shared_.memory, shared_.now_seconds);
  Path* path = nullptr;
  for (std::uint32_t i = 0; i < slot.list_count() && path == nullptr; ++i) {
    Path& p = slot.list()[i];
    if (p.path_id == entry.path_id && shared_.attributes[p.attributes].peer == peer) path = &p;
  }
  ProvenanceId provenance = provenance_of(attributes);
  std::optional<Path> replaced;
  if (path != nullptr) {
    replaced = *path;
    if (replaced->attributes == attributes && replaced->label == entry.label) {
      ++shared_.counters.duplicates;
      drop_label(entry.label);
      return;
    }
    path->attributes = attributes;
    path->label = entry.label;
    path->time = shared_.now_seconds;
  } else {
    slot.list_push(shared_.memory, Path{attributes, entry.label, entry.path_id, shared_.now_seconds});
    shared_.path_ids.add_path(peer, entry.path_id);
    ++shared_.counters.paths[wire::index(family_)];
    ++shared_.peers[peer.value].paths[wire::index(family_)];
  }
  path_added(table, provenance);
  shared_.attributes.add_refs(attributes, 1);
  select(slot);
  Best after = best(slot);
  // `before` may be the path that was replaced: its attribute set lives until the retire below.
  if (before.label != after.label || !same_content(before.attributes, after.attributes))
    emit(tables_[table].rd, key, &slot, before, after, after.attributes == attributes && after.label == entry.label ? &entry : nullptr);
  emit_views(tables_[table].rd, key, &slot);
  if (replaced) {
    path_removed(table, provenance_of(replaced->attributes));
    drop_label(replaced->label);
    retire(replaced->attributes);
  }
}

template <class Address>
Candidate FamilyRib<Address>::candidate(AttributeId attributes, std::uint32_t path_id, bool before) const {
  const AttributeSet& set = shared_.attributes[attributes];
  return {&set.key, shared_.peers[set.peer.value].address, path_id, shared_.attributes.extras(attributes),
          shared_.next_hops == nullptr ? 0 : shared_.next_hops->metric(attributes, table_ref(deciding_), before)};
}

// Orders the list, the best path first. What was sent follows from the order: it is kept until the next change.
template <class Address>
void FamilyRib<Address>::select(Slot& slot) {
  ++shared_.counters.decisions;
  Path* list = slot.list();
  std::uint32_t count = slot.list_count();
  if (count == 2) {
    Candidate two[2] = {candidate(list[0].attributes, list[0].path_id), candidate(list[1].attributes, list[1].path_id)};
    if (select_best(two, {}, shared_.rules) == 1) std::swap(list[0], list[1]);
    return;
  }
  candidates_.clear();
  for (std::uint32_t i = 0; i < count; ++i) candidates_.push_back(candidate(list[i].attributes, list[i].path_id));
  order_.resize(count);
  rank_paths(candidates_, order_, shared_.rules);
  ranked_.assign(list, list + count);
  for (std::uint32_t i = 0; i < count; ++i) list[i] = ranked_[order_[i]];
}

// --- Changes --------------------------------------------------------------------------------------------------------

// The best path of a prefix went from `before` to `after`: into the log, as what peers may have to be sent. `entry`
// holds the wire bytes when `after` has just been received. slot is null when the prefix is gone.
template <class Address>
void FamilyRib<Address>::emit(std::uint64_t rd, const Key& key, Slot* slot, const Best& before, const Best& after, const Entry* entry) {
  // A prefix changes once per turn: the second change begins a new one, so that order is kept (DESIGN §4, invariant 3).
  if (slot != nullptr && slot->stamp() == (shared_.turn & kStampMask)) shared_.sealer.seal_turn();
  ++shared_.counters.best_changes[wire::index(family_)];
  ProvenanceId old_provenance = before.exists ? provenance_of(before.attributes) : kNoId;
  ProvenanceId new_provenance = after.exists ? provenance_of(after.attributes) : kNoId;
  if (before.exists) shared_.provenances.count_best(old_provenance, kIsV6, -1);
  if (after.exists) shared_.provenances.count_best(new_provenance, kIsV6, 1);
  if (before.exists && old_provenance != new_provenance) {
    stage_withdrawal(log_, rd, key, old_provenance, new_provenance);
    if (shared_.keep_tombstones) {
      shared_.provenances.add_ref(old_provenance);
      tombstones_.push_back({rd, shared_.turn, key.address, old_provenance, key.length});
      key_named(key.address);
      shared_.memory.add(MemoryKind::tombstone, sizeof(Tombstone<Address>), 1);
    }
  }
  if (!after.exists) return;
  slot->set_stamp(shared_.turn);
  if (log_.keeps_notes()) note_change(*slot, before);
  if (entry != nullptr) {
    bool new_run;
    std::uint8_t* to = log_.announce(after.attributes, entry->wire_length, new_run);
    if (new_run) begin_run(log_);
    copy_small(to, entry->wire, entry->wire_length);
    log_.announced(entry->wire_length);
  } else {
    stage_announcement(log_, rd, key, {after.attributes, after.label, 0, 0});
  }
}

// For the journal: what the prefix was before, and why its best path is the best.
template <class Address>
void FamilyRib<Address>::note_change(const Slot& slot, const Best& before) {
  PeerId previous = before.exists ? shared_.attributes[before.attributes].peer : PeerId();
  if (!slot.has_list() || slot.list_count() == 1) {
    std::uint32_t only = slot.has_list() ? slot.list()[0].attributes : slot.attributes();
    log_.note(previous, 1, 0, previous.valid() && shared_.attributes[only].peer == previous);
    return;
  }
  const Path* list = slot.list();
  Candidate two[2] = {candidate(list[0].attributes, list[0].path_id), candidate(list[1].attributes, list[1].path_id)};
  std::array<DecisionStep, 2> steps{};
  std::size_t best = select_best(two, steps, shared_.rules);
  bool remains = false;
  for (std::uint32_t i = 0; i < slot.list_count() && !remains; ++i) remains = shared_.attributes[list[i].attributes].peer == previous;
  log_.note(previous, slot.list_count(), static_cast<std::uint8_t>(best == 0 ? steps[1] : DecisionStep::none), remains);
}

// A run of announcements begins: it holds a reference and knows where it sorts.
template <class Address>
void FamilyRib<Address>::begin_run(ChangeLog& log) {
  AnnounceRun& run = log.announcements().back();
  shared_.attributes.add_refs(run.attributes, 1);
  run.provenance = provenance_of(run.attributes);
  run.rt_set = shared_.provenances.provenance(run.provenance).rt_set;
}

template <class Address>
void FamilyRib<Address>::stage_announcement(ChangeLog& log, std::uint64_t rd, const Key& key, const PathRef& path, std::uint16_t exports,
                                            const std::uint32_t* sent_id) {
  if constexpr (kIsV6)
    if (keys_ != nullptr) return stage_evpn_announcement(log, rd, key, path, exports);
  std::uint8_t one[3];
  Bytes labels(one, 3);
  if ((path.label & kLabelStack) != 0) labels = shared_.label_stacks[path.label & ~kLabelStack];
  else store_be24(one, path.label);
  unsigned octets = (key.length + 7u) / 8;
  std::size_t size = (sent_id != nullptr ? 4 : 0) + 1 + labels.size() + 8 + octets;
  bool new_run;
  std::uint8_t* to = log.announce(path.attributes, size, new_run, exports);
  if (new_run) begin_run(log);
  if (sent_id != nullptr) {
    store_be32(to, *sent_id);
    to += 4;
  }
  to[0] = static_cast<std::uint8_t>(labels.size() * 8 + 64 + key.length);
  std::memcpy(to + 1, labels.data(), labels.size());
  store_be64(to + 1 + labels.size(), rd);
  store_prefix(to + 1 + labels.size() + 8, key.address, octets);
  log.announced(size);
}

template <class Address>
void FamilyRib<Address>::begin_withdrawals(ChangeLog& log, ProvenanceId before, ProvenanceId after) {
  log.withdrawals().back().rt_set = shared_.provenances.provenance(before).rt_set;
  shared_.provenances.add_ref(before);
  if (after != kNoId) shared_.provenances.add_ref(after);
}

template <class Address>
void FamilyRib<Address>::stage_withdrawal(ChangeLog& log, std::uint64_t rd, const Key& key, ProvenanceId before, ProvenanceId after,
                                          const std::uint32_t* sent_id) {
  if constexpr (kIsV6)
    if (keys_ != nullptr) return stage_evpn_withdrawal(log, rd, key, before, after);
  unsigned octets = (key.length + 7u) / 8;
  std::size_t size = (sent_id != nullptr ? 16 : 12) + octets;
  bool new_run;
  std::uint8_t* to = log.withdraw(before, after, size, new_run);
  if (new_run) begin_withdrawals(log, before, after);
  if (sent_id != nullptr) {
    store_be32(to, *sent_id);
    to += 4;
  }
  to[0] = static_cast<std::uint8_t>(88 + key.length);
  store_be24(to + 1, 0x800000);  // RFC 8277 §2.4
  store_be64(to + 4, rd);
  store_prefix(to + 12, key.address, octets);
  log.withdrawn(size);
}

// EVPN has no views, so no path ids either.
template <class Address>
void FamilyRib<Address>::stage_evpn_announcement(ChangeLog& log, std::uint64_t rd, const Key& key, const PathRef& path, std::uint16_t exports) {
  if constexpr (kIsV6) {
    std::uint32_t id = EvpnKeys::id_of(key.address);
    Bytes payload = shared_.label_stacks[path.label & ~kLabelStack];
    std::optional<wire::RouteDistinguisher> with_rd;
    if (keys_->has_rd(id)) with_rd = wire::RouteDistinguisher{rd};
    std::size_t size = wire::evpn_entry_size(keys_->has_rd(id), keys_->key(id).size(), payload.size());
    bool new_run;
    std::uint8_t* to = log.announce(path.attributes, size, new_run, exports);
    if (new_run) begin_run(log);
    wire::write_evpn_nlri(to, keys_->type(id), with_rd, keys_->key(id), payload);
    log.announced(size);
  }
}

template <class Address>
void FamilyRib<Address>::stage_evpn_withdrawal(ChangeLog& log, std::uint64_t rd, const Key& key, ProvenanceId before, ProvenanceId after) {
  if constexpr (kIsV6) {
    std::uint32_t id = EvpnKeys::id_of(key.address);
    static constexpr std::array<std::uint8_t, 32> kZeros{};
    Bytes payload(kZeros.data(), keys_->withdrawn_payload(id));
    std::optional<wire::RouteDistinguisher> with_rd;
    if (keys_->has_rd(id)) with_rd = wire::RouteDistinguisher{rd};
    std::size_t size = wire::evpn_entry_size(keys_->has_rd(id), keys_->key(id).size(), payload.size());
    bool new_run;
    std::uint8_t* to = log.withdraw(before, after, size, new_run);
    if (new_run) begin_withdrawals(log, before, after);
    wire::write_evpn_nlri(to, keys_->type(id), with_rd, keys_->key(id), payload);
    log.withdrawn(size);
  }
}

template <class Address>
void FamilyRib<Address>::clear_log(ChangeLog& log) {
  for (const AnnounceRun& run : log.announcements()) shared_.attributes.drop_refs(run.attributes, 1);
  for (const WithdrawRun& run : log.withdrawals()) {
    shared_.provenances.drop_ref(run.before);
    if (run.after != kNoId) shared_.provenances.drop_ref(run.after);
  }
  log.clear();
}

template <class Address>
void FamilyRib<Address>::trim_tombstones(Stamp up_to) {
  while (!tombstones_.empty() && tombstones_.front().stamp <= up_to) {
    shared_.provenances.drop_ref(tombstones_.front().before);
    key_forgotten(tombstones_.front().address);
    shared_.memory.add(MemoryKind::tombstone, -static_cast<std::int64_t>(sizeof(Tombstone<Address>)), -1);
    tombstones_.pop_front();
    ++tombstones_trimmed_;
  }
  for (View& view : views_) trim_changes(view, up_to);
}

// --- Withdrawals ----------------------------------------------------------------------------------------------------

template <class Address>
void FamilyRib<Address>::withdraw(PeerId peer, std::span<const Entry> entries) {
  for (const Entry& entry : entries) {
    if (last_table_ == kNoId || last_rd_ != entry.rd) {
      std::optional<std::uint32_t> table = find_table(entry.rd);
      if (!table) {
        ++shared_.counters.unknown_withdrawals;
        continue;
      }
      last_rd_ = entry.rd;
      last_table_ = *table;
    }
    withdraw_one(last_table_, Key{entry.address, entry.length}, peer, entry.path_id);
  }
  flush_retired();
}

template <class Address>
void FamilyRib<Address>::withdraw_one(std::uint32_t table, const Key& key, PeerId peer, std::uint32_t path_id) {
  deciding_ = table;
  Table& t = tables_[table];
  Slot* slot = tree_.find(t.root, key, finger_);
  std::uint32_t at = kNoId;
  if (slot != nullptr && !slot->has_list()) {
    if (path_id == 0 && shared_.attributes[slot->attributes()].peer == peer) at = 0;
  } else if (slot != nullptr) {
    for (std::uint32_t i = 0; i < slot->list_count() && at == kNoId; ++i)
      if (slot->list()[i].path_id == path_id && shared_.attributes[slot->list()[i].attributes].peer == peer) at = i;
  }
  if (at == kNoId) {
    ++shared_.counters.unknown_withdrawals;
    return;
  }
  Best before = best(*slot);
  remember(*slot);
  Path removed = slot->has_list() ? slot->list()[at] : Path{slot->attributes(), slot->label(), 0, 0};
  --shared_.counters.paths[wire::index(family_)];
  --shared_.peers[peer.value].paths[wire::index(family_)];
  if (!slot->has_list() || slot->list_count() == 1) {
    --shared_.counters.prefixes[wire::index(family_)];
    emit(t.rd, key, slot, before, Best{}, nullptr);
    emit_views(t.rd, key, nullptr);
    if (slot->has_list()) slot->list_free(shared_.memory);
    tree_.erase(t.root, key, finger_);
    key_forgotten(key.address);
  } else {
    slot->list_remove(shared_.memory, at);
    if (slot->has_list()) select(*slot);
    Best after = best(*slot);
    // Without it another path may win, even if it was not the best one itself: it may have beaten a third by MED.
    if (before.label != after.label || !same_content(before.attributes, after.attributes))
      emit(t.rd, key, slot, before, after, nullptr);
    emit_views(t.rd, key, slot);
  }
  shared_.path_ids.remove_path(peer, path_id);
  path_removed(table, provenance_of(removed.attributes));
  drop_label(removed.label);
  retire(removed.attributes);
  if (tables_[table].paths == 0) remove_table(table);
}

// A stale path gets other attributes: as if its peer had announced it so, but for its age and its generation.
template <class Address>
void FamilyRib<Address>::replace_attributes(std::uint32_t table, const Key& key, PeerId peer, std::uint32_t path_id, AttributeId attributes) {
  Table& t = tables_[table];
  Slot* slot = tree_.find(t.root, key, finger_);
  Best before = best(*slot);
  remember(*slot);
  AttributeId old = kNoId;
  if (!slot->has_list()) {
    old = slot->attributes();
    slot->set_single(attributes, slot->label());
  } else {
    for (std::uint32_t i = 0; i < slot->list_count(); ++i) {
      Path& p = slot->list()[i];
      if (p.path_id == path_id && shared_.attributes[p.attributes].peer == peer) old = std::exchange(p.attributes, attributes);
    }
  }
  HELIO_CHECK(old != kNoId, "stale path vanished");
  path_added(table, provenance_of(attributes));
  shared_.attributes.add_refs(attributes, 1);
  count_stale(attributes);
  if (slot->has_list()) select(*slot);
  Best after = best(*slot);
  if (before.label != after.label || !same_content(before.attributes, after.attributes)) emit(t.rd, key, slot, before, after, nullptr);
  emit_views(t.rd, key, slot);
  path_removed(table, provenance_of(old));
  retire(old);
}

template <class Address>
std::optional<typename FamilyRib<Address>::Key> FamilyRib<Address>::purge_table(std::uint32_t table, PeerId peer, std::uint32_t below, Key from,
                                                                              std::size_t limit, PathRewriter* rewriter, std::size_t* looked_at,
                                                                              PurgeWitness<Address>* witness) {
  struct Doomed {
    Key key;
    std::uint32_t path_id;
    AttributeId attributes;
  };
  std::vector<Doomed> doomed;
  std::optional<Key> next;
  auto is_stale = [&](AttributeId id) {
    const AttributeSet& set = shared_.attributes[id];
    return set.peer == peer && set.generation < below;
  };
  std::size_t seen = 0;
  tree_.walk(tables_[table].root, from, [&](const Key& key, Slot& slot) {
    if (++seen > limit) {
      next = key;
      return false;
    }
    if (!slot.has_list()) {
      if (is_stale(slot.attributes())) doomed.push_back({key, 0, slot.attributes()});
    } else {
      for (std::uint32_t i = 0; i < slot.list_count(); ++i)
        if (is_stale(slot.list()[i].attributes)) doomed.push_back({key, slot.list()[i].path_id, slot.list()[i].attributes});
    }
    return true;
  });
  if (looked_at != nullptr) *looked_at = std::min(seen, limit);
  for (const Doomed& d : doomed) {
    AttributeId to = rewriter == nullptr ? kNoId : rewriter->rewrite(d.attributes);
    if (to == kNoId && witness != nullptr) witness->leaving(tables_[table].rd, d.key, d.path_id);
    if (to == kNoId) withdraw_one(table, d.key, peer, d.path_id);
    else if (to != d.attributes) replace_attributes(table, d.key, peer, d.path_id, to);
  }
  flush_retired();
  return next;
}

// --- Other policies -------------------------------------------------------------------------------------------------

template <class Address>
std::optional<typename FamilyRib<Address>::Key> FamilyRib<Address>::reassign_table(std::uint32_t table, Key from, std::size_t limit,
                                                                                 Reassigner& reassigner) {
  struct Prefix {
    Key key;
    std::uint32_t first;
  };
  std::vector<Prefix> prefixes;
  std::vector<Reassigned> changes;
  std::optional<Key> next;
  std::size_t seen = 0;
  std::uint64_t rd = tables_[table].rd;
  deciding_ = table;
  brings_metrics_ = reassigner.brings_metrics();
  tree_.walk(tables_[table].root, from, [&](const Key& key, Slot& slot) {
    if (++seen > limit) {
      next = key;
      return false;
    }
    auto first = static_cast<std::uint32_t>(changes.size());
    auto consider = [&](std::uint32_t index, AttributeId has) {
      AttributeId to = reassigner.choose(rd, key, has);
      if (to == has && (index != 0 || (!slot.has_list() && !reassigner.judges_exports()))) return;
      shared_.attributes.add_refs(to, 1);
      changes.push_back({index, to});
    };
    if (!slot.has_list()) consider(0, slot.attributes());
    else
      for (std::uint32_t i = 0; i < slot.list_count(); ++i) consider(i, slot.list()[i].attributes);
    if (changes.size() != first) prefixes.push_back({key, first});
    return true;
  });
  for (std::size_t i = 0; i < prefixes.size(); ++i) {
    std::size_t end = i + 1 < prefixes.size() ? prefixes[i + 1].first : changes.size();
    reassign(table, prefixes[i].key, std::span(changes).subspan(prefixes[i].first, end - prefixes[i].first), reassigner);
  }
  for (const Reassigned& r : changes) shared_.attributes.drop_refs(r.to, 1);
  flush_retired();
  brings_metrics_ = false;
  return next;
}

// All paths of a prefix at once, so that it changes once.
template <class Address>
void FamilyRib<Address>::reassign(std::uint32_t table, const Key& key, std::span<const Reassigned> paths, Reassigner& reassigner) {
  Slot* slot = tree_.find(tables_[table].root, key, finger_);
  std::uint64_t rd = tables_[table].rd;
  Best before = best(*slot);
  shared_.attributes.add_refs(before.attributes, 1);
  remember(*slot);
  if (has_views_)
    for (const PathRef& path : before_) shared_.attributes.add_refs(path.attributes, 1);
  for (const Reassigned& r : paths) {
    AttributeId from = slot->has_list() ? slot->list()[r.index].attributes : slot->attributes();
    if (from == r.to) continue;
    if (provenance_of(from) != provenance_of(r.to)) {
      path_added(table, provenance_of(r.to));
      path_removed(table, provenance_of(from));
    }
    shared_.attributes.add_refs(r.to, 1);
    if (slot->has_list()) slot->list()[r.index].attributes = r.to;
    else slot->set_single(r.to, slot->label());
    count_stale(r.to);
    retire(from);
  }
  if (slot->has_list()) select(*slot);
  Best after = best(*slot);
  const AttributeSet &x = shared_.attributes[before.attributes], &y = shared_.attributes[after.attributes];
  bool same = before.label == after.label && x.peer == y.peer && x.key.is_eligible == y.key.is_eligible &&
              std::ranges::equal(x.bytes(), y.bytes()) && std::ranges::equal(x.next_hop(), y.next_hop());
  if (!same) {
    emit(rd, key, slot, before, after, nullptr);
  } else if (y.key.is_eligible) {
    std::uint16_t exports = reassigner.changed_exports(before.attributes, after.attributes, slot->stamp());
    if (exports != 0 || x.provenance != y.provenance) emit_exports(rd, key, before, after, exports);
  }
  if (has_views_) {
    emit_views(rd, key, slot);
    emit_view_exports(rd, key, *slot, reassigner);
    for (const PathRef& path : before_) {
      count_stale(path.attributes);  // it is no path that is retired here
      retire(path.attributes);
    }
  }
  count_stale(before.attributes);
  retire(before.attributes);
}

// The best path is what it was, but some export policies make something else of it: only their classes are told. The
// stamp stays, so that walks under way still bring it to everybody else.
template <class Address>
void FamilyRib<Address>::emit_exports(std::uint64_t rd, const Key& key, const Best& before, const Best& after, std::uint16_t exports) {
  ProvenanceId old_provenance = provenance_of(before.attributes), new_provenance = provenance_of(after.attributes);
  if (old_provenance != new_provenance) {
    shared_.provenances.count_best(old_provenance, kIsV6, -1);
    shared_.provenances.count_best(new_provenance, kIsV6, 1);
    stage_withdrawal(log_, rd, key, old_provenance, new_provenance);
    if (shared_.keep_tombstones) {
      shared_.provenances.add_ref(old_provenance);
      tombstones_.push_back({rd, shared_.turn, key.address, old_provenance, key.length});
      key_named(key.address);
      shared_.memory.add(MemoryKind::tombstone, sizeof(Tombstone<Address>), 1);
    }
  }
  if (exports != 0) stage_announcement(log_, rd, key, {after.attributes, after.label, 0, 0}, exports);
}

// --- Questions ------------------------------------------------------------------------------------------------------

template <class Address>
const Slot* FamilyRib<Address>::find(std::uint64_t rd, const Key& key) const {
  std::optional<std::uint32_t> table = find_table(rd);
  if (!table) return nullptr;
  deciding_ = *table;
  typename Tree::Finger finger;
  return tree_.find(tables_[*table].root, key, finger);
}

template <class Address>
void FamilyRib<Address>::paths_of(const Slot& slot, std::vector<PathRef>& out) const {
  out.clear();
  if (!slot.has_list()) {
    out.push_back(best_of(slot));
    return;
  }
  for (std::uint32_t i = 0; i < slot.list_count(); ++i) {
    const Path& p = slot.list()[i];
    out.push_back({p.attributes, p.label, p.path_id, p.time});
  }
}

template <class Address>
std::vector<DecisionStep> FamilyRib<Address>::lost_at(const Slot& slot) const {
  std::vector<PathRef> paths;
  paths_of(slot, paths);
  std::vector<Candidate> candidates;
  for (const PathRef& p : paths) candidates.push_back(candidate(p.attributes, p.path_id));
  std::vector<DecisionStep> steps(paths.size(), DecisionStep::none);
  select_best(candidates, steps, shared_.rules);
  return steps;
}

template class FamilyRib<Address4>;
template class FamilyRib<Address6>;

}  // namespace helio::rib

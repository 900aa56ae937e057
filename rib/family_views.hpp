// FamilyRib, second half, part of family_rib.cpp: views. A change of a prefix is the difference between what a selection took from the list of
// paths before and what it takes now; the list is kept in order, so "before" is exactly what has been sent.
#pragma once
#include <algorithm>

#include "rib/family_rib.hpp"

namespace helio::rib {

template <class Address>
std::uint8_t FamilyRib<Address>::acquire_view(const Selection& selection) {
  std::size_t at = 0;
  while (at < views_.size() && (views_[at].users == 0 || views_[at].selection != selection)) ++at;
  if (at == views_.size()) {
    at = 0;
    while (at < views_.size() && views_[at].users != 0) ++at;
    if (at == views_.size()) views_.emplace_back();
    views_[at].selection = selection;
  }
  ++views_[at].users;
  has_views_ = true;
  return static_cast<std::uint8_t>(at);
}

template <class Address>
void FamilyRib<Address>::release_view(std::uint8_t number) {
  View& view = views_[number];
  if (--view.users != 0) return;
  clear_log(view.log);
  trim_changes(view, kStampMask);
  has_views_ = std::any_of(views_.begin(), views_.end(), [](const View& v) { return v.users != 0; });
}

template <class Address>
bool FamilyRib<Address>::has_changes() const {
  return !log_.empty() || std::any_of(views_.begin(), views_.end(), [](const View& v) { return !v.log.empty(); });
}

template <class Address>
std::size_t FamilyRib<Address>::staged_bytes() const {
  std::size_t sum = log_.bytes();
  for (const View& view : views_) sum += view.log.bytes();
  return sum;
}

template <class Address>
std::uint64_t FamilyRib<Address>::change_count() const {
  std::uint64_t sum = 0;
  for (const View& view : views_) sum += view.changes.size();
  return sum;
}

template <class Address>
void FamilyRib<Address>::select_from(const std::vector<PathRef>& paths, const Selection& selection, std::vector<SelectedPath>& out, bool before) const {
  out.clear();
  bool left_out = false;
  for (const PathRef& path : paths) {
    const AttributeSet& set = shared_.attributes[path.attributes];
    if (!set.key.is_eligible) break;  // these rank last
    if (selection.reflectable && !set.key.is_reflectable) left_out = true;
    else out.push_back({path, selection.with_path_ids ? shared_.path_ids.outgoing(set.peer, path.path_id) : 0});
    if (!selection.reflectable && out.size() == selection.count && selection.count != Selection::kAll) break;
  }
  if (left_out && out.size() > 1) {
    // Among themselves they may rank otherwise: one that is left out may have taken others out by MED.
    std::vector<Candidate> candidates;
    for (const SelectedPath& path : out) candidates.push_back(candidate(path.path.attributes, path.path.path_id, before));
    std::vector<std::uint32_t> order(out.size());
    rank_paths(candidates, order, shared_.rules);
    std::vector<SelectedPath> all = std::exchange(out, {});
    for (std::uint32_t i : order) out.push_back(all[i]);
  }
  if (selection.count != Selection::kAll && out.size() > selection.count) out.resize(selection.count);
}

template <class Address>
void FamilyRib<Address>::selected_paths(const Slot& slot, const Selection& selection, std::vector<SelectedPath>& out) const {
  std::vector<PathRef> paths;
  paths_of(slot, paths);
  select_from(paths, selection, out);
}

// The paths of a prefix went from before_ to those of the slot (null: none). Attribute sets, labels and path ids of both
// are still there.
template <class Address>
void FamilyRib<Address>::emit_views(std::uint64_t rd, const Key& key, const Slot* slot) {
  if (!has_views_) return;
  after_.clear();
  if (slot != nullptr) paths_of(*slot, after_);
  // A prefix changes once per turn (DESIGN §4, invariant 3). Equal hashes of two prefixes end a turn early, no more.
  std::uint64_t hash = (rd ^ key.length) * 0x9e3779b97f4a7c15;
  hash = (hash ^ hash >> 29 ^ static_cast<std::uint64_t>(key.address)) * 0xbf58476d1ce4e5b9;
  if constexpr (kIsV6) hash = (hash ^ hash >> 32 ^ static_cast<std::uint64_t>(key.address >> 64)) * 0x94d049bb133111eb;
  if (changed_turn_ != shared_.turn) changed_.clear();
  changed_turn_ = shared_.turn;
  if (!changed_.insert(hash).second) {
    shared_.sealer.seal_turn();
    changed_.clear();
    changed_.insert(hash);
    changed_turn_ = shared_.turn;
  }
  for (View& view : views_)
    if (view.users != 0) emit_view(view, rd, key);
}

template <class Address>
void FamilyRib<Address>::emit_view(View& view, std::uint64_t rd, const Key& key) {
  select_from(before_, view.selection, selected_before_, brings_metrics_);
  select_from(after_, view.selection, selected_after_);
  auto note = [&](const SelectedPath& path, ProvenanceId before, bool announced) {
    if (!shared_.keep_tombstones) return;
    if (before != kNoId) shared_.provenances.add_ref(before);
    view.changes.push_back({rd, shared_.turn, key.address, before, path.sent_id, key.length, announced});
    shared_.memory.add(MemoryKind::tombstone, sizeof(ViewChange<Address>), 1);
  };
  auto id_of = [&](const SelectedPath& path) { return view.selection.with_path_ids ? &path.sent_id : nullptr; };
  auto same_id = [](const SelectedPath& path) { return [&](const SelectedPath& other) { return other.sent_id == path.sent_id; }; };
  for (const SelectedPath& was : selected_before_) {
    if (std::ranges::any_of(selected_after_, same_id(was))) continue;
    ProvenanceId before = provenance_of(was.path.attributes);
    stage_withdrawal(view.log, rd, key, before, kNoId, id_of(was));
    note(was, before, false);
  }
  for (const SelectedPath& now : selected_after_) {
    auto was = std::ranges::find_if(selected_before_, same_id(now));
    ProvenanceId before = kNoId, after = provenance_of(now.path.attributes);
    if (was != selected_before_.end()) {
      if (was->path.label == now.path.label && same_content(was->path.attributes, now.path.attributes)) continue;
      before = provenance_of(was->path.attributes);
      if (before != after) stage_withdrawal(view.log, rd, key, before, after, id_of(now));
    }
    stage_announcement(view.log, rd, key, now.path, 0, id_of(now));
    note(now, before == after ? kNoId : before, true);
  }
}

// The paths are what they were, but some export policies make something else of them: only their classes are told. It is no
// change of the view, so that walks under way still bring the paths to everybody else.
template <class Address>
void FamilyRib<Address>::emit_view_exports(std::uint64_t rd, const Key& key, const Slot& slot, Reassigner& reassigner) {
  for (View& view : views_) {
    if (view.users == 0) continue;
    select_from(before_, view.selection, selected_before_);
    selected_paths(slot, view.selection, selected_after_);
    for (const SelectedPath& now : selected_after_) {
      auto was = std::ranges::find(selected_before_, now.sent_id, &SelectedPath::sent_id);
      if (was == selected_before_.end() || was->path.label != now.path.label || !same_content(was->path.attributes, now.path.attributes)) continue;
      std::uint16_t exports = reassigner.changed_exports(was->path.attributes, now.path.attributes, 0);
      if (exports != 0) stage_announcement(view.log, rd, key, now.path, exports, view.selection.with_path_ids ? &now.sent_id : nullptr);
    }
  }
}

template <class Address>
void FamilyRib<Address>::trim_changes(View& view, Stamp up_to) {
  while (!view.changes.empty() && view.changes.front().stamp <= up_to) {
    if (view.changes.front().before != kNoId) shared_.provenances.drop_ref(view.changes.front().before);
    shared_.memory.add(MemoryKind::tombstone, -static_cast<std::int64_t>(sizeof(ViewChange<Address>)), -1);
    view.changes.pop_front();
    ++view.trimmed;
  }
}

}  // namespace helio::rib

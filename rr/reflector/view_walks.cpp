// RibShard, walks of views: what peers with ADD-PATH, or with the best external path, need of what is already there.
//
// A prefix has one stamp, for its best path. What a view has said since a walk was armed is known from the view's list of
// changes instead: the walk leaves those paths out, as the stream has them. A catch-up follows that list alone, unless
// the peer starts over.
#include <algorithm>

#include "rr/reflector/rib_shard.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using rib::kNoId;

rib::ChangeLog& RibShard::view_image(bool is_v6, std::uint8_t view) {
  auto& images = view_images_[is_v6 ? 1 : 0];
  if (images.size() <= view) images.resize(view + 1u);
  return images[view];
}

// Which views the walk is for; from here on their changes are in the stream.
template <class Address>
void RibShard::begin_views(Walk& walk) {
  constexpr std::size_t kFamily = sizeof(Address) == 16 ? 1 : 0;
  rib::FamilyRib<Address>& rib = family<Address>();
  walk.plain[kFamily] = false;
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    if (classes_[c].session_shards == 0 || (walk.request.classes >> c & 1) == 0) continue;
    if (const auto& view = classes_[c].view[kFamily]) {
      ViewWalk<Address>& state = views_of<Address>(walk)[*view];
      state.seen = rib.end_change(*view);
      state.next = rib.first_change(*view);
    } else {
      walk.plain[kFamily] = true;
    }
  }
}

template <class Address>
void RibShard::follow_views(Walk& walk) {
  rib::FamilyRib<Address>& rib = family<Address>();
  for (auto& [view, state] : views_of<Address>(walk)) {
    if (!rib.has_view(view)) continue;
    for (; state.seen < rib.end_change(view); ++state.seen) {
      const rib::ViewChange<Address>& change = rib.change(view, state.seen);
      if (change.announced) state.said.insert({change.rd, {change.address, change.length}, change.path_id});
    }
  }
}

template <class Address>
void RibShard::stage_views(Walk& walk, std::uint64_t rd, const rib::PrefixKey<Address>& key, const rib::Slot& slot) {
  const WalkRequest& r = walk.request;
  if (r.kind == WalkRequest::Kind::catch_up && r.routes_since != 0) return;
  rib::FamilyRib<Address>& rib = family<Address>();
  for (auto& [view, state] : views_of<Address>(walk)) {
    if (!rib.has_view(view)) continue;
    rib::ChangeLog& log = view_image(rib.kIsV6, view);
    std::size_t before = log.bytes();
    rib.view_paths(view, slot, selected_);
    for (const rib::SelectedPath& path : selected_) {
      rib::ProvenanceId provenance = shared_.attributes[path.path.attributes].provenance;
      if (!r.universe && shared_.provenances.provenance(provenance).rt_set != walk.current) continue;
      const std::uint32_t* id = rib.has_path_ids(view) ? &path.sent_id : nullptr;
      if (r.kind == WalkRequest::Kind::withdraw) rib.stage_withdrawal(log, rd, key, provenance, kNoId, id);
      else if (!state.said.contains({rd, key, path.sent_id})) rib.stage_announcement(log, rd, key, path.path, 0, id);
    }
    view_image_bytes_ += log.bytes() - before;
  }
}

// Catch-up: what each path that changed since the stamps is now. Returns true when all have been seen.
template <class Address>
bool RibShard::walk_changes(Walk& walk, std::size_t& budget, std::size_t byte_limit) {
  const WalkRequest& r = walk.request;
  rib::FamilyRib<Address>& rib = family<Address>();
  for (auto& [view, state] : views_of<Address>(walk)) {
    if (!rib.has_view(view)) continue;
    rib::ChangeLog& log = view_image(rib.kIsV6, view);
    state.next = std::max(state.next, rib.first_change(view));
    for (; state.next < rib.end_change(view); ++state.next) {
      const rib::ViewChange<Address>& change = rib.change(view, state.next);
      if (change.stamp > walk.armed_at) break;
      if (change.stamp <= r.withdrawn_since || !r.families.contains(rib.family())) continue;
      if (budget == 0 || image_bytes() >= byte_limit) return false;
      --budget;
      std::size_t before = log.bytes();
      rib::PrefixKey<Address> key{change.address, change.length};
      const rib::Slot* slot = rib.find(change.rd, key);
      selected_.clear();
      if (slot != nullptr) rib.view_paths(view, *slot, selected_);
      auto now = std::ranges::find(selected_, change.path_id, &rib::SelectedPath::sent_id);
      rib::ProvenanceId after = now == selected_.end() ? kNoId : shared_.attributes[now->path.attributes].provenance;
      const std::uint32_t* id = rib.has_path_ids(view) ? &change.path_id : nullptr;
      // Also when the path is what it was: for who still asks for it that is no withdrawal, but for who does not.
      if (change.before != kNoId) rib.stage_withdrawal(log, change.rd, key, change.before, after, id);
      if (after != kNoId && r.routes_since != 0 && change.stamp > r.routes_since && state.said.insert({change.rd, key, change.path_id}).second)
        rib.stage_announcement(log, change.rd, key, now->path, 0, id);
      view_image_bytes_ += log.bytes() - before;
    }
  }
  return true;
}

template void RibShard::begin_views<Address4>(Walk&);
template void RibShard::begin_views<Address6>(Walk&);
template void RibShard::follow_views<Address4>(Walk&);
template void RibShard::follow_views<Address6>(Walk&);
template void RibShard::stage_views<Address4>(Walk&, std::uint64_t, const rib::PrefixKey<Address4>&, const rib::Slot&);
template void RibShard::stage_views<Address6>(Walk&, std::uint64_t, const rib::PrefixKey<Address6>&, const rib::Slot&);
template bool RibShard::walk_changes<Address4>(Walk&, std::size_t&, std::size_t);
template bool RibShard::walk_changes<Address6>(Walk&, std::size_t&, std::size_t);

}  // namespace helio::reflector

// RibShard: walks, which send a peer what is there already, a bounded part in each turn. Of views: view_walks.cpp.
#include <algorithm>

#include "rr/reflector/rib_shard.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using rib::kNoId;
using wire::Family;

bool RibShard::has_credit(const Walk& walk) const {
  const WalkRequest& r = walk.request;
  auto cap = static_cast<std::int64_t>(r.shared ? limits_.shared_walk_bytes : limits_.walk_bytes);
  return r.outstanding->bytes.load(std::memory_order_relaxed) < cap &&
         mailboxes_.retained(self_).images->bytes.load(std::memory_order_relaxed) < static_cast<std::int64_t>(limits_.image_bytes);
}

// A slice for each walk that has credit, in turn. Returns whether one could go on at once.
bool RibShard::walk_some() {
  std::size_t budget = limits_.walk_entries_per_turn;
  bool runnable = false;
  for (std::size_t n = walks_.size(); n > 0 && budget > 0; --n) {
    Walk walk = std::move(walks_.front());
    walks_.pop_front();
    if (has_credit(walk) && !walk_slice(walk, budget)) {
      runnable = runnable || has_credit(walk);
      walks_.push_back(std::move(walk));
    } else if (walk.request.walk != 0) {
      walks_.push_back(std::move(walk));
    }
  }
  return runnable || (budget == 0 && !walks_.empty());
}

// Starts the next RT set (or the universe). With the first, the walk's peers are armed: from there on changes are in
// the stream, and the walk leaves out what changed later.
bool RibShard::begin_next(Walk& walk) {
  const WalkRequest& r = walk.request;
  if (!walk.started) {
    walk.armed_at = shared_.turn - 1;
    streams_[r.session_shard].push_back(WalkArmed{r.walk});
  } else if (r.universe) {
    return false;
  }
  if (!walk.started) {
    begin_views<Address4>(walk);
    begin_views<Address6>(walk);
  }
  walk.started = true;
  walk.current = kNoId;
  if (!r.universe) {
    if (walk.next_rt_set == r.rt_sets.size()) return false;
    walk.current = r.rt_sets[walk.next_rt_set++];
  }
  walk.position = 0;
  walk.next4 = {};
  walk.next6 = {};
  walk.limit4 = rib4_.table_limit();
  walk.limit6 = rib6_.table_limit();
  walk.tables = r.universe ? std::vector<std::uint32_t>() : shared_.provenances.tables_of_rt_set(walk.current);
  return true;
}

// Returns true when the walk is over (its id is then cleared).
bool RibShard::walk_slice(Walk& walk, std::size_t& budget) {
  const WalkRequest& r = walk.request;
  std::size_t byte_limit = r.shared ? 256 << 10 : 64 << 10;
  follow_views<Address4>(walk);
  follow_views<Address6>(walk);
  for (;;) {
    if (!walk.tables_done) {
      std::size_t end = r.universe ? walk.limit4 + walk.limit6 : walk.tables.size();
      if (!walk.started || walk.position >= end) {
        if (!begin_next(walk)) walk.tables_done = true;
        continue;
      }
      std::uint32_t ref = r.universe ? 0 : walk.tables[walk.position];
      if (r.universe) {
        ref = walk.position < walk.limit4 ? static_cast<std::uint32_t>(walk.position) << 1
                                          : static_cast<std::uint32_t>(walk.position - walk.limit4) << 1 | 1;
      }
      if (budget > 0) --budget;
      bool done = (ref & 1) != 0 ? walk_table<Address6>(walk, ref >> 1, walk.next6, budget, byte_limit)
                                 : walk_table<Address4>(walk, ref >> 1, walk.next4, budget, byte_limit);
      if (done) ++walk.position;
    } else {
      if (r.kind != WalkRequest::Kind::catch_up) break;
      if (!walk.tombstones_started) {
        walk.tombstone4 = rib4_.first_tombstone();
        walk.tombstone6 = rib6_.first_tombstone();
        walk.tombstones_started = true;
      }
      if (walk_tombstones<Address4>(walk, rib4_, walk.tombstone4, budget, byte_limit) &&
          walk_tombstones<Address6>(walk, rib6_, walk.tombstone6, budget, byte_limit) && walk_changes<Address4>(walk, budget, byte_limit) &&
          walk_changes<Address6>(walk, budget, byte_limit))
        break;
    }
    if (budget == 0 || image_bytes() >= byte_limit) {
      flush_images(walk);
      return false;
    }
  }
  flush_images(walk);
  streams_[r.session_shard].push_back(WalkDone{r.walk});
  walk.request.walk = 0;
  return true;
}

// Stages what the table holds for the walk, from `next` on. Returns true when the table is done.
template <class Address>
bool RibShard::walk_table(Walk& walk, std::uint32_t table, rib::PrefixKey<Address>& next, std::size_t& budget, std::size_t byte_limit) {
  const WalkRequest& r = walk.request;
  rib::FamilyRib<Address>& rib = family<Address>();
  rib::ChangeLog& log = sizeof(Address) == 4 ? image4_ : image6_;
  if (!r.families.contains(rib.family()) || table >= rib.table_limit() || !rib.has_table(table)) {
    next = {};
    return true;
  }
  std::uint64_t rd = rib.rd_of(table);
  bool plain = walk.plain[rib.kIsV6 ? 1 : 0], views = !views_of<Address>(walk).empty();
  bool done = rib.walk_table(table, next, [&](const rib::PrefixKey<Address>& key, const rib::Slot& slot, const rib::PathRef& best) {
    if (budget == 0 || image_bytes() >= byte_limit) {
      next = key;
      return false;
    }
    --budget;
    if (views) stage_views<Address>(walk, rd, key, slot);
    if (!plain) return true;
    rib::ProvenanceId provenance = shared_.attributes[best.attributes].provenance;
    if (!r.universe && shared_.provenances.provenance(provenance).rt_set != walk.current) return true;
    if (r.kind == WalkRequest::Kind::withdraw) {
      rib.stage_withdrawal(log, rd, key, provenance, kNoId);
    } else if (slot.stamp() <= walk.armed_at && (r.kind != WalkRequest::Kind::catch_up || slot.stamp() > r.routes_since)) {
      rib.stage_announcement(log, rd, key, best);
    }
    return true;
  });
  if (done) next = {};
  return done;
}

// Withdrawals for prefixes that lost a best path since the walk's stamp. Returns true when all have been seen.
template <class Address>
bool RibShard::walk_tombstones(Walk& walk, rib::FamilyRib<Address>& rib, std::uint64_t& next, std::size_t& budget, std::size_t byte_limit) {
  const WalkRequest& r = walk.request;
  if (!walk.plain[rib.kIsV6 ? 1 : 0]) return true;
  rib::ChangeLog& log = sizeof(Address) == 4 ? image4_ : image6_;
  next = std::max(next, rib.first_tombstone());
  for (; next < rib.end_tombstone(); ++next) {
    const rib::Tombstone<Address>& stone = rib.tombstone(next);
    if (stone.stamp > walk.armed_at) break;
    if (stone.stamp <= r.withdrawn_since || !r.families.contains(rib.family())) continue;
    if (budget == 0 || image_bytes() >= byte_limit) return false;
    --budget;
    rib::PrefixKey<Address> key{stone.address, stone.length};
    const rib::Slot* slot = rib.find(stone.rd, key);
    rib::ProvenanceId after = kNoId;
    if (slot != nullptr) {
      rib::AttributeId best = slot->has_list() ? slot->list()[0].attributes : slot->attributes();
      // What it was before may be the best again: for who still asks for it that is no withdrawal, but for who does not.
      after = shared_.attributes[best].provenance;
    }
    rib.stage_withdrawal(log, stone.rd, key, stone.before, after);
  }
  return true;
}

template <class Address>
void RibShard::flush_image(Walk& walk, rib::FamilyRib<Address>& rib, rib::ChangeLog& log, Family family, std::optional<std::uint8_t> view) {
  if (log.empty()) return;
  packer_.sort(log);
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    if (classes_[c].session_shards == 0 || (walk.request.classes >> c & 1) == 0 || classes_[c].view[rib.kIsV6 ? 1 : 0] != view) continue;
    rib::BatchRef batch = packer_.pack(log, family, classes_[c].encoding, mailboxes_.retained(self_).images, classes_[c].transform.get());
    batch->encoding_class = static_cast<std::uint8_t>(c);
    batch->walk = walk.request.walk;
    batch->stamp = walk.armed_at;
    batch->made_at_ms = now_ms_;
    batch->shard = source_number();
    batch->count_also(walk.request.outstanding);
    streams_[walk.request.session_shard].push_back(Output{std::move(batch)});
  }
  rib.clear_log(log);
}

void RibShard::flush_images(Walk& walk) {
  if (image_bytes() == 0) return;
  send_events();
  flush_image(walk, rib4_, image4_, Family::vpnv4, std::nullopt);
  flush_image(walk, rib6_, image6_, rib6_.family(), std::nullopt);
  if (view_image_bytes_ == 0) return;
  for (std::size_t v = 0; v < view_images_[0].size(); ++v) flush_image(walk, rib4_, view_images_[0][v], Family::vpnv4, static_cast<std::uint8_t>(v));
  for (std::size_t v = 0; v < view_images_[1].size(); ++v) flush_image(walk, rib6_, view_images_[1][v], Family::vpnv6, static_cast<std::uint8_t>(v));
  view_image_bytes_ = 0;
}

}  // namespace helio::reflector

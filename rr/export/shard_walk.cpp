// ShardFeed, walks: what is there when a station comes, or when policies changed. A slice of each walk per turn; a walk pauses while
// half of the station's queue is full, so that changes have room.
#include <algorithm>

#include "rr/export/shard_feed.hpp"

namespace helio::exporter {

using reflector::RibShard;
using wire::Family;

namespace {

constexpr std::size_t kPrefixesAtOnce = 1000;     // half a millisecond
constexpr std::size_t kMembershipsAtOnce = 500;

}  // namespace

void ShardFeed::on_policies_changed(RibShard&) {
  for (unsigned slot = 0; slot < kMostStations; ++slot)
    if ((wanting(Feed::post_policy) >> slot & 1) != 0)
      walks_.push_back({.slot = slot, .epoch = 0, .feeds = bit_of(Feed::post_policy), .corrects = true, .at = {}, .last = {}});
}

bool ShardFeed::has_credit(const Walk& walk) const {
  const StationSlot& slot = hub_.slot(walk.slot);
  return slot.queued.load(std::memory_order_relaxed) < slot.limit / 2;
}

// Returns whether one could go on at once.
bool ShardFeed::walk_some() {
  bool runnable = false;
  for (std::size_t n = walks_.size(); n > 0; --n) {
    Walk walk = walks_.front();
    walks_.pop_front();
    if (has_credit(walk) && !walk_step(walk)) {
      ++walk.step;
      walk.at = {};
    }
    if (walk.step == 3) {
      if (walk.epoch != 0) hub_.push(ExportHub::WalkDone{walk.slot, walk.epoch});
      continue;
    }
    runnable = runnable || has_credit(walk);
    walks_.push_back(walk);
  }
  return runnable;
}

bool ShardFeed::walk_step(Walk& walk) {
  auto chunk = std::make_unique<FeedChunk>();
  chunk->stations = 1u << walk.slot;
  bool more = false;
  if (walk.step == 2) {
    more = shard_.rtc() != nullptr && walk_memberships(walk, *chunk);
  } else if (RibShard* slice = walk.step == 0 ? &shard_.rib() : shard_.evpn(); slice != nullptr) {
    met_.clear();
    nlri_.clear();
    bool was_v6 = walk.at.is_v6;
    // One family at a time, since messages are about one.
    more = walk_prefixes(*slice, walk.at, kPrefixesAtOnce, [&](auto& rib, std::uint64_t rd, const auto& key, const rib::Slot& slot) {
      if (rib.family() != met_family_ || was_v6 != walk.at.is_v6) {
        tell_met(*chunk, *slice, met_family_);
        was_v6 = walk.at.is_v6;
      }
      met_family_ = rib.family();
      meet(walk, *slice, rib, rd, key, slot);
    });
    tell_met(*chunk, *slice, met_family_);
  }
  flush(chunk);
  return more;
}

template <class Address>
void ShardFeed::meet(Walk& walk, RibShard& slice, rib::FamilyRib<Address>& rib, std::uint64_t rd, const rib::PrefixKey<Address>& key, const rib::Slot& slot) {
  const rib::RibShared& shared = std::as_const(slice).shared();
  const rib::AttributeStore& store = shared.attributes;
  std::size_t f = wire::index(rib.family());
  rib.paths_of(slot, paths_);
  bool is_best = true;
  for (const rib::PathRef& path : paths_) {
    const rib::AttributeSet& set = store[path.attributes];
    std::uint32_t since = identity_.started + (slot.has_list() ? path.time : slice.seconds_of(slot.stamp()));
    auto add = [&](Feed feed, bool is_withdrawal, bool has_path_id, rib::AttributeId id) {
      auto begin = static_cast<std::uint32_t>(nlri_.size());
      const std::uint32_t* path_id = has_path_id ? &path.path_id : nullptr;
      if (is_withdrawal) append_withdrawn_nlri(nlri_, slice, rd, key, path_id);
      else append_nlri(nlri_, slice, rd, key, path.label, path_id);
      met_.push_back({feed, is_withdrawal, has_path_id, id, since, begin, static_cast<std::uint32_t>(nlri_.size())});
    };
    if (std::exchange(is_best, false) && (walk.feeds & bit_of(Feed::loc_rib)) != 0 && set.key.is_eligible) add(Feed::loc_rib, false, false, path.attributes);
    // Of an earlier session, kept until its End-of-RIB: not announced in this one.
    const rib::RibPeer& peer = shared.peers[set.peer.value];
    if (peer.stale[f] != 0 && set.generation < peer.stale_below[f]) continue;
    bool has_path_id = slice.identity_of(set.peer).add_path_receive.contains(rib.family());
    if ((walk.feeds & bit_of(Feed::pre_policy)) != 0) add(Feed::pre_policy, false, has_path_id, store.received_of(path.attributes));
    if ((walk.feeds & bit_of(Feed::post_policy)) == 0) continue;
    rib::AttributeId found = store.found_of(path.attributes);
    bool rejected = store[found].is_derived() && !store[found].key.is_eligible;
    if (!rejected || walk.corrects) add(Feed::post_policy, rejected, has_path_id, found);
  }
}

void ShardFeed::tell_met(FeedChunk& chunk, RibShard& slice, Family family) {
  auto same = [](const Met& a, const Met& b) {
    return a.feed == b.feed && a.is_withdrawal == b.is_withdrawal && a.attributes == b.attributes && a.time == b.time && a.has_path_id == b.has_path_id;
  };
  auto key = [](const Met& m) { return std::tuple(m.feed, m.is_withdrawal, m.attributes, m.time, m.has_path_id, m.begin); };
  std::sort(met_.begin(), met_.end(), [&](const Met& a, const Met& b) { return key(a) < key(b); });
  const rib::AttributeStore& store = std::as_const(slice).shared().attributes;
  std::vector<std::uint8_t> together;
  for (std::size_t i = 0; i < met_.size();) {
    const Met& first = met_[i];
    together.clear();
    for (; i < met_.size() && same(met_[i], first); ++i) together.insert(together.end(), nlri_.begin() + met_[i].begin, nlri_.begin() + met_[i].end);
    const rib::AttributeSet& set = store[first.attributes];
    Statement what{first.feed, set.peer, family, first.has_path_id, {first.time, 0}};
    AttributeForm form = first.feed == Feed::pre_policy ? AttributeForm::received : AttributeForm::in_rib;
    if (first.is_withdrawal) withdraw(chunk, what, together);
    else announce(chunk, what, set.next_hop(), set.bytes(), set.key, form, together);
  }
  met_.clear();
  nlri_.clear();
}

bool ShardFeed::walk_memberships(Walk& walk, FeedChunk& chunk) {
  const auto& routes = shard_.rtc()->routes();
  auto route = walk.last ? routes.upper_bound(*walk.last) : routes.begin();
  std::vector<std::uint8_t> nlri;
  for (std::size_t n = 0; route != routes.end() && n < kMembershipsAtOnce; ++route, ++n) {
    nlri.clear();
    wire::encode_rtc_nlri(nlri, route->first);
    for (const reflector::RtcRib::Path& path : route->second) {
      if (path.is_proxy) continue;  // ours, for a peer that does not say it
      const reflector::OwnedAttributes& set = *path.attributes;
      for (Feed feed : {Feed::pre_policy, Feed::post_policy}) {
        if ((walk.feeds & bit_of(feed)) == 0) continue;
        announce(chunk, {feed, path.peer, Family::rtc, false, {}}, set.next_hop, set.bytes, set.key,
                 feed == Feed::pre_policy ? AttributeForm::received : AttributeForm::in_rib, nlri);
      }
    }
    walk.last = route->first;
  }
  return route != routes.end();
}

}  // namespace helio::exporter

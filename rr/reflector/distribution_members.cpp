// Distribution: what each peer asks for, and of which RT sets of each RIB shard that makes it a member.
#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/base/vectors.hpp"
#include "rr/reflector/distribution.hpp"

namespace helio::reflector {

using wire::Family;

void Distribution::touch(Peer& peer) {
  if (peer.queued_for_reconcile || peer.holding) return;
  peer.queued_for_reconcile = true;
  to_reconcile_.push_back(peer.info.peer.value);
}

void Distribution::add_membership(PeerId id, const wire::RtMembership& nlri) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  if (peer->said != nullptr) peer->said->add(nlri);
  else widen(*peer, nlri);
}

void Distribution::remove_membership(PeerId id, const wire::RtMembership& nlri) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  if (peer->said != nullptr) peer->said->remove(nlri);
  else narrow(*peer, nlri);
}

void Distribution::admit(const RtcAdmission& admission) {
  Peer* peer = find(admission.peer);
  if (peer == nullptr) return;
  for (const wire::RtMembership& nlri : admission.admitted) widen(*peer, nlri);
  for (const wire::RtMembership& nlri : admission.refused) narrow(*peer, nlri);
  if (admission.complete) rtc_end_of_rib(admission.peer);
}

void Distribution::touch_partial(Peer& peer, const wire::RtMembership& nlri) {
  constexpr std::size_t kMost = 4096;
  if (nlri.matches_everything() || peer.touched_partial.size() >= kMost) peer.touched_all = true;
  else peer.touched_partial.push_back(nlri);
}

// The filter towards the peer.
void Distribution::widen(Peer& peer, const wire::RtMembership& nlri) {
  bool had_target = nlri.length == 96 && peer.membership.has_target(nlri.target);
  bool had_partial = peer.membership.has_partial();
  if (!peer.membership.add(nlri)) return;
  if (journal_ != nullptr) journal_->write(peer.info.peer, nlri, true);
  if (nlri.length == 96) {
    if (had_target) return;
    wanted_by_[nlri.target].push_back(peer.info.peer.value);
    peer.touched.push_back(nlri.target);
  } else {
    if (!had_partial && peer.membership.has_partial()) partial_peers_.push_back(peer.info.peer.value);
    touch_partial(peer, nlri);
  }
  touch(peer);
}

void Distribution::narrow(Peer& peer, const wire::RtMembership& nlri) {
  if (!peer.membership.remove(nlri)) return;
  if (journal_ != nullptr) journal_->write(peer.info.peer, nlri, false);
  if (nlri.length == 96) {
    if (peer.membership.has_target(nlri.target)) return;  // another origin AS still asks for it (pitfall 1.2)
    auto at = wanted_by_.find(nlri.target);
    erase_value(at->second, peer.info.peer.value);
    if (at->second.empty()) wanted_by_.erase(at);
    peer.touched.push_back(nlri.target);
  } else {
    if (!peer.membership.has_partial()) erase_value(partial_peers_, peer.info.peer.value);
    touch_partial(peer, nlri);
  }
  touch(peer);
}

void Distribution::rtc_end_of_rib(PeerId id) {
  Peer* peer = find(id);
  if (peer == nullptr || !peer->holding) return;
  peer->rtc_complete = true;
  release_hold(*peer);
}

void Distribution::push_rtc_image(PeerId id, const rib::BatchRef& image) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  push(*peer, *image.get(), 0, image->size());
  if (!peer->rtc_image_awaited) return;
  push(*peer, *end_of_rib_[Family::rtc].get(), 0, end_of_rib_[Family::rtc]->size());
  peer->rtc_image_awaited = false;
  release_hold(*peer);
}

void Distribution::push_rtc_refresh(PeerId id, const rib::BatchRef& image) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  if (peer->info.enhanced_refresh) push_refresh_mark(*peer, Family::rtc, wire::RouteRefresh::Subtype::begin);
  push(*peer, *image.get(), 0, image->size());
  if (peer->info.enhanced_refresh) push_refresh_mark(*peer, Family::rtc, wire::RouteRefresh::Subtype::end);
}

// VPN routes may flow: the peer's memberships are complete and ours are with it, with their End-of-RIB (pitfall 1.7).
void Distribution::release_hold(Peer& peer) {
  if (!peer.holding || !peer.rtc_complete || peer.rtc_image_awaited || deferred_) return;
  peer.holding = false;
  erase_value(holding_, peer.info.peer.value);
  peer.touched_all = true;
  touch(peer);
}

void Distribution::end_deferral() {
  deferred_ = false;
  for (std::uint32_t number : std::vector<std::uint32_t>(holding_)) release_hold(*peers_[number]);
}

// What changed in the peer's membership becomes requests for walks (or nothing at all, when what it is sent stays the
// same: pitfall 1.2).
void Distribution::reconcile(Peer& peer) {
  if (!peer.has_vpn) {
    if (!peer.initial_done) finish_initial(peer);
    peer.touched.clear();
    peer.touched_partial.clear();
    peer.touched_all = false;
    return;
  }
  for (std::uint32_t r = 0; r < sources_.size(); ++r) reconcile(peer, r);
  peer.touched.clear();
  peer.touched_partial.clear();
  peer.touched_all = false;
  peer.initial_requested = true;
}

void Distribution::reconcile(Peer& peer, std::uint32_t r) {
  Link& link = peer.links[r];
  Source& source = sources_[r];
  bool everything = !peer.filtered || peer.membership.matches_everything();
  std::uint32_t number = peer.info.peer.value;
  if (!source.is_ready(link.encoding_class)) {
    link.dirty = true;  // taken up again when the RIB shard encodes for the class
    return;
  }
  if (everything != (link.universe || link.universe_requested)) {
    if (link.walks != 0 || link.lagging || link.universe_requested) {
      link.dirty = true;
    } else if (everything) {
      link.universe_requested = true;
      ++link.walks;
      source.announce_universe.push_back(number);
    } else {
      leave_universe(peer, r);
    }
    return;
  }
  if (everything) return;
  if (link.lagging) {
    link.dirty = true;
    return;
  }
  if (peer.touched_all || link.dirty) return reconcile_all(peer, r);
  for (std::uint64_t target : peer.touched) {
    auto at = source.by_target.find(target);
    if (at == source.by_target.end()) continue;
    for (rib::RtSetId id : at->second) reconcile_member(peer, r, id);
  }
  for (const wire::RtMembership& partial : peer.touched_partial)
    for (const auto& [target, ids] : source.by_target)
      if (partial.matches(wire::RouteTarget{target}))
        for (rib::RtSetId id : ids) reconcile_member(peer, r, id);
}

// Every RT set that the peer is a member of or may want to be: with 20,000 of them a PE asks for a few hundred.
void Distribution::reconcile_all(Peer& peer, std::uint32_t r) {
  Source& source = sources_[r];
  if (peer.membership.has_partial()) {
    for (rib::RtSetId id = 0; id < source.rt_sets.size(); ++id)
      if (source.rt_sets[id].defined) reconcile_member(peer, r, id);
    return;
  }
  std::vector<rib::RtSetId> ids(peer.links[r].sets.begin(), peer.links[r].sets.end());
  for (std::uint64_t target : peer.membership.targets())
    if (auto at = source.by_target.find(target); at != source.by_target.end()) ids.insert(ids.end(), at->second.begin(), at->second.end());
  sort_unique(ids);
  for (rib::RtSetId id : ids) reconcile_member(peer, r, id);
}

void Distribution::reconcile_member(Peer& peer, std::uint32_t r, rib::RtSetId id) {
  RtSetInfo& set = sources_[r].rt_sets[id];
  std::uint32_t number = peer.info.peer.value;
  Member* member = member_of(set, number);
  bool wanted = peer.membership.matches(set.targets);
  if (member != nullptr && member->state == MemberState::drained) {
    Link& link = peer.links[r];
    if (link.lagging || link.catching_up || !peer.output.empty()) return;
    --peer.drained;
    if (std::exchange(member->again, false)) {
      member->state = MemberState::draining;
      sources_[r].withdraw[id].push_back(number);
      ++link.walks;
      return;
    }
    remove_member(peer, r, id);
    member = nullptr;
  }
  if (member == nullptr && wanted) {
    add_member(peer, r, id, MemberState::requested);
    sources_[r].announce[id].push_back(number);
    ++peer.links[r].walks;
  } else if (member != nullptr && !wanted && member->state == MemberState::armed) {
    member->state = MemberState::draining;
    sources_[r].withdraw[id].push_back(number);
    ++peer.links[r].walks;
  }  // requested or draining: looked at again when its walk is done
}

// The default membership is gone: RT sets that specifics cover stay as they are, the others are withdrawn.
void Distribution::leave_universe(Peer& peer, std::uint32_t r) {
  Source& source = sources_[r];
  Link& link = peer.links[r];
  link.universe = false;
  erase_value(source.universe, &peer);
  for (rib::RtSetId id = 0; id < source.rt_sets.size(); ++id) {
    if (!source.rt_sets[id].defined) continue;
    add_member(peer, r, id, MemberState::armed);
    reconcile_member(peer, r, id);
  }
}

// --- RT sets and provenances ----------------------------------------------------------------------------------------

Distribution::Member* Distribution::member_of(RtSetInfo& set, std::uint32_t peer) {
  auto at = std::lower_bound(set.members.begin(), set.members.end(), peer, [](const Member& m, std::uint32_t p) { return m.peer < p; });
  return at != set.members.end() && at->peer == peer ? &*at : nullptr;
}

void Distribution::add_member(Peer& peer, std::uint32_t r, rib::RtSetId id, MemberState state) {
  auto& members = sources_[r].rt_sets[id].members;
  std::uint32_t number = peer.info.peer.value;
  peer.links[r].sets.insert(id);
  auto at = members.empty() || members.back().peer < number
                ? members.end()
                : std::lower_bound(members.begin(), members.end(), number, [](const Member& m, std::uint32_t p) { return m.peer < p; });
  if (at != members.end() && at->peer == number) *at = Member{number, state};
  else members.insert(at, Member{number, state});
}

void Distribution::remove_member(Peer& peer, std::uint32_t r, rib::RtSetId id) {
  RtSetInfo& set = sources_[r].rt_sets[id];
  peer.links[r].sets.erase(id);
  if (Member* m = member_of(set, peer.info.peer.value)) set.members.erase(set.members.begin() + (m - set.members.data()));
}

// Before the definition there were no routes with the RT set: who wants it is armed without a walk.
void Distribution::define_rt_set(std::uint32_t r, RtSetDefined&& defined) {
  Source& source = sources_[r];
  RtSetInfo& set = grown(source.rt_sets, defined.id);
  HELIO_CHECK(!set.defined, "RT set defined twice");
  set.defined = true;
  set.targets = std::move(defined.targets);
  auto consider = [&](std::uint32_t number) {
    Peer& peer = *peers_[number];
    Link& link = peer.links[r];
    if (peer.holding || !peer.initial_requested || link.universe || peer.membership.matches_everything()) return;
    if (!source.is_ready(link.encoding_class)) return;
    if (link.lagging) {
      link.dirty = true;  // its changes are not passed on now, and the catch-up may have been asked for already
      return;
    }
    add_member(peer, r, defined.id, MemberState::armed);
  };
  for (std::uint64_t target : set.targets) {
    source.by_target[target].push_back(defined.id);
    if (auto at = wanted_by_.find(target); at != wanted_by_.end())
      for (std::uint32_t number : at->second) consider(number);
  }
  for (std::uint32_t number : partial_peers_)
    if (peers_[number]->membership.matches(set.targets)) consider(number);
}

void Distribution::retire(std::uint32_t r, const Retired& retired) {
  Source& source = sources_[r];
  for (rib::ProvenanceId id : retired.provenances) source.provenances[id] = ProvenanceInfo{};
  for (rib::RtSetId id : retired.rt_sets) {
    RtSetInfo& set = source.rt_sets[id];
    for (std::uint64_t target : set.targets) {
      auto at = source.by_target.find(target);
      erase_value(at->second, id);
      if (at->second.empty()) source.by_target.erase(at);
    }
    for (const Member& m : set.members) {
      if (m.state == MemberState::drained) --peers_[m.peer]->drained;
      peers_[m.peer]->links[r].sets.erase(id);
    }
    set = RtSetInfo{};
    auto forget = [&](std::map<rib::RtSetId, std::vector<std::uint32_t>>& pending) {
      auto at = pending.find(id);
      if (at == pending.end()) return;
      for (std::uint32_t number : at->second) --peers_[number]->links[r].walks;
      pending.erase(at);
    };
    forget(source.announce);
    forget(source.withdraw);
    for (auto& [walk_id, walk] : walks_)
      if (walk.source == r) walk.targets.erase(id);
  }
  requests_[r].push_back(Ack{retired.provenances, retired.rt_sets});
}

}  // namespace helio::reflector

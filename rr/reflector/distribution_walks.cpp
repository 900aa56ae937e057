// Distribution: walks (initial sync, membership changes, refresh, catch-up) and slow peers.
//
// Arm first, then walk: the request travels to the RIB shard, which says WalkArmed in its stream at the point from
// where changes flow, and then sends images of what was there at that point. Peers that ask in the same turn share one
// walk and its images.
#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/base/vectors.hpp"
#include "rr/reflector/distribution.hpp"
#include "rr/wire/route_refresh.hpp"

namespace helio::reflector {

using rib::kNoId;
using wire::Family;

Distribution::Walk& Distribution::new_walk(std::uint32_t r, WalkRequest::Kind kind, bool universe) {
  std::uint32_t id = next_walk_;
  next_walk_ = next_walk_ == 0xffffffff ? 1 : next_walk_ + 1;
  Walk& walk = walks_[id];
  walk.id = id;
  walk.source = r;
  walk.kind = kind;
  walk.universe = universe;
  walk.outstanding = std::make_shared<rib::RetainedBytes>();
  return walk;
}

// Sends the request; peers and targets of the walk are set.
void Distribution::request(Walk& walk, wire::FamilySet families) {
  WalkRequest r;
  r.walk = walk.id;
  r.session_shard = self_;
  r.kind = walk.kind;
  r.universe = walk.universe;
  r.outstanding = walk.outstanding;
  for (auto& [set, peers] : walk.targets) {
    std::sort(peers.begin(), peers.end());
    r.rt_sets.push_back(set);
    walk.peers.insert(walk.peers.end(), peers.begin(), peers.end());
  }
  sort_unique(walk.peers);
  r.shared = walk.peers.size() > 1;
  for (std::uint32_t number : walk.peers) r.families.bits |= (families & peers_[number]->info.families).bits;
  for (std::uint32_t number : walk.peers)  // a peer that moves to another class may get the rest for that one
    r.classes |= std::uint64_t{1} << peers_[number]->encoding_class | std::uint64_t{1} << peers_[number]->links[walk.source].encoding_class;
  if (walk.kind == WalkRequest::Kind::catch_up) {
    const Link& link = peers_[walk.peers.front()]->links[walk.source];
    r.routes_since = link.routes_since;
    r.withdrawn_since = link.withdrawn_since;
  }
  requests_[walk.source].push_back(std::move(r));
}

// Everything asked of RIB shard r in this turn, as at most one walk of each kind.
void Distribution::send_requests(std::uint32_t r) {
  Source& source = sources_[r];
  wire::FamilySet all;
  for (Family f : {Family::vpnv4, Family::vpnv6, Family::evpn}) all.insert(f);
  if (!source.announce_universe.empty()) {
    Walk& walk = new_walk(r, WalkRequest::Kind::announce, true);
    walk.peers = std::exchange(source.announce_universe, {});
    request(walk, all);
  }
  auto by_rt_set = [&](WalkRequest::Kind kind, std::map<rib::RtSetId, std::vector<std::uint32_t>>& pending) {
    std::erase_if(pending, [](auto& entry) { return entry.second.empty(); });
    if (pending.empty()) return;
    Walk& walk = new_walk(r, kind, false);
    walk.targets = std::exchange(pending, {});
    request(walk, all);
    // A walk counts once for each peer and RT set; from here on once for each peer.
    for (auto& [set, peers] : walk.targets)
      for (std::uint32_t number : peers) --peers_[number]->links[r].walks;
    for (std::uint32_t number : walk.peers) ++peers_[number]->links[r].walks;
  };
  by_rt_set(WalkRequest::Kind::withdraw, source.withdraw);
  by_rt_set(WalkRequest::Kind::announce, source.announce);
}

void Distribution::walk_armed(std::uint32_t r, std::uint32_t id) {
  auto at = walks_.find(id);
  if (at == walks_.end()) return;
  Walk& walk = at->second;
  walk.armed = true;
  if (walk.refresh) return;
  Source& source = sources_[r];
  if (walk.kind == WalkRequest::Kind::withdraw) {
    for (std::uint32_t number : walk.peers) {
      Link& link = peers_[number]->links[r];
      link.unwritten_since = std::min(link.unwritten_since, source.last_stamp);
    }
    update_lag_marks();
    return;
  }
  if (walk.kind == WalkRequest::Kind::catch_up) {
    Link& link = peers_[walk.peers.front()]->links[r];
    link.lagging = false;
    link.unwritten_since = std::min(link.unwritten_since, link.withdrawn_since);
    update_lag_marks();
    return;
  }
  if (!walk.universe) {
    for (auto& [set, peers] : walk.targets)
      for (std::uint32_t number : peers)
        if (Member* m = member_of(source.rt_sets[set], number)) m->state = MemberState::armed;
    return;
  }
  for (std::uint32_t number : walk.peers) {
    Peer& peer = *peers_[number];
    Link& link = peer.links[r];
    std::vector<rib::RtSetId> already;
    while (!link.sets.empty()) {
      rib::RtSetId set = *link.sets.begin();
      MemberState state = member_of(source.rt_sets[set], number)->state;
      if (state == MemberState::armed) already.push_back(set);
      if (state == MemberState::drained) --peer.drained;
      remove_member(peer, r, set);
    }
    std::sort(already.begin(), already.end());
    if (!already.empty()) walk.already[number] = std::move(already);
    link.universe_requested = false;
    link.universe = true;
    source.universe.push_back(&peer);
  }
}

void Distribution::walk_done(std::uint32_t r, std::uint32_t id) {
  auto at = walks_.find(id);
  if (at == walks_.end()) return;
  Walk walk = std::move(at->second);
  walks_.erase(at);
  Source& source = sources_[r];
  leave_refresh(walk);
  for (std::uint32_t number : walk.peers) {
    Peer& peer = *peers_[number];
    Link& link = peer.links[r];
    --link.walks;
    if (peer.output.empty()) all_written(peer);
    if (walk.refresh) {
      Refresh& refresh = peer.refreshes[walk.refreshed];
      if (--refresh.walks == 0) {
        refresh.running = false;
        if (peer.info.enhanced_refresh) push_refresh_mark(peer, walk.refreshed, wire::RouteRefresh::Subtype::end);
      }
    }
    if (walk.kind == WalkRequest::Kind::catch_up) {
      link.catching_up = false;
      // What is left to be taken is queued now.
      if (!peer.is_lagging() && std::ranges::none_of(peer.links, &Link::catching_up)) peer.behind_since_ms = 0;
    }
    if (!peer.initial_done && !is_initial_pending(peer)) finish_initial(peer);
    if (peer.is_lagging() || (!peer.refreshes.empty() && peer.initial_done)) touch(peer);
    if (link.dirty && link.walks == 0) {
      link.dirty = false;
      peer.touched_all = true;
      touch(peer);
    }
  }
  if (walk.universe || walk.refresh || walk.kind == WalkRequest::Kind::catch_up) return;
  for (auto& [set, peers] : walk.targets) {
    for (std::uint32_t number : peers) {
      Peer& peer = *peers_[number];
      Link& link = peer.links[r];
      if (walk.kind == WalkRequest::Kind::withdraw) {
        Member* m = member_of(source.rt_sets[set], number);
        if (m != nullptr) {
          m->state = MemberState::drained;
          ++peer.drained;
        }
        link.dirty = link.dirty || link.lagging || link.catching_up;
      }
      // The membership may have changed again while the walk was under way.
      if (!peer.links[r].universe && !peer.links[r].universe_requested) reconcile_member(peer, r, set);
    }
  }
}

bool Distribution::is_initial_pending(const Peer& peer) const {
  if (peer.queued_for_reconcile) return true;
  for (std::uint32_t r = 0; r < sources_.size(); ++r) {
    const Link& l = peer.links[r];
    if (l.walks != 0 || l.universe_requested || l.lagging || l.dirty || !sources_[r].is_ready(l.encoding_class)) return true;
  }
  return false;
}

// The first dump is complete: End-of-RIB of each VPN family after the routes (pitfall 1.7, wire 2.7).
void Distribution::finish_initial(Peer& peer) {
  peer.initial_done = true;
  for (Family f : {Family::vpnv4, Family::vpnv6, Family::evpn}) {
    if (!peer.info.families.contains(f)) continue;
    push_bytes(peer.info.peer, end_of_rib_[f]);
    peer.end_of_rib_sent.insert(f);
  }
  if (!peer.refreshes.empty()) touch(peer);  // asked for meanwhile
}

// --- Route refresh --------------------------------------------------------------------------------------------------

// Repeated requests while one is being answered are answered by one more round (wire 2.12).
void Distribution::refresh(PeerId id, Family family) {
  Peer* peer = find(id);
  if (peer == nullptr || !peer->info.families.contains(family)) return;
  if (peer->holding) return;  // nothing was sent yet; the first dump is the answer
  Refresh& wanted = peer->refreshes[family];
  if (!std::exchange(wanted.wanted, true)) refresh_rounds_[family].waiting.push_back(id.value);
  touch(*peer);
}

// BoRR and EoRR (RFC 7313 §4) keep their place among the routes.
void Distribution::push_refresh_mark(Peer& peer, Family family, wire::RouteRefresh::Subtype subtype) {
  std::vector<std::uint8_t> bytes;
  wire::encode_route_refresh(bytes, family, subtype);
  push_bytes(peer.info.peer, make_bytes(bytes));
}

// Its first routes are there and nothing of its queue was dropped: what it asked for again can go out.
bool Distribution::may_refresh(const Peer& peer, Family family) const {
  auto at = peer.refreshes.find(family);
  return at != peer.refreshes.end() && !at->second.running && peer.initial_done && !peer.is_lagging();
}

// A round: everybody who waits and may, with one walk per RIB shard for those who have everything and one for the others.
void Distribution::start_refreshes(Family family) {
  RefreshRound& round = refresh_rounds_[family];
  if (round.walks != 0 || round.waiting.empty()) return;
  std::vector<std::uint32_t> peers;
  std::erase_if(round.waiting, [&](std::uint32_t number) {
    if (!may_refresh(*peers_[number], family)) return false;
    peers.push_back(number);
    return true;
  });
  if (peers.empty()) return;
  for (std::uint32_t number : peers) {
    Peer& peer = *peers_[number];
    peer.refreshes[family].wanted = false;
    if (peer.info.enhanced_refresh) push_refresh_mark(peer, family, wire::RouteRefresh::Subtype::begin);
  }
  for (std::uint32_t r = 0; r < sources_.size(); ++r) {
    std::vector<std::uint32_t> universe;
    std::map<rib::RtSetId, std::vector<std::uint32_t>> targets;
    for (std::uint32_t number : peers) {
      if (peers_[number]->links[r].universe) universe.push_back(number);
      for (rib::RtSetId set : peers_[number]->links[r].sets)
        if (member_of(sources_[r].rt_sets[set], number)->state == MemberState::armed) targets[set].push_back(number);
    }
    auto ask = [&](bool everything) {
      Walk& walk = new_walk(r, WalkRequest::Kind::announce, everything);
      walk.refresh = true;
      walk.refreshed = family;
      if (everything) walk.peers = universe;
      else walk.targets = std::move(targets);
      request(walk, wire::FamilySet::of(family));
      ++round.walks;
      for (std::uint32_t number : walk.peers) {
        Refresh& refresh = peers_[number]->refreshes[family];
        ++refresh.walks;
        refresh.running = true;
        ++peers_[number]->links[r].walks;
      }
    };
    if (!universe.empty()) ask(true);
    if (!targets.empty()) ask(false);
  }
  for (std::uint32_t number : peers) {
    Peer& peer = *peers_[number];
    if (!peer.refreshes[family].running && peer.info.enhanced_refresh)
      push_refresh_mark(peer, family, wire::RouteRefresh::Subtype::end);
  }
}

// The walk ends: with the last of a round, those who asked meanwhile get theirs.
void Distribution::leave_refresh(Walk& walk) {
  if (!walk.refresh) return;
  RefreshRound& round = refresh_rounds_[walk.refreshed];
  if (--round.walks != 0) return;
  for (std::uint32_t number : round.waiting) touch(*peers_[number]);
}

// --- Turns and slow peers -------------------------------------------------------------------------------------------

std::optional<session::TimePoint> Distribution::run_turn(TimePoint now, std::uint64_t now_ms) {
  // A turn that took long says nothing about peers: their sockets had one chance in it, as in any other.
  patience_ += std::min<TimePoint::duration>(now - now_, std::max<std::chrono::milliseconds>(limits_.stall / 4, std::chrono::milliseconds(25)));
  now_ = now;
  std::vector<std::uint32_t> expired;
  for (std::uint32_t number : holding_)
    if (!peers_[number]->rtc_complete && peers_[number]->hold_until <= now) expired.push_back(number);
  for (std::uint32_t number : expired) rtc_end_of_rib(PeerId(number));  // RFC 4684 §6: not for ever

  std::vector<std::uint32_t> round = std::exchange(to_reconcile_, {});
  for (std::uint32_t number : round) {
    Peer* peer = find(number);
    if (peer == nullptr) continue;
    peer->queued_for_reconcile = false;
    reconcile(*peer);
    if (!peer->initial_done && peer->initial_requested) {
      if (!is_initial_pending(*peer)) finish_initial(*peer);
    }
    if (peer->output.empty())
      for (std::uint32_t r = 0; r < sources_.size(); ++r)
        if (peer->links[r].lagging && !peer->links[r].catching_up && peer->links[r].walks == 0) catch_up(*peer, r);
  }
  for (auto& [family, waiting] : refresh_rounds_) start_refreshes(family);
  for (std::uint32_t r = 0; r < sources_.size(); ++r) send_requests(r);
  if (now >= next_check_) {
    check_slow();
    check_lag(now_ms);
    next_check_ = now + std::chrono::milliseconds(20);
  }
  std::optional<TimePoint> wake;
  auto sooner = [&](TimePoint t) { wake = wake ? std::min(*wake, t) : t; };
  for (std::uint32_t number : holding_)
    if (!peers_[number]->rtc_complete) sooner(peers_[number]->hold_until);
  for (const Peer* peer : up_) {
    if (peer->output.empty()) continue;
    sooner(next_check_);
    break;
  }
  return wake;
}

// Somebody holds memory that others need: find who stalls. A peer stalls when its socket takes nothing for a while in which
// the others' do; when all are equally slow (the receivers share a machine, say) nobody is singled out before
// stall_alone. Whose socket would take something waits for us, and does not stall.
void Distribution::check_slow() {
  bool over_changes = false, over_images = false;
  for (std::uint32_t r = 0; r < mailboxes_.shards(); ++r) {
    ShardMailboxes::Retained& retained = mailboxes_.retained(r);
    over_changes = over_changes || retained.changes->bytes.load(std::memory_order_relaxed) > static_cast<std::int64_t>(limits_.change_bytes);
    over_images = over_images || retained.images->bytes.load(std::memory_order_relaxed) > static_cast<std::int64_t>(limits_.image_bytes);
  }
  bool walk_blocked = false;
  for (auto& [id, walk] : walks_) {
    std::int64_t unsent = walk.outstanding->bytes.load(std::memory_order_relaxed);
    walk_blocked = walk_blocked || (walk.peers.size() > 1 && unsent > limits_.blocked_walk_bytes);
    // Others wait for the round of refreshes that the walk belongs to.
    walk_blocked = walk_blocked || (walk.refresh && unsent > 0 && !refresh_rounds_[walk.refreshed].waiting.empty());
  }
  if (!over_changes && !over_images && !walk_blocked) return;
  std::vector<TimePoint::duration> idle;
  for (const Peer* peer : up_) idle.push_back(peer->output.empty() ? TimePoint::duration::zero() : patience_ - peer->last_progress);
  if (idle.empty()) return;
  std::vector<TimePoint::duration> sorted = idle;
  auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  std::vector<Peer*> stalled;
  for (std::size_t i = 0; i < up_.size(); ++i)
    if ((idle[i] > limits_.stall_alone || (idle[i] > limits_.stall && idle[i] > 4 * *middle)) && control_.is_blocked(up_[i]->info.peer)) stalled.push_back(up_[i]);
  for (Peer* peer : stalled) make_lagging(*peer, over_images || walk_blocked);
  if (!stalled.empty()) update_lag_marks();
}

// `[slow-peer] max-lag`.
void Distribution::check_lag(std::uint64_t now_ms) {
  for (Peer* peer : up_) {
    auto limit = std::chrono::milliseconds(peer->info.group->max_lag);
    std::uint64_t since = limit.count() == 0 ? 0 : oldest_ms(*peer);
    if (since != 0 && now_ms > since + static_cast<std::uint64_t>(limit.count())) close_slow(*peer);
  }
}

void Distribution::close_slow(Peer& peer) {
  if (std::exchange(peer.closing, true)) return;
  // RFC 4486 §4; no data is defined for the subcode.
  control_.close(peer.info.peer, wire::make_cease(wire::cease::out_of_resources), session::CloseReason::slow_peer);
}

// Drops what is queued for the peer; it is caught up by change sequence once it reads again (DESIGN §2). Images of walks
// stay unless memory for them is short: then the peer starts over. update_lag_marks() is the caller's.
void Distribution::make_lagging(Peer& peer, bool drop_images) {
  std::uint32_t number = peer.info.peer.value;
  ++lag_events_;
  std::vector<std::optional<rib::Stamp>> first_dropped(sources_.size());
  bool images_dropped = false, partial_dropped = false;
  peer.output.drop_if(
      [&](const rib::Batch& b) { return b.family != Family::rtc && (b.walk == 0 || drop_images); },
      [&](rib::Batch* b) {
        b->add_refs(1);
        dropped_.emplace_back(b);  // until the lag mark is on its way
        if (b->made_at_ms != 0 && (peer.behind_since_ms == 0 || b->made_at_ms < peer.behind_since_ms)) peer.behind_since_ms = b->made_at_ms;
        if (b->walk != 0) {
          images_dropped = true;
          return;
        }
        partial_dropped = partial_dropped || b->is_partial;
        if (!first_dropped[b->shard] || b->stamp < *first_dropped[b->shard]) {
          first_dropped[b->shard] = b->stamp;
        }
      });
  if (const rib::Batch* head = peer.output.oldest(); head != nullptr && head->family != Family::rtc)
    peer.output.detach_begun_message([this](Bytes message) { return make_bytes({message.begin(), message.end()}); });
  if (images_dropped) {
    for (auto at = walks_.begin(); at != walks_.end();) {
      Walk& walk = at->second;
      auto in = std::lower_bound(walk.peers.begin(), walk.peers.end(), number);
      // A catch-up that has not begun was asked for with stamps that no longer do.
      bool begun = walk.armed || walk.kind == WalkRequest::Kind::catch_up;
      if (walk.kind == WalkRequest::Kind::withdraw || in == walk.peers.end() || *in != number || !begun) {
        ++at;
        continue;
      }
      walk.peers.erase(in);
      for (auto& [set, peers] : walk.targets) std::erase(peers, number);
      walk.already.erase(number);
      --peer.links[walk.source].walks;
      peer.links[walk.source].catching_up = false;
      if (walk.refresh) {
        Refresh& refresh = peer.refreshes[walk.refreshed];
        if (!std::exchange(refresh.wanted, true)) refresh_rounds_[walk.refreshed].waiting.push_back(number);
        if (--refresh.walks == 0) refresh.running = false;
      }
      if (walk.peers.empty()) {
        requests_[walk.source].push_back(WalkCancelled{walk.id, self_});
        leave_refresh(walk);
        at = walks_.erase(at);
      } else {
        ++at;
      }
    }
  }
  for (std::uint32_t r = 0; r < sources_.size(); ++r) {
    Link& link = peer.links[r];
    rib::Stamp since = first_dropped[r] ? *first_dropped[r] - 1 : sources_[r].last_stamp;
    if (link.lagging) since = std::min(since, link.withdrawn_since);
    if (images_dropped) since = std::min(since, link.unwritten_since);
    link.routes_since = images_dropped || partial_dropped ? 0 : link.lagging ? std::min(since, link.routes_since) : since;
    link.withdrawn_since = since;
    link.lagging = true;
    if (images_dropped) {
      // Withdrawals of memberships that ended may be among them.
      for (rib::RtSetId set : link.sets)
        if (Member* m = member_of(sources_[r].rt_sets[set], number); m->state >= MemberState::draining) m->again = true;
      link.dirty = true;
    }
  }
  touch(peer);
  if (peer.info.group->close_when_behind) close_slow(peer);
}

// The queue ran empty: no image can be dropped any more.
void Distribution::all_written(Peer& peer) {
  bool changed = false;
  for (Link& link : peer.links) {
    if (link.unwritten_since == Link::kAllWritten || link.lagging || link.catching_up || link.walks != 0) continue;
    link.unwritten_since = Link::kAllWritten;
    changed = true;
  }
  if (changed) update_lag_marks();
}

// The peer reads again: everything that changed since it was left behind, from one RIB shard.
void Distribution::catch_up(Peer& peer, std::uint32_t r) {
  Link& link = peer.links[r];
  Source& source = sources_[r];
  std::uint32_t number = peer.info.peer.value;
  Walk& walk = new_walk(r, WalkRequest::Kind::catch_up, link.universe);
  walk.peers = {number};
  if (!link.universe) {
    for (rib::RtSetId set : link.sets)
      if (member_of(source.rt_sets[set], number)->state != MemberState::requested) walk.targets[set] = {number};
  }
  link.catching_up = true;
  ++link.walks;
  request(walk, peer.info.families);
}

void Distribution::update_lag_marks() {
  for (std::uint32_t r = 0; r < sources_.size(); ++r) {
    std::optional<rib::Stamp> oldest;
    for (const Peer* peer : up_)
      for (rib::Stamp since : {peer->links[r].lagging ? peer->links[r].withdrawn_since : Link::kAllWritten, peer->links[r].unwritten_since})
        if (since != Link::kAllWritten) oldest = std::min(oldest.value_or(since), since);
    if (oldest == sources_[r].lag_mark) continue;
    sources_[r].lag_mark = oldest;
    requests_[r].push_back(LagMark{self_, oldest});
  }
}

}  // namespace helio::reflector

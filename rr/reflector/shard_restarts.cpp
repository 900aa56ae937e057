// Shard: what is kept until it is said again, or until that was to happen and did not: over restarts of peers (RFC 4724, RFC 9494),
// our own start, and refreshes (RFC 7313).
#include <algorithm>

#include "rr/reflector/shard.hpp"

namespace helio::reflector {

using wire::Family;

void Shard::forget(PeerId id) { drop_stale(id, restarts_.forget(id)); }

// What was kept of the peer's families over its restart is not to be kept any longer.
void Shard::drop_stale(PeerId id, wire::FamilySet families) {
  if (families.contains(Family::rtc)) {
    if (Peer* peer = find(id); peer != nullptr && peer->not_said_again) {
      sweep_memberships(*peer);
    } else if (auto kept = kept_memberships_.extract(id); !kept.empty()) {
      const KeptMemberships& was = kept.mapped();
      to_rtc(RtcUpdate{id, was.address, was.role, nullptr, was.memberships.all()});
    }
    families.erase(Family::rtc);
  }
  if (families.empty()) return;
  tell(rib::JournalEvent::routes_purged, id, wire::family_labels(families));
  to_all_ribs(PeerPurge{id, families, true});
}

void Shard::run_restarts() {
  for (const RestartHelper::Due& due : restarts_.run(now_)) {
    drop_stale(due.peer, due.dropped);
    if (due.long_lived.empty()) continue;
    tell(rib::JournalEvent::long_lived, due.peer, wire::family_labels(due.long_lived));
    to_all_ribs(PeerStaleLong{due.peer, due.long_lived});
  }
}

void Shard::receive_end_of_rib(Peer& peer, Family family) {
  PeerId id = peer.record.info.peer;
  peer.record.end_of_rib_received.insert(family);
  if (observer_ != nullptr) observer_->on_end_of_rib(id, peer.incarnation, family);
  if (!start_is_over_) start_no_longer_waits_for(peer, wire::FamilySet::of(family));
  if (restarts_.end_of_rib(id, family)) drop_stale(id, wire::FamilySet::of(family));
  if (family == Family::rtc) memberships_complete(peer);
}

// --- Our own start (RFC 4724 §4.1) ----------------------------------------------------------------------------------

// "the Selection_Deferral_Timer", and the End-of-RIB of all peers, "excluding the ones with the Restart State bit set in
// the received capability and excluding the ones that do not advertise the graceful restart capability".
void Shard::start_waits_for(Peer& peer) {
  const session::EstablishedPeer& info = peer.record.info;
  StartDeferral& start = mailboxes_.start_deferral();
  if (start.settings().everybody || (info.restart_capable && !info.remote_restarting)) {
    peer.start_awaits = info.families;
    if (info.families.contains(Family::rtc)) start.count_memberships(1);
    if (!(info.families - wire::FamilySet::of(Family::rtc)).empty()) start.count_routes(1);
  }
  if (seen_.size() <= info.peer.value) seen_.resize(info.peer.value + 1);
  if (info.peer.value < start.settings().neighbors && !seen_[info.peer.value]) start.present();
  seen_[info.peer.value] = true;
}

void Shard::start_no_longer_waits_for(Peer& peer, wire::FamilySet families) {
  StartDeferral& start = mailboxes_.start_deferral();
  wire::FamilySet before = peer.start_awaits, rtc = wire::FamilySet::of(Family::rtc);
  peer.start_awaits = before - families;
  if (before.contains(Family::rtc) && !peer.start_awaits.contains(Family::rtc)) start.count_memberships(-1);
  if (!(before - rtc).empty() && (peer.start_awaits - rtc).empty()) start.count_routes(-1);
}

void Shard::run_start() {
  StartDeferral& start = mailboxes_.start_deferral();
  if (start.check(now_ - start_))
    for (std::uint32_t s = 0; s < mailboxes_.shards(); ++s)
      if (s != self_) mailboxes_.wake(s);
  if (rtc_ != nullptr && start.memberships_are_over()) rtc_->defer(false);
  if (!start.is_over()) return;
  start_is_over_ = true;
  distribution_.end_deferral();
}

// --- Refreshes -------------------------------------------------------------------------------------------------------

std::optional<wire::Notification> Shard::on_route_refresh(PeerId id, const session::RefreshRequest& request) {
  Peer* peer = find(id);
  if (peer == nullptr) return std::nullopt;
  if (request.subtype != 0) {
    if (peer->record.info.enhanced_refresh) receive_refresh_mark(*peer, request);
    return std::nullopt;
  }
  if (request.family == Family::rtc) to_rtc(RtcRefresh{id});
  else distribution_.refresh(id, request.family);
  return std::nullopt;
}

// BoRR and EoRR from the peer (RFC 7313 §4): what is not said again in between is swept (pitfall 1.21).
void Shard::receive_refresh_mark(Peer& peer, const session::RefreshRequest& mark) {
  PeerId id = peer.record.info.peer;
  bool begins = mark.subtype == 1;
  if (wire::has_route_targets(mark.family)) {
    peer.serial = 0;  // attributes belong to the session's new generation
    to_all_ribs(PeerRefresh{id, mark.family, begins});
    if (peer.marked != nullptr) {
      MarkedRoutes::Changes changes;
      if (begins) peer.marked->refresh_begins(mark.family);
      else peer.marked->refresh_ends(mark.family, changes);
      follow_marks(peer, changes);
    }
  } else if (mark.family == Family::rtc && begins) {
    if (const Membership* m = distribution_.membership(id)) {
      peer.not_said_again = *m;
      for (const auto& [nlri, attributes] : peer.refused) peer.not_said_again->add(nlri);
    }
  } else if (mark.family == Family::rtc && peer.not_said_again) {
    sweep_memberships(peer);
  }
}

void Shard::sweep_memberships(Peer& peer) {
  PeerId id = peer.record.info.peer;
  RtcUpdate gone{id, peer.record.info.address, peer.source.role, nullptr, peer.not_said_again->all()};
  for (const wire::RtMembership& nlri : gone.memberships) {
    distribution_.remove_membership(id, nlri);
    peer.refused.erase(nlri);
  }
  if (!gone.memberships.empty()) to_rtc(std::move(gone));
  peer.not_said_again.reset();
}

}  // namespace helio::reflector

#include "rr/reflector/shard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/base/log.hpp"
#include "rr/wire/attribute_table.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::reflector {

using session::PeerRole;
using wire::Family;
using wire::is_vpn;
using wire::NlriStatus;

namespace {

// Which shard holds a prefix: by RD and first octet, so that one huge VRF spreads while a small one stays together.
std::uint32_t shard_of(std::uint64_t rd, std::uint8_t first_octet, std::uint32_t shards) {
  std::uint64_t h = (rd ^ std::uint64_t{first_octet} << 56) * 0x9e3779b97f4a7c15;
  h ^= h >> 32;
  return static_cast<std::uint32_t>(((h & 0xffffffff) * shards) >> 32);
}

std::string families_text(wire::FamilySet families) {
  std::string text;
  for (std::size_t f = 0; f < wire::kFamilyCount; ++f)
    if (families.contains(static_cast<Family>(f))) text += (text.empty() ? "" : " ") + std::string(wire::family_label(static_cast<Family>(f)));
  return text;
}

bool is_of_observer(const Message& message) {
  std::uint32_t walk = 0;
  if (const auto* output = std::get_if<Output>(&message)) walk = output->batch->walk;
  else if (const auto* armed = std::get_if<WalkArmed>(&message)) walk = armed->walk;
  else if (const auto* done = std::get_if<WalkDone>(&message)) walk = done->walk;
  return walk >= kObserverWalk;
}

}  // namespace

Shard::Shard(ShardId self, const EngineSettings& settings, ShardMailboxes& mailboxes, session::SessionControl& control)
    : self_(self.value), settings_(settings), mailboxes_(mailboxes), control_(control), rib_(self.value, mailboxes, settings.rib, settings.policies),
      distribution_(self.value, mailboxes, settings.distribution, control), canonicaliser_(settings.decision_options), outbox_(mailboxes.shards()), evpn_outbox_(mailboxes.shards()), parts_(mailboxes.shards()) {
  if (mailboxes_.has_evpn()) evpn_ = std::make_unique<RibShard>(self_, mailboxes, settings.rib, settings.policies, RibShard::Kind::evpn);
  distribution_.start_policies(settings_.policies);
  if (settings.canary) canary_ = std::make_unique<Canary>();
  if (settings.journal_bytes != 0) {
    const rib::RibShared& shared = std::as_const(rib_).shared();
    journal_ = std::make_unique<rib::Journal>(settings.journal_bytes / mailboxes.shards(), shared.attributes, shared.provenances);
    rib_.keep_journal(*journal_);
    distribution_.keep_journal(*journal_);
  }
  for (RibShard* rib : {&rib_, evpn_.get()}) {
    if (rib == nullptr) continue;
    rib->shared().rules = settings.decision;
    rib->policy().set_options(settings.decision_options);
    if (settings.next_hops != nullptr) rib->track_next_hops(*settings.next_hops);
  }
  settings_.cluster_ids.push_back(settings.cluster_id);
  if (self_ == 0) rtc_ = std::make_unique<RtcRib>(mailboxes, settings.router_id, settings.local_as, settings.decision, settings.slice);
  if (rtc_ != nullptr) rtc_->set_policies(settings.policies);
  if (self_ == 0) mailboxes_.start_deferral().begin(settings.start);
  start_is_over_ = !settings.start.enabled;
  if (start_is_over_) return;
  distribution_.defer();
  if (rtc_ != nullptr) rtc_->defer(true);
}

Shard::~Shard() = default;

std::uint32_t Shard::owner_of(std::uint64_t rd, std::uint8_t first_octet) const {
  // With a limit per RD all of an RD is in one shard: it alone counts the paths.
  return mailboxes_.shards() == 1 ? 0 : shard_of(rd, settings_.rib.quotas.max_paths_per_rd != 0 ? std::uint8_t{0} : first_octet, mailboxes_.shards());
}

// --- Sessions -------------------------------------------------------------------------------------------------------

void Shard::on_established(const session::EstablishedPeer& info, TimePoint now) {
  now_ = std::max(now_, now);
  run_restarts();  // what is over by now is over
  if (peers_.size() <= info.peer.value) peers_.resize(info.peer.value + 1);
  HELIO_CHECK(peers_[info.peer.value] == nullptr, "peer established twice");
  auto peer = std::make_unique<Peer>();
  peer->record.info = info;
  peer->incarnation = next_incarnation_++;
  peer->context.four_octet_as = info.four_octet_as;
  peer->context.is_external = info.group->role == PeerRole::external;
  peer->context.families = info.families;
  peer->context.add_path_receive = info.add_path_receive;
  peer->context.ipv6_next_hop = info.ipv6_next_hop;
  peer->source = {info.group->role, info.router_id, info.four_octet_as, settings_.router_id, info.group->cluster_id, info.group->local_as,
                  info.group->heeds_graceful_shutdown, settings_.cluster_ids, !info.group->client_to_client};
  peer->source.long_lived_stale = info.group->long_lived_stale_time.count() > 0;
  drop_stale(info.peer, restarts_.established(info));
  peer->record.quota = make_quota(info.group->prefix_limits);
  peer->context.disable_family_on_error = true;
  if (observer_ != nullptr) observer_->on_session_up(info, peer->incarnation);
  to_all_ribs(PeerUp{info.peer, info.address, info.group->role, info.group->name, info.group->cluster_id, peer->record.quota,
                     {peer->incarnation, info.address, info.peer_as, info.router_id, info.add_path_receive}});
  if (journal_ != nullptr) journal_->know_peer(info.peer, info.address);
  tell(rib::JournalEvent::peer_up, info.peer, families_text(info.families));
  if (!start_is_over_) start_waits_for(*peer);
  bool rtc = info.families.contains(Family::rtc);
  bool vpn = info.families.contains(Family::vpnv4) || info.families.contains(Family::vpnv6) || info.families.contains(Family::evpn);
  if (rtc) {
    RtcGroup group;
    group.role = info.group->role;
    group.local_address = info.local_address;
    group.advertise = info.group->rtc_advertise;
    group.four_octet_as = info.four_octet_as;
    if (group.role == PeerRole::external) {
      group.only = info.peer;
      group.local_as = info.group->local_as;
    }
    std::uint8_t external_paths = group.role == PeerRole::external ? info.group->rtc_external_paths : std::uint8_t{0};
    if (settings_.policies != nullptr) group.export_policy = settings_.policies->export_of(info.group->name);
    to_rtc(RtcJoin{info.peer, peer->incarnation, self_, group, external_paths, info.group->name});
  } else if (vpn) {
    begin_without_rtc(*peer);
  }
  peers_[info.peer.value] = std::move(peer);
  distribution_.peer_up(info, now);
  // Its memberships from before stay the filter, what it says now joins them, until its End-of-RIB (pitfall 1.8).
  auto kept = kept_memberships_.extract(info.peer);
  if (kept.empty()) return;
  for (const wire::RtMembership& nlri : kept.mapped().memberships.all()) distribution_.add_membership(info.peer, nlri);
  find(info.peer)->not_said_again = std::move(kept.mapped().memberships);
  memberships_complete(*find(info.peer));
}

void Shard::on_closed(PeerId id, session::CloseReason reason) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  peer->end.reason = reason;
  if (observer_ != nullptr) observer_->on_session_down(peer->record.info, peer->incarnation, peer->end);
  if (reason == session::CloseReason::shutdown) {  // the daemon ends: nobody is sent withdrawals just before their Cease
    distribution_.peer_down(id);
    peers_[id.value].reset();
    return;
  }
  if (const Membership* m = distribution_.membership(id); m != nullptr && m->size() != 0 && !peer->record.info.families.contains(Family::rtc))
    to_rtc(proxy_memberships(peer->record.info, m->all(), false));
  const session::EstablishedPeer& info = peer->record.info;
  if (!start_is_over_) start_no_longer_waits_for(*peer, info.families);
  RestartHelper::Loss loss;
  if (info.restart_capable && session::is_restart(reason, info.restart_on_notification)) {
    // A second restart before the End-of-RIB: what was stale before goes (RFC 4724 §4.2).
    if (peer->not_said_again && restarts_.state(id).stale.contains(Family::rtc)) sweep_memberships(*peer);
    loss = restarts_.lost(info);
  } else {
    restarts_.forget(id);
  }
  if (info.families.contains(Family::rtc)) {
    const Membership* memberships = distribution_.membership(id);
    if (memberships != nullptr && memberships->size() != 0) {
      if (loss.kept.contains(Family::rtc)) kept_memberships_[id] = {info.address, peer->source.role, *memberships};
      else to_rtc(RtcUpdate{id, info.address, peer->source.role, nullptr, memberships->all()});
    }
    to_rtc(RtcLeave{id});
  }
  distribution_.peer_down(id);
  peers_[id.value].reset();
  tell(rib::JournalEvent::peer_down, id, session::close_reason_name(reason));
  if (!loss.kept.empty()) tell(rib::JournalEvent::routes_kept, id, families_text(loss.kept));
  to_all_ribs(PeerDown{id, loss.kept, loss.kept_older});
  if (!loss.long_lived.empty()) to_all_ribs(PeerStaleLong{id, loss.long_lived});
}

void Shard::on_notification(PeerId id, const wire::Notification& notification, bool is_sent) {
  Peer* peer = observer_ != nullptr ? find(id) : nullptr;
  if (peer == nullptr) return;
  peer->end.notification = notification;
  peer->end.is_sent = is_sent;
}

void Shard::observe(ShardObserver* observer) {
  observer_ = observer;
  rib_.observe(observer);
  if (evpn_ != nullptr) evpn_->observe(observer);
  if (observer == nullptr) return;
  for (const auto& peer : peers_)
    if (peer != nullptr) observer->on_session_up(peer->record.info, peer->incarnation);
}

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
  tell(rib::JournalEvent::routes_purged, id, families_text(families));
  to_all_ribs(PeerPurge{id, families, true});
}

void Shard::run_restarts() {
  for (const RestartHelper::Due& due : restarts_.run(now_)) {
    drop_stale(due.peer, due.dropped);
    if (due.long_lived.empty()) continue;
    tell(rib::JournalEvent::long_lived, due.peer, families_text(due.long_lived));
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

void Shard::send_again() {
  for (const auto& peer : peers_) {
    if (peer == nullptr) continue;
    for (Family family : {Family::vpnv4, Family::vpnv6, Family::evpn}) distribution_.refresh(peer->record.info.peer, family);
  }
}

const Shard::PeerRecord* Shard::peer_record(PeerId id) const {
  const Peer* peer = find(id);
  return peer == nullptr ? nullptr : &peer->record;
}

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

// --- UPDATE ---------------------------------------------------------------------------------------------------------

void Shard::note_trouble(PeerId id, std::string text, Bytes body) {
  constexpr std::size_t kMostKept = 4096;
  if (troubles_.size() <= id.value) troubles_.resize(id.value + 1);
  if (!troubles_[id.value]) troubles_[id.value] = std::make_unique<Trouble>();
  Trouble& trouble = *troubles_[id.value];
  trouble.text = std::move(text);
  trouble.message.assign(16, 0xff);
  ByteWriter out(trouble.message);
  out.u16(static_cast<std::uint16_t>(wire::kHeaderSize + body.size()));
  out.u8(static_cast<std::uint8_t>(wire::MessageType::update));
  out.bytes(body.first(std::min(body.size(), kMostKept - wire::kHeaderSize)));
}

// The family cannot be followed any more: what the peer sent of it goes, what it will send is ignored until the session
// restarts (RFC 4760 §7, RFC 7606 §2 "AFI/SAFI disable"). The other families, and what we send, go on.
// Deviation: an RT membership attribute that cannot be read is left out by itself, what is known stays: disabling the
// family would take all VPN routes from the peer (pitfall 1.14).
void Shard::disable_family(Peer& peer, Family family) {
  if (family == Family::rtc) {
    counters_.rtc_invalid.add();
    return;
  }
  PeerId id = peer.record.info.peer;
  peer.context.families.erase(family);
  peer.record.disabled.insert(family);
  peer.serial = 0;
  restarts_.end_of_rib(id, family);
  if (!start_is_over_) start_no_longer_waits_for(peer, wire::FamilySet::of(family));
  if (!wire::has_route_targets(family)) return;
  tell(rib::JournalEvent::routes_purged, id, families_text(wire::FamilySet::of(family)));
  to_all_ribs(PeerPurge{id, wire::FamilySet::of(family), false});
}

void Shard::note_errors(Peer& peer, const wire::UpdateView& view, Bytes body) {
  std::size_t noted = std::min(view.error_count, view.errors.size());
  for (std::size_t i = 0; i < noted; ++i) {
    const wire::UpdateError& e = view.errors[i];
    counters_.update_errors[static_cast<std::size_t>(e.action)][e.attribute].add();
  }
  if (noted > 0) {
    const wire::UpdateError& e = view.errors[0];
    note_trouble(peer.record.info.peer, std::string(wire::attribute_name(e.attribute)) + ": " + e.reason, body);
  }
}

std::optional<wire::Notification> Shard::on_update(PeerId id, Bytes body) {
  Peer* found = find(id);
  if (found == nullptr) return std::nullopt;
  Peer& peer = *found;
  counters_.updates_in.add();
  if (observer_ != nullptr) observer_->on_update(peer.record.info, body);
  if (read_at_us_ == 0) {
    read_at_us_ = microseconds();
    rib_.read_at(read_at_us_);
    if (evpn_ != nullptr) evpn_->read_at(read_at_us_);
  }
  auto decoded = wire::decode_update(body, peer.context);
  if (!decoded) {
    counters_.update_errors[static_cast<std::size_t>(wire::UpdateErrorAction::reset)][0].add();
    note_trouble(id, "session reset: " + wire::format_notification(decoded.error()), body);
    return std::move(decoded.error());
  }
  const wire::UpdateView& view = *decoded;
  if (view.error_count > 0) note_errors(peer, view, body);
  if (!view.disabled.empty())
    for (Family f : {Family::vpnv4, Family::vpnv6, Family::evpn, Family::rtc, Family::ipv4_unicast, Family::ipv6_unicast})
      if (view.disabled.contains(f)) disable_family(peer, f);
  if (view.end_of_rib) {
    receive_end_of_rib(peer, *view.end_of_rib);
    return std::nullopt;
  }
  // A prefix that is in both parts of one message is announced, not withdrawn (wire 2.6).
  if (view.unreach) {
    Bytes announced;
    if (view.reach && view.reach->family == view.unreach->family) announced = view.reach->nlri;
    if (view.unreach->family == Family::rtc) receive_memberships(peer, nullptr, nullptr, view.unreach->nlri);
    else if (view.unreach->family == Family::evpn) withdraw_evpn(peer, view.unreach->nlri, announced);
    else if (is_vpn(view.unreach->family)) {
      unmark(peer, view.unreach->family, view.unreach->nlri, true);
      withdraw(peer, view.unreach->family, view.unreach->nlri, announced, false);
    }
  }
  if (view.withdrawn_reach) {
    if (view.withdrawn_reach->family == Family::rtc) receive_memberships(peer, nullptr, nullptr, view.withdrawn_reach->nlri);
    else if (view.withdrawn_reach->family == Family::evpn) withdraw_evpn(peer, view.withdrawn_reach->nlri, {});
    if (is_vpn(view.withdrawn_reach->family)) {
      refuse(peer, Refusal::treated_as_withdraw, view.withdrawn_reach->family, view.withdrawn_reach->nlri);
      unmark(peer, view.withdrawn_reach->family, view.withdrawn_reach->nlri, false);
      withdraw(peer, view.withdrawn_reach->family, view.withdrawn_reach->nlri, {}, true);
    }
  }
  if (view.reach) {
    if (view.reach->family == Family::rtc) receive_memberships(peer, &view, &*view.reach, view.reach->nlri);
    else if (wire::has_route_targets(view.reach->family)) announce(peer, view, *view.reach);
  }
  return std::nullopt;
}

// The memo of the last attributes: family, next hop, then type, flags and value of each in the order received.
bool Shard::same_attributes(const Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach) {
  if (peer.serial == 0) return false;
  const std::uint8_t* p = peer.last_raw.data();
  const std::uint8_t* end = p + peer.last_raw.size();
  auto equal = [&](Bytes bytes) {
    if (static_cast<std::size_t>(end - p) < bytes.size() || std::memcmp(p, bytes.data(), bytes.size()) != 0) return false;
    p += bytes.size();
    return true;
  };
  std::uint8_t head[2] = {static_cast<std::uint8_t>(reach.family), static_cast<std::uint8_t>(reach.next_hop.size())};
  if (!equal(head) || !equal(reach.next_hop)) return false;
  for (std::size_t i = 0; i < view.attribute_count; ++i) {
    const wire::AttributeView& a = view.attributes[i];
    std::uint8_t h[4] = {a.flags, a.type, static_cast<std::uint8_t>(a.value.size() >> 8), static_cast<std::uint8_t>(a.value.size())};
    if (!equal(h) || !equal(a.value)) return false;
  }
  return p == end;
}

void Shard::remember_attributes(Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach) {
  auto& raw = peer.last_raw;
  raw.clear();
  auto add = [&](Bytes b) { raw.insert(raw.end(), b.begin(), b.end()); };
  std::uint8_t head[2] = {static_cast<std::uint8_t>(reach.family), static_cast<std::uint8_t>(reach.next_hop.size())};
  add(head);
  add(reach.next_hop);
  for (std::size_t i = 0; i < view.attribute_count; ++i) {
    const wire::AttributeView& a = view.attributes[i];
    std::uint8_t h[4] = {a.flags, a.type, static_cast<std::uint8_t>(a.value.size() >> 8), static_cast<std::uint8_t>(a.value.size())};
    add(h);
    add(a.value);
  }
  peer.serial = next_serial_++;
}

void Shard::announce(Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach) {
  PeerId id = peer.record.info.peer;
  bool fresh = !same_attributes(peer, view, reach);
  if (fresh) {
    Exclusion exclusion = canonicaliser_.build(view, reach.next_hop, peer.source, canonical_);
    // By the route targets it came with: what a policy makes of them has no say in where a route is held.
    if (exclusion == Exclusion::none && settings_.slice != nullptr && !settings_.slice->holds_route(canonical_.targets)) exclusion = Exclusion::other_plane;
    peer.last_excluded = exclusion != Exclusion::none;
    if (!peer.last_excluded && settings_.attribute_bytes != 0 && canonical_.bytes.size() > settings_.attribute_bytes) {
      peer.last_excluded = true;
      counters_.discarded_by_size.add();
      exclusion = Exclusion::too_long;
      peer.last_refusal = Refusal::attribute_size;
    } else if (peer.last_excluded) {
      peer.last_refusal = static_cast<Refusal>(static_cast<std::size_t>(exclusion) - 1);
    }
    remember_attributes(peer, view, reach);
    peer.last_owned.reset();
    if (exclusion == Exclusion::too_long || (!peer.last_excluded && (canonical_.scope & rib::scope::extended_size) != 0)) note_oversize(peer);
    if (peer.last_excluded) counters_.excluded[static_cast<std::size_t>(exclusion)].add();
    else if (mailboxes_.shards() > 1) peer.last_owned = std::make_shared<const OwnedAttributes>(canonical_);
  }
  if (peer.last_excluded) {
    // A looped route is not used; what the peer announced before for these prefixes is gone (RFC 4271 §9).
    if (reach.family == Family::evpn) return withdraw_evpn(peer, reach.nlri, {});
    refuse(peer, peer.last_refusal, reach.family, reach.nlri);
    unmark(peer, reach.family, reach.nlri, false);
    withdraw(peer, reach.family, reach.nlri, {}, true);
    return;
  }
  if (reach.family == Family::evpn) return announce_evpn(peer, reach);
  if (peer.marked != nullptr && take_marked(peer, reach, fresh)) return;
  bool has_path_id = peer.context.add_path_receive.contains(reach.family);
  // With one shard the store still has the attributes of this serial, or canonical_ is of this very message.
  route(id, reach.family, has_path_id, false, reach.nlri, peer.serial, peer.last_owned, [&](Bytes nlri) {
    rib_.announce(id, reach.family, has_path_id, peer.serial, peer.last_owned != nullptr ? peer.last_owned->view() : canonical_, nlri);
  });
}

void Shard::refuse(const Peer& peer, Refusal refusal, Family family, Bytes nlri) {
  bool has_path_id = peer.context.add_path_receive.contains(family);
  rib_.refusals().note_all(peer.record.info.peer, refusal, family, nlri, has_path_id, static_cast<std::uint32_t>(now_ms_ / 1000));
}

void Shard::withdraw(Peer& peer, Family family, Bytes nlri, Bytes not_these, bool nlri_is_announcement) {
  PeerId id = peer.record.info.peer;
  bool has_path_id = peer.context.add_path_receive.contains(family);
  bool is_v6 = family == Family::vpnv6;
  if (!not_these.empty() || nlri_is_announcement) {
    // Rewritten as plain withdrawals, without the prefixes that the same message announces.
    struct Key {
      std::uint64_t rd;
      std::uint32_t path_id;
      std::uint8_t length;
      std::array<std::uint8_t, 16> prefix;
      bool operator==(const Key&) const = default;
    };
    struct Hash {
      std::size_t operator()(const Key& k) const { return boost::hash_range(k.prefix.begin(), k.prefix.end()) ^ k.rd ^ k.length ^ k.path_id; }
    };
    auto key_of = [](const wire::VpnNlri& n) {
      Key k{n.rd.value, n.path_id, n.length, {}};
      unsigned octets = (n.length + 7u) / 8;
      std::copy(n.prefix, n.prefix + octets, k.prefix.begin());
      if (n.length % 8 != 0) k.prefix[octets - 1] &= static_cast<std::uint8_t>(0xff << (8 - n.length % 8));
      return k;
    };
    boost::unordered_flat_set<Key, Hash> announced;
    wire::VpnNlri one;
    wire::VpnNlriReader reach(not_these, is_v6, false, has_path_id);
    while (reach.next(one) == NlriStatus::ok) announced.insert(key_of(one));
    filtered_.clear();
    ByteWriter out(filtered_);
    wire::VpnNlriReader reader(nlri, is_v6, !nlri_is_announcement, has_path_id);
    while (reader.next(one) == NlriStatus::ok) {
      Key k = key_of(one);
      if (announced.contains(k)) continue;
      if (has_path_id) out.u32(one.path_id);
      out.u8(static_cast<std::uint8_t>(88 + one.length));
      out.u24(0x800000);
      out.u64(one.rd.value);
      out.bytes(Bytes(k.prefix.data(), (one.length + 7u) / 8));
    }
    nlri = filtered_;
  }
  route(id, family, has_path_id, true, nlri, 0, nullptr, [&](Bytes mine) { rib_.withdraw(id, family, has_path_id, mine); });
}

// Sends each entry to the RIB shard it belongs to; `local` takes what belongs here.
template <class Local>
void Shard::route(PeerId peer, Family family, bool has_path_id, bool is_withdrawal, Bytes nlri, std::uint64_t serial,
                  const std::shared_ptr<const OwnedAttributes>& attributes, Local&& local) {
  std::uint32_t shards = mailboxes_.shards();
  if (shards == 1) {
    local(nlri);
    return;
  }
  wire::VpnNlriReader reader(nlri, family == Family::vpnv6, is_withdrawal, has_path_id);
  wire::VpnNlri one;
  const std::uint8_t* begin = nlri.data();
  for (auto& part : parts_) part.clear();
  while (reader.next(one) == NlriStatus::ok) {
    const std::uint8_t* end = one.prefix + (one.length + 7u) / 8;
    std::uint8_t first = one.length == 0 ? 0 : one.prefix[0];
    if (one.length > 0 && one.length < 8) first &= static_cast<std::uint8_t>(0xff << (8 - one.length));
    if (settings_.rib.quotas.max_paths_per_rd != 0) first = 0;  // all of an RD in one shard: it alone counts the paths
    auto& part = parts_[shard_of(one.rd.value, first, shards)];
    part.insert(part.end(), begin, end);
    begin = end;
  }
  for (std::uint32_t s = 0; s < shards; ++s) {
    if (parts_[s].empty()) continue;
    if (s == self_) {
      local(parts_[s]);
      continue;
    }
    sent_bytes_ += parts_[s].size();
    // Entries with the attributes of the message before join it.
    Updates* last = outbox_[s].empty() ? nullptr : std::get_if<Updates>(&outbox_[s].back());
    if (last != nullptr && last->peer == peer && last->family == family && last->serial == serial && last->attributes == attributes) {
      last->nlri.insert(last->nlri.end(), parts_[s].begin(), parts_[s].end());
    } else {
      outbox_[s].push_back(Updates{peer, family, has_path_id, serial, attributes, parts_[s], read_at_us_});
    }
  }
}

// What limited external peers said is ranked first (RtcRib).
void Shard::memberships_complete(const Peer& peer) {
  PeerId id = peer.record.info.peer;
  if (peer.source.role == PeerRole::external && peer.record.info.group->rtc_external_paths != 0) to_rtc(RtcComplete{id});
  else distribution_.rtc_end_of_rib(id);
}

// RT membership routes change the peer's own filter here and are best-pathed on shard 0. `reach` null: withdrawals.
void Shard::receive_memberships(Peer& peer, const wire::UpdateView* view, const wire::ReachView* reach, Bytes nlri) {
  PeerId id = peer.record.info.peer;
  RtcUpdate update{id, peer.record.info.address, peer.source.role, nullptr, {}};
  std::vector<wire::RtMembership> refused;
  bool announced = reach != nullptr;
  if (announced) {
    Exclusion exclusion = canonicaliser_.build(*view, reach->next_hop, peer.source, canonical_);
    if (exclusion != Exclusion::none) {
      counters_.excluded[static_cast<std::size_t>(exclusion)].add();
      announced = false;
    } else {
      update.attributes = std::make_shared<const OwnedAttributes>(canonical_);
    }
    peer.serial = 0;  // the memo is about VPN routes
  }
  wire::RtcNlriReader reader(nlri, peer.context.add_path_receive.contains(Family::rtc));
  wire::RtMembership membership;
  std::uint32_t path_id = 0;
  for (;;) {
    auto status = reader.next(membership, path_id);
    if (status == wire::RtcNlriReader::Status::end || status == wire::RtcNlriReader::Status::malformed) break;
    if (status == wire::RtcNlriReader::Status::invalid) {
      counters_.rtc_invalid.add();  // 1..31 bits: as if withdrawn, alone (DESIGN §3)
      continue;
    }
    if (peer.not_said_again) peer.not_said_again->remove(membership);
    if (announced && !policy_accepts(peer, membership)) {
      counters_.memberships_refused.add();
      if (!peer.refused.contains(membership) && peer.record.quota && !admits_membership(peer, membership)) {
        distribution_.remove_membership(id, membership);
        refused.push_back(membership);
        continue;  // not kept for other policies to come: discarded[] has the peer asked again where a limit gives way
      }
      peer.refused[membership] = update.attributes;
      distribution_.remove_membership(id, membership);
      refused.push_back(membership);
      continue;
    }
    if (!peer.refused.empty()) peer.refused.erase(membership);
    if (announced && peer.record.quota && !admits_membership(peer, membership)) continue;
    if (announced) distribution_.add_membership(id, membership);
    else distribution_.remove_membership(id, membership);
    if (announced && membership.matches_everything()) to_rtc(RtcUnfilteredPeer{});
    update.memberships.push_back(membership);
  }
  if (!update.memberships.empty()) to_rtc(std::move(update));
  if (!refused.empty()) to_rtc(RtcUpdate{id, peer.record.info.address, peer.source.role, nullptr, std::move(refused)});
}

// --- Policies -------------------------------------------------------------------------------------------------------

void Shard::set_policies(const std::shared_ptr<const RoutePolicies>& policies) {
  settings_.policies = policies;
  std::vector<std::pair<std::uint8_t, std::uint8_t>> moves = distribution_.set_policies(policies);
  move_requests();  // classes that are new
  to_all_ribs(PolicyChange{policies, self_, std::move(moves)});
  if (rtc_ != nullptr) rtc_->set_policies(policies);
  for (auto& peer : peers_)
    if (peer != nullptr && peer->record.info.families.contains(Family::rtc)) judge_memberships(*peer);
}

// --- Turns ----------------------------------------------------------------------------------------------------------

void Shard::to_rib(std::uint32_t shard, Message&& message) {
  if (shard == self_) rib_.handle(std::move(message));
  else outbox_[shard].push_back(std::move(message));
}

void Shard::to_evpn(std::uint32_t shard, Message&& message) {
  if (shard == self_) evpn_->handle(std::move(message));
  else evpn_outbox_[shard].push_back(std::move(message));
}

void Shard::to_all_ribs(const Message& message) {
  for (std::uint32_t s = 0; s < mailboxes_.shards(); ++s) {
    to_rib(s, Message(message));
    if (evpn_ != nullptr) to_evpn(s, Message(message));
  }
}

void Shard::to_rtc(Message&& message) {
  if (rtc_ != nullptr) handle_rtc(std::move(message));
  else outbox_[0].push_back(std::move(message));
}

void Shard::handle_rtc(Message&& message) {
  if (observer_ != nullptr)
    if (const auto* update = std::get_if<RtcUpdate>(&message); update != nullptr && !update->is_proxy) observer_->on_memberships(*update);
  rtc_->handle(std::move(message));
}

// `source`: the shard it came from, beyond the last one for its slice of EVPN.
void Shard::dispatch(std::uint32_t source, Message&& message) {
  switch (message.index()) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7: case 8: case 9: case 10: case 11: case 12: case 13:  // up to Ack
      (source < mailboxes_.shards() ? rib_ : *evpn_).handle(std::move(message));
      break;
    default:
      if (auto* admission = std::get_if<RtcAdmission>(&message)) {
        Peer* peer = find(admission->peer);
        if (peer != nullptr && peer->incarnation == admission->incarnation) distribution_.admit(*admission);
      } else if (auto* output = std::get_if<RtcOutput>(&message)) {
        for (const RtcOutput::Recipient& recipient : output->recipients) {
          Peer* peer = find(recipient.peer);
          if (peer == nullptr || peer->incarnation != recipient.incarnation) continue;
          if (output->kind == RtcOutput::Kind::image) distribution_.push_rtc_image(recipient.peer, output->bytes);
          else if (output->kind == RtcOutput::Kind::refresh) distribution_.push_rtc_refresh(recipient.peer, output->bytes);
          else distribution_.push_bytes(recipient.peer, output->bytes);
        }
      } else if (std::holds_alternative<RtcUpdate>(message) || std::holds_alternative<RtcJoin>(message) ||
                 std::holds_alternative<RtcLeave>(message) || std::holds_alternative<RtcRefresh>(message) ||
                 std::holds_alternative<RtcUnfilteredPeer>(message) || std::holds_alternative<RtcComplete>(message)) {
        handle_rtc(std::move(message));
      } else if (auto* reached = std::get_if<LimitReached>(&message)) {
        limit_reached(*reached);
      } else if (is_of_observer(message)) {
        if (observer_ != nullptr) observer_->on_walk(source, std::move(message));
      } else if (auto* mark = std::get_if<CanaryMark>(&message)) {
        marks_.push_back(std::move(*mark));
      } else {
        distribution_.handle(source, std::move(message));
      }
  }
}
static_assert(std::is_same_v<std::variant_alternative_t<13, Message>, Ack>);

void Shard::take_mail() {
  for (std::uint32_t from = 0; from < mailboxes_.shards(); ++from) {
    if (from == self_) continue;
    std::uint32_t source = from;
    bool measured = false;
    for (Message& m : mailboxes_.take(from, self_)) {
      if (auto* output = std::get_if<Output>(&m); output != nullptr && !measured && output->batch->encoded_at_us != 0) {
        std::uint64_t now = microseconds();
        counters_.observe(LatencyStage::queue, now - std::min(now, output->batch->encoded_at_us));
        measured = true;  // the first one has waited longest
      }
      if (auto* mark = std::get_if<EvpnMail>(&m)) source = mark->begins ? from + mailboxes_.shards() : from;
      else dispatch(source, std::move(m));
    }
  }
}

// What the distribution asks of RIB shards. Returns whether the one here got something.
bool Shard::move_requests() {
  bool local = false;
  auto& requests = distribution_.requests();
  for (std::uint32_t r = 0; r < requests.size(); ++r) {
    std::uint32_t s = r % mailboxes_.shards();
    for (Message& m : std::exchange(requests[r], {})) {
      local = local || s == self_;
      if (r < mailboxes_.shards()) to_rib(s, std::move(m));
      else to_evpn(s, std::move(m));
    }
  }
  return local;
}

// What the RIBs here say to session shards. Returns whether the distribution here got something.
bool Shard::move_streams() {
  bool local = false;
  auto move = [&](std::vector<std::vector<Message>>& streams, std::uint32_t source, std::vector<std::vector<Message>>& outbox) {
    for (std::uint32_t s = 0; s < streams.size(); ++s) {
      if (streams[s].empty()) continue;
      if (s == self_) {
        local = true;
        for (Message& m : std::exchange(streams[s], {})) dispatch(source, std::move(m));
      } else {
        for (Message& m : streams[s]) outbox[s].push_back(std::move(m));
        streams[s].clear();
      }
    }
  };
  move(rib_.streams(), self_, outbox_);
  if (evpn_ != nullptr) move(evpn_->streams(), self_ + mailboxes_.shards(), evpn_outbox_);
  if (rtc_ != nullptr) move(rtc_->streams(), self_, outbox_);
  return local;
}

void Shard::post() {
  for (std::uint32_t s = 0; s < outbox_.size(); ++s) {
    if (!evpn_outbox_[s].empty()) {
      outbox_[s].push_back(EvpnMail{true});
      std::ranges::move(evpn_outbox_[s], std::back_inserter(outbox_[s]));
      outbox_[s].push_back(EvpnMail{false});
      evpn_outbox_[s].clear();
    }
    if (outbox_[s].empty()) continue;
    mailboxes_.send(self_, s, outbox_[s]);
    mailboxes_.wake(s);
  }
  distribution_.requests_sent();
  sent_bytes_ = 0;
}

// Since start; 0 when there is no clock, or before the first turn.
std::uint64_t Shard::microseconds() const { return microseconds_at(control_.clock()); }

std::uint64_t Shard::microseconds_at(TimePoint time) const {
  if (time == TimePoint{} || start_ == TimePoint{}) return 0;
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::max(time, start_) - start_).count()) + 1;
}

void Shard::seal_and_measure(RibShard& rib) {
  std::uint64_t begin = microseconds(), read_at = rib.read_at();
  auto turn = rib.shared().turn;
  rib.encoding_begins(begin);
  rib.seal_turn();
  if (rib.shared().turn == turn || begin == 0) return;
  if (read_at != 0) counters_.observe(LatencyStage::decide, begin - std::min(begin, read_at));
  counters_.observe(LatencyStage::encode, microseconds() - begin);
}

session::TurnResult Shard::run_turn(TimePoint now) {
  if (start_ == TimePoint{}) start_ = mailboxes_.start(now);
  now_ = now;
  now_ms_ = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(std::max(now, start_) - start_).count()) + 1;
  if (journal_ != nullptr) journal_->begin_turn(now_ms_);
  rib_.observe_batches();
  if (evpn_ != nullptr) evpn_->observe_batches();
  run_restarts();
  if (!start_is_over_) run_start();
  take_mail();
  // Changes first: what was there before a membership changed goes out under the old one.
  seal_and_measure(rib_);
  if (evpn_ != nullptr) seal_and_measure(*evpn_);
  if (rtc_ != nullptr) {
    rtc_->run_turn();
    if (std::uint64_t oversize = rtc_->take_oversize(); oversize != 0) counters_.discarded_by_message.add(oversize);
  }
  move_streams();
  if (canary_ != nullptr) run_canary();
  session::TurnResult result;
  result.wake_at = distribution_.run_turn(now, now_ms_);
  if (!start_is_over_) {
    TimePoint at = start_ + mailboxes_.start_deferral().next_time(now - start_);
    result.wake_at = result.wake_at ? std::min(*result.wake_at, at) : at;
  }
  if (auto at = restarts_.next_deadline()) result.wake_at = result.wake_at ? std::min(*result.wake_at, *at) : *at;
  move_requests();
  result.more_work = rib_.run_turn(now_ms_);
  if (evpn_ != nullptr && evpn_->run_turn(now_ms_)) result.more_work = true;
  move_streams();
  // Answers of the streams (acknowledgements, next requests) are taken at once.
  if (move_requests()) result.more_work = true;
  post();
  if (observer_ != nullptr && observer_->on_turn()) result.more_work = true;
  if (distribution_.has_work() || (rtc_ != nullptr && rtc_->has_work())) result.more_work = true;
  walks_waiting_ = distribution_.walks_in_progress() > 0;
  if (!may_read()) {
    TimePoint soon = now + std::chrono::milliseconds(1);  // another shard may be the one that is behind
    result.wake_at = result.wake_at ? std::min(*result.wake_at, soon) : soon;
  }
  counters_.turns.add();
  read_at_us_ = 0;
  rib_.end_measure();
  if (evpn_ != nullptr) evpn_->end_measure();
  publish();
  if (journal_ != nullptr) journal_->end_turn();
  return result;
}

bool Shard::may_read() const {
  for (std::uint32_t r = 0; r < mailboxes_.shards(); ++r)
    if (mailboxes_.retained(r).changes->bytes.load(std::memory_order_relaxed) > static_cast<std::int64_t>(settings_.distribution.change_bytes))
      return false;
  return mailboxes_.shards() == 1 || mailboxes_.pending_bytes(self_) < settings_.mailbox_bytes;
}

std::size_t Shard::gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) { return distribution_.gather(peer, out, max_bytes); }

void Shard::consumed(PeerId peer, std::size_t bytes) {
  if (observer_ != nullptr && observer_->wants_output()) {
    std::array<iovec, 128> parts;  // more than a write has
    observer_->on_sent(peer, std::span(parts).first(distribution_.gather(peer, parts, bytes)), rest_of_message(peer).size());
  }
  PeerOutput::Written written = distribution_.consumed(peer, bytes);
  if (written.read_at_us != 0) {
    std::uint64_t now = microseconds();
    counters_.observe(LatencyStage::total, now - std::min(now, written.read_at_us));
    counters_.observe(LatencyStage::write, now - std::min(now, written.encoded_at_us));
  }
  if (!walks_waiting_) return;
  // Images were sent: walks may go on. Once per turn is enough.
  walks_waiting_ = false;
  control_.wake();
  for (std::uint32_t s = 0; s < mailboxes_.shards(); ++s)
    if (s != self_) mailboxes_.wake(s);
}

bool Shard::has_output(PeerId peer) const {
  const PeerOutput* output = distribution_.output(peer);
  return output != nullptr && !output->empty();
}

bool Shard::at_message_boundary(PeerId peer) const {
  const PeerOutput* output = distribution_.output(peer);
  return output == nullptr || output->at_message_boundary();
}

Bytes Shard::rest_of_message(PeerId peer) const {
  const PeerOutput* output = distribution_.output(peer);
  return output == nullptr ? Bytes() : output->rest_of_message();
}

rib::MemoryAccount Shard::memory() const {
  rib::MemoryAccount sum = rib_.shared().memory;
  if (evpn_ == nullptr) return sum;
  const rib::MemoryAccount& evpn = std::as_const(*evpn_).shared().memory;
  for (std::size_t k = 0; k < rib::kMemoryKinds; ++k) {
    sum.bytes[k] += evpn.bytes[k];
    sum.objects[k] += evpn.objects[k];
  }
  return sum;
}

void Shard::publish() {
  rib::RibCounters sum;
  Admission::Discarded discarded;
  std::uint64_t attribute_sets = 0, rt_sets = 0, walks = 0;
  for (RibShard* rib : {&rib_, evpn_.get()}) {
    if (rib == nullptr) continue;
    const rib::RibShared& shared = rib->shared();
    attribute_sets += shared.attributes.size();
    rt_sets += shared.provenances.rt_set_count();
    walks += rib->walks_in_progress();
    for (std::size_t f = 0; f < wire::kFamilyCount; ++f) {
      sum.prefixes[f] += shared.counters.prefixes[f];
      sum.paths[f] += shared.counters.paths[f];
      sum.best_changes[f] += shared.counters.best_changes[f];
      sum.stale[f] += shared.counters.stale[f];
    }
    discarded.by_rd += rib->discarded().by_rd;
    discarded.by_rt_set += rib->discarded().by_rt_set;
    discarded.by_limit += rib->discarded().by_limit;
    discarded.by_label_stacks += rib->discarded().by_label_stacks;
    sum.decisions += shared.counters.decisions;
    sum.duplicates += shared.counters.duplicates;
    sum.unknown_withdrawals += shared.counters.unknown_withdrawals;
  }
  counters_.attribute_sets.set(attribute_sets);
  counters_.rt_sets.set(rt_sets);
  counters_.memory_bytes.set(static_cast<std::uint64_t>(memory().total_bytes()));
  counters_.walks.set(walks);
  counters_.lag_events.set(distribution_.lag_events());
  if (discarded.by_rd > counters_.discarded_by_rd.get() || discarded.by_rt_set > counters_.discarded_by_rt_set.get()) note_quotas(discarded.by_rd, discarded.by_rt_set);
  counters_.discarded_by_rd.set(discarded.by_rd);
  counters_.discarded_by_rt_set.set(discarded.by_rt_set);
  if (discarded.by_label_stacks > counters_.discarded_by_label_stacks.get()) note_label_stacks(discarded.by_label_stacks);
  counters_.discarded_by_label_stacks.set(discarded.by_label_stacks);
  if (discarded.by_limit != routes_limited_) {
    counters_.discarded_by_limit.add(discarded.by_limit - routes_limited_);
    routes_limited_ = discarded.by_limit;
  }
  for (std::size_t f = 0; f < wire::kFamilyCount; ++f) {
    counters_.prefixes[f].set(sum.prefixes[f]);
    counters_.paths[f].set(sum.paths[f]);
    counters_.best_changes[f].set(sum.best_changes[f]);
    counters_.stale_paths[f].set(sum.stale[f]);
  }
  counters_.decisions.set(sum.decisions);
  counters_.duplicates.set(sum.duplicates);
  counters_.unknown_withdrawals.set(sum.unknown_withdrawals);
}

}  // namespace helio::reflector

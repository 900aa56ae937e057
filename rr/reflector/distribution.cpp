// Distribution: peers, encoding classes, and the delivery of each batch. What peers ask for is in distribution_members.cpp, walks and
// slow peers in distribution_walks.cpp, what others ask of it in distribution_views.cpp.
#include "rr/reflector/distribution.hpp"

#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/base/vectors.hpp"
#include "rr/reflector/reflection.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::reflector {

using rib::kNoId;
using session::PeerRole;
using wire::Family;

namespace {

constexpr wire::FamilySet vpn_families() {
  wire::FamilySet f;
  f.insert(Family::vpnv4);
  f.insert(Family::vpnv6);
  f.insert(Family::evpn);
  return f;
}

}  // namespace

// Bytes that are never dropped for a slow peer.
rib::BatchRef Distribution::make_bytes(const std::vector<std::uint8_t>& bytes) const {
  rib::BatchRef batch(new rib::Batch(bytes.size(), small_bytes_));
  std::copy(bytes.begin(), bytes.end(), batch->mutable_data());
  batch->finish(bytes.size());
  batch->family = Family::rtc;
  return batch;
}

Distribution::Distribution(std::uint32_t self, ShardMailboxes& mailboxes, const DistributionLimits& limits, session::SessionControl& control)
    : self_(self), mailboxes_(mailboxes), limits_(limits), control_(control), sources_(mailboxes.sources()), requests_(mailboxes.sources()) {
  for (Family f : {Family::vpnv4, Family::vpnv6, Family::evpn, Family::rtc}) {
    std::vector<std::uint8_t> bytes;
    wire::encode_end_of_rib(bytes, f);
    end_of_rib_[f] = make_bytes(bytes);
  }
}

Distribution::~Distribution() = default;

// --- Peers ----------------------------------------------------------------------------------------------------------

rib::EncodingClass Distribution::encoding_of(const session::EstablishedPeer& info, std::uint8_t export_policy) const {
  rib::EncodingClass encoding;
  encoding.is_external = info.group->role == PeerRole::external;
  encoding.four_octet_as = info.four_octet_as;
  encoding.export_policy = export_policy;
  if (encoding.is_external) {
    encoding.local_as = info.group->local_as;
    if (info.group->next_hop_self) encoding.next_hop_self = info.local_address;
  }
  for (Family f : {Family::vpnv4, Family::vpnv6}) {
    if (!info.families.contains(f)) continue;
    rib::Selection& selection = encoding.selection[f == Family::vpnv6 ? 1 : 0];
    selection.with_path_ids = info.add_path_send.contains(f);
    if (selection.with_path_ids) selection.count = info.group->add_path_send_max[wire::index(f)];
    // Paths from non-clients would take the places of those that a non-client can be sent.
    selection.reflectable = info.group->role == PeerRole::non_client && (selection.with_path_ids || info.group->best_external);
  }
  return encoding;
}

void Distribution::join_class(std::uint8_t id, const rib::EncodingClass& encoding) {
  if (grown(class_peers_, id)++ != 0) return;
  for (std::uint32_t r = 0; r < sources_.size(); ++r) {
    requests_[r].push_back(ClassUp{id, self_, encoding});
    ++grown(sources_[r].classes_awaited, id);
  }
}

void Distribution::leave_class(std::uint8_t id) {
  if (--class_peers_[id] != 0) return;
  for (auto& requests : requests_) requests.push_back(ClassDown{id});
}

std::vector<std::pair<std::uint8_t, std::uint8_t>> Distribution::set_policies(std::shared_ptr<const RoutePolicies> policies) {
  policies_ = std::move(policies);
  std::vector<std::pair<std::uint8_t, std::uint8_t>> moves;
  switches_awaited_.resize(sources_.size(), 0);
  if (policies_ == nullptr) return moves;
  for (std::uint32_t& awaited : switches_awaited_) ++awaited;
  std::vector<Peer*> refused;
  for (Peer* peer : up_) {
    std::uint8_t number = policies_->export_of(peer->info.group->name);
    if (number == peer->export_policy || number == 0) continue;  // numbers only come: 0 becomes another one, nothing else
    rib::EncodingClass encoding = encoding_of(peer->info, number);
    std::optional<std::uint8_t> id = mailboxes_.class_id(encoding);
    if (!id) {
      refused.push_back(peer);
      continue;
    }
    join_class(*id, encoding);
    peer->export_policy = number;
    peer->moving_from = std::exchange(peer->encoding_class, *id);
    std::pair<std::uint8_t, std::uint8_t> move{*peer->moving_from, *id};
    if (std::find(moves.begin(), moves.end(), move) == moves.end()) moves.push_back(move);
  }
  for (Peer* peer : refused)
    control_.close(peer->info.peer, wire::make_cease(wire::cease::out_of_resources, "too many encoding classes"), session::CloseReason::out_of_resources);
  return moves;
}

// RIB shard r encodes by the policies in force from here on in its stream.
void Distribution::policy_switched(std::uint32_t r) {
  --switches_awaited_[r];
  bool all = std::all_of(switches_awaited_.begin(), switches_awaited_.end(), [](std::uint32_t n) { return n == 0; });
  for (Peer* peer : up_) {
    Link& link = peer->links[r];
    if (switches_awaited_[r] == 0) link.encoding_class = peer->encoding_class;
    // What only export classes are told is not found again by its stamp: who is behind starts over.
    if (peer->export_policy != 0 && link.lagging) make_lagging(*peer, true), link.routes_since = 0;
    if (all && peer->moving_from) {
      leave_class(*peer->moving_from);
      peer->moving_from.reset();
    }
  }
  update_lag_marks();
}

void Distribution::set_settings(PeerId id, std::shared_ptr<const session::GroupSettings> group) {
  if (Peer* peer = find(id)) peer->info.group = std::move(group);
}

void Distribution::peer_up(const session::EstablishedPeer& info, TimePoint now) {
  HELIO_CHECK(find(info.peer) == nullptr, "peer established twice");
  std::uint8_t export_policy = policies_ == nullptr ? 0 : policies_->export_of(info.group->name);
  rib::EncodingClass encoding = encoding_of(info, export_policy);
  std::optional<std::uint8_t> id = mailboxes_.class_id(encoding);
  if (!id) {
    control_.close(info.peer, wire::make_cease(wire::cease::out_of_resources, "too many encoding classes"), session::CloseReason::out_of_resources);
    return;
  }
  grown(peers_, info.peer.value) = std::make_unique<Peer>();
  Peer& peer = *peers_[info.peer.value];
  peer.info = info;
  peer.encoding_class = *id;
  peer.export_policy = export_policy;
  peer.links.resize(sources_.size());
  for (Link& link : peer.links) link.encoding_class = *id;
  peer.last_progress = patience_;
  peer.has_vpn = !(info.families & vpn_families()).empty();
  bool rtc = info.families.contains(Family::rtc);
  peer.filtered = rtc || info.group->filters_without_rtc();
  peer.holding = (rtc || deferred_) && peer.has_vpn;
  peer.rtc_image_awaited = rtc;
  peer.rtc_complete = !rtc;
  peer.hold_until = now + info.group->rtc_initial_wait;
  if (rtc && info.group->role == session::PeerRole::external && info.group->rtc_external_paths != 0) peer.said = std::make_unique<Membership>();
  peer.touched_all = true;
  up_.push_back(&peer);
  join_class(*id, encoding);
  if (!rtc)
    for (const wire::RtMembership& nlri : info.group->memberships_without_rtc()) add_membership(info.peer, nlri);
  if (peer.holding) holding_.push_back(info.peer.value);
  else touch(peer);
}

void Distribution::peer_down(PeerId id) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  std::uint32_t number = id.value;
  if (journal_ != nullptr)
    for (const wire::RtMembership& nlri : peer->membership.all()) journal_->write(id, nlri, false);
  for (std::uint64_t target : peer->membership.targets()) {
    auto at = wanted_by_.find(target);
    erase_value(at->second, number);
    if (at->second.empty()) wanted_by_.erase(at);
  }
  if (peer->membership.has_partial()) erase_value(partial_peers_, number);
  for (std::uint32_t r = 0; r < sources_.size(); ++r) {
    Source& source = sources_[r];
    erase_value(source.universe, peer);
    while (!peer->links[r].sets.empty()) remove_member(*peer, r, *peer->links[r].sets.begin());
    for (auto& [set, peers] : source.announce) erase_value(peers, number);
    for (auto& [set, peers] : source.withdraw) erase_value(peers, number);
    erase_value(source.announce_universe, number);
  }
  for (auto& [walk_id, walk] : walks_) {
    auto at = std::lower_bound(walk.peers.begin(), walk.peers.end(), number);
    if (at == walk.peers.end() || *at != number) continue;
    walk.peers.erase(at);
    for (auto& [set, peers] : walk.targets) erase_value(peers, number);
    walk.already.erase(number);
    if (!walk.peers.empty()) continue;
    requests_[walk.source].push_back(WalkCancelled{walk.id, self_});
    leave_refresh(walk);
  }
  for (auto& [family, round] : refresh_rounds_) erase_value(round.waiting, number);
  std::erase_if(walks_, [](auto& entry) { return entry.second.peers.empty(); });
  erase_value(holding_, number);
  erase_value(to_reconcile_, number);
  erase_value(up_, peer);
  leave_class(peer->encoding_class);
  if (peer->moving_from) leave_class(*peer->moving_from);
  peers_[number].reset();
  update_lag_marks();
}

// --- Delivery -------------------------------------------------------------------------------------------------------

void Distribution::push(Peer& peer, rib::Batch& batch, std::uint32_t from, std::uint32_t to) {
  if (from == to) return;
  if (peer.output.empty()) {
    peer.last_progress = patience_;
    peer.output.push(&batch, from, to);
    control_.output_ready(peer.info.peer);
  } else {
    peer.output.push(&batch, from, to);
  }
}

void Distribution::push_bytes(PeerId id, const rib::BatchRef& bytes) {
  if (Peer* peer = find(id)) push(*peer, *bytes.get(), 0, bytes->size());
}

// Are there more limits than split horizon and role? An IPv6 next hop is one for VPNv4 only.
bool Distribution::is_special(const ProvenanceInfo& p, Family family) {
  return (p.scope & (family == Family::vpnv4 ? 0xff : ~rib::scope::ipv6_next_hop)) != 0 || p.rejected_by != 0;
}

// What has nothing to do with route targets: source, role, scope.
Distribution::Barrier Distribution::barrier(const Peer& peer, const ProvenanceInfo& p, Family family) {
  if (p.source == peer.info.peer) return Barrier::own_route;  // never back to where it came from (RFC 4456 §6, wire 2.8)
  if (!may_reflect(p.source_role, peer.info.group->role)) return Barrier::non_client_mesh;
  if (!is_special(p, family)) return Barrier::none;
  if (peer.export_policy != 0 && (p.rejected_by >> (peer.export_policy - 1) & 1) != 0) return Barrier::export_policy;
  if ((p.scope & rib::scope::no_advertise) != 0) return Barrier::no_advertise;
  if ((p.scope & rib::scope::ineligible) != 0) return Barrier::ineligible;
  if ((p.scope & rib::scope::no_export) != 0 && peer.info.group->role == PeerRole::external) return Barrier::no_export;
  // RFC 4456 §6: clients of a cluster that are meshed have it already.
  if ((p.scope & rib::scope::meshed) != 0 && peer.info.group->role == PeerRole::client && peer.info.group->cluster_id == p.source_cluster)
    return Barrier::meshed_cluster;
  if ((p.scope & rib::scope::llgr_stale) != 0 && !peer.info.long_lived_capable) return Barrier::llgr_stale;  // RFC 9494 §4.3
  bool own_next_hop = peer.info.group->role == PeerRole::external && peer.info.group->next_hop_self;
  if ((p.scope & rib::scope::ipv6_next_hop) != 0 && family == Family::vpnv4 && !own_next_hop && !peer.info.ipv6_next_hop.contains(family))
    return Barrier::ipv6_next_hop;
  std::uint8_t too_large = rib::scope::extended_size | (peer.info.four_octet_as ? 0 : rib::scope::two_octet_size);
  return (p.scope & too_large) == 0 || peer.info.extended_messages ? Barrier::none : Barrier::too_large;
}

// Is a path of this provenance with the peer, as far as the stream of r up to here goes? `up_to` tells which members count:
// armed ones, also draining ones, also drained ones.
bool Distribution::has_now(const Peer& peer, std::uint32_t r, const ProvenanceInfo& p, Family family, MemberState up_to) const {
  if (!role_allows(peer, p, family)) return false;
  if (peer.links[r].universe) return true;
  const RtSetInfo& set = sources_[r].rt_sets[p.rt_set];
  Member* m = member_of(const_cast<RtSetInfo&>(set), peer.info.peer.value);
  return m != nullptr && m->state != MemberState::requested && m->state <= up_to;
}

void Distribution::deliver(std::uint32_t r, rib::Batch& batch) {
  if (batch.walk != 0) {
    auto at = walks_.find(batch.walk);
    if (at != walks_.end()) deliver_image(r, at->second, batch);
    return;
  }
  Source& source = sources_[r];
  source.last_stamp = batch.stamp;
  if (!source.universe.empty()) deliver_shared(source, batch);
  for (const rib::Segment& segment : batch.segments)
    if (!segment.is_announcement()) deliver_withdrawal(source, batch, segment);
  deliver_announcements(source, batch);
}

// Peers without a filter take [0, shared_end) in one piece, but for what came from themselves or is not for their role.
void Distribution::deliver_shared(Source& source, rib::Batch& batch) {
  auto r = static_cast<std::uint32_t>(&source - sources_.data());
  bool special = false;
  for (const rib::Segment& s : batch.segments) {
    const ProvenanceInfo& p = source.provenances[s.is_announcement() ? s.after : s.before];
    special = special || is_special(p, batch.family);
    grown(source_marks_, p.source.value) |= p.source_role == PeerRole::non_client ? 3 : 1;
  }
  bool any_non_client = false;
  for (const rib::Segment& s : batch.segments) {
    const ProvenanceInfo& p = source.provenances[s.is_announcement() ? s.after : s.before];
    any_non_client = any_non_client || (source_marks_[p.source.value] & 2) != 0;
  }
  for (Peer* peer : source.universe) {
    if (peer->links[r].lagging || peer->links[r].encoding_class != batch.encoding_class || !peer->info.families.contains(batch.family)) continue;
    std::uint32_t number = peer->info.peer.value;
    bool simple = !special && (number >= source_marks_.size() || source_marks_[number] == 0) &&
                  (!any_non_client || peer->info.group->role != PeerRole::non_client);
    if (simple) {
      push(*peer, batch, 0, batch.shared_end);
      continue;
    }
    for (const rib::Segment& s : batch.segments) {
      if (s.begin >= batch.shared_end) break;
      if (role_allows(*peer, source.provenances[s.is_announcement() ? s.after : s.before], batch.family)) push(*peer, batch, s.begin, s.end);
    }
  }
  for (const rib::Segment& s : batch.segments) source_marks_[source.provenances[s.is_announcement() ? s.after : s.before].source.value] = 0;
}

// Filtered peers: the members of the RT set get its run of segments, without their own.
void Distribution::deliver_announcements(Source& source, rib::Batch& batch) {
  auto r = static_cast<std::uint32_t>(&source - sources_.data());
  const auto& segments = batch.segments;
  for (std::size_t i = 0; i < segments.size();) {
    if (!segments[i].is_announcement()) {
      ++i;
      continue;
    }
    rib::RtSetId set = source.provenances[segments[i].after].rt_set;
    bool special = false;
    std::size_t j = i;
    for (; j < segments.size() && segments[j].is_announcement(); ++j) {
      const ProvenanceInfo& p = source.provenances[segments[j].after];
      if (p.rt_set != set) break;
      special = special || is_special(p, batch.family) || p.source_role == PeerRole::non_client;
    }
    for (const Member& m : source.rt_sets[set].members) {
      if (m.state != MemberState::armed) continue;
      Peer& peer = *peers_[m.peer];
      if (peer.links[r].lagging || peer.links[r].encoding_class != batch.encoding_class || !peer.info.families.contains(batch.family)) continue;
      for (std::size_t k = i; k < j; ++k) {
        const ProvenanceInfo& p = source.provenances[segments[k].after];
        if (special ? role_allows(peer, p, batch.family) : p.source != peer.info.peer) push(peer, batch, segments[k].begin, segments[k].end);
      }
    }
    i = j;
  }
}

// A path of `before` is gone; one of `after` (if any) took its place. Who had the first and may not have the second
// gets the withdrawal (pitfalls 1.1, 1.18).
void Distribution::deliver_withdrawal(Source& source, rib::Batch& batch, const rib::Segment& segment) {
  auto r = static_cast<std::uint32_t>(&source - sources_.data());
  const ProvenanceInfo& before = source.provenances[segment.before];
  const ProvenanceInfo* after = segment.after == kNoId ? nullptr : &source.provenances[segment.after];
  auto consider = [&](Peer& peer) {
    if (peer.links[r].lagging || peer.links[r].encoding_class != batch.encoding_class || !peer.info.families.contains(batch.family)) return;
    if (!has_now(peer, r, before, batch.family, MemberState::draining)) return;
    if (after != nullptr && has_now(peer, r, *after, batch.family, MemberState::armed)) return;
    push(peer, batch, segment.begin, segment.end);
  };
  // Peers without a filter have taken plain withdrawals with the shared part; of the others only who may not have `after`.
  if (after != nullptr) {
    bool only_source = !is_special(*after, batch.family) && after->source_role != PeerRole::non_client;
    if (only_source) {
      Peer* peer = find(after->source);
      if (peer != nullptr && peer->links[r].universe) consider(*peer);
    } else {
      for (Peer* peer : source.universe) consider(*peer);
    }
  }
  for (const Member& m : source.rt_sets[before.rt_set].members)
    if (m.state != MemberState::requested) consider(*peers_[m.peer]);
}

void Distribution::deliver_image(std::uint32_t r, Walk& walk, rib::Batch& batch) {
  Source& source = sources_[r];
  for (const rib::Segment& s : batch.segments) {
    const ProvenanceInfo& p = source.provenances[s.is_announcement() ? s.after : s.before];
    const std::vector<std::uint32_t>* peers = &walk.peers;
    if (!walk.universe && walk.kind != WalkRequest::Kind::catch_up) {
      auto at = walk.targets.find(p.rt_set);
      if (at == walk.targets.end()) continue;
      peers = &at->second;
    }
    for (std::uint32_t number : *peers) {
      Peer& peer = *peers_[number];
      if (peer.links[r].encoding_class != batch.encoding_class || !peer.info.families.contains(batch.family)) continue;
      if (!s.is_announcement()) {
        if (!has_now(peer, r, p, batch.family, walk.kind == WalkRequest::Kind::catch_up ? MemberState::drained : MemberState::draining)) continue;
        if (s.after != kNoId && has_now(peer, r, source.provenances[s.after], batch.family, MemberState::armed)) continue;
      } else {
        if (!has_now(peer, r, p, batch.family, MemberState::armed)) continue;
        if (walk.universe && !walk.already.empty()) {
          auto had = walk.already.find(number);
          if (had != walk.already.end() && std::binary_search(had->second.begin(), had->second.end(), p.rt_set)) continue;
        }
      }
      push(peer, batch, s.begin, s.end);
    }
  }
}

void Distribution::handle(std::uint32_t r, Message&& message) {
  if (auto* output = std::get_if<Output>(&message)) {
    deliver(r, *output->batch.get());
  } else if (auto* defined = std::get_if<RtSetDefined>(&message)) {
    define_rt_set(r, std::move(*defined));
  } else if (auto* provenance = std::get_if<ProvenanceDefined>(&message)) {
    grown(sources_[r].provenances, provenance->id) = {provenance->source, provenance->source_role, provenance->rt_set, provenance->scope, provenance->rejected_by, provenance->source_cluster};
  } else if (auto* retired = std::get_if<Retired>(&message)) {
    retire(r, *retired);
  } else if (std::get_if<PolicySwitched>(&message) != nullptr) {
    policy_switched(r);
  } else if (auto* armed = std::get_if<WalkArmed>(&message)) {
    walk_armed(r, armed->walk);
  } else if (auto* done = std::get_if<WalkDone>(&message)) {
    walk_done(r, done->walk);
  } else if (auto* ready = std::get_if<ClassReady>(&message)) {
    --sources_[r].classes_awaited[ready->id];
    for (Peer* peer : up_) {
      Link& link = peer->links[r];
      if (link.encoding_class != ready->id || !link.dirty || !sources_[r].is_ready(ready->id)) continue;
      link.dirty = link.walks != 0;
      peer->touched_all = true;
      touch(*peer);
    }
  } else if (auto* full = std::get_if<TombstonesFull>(&message)) {
    for (Peer* peer : up_)
      if (peer->links[r].lagging && peer->links[r].withdrawn_since <= full->since)
        close_slow(*peer);
  } else {
    HELIO_CHECK(false, "message is not for a session shard");
  }
}

// --- Output of one peer ---------------------------------------------------------------------------------------------

std::size_t Distribution::gather(PeerId id, std::span<iovec> out, std::size_t max_bytes) const {
  const Peer* peer = find(id);
  return peer == nullptr ? 0 : peer->output.gather(out, max_bytes);
}

PeerOutput::Written Distribution::consumed(PeerId id, std::size_t bytes) {
  Peer* peer = find(id);
  if (peer == nullptr || bytes == 0) return {};
  PeerOutput::Written written = peer->output.consumed(bytes);
  peer->last_progress = patience_;
  if (!peer->output.empty()) return written;
  all_written(*peer);
  if (peer->drained != 0) peer->touched_all = true;
  if (peer->drained != 0 || peer->is_lagging()) touch(*peer);
  return written;
}

const PeerOutput* Distribution::output(PeerId id) const {
  const Peer* peer = find(id);
  return peer == nullptr ? nullptr : &peer->output;
}

// When the oldest change was made that the peer has not taken; 0: it has everything.
std::uint64_t Distribution::oldest_ms(const Peer& peer) {
  std::uint64_t queued = peer.output.oldest_ms();
  if (peer.behind_since_ms == 0 || queued == 0) return std::max(peer.behind_since_ms, queued);
  return std::min(peer.behind_since_ms, queued);
}

}  // namespace helio::reflector

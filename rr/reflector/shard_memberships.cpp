// Shard: memberships, which filter what a peer is sent (RFC 4684): those that come as RT membership routes, what the import policy says
// to them, and those that come otherwise (pitfall 1.25): configured ones, marked routes.
#include "rr/reflector/shard.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/route_refresh.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::reflector {

using session::PeerRole;
using wire::Family;
using wire::NlriStatus;

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

// The RT membership routes that we advertise for a peer that cannot say them itself (pitfall 1.25): as if they were our own.
RtcUpdate Shard::proxy_memberships(const session::EstablishedPeer& info, std::vector<wire::RtMembership> memberships, bool announced) const {
  RtcUpdate update{info.peer, info.address, info.group->role, nullptr, std::move(memberships), true};
  if (!announced) return update;
  std::vector<std::uint8_t> bytes;
  std::uint8_t igp = 0;
  wire::encode_attribute(bytes, wire::attr_flag::transitive, wire::attr::origin, Bytes(&igp, 1));
  wire::encode_attribute(bytes, wire::attr_flag::transitive, wire::attr::as_path, {});
  wire::encode_attribute_u32(bytes, wire::attr_flag::transitive, wire::attr::local_pref, 100);
  rib::CanonicalAttributes own;
  own.bytes = bytes;
  own.next_hop = info.local_address.view();
  own.key.originator_id = info.router_id;
  if (settings_.decision_options.missing_med_is_worst) own.key.med = 0xffffffff;
  update.attributes = std::make_shared<const OwnedAttributes>(own);
  return update;
}

void Shard::begin_without_rtc(Peer& peer) {
  const session::EstablishedPeer& info = peer.record.info;
  if (!info.group->filters_without_rtc()) {
    to_rtc(RtcUnfilteredPeer{});
    return;
  }
  std::vector<wire::RtMembership> memberships = info.group->memberships_without_rtc();
  if (std::ranges::any_of(memberships, &wire::RtMembership::matches_everything)) to_rtc(RtcUnfilteredPeer{});
  if (!memberships.empty()) to_rtc(proxy_memberships(info, std::move(memberships), true));
  if (info.group->marker_community) peer.marked = std::make_unique<MarkedRoutes>(info.group->configured_targets);
}

// --- Marked routes --------------------------------------------------------------------------------------------------

// An announcement of a peer whose memberships are said by marked routes. True: it was one, and goes no further; what the peer
// announced before for these prefixes is gone.
bool Shard::take_marked(Peer& peer, const wire::ReachView& reach, bool fresh) {
  if (fresh) {
    peer.has_mark = wire::contains_community(wire::find_attribute(canonical_.bytes, wire::attr::communities), *peer.record.info.group->marker_community);
    peer.marked_targets.assign(canonical_.targets.begin(), canonical_.targets.end());
  }
  if (!peer.has_mark) {
    unmark(peer, reach.family, reach.nlri, false);
    return false;
  }
  MarkedRoutes::Changes changes;
  peer.marked->mark(reach.family, peer.context.add_path_receive.contains(reach.family), reach.nlri, peer.marked_targets, changes);
  withdraw(peer, reach.family, reach.nlri, {}, true);
  follow_marks(peer, changes);
  return true;
}

void Shard::unmark(Peer& peer, Family family, Bytes nlri, bool is_withdrawal) {
  if (peer.marked == nullptr) return;
  MarkedRoutes::Changes changes;
  peer.marked->unmark(family, peer.context.add_path_receive.contains(family), is_withdrawal, nlri, changes);
  follow_marks(peer, changes);
}

void Shard::follow_marks(Peer& peer, const MarkedRoutes::Changes& changes) {
  const session::EstablishedPeer& info = peer.record.info;
  auto memberships = [&](const std::vector<std::uint64_t>& targets) {
    std::vector<wire::RtMembership> out;
    for (std::uint64_t target : targets) out.push_back({96, info.group->local_as, target});
    return out;
  };
  std::vector<wire::RtMembership> ended = memberships(changes.ended), began = memberships(changes.began);
  for (const wire::RtMembership& nlri : ended) distribution_.remove_membership(info.peer, nlri);
  for (const wire::RtMembership& nlri : began) distribution_.add_membership(info.peer, nlri);
  if (!ended.empty()) to_rtc(proxy_memberships(info, std::move(ended), false));
  if (!began.empty()) to_rtc(proxy_memberships(info, std::move(began), true));
}

std::size_t Shard::marked_routes(PeerId id) const {
  const Peer* peer = find(id);
  return peer == nullptr || peer->marked == nullptr ? 0 : peer->marked->routes();
}

// --- Policies -------------------------------------------------------------------------------------------------------

bool Shard::policy_accepts(const Peer& peer, const wire::RtMembership& membership) const {
  if (settings_.policies == nullptr) return true;
  const session::EstablishedPeer& info = peer.record.info;
  std::uint16_t policy = settings_.policies->import_of(info.group->name);
  return policy == RoutePolicies::kNoPolicy || settings_.policies->accepts_membership(policy, {info.address, info.group->role}, membership);
}

// Other policies are in force. What was accepted is known without its attributes here: should it be refused now and accepted
// again later, the peer is asked to say it again.
void Shard::judge_memberships(Peer& peer) {
  PeerId id = peer.record.info.peer;
  RtcUpdate gone{id, peer.record.info.address, peer.source.role, nullptr, {}};
  std::map<wire::RtMembership, std::shared_ptr<const OwnedAttributes>> before = std::exchange(peer.refused, {});
  if (const Membership* m = distribution_.membership(id))
    for (const wire::RtMembership& nlri : m->all())
      if (!policy_accepts(peer, nlri)) gone.memberships.push_back(nlri);
  for (const wire::RtMembership& nlri : gone.memberships) {
    distribution_.remove_membership(id, nlri);
    peer.refused.emplace(nlri, nullptr);
    counters_.memberships_refused.add();
  }
  if (!gone.memberships.empty()) to_rtc(std::move(gone));
  bool ask_again = false;
  for (const auto& [nlri, attributes] : before) {
    if (!policy_accepts(peer, nlri)) {
      peer.refused.emplace(nlri, attributes);
    } else if (attributes == nullptr) {
      ask_again = true;
    } else {
      distribution_.add_membership(id, nlri);
      if (nlri.matches_everything()) to_rtc(RtcUnfilteredPeer{});
      to_rtc(RtcUpdate{id, peer.record.info.address, peer.source.role, attributes, {nlri}});
    }
  }
  if (!ask_again || !peer.record.info.route_refresh) return;
  std::vector<std::uint8_t> message;
  wire::encode_route_refresh(message, Family::rtc, wire::RouteRefresh::Subtype::request);
  control_.send_message(id, std::move(message));
}

}  // namespace helio::reflector

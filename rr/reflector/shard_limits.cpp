// Shard: prefix limits of the peers that live here, and what else of their settings changes while they are up.
#include <fmt/format.h>

#include <algorithm>

#include "rr/base/log.hpp"
#include "rr/reflector/shard.hpp"
#include "rr/wire/route_refresh.hpp"

namespace helio::reflector {

using wire::Family;

// Null when there are no limits.
std::shared_ptr<PeerQuota> Shard::make_quota(const session::PrefixLimits& limits) {
  if (std::ranges::none_of(limits, [](const auto& limit) { return limit.has_value(); })) return nullptr;
  auto quota = std::make_shared<PeerQuota>();
  quota->limits = limits;
  return quota;
}

// A reload changed what a session can take over while it is up.
void Shard::on_settings(PeerId id, const std::shared_ptr<const session::GroupSettings>& group) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  session::EstablishedPeer& info = peer->record.info;
  session::PrefixLimits before = std::exchange(info.group, group)->prefix_limits;
  distribution_.set_settings(id, group);
  if (before == group->prefix_limits) return;
  std::shared_ptr<PeerQuota> old = std::exchange(peer->record.quota, make_quota(group->prefix_limits));
  to_all_ribs(PeerLimits{id, peer->record.quota});
  if (old == nullptr || !info.route_refresh) return;
  // What an earlier limit kept out is not held: the peer is asked for it when there is room now (RFC 2918).
  for (Family family : {Family::vpnv4, Family::vpnv6, Family::evpn, Family::rtc}) {
    std::size_t f = wire::index(family);
    if (!info.families.contains(family) || old->discarded[f].load(std::memory_order_relaxed) == 0) continue;
    const auto& limit = group->prefix_limits[f];
    if (limit && old->limits[f] && limit->action == old->limits[f]->action && limit->max_prefixes <= old->limits[f]->max_prefixes) {
      if (peer->record.quota) peer->record.quota->discarded[f].store(old->discarded[f].load(std::memory_order_relaxed), std::memory_order_relaxed);
      continue;
    }
    std::vector<std::uint8_t> message;
    wire::encode_route_refresh(message, family, wire::RouteRefresh::Subtype::request);
    control_.send_message(id, std::move(message));
  }
}

// The prefix limit of the RT membership family (pitfall 1.22): counted here, where the memberships are, with those that the import
// policy refuses and that are kept for other policies.
bool Shard::admits_membership(Peer& peer, const wire::RtMembership& membership) {
  const auto& limit = peer.record.quota->limits[wire::index(Family::rtc)];
  PeerId id = peer.record.info.peer;
  const Membership* present = distribution_.membership(id);
  if (!limit || present == nullptr || present->contains(membership)) return true;
  std::size_t would_be = present->size() + peer.refused.size() + 1;
  auto& is_told = peer.record.quota->told[wire::index(Family::rtc)].full;
  if (would_be > limit->max_prefixes) {
    if (limit->action == session::PrefixLimit::Action::discard_new) {
      counters_.discarded_by_limit.add();
      peer.record.quota->discarded[wire::index(Family::rtc)].fetch_add(1, std::memory_order_relaxed);
      if (!is_told.exchange(true)) limit_reached({id, Family::rtc, true});
      return false;
    }
    if (would_be == std::size_t{limit->max_prefixes} + 1) limit_reached({id, Family::rtc, true});
    return true;
  }
  is_told = false;
  if (would_be == std::max<std::size_t>(1, std::size_t{limit->max_prefixes} * limit->warning_threshold_pct / 100)) limit_reached({id, Family::rtc, false});
  return true;
}

// Routes that some peers or none can be sent would be missing without a trace: counted and said; `helioctl explain` tells of one.
void Shard::note_oversize(const Peer& peer) {
  bool fits = !peer.last_excluded;
  (fits ? counters_.oversize : counters_.discarded_by_message).add();
  auto more = oversize_pace_[fits].admit(now_);
  if (!more) return;
  log::warn("peer={} attributes too large: they fit no message {}({} more since the last line)", wire::format_ip(peer.record.info.address),
            fits ? "of 4096 octets, their routes go to peers with extended messages alone " : "as we would send them, their routes are not taken in ", *more);
}

// Against one customer's leak: which one, helioctl explain and show rd tell.
void Shard::note_quotas(std::uint64_t by_rd, std::uint64_t by_rt_set) {
  if (quota_pace_.admit(now_))
    log::warn("routes kept out so far by limits.max-paths-per-rd: {}, by limits.max-prefixes-per-rt-set: {}", by_rd, by_rt_set);
}

void Shard::note_label_stacks(std::uint64_t routes) {
  if (label_stack_pace_.admit(now_))
    log::warn("routes kept out so far because a shard has {} different label stacks (or EVPN payloads) already: {}; prefix-limits at who announces "
              "them, or more shards, leave room", settings_.rib.label_stacks, routes);
}

void Shard::note_long(std::uint64_t routes) {
  if (long_pace_.admit(now_))
    log::warn("EVPN routes kept out so far because they are longer than {} octets, which no route type known here is: {}", wire::kMaxEvpnEntry, routes);
}

// RFC 4486 §4: the data names the family and the limit.
void Shard::limit_reached(const LimitReached& reached) {
  Peer* peer = find(reached.peer);
  if (peer == nullptr || !peer->record.quota) return;
  const auto& limit = peer->record.quota->limits[wire::index(reached.family)];
  if (!limit) return;
  tell(reached.exceeded ? rib::JournalEvent::limit_exceeded : rib::JournalEvent::limit_warning, reached.peer,
       fmt::format("{} {}", wire::family_label(reached.family), limit->max_prefixes));
  auto& logged = peer->limit_logged[wire::index(reached.family)][reached.exceeded];
  if (!logged || now_ - *logged >= std::chrono::minutes(1)) {
    logged = now_;
    log::warn("peer={} family={} {} its prefix limit of {}", wire::format_ip(peer->record.info.address), wire::family_label(reached.family),
              reached.exceeded ? "is above" : "comes near", limit->max_prefixes);
  }
  if (!reached.exceeded || limit->action != session::PrefixLimit::Action::idle_hold) return;
  wire::Notification notification{static_cast<std::uint8_t>(wire::ErrorCode::cease), wire::cease::max_prefixes, {}};
  ByteWriter data(notification.data);
  data.u16(wire::afi_safi(reached.family).afi);
  data.u8(wire::afi_safi(reached.family).safi);
  data.u32(limit->max_prefixes);
  control_.close(reached.peer, std::move(notification), session::CloseReason::max_prefixes);
}

}  // namespace helio::reflector

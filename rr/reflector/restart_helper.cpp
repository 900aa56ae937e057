#include "rr/reflector/restart_helper.hpp"

#include <algorithm>

namespace helio::reflector {

using wire::Family;
using wire::FamilySet;

namespace {

constexpr std::array<Family, 4> kFamilies = {Family::vpnv4, Family::vpnv6, Family::evpn, Family::rtc};

}  // namespace

RestartHelper::Loss RestartHelper::lost(const session::EstablishedPeer& info) {
  Loss loss;
  const session::GroupSettings& group = *info.group;
  FamilySet may_be_long = group.long_lived_stale_time.count() > 0 ? info.long_lived : FamilySet{};
  may_be_long.erase(Family::rtc);
  loss.kept = (info.graceful_restart | may_be_long) & info.families;
  Peer& peer = peers_[info.peer];
  // RFC 9494 §4.2: the timer of a family that has not been synchronised since goes on, with what is stale because of it.
  loss.kept_older = peer.address == info.address ? peer.marked & loss.kept : FamilySet{};
  auto long_until = peer.long_until;
  peer = Peer{};
  peer.address = info.address;
  peer.stale = loss.kept;
  peer.may_be_long = may_be_long;
  peer.restart_time = std::min(info.restart_time, group.stale_routes_time);
  peer.stale_time = group.stale_routes_time;
  for (Family f : kFamilies) {
    peer.long_time[wire::index(f)] = std::min(info.long_lived_time[wire::index(f)], group.long_lived_stale_time);
    if (loss.kept_older.contains(f)) peer.long_until[wire::index(f)] = long_until[wire::index(f)];
    // RFC 9494 §4.2: a family that only the long-lived capability lists has no other time.
    if (may_be_long.contains(f) && loss.kept.contains(f) && !info.graceful_restart.contains(f)) peer.marked.insert(f);
  }
  peer.marked = peer.marked | loss.kept_older;
  loss.long_lived = peer.marked;
  changed_ = true;
  erase_if_done(info.peer);
  return loss;
}

FamilySet RestartHelper::established(const session::EstablishedPeer& info) {
  auto at = peers_.find(info.peer);
  if (at == peers_.end()) return {};
  Peer& peer = at->second;
  // RFC 4724 §4.2: "if the Forwarding State bit for a specific address family is not set ..., or if a specific address
  // family is not included ..., or if the Graceful Restart Capability is not received ... at all", its stale routes
  // go. So do those of another neighbour that had the number before.
  FamilySet stays = (info.graceful_restart | info.long_lived) & info.forwarding_preserved & info.families;
  if (peer.address != info.address) stays = {};
  FamilySet dropped = peer.stale - stays;
  peer.stale = peer.stale & stays;
  peer.marked = peer.marked & stays;
  peer.is_back = true;
  changed_ = true;
  erase_if_done(info.peer);
  return dropped;
}

bool RestartHelper::end_of_rib(PeerId id, Family family) {
  auto at = peers_.find(id);
  if (at == peers_.end() || !at->second.is_back || !at->second.stale.contains(family)) return false;
  at->second.stale.erase(family);
  at->second.marked.erase(family);
  changed_ = true;
  erase_if_done(id);
  return true;
}

FamilySet RestartHelper::forget(PeerId id) {
  auto at = peers_.find(id);
  if (at == peers_.end()) return {};
  FamilySet kept = at->second.stale;
  peers_.erase(at);
  changed_ = true;
  return kept;
}

void RestartHelper::erase_if_done(PeerId id) {
  auto at = peers_.find(id);
  if (at != peers_.end() && at->second.stale.empty()) peers_.erase(at);
}

RestartHelper::TimePoint RestartHelper::deadline(const Peer& peer) const {
  TimePoint at = TimePoint::max();
  if (!(peer.stale - peer.marked).empty()) at = peer.is_back ? *peer.stale_until : std::min(*peer.restart_until, *peer.stale_until);
  for (Family f : kFamilies)
    if (peer.marked.contains(f)) at = std::min(at, *peer.long_until[wire::index(f)]);
  return at;
}

std::vector<RestartHelper::Due> RestartHelper::run(TimePoint now) {
  std::vector<Due> out;
  if (!changed_ && (!next_ || *next_ > now)) return out;
  changed_ = false;
  next_.reset();
  for (auto at = peers_.begin(); at != peers_.end();) {
    Peer& peer = at->second;
    if (!peer.restart_until) peer.restart_until = now + peer.restart_time;
    if (!peer.stale_until) peer.stale_until = now + peer.stale_time;
    Due due{at->first, {}, {}};
    if (FamilySet waiting = peer.stale - peer.marked; !waiting.empty() && (peer.is_back ? *peer.stale_until : std::min(*peer.restart_until, *peer.stale_until)) <= now) {
      // Back, but without its End-of-RIB for so long: nothing more will come for what is stale.
      due.long_lived = peer.is_back ? FamilySet{} : waiting & peer.may_be_long;
      due.dropped = waiting - due.long_lived;
      peer.marked = peer.marked | due.long_lived;
      for (Family f : kFamilies)  // its time begins where the other ends, however late this turn is
        if (due.long_lived.contains(f)) peer.long_until[wire::index(f)] = std::min(*peer.restart_until, *peer.stale_until) + peer.long_time[wire::index(f)];
    }
    for (Family f : kFamilies) {
      if (!peer.marked.contains(f)) continue;
      std::optional<TimePoint>& until = peer.long_until[wire::index(f)];
      if (!until) until = now + peer.long_time[wire::index(f)];
      if (*until > now) continue;
      due.dropped.insert(f);
      due.long_lived.erase(f);
    }
    peer.stale = peer.stale - due.dropped;
    peer.marked = peer.marked - due.dropped;
    if (!due.dropped.empty() || !due.long_lived.empty()) out.push_back(due);
    if (peer.stale.empty()) {
      at = peers_.erase(at);
      continue;
    }
    TimePoint next = deadline(peer);
    next_ = next_ ? std::min(*next_, next) : next;
    ++at;
  }
  return out;
}

RestartHelper::State RestartHelper::state(PeerId id) const {
  State out;
  auto at = peers_.find(id);
  if (at == peers_.end()) return out;
  out.stale = at->second.stale;
  out.long_lived = at->second.marked;
  out.is_back = at->second.is_back;
  if (at->second.restart_until && at->second.stale_until) out.until = deadline(at->second);
  return out;
}

}  // namespace helio::reflector

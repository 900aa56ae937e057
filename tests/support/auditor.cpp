#include "tests/support/auditor.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace helio::test {
namespace {

wire::Family family_of(const wire::VpnPrefix& prefix) { return prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4; }

bool matches(const std::vector<wire::RtMembership>& memberships, const PathAttributes& attributes) {
  for (const wire::RtMembership& m : memberships) {
    if (m.matches_everything()) return true;
    for (std::uint64_t c : attributes.extended_communities)
      if (wire::is_route_target(c) && m.matches(wire::RouteTarget{c})) return true;
  }
  return false;
}

}  // namespace

void Auditor::input_changed(PeerId from, const PathKey& prefix) {
  dirty_.insert(prefix);
  for (PeerRecord& peer : peers_)
    if (peer.before_end_of_rib) peer.before_end_of_rib->erase(prefix);
  remember_path(from, prefix);
  for (const policy::Definition* with : recent_policies_)  // a change of policies may not be everywhere yet
    if (with != nullptr && with != oracle_.policies()) remember_path(from, prefix, with);
}

// A next hop that was lost or found may still count for what it was.
void Auditor::remember_path(PeerId from, const PathKey& prefix, const policy::Definition* with) {
  auto path = oracle_.usable(from, prefix, with);
  if (!path) return;
  if (path->is_reachable || next_hops_moved_) recent_paths_[prefix].push_back(*path);
  else unreachable_paths_[prefix].push_back(*path);
}

void Auditor::next_hop_changed(const wire::IpAddress& next_hop) {
  next_hops_moved_ = true;
  for (auto& [prefix, paths] : std::exchange(unreachable_paths_, {})) std::ranges::copy(paths, std::back_inserter(recent_paths_[prefix]));
  for (std::uint32_t i = 0; i < peers_.size(); ++i)
    for (const PathKey& prefix : oracle_.prefixes_of(PeerId{i}))
      if (auto path = oracle_.usable(PeerId{i}, prefix); path && next_hop_of(path->route.attributes) == next_hop) input_changed(PeerId{i}, prefix);
}

void Auditor::remember_memberships(PeerId peer) {
  PeerRecord& r = record(peer);
  if (!oracle_.is_up(peer) || oracle_.holds_back(peer)) return;
  // Which paths of external peers are the best ones is another matter while messages of others are under way.
  const PeerSpec& spec = world_.peers[peer.value];
  bool is_ranked = spec.external_paths != 0 && spec.is_external() && spec.has(wire::Family::rtc);
  for (const wire::RtMembership& m : is_ranked ? oracle_.rtc_routes_of(peer) : oracle_.memberships(peer))
    if (std::find(r.recent.begin(), r.recent.end(), m) == r.recent.end()) r.recent.push_back(m);
}

// The memberships of external peers compete.
void Auditor::touch_ranked() {
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    if (world_.peers[i].external_paths == 0 || !world_.peers[i].is_external()) continue;
    peers_[i].was_touched = true;
    peers_[i].before_end_of_rib.reset();
    remember_memberships(PeerId{i});
  }
}

void Auditor::policies_changed() {
  if (std::find(recent_policies_.begin(), recent_policies_.end(), oracle_.policies()) == recent_policies_.end()) recent_policies_.push_back(oracle_.policies());
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    for (const PathKey& prefix : oracle_.prefixes_of(PeerId{i})) input_changed(PeerId{i}, prefix);
    remember_memberships(PeerId{i});
    peers_[i].was_touched = true;
    peers_[i].before_end_of_rib.reset();
  }
}

void Auditor::session_changed(PeerId peer) {
  PeerRecord& r = record(peer);
  r = {};
  r.was_touched = true;
  touch_ranked();
  note_eligibility();
}

void Auditor::membership_changed(PeerId peer) {
  record(peer).was_touched = true;
  record(peer).before_end_of_rib.reset();
  remember_memberships(peer);
  touch_ranked();
}

void Auditor::note_eligibility() {
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    PeerRecord& r = peers_[i];
    PeerId peer{i};
    bool is_eligible = oracle_.is_up(peer) && !oracle_.holds_back(peer);
    if (is_eligible && !r.was_eligible) {
      r.was_touched = true;
      remember_memberships(peer);
      r.before_end_of_rib.emplace();
      for (const auto& [prefix, route] : oracle_.expected_vpn(peer))
        if (!dirty_.contains(prefix)) r.before_end_of_rib->insert(prefix);
    }
    r.was_eligible = is_eligible;
  }
}

void Auditor::refresh_requested(const ScriptedPeer& end, wire::Family family) {
  PeerId peer = end.spec().id;
  PeerRecord& r = record(peer);
  if (family == wire::Family::rtc) {
    r.refresh_rtc.clear();
    for (const auto& [membership, attributes] : oracle_.expected_rtc(peer)) r.refresh_rtc.insert(membership);
    if (oracle_.expected_default(peer) == Oracle::DefaultRoute::present) r.refresh_rtc.insert(wire::RtMembership{});
    return;
  }
  std::erase_if(r.refresh_vpn, [&](const PathKey& prefix) { return family_of(prefix) == family; });
  if (end.spec().add_path_send.contains(family)) {  // by the ids that the reflector gave them
    for (const auto& [prefix, route] : end.vpn())
      if (family_of(prefix) == family) r.refresh_vpn.insert(prefix);
    return;
  }
  for (const auto& [prefix, route] : oracle_.expected_vpn(peer))
    if (family_of(prefix) == family) r.refresh_vpn.insert(prefix);
}

std::vector<std::string> Auditor::missing_after_refresh(const ScriptedPeer& peer) const {
  const PeerRecord& r = peers_[peer.spec().id.value];
  std::vector<std::string> out;
  for (const PathKey& prefix : r.refresh_vpn)
    if (peer.vpn().contains(prefix)) out.push_back(format_key(prefix));
  for (const wire::RtMembership& membership : r.refresh_rtc)
    if (peer.rtc().contains(membership)) out.push_back(wire::format_membership(membership));
  return out;
}

void Auditor::settled() {
  dirty_.clear();
  recent_policies_ = {oracle_.policies()};
  recent_paths_.clear();
  unreachable_paths_.clear();
  next_hops_moved_ = false;
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    PeerRecord& r = peers_[i];
    r.recent.clear();
    r.was_touched = false;
    r.refresh_vpn.clear();
    r.refresh_rtc.clear();
    remember_memberships(PeerId{i});
    for (const PathKey& prefix : oracle_.prefixes_of(PeerId{i})) remember_path(PeerId{i}, prefix);
  }
}

bool Auditor::is_justified(PeerId to, const wire::VpnPrefix& prefix, const HeldRoute* content) {
  auto paths = recent_paths_.find(prefix);
  if (paths == recent_paths_.end()) return false;
  for (const Oracle::Path& path : paths->second) {
    if (!matches(record(to).recent, path.route.attributes)) continue;
    std::vector<const policy::Definition*> policies = recent_policies_;
    if (policies.empty()) policies.push_back(oracle_.policies());
    for (const policy::Definition* with : policies) {
      auto route = oracle_.exported(path, to, prefix, with);
      if (route && (content == nullptr || *route == *content)) return true;
    }
  }
  return false;
}

void Auditor::redundant(const std::string& text) {
  if (tolerant_)
    ++tolerated_;
  else
    fail(text);
}

void Auditor::on_announced(const ScriptedPeer& peer, const PathKey& prefix, const HeldRoute& route, const HeldRoute* held) {
  if (silent_) return;
  PeerId to = peer.spec().id;
  PeerRecord& r = record(to);
  r.refresh_vpn.erase(prefix);
  std::string what = fmt::format("peer {} was sent {} {}", to.value, format_key(prefix), format_route(route));
  if (!is_justified(to, prefix, &route)) {
    std::string why = is_justified(to, prefix, nullptr) ? "no path of this content" : "no path or no membership justifies any route here";
    return fail(what + ": " + why + " (invariants 2, 4)");
  }
  if (peer.is_refreshing(family_of(prefix)) || dirty_.contains(prefix)) return;
  if (held != nullptr && *held == route) return redundant(what + " again without a change (invariant 2)");
  if (!r.was_touched) redundant(what + (held ? ": replaced" : ": announced") + " though nothing changed (invariant 2)");
}

void Auditor::on_withdrawn(const ScriptedPeer& peer, const PathKey& prefix, bool held) {
  if (silent_) return;
  PeerId to = peer.spec().id;
  record(to).refresh_vpn.erase(prefix);
  std::string what = fmt::format("peer {} was sent a withdrawal of {}", to.value, format_key(prefix));
  if (!held && !is_justified(to, prefix, nullptr)) return fail(what + " that cannot have been announced to it (invariant 2)");
  if (!dirty_.contains(prefix) && !record(to).was_touched) redundant(what + " though nothing changed (invariant 2)");
}

void Auditor::on_rtc_announced(const ScriptedPeer& peer, const wire::RtMembership& m, const PathAttributes& a, const PathAttributes* held) {
  if (silent_) return;
  record(peer.spec().id).refresh_rtc.erase(m);
  if (held != nullptr && *held == a && !peer.is_refreshing(wire::Family::rtc))  // pitfall 1.6
    fail(fmt::format("peer {} was sent RTC {} {} again", peer.spec().id.value, wire::format_membership(m), format_attributes(a)));
}

void Auditor::on_rtc_withdrawn(const ScriptedPeer& peer, const wire::RtMembership& m, bool held) {
  if (silent_) return;
  record(peer.spec().id).refresh_rtc.erase(m);
  if (!held) fail(fmt::format("peer {} was sent a withdrawal of RTC {} that it does not hold", peer.spec().id.value, wire::format_membership(m)));
}

void Auditor::on_end_of_rib(const ScriptedPeer& peer, wire::Family family) {
  PeerRecord& r = record(peer.spec().id);
  if (family == wire::Family::rtc || silent_) return;
  // Pitfall 1.7, wire 2.7.
  if (oracle_.holds_back(peer.spec().id)) fail(fmt::format("peer {} got a VPN End-of-RIB while its own RTC End-of-RIB was awaited", peer.spec().id.value));
  if (!r.before_end_of_rib) return;
  for (const wire::VpnPrefix& prefix : *r.before_end_of_rib)
    if (family_of(prefix) == family && !peer.holds(prefix))
      fail(fmt::format("peer {} got its {} End-of-RIB before {}", peer.spec().id.value, wire::family_label(family), format_key(prefix)));
}

void Auditor::on_violation(const ScriptedPeer& peer, const std::string& text) {
  if (silent_) unreadable_ = true;
  else fail(fmt::format("peer {}: {}", peer.spec().id.value, text));
}

}  // namespace helio::test

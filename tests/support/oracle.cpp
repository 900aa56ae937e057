#include "tests/support/oracle.hpp"

#include <algorithm>
#include <functional>

namespace helio::test {
namespace {

using session::PeerRole;
using Path = Oracle::Path;
using Key = std::function<std::int64_t(const Path&)>;

constexpr std::uint32_t kLlgrStale = 0xffff0006, kNoLlgr = 0xffff0007;
constexpr std::uint32_t kNoExport = 0xffffff01, kNoAdvertise = 0xffffff02, kNoExportSubconfed = 0xffffff03;

bool has_community(const PathAttributes& a, std::uint32_t c) {
  return std::find(a.communities.begin(), a.communities.end(), c) != a.communities.end();
}

std::int64_t as_path_length(const PathAttributes& a) {
  std::int64_t length = 0;  // §9.1.2.2 a: an AS_SET counts as 1
  for (const AsSegment& s : a.as_path) length += s.type == AsSegment::kSequence ? static_cast<std::int64_t>(s.ases.size()) : s.type == AsSegment::kSet ? 1 : 0;
  return length;
}

// §9.1.2.2 c: the AS the route came from; 0 stands for the local AS (empty path or one that begins with a set).
Asn neighbor_as(const PathAttributes& a) {
  return a.as_path.empty() || a.as_path.front().type != AsSegment::kSequence ? 0 : a.as_path.front().ases.front();
}

bool contains_as(const PathAttributes& a, Asn as) {
  for (const AsSegment& s : a.as_path)
    if (std::find(s.ases.begin(), s.ases.end(), as) != s.ases.end()) return true;
  return false;
}

// RFC 4659 §3.2.1: over IPv4 transport the VPN-IPv6 next hop is the IPv4-mapped address.
Octets own_next_hop(const PeerSpec& to, wire::Family family) {
  if (family == wire::Family::rtc) return bare_next_hop(to.local_address);
  if (family == wire::Family::vpnv4 || to.local_address.is_v6) return vpn_next_hop(to.local_address);
  wire::IpAddress mapped{.bytes = {}, .is_v6 = true};
  mapped.bytes[10] = mapped.bytes[11] = 0xff;
  std::copy(to.local_address.bytes.begin(), to.local_address.bytes.begin() + 4, mapped.bytes.begin() + 12);
  return vpn_next_hop(mapped);
}

bool is_known(std::uint8_t type) { return type <= 10 || type == 14 || type == 15 || type == 16 || type == 17 || type == 18 || type == 26 || type == 32; }

}  // namespace

// custom-decision §3: the costs of a path at a point of insertion, by id; who has none of an id is in the middle.
std::map<std::uint8_t, std::int64_t> costs(const Path& path, std::uint8_t point) {
  std::map<std::uint8_t, std::int64_t> out;
  for (std::uint64_t c : path.route.attributes.extended_communities) {
    if (c >> 40 != (std::uint64_t{0x4301} << 8 | point)) continue;
    auto [at, is_new] = out.emplace(static_cast<std::uint8_t>(c >> 32), static_cast<std::uint32_t>(c));
    if (!is_new) at->second = std::min<std::int64_t>(at->second, static_cast<std::uint32_t>(c));
  }
  return out;
}

// RFC 7311 §3: the metric of a well-formed attribute, which the tests send alone.
std::optional<std::uint64_t> aigp(const Path& path) {
  for (const RawAttribute& a : path.route.attributes.others)
    if (a.type == 26) return load_be64(a.value.data() + 3);
  return std::nullopt;
}

std::size_t select_best(const std::vector<Path>& paths, const ReflectorSpec& reflector) {
  std::vector<std::size_t> left(paths.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  auto keep_lowest = [&](const Key& key) {
    std::int64_t best = key(paths[left.front()]);
    for (std::size_t i : left) best = std::min(best, key(paths[i]));
    std::erase_if(left, [&](std::size_t i) { return key(paths[i]) != best; });
  };
  // RFC 9494 §4.3: long-lived stale ones last of all, where the reflector knows of them.
  keep_lowest([](const Path& p) { return std::int64_t{p.from->long_lived_aware && has_community(p.route.attributes, kLlgrStale) ? 1 : 0}; });
  auto by_costs = [&](std::uint8_t point) {
    std::map<std::uint8_t, int> ids;
    for (const Path& p : paths)
      for (const auto& [id, cost] : costs(p, point)) ids[id] = 1;
    for (const auto& [id, used] : ids)
      keep_lowest([&, id = id](const Path& p) {
        auto all = costs(p, point);
        auto at = all.find(id);
        return at == all.end() ? 0x7fffffff : at->second;
      });
  };
  by_costs(128);
  keep_lowest([](const Path& p) { return -static_cast<std::int64_t>(p.route.attributes.local_pref.value_or(100)); });
  if (reflector.aigp) {  // RFC 7311 §4.1
    keep_lowest([](const Path& p) { return std::int64_t{aigp(p) ? 0 : 1}; });
    keep_lowest([](const Path& p) { return aigp(p) ? static_cast<std::int64_t>(*aigp(p) + p.metric) : 0; });
  }
  keep_lowest([](const Path& p) { return as_path_length(p.route.attributes); });
  keep_lowest([](const Path& p) { return std::int64_t{p.route.attributes.origin}; });
  // c) MED, only among paths from the same neighbouring AS; removal does not depend on the order.
  auto med = [&](std::size_t i) { return paths[i].route.attributes.med.value_or(reflector.missing_med_is_worst ? 0xffffffff : 0); };
  std::vector<std::size_t> after_med;
  for (std::size_t m : left)
    if (std::none_of(left.begin(), left.end(), [&](std::size_t n) {
          bool comparable = reflector.always_compare_med || neighbor_as(paths[n].route.attributes) == neighbor_as(paths[m].route.attributes);
          return comparable && med(n) < med(m);
        }))
      after_med.push_back(m);
  left = after_med;
  keep_lowest([](const Path& p) { return std::int64_t{p.from->is_external() && !p.is_proxy ? 0 : 1}; });  // a proxy's is our own
  keep_lowest([](const Path& p) { return std::int64_t{p.metric}; });  // e) the same for all where next hops are not tracked
  by_costs(129);
  keep_lowest([](const Path& p) { return std::int64_t{p.route.attributes.originator_id.value_or(p.from->router_id)}; });
  keep_lowest([](const Path& p) { return static_cast<std::int64_t>(p.route.attributes.cluster_list.size()); });
  keep_lowest([](const Path& p) { return std::int64_t{p.from->address.v4_value()}; });
  keep_lowest([](const Path& p) { return std::int64_t{p.path_id}; });
  return left.front();
}

Oracle::Oracle(const ReflectorSpec& reflector, const std::vector<PeerSpec>& peers) : reflector_(reflector) {
  for (const PeerSpec& spec : peers) peers_.push_back({.spec = spec, .vpn = {}, .rtc = {}});
}

void Oracle::up(PeerId peer, Clock now, wire::FamilySet preserved) {
  PeerState& p = peers_.at(peer.value);
  p.up = true;
  p.since = now_ = now;
  // RFC 4724 §4.2: what is not listed with the F bit goes at once.
  for (wire::Family f : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc})
    if (!preserved.contains(f)) drop_stale(p, f);
  if (std::ranges::none_of(p.rtc, [&](const auto& e) { return accepts(p, e.first); })) p.clusters.clear();
  // Pitfall 1.8: memberships from before are the filter; there is nothing to wait for.
  p.end_of_rib = p.kept_filter && !p.stale_rtc.empty();
  bool has_vpn = p.spec.has(wire::Family::vpnv4) || p.spec.has(wire::Family::vpnv6);
  if (has_vpn && !p.spec.has(wire::Family::rtc)) default_was_due_ = true;  // a borderline case where it is to get nothing
}

void Oracle::down(PeerId peer, Ending ending) {
  PeerState& p = peers_.at(peer.value);
  p.up = false;
  // RFC 4724 §4: a lost connection; RFC 8538 §4: with the N bit also a NOTIFICATION, other than Hard Reset.
  bool restarts = ending == Ending::connection_lost || (p.spec.notification_restarts && (ending == Ending::hold_timer || ending == Ending::notification));
  wire::FamilySet kept;
  if (p.spec.restart_capable && restarts) kept = p.spec.kept_over_restart | p.spec.kept_for_long;
  for (wire::Family f : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc}) {
    // What was stale before goes, unless its long-lived time is running (RFC 4724 §4.2, RFC 9494 §4.2).
    if (!kept.contains(f) || !p.long_lived.contains(f)) drop_stale(p, f);
    if (kept.contains(f)) {
      p.stale.insert(f);
    } else {
      std::erase_if(p.vpn, [&](const auto& e) { return (e.first.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4) == f; });
      if (f == wire::Family::rtc) p.rtc.clear();
    }
  }
  for (const auto& [prefix, route] : p.vpn) p.stale_vpn.insert(prefix);
  for (const auto& [membership, route] : p.rtc) p.stale_rtc.insert(membership);
  // One that the import policy refuses is no filter.
  p.kept_filter = std::ranges::any_of(p.rtc, [&](const auto& e) { return accepts(p, e.first); });
  p.lost_at = now_;
  for (wire::Family f : {wire::Family::vpnv4, wire::Family::vpnv6})
    if (p.stale.contains(f) && (p.long_lived.contains(f) || !p.spec.kept_over_restart.contains(f))) mark_long_lived(p, f, now_);
}

void Oracle::forget(PeerId peer) {
  PeerState& p = peers_.at(peer.value);
  for (wire::Family f : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc}) drop_stale(p, f);
}

void Oracle::drop_stale(PeerState& p, wire::Family family) {
  for (const PathKey& prefix : std::set<PathKey>(p.stale_vpn)) {
    if ((prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4) != family) continue;
    p.vpn.erase(prefix);
    p.stale_vpn.erase(prefix);
  }
  if (family == wire::Family::rtc) {
    for (const wire::RtMembership& membership : p.stale_rtc) p.rtc.erase(membership);
    p.stale_rtc.clear();
  }
  p.stale.erase(family);
  p.long_lived.erase(family);
  p.long_lived_since.erase(family);
}

// RFC 9494 §4.2: NO_LLGR routes go, the others get LLGR_STALE.
void Oracle::mark_long_lived(PeerState& p, wire::Family family, Clock since) {
  for (const PathKey& prefix : std::set<PathKey>(p.stale_vpn)) {
    if ((prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4) != family) continue;
    PathAttributes& a = p.vpn.at(prefix).attributes;
    if (has_community(a, kLlgrStale)) continue;
    if (has_community(a, kNoLlgr)) {
      p.vpn.erase(prefix);
      p.stale_vpn.erase(prefix);
    } else {
      a.communities.push_back(kLlgrStale);
    }
  }
  p.long_lived.insert(family);
  p.long_lived_since.try_emplace(family, since);
}

std::vector<std::pair<PeerId, PathKey>> Oracle::set_time(Clock now) {
  now_ = now;
  std::vector<std::pair<PeerId, PathKey>> changed;
  for (PeerState& p : peers_) {
    if (p.stale.empty()) continue;
    std::map<PathKey, HeldRoute> before = p.vpn;
    Clock restart_until = p.lost_at + std::min(p.spec.restart_time, p.spec.stale_routes_time);
    Clock stale_until = p.lost_at + p.spec.stale_routes_time;
    for (wire::Family f : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc}) {
      if (!p.stale.contains(f)) continue;
      if (!p.long_lived.contains(f)) {
        if (now < (p.up ? stale_until : restart_until)) continue;
        if (p.up || f == wire::Family::rtc || !p.spec.kept_for_long.contains(f)) {
          drop_stale(p, f);
          continue;
        }
        mark_long_lived(p, f, restart_until);
      }
      if (now >= p.long_lived_since.at(f) + p.spec.long_lived_time) drop_stale(p, f);
    }
    for (const auto& [prefix, route] : before) {
      auto at = p.vpn.find(prefix);
      if (at == p.vpn.end() || at->second != route) changed.emplace_back(p.spec.id, prefix);
    }
  }
  return changed;
}

std::size_t Oracle::stale_paths(PeerId peer, wire::Family family) const {
  std::size_t n = 0;
  for (const PathKey& prefix : state(peer).stale_vpn) n += (prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4) == family;
  return n;
}

// RFC 4456 §8 and RFC 4271 §9.1.2: such routes are ignored, and replace what was there.
bool Oracle::is_loop(const PeerSpec& from, const PathAttributes& a) const {
  if (from.is_external()) return contains_as(a, reflector_.local_as);
  if (a.originator_id == reflector_.router_id) return true;
  for (std::uint32_t id : a.cluster_list) {
    if (id == reflector_.cluster_id) return true;
    for (const PeerState& p : peers_)
      if (id == p.spec.cluster_id) return true;
  }
  return false;
}

// [partition]: by the route targets it came with.
bool Oracle::is_of_another_plane(const PathAttributes& a) const {
  std::vector<std::uint64_t> targets;
  for (std::uint64_t c : a.extended_communities)
    if (wire::is_route_target(c)) targets.push_back(c);
  return !reflector_.slice.holds_route(targets);
}

// What reception itself does: iBGP attributes from outside are discarded (RFC 7606 §7.5, §7.9, §7.10), unknown
// non-transitive ones are ignored, unknown transitive ones get the Partial bit (RFC 4271 §5).
PathAttributes Oracle::received(const PeerSpec& from, PathAttributes a) const {
  if (from.is_external()) {
    a.local_pref = 100;
    a.originator_id.reset();
    a.cluster_list.clear();
    std::erase_if(a.others, [](const RawAttribute& o) { return o.type == 26; });  // RFC 7311 §3.1: no AIGP session
  }
  std::erase_if(a.others, [](const RawAttribute& o) { return !is_known(o.type) && (o.flags & 0x40) == 0; });
  for (RawAttribute& o : a.others)
    if (!is_known(o.type)) o.flags |= 0x20;
  return a;
}

bool Oracle::is_full(const PeerState& p, wire::Family family) const {
  const auto& limit = p.spec.prefix_limits[wire::index(family)];
  if (!limit || limit->action != session::PrefixLimit::Action::discard_new) return false;
  std::size_t has = p.rtc.size();
  if (family != wire::Family::rtc)
    has = static_cast<std::size_t>(std::count_if(p.vpn.begin(), p.vpn.end(), [&](const auto& e) { return (e.first.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4) == family; }));
  return has >= limit->max_prefixes;
}

bool Oracle::announce(PeerId peer, const PathKey& prefix, const std::vector<std::uint32_t>& labels, const PathAttributes& attributes) {
  PeerState& p = peers_.at(peer.value);
  if (is_loop(p.spec, attributes) || is_of_another_plane(attributes)) return withdraw(peer, prefix);
  HeldRoute route{labels, received(p.spec, attributes)};
  if (!p.vpn.contains(prefix) && is_full(p, prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4)) return false;
  p.stale_vpn.erase(prefix);
  HeldRoute& slot = p.vpn[prefix];
  bool changed = slot != route;
  slot = route;
  return changed;
}

bool Oracle::withdraw(PeerId peer, const PathKey& prefix) {
  peers_.at(peer.value).stale_vpn.erase(prefix);
  return peers_.at(peer.value).vpn.erase(prefix) != 0;
}

void Oracle::note_cluster(PeerState& p, const wire::RtMembership& membership) {
  const std::vector<std::uint32_t>& list = p.rtc.at(membership).attributes.cluster_list;
  if (p.spec.role == PeerRole::client && !list.empty() && accepts(p, membership)) p.clusters.insert(list.front());
}

void Oracle::set_policies(const policy::Definition* policies) {
  policies_ = policies;
  for (PeerState& p : peers_)
    for (const auto& [membership, route] : p.rtc) note_cluster(p, membership);
}

bool Oracle::announce_rtc(PeerId peer, const wire::RtMembership& membership, const PathAttributes& attributes) {
  PeerState& p = peers_.at(peer.value);
  if (is_loop(p.spec, attributes)) return withdraw_rtc(peer, membership);
  if (membership.matches_everything()) default_was_due_ = true;  // so is a peer that asks for everything itself
  HeldRoute route{{}, received(p.spec, attributes)};
  if (!p.rtc.contains(membership) && is_full(p, wire::Family::rtc)) return false;
  p.stale_rtc.erase(membership);
  bool is_new = !p.rtc.contains(membership);
  HeldRoute& slot = p.rtc[membership];
  bool changed = is_new || slot != route;
  slot = route;
  note_cluster(p, membership);
  return changed;
}

bool Oracle::withdraw_rtc(PeerId peer, const wire::RtMembership& membership) {
  peers_.at(peer.value).stale_rtc.erase(membership);
  return peers_.at(peer.value).rtc.erase(membership) != 0;
}

void Oracle::end_of_rib(PeerId peer, wire::Family family) {
  drop_stale(peers_.at(peer.value), family);
  if (family == wire::Family::rtc) peers_.at(peer.value).end_of_rib = true;
}

bool Oracle::holds_back(PeerId peer) const {
  const PeerState& p = state(peer);
  return p.spec.has(wire::Family::rtc) && !p.end_of_rib && now_ < p.since + p.spec.rtc_initial_wait;
}

// Pitfall 1.25: what is configured, and what marked routes of this session name.
std::set<std::uint64_t> Oracle::targets_without_rtc(const PeerState& p) const {
  std::set<std::uint64_t> out(p.spec.configured_targets.begin(), p.spec.configured_targets.end());
  for (const auto& [prefix, route] : p.vpn) {
    if (!is_marked(p.spec, route.attributes) || p.stale_vpn.contains(prefix)) continue;
    for (std::uint64_t c : route.attributes.extended_communities)
      if (wire::is_route_target(c)) out.insert(c);
  }
  return out;
}

bool Oracle::is_marked(const PeerSpec& from, const PathAttributes& a) const {
  return from.marker && !from.has(wire::Family::rtc) && has_community(a, *from.marker);
}

bool Oracle::accepts(const PeerState& from, const wire::RtMembership& membership) const {
  return policies_ == nullptr || membership_allowed(*policies_, from.spec.group, true, from.spec, membership);
}

std::vector<wire::RtMembership> Oracle::memberships(PeerId peer) const {
  std::vector<wire::RtMembership> out;
  const PeerState& p = state(peer);
  if (!p.up) return out;
  if (!p.spec.has(wire::Family::rtc)) {
    if (p.spec.without_rtc_send_all && !p.spec.marker) return std::vector<wire::RtMembership>(1);
    for (std::uint64_t target : targets_without_rtc(p)) out.push_back({96, reflector_.local_as, target});
    return out;
  }
  for (const auto& [membership, route] : p.rtc)
    if (accepts(p, membership) && is_admitted(p, membership)) out.push_back(membership);
  return out;
}

// RFC 4684 §3.1: of the paths of external peers for a membership, the first ones in order of preference carry VPN routes.
bool Oracle::is_admitted(const PeerState& peer, const wire::RtMembership& membership) const {
  if (!peer.spec.is_external() || peer.spec.external_paths == 0) return true;
  std::vector<Path> external;
  for (const PeerState& p : peers_)
    if (auto at = p.rtc.find(membership); p.spec.is_external() && at != p.rtc.end() && accepts(p, membership)) external.push_back({&p.spec, at->second});
  for (std::uint32_t left = peer.spec.external_paths; left > 0 && !external.empty(); --left) {
    std::size_t best = select_best(external, reflector_);
    if (external[best].from == &peer.spec) return true;
    external.erase(external.begin() + static_cast<std::ptrdiff_t>(best));
  }
  return false;
}

// RFC 4684 §6: "advertised to a peer if that peer has advertised the default, or an NLRI containing any of the targets".
bool Oracle::wants(PeerId peer, const PathAttributes& attributes) const {
  for (const wire::RtMembership& membership : memberships(peer)) {
    if (membership.matches_everything()) return true;
    for (std::uint64_t c : attributes.extended_communities)
      if (wire::is_route_target(c) && membership.matches(wire::RouteTarget{c})) return true;
  }
  return false;
}

std::optional<Oracle::Path> Oracle::usable(PeerId peer, const PathKey& prefix, const policy::Definition* with) const {
  const PeerState& p = state(peer);
  auto at = p.vpn.find(prefix);
  if (at == p.vpn.end()) return std::nullopt;
  return imported(p, prefix, at->second, with == nullptr ? policies_ : with);
}

std::optional<HeldRoute> Oracle::received_from(PeerId peer, const PathKey& prefix) const {
  auto at = state(peer).vpn.find(prefix);
  return at == state(peer).vpn.end() ? std::nullopt : std::optional(at->second);
}

std::optional<Oracle::Path> Oracle::imported(const PeerState& from, const PathKey& prefix, const HeldRoute& route, const policy::Definition* with) const {
  if (is_marked(from.spec, route.attributes)) return std::nullopt;  // said to the reflector alone
  Path path{&from.spec, route, prefix.path_id};
  if (with != nullptr) {
    NaiveVerdict verdict = apply_policy(*with, from.spec.group, true, from.spec, prefix, route.attributes);
    if (!verdict.accepted) return std::nullopt;
    path.route.attributes = verdict.attributes;
  }
  if (!tracks_next_hops_) return path;
  auto at = routes_.find(next_hop_of(path.route.attributes));
  path.is_reachable = at != routes_.end();
  if (path.is_reachable) path.metric = at->second;
  return path;
}

// Of a VPN route: behind the RD; of a global and a link-local address the global one.
wire::IpAddress next_hop_of(const PathAttributes& a) {
  wire::IpAddress out;
  out.is_v6 = a.next_hop.size() != 12;
  std::copy_n(a.next_hop.begin() + 8, out.is_v6 ? 16 : 4, out.bytes.begin());
  bool is_mapped = out.is_v6 && out.bytes[10] == 0xff && out.bytes[11] == 0xff && std::all_of(out.bytes.begin(), out.bytes.begin() + 10, [](auto octet) { return octet == 0; });
  return is_mapped ? wire::IpAddress::v4(load_be32(out.bytes.data() + 12)) : out;  // RFC 4659 §3.2.1.2
}

void Oracle::set_route(const wire::IpAddress& next_hop, std::optional<std::uint32_t> metric) {
  if (metric) routes_[next_hop] = *metric;
  else routes_.erase(next_hop);
}

// RFC 8654 §4: what does not fit into a message of the peer's size is not sent to it.
std::optional<HeldRoute> Oracle::exported(const Path& path, PeerId to_id, const wire::VpnPrefix& prefix, const policy::Definition* with) const {
  const PeerSpec& to = state(to_id).spec;
  if (with == nullptr) with = policies_;
  NaiveVerdict verdict{true, false, path.route.attributes};
  if (with != nullptr) verdict = apply_policy(*with, to.group, false, *path.from, prefix, path.route.attributes);
  if (!verdict.accepted) return std::nullopt;
  auto route = reflected(path, to, prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4, &verdict);
  if (!route || route->attributes.others.empty() || to.extended_messages) return route;
  NaiveUpdate update;
  update.reach = prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4;
  update.attributes = route->attributes;
  update.announced = {{prefix, route->labels}};
  if (encode_body(update, to.four_octet_as).size() + 19 > 4096) return std::nullopt;
  return route;
}

std::optional<HeldRoute> Oracle::reflected(const Path& path, const PeerSpec& to, wire::Family family, const NaiveVerdict* exported) const {
  const PeerSpec& from = *path.from;
  HeldRoute out = path.route;
  PathAttributes& a = out.attributes;
  bool is_rtc = family == wire::Family::rtc;
  bool back_to_client = is_rtc && to.role == PeerRole::client;  // RFC 4684 §3.2 i: also to the originator
  if (from.id == to.id && !back_to_client) return std::nullopt;
  if (from.role == PeerRole::non_client && to.role == PeerRole::non_client) return std::nullopt;  // RFC 4456 §6
  // RFC 4456 §6: the clients of a cluster may be meshed, and then have it already.
  if (!is_rtc && from.role == PeerRole::client && to.role == PeerRole::client && !from.client_to_client && cluster_of(from) == cluster_of(to)) return std::nullopt;
  if (!is_rtc && from.long_lived_aware && has_community(a, kLlgrStale) && !to.long_lived_capable) return std::nullopt;  // RFC 9494 §4.3
  if (has_community(a, kNoAdvertise)) return std::nullopt;                                        // RFC 1997
  if (to.is_external() && (has_community(a, kNoExport) || has_community(a, kNoExportSubconfed))) return std::nullopt;
  // RFC 8950 §4, wire 2.15: an IPv6 next hop for VPN-IPv4 only to those who said they take it.
  if (family == wire::Family::vpnv4 && a.next_hop.size() > 12 && !to.next_hop_self && !to.ipv6_next_hop.contains(family)) return std::nullopt;

  // Who may have it follows from what is in use; the export policy then says how it looks.
  if (exported != nullptr) a = exported->attributes;
  if (to.is_external()) {
    a.local_pref.reset();
    a.originator_id.reset();
    a.cluster_list.clear();
    if (exported == nullptr || !exported->sets_med) a.med.reset();  // RFC 4271 §5.1.4: not propagated to other neighbouring ASes
    prepend(a.as_path, reflector_.local_as);
    std::erase_if(a.others, [](const RawAttribute& o) { return o.type == 26; });
    std::erase_if(a.extended_communities, [](std::uint64_t c) { return (c >> 56 & 0x40) != 0; });  // RFC 4360 §6
    // A membership is no forwarding entry: its next hop to another AS is the session's address (RFC 4271 §5.1.3).
    if (to.next_hop_self || is_rtc) a.next_hop = own_next_hop(to, family);
    return out;
  }
  if (!from.is_external() && !path.is_proxy) {  // iBGP to iBGP: reflection, RFC 4456 §8
    if (!a.originator_id) a.originator_id = from.router_id;
    a.cluster_list.insert(a.cluster_list.begin(), cluster_of(from));
  }
  if (back_to_client) {
    a.originator_id = reflector_.router_id;
    a.next_hop = bare_next_hop(to.local_address);
  }
  return out;
}

// RFC 7911: the n best are the best one, then the best of the others, and so on; each is filtered by itself (pitfall 1.18).
std::map<PathKey, HeldRoute> Oracle::expected_vpn(PeerId to) const {
  std::map<PathKey, HeldRoute> out;
  const PeerSpec& spec = state(to).spec;
  if (!is_up(to) || holds_back(to)) return out;
  std::map<wire::VpnPrefix, std::vector<Path>> all;
  for (const PeerState& p : peers_)
    for (const auto& [prefix, route] : p.vpn)
      if (auto path = imported(p, prefix, route, policies_); path && path->is_reachable) all[prefix].push_back(*path);
  for (auto& [prefix, paths] : all) {
    wire::Family family = prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4;
    if (!spec.has(family)) continue;
    bool several = spec.add_path_send.contains(family);
    if (spec.role == PeerRole::non_client && (several || spec.best_external))
      std::erase_if(paths, [](const Path& p) { return p.from->role == PeerRole::non_client; });
    std::size_t left = !several ? 1 : spec.send_max == 255 ? paths.size() : spec.send_max;
    for (; left > 0 && !paths.empty(); --left) {
      auto at = paths.begin() + static_cast<std::ptrdiff_t>(select_best(paths, reflector_));
      std::uint32_t id = several ? at->from->id.value * 1000 + at->path_id + 1 : 0;
      if (wants(to, at->route.attributes))
        if (auto route = exported(*at, to, prefix)) out[PathKey(prefix, id)] = *route;
      paths.erase(at);
    }
  }
  return out;
}

// RFC 4684 §3.2 ii: to a non-client, a client's path when the best one is a non-client's.
std::optional<HeldRoute> Oracle::exported_rtc(const wire::RtMembership& membership, const std::vector<Path>& paths, const PeerSpec& to) const {
  auto sent = [&](const Path& path) -> std::optional<HeldRoute> {
    if (policies_ != nullptr && !membership_allowed(*policies_, to.group, false, *path.from, membership)) return std::nullopt;
    return reflected(path, to, wire::Family::rtc);
  };
  const Path& best = paths[select_best(paths, reflector_)];
  if (const auto& clusters = state(to.id).clusters; to.role == PeerRole::client && !clusters.empty()) {
    // It drops what has a cluster id of its own: interest elsewhere is what it must hear of.
    std::vector<Path> others;
    for (const Path& p : paths)
      if (std::ranges::none_of(p.route.attributes.cluster_list, [&](std::uint32_t id) { return clusters.contains(id); })) others.push_back(p);
    if (!others.empty()) return sent(others[select_best(others, reflector_)]);
  }
  if (to.role != PeerRole::non_client || best.from->role != PeerRole::non_client) return sent(best);
  std::vector<Path> clients;
  for (const Path& p : paths)
    if (p.from->role == PeerRole::client) clients.push_back(p);
  if (clients.empty()) return std::nullopt;
  return sent(clients[select_best(clients, reflector_)]);
}

std::map<wire::RtMembership, PathAttributes> Oracle::expected_rtc(PeerId to) const {
  std::map<wire::RtMembership, PathAttributes> out;
  const PeerSpec& spec = state(to).spec;
  if (!is_up(to) || !spec.has(wire::Family::rtc) || spec.advertise == session::GroupSettings::RtcAdvertise::only_default) return out;
  std::map<wire::RtMembership, std::vector<Path>> all;
  for (const PeerState& p : peers_)
    for (const auto& [membership, route] : p.rtc)
      if (!membership.is_default() && accepts(p, membership)) all[membership].push_back({&p.spec, route});  // a received default goes nowhere
  for (const PeerState& p : peers_) {
    if (!p.up || p.spec.has(wire::Family::rtc)) continue;
    PathAttributes own;
    own.local_pref = 100;
    own.next_hop = bare_next_hop(p.spec.local_address);
    for (std::uint64_t target : targets_without_rtc(p)) all[{96, reflector_.local_as, target}].push_back({&p.spec, {{}, own}, 0, true});
  }
  for (const auto& [membership, paths] : all) {
    if (!reflector_.slice.may_hold(membership)) continue;
    if (auto route = exported_rtc(membership, paths, spec)) out[membership] = route->attributes;
  }
  return out;
}

Oracle::DefaultRoute Oracle::expected_default(PeerId to) const {
  using Advertise = session::GroupSettings::RtcAdvertise;
  const PeerSpec& spec = state(to).spec;
  if (!is_up(to) || !spec.has(wire::Family::rtc) || spec.advertise == Advertise::specific) return DefaultRoute::absent;
  if (spec.advertise != Advertise::automatic) return DefaultRoute::present;
  for (const PeerState& p : peers_) {
    if (!p.up || (!p.spec.has(wire::Family::vpnv4) && !p.spec.has(wire::Family::vpnv6))) continue;
    if (!p.spec.has(wire::Family::rtc) && p.spec.without_rtc_send_all && !p.spec.marker) return DefaultRoute::present;
  }
  // "It does not flap with that peer" leaves open for how long it stays.
  return default_was_due_ ? DefaultRoute::either : DefaultRoute::absent;
}

std::vector<PathKey> Oracle::prefixes_of(PeerId peer) const {
  std::vector<PathKey> out;
  for (const auto& [prefix, route] : state(peer).vpn) out.push_back(prefix);
  return out;
}

std::vector<wire::RtMembership> Oracle::rtc_routes_of(PeerId peer) const {
  std::vector<wire::RtMembership> out;
  for (const auto& [membership, route] : state(peer).rtc) out.push_back(membership);
  return out;
}

}  // namespace helio::test

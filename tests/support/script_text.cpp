// Scripts as text: a failing run is reported as the list of what happened.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/support/script.hpp"

namespace helio::test {
namespace {

const char* kind_name(Action::Kind kind) {
  static const char* const kNames[] = {"up", "down", "announce", "withdraw", "announce+withdraw", "announce-broken", "rtc-announce", "rtc-withdraw",
                                       "rtc-eor", "vpn-eor", "pause", "resume", "refresh", "turns", "advance", "quiet", "policy", "route"};
  return kNames[static_cast<std::size_t>(kind)];
}

const char* ending_name(Ending ending) {
  static const char* const kNames[] = {"connection lost", "hold timer", "notification", "hard reset", "taken down"};
  return kNames[static_cast<std::size_t>(ending)];
}

std::string format_peer(const PeerSpec& peer) {
  static const char* const kRoles[] = {"client", "non-client", "external"};
  static const char* const kAdvertise[] = {"specific", "default", "both", "auto"};
  std::string out = fmt::format("peer {}: {} AS {} address {} local {} router-id {:#x} families", peer.id.value, kRoles[static_cast<std::size_t>(peer.role)],
                                peer.peer_as, wire::format_ip(peer.address), wire::format_ip(peer.local_address), peer.router_id);
  for (auto family : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc})
    if (peer.has(family)) out += fmt::format(" {}", wire::family_label(family));
  out += fmt::format(" advertise={} wait={}s", kAdvertise[static_cast<std::size_t>(peer.advertise)], peer.rtc_initial_wait.count());
  if (!peer.four_octet_as) out += " as2";
  if (peer.enhanced_refresh) out += " enhanced-refresh";
  if (peer.extended_messages) out += " extended-messages";
  if (!peer.ipv6_next_hop.empty()) out += " ipv6-next-hop";
  if (!peer.without_rtc_send_all) out += " without-rtc=send-none";
  if (peer.external_paths != 0) out += fmt::format(" external-paths={}", peer.external_paths);
  if (peer.next_hop_self) out += " next-hop-self";
  if (peer.marker) out += fmt::format(" marker={:#x}", *peer.marker);
  if (peer.group != "simulated") out += " group " + peer.group;
  for (auto family : {wire::Family::vpnv4, wire::Family::vpnv6}) {
    if (peer.add_path_receive.contains(family)) out += fmt::format(" {}-path-ids", wire::family_label(family));
    if (peer.add_path_send.contains(family)) out += fmt::format(" {}-send-max={}", wire::family_label(family), peer.send_max);
  }
  if (peer.best_external) out += " best-external";
  if (peer.cluster_id != 0) out += fmt::format(" cluster-id {:#x}", peer.cluster_id);
  if (!peer.client_to_client) out += " meshed";
  if (peer.restart_capable) {
    out += fmt::format(" restart{} {}s stale {}s keep", peer.notification_restarts ? "(N)" : "", peer.restart_time.count(), peer.stale_routes_time.count());
    for (auto family : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc})
      if (peer.kept_over_restart.contains(family)) out += fmt::format(" {}", wire::family_label(family));
  }
  if (peer.long_lived_aware) out += " llgr-aware";
  if (peer.long_lived_capable) {
    out += fmt::format(" llgr {}s keep", peer.long_lived_time.count());
    for (auto family : {wire::Family::vpnv4, wire::Family::vpnv6})
      if (peer.kept_for_long.contains(family)) out += fmt::format(" {}", wire::family_label(family));
  }
  return out;
}

std::string format_items(const World& world, const Action& action) {
  std::string out;
  bool is_rtc = action.kind == Action::Kind::rtc_announce || action.kind == Action::Kind::rtc_withdraw;
  std::size_t shown = 0;
  for (std::uint32_t item : action.items) {
    if (++shown > 6) return out + fmt::format(" … {} in all", action.items.size());
    out += is_rtc ? " " + wire::format_membership(world.memberships[item]) : fmt::format(" [{}]", format_key(world.prefixes[item]));
  }
  return out;
}

// What differs between the versions is what matters; all of them are listed.
std::string format_policies(const policy::Definition& d) {
  static const char* const kActions[] = {"accept", "reject", "continue"};
  std::string out;
  for (const policy::SetDefinition& s : d.sets)
    out += fmt::format("    set {}: {}\n", s.name, fmt::join(!s.route_targets.empty() ? s.route_targets : !s.prefixes.empty() ? s.prefixes : s.peers, ", "));
  for (const policy::StatementDefinition& s : d.statements) {
    out += fmt::format("    {}: rt={} membership={} rd={} prefix={} comm={} path={} peer={} role={} families={} -> {}", s.name, s.any_route_target_in, s.any_membership_in,
                       s.route_distinguisher_in, s.prefix_in, s.any_community_in, s.as_path_in, s.peer_in, s.source_role ? static_cast<int>(*s.source_role) : -1,
                       s.families ? s.families->bits : 0, kActions[static_cast<std::size_t>(s.action)]);
    out += fmt::format(" lp={} med={} nh={} comm+{} comm-{} rt+{} rt-{} prepend={}\n", s.local_preference ? static_cast<int>(*s.local_preference) : -1,
                       s.med ? static_cast<int>(*s.med) : -1, s.next_hop, fmt::join(s.communities_add, ","), fmt::join(s.communities_remove, ","),
                       fmt::join(s.route_targets_add, ","), fmt::join(s.route_targets_remove, ","), s.prepend_repeat);
  }
  for (const policy::GroupDefinition& g : d.groups) out += fmt::format("    {}: import {} export {}\n", g.name, fmt::join(g.import_policy, " "), fmt::join(g.export_policy, " "));
  return out;
}

}  // namespace

std::string format_action(const World& world, const Action& action) {
  using Kind = Action::Kind;
  std::string out = fmt::format("#{} {}", action.serial, kind_name(action.kind));
  if (action.kind < Kind::turns) out += fmt::format(" peer {}", action.peer);
  out += format_items(world, action);
  const PeerSpec& peer = world.peers[action.peer];
  if (action.path_id != 0 && !peer.add_path_receive.empty()) out += fmt::format(" path-id {}", action.path_id);
  switch (action.kind) {
    case Kind::announce:
    case Kind::announce_and_withdraw:
    case Kind::announce_broken:
      out += fmt::format(" labels {} {}", action.label, format_attributes(make_attributes(world, peer, action.variant, wire::Family::vpnv4)));
      if (!action.more.empty()) out += " withdrawing";
      for (std::uint32_t item : action.more) out += fmt::format(" [{}]", format_key(world.prefixes[item]));
      break;
    case Kind::rtc_announce:
      out += " " + format_attributes(make_attributes(world, peer, action.variant, wire::Family::rtc));
      break;
    case Kind::up: out += action.variant == 0 ? "" : " without F bits"; break;
    case Kind::down: out += fmt::format(" ({})", ending_name(static_cast<Ending>(action.variant))); break;
    case Kind::vpn_end_of_rib: out += fmt::format(" {}", wire::family_label(action.family)); break;
    case Kind::refresh: out += fmt::format(" {}", wire::family_label(action.family)); break;
    case Kind::route: return out + fmt::format(" to {} {}", wire::format_ip(next_hop_pool()[action.variant]), action.label == 0 ? "gone" : fmt::format("metric {}", action.label));
    case Kind::policy: return out + fmt::format(" {}", action.variant);
    case Kind::advance: return out + fmt::format(" {} s", action.turns);
    default: break;
  }
  if (action.turns != 0) out += fmt::format("; {} turns", action.turns);
  return out;
}

std::string format_script(const Script& script) {
  const World& world = script.world;
  std::string out = fmt::format("seed {} shards {}{}{} router-id {:#x} cluster-id {:#x} AS {}\n", world.seed, world.shards, world.tiny_limits ? " tiny-limits" : "",
                                world.bulk ? " bulk" : "", world.reflector.router_id, world.reflector.cluster_id, world.reflector.local_as);
  for (std::size_t i = 0; i < world.policies.size(); ++i) out += fmt::format("  policies {}\n{}", i, format_policies(world.policies[i]));
  if (world.reflector.always_compare_med) out += "  always-compare-med\n";
  if (world.reflector.missing_med_is_worst) out += "  missing-as-worst\n";
  if (world.reflector.aigp) out += "  aigp\n";
  if (world.tracks_next_hops) out += "  next hops are tracked\n";
  for (const auto& [next_hop, metric] : world.routes) out += fmt::format("  route to {} metric {}\n", wire::format_ip(next_hop), metric);
  for (const PeerSpec& peer : world.peers) out += "  " + format_peer(peer) + "\n";
  for (const Action& action : script.actions) out += "  " + format_action(world, action) + "\n";
  return out;
}

}  // namespace helio::test

#include "rr/config/session_settings.hpp"

#include <algorithm>

#include "rr/policy/imported_targets.hpp"
#include "rr/policy/patterns.hpp"

namespace helio::config {
namespace {

bool is_configured(const Config& config) {
  for (const FamilySettings& family : config.families)
    if (family.name == wire::Family::rtc && family.without_rtc == FamilySettings::WithoutRtc::configured) return true;
  return false;
}

std::vector<std::uint64_t> targets_of(const std::vector<std::string>& texts) {
  std::vector<std::uint64_t> out;
  for (const std::string& text : texts)
    if (auto rt = wire::parse_rt(text)) out.push_back(rt->value);
  return out;
}

// What peers of the group are sent that do not negotiate RTC.
void set_targets(session::GroupSettings& out, const Config& config, const PeerGroup& group, const std::vector<std::string>& route_targets) {
  out.configured_targets = targets_of(route_targets);
  out.configured_memberships.clear();
  if (!group.rt_constrain.proxy_import_policy) return;
  for (const wire::RtMembership& m : policy::imported_targets(config.policy, group.name)) {
    if (m.length < 96) out.configured_memberships.push_back(m);
    else if (std::ranges::find(out.configured_targets, m.target) == out.configured_targets.end()) out.configured_targets.push_back(m.target);
  }
}

void set_limits(session::GroupSettings& out, const PrefixLimits& limits) {
  for (const auto& [family, limit] : limits) out.prefix_limits[wire::index(family)] = limit;
}

session::GroupSettings make_group(const Config& config, const PeerGroup& group, const std::string& hostname) {
  session::GroupSettings out;
  out.name = group.name;
  out.local_as = config.global.as;
  out.router_id = config.global.router_id;
  out.cluster_id = group.cluster_id;
  out.peer_as = group.peer_as;
  out.role = group.role;
  out.families = group.families;
  out.hold_time = config.timers.hold_time;
  out.keepalive_interval = config.timers.keepalive_interval;
  out.connect_retry = config.timers.connect_retry;
  out.send_hold_time = config.timers.send_hold_time;
  out.rtc_initial_wait = group.rt_constrain.initial_wait;
  out.rtc_advertise = group.rt_constrain.advertise;
  out.rtc_external_paths = group.rt_constrain.external_paths;
  out.close_when_behind = group.slow_peer.close;
  out.max_lag = group.slow_peer.max_lag;
  for (const auto& [family, paths] : group.add_paths) {
    if (paths.receive) out.add_path_receive.insert(family);
    out.add_path_send_max[wire::index(family)] = static_cast<std::uint8_t>(paths.send_max);
  }
  out.best_external = group.best_external;
  out.client_to_client = group.client_to_client;
  out.passive = group.passive;
  out.next_hop_self = group.next_hop_self;
  for (const FamilySettings& family : config.families)
    if (family.name == wire::Family::rtc)
      out.without_rtc_send_all = family.without_rtc == FamilySettings::WithoutRtc::send_all;
  if (is_configured(config)) set_targets(out, config, group, group.rt_constrain.route_targets);
  if (!group.rt_constrain.marker_community.empty()) out.marker_community = policy::parse_community_pattern(group.rt_constrain.marker_community)->value;
  out.local_address = group.local_address;
  out.auth_password = group.auth_password;
  out.auth_method = group.auth_method;
  out.auth_key_id = group.auth_key_id;
  out.ttl_min = group.ttl_min;
  out.multihop = group.multihop;
  out.bfd = group.bfd;
  out.heeds_graceful_shutdown = group.heeds_graceful_shutdown;
  out.hostname = hostname;
  const GracefulRestart& restart = config.graceful_restart;
  out.graceful_restart_helper = restart.mode != GracefulRestart::Mode::off;
  out.graceful_restart_full = restart.mode == GracefulRestart::Mode::full;
  out.restart_time = restart.restart_time;
  out.stale_routes_time = restart.stale_routes_time;
  if (out.graceful_restart_helper) out.long_lived_stale_time = restart.long_lived_stale_time;
  for (const FamilySettings& family : config.families) out.prefix_limits[wire::index(family.name)] = family.prefix_limit;
  set_limits(out, group.prefix_limits);
  return out;
}

}  // namespace

SessionSettings make_session_settings(const Config& config, const std::string& hostname) {
  SessionSettings out;
  out.listen = config.global.listen;
  for (const PeerGroup& group : config.peer_groups)
    out.groups.push_back(std::make_shared<const session::GroupSettings>(make_group(config, group, hostname)));

  for (const Neighbor& neighbor : config.neighbors) {
    session::NeighborSettings settings;
    settings.address = neighbor.address;
    settings.remote_port = neighbor.remote_port;
    settings.description = neighbor.description;
    settings.group = out.groups[neighbor.group];
    if (neighbor.passive || neighbor.local_address || neighbor.bfd || !neighbor.auth_password.empty() || !neighbor.prefix_limits.empty() || neighbor.route_targets) {
      session::GroupSettings own = *settings.group;
      if (neighbor.passive) own.passive = *neighbor.passive;
      if (neighbor.local_address) own.local_address = neighbor.local_address;
      if (neighbor.bfd) own.bfd = *neighbor.bfd;
      if (!neighbor.auth_password.empty()) own.auth_password = neighbor.auth_password;
      if (neighbor.route_targets && is_configured(config)) set_targets(own, config, config.peer_groups[neighbor.group], *neighbor.route_targets);
      set_limits(own, neighbor.prefix_limits);
      settings.group = std::make_shared<const session::GroupSettings>(std::move(own));
    }
    out.neighbors.push_back(std::move(settings));
  }

  for (const ListenRange& range : config.listen_ranges) {
    std::shared_ptr<const session::GroupSettings> group = out.groups[range.group];
    if (!range.auth_password.empty()) {
      session::GroupSettings own = *group;
      own.auth_password = range.auth_password;
      group = std::make_shared<const session::GroupSettings>(std::move(own));
    }
    out.listen_ranges.push_back({range.prefix.address, range.prefix.length, range.max_peers, std::move(group)});
  }
  return out;
}

}  // namespace helio::config

#include "rr/config/decode.hpp"

#include <algorithm>
#include <filesystem>

namespace helio::config {
namespace {

// Reads members of one table. A member that is absent or of the wrong form leaves the target alone.
class Reader {
 public:
  explicit Reader(const Node* node) : node_(node) {}

  const Node* node(std::string_view path) const { return node_ ? node_->find(path) : nullptr; }
  bool has(std::string_view path) const { return node(path) != nullptr; }
  Reader at(std::string_view path) const { return Reader(node(path)); }

  template <class T>
  void number(std::string_view path, T& out) const {
    const Node* n = node(path);
    if (n && n->integer() && *n->integer() >= 0) out = static_cast<T>(*n->integer());
  }
  void seconds(std::string_view path, std::chrono::seconds& out) const {
    std::int64_t value = out.count();
    number(path, value);
    out = std::chrono::seconds(value);
  }
  void fraction(std::string_view path, double& out) const {
    const Node* n = node(path);
    if (n && std::get_if<double>(&n->value)) out = std::get<double>(n->value);
    if (n && n->integer()) out = static_cast<double>(*n->integer());
  }
  void boolean(std::string_view path, bool& out) const {
    const Node* n = node(path);
    if (n && n->boolean()) out = *n->boolean();
  }
  void text(std::string_view path, std::string& out) const {
    const Node* n = node(path);
    if (n && n->text()) out = *n->text();
  }
  void texts(std::string_view path, std::vector<std::string>& out) const {
    const Node* n = node(path);
    if (!n || !n->array()) return;
    out.clear();
    for (const Node& item : *n->array())
      if (item.text()) out.push_back(*item.text());
  }
  // Any value whose text has a parser returning an optional.
  template <class T, class Parse>
  void parsed(std::string_view path, T& out, Parse parse) const {
    const Node* n = node(path);
    if (!n || !n->text()) return;
    if (auto value = parse(*n->text())) out = *value;
  }
  template <class T, std::size_t N>
  void choice(std::string_view path, T& out, const std::pair<std::string_view, T> (&names)[N]) const {
    const Node* n = node(path);
    if (!n || !n->text()) return;
    for (const auto& [name, value] : names)
      if (name == *n->text()) out = value;
  }
  void size(std::string_view path, std::uint64_t& out) const {
    number(path, out);
    parsed(path, out, parse_size);
  }
  template <class Visit>
  void each(std::string_view path, Visit visit) const {
    const Node* n = node(path);
    if (!n || !n->array()) return;
    for (const Node& item : *n->array()) visit(Reader(&item));
  }

 private:
  const Node* node_;
};

void read_prefix_limit(const Reader& in, PrefixLimit& out) {
  using Action = PrefixLimit::Action;
  static constexpr std::pair<std::string_view, Action> kActions[] = {
      {"warn", Action::warn}, {"idle-hold", Action::idle_hold}, {"discard-new", Action::discard_new}};
  in.number("max-prefixes", out.max_prefixes);
  in.number("warning-threshold-pct", out.warning_threshold_pct);
  in.choice("action", out.action, kActions);
  in.seconds("restart-timer", out.restart_timer);
}

void read_prefix_limits(const Reader& in, PrefixLimits& out) {
  const Node* limits = in.node("prefix-limits");
  if (!limits || !limits->table()) return;
  for (const TableEntry& entry : *limits->table())
    if (auto family = wire::parse_family(entry.key)) read_prefix_limit(Reader(&entry.node), out[*family]);
}

void read_add_paths(const Reader& in, AddPaths& out) {
  in.boolean("receive", out.receive);
  in.number("send-max", out.send_max);
  if (const Node* n = in.node("send-max"); n && n->text()) out.send_max = AddPaths::kAll;
}

void read_rt_constrain(const Reader& in, RtConstrain& out) {
  static constexpr std::pair<std::string_view, RtcAdvertise> kAdvertise[] = {{"specific", RtcAdvertise::specific},
                                                                             {"default", RtcAdvertise::only_default},
                                                                             {"both", RtcAdvertise::both},
                                                                             {"auto", RtcAdvertise::automatic}};
  in.seconds("initial-wait", out.initial_wait);
  in.choice("advertise", out.advertise, kAdvertise);
  in.number("external-paths", out.external_paths);
  if (const Node* n = in.node("external-paths"); n && n->text()) out.external_paths = 0;
  in.texts("route-targets", out.route_targets);
  static constexpr std::pair<std::string_view, bool> kProxy[] = {{"off", false}, {"import-policy", true}};
  in.choice("proxy", out.proxy_import_policy, kProxy);
  in.text("marker-community", out.marker_community);
}

void read_slow_peer(const Reader& in, SlowPeer& out) {
  static constexpr std::pair<std::string_view, bool> kActions[] = {{"catch-up", false}, {"close", true}};
  in.choice("action", out.close, kActions);
  in.seconds("max-lag", out.max_lag);
}

void read_bfd(const Reader& in, session::BfdSettings& out) {
  in.boolean("enabled", out.enabled);
  in.parsed("interval", out.interval, parse_duration);
  in.number("multiplier", out.multiplier);
}

void read_global(const Reader& in, Global& out) {
  in.number("as", out.as);
  in.parsed("router-id", out.router_id, parse_router_id);
  out.cluster_id = out.router_id;
  in.parsed("cluster-id", out.cluster_id, parse_router_id);
  in.boolean("graceful-shutdown", out.graceful_shutdown);
  in.each("listen", [&](const Reader& item) {
    session::ListenEndpoint endpoint;
    item.parsed("address", endpoint.address, wire::parse_ip);
    item.number("port", endpoint.port);
    out.listen.push_back(endpoint);
  });
  if (out.listen.empty()) out.listen.push_back({wire::IpAddress::v4(0), 179});
}

void read_timers(const Reader& in, Timers& out) {
  in.seconds("hold-time", out.hold_time);
  out.keepalive_interval = out.hold_time / 3;
  in.seconds("keepalive-interval", out.keepalive_interval);
  in.seconds("connect-retry", out.connect_retry);
  in.seconds("send-hold-time", out.send_hold_time);
  in.parsed("advertise-delay", out.advertise_delay, parse_duration);
  if (in.has("initial-sync")) {
    Reader sync = in.at("initial-sync");
    out.initial_sync.emplace();
    sync.seconds("max-delay", out.initial_sync->max_delay);
    sync.fraction("peers-ratio", out.initial_sync->peers_ratio);
  }
}

void read_families(const Reader& root, std::vector<FamilySettings>& out) {
  using WithoutRtc = FamilySettings::WithoutRtc;
  static constexpr std::pair<std::string_view, WithoutRtc> kWithoutRtc[] = {{"send-all", WithoutRtc::send_all},
                                                                            {"send-none", WithoutRtc::send_none},
                                                                            {"configured", WithoutRtc::configured}};
  root.each("families", [&](const Reader& in) {
    FamilySettings family;
    in.parsed("name", family.name, wire::parse_family);
    read_add_paths(in.at("add-paths"), family.add_paths);
    if (in.has("prefix-limit")) read_prefix_limit(in.at("prefix-limit"), family.prefix_limit.emplace());
    in.choice("without-rtc", family.without_rtc, kWithoutRtc);
    out.push_back(family);
  });
  if (out.empty())
    for (wire::Family name : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc}) {
      out.emplace_back();
      out.back().name = name;
    }
}

void read_graceful_restart(const Reader& in, GracefulRestart& out) {
  using Mode = GracefulRestart::Mode;
  static constexpr std::pair<std::string_view, Mode> kModes[] = {
      {"off", Mode::off}, {"helper", Mode::helper}, {"full", Mode::full}};
  in.choice("mode", out.mode, kModes);
  in.seconds("restart-time", out.restart_time);
  in.seconds("stale-routes-time", out.stale_routes_time);
  in.seconds("long-lived-stale-time", out.long_lived_stale_time);
  in.seconds("selection-deferral-time", out.selection_deferral_time);
}

PeerGroup read_group(const Reader& in, const Config& config) {
  using session::PeerRole;
  static constexpr std::pair<std::string_view, PeerRole> kRoles[] = {{"client", PeerRole::client},
                                                                     {"non-client", PeerRole::non_client}};
  static constexpr std::pair<std::string_view, bool> kNextHops[] = {{"unchanged", false}, {"self", true}};
  PeerGroup group;
  in.text("name", group.name);
  group.peer_as = config.global.as;
  in.number("peer-as", group.peer_as);
  in.choice("role", group.role, kRoles);
  if (group.peer_as != config.global.as) group.role = PeerRole::external;
  std::vector<std::string> families;
  in.texts("families", families);
  for (const std::string& name : families)
    if (auto family = wire::parse_family(name)) group.families.insert(*family);
  if (!in.has("families"))
    for (const FamilySettings& family : config.families) group.families.insert(family.name);
  group.cluster_id = config.global.cluster_id;
  in.parsed("cluster-id", group.cluster_id, parse_router_id);
  in.boolean("client-to-client", group.client_to_client);
  in.boolean("passive", group.passive);
  in.parsed("local-address", group.local_address, wire::parse_ip);
  static constexpr std::pair<std::string_view, session::AuthMethod> kMethods[] = {{"tcp-md5", session::AuthMethod::tcp_md5},
                                                                                  {"tcp-ao", session::AuthMethod::tcp_ao}};
  in.choice("auth-method", group.auth_method, kMethods);
  in.number("auth-key-id", group.auth_key_id);
  in.number("ttl-min", group.ttl_min);
  in.number("multihop", group.multihop);
  in.choice("next-hop", group.next_hop_self, kNextHops);
  read_bfd(in.at("bfd"), group.bfd);
  static constexpr std::pair<std::string_view, bool> kHeeds[] = {{"ignore", false}, {"heed", true}};
  in.choice("graceful-shutdown", group.heeds_graceful_shutdown, kHeeds);
  group.rt_constrain = config.rt_constrain;
  read_rt_constrain(in.at("rt-constrain"), group.rt_constrain);
  group.slow_peer = config.slow_peer;
  read_slow_peer(in.at("slow-peer"), group.slow_peer);
  for (const FamilySettings& family : config.families)
    if (wire::is_vpn(family.name)) read_add_paths(in.at("add-paths"), group.add_paths[family.name] = family.add_paths);
  in.boolean("best-external", group.best_external);
  read_prefix_limits(in, group.prefix_limits);
  in.texts("import-policy", group.import_policy);
  in.texts("export-policy", group.export_policy);
  return group;
}

std::size_t group_index(const Reader& in, const std::vector<PeerGroup>& groups) {
  std::string name;
  in.text("peer-group", name);
  auto found = std::ranges::find(groups, name, &PeerGroup::name);
  return found == groups.end() || name.empty() ? kNoGroup : static_cast<std::size_t>(found - groups.begin());
}

void read_peers(const Reader& root, Config& config) {
  root.each("peer-groups", [&](const Reader& in) { config.peer_groups.push_back(read_group(in, config)); });
  root.each("neighbors", [&](const Reader& in) {
    Neighbor neighbor;
    in.parsed("address", neighbor.address, wire::parse_ip);
    neighbor.group = group_index(in, config.peer_groups);
    in.text("description", neighbor.description);
    in.number("remote-port", neighbor.remote_port);
    if (bool passive = false; in.has("passive")) {
      in.boolean("passive", passive);
      neighbor.passive = passive;
    }
    in.parsed("local-address", neighbor.local_address, wire::parse_ip);
    if (in.has("bfd")) {
      neighbor.bfd = neighbor.group == kNoGroup ? session::BfdSettings{} : config.peer_groups[neighbor.group].bfd;
      read_bfd(in.at("bfd"), *neighbor.bfd);
    }
    read_prefix_limits(in, neighbor.prefix_limits);
    if (in.has("route-targets")) in.texts("route-targets", neighbor.route_targets.emplace());
    config.neighbors.push_back(std::move(neighbor));
  });
  root.each("listen-ranges", [&](const Reader& in) {
    ListenRange range;
    in.parsed("prefix", range.prefix, parse_ip_prefix);
    range.group = group_index(in, config.peer_groups);
    in.number("max-peers", range.max_peers);
    config.listen_ranges.push_back(range);
  });
}

void read_policy(const Reader& in, const Config& config, policy::Definition& out) {
  using session::PeerRole;
  static constexpr std::pair<std::string_view, PeerRole> kRoles[] = {
      {"client", PeerRole::client}, {"non-client", PeerRole::non_client}, {"external", PeerRole::external}};
  static constexpr std::pair<std::string_view, policy::Action> kActions[] = {
      {"accept", policy::Action::accept}, {"reject", policy::Action::reject}, {"continue", policy::Action::go_on}};
  out.local_as = config.global.as;
  in.each("sets", [&](const Reader& item) {
    policy::SetDefinition set;
    item.text("name", set.name);
    item.texts("route-targets", set.route_targets);
    item.texts("route-distinguishers", set.route_distinguishers);
    item.texts("prefixes", set.prefixes);
    item.texts("communities", set.communities);
    item.texts("extended-communities", set.extended_communities);
    item.texts("large-communities", set.large_communities);
    item.texts("as-paths", set.as_paths);
    item.texts("next-hops", set.next_hops);
    item.texts("peers", set.peers);
    out.sets.push_back(std::move(set));
  });
  auto number = [](const Reader& item, std::string_view key, auto& target) {
    if (!item.has(key)) return;
    target.emplace(0);
    item.number(key, *target);
  };
  in.each("statements", [&](const Reader& item) {
    policy::StatementDefinition s;
    item.text("name", s.name);
    Reader match = item.at("match"), set = item.at("set");
    match.text("any-route-target-in", s.any_route_target_in);
    match.text("any-membership-in", s.any_membership_in);
    match.text("route-distinguisher-in", s.route_distinguisher_in);
    match.text("prefix-in", s.prefix_in);
    match.text("any-community-in", s.any_community_in);
    match.text("any-extended-community-in", s.any_extended_community_in);
    match.text("any-large-community-in", s.any_large_community_in);
    match.text("as-path-in", s.as_path_in);
    match.text("next-hop-in", s.next_hop_in);
    match.text("peer-in", s.peer_in);
    if (match.has("source-role")) match.choice("source-role", s.source_role.emplace(PeerRole::client), kRoles);
    if (match.has("families")) {
      std::vector<std::string> names;
      match.texts("families", names);
      s.families.emplace();
      for (const std::string& name : names)
        if (auto family = wire::parse_family(name)) s.families->insert(*family);
    }
    item.choice("action", s.action, kActions);
    number(set, "local-preference", s.local_preference);
    number(set, "med", s.med);
    number(set, "aigp", s.aigp);
    set.text("next-hop", s.next_hop);
    if (set.has("as-path-prepend")) {
      s.prepend_repeat = 1;
      set.number("as-path-prepend.as", s.prepend_as);
      set.number("as-path-prepend.repeat", s.prepend_repeat);
    }
    set.texts("communities-add", s.communities_add);
    set.texts("communities-remove", s.communities_remove);
    set.texts("extended-communities-add", s.extended_communities_add);
    set.texts("extended-communities-remove", s.extended_communities_remove);
    set.texts("large-communities-add", s.large_communities_add);
    set.texts("large-communities-remove", s.large_communities_remove);
    set.texts("route-targets-add", s.route_targets_add);
    set.texts("route-targets-remove", s.route_targets_remove);
    out.statements.push_back(std::move(s));
  });
  for (const PeerGroup& group : config.peer_groups) out.groups.push_back({group.name, group.import_policy, group.export_policy});
}

void read_telemetry(const Reader& in, Telemetry& out) {
  using PerPeer = Telemetry::PerPeer;
  static constexpr std::pair<std::string_view, PerPeer> kPerPeer[] = {
      {"off", PerPeer::off}, {"essential", PerPeer::essential}, {"full", PerPeer::full}};
  in.parsed("address", out.address, wire::parse_ip);
  in.number("port", out.port);
  in.boolean("canary", out.canary);
  in.choice("per-peer", out.per_peer, kPerPeer);
  in.number("max-peer-series", out.max_peer_series);
}

}  // namespace

std::string resolve_path(const std::string& name, const std::string& directory) {
  return (std::filesystem::path(directory) / name).lexically_normal().string();
}

Config decode(const Node& tree, const std::string& directory) {
  Config config;
  Reader root(&tree);
  read_global(root.at("global"), config.global);
  root.number("runtime.shards", config.runtime.shards);
  root.size("runtime.memory-limit", config.runtime.memory_limit_bytes);
  root.number("runtime.shard-queue", config.runtime.shard_queue);
  read_timers(root.at("timers"), config.timers);
  read_families(root, config.families);
  read_rt_constrain(root.at("rt-constrain"), config.rt_constrain);
  root.number("partition.index", config.partition.index);
  root.number("partition.count", config.partition.count);
  root.texts("partition.route-targets", config.partition.route_targets);
  if (root.has("partition.without-route-targets")) root.boolean("partition.without-route-targets", config.partition.without_route_targets.emplace());
  read_slow_peer(root.at("slow-peer"), config.slow_peer);
  root.size("slow-peer.queue-limit", config.slow_peer_limits.queue_limit_bytes);
  root.parsed("slow-peer.stall-time", config.slow_peer_limits.stall_time, parse_duration);
  root.number("slow-peer.tombstones", config.slow_peer_limits.tombstones);
  Reader best_path = root.at("best-path");
  best_path.boolean("always-compare-med", config.best_path.always_compare_med);
  best_path.boolean("missing-as-worst", config.best_path.missing_as_worst);
  best_path.boolean("aigp", config.best_path.aigp);
  best_path.boolean("cost-community", config.best_path.cost_community);
  best_path.boolean("prefer-oldest-external", config.best_path.prefer_oldest_external);
  static constexpr std::pair<std::string_view, bool> kTracking[] = {{"off", false}, {"kernel", true}};
  best_path.choice("next-hop-tracking", config.best_path.track_next_hops, kTracking);
  best_path.boolean("next-hop-default-route", config.best_path.next_hop_default_route);
  best_path.parsed("next-hop-delay", config.best_path.next_hop_delay, parse_duration);
  read_graceful_restart(root.at("graceful-restart"), config.graceful_restart);
  read_peers(root, config);
  read_policy(root.at("policy"), config, config.policy);
  Reader security = root.at("security");
  security.number("max-sessions-per-source", config.security.max_sessions_per_source);
  security.number("max-pending-sessions", config.security.max_pending_sessions);
  security.number("session-rate", config.security.session_rate);
  security.boolean("seccomp", config.security.seccomp);
  root.number("limits.max-paths-per-rd", config.limits.max_paths_per_rd);
  root.number("limits.max-prefixes-per-rt-set", config.limits.max_prefixes_per_rt_set);
  root.number("limits.max-attribute-size", config.limits.max_attribute_size);
  root.text("control.socket", config.control.socket);
  config.control.socket = resolve_path(config.control.socket, directory);
  root.parsed("control.mode", config.control.mode, parse_mode);
  root.text("control.group", config.control.group);
  root.text("control.operator-group", config.control.operator_group);
  root.parsed("control.address", config.control.address, wire::parse_ip);
  root.number("control.port", config.control.port);
  for (auto [key, file] : {std::pair{"control.token-file", &config.control.token_file}, std::pair{"control.read-token-file", &config.control.read_token_file}}) {
    root.text(key, *file);
    if (!file->empty()) *file = resolve_path(*file, directory);
  }
  read_telemetry(root.at("telemetry"), config.telemetry);
  root.size("journal.memory", config.journal.memory_bytes);
  root.text("log.level", config.log.level);
  root.text("log.format", config.log.format);
  root.each("bmp.stations", [&](const Reader& in) {
    BmpStation station{.policies = {"pre-policy"}};
    in.parsed("address", station.address, wire::parse_ip);
    in.number("port", station.port);
    in.texts("policies", station.policies);
    in.size("queue-limit", station.queue_limit_bytes);
    in.seconds("stats-interval", station.stats_interval);
    config.bmp_stations.push_back(std::move(station));
  });
  if (root.has("mrt")) {
    Mrt& mrt = config.mrt.emplace();
    root.text("mrt.directory", mrt.directory);
    mrt.directory = resolve_path(mrt.directory, directory);
    root.seconds("mrt.rib-dump-interval", mrt.rib_dump_interval);
    root.boolean("mrt.updates", mrt.updates);
    root.seconds("mrt.updates-interval", mrt.updates_interval);
    root.number("mrt.keep-files", mrt.keep_files);
  }
  config.tree = tree;
  return config;
}

}  // namespace helio::config

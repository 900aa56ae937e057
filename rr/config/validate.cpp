#include "rr/config/validate.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "rr/config/decode.hpp"
#include "rr/config/suggest.hpp"
#include "rr/config/token_file.hpp"
#include "rr/policy/compile.hpp"
#include "rr/policy/imported_targets.hpp"
#include "rr/policy/patterns.hpp"
#include "rr/wire/rt_slice.hpp"

namespace helio::config {
namespace {

using session::PeerRole;

class Validator {
 public:
  Validator(Config& config, const std::string& directory, Problems& problems)
      : config_(config), directory_(directory), problems_(problems) {}

  void run() {
    global();
    timers();
    families();
    graceful_restart();
    partition();
    for (std::size_t i = 0; i < config_.peer_groups.size(); ++i) peer_group(i);
    neighbors();
    listen_ranges();
    keys_of_ranges();
    unused();
    policy();
    control();
    bmp();
  }

 private:
  // One table of the file, with the names its problems are reported under.
  struct Place {
    const Node* node = nullptr;
    std::string path;
  };
  Place section(std::string_view name) const { return {config_.tree.find(name), std::string(name)}; }
  Place item(std::string_view array, std::size_t i) const {
    const Node* node = config_.tree.find(array);
    return {node && node->array() && i < node->array()->size() ? &(*node->array())[i] : nullptr,
            fmt::format("{}[{}]", array, i)};
  }
  static bool has(const Place& place, std::string_view key) { return place.node && place.node->find(key); }
  static SourcePosition where(const Place& place, std::string_view key) {
    const Node* member = place.node ? place.node->find(key) : nullptr;
    if (member) return member->position;
    return place.node ? place.node->position : SourcePosition{};
  }
  static std::string text_of(const Place& place, std::string_view key) {
    const Node* member = place.node ? place.node->find(key) : nullptr;
    return member && member->text() ? *member->text() : std::string();
  }
  void error(const Place& place, std::string_view key, std::string message, std::string hint = {}) {
    problems_.error(where(place, key), fmt::format("{}.{}", place.path, key), std::move(message), std::move(hint));
  }
  void warning(const Place& place, std::string_view key, std::string message, std::string hint = {}) {
    problems_.warning(where(place, key), fmt::format("{}.{}", place.path, key), std::move(message), std::move(hint));
  }

  void reserved_as(const Place& place, std::string_view key, Asn as) {
    // RFC 7607: 0; RFC 6793 §9: AS_TRANS; RFC 7300: the last of each range.
    if (has(place, key) && (as == 23456 || as == 65535 || as == 4294967295u))
      error(place, key, fmt::format("AS {} is reserved", as));
  }

  void global() {
    Place place = section("global");
    reserved_as(place, "as", config_.global.as);
    std::set<std::pair<wire::IpAddress, std::uint16_t>> seen;
    const Node* list = config_.tree.find("global.listen");
    if (list && list->array() && list->array()->empty())
      warning(place, "listen", "no address to listen on is given; all of IPv4 are used", "remove the key or name addresses");
    if (!list || !list->array() || list->array()->empty()) return;
    for (std::size_t i = 0; i < config_.global.listen.size(); ++i) {
      const auto& endpoint = config_.global.listen[i];
      if (!seen.insert({endpoint.address, endpoint.port}).second)
        error(item("global.listen", i), "address",
              fmt::format("{} port {} is listed twice", wire::format_ip(endpoint.address), endpoint.port));
    }
  }

  void timers() {
    Place place = section("timers");
    auto hold = config_.timers.hold_time.count(), keepalive = config_.timers.keepalive_interval.count();
    // RFC 4271 §4.2: "The Hold Time MUST be either zero or at least three seconds."
    if (hold == 1 || hold == 2) error(place, "hold-time", fmt::format("{} is not allowed", hold), "0, or 3 to 65535");
    if (hold == 0 || !has(place, "keepalive-interval")) return;
    if (keepalive == 0) {
      error(place, "keepalive-interval", "0 with a hold-time loses every session", "remove it: a third of hold-time");
    } else if (keepalive >= hold) {
      error(place, "keepalive-interval", fmt::format("{} is not below hold-time {}", keepalive, hold), "a third of hold-time");
    } else if (keepalive > hold / 3) {
      warning(place, "keepalive-interval", fmt::format("over a third of hold-time {}", hold), "RFC 4271 4.4");
    }
  }

  void families() {
    std::set<wire::Family> seen;
    for (std::size_t i = 0; i < config_.families.size(); ++i) {
      Place place = item("families", i);
      if (!place.node || !wire::parse_family(text_of(place, "name"))) continue;
      if (!seen.insert(config_.families[i].name).second)
        error(place, "name", fmt::format("family \"{}\" is listed twice", text_of(place, "name")));
      if (has(place, "without-rtc") && config_.families[i].name != wire::Family::rtc)
        error(place, "without-rtc", "belongs to the family \"rt-constrain\"", "move it there");
      if (has(place, "add-paths") && !wire::is_vpn(config_.families[i].name) && config_.families[i].add_paths != AddPaths{})
        error(place, "add-paths", "is for the VPN families only", "remove it");
    }
  }

  void graceful_restart() {
    Place place = section("graceful-restart");
    if (place.node && !has(place, "mode"))
      error(place, "mode", "missing: the other keys mean nothing without it", "off, helper or full");
    const GracefulRestart& restart = config_.graceful_restart;
    if (restart.mode == GracefulRestart::Mode::off) return;
    if (has(place, "stale-routes-time") && restart.stale_routes_time < restart.restart_time)
      warning(place, "stale-routes-time", fmt::format("below restart-time {}: peers that need that long are not waited for", restart.restart_time.count()));
    if (restart.mode != GracefulRestart::Mode::full && has(place, "selection-deferral-time"))
      warning(place, "selection-deferral-time", "has no effect: only mode \"full\" waits after a start", "mode = \"full\"");
  }

  void peer_group(std::size_t i) {
    PeerGroup& group = config_.peer_groups[i];
    Place place = item("peer-groups", i);
    if (!group.name.empty()) {
      auto [first, inserted] = group_lines_.insert({group.name, where(place, "name").line});
      if (!inserted) error(place, "name", fmt::format("group \"{}\" exists already, line {}", group.name, first->second));
    }
    route_targets(place, "rt-constrain.route-targets", group.rt_constrain.route_targets);
    without_rtc(place, group);
    reserved_as(place, "peer-as", group.peer_as);
    if (group.families.empty() && has(place, "families"))
      error(place, "families", "no family", "leave the key out to offer all of [[families]]");
    bool is_external = group.role == PeerRole::external;
    if (!is_external && has(place, "rt-constrain.external-paths"))
      warning(place, "rt-constrain.external-paths", "has no effect in an internal group: memberships of internal peers all count");
    if (is_external) {
      if (has(place, "role"))
        warning(place, "role", fmt::format("has no effect: AS {} is not ours, the group is external", group.peer_as));
      if (has(place, "cluster-id")) warning(place, "cluster-id", "has no effect: the group is external");
    } else {
      if (has(place, "multihop")) error(place, "multihop", "is for external groups only", "remove it");
      if (group.next_hop_self)
        error(place, "next-hop", "a reflector does not change the next hop towards internal peers (RFC 4456 10)", "remove it");
    }
    if (group.best_external && group.role != PeerRole::non_client)
      error(place, "best-external", "is for groups of non-clients", is_external ? "remove it" : "role = \"non-client\", or remove it");
    if (!group.client_to_client && group.role != PeerRole::client)
      error(place, "client-to-client", "is for groups of clients", "remove it");
    if (group.ttl_min && has(place, "multihop"))
      error(place, "multihop", "contradicts ttl-min: with GTSM everything is sent with TTL 255", "choose one of the two");
    if (group.bfd.enabled) bfd(place, group);
    password(place, group.auth_password);
    if (has(place, "auth-key-id") && group.auth_method != session::AuthMethod::tcp_ao)
      warning(place, "auth-key-id", "has no effect: TCP-MD5 has no key ids", "auth-method = \"tcp-ao\"");
  }

  // RFC 5883 §6: the packets of multihop BFD carry no proof of who sent them.
  void bfd(const Place& place, const PeerGroup& group) {
    if (group.ttl_min == 0)
      warning(place, "bfd.enabled", "without ttl-min a forged packet from anywhere can close a session: a receiver must believe \"Down\" of a neighbor (RFC 5880 6.8.6)",
              "ttl-min in the group: packets from farther away are dropped");
  }

  void partition() {
    const Partition& p = config_.partition;
    Place place = section("partition");
    if (place.node == nullptr) return;
    if (!p.route_targets.empty() && (p.index != 0 || p.count != 0))
      return error(place, "route-targets", "contradicts index and count", "either ranges of route targets, or a plane of so many");
    for (const std::string& text : p.route_targets)
      if (auto range = wire::parse_rt_range(text); !range) error(place, "route-targets", range.error(), "such as \"65000:7\", \"65000:1-33333\" or \"65001:*\"");
    if (!p.route_targets.empty()) return;
    if (p.count == 0 || p.index == 0) return error(place, p.count == 0 ? "count" : "index", "is missing", "index = 1 and count = 3 make the first of three planes");
    if (p.index > p.count) return error(place, "index", fmt::format("is {} of {}", p.index, p.count), "1 to count");
    if (p.count == 1) return warning(place, "count", "one plane holds everything", "remove [partition]");
    using Advertise = session::GroupSettings::RtcAdvertise;
    if (Advertise mode = config_.rt_constrain.advertise; mode == Advertise::only_default || mode == Advertise::both)
      warning(place, "count", "with rt-constrain.advertise = \"default\" or \"both\" PEs send all routes to every plane, which drops those of others",
              "advertise = \"specific\", or \"auto\" if every PE has RT-Constrain (one without makes \"auto\" ask all others for everything), or partition.route-targets");
  }

  // Keys of TCP-MD5 and TCP-AO; the kernel takes at most TCP_MD5SIG_MAXKEYLEN octets, and as many for TCP-AO.
  void password(const Place& place, Secret& out) {
    static constexpr std::string_view kKey = "auth-password-file";
    static constexpr std::size_t kMaxKeyLength = 80;
    std::string name = text_of(place, kKey);
    if (name.empty()) return;
    std::string path = resolve_path(name, directory_);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      return error(place, kKey, fmt::format("{}: {}", path, std::strerror(errno)), "a file with the key on one line");
    }
    if (!S_ISREG(info.st_mode)) return error(place, kKey, fmt::format("{} is not a file", path));
    if (info.st_mode & 027)  // a group may be the daemon's own
      warning(place, kKey, fmt::format("{} can be read by others, or written by its group (mode {:04o})", path, info.st_mode & 07777), "chmod 640 or 600");
    auto read = read_secret(path);
    if (!read) return error(place, kKey, fmt::format("{} is empty or cannot be read", path), "a file with the key on one line");
    out = std::move(*read);
    if (out.empty()) error(place, kKey, fmt::format("the first line of {} is empty", path));
    if (out.size() > kMaxKeyLength)
      error(place, kKey, fmt::format("the key in {} has {} octets", path, out.size()), fmt::format("at most {}", kMaxKeyLength));
  }

  void route_targets(const Place& place, std::string_view key, const std::vector<std::string>& texts) {
    for (const std::string& text : texts)
      if (!wire::parse_rt(text)) error(place, key, fmt::format("\"{}\" is not a route target", text), "such as \"65000:1\" or \"192.0.2.1:1\"");
    if (!texts.empty() && !without_rtc_is_configured())
      warning(place, key, "has no effect without without-rtc = \"configured\" on the family rt-constrain");
  }

  void without_rtc(const Place& place, const PeerGroup& group) {
    const RtConstrain& rtc = group.rt_constrain;
    if (rtc.proxy_import_policy) {
      if (!without_rtc_is_configured())
        error(place, "rt-constrain.proxy", "has no effect without without-rtc = \"configured\" on the family rt-constrain", "set it, or remove this");
      else if (policy::imported_targets(config_.policy, group.name).empty())
        warning(place, "rt-constrain.proxy", "the import policy of the group accepts no route target by name: its peers without rt-constrain get nothing");
    }
    if (rtc.marker_community.empty()) return;
    auto pattern = policy::parse_community_pattern(rtc.marker_community);
    if (!pattern || !pattern->is_exact())
      error(place, "rt-constrain.marker-community", fmt::format("\"{}\" is not a community", rtc.marker_community), "such as \"65000:4684\"");
  }

  bool without_rtc_is_configured() const {
    return std::ranges::any_of(config_.families, [](const FamilySettings& family) {
      return family.name == wire::Family::rtc && family.without_rtc == FamilySettings::WithoutRtc::configured;
    });
  }

  void group_reference(const Place& place, std::size_t group) {
    std::string name = text_of(place, "peer-group");
    if (group != kNoGroup || name.empty()) return;
    std::vector<std::string_view> names;
    for (const PeerGroup& candidate : config_.peer_groups) names.push_back(candidate.name);
    error(place, "peer-group", fmt::format("there is no peer group \"{}\"", name), suggestion(name, names));
  }

  // The address the sessions come from must be of the family of the peer's.
  void local_address(const Place& place, const std::optional<wire::IpAddress>& own, std::size_t group, bool peer_is_v6) {
    std::optional<wire::IpAddress> effective = own;
    if (!effective && group != kNoGroup) effective = config_.peer_groups[group].local_address;
    if (effective && effective->is_v6 != peer_is_v6)
      error(place, own ? "local-address" : "peer-group",
            fmt::format("local address {} cannot reach an {} peer", wire::format_ip(*effective), peer_is_v6 ? "IPv6" : "IPv4"));
  }

  void neighbors() {
    std::map<wire::IpAddress, std::uint32_t> lines;
    for (std::size_t i = 0; i < config_.neighbors.size(); ++i) {
      Neighbor& neighbor = config_.neighbors[i];
      Place place = item("neighbors", i);
      group_reference(place, neighbor.group);
      if (neighbor.route_targets) route_targets(place, "route-targets", *neighbor.route_targets);
      password(place, neighbor.auth_password);
      if (neighbor.bfd && neighbor.bfd->enabled && neighbor.group != kNoGroup && !config_.peer_groups[neighbor.group].bfd.enabled)
        bfd(place, config_.peer_groups[neighbor.group]);
      if (!wire::parse_ip(text_of(place, "address"))) continue;
      auto [first, inserted] = lines.insert({neighbor.address, where(place, "address").line});
      if (!inserted)
        error(place, "address", fmt::format("neighbor {} exists already, line {}", text_of(place, "address"), first->second));
      if (neighbor.address == wire::IpAddress{} || neighbor.address == wire::IpAddress{.is_v6 = true})
        error(place, "address", "the unspecified address is no neighbor");
      local_address(place, neighbor.local_address, neighbor.group, neighbor.address.is_v6);
    }
  }

  void listen_ranges() {
    for (std::size_t i = 0; i < config_.listen_ranges.size(); ++i) {
      ListenRange& range = config_.listen_ranges[i];
      Place place = item("listen-ranges", i);
      group_reference(place, range.group);
      password(place, range.auth_password);
      auto own = parse_ip_prefix(text_of(place, "prefix"));
      if (!own) continue;
      local_address(place, std::nullopt, range.group, own->address.is_v6);
      for (std::size_t j = 0; j < i; ++j) {
        Place other = item("listen-ranges", j);
        auto earlier = parse_ip_prefix(text_of(other, "prefix"));
        if (earlier && own->overlaps(*earlier))
          error(place, "prefix", fmt::format("{} overlaps {}, line {}", format_ip_prefix(*own), format_ip_prefix(*earlier),
                                             where(other, "prefix").line),
                "a peer must belong to one range");
      }
    }
  }

  bool has_key(std::size_t group, const Secret& own) const {
    return !own.empty() || (group != kNoGroup && !config_.peer_groups[group].auth_password.empty());
  }

  // A key for a prefix makes the kernel drop unsigned segments from all of it, also from a neighbour that has no key.
  void keys_of_ranges() {
    for (std::size_t i = 0; i < config_.neighbors.size(); ++i) {
      const Neighbor& neighbor = config_.neighbors[i];
      if (has_key(neighbor.group, neighbor.auth_password)) continue;
      Prefix host{neighbor.address, static_cast<std::uint8_t>(neighbor.address.is_v6 ? 128 : 32)};
      for (std::size_t j = 0; j < config_.listen_ranges.size(); ++j) {
        const ListenRange& range = config_.listen_ranges[j];
        if (!has_key(range.group, range.auth_password) || !host.overlaps(range.prefix)) continue;
        error(item("neighbors", i), "address",
              fmt::format("has no key, but the listen range {}, line {}, has one: its segments would be dropped", format_ip_prefix(range.prefix),
                          where(item("listen-ranges", j), "prefix").line),
              "give it an auth-password-file");
      }
    }
  }

  void unused() {
    std::set<std::size_t> used;
    for (const Neighbor& neighbor : config_.neighbors) used.insert(neighbor.group);
    for (const ListenRange& range : config_.listen_ranges) used.insert(range.group);
    for (std::size_t i = 0; i < config_.peer_groups.size(); ++i)
      if (!used.contains(i)) warning(item("peer-groups", i), "name", "no neighbor and no listen range uses this group");
    if (config_.neighbors.empty() && config_.listen_ranges.empty() && !problems_.errors())
      problems_.warning({}, "", "neither [[neighbors]] nor [[listen-ranges]]: no peer can connect");
  }

  // Where a key with indices stands: "policy.sets[1].prefixes[3]"; the nearest thing there is when the key itself is not.
  SourcePosition where_is(std::string_view key) const {
    const Node* node = &config_.tree;
    SourcePosition at;
    while (!key.empty() && node) {
      std::size_t end = std::min(key.find_first_of(".["), key.size());
      node = key[0] == '[' ? nullptr : node->find(key.substr(0, end));
      key.remove_prefix(end);
      while (node && key.starts_with('[')) {
        std::size_t close = key.find(']');
        std::size_t index = std::stoul(std::string(key.substr(1, close - 1)));
        node = node->array() && index < node->array()->size() ? &(*node->array())[index] : nullptr;
        key.remove_prefix(close + 1);
      }
      if (node) at = node->position;
      if (key.starts_with('.')) key.remove_prefix(1);
    }
    return at;
  }

  // An entry that is no string was reported by the structural check, and shifts the indices of its list: then they are
  // those of the strings.
  void policy() {
    std::vector<policy::DefinitionError> errors;
    policy::compile(config_.policy, errors);
    for (policy::DefinitionError& e : errors) {
      if (!e.word.empty()) {
        std::vector<std::string_view> candidates(e.candidates.begin(), e.candidates.end());
        e.hint = suggestion(e.word, candidates);
      }
      if (e.hint.empty() && !e.word.empty()) e.hint = e.key.starts_with("policy") ? "there is no [[policy.sets]]" : "there is no [[policy.statements]]";
      problems_.error(where_is(e.key), e.key, std::move(e.message), std::move(e.hint));
    }
  }

  void bmp() {
    constexpr std::size_t kMost = 16;  // a bit each (ExportHub)
    for (std::size_t i = 0; i < config_.bmp_stations.size(); ++i) {
      const BmpStation& station = config_.bmp_stations[i];
      std::string key = fmt::format("bmp.stations[{}]", i);
      if (station.policies.empty()) problems_.error(where_is(key), key + ".policies", "is empty: the station would be told nothing", "pre-policy, post-policy, loc-rib or adj-rib-out");
      for (std::size_t j = 0; j < i; ++j)
        if (config_.bmp_stations[j].address == station.address && config_.bmp_stations[j].port == station.port)
          problems_.error(where_is(key), key, fmt::format("{} port {} is there twice", wire::format_ip(station.address), station.port), "one entry with all policies");
    }
    if (config_.bmp_stations.size() > kMost)
      problems_.error(where_is(fmt::format("bmp.stations[{}]", kMost)), "bmp.stations", fmt::format("{} stations", config_.bmp_stations.size()), fmt::format("at most {}", kMost));
  }

  void control() {
    if (config_.control.socket.size() >= sizeof(sockaddr_un::sun_path))
      error(section("control"), "socket", fmt::format("{} is too long for a Unix socket", config_.control.socket),
            fmt::format("at most {} characters", sizeof(sockaddr_un::sun_path) - 1));
    Place place = section("control");
    const Control& control = config_.control;
    bool is_loopback = control.address.is_v6 ? control.address == *wire::parse_ip("::1") : control.address.v4_value() >> 24 == 127;
    if (!is_loopback)
      error(place, "address", fmt::format("{} is not a loopback address: the token would cross the network in the clear", wire::format_ip(control.address)),
            "127.0.0.1 or ::1; from elsewhere through ssh or a proxy with TLS");
    if (control.port != 0 && control.token_file.empty() && control.read_token_file.empty())
      error(place, "port", "everybody on this machine could connect", "set token-file, read-token-file or both");
    if (control.port != 0 && control.port == config_.telemetry.port && control.address == config_.telemetry.address)
      error(place, "port", fmt::format("{} is telemetry.port too", control.port), "another port");
    std::vector<Secret> tokens;
    for (auto [key, path] : {std::pair{"token-file", &control.token_file}, std::pair{"read-token-file", &control.read_token_file}}) {
      if (path->empty()) continue;
      auto token = read_token_file(*path);
      if (!token) error(place, key, fmt::format("{}: {}", *path, token.error()), "head -c 24 /dev/urandom | base64");
      else tokens.push_back(std::move(*token));
    }
    if (tokens.size() == 2 && tokens[0] == tokens[1]) error(place, "read-token-file", "has the same token as token-file: who may look could change things", "another token");
  }

  Config& config_;
  const std::string& directory_;
  Problems& problems_;
  std::map<std::string, std::uint32_t> group_lines_;
};

}  // namespace

void validate(Config& config, const std::string& directory, Problems& problems) {
  Validator(config, directory, problems).run();
}

}  // namespace helio::config

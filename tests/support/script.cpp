#include "tests/support/script.hpp"

#include <algorithm>
#include <set>

namespace helio::test {
namespace {

using session::PeerRole;
using wire::Family;
using Kind = Action::Kind;
using Advertise = session::GroupSettings::RtcAdvertise;

constexpr Asn kLocalAs = 65000;
constexpr std::uint32_t kRouterId = 0x0aff0001;  // 10.255.0.1

std::uint64_t rt(std::uint16_t type, std::uint32_t administrator, std::uint32_t number) {
  if (type == 0x0002) return std::uint64_t{type} << 48 | std::uint64_t{administrator} << 32 | number;
  return std::uint64_t{type} << 48 | std::uint64_t{administrator} << 16 | number;
}

const std::vector<std::uint64_t> kTargets = {
    rt(0x0002, 65000, 1), rt(0x0002, 65000, 2), rt(0x0002, 64512, 1),  // pitfall 1.3: a foreign administrator
    rt(0x0202, 65000, 1),                                              // pitfall 1.24: another encoding of 65000:1
    rt(0x0102, 0x0a000001, 7), rt(0x0002, 65000, 3)};

wire::VpnPrefix make_prefix(std::uint64_t rd, bool is_v6, std::uint64_t high, unsigned length) {
  wire::VpnPrefix prefix{.rd = {rd}, .address = {}, .length = static_cast<std::uint8_t>(length), .is_v6 = is_v6};
  Octets octets(16, 0);
  store_be64(octets.data(), is_v6 ? high : high << 32);
  for (unsigned bit = 0; bit < length; ++bit)
    prefix.address[bit / 8] = static_cast<std::uint8_t>(prefix.address[bit / 8] | (octets[bit / 8] & (0x80 >> bit % 8)));
  return prefix;
}

void fill_prefixes(World& world, Random& random) {
  const std::vector<std::uint64_t> rds = {0x0000fde800000001, 0x0000fde800000002, 0x00010a0000010001, 0x0002000f42400007};
  struct Shape { bool is_v6; std::uint64_t address; unsigned length; };
  const std::vector<Shape> shapes = {
      {false, 0, 0}, {false, 0x0a000000, 8}, {false, 0x0a000000, 24}, {false, 0x0a000000, 25}, {false, 0x0a000080, 25},
      {false, 0x0a000001, 32}, {false, 0xc0a80000, 23}, {false, 0xc6336400, 24}, {true, 0, 0}, {true, 0x20010db800000000, 32},
      {true, 0x20010db800010000, 64}, {true, 0x20010db800010000, 128}};
  if (world.bulk) {
    std::uint32_t count = 200 + random.below(1500);
    for (std::uint32_t i = 0; i < count; ++i)
      world.prefixes.push_back(i % 5 == 4 ? make_prefix(random.pick(rds), true, 0x20010db800000000 + i, 64)
                                          : make_prefix(random.pick(rds), false, 0x0a000000 + (i << 8), 24));
    return;
  }
  std::set<wire::VpnPrefix> chosen;
  std::uint32_t count = 4 + random.below(14);
  while (chosen.size() < count) {
    const Shape& shape = random.pick(shapes);
    chosen.insert(make_prefix(random.pick(rds), shape.is_v6, shape.address, shape.length));
  }
  world.prefixes.assign(chosen.begin(), chosen.end());
}

void fill_memberships(World& world, Random& random) {
  world.memberships.push_back({});  // the default
  world.memberships.push_back({.length = 32, .origin_as = kLocalAs, .target = 0});
  auto add = [&](Asn origin, std::uint64_t target, unsigned length) {
    std::uint64_t mask = length <= 32 ? 0 : ~std::uint64_t{0} << (96 - length);
    world.memberships.push_back({.length = static_cast<std::uint8_t>(length), .origin_as = origin, .target = target & mask});
  };
  for (std::uint64_t target : kTargets) {
    add(kLocalAs, target, 96);
    if (random.percent(40)) add(65100, target, 96);  // several origin ASes for one RT, pitfalls 1.2 and 1.3
  }
  for (unsigned length : {33u, 48u, 64u, 80u, 95u})  // pitfall 1.12
    if (random.percent(30)) add(kLocalAs, random.pick(kTargets), length);
}

void fill_rt_sets(World& world, Random& random) {
  for (int i = 0; i < 6; ++i) {
    std::vector<std::uint64_t> set;
    std::uint32_t count = random.percent(10) ? 0 : 1 + random.below(3);
    for (std::uint32_t n = 0; n < count; ++n) set.push_back(random.pick(kTargets));  // may repeat, any order
    if (random.percent(20)) set.insert(set.begin(), 0x0003fde800000064);              // site of origin
    if (random.percent(10)) set.push_back(0x4004fde80000000a);                        // link bandwidth: not transitive
    for (std::uint64_t point : {128, 129})                                            // cost communities, around the middle
      if (random.percent(8)) set.push_back(0x4301000000000000 | point << 40 | std::uint64_t{random.below(2)} << 32 | (0x7ffffffe + random.below(3)));
    world.rt_sets.push_back(set);
  }
}

// A few versions of one policy: sets over the small pools above, statements of every kind, three groups.
policy::StatementDefinition make_statement(Random& random, std::uint32_t number) {
  policy::StatementDefinition s{.name = "s" + std::to_string(number)};
  const std::vector<std::string> rt_sets = {"rt-a", "rt-b"};
  if (random.percent(20)) {  // about RT membership routes
    if (random.percent(70)) {
      s.any_membership_in = "rt-a";
    } else {
      s.families.emplace();
      s.families->insert(Family::rtc);
      if (random.percent(50)) s.peer_in = "peers";
      else s.source_role = static_cast<PeerRole>(random.below(3));
    }
    s.action = random.percent(70) ? policy::Action::reject : policy::Action::accept;
    return s;
  }
  for (std::uint32_t n = 1 + random.below(2); n > 0; --n) {
    switch (random.below(9)) {
      case 0: case 1: s.any_route_target_in = random.pick(rt_sets); break;
      case 2: s.prefix_in = "inner"; break;
      case 3: s.route_distinguisher_in = "rds"; break;
      case 4: s.any_community_in = "community"; break;
      case 5: s.as_path_in = "path"; break;
      case 6: s.peer_in = "peers"; break;
      case 7: s.source_role = static_cast<PeerRole>(random.below(3)); break;
      default:
        s.families.emplace();
        s.families->insert(random.percent(50) ? Family::vpnv4 : Family::vpnv6);
    }
  }
  if (random.percent(40)) {
    s.action = policy::Action::reject;
    return s;
  }
  s.action = random.percent(50) ? policy::Action::accept : policy::Action::go_on;
  switch (random.below(7)) {
    case 0: s.local_preference = 80 + random.below(3) * 20; break;
    case 1: s.med = random.below(3); break;
    case 2: s.communities_add = {random.percent(50) ? "65000:1" : "65535:65281"}; break;  // no-export
    case 3: s.communities_remove = {"65000:*"}; break;
    case 4: s.route_targets_add = {"65000:2"}; if (random.percent(50)) s.route_targets_remove = {"65000:1"}; break;
    case 5: s.next_hop = random.percent(50) ? "192.0.2.77" : "2001:db8::77"; break;
    default: s.prepend_repeat = 1 + random.below(3);
  }
  return s;
}

policy::GroupDefinition make_group(Random& random, std::uint32_t number) {
  policy::GroupDefinition group{.name = "g" + std::to_string(number), .import_policy = {}, .export_policy = {}};
  for (std::uint32_t n = random.below(4); n > 0; --n) group.import_policy.push_back("s" + std::to_string(random.below(6)));
  if (random.percent(50))
    for (std::uint32_t n = random.below(3); n > 0; --n) group.export_policy.push_back("s" + std::to_string(random.below(6)));
  return group;
}

void fill_policies(World& world, Random& random) {
  policy::Definition d;
  d.local_as = kLocalAs;
  auto rt_text = [](std::uint64_t target) { return wire::format_rt({target}); };
  d.sets = {{.name = "rt-a", .route_targets = {rt_text(random.pick(kTargets)), rt_text(random.pick(kTargets))}},
            {.name = "rt-b", .route_targets = {"65000:*"}},
            {.name = "inner", .prefixes = {"10.0.0.0/8 ge 25", "2001:db8::/32 le 64"}},
            {.name = "rds", .route_distinguishers = {"65000:1", "10.0.0.1:*"}},
            {.name = "community", .communities = {"65000:2"}},
            {.name = "path", .as_paths = {"_65001_"}},
            {.name = "peers", .peers = {wire::format_ip(random.pick(world.peers).address)}}};
  for (std::uint32_t i = 0; i < 6; ++i) d.statements.push_back(make_statement(random, i));
  for (std::uint32_t g = 0; g < 3; ++g) d.groups.push_back(make_group(random, g));
  for (PeerSpec& peer : world.peers) peer.group = "g" + std::to_string(random.below(4));
  world.policies.push_back(d);
  for (int version = 1; version < 4; ++version) {  // each changes something about the one before
    switch (random.below(5)) {
      case 0: d.sets[0].route_targets = {rt_text(random.pick(kTargets))}; break;
      case 1: d.sets[2].prefixes = {random.percent(50) ? "10.0.0.0/8 le 32" : "0.0.0.0/0 ge 24"}; break;
      case 2: { auto number = random.below(6); d.statements[number] = make_statement(random, number); break; }
      case 3: { auto number = random.below(3); d.groups[number] = make_group(random, number); break; }
      default: { auto number = random.below(3); d.groups[number].export_policy.clear(); d.groups[number].import_policy.clear(); }
    }
    world.policies.push_back(d);
  }
}

PeerSpec make_peer(std::uint32_t i, const World& world, Random& random) {
  PeerSpec peer;
  peer.id = PeerId{i};
  peer.address = wire::IpAddress::v4(0x7f000000 + (i * 37 + 11) % 251);
  peer.local_address = wire::IpAddress::v4(kRouterId + i % 3);
  if (random.percent(20)) peer.local_address = *wire::parse_ip("2001:db8::1");
  peer.router_id = 0x0a010000 + (i * 53 + 7) % 97;
  // Pitfall 1.10: two sessions of one PE share a router-id; the tie-break must go on.
  if (!world.peers.empty() && random.percent(15)) peer.router_id = random.pick(world.peers).router_id;
  std::uint32_t role = random.below(100);
  peer.role = role < 60 ? PeerRole::client : role < 80 ? PeerRole::non_client : PeerRole::external;
  peer.peer_as = peer.is_external() ? (random.percent(50) ? 65100 : 65200) : kLocalAs;
  if (random.percent(95)) peer.families.insert(Family::vpnv4);
  if (random.percent(40)) peer.families.insert(Family::vpnv6);
  if (random.percent(60) || peer.families.empty()) peer.families.insert(Family::rtc);
  if (random.percent(30)) peer.ipv6_next_hop.insert(Family::vpnv4);
  peer.four_octet_as = !random.percent(10);
  peer.enhanced_refresh = random.percent(40);
  peer.extended_messages = random.percent(20);
  peer.advertise = static_cast<Advertise>(random.below(4));
  peer.rtc_initial_wait = std::chrono::seconds{random.percent(50) ? 60 : 5};
  if (random.percent(5)) peer.without_rtc_send_all = false;
  if (peer.is_external() && peer.has(Family::rtc)) peer.external_paths = static_cast<std::uint32_t>(world.seed / 2 % 3);
  Random more(world.seed * 131 + i);
  if (more.percent(50)) {
    peer.restart_capable = true;
    peer.notification_restarts = more.percent(50);
    peer.restart_time = std::chrono::seconds{more.percent(50) ? 5 : 40};
    peer.stale_routes_time = std::chrono::seconds{more.percent(50) ? 20 : 60};
    for (Family f : {Family::vpnv4, Family::vpnv6, Family::rtc})
      if (peer.has(f) && more.percent(80)) peer.kept_over_restart.insert(f);
    peer.long_lived_capable = more.percent(60);
  }
  if (world.long_lived) {
    peer.long_lived_aware = true;
    if (peer.long_lived_capable) {
      peer.long_lived_time = std::chrono::seconds{more.percent(50) ? 10 : 100};
      for (Family f : {Family::vpnv4, Family::vpnv6})
        if (peer.has(f) && more.percent(80)) peer.kept_for_long.insert(f);
    }
  }
  if (!peer.has(Family::rtc) && !world.limits && more.percent(30)) peer.marker = 0xfde80002;
  if (world.limits)
    for (Family f : {Family::vpnv4, Family::vpnv6, Family::rtc})
      if (more.percent(50)) peer.prefix_limits[wire::index(f)] = {.max_prefixes = 1 + more.below(4), .action = session::PrefixLimit::Action::discard_new};
  if (peer.is_external() && !peer.local_address.is_v6 && random.percent(25)) peer.next_hop_self = true;
  for (Family family : {Family::vpnv4, Family::vpnv6}) {  // RFC 7911
    if (random.percent(25) && peer.has(family)) peer.add_path_receive.insert(family);
    if (random.percent(25) && peer.has(family)) peer.add_path_send.insert(family);
  }
  if (peer.role == PeerRole::client) {  // RFC 4456 §6: several clusters on one reflector, some of them meshed
    peer.cluster_id = random.percent(30) ? 0x0aff0064 : 0;
    peer.client_to_client = !random.percent(15);
  }
  const std::vector<std::uint32_t> counts = {2, 2, 3, 255};
  peer.send_max = random.pick(counts);
  peer.best_external = peer.role == PeerRole::non_client && random.percent(40);
  return peer;
}

// Builds the action list; knows which peers are up only to choose sensible actions.
class Writer {
 public:
  Writer(Script& script, Random& random) : script_(script), random_(random), up_(script.world.peers.size(), false) {}

  void write(std::uint32_t count) {
    for (std::uint32_t i = 0; i < up_.size(); ++i)
      if (random_.percent(80)) bring_up(i);
    while (script_.actions.size() < count) step();
    for (std::uint32_t i = 0; i < up_.size(); ++i) add(Kind::resume, i);
    add(Kind::quiet, 0);
  }

 private:
  Action& add(Kind kind, std::uint32_t peer) {
    Action action;
    action.kind = kind;
    action.peer = peer;
    action.serial = static_cast<std::uint32_t>(script_.actions.size());
    action.turns = random_.percent(50) ? 0 : 1 + random_.below(3);
    script_.actions.push_back(action);
    return script_.actions.back();
  }

  void bring_up(std::uint32_t peer) {
    add(Kind::up, peer).variant = more_.percent(15) ? 1 : 0;
    up_[peer] = true;
    if (script_.world.peers[peer].has(Family::rtc)) {
      for (std::uint32_t n = random_.below(4); n > 0; --n) memberships(Kind::rtc_announce, peer);
      if (random_.percent(85)) add(Kind::rtc_end_of_rib, peer);
    }
  }

  void memberships(Kind kind, std::uint32_t peer) {
    Action& action = add(kind, peer);
    const auto& pool = script_.world.memberships;
    for (std::uint32_t n = 1 + random_.below(2); n > 0; --n) action.items.push_back(random_.percent(8) ? random_.below(2) : random_.below(static_cast<std::uint32_t>(pool.size())));
    action.variant = random_.percent(60) ? 0 : random_.below(12);
  }

  std::vector<std::uint32_t> some_prefixes() {
    auto size = static_cast<std::uint32_t>(script_.world.prefixes.size());
    std::vector<std::uint32_t> out;
    std::uint32_t count = script_.world.bulk ? 1 + random_.below(300) : 1 + random_.below(4);
    std::uint32_t start = random_.below(size);
    for (std::uint32_t i = 0; i < std::min(count, size); ++i) out.push_back(script_.world.bulk ? (start + i) % size : random_.below(size));
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  void announce(Kind kind, std::uint32_t peer) {
    Action action = add(kind, peer);
    action.items = some_prefixes();
    action.variant = random_.below(24);
    action.label = random_.below(5);
    action.path_id = random_.below(4);
    if (kind == Kind::announce_and_withdraw) action.more = some_prefixes();
    script_.actions.back() = action;
    if (random_.percent(25)) {  // again: the same, with another label, or with another set of RTs
      action.serial = static_cast<std::uint32_t>(script_.actions.size());
      std::uint32_t how = random_.below(3);
      if (how == 1) action.label = random_.below(5);
      if (how == 2) action.variant = random_.below(24);
      script_.actions.push_back(action);
    }
  }

  void end_of_rib(std::uint32_t peer, bool rtc) {
    bool of_rtc = rtc && more_.percent(60);
    add(of_rtc ? Kind::rtc_end_of_rib : Kind::vpn_end_of_rib, peer).family = more_.percent(70) ? Family::vpnv4 : Family::vpnv6;
  }

  void route(std::uint32_t peer) {
    if (!script_.world.policies.empty() && random_.percent(25)) {
      add(Kind::policy, peer).variant = random_.below(4);
      return;
    }
    for (std::uint32_t n = 1 + random_.below(3); n > 0; --n) {
      Action& action = add(Kind::route, peer);
      action.variant = random_.below(static_cast<std::uint32_t>(next_hop_pool().size()));
      action.label = random_.below(4);
    }
  }

  void step() {
    auto peer = random_.below(static_cast<std::uint32_t>(up_.size()));
    if (!up_[peer]) {
      if (random_.percent(40)) bring_up(peer);
      else if (more_.percent(10)) add(Kind::advance, peer).turns = 1 + more_.below(30);
      else if (more_.percent(5)) add(Kind::down, peer).variant = static_cast<std::uint32_t>(Ending::taken_down);
      return;
    }
    bool rtc = script_.world.peers[peer].has(Family::rtc);
    std::uint32_t dice = random_.below(100);
    if (dice < 34) announce(Kind::announce, peer);
    else if (dice < 48) { auto items = some_prefixes(); add(Kind::withdraw, peer).items = items; script_.actions.back().label = random_.below(4); script_.actions.back().path_id = random_.below(4); }
    else if (dice < 52) announce(Kind::announce_and_withdraw, peer);
    else if (dice < 53) announce(Kind::announce_broken, peer);
    else if (dice < 63) { if (rtc) memberships(Kind::rtc_announce, peer); }
    else if (dice < 71) { if (rtc) memberships(Kind::rtc_withdraw, peer); }
    else if (dice < 73) end_of_rib(peer, rtc);
    else if (dice < 77) { add(Kind::down, peer).variant = more_.percent(60) ? 0 : more_.below(kEndings); up_[peer] = false; }
    else if (dice < 80) add(Kind::pause, peer);
    else if (dice < 83) add(Kind::resume, peer);
    else if (dice < 87) add(Kind::refresh, peer).family = static_cast<Family>(random_.below(3));
    else if (dice < 92) add(Kind::turns, peer).turns = 1 + random_.below(4);
    else if (dice < 93) add(Kind::advance, peer).turns = 1 + random_.below(70);
    else if (script_.world.tracks_next_hops && dice < 98) route(peer);
    else if (dice < 95 && !script_.world.policies.empty()) add(Kind::policy, peer).variant = random_.below(4);
    else add(Kind::quiet, peer);
  }

  Script& script_;
  Random& random_;
  Random more_{script_.world.seed + 77};
  std::vector<bool> up_;
};

}  // namespace

Script make_script(std::uint64_t seed, const ScriptOptions& options) {
  Random random(seed * 0x9e3779b97f4a7c15u + 17);
  Script script;
  World& world = script.world;
  world.seed = seed;
  world.tiny_limits = options.tiny_limits;
  world.bulk = options.bulk;
  world.limits = options.limits;
  world.long_lived = seed % 2 == 0;
  const std::vector<std::uint32_t> shard_counts = {1, 1, 2, 3, 8};
  std::uint32_t by_seed = random.pick(shard_counts);
  world.shards = options.shards != 0 ? options.shards : by_seed;
  world.reflector = {.local_as = kLocalAs, .router_id = kRouterId, .cluster_id = random.percent(70) ? kRouterId : 0x0aff0063};
  world.reflector.always_compare_med = random.percent(25);
  world.reflector.missing_med_is_worst = random.percent(25);
  world.reflector.aigp = random.percent(50);
  std::uint32_t count = 2 + random.below(8);
  for (std::uint32_t i = 0; i < count; ++i) world.peers.push_back(make_peer(i, world, random));
  if (options.evpn)  // marked routes are of VPNv4 and VPNv6
    for (PeerSpec& peer : world.peers) peer.marker.reset();
  if (options.policies)  // memberships kept over a restart are judged by other policies when the peer is back
    for (PeerSpec& peer : world.peers) peer.kept_over_restart.erase(Family::rtc);
  fill_prefixes(world, random);
  fill_memberships(world, random);
  fill_rt_sets(world, random);
  if (options.policies) fill_policies(world, random);
  if (options.next_hops) {
    world.tracks_next_hops = true;
    for (const wire::IpAddress& next_hop : next_hop_pool())
      if (random.percent(75)) world.routes[next_hop] = 1 + random.below(3);
  }
  if (options.slice) world.reflector.slice = wire::RtSlice::plane(1 + random.below(2), 2);
  world.evpn = options.evpn;
  for (PeerSpec& peer : world.peers) {
    if (!world.evpn) break;
    if (random.percent(50) && !peer.has(Family::vpnv6)) peer.families.insert(Family::vpnv6);
    peer.add_path_receive.erase(Family::vpnv6);  // EVPN has neither
    peer.add_path_send.erase(Family::vpnv6);
    peer.best_external = false;
  }
  Writer(script, random).write(options.actions);
  return script;
}

const std::vector<wire::IpAddress>& next_hop_pool() {
  static const std::vector<wire::IpAddress> kPool = [] {
    std::vector<wire::IpAddress> out;
    for (const char* text : {"10.100.0.1", "10.100.0.2", "10.100.0.3", "2001:db8:64::1", "2001:db8:64::2", "2001:db8:64::3", "192.0.2.77", "2001:db8::77"})
      out.push_back(*wire::parse_ip(text));
    return out;
  }();
  return kPool;
}

std::vector<std::uint32_t> make_labels(std::uint32_t label) {
  if (label == 4) return {0x500010, 0x500021};  // a stack
  return {(100 + label) << 4 | 1};
}

// What the attributes take in a message without routes, header included.
static std::size_t attribute_octets(const PathAttributes& a) {
  NaiveUpdate update;
  update.reach = Family::vpnv6;
  update.attributes = a;
  return encode_body(update).size() + 19;
}

PathAttributes make_attributes(const World& world, const PeerSpec& peer, std::uint32_t variant, Family family) {
  Random random(world.seed * 1000 + variant);
  bool is_rtc = family == Family::rtc;
  PathAttributes a;
  std::uint32_t rt_set = random.below(static_cast<std::uint32_t>(world.rt_sets.size()));
  a.origin = random.percent(80) ? 0 : static_cast<std::uint8_t>(random.below(3));
  a.local_pref = random.percent(80) ? 100 : 90 + random.below(20);
  const std::vector<std::vector<AsSegment>> paths = {
      {}, {}, {}, {{2, {65001}}}, {{2, {65001, 65002}}}, {{2, {65002, 65001}}}, {{1, {65003, 65004}}}, {{2, {65001}}, {1, {65005, 65006}}},
      {{2, {4200000001, 65001}}}, {{2, {65001, kLocalAs}}}, {{2, std::vector<Asn>(255, 65007)}}};
  a.as_path = random.pick(paths);
  if (random.percent(40)) a.med = random.below(3) * 10;
  std::uint32_t community = random.below(20);
  if (community < 4) a.communities = {0xfde80001, 0xfde80002};
  if (community == 4) a.communities = {0xfde80001, 0xffffff01};
  if (community == 5) a.communities = {0xffffff02};
  if (community == 6) a.communities = {0xffff0006};                          // LLGR_STALE (RFC 9494)
  if (community == 7 || community == 8) a.communities = {0xfde80003, 0xffff0007};  // NO_LLGR
  bool reflected = random.percent(25);
  std::uint32_t originator = random.below(8);
  std::uint32_t clusters = random.below(10);
  std::uint32_t next_hop = random.below(3);
  bool v6_next_hop = random.percent(15);
  std::uint32_t unknown = random.below(14);
  if (random.percent(50)) {  // alike up to the MED: the later steps of the decision get their turn
    a.origin = 0;
    a.local_pref = 100;
    a.as_path = {{AsSegment::kSequence, {random.percent(50) ? 65001u : 65002u, 65005}}};
  }
  if (!is_rtc) a.extended_communities = world.rt_sets[rt_set];

  if (peer.is_external()) {
    prepend(a.as_path, peer.peer_as);
    if (originator < 4) a.local_pref.reset();  // else sent against RFC 4271 §5.1.5, to be ignored
  } else if (reflected) {
    a.originator_id = originator == 0 ? world.reflector.router_id : 0x0a010000 + originator;
    if (clusters < 6) a.cluster_list.assign(1 + clusters % 3, 0x0aff0100 + clusters);
    if (clusters == 0) a.cluster_list.push_back(world.reflector.cluster_id);
    if (clusters == 1) a.cluster_list.push_back(0x0aff0064);
  }
  wire::IpAddress address = wire::IpAddress::v4(0x0a640001 + next_hop);
  wire::IpAddress address6 = *wire::parse_ip("2001:db8:64::1");
  address6.bytes[15] = static_cast<std::uint8_t>(next_hop + 1);
  if (is_rtc) {
    a.next_hop = bare_next_hop(address);
  } else {
    bool use_v6 = family == Family::vpnv6 || (v6_next_hop && peer.ipv6_next_hop.contains(Family::vpnv4));
    a.next_hop = vpn_next_hop(use_v6 ? address6 : address);
    if (use_v6 && next_hop == 2 && !world.evpn) {  // wire 2.2: global and link-local
      Octets pair = vpn_next_hop(*wire::parse_ip("fe80::1"));
      a.next_hop.insert(a.next_hop.end(), pair.begin(), pair.end());
    }
  }
  // wire 2.1, RFC 4271 §5: unknown ones; by flags passed on with Partial, or dropped.
  if (unknown == 0) a.others.push_back({200, 0xc0, {1, 2, 3}});
  if (unknown == 1) a.others.push_back({201, 0x80, {4}});
  if (unknown == 2) a.others.push_back({32, 0xc0, {0, 0, 0xfd, 0xe8, 0, 0, 0, 1, 0, 0, 0, 2}});
  if (unknown == 4 || unknown == 5) a.others.push_back({26, 0x80, {1, 0, 11, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(variant % 3)}});
  if (unknown == 3) a.others.push_back({202, 0xe0, Octets(300, 7)});
  if (unknown == 12 && peer.extended_messages && !is_rtc) a.others.push_back({kBulkyAttribute, 0xc0, Octets(5000, 8)});
  if (unknown == 13 && !is_rtc) a.others.push_back({kBulkyAttribute, 0xc0, Octets(3850 - attribute_octets(a), 9)});
  return a;
}

}  // namespace helio::test

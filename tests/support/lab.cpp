#include "tests/support/lab.hpp"

namespace helio::test {
namespace {

World make_world(std::vector<PeerSpec> peers, std::uint32_t shards, bool tiny_limits, std::vector<policy::Definition> policies) {
  World world;
  world.policies = std::move(policies);
  world.seed = 1;
  world.shards = shards;
  world.tiny_limits = tiny_limits;
  world.reflector = {.local_as = kRrAs, .router_id = kRrRouterId, .cluster_id = kRrClusterId};
  for (std::uint32_t i = 0; i < peers.size(); ++i) {
    peers[i].id = PeerId{i};
    if (peers[i].address == wire::IpAddress{}) peers[i].address = wire::IpAddress::v4(0x7f00000a + i);
    if (peers[i].router_id == 0) peers[i].router_id = 0x0a00000a + i;
    peers[i].local_address = wire::IpAddress::v4(0x0aff0001);
  }
  world.peers = std::move(peers);
  return world;
}

PeerSpec make_spec(session::PeerRole role, bool has_rtc) {
  PeerSpec spec;
  spec.role = role;
  spec.peer_as = kRrAs;
  spec.families.insert(wire::Family::vpnv4);
  spec.families.insert(wire::Family::vpnv6);
  if (has_rtc) spec.families.insert(wire::Family::rtc);
  spec.advertise = session::GroupSettings::RtcAdvertise::specific;
  return spec;
}

}  // namespace

PeerSpec client_with_rtc() { return make_spec(session::PeerRole::client, true); }
PeerSpec client_without_rtc() { return make_spec(session::PeerRole::client, false); }
PeerSpec non_client_with_rtc() { return make_spec(session::PeerRole::non_client, true); }
PeerSpec external_peer(Asn as) {
  PeerSpec spec = make_spec(session::PeerRole::external, false);
  spec.peer_as = as;
  return spec;
}

Lab::Lab(const EngineFactory& factory, std::vector<PeerSpec> peers, std::uint32_t shards, bool start, bool tiny_limits,
         std::vector<policy::Definition> policies)
    : world(make_world(std::move(peers), shards, tiny_limits, std::move(policies))), sim(world, factory), marks_(world.peers.size(), 0) {
  if (!start) return;
  for (std::uint32_t i = 0; i < world.peers.size(); ++i) sim.up(i);
  quiet();
}

wire::VpnPrefix Lab::key(const std::string& rd, const std::string& prefix) {
  wire::VpnPrefix out = wire::parse_prefix(prefix).value();
  out.rd = wire::parse_rd(rd).value();
  return out;
}

wire::RtMembership Lab::membership(const std::string& rt, Asn origin_as, unsigned length) {
  if (length == 0) return {};
  std::uint64_t target = rt.empty() ? 0 : wire::parse_rt(rt).value().value;
  std::uint64_t mask = length <= 32 ? 0 : ~std::uint64_t{0} << (96 - length);
  return {.length = static_cast<std::uint8_t>(length), .origin_as = origin_as, .target = target & mask};
}

PathAttributes Lab::attributes(const RouteText& route) {
  PathAttributes a;
  a.local_pref = route.local_pref;
  a.med = route.med;
  if (!route.as_path.empty()) a.as_path = {{AsSegment::kSequence, route.as_path}};
  for (const std::string& rt : route.rts) a.extended_communities.push_back(wire::parse_rt(rt).value().value);
  a.next_hop = vpn_next_hop(*wire::parse_ip(key(route.rd, route.prefix).is_v6 ? "2001:db8::100" : "192.0.2.1"));
  return a;
}

void Lab::announce(std::uint32_t peer, const RouteText& route) { announce(peer, route, attributes(route)); }

void Lab::announce(std::uint32_t peer, const RouteText& route, const PathAttributes& attributes) {
  NaiveUpdate update;
  wire::VpnPrefix prefix = key(route.rd, route.prefix);
  update.reach = prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4;
  update.attributes = attributes;
  update.announced = {{{prefix, route.path_id}, {route.label << 4 | 1}}};
  sim.send(peer, update);
}

void Lab::withdraw(std::uint32_t peer, const std::string& rd, const std::string& prefix, std::uint32_t label, std::uint32_t path_id) {
  NaiveUpdate update;
  update.withdrawn = {{key(rd, prefix), path_id}};
  update.unreach = update.withdrawn.front().is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4;
  update.withdraw_label = label;
  sim.send(peer, update);
}

void Lab::join(std::uint32_t peer, const wire::RtMembership& m) {
  NaiveUpdate update;
  update.reach = wire::Family::rtc;
  update.attributes.local_pref = 100;
  update.attributes.next_hop = bare_next_hop(world.peers[peer].address);
  if (world.peers[peer].is_external()) update.attributes.as_path = {{AsSegment::kSequence, {world.peers[peer].peer_as}}};
  update.announced_rtc = {m};
  sim.send(peer, update);
}

void Lab::leave(std::uint32_t peer, const wire::RtMembership& m) {
  NaiveUpdate update;
  update.unreach = wire::Family::rtc;
  update.withdrawn_rtc = {m};
  sim.send(peer, update);
}

void Lab::quiet() {
  sim.check_quiet();
  EXPECT_EQ(sim.failure().value_or(""), "");
}

const HeldRoute* Lab::held(std::uint32_t peer, const std::string& rd, const std::string& prefix) const {
  auto at = sim.peer(peer).vpn().find(key(rd, prefix));
  return at == sim.peer(peer).vpn().end() ? nullptr : &at->second;
}

std::map<std::uint32_t, HeldRoute> Lab::paths(std::uint32_t peer, const std::string& prefix, const std::string& rd) const {
  std::map<std::uint32_t, HeldRoute> out;
  wire::VpnPrefix wanted = key(rd, prefix);
  for (const auto& [at, route] : sim.peer(peer).vpn())
    if (static_cast<const wire::VpnPrefix&>(at) == wanted) out[at.path_id] = route;
  return out;
}

const PathAttributes* Lab::rtc_held(std::uint32_t peer, const wire::RtMembership& m) const {
  auto at = sim.peer(peer).rtc().find(m);
  return at == sim.peer(peer).rtc().end() ? nullptr : &at->second;
}

std::uint64_t Lab::sent_since(std::uint32_t peer) {
  std::uint64_t total = sim.peer(peer).routes_received();
  return total - std::exchange(marks_[peer], total);
}

}  // namespace helio::test

#include "bench/lab/lib/pe.hpp"

#include <algorithm>

namespace helio::lab {

using wire::Family;

namespace {

constexpr std::uint32_t kAcceptOwn = 0xffff0001;

std::vector<Asn> prepended(std::vector<Asn> path, Asn as) {
  path.insert(path.begin(), as);
  return path;
}

}  // namespace

wire::Notification malformed_update() { return {static_cast<std::uint8_t>(wire::ErrorCode::update_message), 1, {}}; }

std::shared_ptr<const session::GroupSettings> own_group(Asn as, const IpAddress& router_id, Asn peer_as, wire::FamilySet families, bool add_paths) {
  auto group = std::make_shared<session::GroupSettings>();
  group->local_as = as;
  group->router_id = router_id.v4_value();
  group->peer_as = peer_as;
  group->role = as == peer_as ? session::PeerRole::client : session::PeerRole::external;
  group->families = families;
  group->extended_messages = false;
  if (add_paths)
    for (Family f : {Family::vpnv4, Family::vpnv6})
      if (families.contains(f)) group->add_path_receive.insert(f);
  return group;
}

Pe::Pe(const Topology& topology, std::size_t index, Router& router, const Underlay& underlay)
    : topology_(topology), index_(index), router_(router), underlay_(underlay), labels_(Underlay::first_vpn_label(index) + 1) {
  for (std::size_t i = 0; i < spec().vrfs.size(); ++i) vrf_ids_.push_back(router_.tables.add_vrf());
}

Pe::VrfPort& Pe::add_vrf_port(std::size_t vrf, InterfaceId port, const LinkAddresses& addresses, std::vector<Prefix> statics, Asn bgp_peer) {
  auto out = std::make_unique<VrfPort>();
  out->vrf = vrf;
  out->port = port;
  out->addresses = addresses;
  out->statics = std::move(statics);
  out->peer_as = bgp_peer;
  if (bgp_peer != 0) {
    wire::FamilySet families;
    families.insert(Family::ipv4_unicast);
    families.insert(Family::ipv6_unicast);
    out->session = std::make_unique<SessionEnd>(own_group(spec().as, spec().loopback, bgp_peer, families), *this);
  }
  ports_.push_back(std::move(out));
  is_changed_ = true;
  return *ports_.back();
}

void Pe::set_statics(std::size_t port, std::vector<Prefix> statics) {
  ports_[port]->statics = std::move(statics);
  is_changed_ = true;
}

Pe::Upstream& Pe::add_reflector(const ReflectorSpec& reflector) {
  auto up = std::make_unique<Upstream>();
  up->name = reflector.name;
  up->local = spec().loopback;
  up->peer_as = reflector.as;
  up->end = std::make_unique<SessionEnd>(own_group(spec().open_as, spec().loopback, reflector.as, spec().families, spec().add_paths), *this);
  upstreams_.push_back(std::move(up));
  return *upstreams_.back();
}

Pe::Upstream& Pe::add_asbr(const RouterSpec& peer, InterfaceId out, const IpAddress& local) {
  auto up = std::make_unique<Upstream>();
  up->name = peer.name;
  up->is_external = true;
  up->out = out;
  up->local = local;
  up->peer_as = peer.as;
  wire::FamilySet families;
  families.insert(Family::vpnv4);
  families.insert(Family::vpnv6);
  up->end = std::make_unique<SessionEnd>(own_group(spec().as, spec().loopback, peer.as, families), *this);
  upstreams_.push_back(std::move(up));
  return *upstreams_.back();
}

bool Pe::is_asbr() const {
  return std::any_of(upstreams_.begin(), upstreams_.end(), [](const auto& up) { return up->is_external; });
}

// ---- sessions ----

void Pe::on_established(SessionEnd&, const session::Negotiated&) { is_changed_ = true; }

std::optional<wire::Notification> Pe::on_update(SessionEnd& end, Bytes body) {
  bool is_external = end.group().role == session::PeerRole::external;
  auto changes = synthetic::read_update(body, end.negotiated().agreed.add_path_receive);
  if (!changes) return malformed_update();
  is_changed_ = true;
  auto apply = [&](std::map<PathKey, Path>& held) {
    for (const PathKey& key : changes->withdrawn) held.erase(key);
    for (auto& [key, path] : changes->announced) {
      // RFC 4271 §9.1.2 (our AS in the path) and RFC 4456 §8 (our own route, reflected), unless RFC 7611 §2.1 lets it in.
      bool is_accepted = spec().accept_own && !is_external && std::find(path.communities.begin(), path.communities.end(), kAcceptOwn) != path.communities.end();
      if (has_as(path, spec().as) || (is_own(path) && !is_accepted)) {
        held.erase(key);
        continue;
      }
      if (is_external) {
        path.local_pref = 100;
        for (std::uint64_t& rt : path.targets)
          if (auto to = spec().rewrite_targets.find(rt); to != spec().rewrite_targets.end()) rt = to->second;
      }
      held[key] = path;
    }
  };
  for (auto& port : ports_)
    if (port->session.get() == &end) apply(port->learned);
  for (auto& up : upstreams_) {
    if (up->end.get() != &end) continue;
    apply(up->received);
    for (const auto& m : changes->left) up->wanted.erase(m);
    for (const auto& m : changes->joined) up->wanted.insert(m);
  }
  return std::nullopt;
}

void Pe::on_closed(SessionEnd& end) {
  is_changed_ = true;
  for (auto& port : ports_) {
    if (port->session.get() != &end) continue;
    port->learned.clear();
    port->sent.clear();
  }
  for (auto& up : upstreams_) {
    if (up->end.get() != &end) continue;
    up->received.clear();
    up->sent.clear();
    up->wanted.clear();
    up->asked.clear();
    up->said_end_of_rib = false;
  }
}

// ---- routes ----

bool Pe::turn() {
  if (!is_changed_) return false;
  is_changed_ = false;
  wishes_ = {};
  collect_locals();
  make_exports();
  choose_routes();
  relay();
  for (auto& up : upstreams_) {
    if (!up->end->is_established()) continue;
    send_memberships(*up);
    send_routes(*up);
  }
  for (auto& port : ports_)
    if (port->session && port->session->is_established()) send_to_neighbor(*port);
  return true;
}

void Pe::send_memberships(Upstream& up) {
  if (!up.end->negotiated().agreed.families.contains(Family::rtc)) return;
  // Everything, for an ASBR: it has to pass it on.
  std::set<wire::RtMembership> wanted;
  if (is_asbr()) wanted.insert(wire::RtMembership{});
  else
    for (std::uint64_t rt : synthetic::imported_targets(spec().vrfs)) wanted.insert({96, spec().as, rt});
  std::vector<std::uint8_t> out;
  auto say = [&](const std::set<wire::RtMembership>& what, const std::set<wire::RtMembership>& except, bool announce) {
    synthetic::Speaker speaker{spec().as, up.local.v4_value()};
    std::vector<std::uint64_t> targets;
    for (const auto& m : what) {
      if (except.contains(m)) continue;
      if (m.is_default()) synthetic::append_default_membership(out, speaker, announce);
      else targets.push_back(m.target);
    }
    synthetic::append_memberships(out, speaker, targets, announce);
  };
  say(up.asked, wanted, false);
  say(wanted, up.asked, true);
  if (!up.said_end_of_rib) synthetic::append_end_of_rib(out, 1, 132);
  up.asked = wanted;
  up.end->send(out);
}

void Pe::send_routes(Upstream& up) {
  const wire::FamilySet families = up.end->negotiated().agreed.families;
  bool has_rtc = families.contains(Family::rtc);
  std::map<Prefix, Path> wanted;
  auto offer = [&](const Prefix& prefix, Path path) {
    if (!families.contains(family_of(prefix, true))) return;
    // RFC 4684 §5: only what the reflector asked for.
    if (has_rtc && std::none_of(path.targets.begin(), path.targets.end(), [&](std::uint64_t rt) {
          return std::any_of(up.wanted.begin(), up.wanted.end(), [&](const wire::RtMembership& m) { return m.matches(wire::RouteTarget{rt}); });
        }))
      return;
    path.next_hop = up.local;
    if (up.is_external) {
      if (has_as(path, up.peer_as)) return;
      path.as_path = prepended(path.as_path, spec().as);
      path.local_pref = 100;
    }
    wanted.insert_or_assign(prefix, std::move(path));
  };
  for (const auto& [prefix, path] : up.is_external ? to_external_ : to_internal_) offer(prefix, path);
  for (const auto& [prefix, path] : export_paths_) offer(prefix, path);
  std::vector<std::uint8_t> out;
  for (const auto& [prefix, path] : up.sent)
    if (!wanted.contains(prefix)) synthetic::append_withdrawal(out, prefix, true);
  for (const auto& [prefix, path] : wanted)
    if (auto at = up.sent.find(prefix); at == up.sent.end() || at->second != path) synthetic::append_route(out, prefix, path, true, up.is_external);
  if (!up.said_end_of_rib)
    for (Family f : {Family::vpnv4, Family::vpnv6})
      if (families.contains(f)) synthetic::append_end_of_rib(out, f == Family::vpnv4 ? 1 : 2, 128);
  up.said_end_of_rib = true;
  up.sent = std::move(wanted);
  up.end->send(out);
}

void Pe::send_to_neighbor(VrfPort& port) {
  std::map<Prefix, Path> wanted;
  for (const auto& [prefix, best] : best_[port.vrf]) {
    if (!port.session->negotiated().agreed.families.contains(family_of(prefix, false)) || has_as(*best.path, port.peer_as)) continue;
    if (best.local != nullptr && best.local->ports.front() == &port) continue;
    Path path = *best.path;
    path.labels.clear();
    path.targets.clear();  // RFC 4364 §4.3.1: RTs mean nothing to a customer
    path.as_path = prepended(path.as_path, spec().as);
    path.next_hop = prefix.is_v6 ? port.addresses.own6 : port.addresses.own;
    path.originator = path.cluster_list_length = path.med = 0;
    wanted[prefix] = path;
  }
  std::vector<std::uint8_t> out;
  for (const auto& [prefix, path] : port.sent)
    if (!wanted.contains(prefix)) synthetic::append_withdrawal(out, prefix, false);
  for (const auto& [prefix, path] : wanted)
    if (auto at = port.sent.find(prefix); at == port.sent.end() || at->second != path) synthetic::append_route(out, prefix, path, false, true);
  port.sent = std::move(wanted);
  port.session->send(out);
}

}  // namespace helio::lab

#include "bench/lab/lib/pe.hpp"

#include <algorithm>

#include "rr/wire/as_path.hpp"

namespace helio::lab {

using forwarding::LabelAction;
using forwarding::NextHop;
using forwarding::Way;
using wire::Family;

namespace {

Prefix host(const IpAddress& a) {
  Prefix p;
  p.address = a.bytes;
  p.is_v6 = a.is_v6;
  p.length = a.is_v6 ? 128 : 32;
  return p;
}
bool have_common(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  return std::any_of(a.begin(), a.end(), [&](std::uint64_t rt) { return std::find(b.begin(), b.end(), rt) != b.end(); });
}
std::vector<std::uint8_t> prepended(const std::vector<std::uint8_t>& path, Asn as) {
  std::vector<std::uint8_t> out;
  wire::prepend_as(out, path, as, 1);
  return out;
}
Prefix without_rd(Prefix prefix) {
  prefix.rd = {};
  return prefix;
}

}  // namespace

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
    : topology_(topology), index_(index), router_(router), underlay_(underlay), next_label_(Underlay::first_vpn_label(index) + 1) {
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
  auto changes = read_update(body, wire::make_update_context(end.negotiated().agreed, is_external));
  if (!changes) return changes.error();
  is_changed_ = true;
  auto apply = [&](std::map<PathKey, Path>& held) {
    for (const PathKey& key : changes->withdrawn) held.erase(key);
    for (auto& [key, path] : changes->announced) {
      // RFC 4271 §9.1.2 (our AS in the path) and RFC 4456 §8 (our own route, reflected).
      if (has_as(path, spec().as) || (path.originator != 0 && path.originator == spec().loopback.v4_value())) {
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
    up->errors += changes->errors;
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

std::uint32_t Pe::label_of(const LabelKey& key) {
  auto [at, is_new] = labels_.try_emplace(key, next_label_);
  if (is_new) ++next_label_;
  return at->second;
}

// Static routes before learned ones; of these the shortest AS path.
void Pe::collect_locals() {
  locals_.assign(spec().vrfs.size(), {});
  for (const auto& port : ports_) {
    if (!router_.ports[port->port].is_up) continue;
    for (const Prefix& prefix : port->statics) locals_[port->vrf][prefix].ports.push_back(port.get());
  }
  std::vector<std::map<Prefix, Local>> learned(spec().vrfs.size());
  for (const auto& port : ports_) {
    if (!router_.ports[port->port].is_up) continue;
    for (const auto& [key, path] : port->learned) {
      Local& local = learned[port->vrf][key.prefix];
      if (!local.ports.empty() && as_path_length(local.path) <= as_path_length(path)) continue;
      local.ports = {port.get()};
      local.path = path;
    }
  }
  for (std::size_t v = 0; v < learned.size(); ++v)
    for (auto& [prefix, local] : learned[v]) locals_[v].try_emplace(prefix, local);
}

std::vector<Way> Pe::ways_of(const Local& local) {
  std::vector<Way> out;
  for (const VrfPort* port : local.ports) {
    Way way;
    way.out = port->port;
    out.push_back(way);
  }
  return out;
}

void Pe::make_exports() {
  exports_.clear();
  export_paths_.clear();
  for (std::size_t v = 0; v < spec().vrfs.size(); ++v) {
    const VrfSpec& vrf = spec().vrfs[v];
    if (vrf.export_targets.empty()) continue;  // RFC 4364 §4.3.1: without an RT nobody could import it
    for (const auto& [prefix, local] : locals_[v]) {
      Prefix key = prefix;
      key.rd = vrf.rd;
      NextHopSpec forward{.kind = NextHop::Kind::forward, .ways = ways_of(local)};
      std::uint32_t label = 0;
      switch (vrf.labels) {
        case LabelMode::per_vrf:
          label = label_of({0, v, {}, {}});
          wishes_.labels[label] = {LabelAction::Kind::look_up, vrf_ids_[v], {}};
          break;
        case LabelMode::per_prefix:
          label = label_of({1, v, prefix, {}});
          wishes_.labels[label] = {LabelAction::Kind::forward, 0, forward};
          break;
        case LabelMode::per_ce:
          label = label_of({2, v, {}, {local.ports.front()->port}});
          forward.ways.resize(1);
          wishes_.labels[label] = {LabelAction::Kind::forward, 0, forward};
          break;
      }
      Path path = local.path;
      path.labels = {label};
      path.next_hop = spec().loopback;
      path.targets = vrf.export_targets;
      path.local_pref = 100;
      path.originator = 0;
      exports_[key] = {v, &local};
      export_paths_[key] = path;
    }
  }
}

std::optional<Pe::Candidate> Pe::remote(const Upstream& up, const PathKey& key, const Path& path) const {
  Candidate c;
  c.path = &path;
  c.via = &up;
  c.path_id = key.path_id;
  if (path.labels.empty()) return std::nullopt;
  if (up.is_external) {
    c.from = Candidate::From::external;
    if (!router_.ports[up.out].is_up) return std::nullopt;
    Way way;
    way.out = up.out;
    c.ways = {way};
  } else {
    c.from = Candidate::From::internal;
    auto egress = underlay_.router_of(path.next_hop);
    if (!egress) return std::nullopt;
    c.metric = underlay_.metric(index_, *egress);
    c.ways = underlay_.ways(index_, *egress);
  }
  if (c.ways.empty()) return std::nullopt;
  for (Way& way : c.ways) {
    if (topology_.has_entropy_label && way.label_count != 0 && way.tunnel == forwarding::kNoTunnel) way.entropy_after = way.label_count;
    for (std::uint32_t label : path.labels)
      if (way.label_count < forwarding::kMostLabels) way.labels[way.label_count++] = label;
  }
  return c;
}

std::vector<Pe::Candidate> Pe::candidates(std::size_t v, const Prefix& prefix) const {
  std::vector<Candidate> out;
  const VrfSpec& vrf = spec().vrfs[v];
  if (auto at = locals_[v].find(prefix); at != locals_[v].end()) {
    Candidate c;
    c.from = Candidate::From::vrf;
    c.path = &at->second.path;
    c.local = &at->second;
    c.ways = ways_of(at->second);
    out.push_back(c);
  }
  for (const auto& [key, e] : exports_) {  // route leaking inside this PE
    if (e.vrf == v || without_rd(key) != prefix || !have_common(spec().vrfs[e.vrf].export_targets, vrf.import_targets)) continue;
    Candidate c;
    c.from = Candidate::From::other_vrf;
    c.path = &export_paths_.at(key);
    c.local = e.local;
    c.ways = ways_of(*e.local);
    out.push_back(c);
  }
  for (const auto& up : upstreams_)
    for (const auto& [key, path] : up->received) {
      if (without_rd(key.prefix) != prefix || !have_common(path.targets, vrf.import_targets)) continue;
      if (auto c = remote(*up, key, path)) out.push_back(*c);
    }
  return out;
}

// RFC 4271 §9.1.2 as far as a PE without policy needs it. What is local comes first.
bool Pe::is_better(const Candidate& a, const Candidate& b) {
  auto rank = [](const Candidate& c) { return c.from == Candidate::From::vrf ? 0 : 1; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (a.path->local_pref != b.path->local_pref) return a.path->local_pref > b.path->local_pref;
  if (unsigned la = as_path_length(*a.path), lb = as_path_length(*b.path); la != lb) return la < lb;
  if (a.path->origin != b.path->origin) return a.path->origin < b.path->origin;
  if (a.from != b.from) return a.from < b.from;
  if (a.metric != b.metric) return a.metric < b.metric;
  auto id = [](const Candidate& c) { return c.path->originator != 0 ? c.path->originator : c.path->next_hop.v4_value(); };
  if (id(a) != id(b)) return id(a) < id(b);
  if (a.path->cluster_list_length != b.path->cluster_list_length) return a.path->cluster_list_length < b.path->cluster_list_length;
  return a.path_id < b.path_id;
}
bool Pe::is_equal(const Candidate& a, const Candidate& b) {
  return a.from == b.from && a.path->local_pref == b.path->local_pref && as_path_length(*a.path) == as_path_length(*b.path) && a.path->origin == b.path->origin && a.metric == b.metric;
}

void Pe::choose_routes() {
  best_.assign(spec().vrfs.size(), {});
  for (std::size_t v = 0; v < spec().vrfs.size(); ++v) {
    std::set<Prefix> prefixes;
    for (const auto& [prefix, local] : locals_[v]) prefixes.insert(prefix);
    for (const auto& [key, e] : exports_) prefixes.insert(without_rd(key));
    for (const auto& up : upstreams_)
      for (const auto& [key, path] : up->received) prefixes.insert(without_rd(key.prefix));
    auto& routes = wishes_.routes[vrf_ids_[v]];
    for (const Prefix& prefix : prefixes) {
      std::vector<Candidate> all = candidates(v, prefix);
      if (all.empty()) continue;
      Candidate best = *std::min_element(all.begin(), all.end(), is_better);
      NextHopSpec spec_of_route{.kind = NextHop::Kind::forward, .ways = best.ways};
      if (spec().multipath)
        for (const Candidate& c : all)
          if (is_equal(c, best))
            for (const Way& way : c.ways)
              if (std::find(spec_of_route.ways.begin(), spec_of_route.ways.end(), way) == spec_of_route.ways.end() && spec_of_route.ways.size() < forwarding::kMostWays)
                spec_of_route.ways.push_back(way);
      routes[prefix] = spec_of_route;
      best_[v].emplace(prefix, std::move(best));
    }
  }
  for (const auto& port : ports_) {
    auto& routes = wishes_.routes[vrf_ids_[port->vrf]];
    Way way;
    way.out = port->port;
    for (const IpAddress& own : {port->addresses.own, port->addresses.own6}) routes[host(own)] = {.kind = NextHop::Kind::deliver};
    for (const IpAddress& peer : {port->addresses.peer, port->addresses.peer6}) routes[host(peer)] = {.kind = NextHop::Kind::forward, .ways = {way}};
  }
}

// Option B (RFC 4364 §10 b): the best VPN route of one side goes to the other with ourselves as next hop and a label of our
// own, which is swapped for the one received.
void Pe::relay() {
  to_internal_.clear();
  to_external_.clear();
  if (!is_asbr()) return;
  std::map<Prefix, Candidate> inside, outside;
  for (const auto& up : upstreams_)
    for (const auto& [key, path] : up->received) {
      auto c = remote(*up, key, path);
      if (!c) continue;
      auto& side = up->is_external ? outside : inside;
      auto [at, is_new] = side.try_emplace(key.prefix, *c);
      if (!is_new && is_better(*c, at->second)) at->second = *c;
    }
  auto pass = [&](const std::map<Prefix, Candidate>& from, std::map<Prefix, Path>& to, int direction) {
    for (const auto& [prefix, c] : from) {
      std::vector<std::uint32_t> what = c.path->labels;
      what.push_back(c.path->next_hop.v4_value());
      std::uint32_t label = label_of({direction, 0, prefix, what});
      wishes_.labels[label] = {LabelAction::Kind::forward, 0, {.kind = NextHop::Kind::forward, .ways = c.ways}};
      for (Way& way : wishes_.labels[label].next_hop.ways) way.entropy_after = 0;
      Path path = *c.path;
      path.labels = {label};
      path.originator = 0;
      to[prefix] = path;
    }
  };
  pass(outside, to_internal_, 3);
  pass(inside, to_external_, 4);
}

void Pe::send_memberships(Upstream& up) {
  if (!up.end->negotiated().agreed.families.contains(Family::rtc)) return;
  std::set<wire::RtMembership> wanted;
  if (is_asbr()) {
    wanted.insert(wire::RtMembership{});  // everything: it has to pass it on
  } else {
    for (const VrfSpec& vrf : spec().vrfs)
      for (std::uint64_t rt : vrf.import_targets) wanted.insert({96, spec().as, rt});
  }
  std::vector<std::uint8_t> out;
  for (const auto& m : up.asked)
    if (!wanted.contains(m)) write_membership(out, m, up.local, false);
  for (const auto& m : wanted)
    if (!up.asked.contains(m)) write_membership(out, m, up.local, true);
  if (!up.said_end_of_rib) wire::encode_end_of_rib(out, Family::rtc);
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
    if (!wanted.contains(prefix)) write_withdrawal(out, prefix, true);
  for (const auto& [prefix, path] : wanted)
    if (auto at = up.sent.find(prefix); at == up.sent.end() || at->second != path) write_route(out, prefix, path, true, up.is_external);
  if (!up.said_end_of_rib)
    for (Family f : {Family::vpnv4, Family::vpnv6})
      if (families.contains(f)) wire::encode_end_of_rib(out, f);
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
    if (!wanted.contains(prefix)) write_withdrawal(out, prefix, false);
  for (const auto& [prefix, path] : wanted)
    if (auto at = port.sent.find(prefix); at == port.sent.end() || at->second != path) write_route(out, prefix, path, false, true);
  port.sent = std::move(wanted);
  port.session->send(out);
}

}  // namespace helio::lab

// What a PE makes of its routes: exports with labels, imports with the best path of each VRF prefix, and the relay of option B.
#include <algorithm>

#include "bench/lab/lib/pe.hpp"

namespace helio::lab {

using forwarding::LabelAction;
using forwarding::NextHop;
using forwarding::Way;

namespace {

Prefix without_rd(Prefix prefix) {
  prefix.rd = {};
  return prefix;
}

}  // namespace

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
      if (!local.ports.empty() && local.path.as_path.size() <= path.as_path.size()) continue;
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
          label = labels_.of({0, v, {}, {}});
          wishes_.labels[label] = {LabelAction::Kind::look_up, vrf_ids_[v], {}};
          break;
        case LabelMode::per_prefix:
          label = labels_.of({1, v, prefix, {}});
          wishes_.labels[label] = {LabelAction::Kind::forward, 0, forward};
          break;
        case LabelMode::per_ce:
          label = labels_.of({2, v, {}, {local.ports.front()->port}});
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

// "A route MUST never be accepted back into its source VRF" (RFC 7611 §2.2). Forwarding needs no label: the site is ours.
std::optional<Pe::Candidate> Pe::own_again(std::size_t v, const Prefix& key, const Path& path) const {
  auto source = exports_.find(key);
  if (source == exports_.end() || source->second.vrf == v) return std::nullopt;
  Candidate c;
  c.from = Candidate::From::other_vrf;
  c.path = &path;
  c.local = source->second.local;
  c.ways = ways_of(*c.local);
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
    if (e.vrf == v || without_rd(key) != prefix || !synthetic::have_common(spec().vrfs[e.vrf].export_targets, vrf.import_targets)) continue;
    Candidate c;
    c.from = Candidate::From::other_vrf;
    c.path = &export_paths_.at(key);
    c.local = e.local;
    c.ways = ways_of(*e.local);
    out.push_back(c);
  }
  for (const auto& up : upstreams_)
    for (const auto& [key, path] : up->received) {
      if (without_rd(key.prefix) != prefix || !synthetic::have_common(path.targets, vrf.import_targets)) continue;
      if (auto c = is_own(path) ? own_again(v, key.prefix, path) : remote(*up, key, path)) out.push_back(*c);
    }
  return out;
}

// RFC 4271 §9.1.2 as far as a PE without policy needs it. What is local comes first.
bool Pe::is_better(const Candidate& a, const Candidate& b) {
  auto rank = [](const Candidate& c) { return c.from == Candidate::From::vrf ? 0 : 1; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (a.path->local_pref != b.path->local_pref) return a.path->local_pref > b.path->local_pref;
  if (std::size_t la = a.path->as_path.size(), lb = b.path->as_path.size(); la != lb) return la < lb;
  if (a.path->origin != b.path->origin) return a.path->origin < b.path->origin;
  if (a.from != b.from) return a.from < b.from;
  if (a.metric != b.metric) return a.metric < b.metric;
  auto id = [](const Candidate& c) { return c.path->originator != 0 ? c.path->originator : c.path->next_hop.v4_value(); };
  if (id(a) != id(b)) return id(a) < id(b);
  if (a.path->cluster_list_length != b.path->cluster_list_length) return a.path->cluster_list_length < b.path->cluster_list_length;
  return a.path_id < b.path_id;
}
bool Pe::is_equal(const Candidate& a, const Candidate& b) {
  return a.from == b.from && a.path->local_pref == b.path->local_pref && a.path->as_path.size() == b.path->as_path.size() && a.path->origin == b.path->origin && a.metric == b.metric;
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
    for (const IpAddress& own : {port->addresses.own, port->addresses.own6}) routes[host_prefix(own)] = {.kind = NextHop::Kind::deliver};
    for (const IpAddress& peer : {port->addresses.peer, port->addresses.peer6}) routes[host_prefix(peer)] = {.kind = NextHop::Kind::forward, .ways = {way}};
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
      std::uint32_t label = labels_.of({direction, 0, prefix, what});
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

}  // namespace helio::lab

#include "bench/lab/lib/underlay.hpp"

#include <algorithm>
#include <set>

namespace helio::lab {

using forwarding::LabelAction;
using forwarding::NextHop;
using forwarding::Way;

namespace {
Way make_way(InterfaceId out, std::initializer_list<std::uint32_t> labels) {
  Way way;
  way.out = out;
  for (std::uint32_t l : labels) way.labels[way.label_count++] = l;
  return way;
}
}  // namespace

Underlay::Underlay(const Topology& topology, std::vector<Router*> routers, std::vector<Edge> edges)
    : topology_(topology), routers_(std::move(routers)), edges_(std::move(edges)) {
  compute();
}

void Underlay::compute() {
  metrics_.assign(routers_.size(), std::vector<unsigned>(routers_.size(), kUnreachable));
  for (std::size_t to = 0; to < routers_.size(); ++to) shortest_paths(to);
}

void Underlay::shortest_paths(std::size_t to) {
  if (!routers_[to]->is_up) return;
  std::set<std::pair<unsigned, std::size_t>> open{{0, to}};
  metrics_[to][to] = 0;
  while (!open.empty()) {
    auto [cost, at] = *open.begin();
    open.erase(open.begin());
    for (const Edge& e : edges_) {
      std::size_t other = e.a == at ? e.b : e.b == at ? e.a : at;
      if (other == at || as_of(other) != as_of(at) || !routers_[other]->is_up || cost + e.metric >= metrics_[other][to]) continue;
      open.erase({metrics_[other][to], other});
      metrics_[other][to] = cost + e.metric;
      open.insert({metrics_[other][to], other});
    }
  }
}

std::vector<Underlay::Hop> Underlay::next_hops(std::size_t from, std::size_t to) const {
  std::vector<Hop> out;
  if (metrics_[from][to] == kUnreachable || from == to) return out;
  for (const Edge& e : edges_) {
    if (e.a != from && e.b != from) continue;
    std::size_t other = e.a == from ? e.b : e.a;
    if (as_of(other) == as_of(from) && metrics_[other][to] != kUnreachable && metrics_[other][to] + e.metric == metrics_[from][to])
      out.push_back({other, e.a == from ? e.port_a : e.port_b});
  }
  if (out.size() > forwarding::kMostWays) out.resize(forwarding::kMostWays);
  return out;
}

const Edge* Underlay::edge(std::size_t a, std::size_t b) const {
  for (const Edge& e : edges_)
    if ((e.a == a && e.b == b) || (e.a == b && e.b == a)) return &e;
  return nullptr;
}

std::optional<std::size_t> Underlay::router_of(const IpAddress& loopback) const {
  for (std::size_t i = 0; i < routers_.size(); ++i)
    if (topology_.routers[i].loopback == loopback) return i;
  return std::nullopt;
}

// The pair of ASBRs over which option C reaches another AS, possibly through a third: near one, far one.
std::optional<std::pair<std::size_t, std::size_t>> Underlay::exit_towards(std::size_t from, Asn as) const {
  struct Step {
    Asn as;
    std::optional<std::pair<std::size_t, std::size_t>> first;
  };
  std::vector<Step> queue{{as_of(from), std::nullopt}};
  std::set<Asn> seen{as_of(from)};
  for (std::size_t at = 0; at < queue.size(); ++at) {
    Step step = queue[at];
    for (const InterAsSpec& s : topology_.inter_as) {
      if (s.option != InterAs::c) continue;
      for (const auto& [near_name, far_name] : {std::pair(s.a, s.b), std::pair(s.b, s.a)}) {
        auto index = [&](const std::string& n) { return static_cast<std::size_t>(topology_.find_router(n) - topology_.routers.data()); };
        std::size_t near = index(near_name), far = index(far_name);
        if (as_of(near) != step.as || !routers_[near]->is_up || !routers_[far]->is_up) continue;
        if (!step.first && metrics_[from][near] == kUnreachable) continue;
        auto first = step.first ? step.first : std::optional(std::pair(near, far));
        if (as_of(far) == as) return first;
        if (seen.insert(as_of(far)).second) queue.push_back({as_of(far), first});
      }
    }
  }
  return std::nullopt;
}

// A loopback that the other AS has lost is not passed on over the border either.
bool Underlay::reaches(std::size_t from, std::size_t to) const {
  if (as_of(from) == as_of(to)) return metrics_[from][to] != kUnreachable;
  auto exit = exit_towards(from, as_of(to));
  return exit && reaches(exit->second, to);
}

unsigned Underlay::metric(std::size_t from, std::size_t to) const {
  if (as_of(from) == as_of(to)) return metrics_[from][to];
  auto exit = exit_towards(from, as_of(to));
  return exit && reaches(exit->second, to) ? 100000 + metrics_[from][exit->first] : kUnreachable;
}

// Label switching inside the AS of `from`.
std::vector<Way> Underlay::label_ways(std::size_t from, std::size_t to) const {
  std::vector<Way> out;
  for (const Hop& hop : next_hops(from, to)) {
    if (hop.node != to || topology_.php == Php::off) out.push_back(make_way(hop.out, {label_at(hop.node, to)}));
    else if (topology_.php == Php::explicit_null) out.push_back(make_way(hop.out, {forwarding::label::explicit_null_v4}));
    else out.push_back(make_way(hop.out, {}));
  }
  return out;
}

std::vector<Way> Underlay::ways(std::size_t from, std::size_t to) const {
  if (as_of(from) != as_of(to)) {
    auto exit = exit_towards(from, as_of(to));
    if (!exit || !reaches(exit->second, to)) return {};
    if (exit->first == from) {  // we are the ASBR: straight over the link
      const Edge* e = edge(exit->first, exit->second);
      return e == nullptr ? std::vector<Way>{} : std::vector{make_way(e->a == from ? e->port_a : e->port_b, {inter_as_label(exit->second, to)})};
    }
    std::vector<Way> out = label_ways(from, exit->first);
    for (Way& w : out) w.labels[w.label_count++] = inter_as_label(exit->first, to);
    return out;
  }
  if (metrics_[from][to] == kUnreachable || from == to) return {};
  if (!is_ip_core()) return label_ways(from, to);
  auto at = tunnels_.find({from, to});
  if (at == tunnels_.end()) {
    forwarding::Tunnel tunnel;
    tunnel.kind = topology_.transport == Transport::gre ? forwarding::Tunnel::Kind::gre : forwarding::Tunnel::Kind::ip;
    tunnel.source = topology_.routers[from].loopback.v4_value();
    tunnel.destination = topology_.routers[to].loopback.v4_value();
    at = tunnels_.emplace(std::pair(from, to), routers_[from]->tables.add_tunnel(tunnel)).first;
  }
  Way way;
  way.tunnel = at->second;
  return {way};
}

void Underlay::wish(std::size_t router, Wishes& out) const {
  auto& routes = out.routes[forwarding::kGlobal];
  for (std::size_t to = 0; to < routers_.size(); ++to) {
    if (to == router) {
      routes[host_prefix(topology_.routers[to].loopback)] = {.kind = NextHop::Kind::deliver};
      if (topology_.php == Php::off) out.labels[label_at(router, router)] = {LabelAction::Kind::pop_again, 0, {}};
      continue;
    }
    if (as_of(to) == as_of(router)) {
      NextHopSpec plain{.kind = NextHop::Kind::forward};
      for (const Hop& hop : next_hops(router, to)) plain.ways.push_back(make_way(hop.out, {}));
      if (plain.ways.empty()) continue;
      routes[host_prefix(topology_.routers[to].loopback)] = plain;
      if (!is_ip_core()) out.labels[label_at(router, to)] = {LabelAction::Kind::forward, 0, {.kind = NextHop::Kind::forward, .ways = label_ways(router, to)}};
    }
    // Option C: an ASBR has a label for every loopback that it passes on to the other AS.
    for (const InterAsSpec& s : topology_.inter_as) {
      if (s.option != InterAs::c || (topology_.routers[router].name != s.a && topology_.routers[router].name != s.b)) continue;
      NextHopSpec spec{.kind = NextHop::Kind::forward, .ways = ways(router, to)};
      if (!spec.ways.empty()) out.labels[inter_as_label(router, to)] = {LabelAction::Kind::forward, 0, spec};
    }
  }
  for (const InterAsSpec& s : topology_.inter_as)
    if (s.option == InterAs::c && (topology_.routers[router].name == s.a || topology_.routers[router].name == s.b))
      out.labels[inter_as_label(router, router)] = {LabelAction::Kind::pop_again, 0, {}};
}

}  // namespace helio::lab

#include "bench/lab/lib/expectation.hpp"

#include <algorithm>

namespace helio::lab {

Expectation::Expectation(const Topology& topology, std::function<bool(std::string_view)> is_up) : topology_(topology), is_up_(std::move(is_up)) {
  for (std::size_t r = 0; r < topology_.routers.size(); ++r)
    for (std::size_t v = 0; v < topology_.routers[r].vrfs.size(); ++v)
      if (is_up_(topology_.routers[r].name)) vrfs_.push_back({r, v});
  join_core();
  collect();
  find_contested();
}

void Expectation::join_core() {
  for (std::size_t r = 0; r < topology_.routers.size(); ++r) piece_.push_back(r);
  for (const LinkSpec& link : topology_.links) {
    if (!is_up_(link.a) || !is_up_(link.b)) continue;
    std::size_t a = piece_[static_cast<std::size_t>(topology_.find_router(link.a) - topology_.routers.data())];
    std::size_t b = piece_[static_cast<std::size_t>(topology_.find_router(link.b) - topology_.routers.data())];
    for (std::size_t& p : piece_)
      if (p == a) p = b;
  }
}

bool Expectation::imports(const VrfSpec& importer, const VrfSpec& exporter) {
  return std::any_of(exporter.export_targets.begin(), exporter.export_targets.end(), [&](std::uint64_t rt) {
    return std::find(importer.import_targets.begin(), importer.import_targets.end(), rt) != importer.import_targets.end();
  });
}

VrfSpec Expectation::as_reflected(const VrfSpec& exporter, const RouterSpec& pe) const {
  VrfSpec out = exporter;
  for (const std::string& name : pe.reflectors) {
    if (!is_up_(name)) continue;
    for (const auto& [has, added] : topology_.find_reflector(name)->add_targets)
      if (std::find(exporter.export_targets.begin(), exporter.export_targets.end(), has) != exporter.export_targets.end())
        out.export_targets.insert(out.export_targets.end(), added.begin(), added.end());
  }
  return out;
}

// A reflector sends nothing back to where it came from: another one has to.
bool Expectation::takes_own_back(const RouterSpec& pe) const {
  std::size_t adding = 0, others = 0;
  for (const std::string& name : pe.reflectors)
    if (is_up_(name)) ++(topology_.find_reflector(name)->add_targets.empty() ? others : adding);
  return pe.accept_own && (adding > 1 || (adding == 1 && others > 0));
}

// The reflectors that come to have what a PE announces (RFC 4456 §6): what is from a client goes everywhere, what is from a
// non-client to clients and to other ASes only.
std::set<std::string> Expectation::reflectors_with(const RouterSpec& announcer) const {
  std::set<std::pair<std::string, bool>> seen;
  std::vector<std::pair<std::string, bool>> open;  // reflector; from a client or another AS
  auto reach = [&](const std::string& name, bool goes_everywhere) {
    if (is_up_(name) && seen.insert({name, goes_everywhere}).second) open.emplace_back(name, goes_everywhere);
  };
  auto lists = [](const std::vector<std::string>& names, const std::string& n) { return std::find(names.begin(), names.end(), n) != names.end(); };
  for (const std::string& name : announcer.reflectors) reach(name, true);
  while (!open.empty()) {
    auto [name, goes_everywhere] = open.back();
    open.pop_back();
    const ReflectorSpec& rr = *topology_.find_reflector(name);
    for (const ReflectorSpec& other : topology_.reflectors) {
      if (lists(rr.clients, other.name)) reach(other.name, false);
      if (goes_everywhere && lists(other.clients, rr.name)) reach(other.name, true);
      if (goes_everywhere && lists(rr.mesh, other.name)) reach(other.name, false);
      if (lists(rr.external, other.name)) reach(other.name, true);
    }
  }
  std::set<std::string> out;
  for (const auto& [name, goes_everywhere] : seen) out.insert(name);
  return out;
}

bool Expectation::is_passed_on(const RouterSpec& from, const RouterSpec& to) const {
  std::set<std::string> have = reflectors_with(from);
  return std::any_of(to.reflectors.begin(), to.reflectors.end(), [&](const std::string& name) { return have.contains(name); });
}

// RTs as they are on the importer's side of option B, where ASBRs rewrite them.
bool Expectation::can_talk(VrfRef importer, VrfRef exporter) const {
  if (importer == exporter || piece_[importer.router] != piece_[exporter.router]) return false;
  const RouterSpec &to = topology_.routers[importer.router], &from = topology_.routers[exporter.router];
  if (importer.router == exporter.router && !takes_own_back(to)) return imports(spec(importer), spec(exporter));
  if (importer.router == exporter.router) return imports(spec(importer), as_reflected(spec(exporter), from));
  if (to.as == from.as) return is_passed_on(from, to) && imports(spec(importer), as_reflected(spec(exporter), from));
  for (const InterAsSpec& s : topology_.inter_as) {
    const RouterSpec *a = topology_.find_router(s.a), *b = topology_.find_router(s.b);
    if (a->as == from.as && b->as == to.as) std::swap(a, b);
    if (a->as != to.as || b->as != from.as || !is_up_(a->name) || !is_up_(b->name)) continue;
    bool is_direct = s.option == InterAs::b && &from == b;  // an ASBR's own routes go over the border without a reflector
    VrfSpec seen = is_direct ? spec(exporter) : as_reflected(spec(exporter), from);
    auto hands_over = [&](const RouterSpec& x, const RouterSpec& y) { return &x == &y || is_passed_on(x, y); };
    if (s.option == InterAs::b ? !hands_over(from, *b) || !hands_over(*a, to) : !is_passed_on(from, to)) continue;
    if (s.option == InterAs::b) {
      for (std::uint64_t& rt : seen.export_targets)
        if (auto at = a->rewrite_targets.find(rt); at != a->rewrite_targets.end()) rt = at->second;
      if (&to != a) seen = as_reflected(seen, *a);  // to its reflectors the ASBR is a PE
    }
    if (imports(spec(importer), seen)) return true;
  }
  return false;
}

Expectation::Routes Expectation::visible(VrfRef v) const {
  Routes out = local_.at(v);
  for (VrfRef other : vrfs_) {
    if (!can_talk(v, other)) continue;
    for (const auto& [prefix, origins] : local_.at(other)) {
      // A PE prefers what it has from its own CEs. What comes over a link may be gone as soon as the other side prefers ours.
      if (auto own = local_.at(v).find(prefix); own != local_.at(v).end() && std::any_of(own->second.begin(), own->second.end(), [](const Origin& o) { return !o.is_link; })) continue;
      Origin through;
      through.is_link = true;
      through.beyond = other;
      out[prefix].insert(through);
    }
  }
  return out;
}

// What each VRF has from CEs, and over back-to-back links, whose eBGP carries everything the VRF beyond sees.
void Expectation::collect() {
  for (VrfRef v : vrfs_) local_[v];
  for (std::size_t c = 0; c < topology_.ces.size(); ++c) {
    const CeSpec& ce = topology_.ces[c];
    if (!is_up_(ce.name)) continue;
    for (const AttachmentSpec& at : ce.attachments)
      for (VrfRef v : vrfs_)
        if (topology_.routers[v.router].name == at.pe && spec(v).name == at.vrf)
          for (const Prefix& prefix : at.prefixes) {
            Origin origin;
            origin.ce = c;
            origin.is_static = !at.has_bgp;
            local_[v][prefix].insert(origin);
          }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (const VrfLinkSpec& link : topology_.vrf_links) {
      auto find = [&](const std::string& pe, const std::string& vrf) {
        return std::find_if(vrfs_.begin(), vrfs_.end(), [&](VrfRef v) { return topology_.routers[v.router].name == pe && spec(v).name == vrf; });
      };
      auto a = find(link.pe_a, link.vrf_a), b = find(link.pe_b, link.vrf_b);
      if (a == vrfs_.end() || b == vrfs_.end()) continue;
      for (auto [to, from] : {std::pair(*a, *b), std::pair(*b, *a)}) {
        for (const auto& [prefix, origins] : visible(from)) {
          Origin over;
          over.is_link = true;
          over.beyond = from;
          over.ases.insert(topology_.routers[from.router].as);
          bool has_static = false, comes_from_us = true;
          for (const Origin& o : origins) {
            std::set<Asn> ases = o.ases;
            if (o.is_link && o.ases.empty()) {  // seen by RT: what that VRF has it from
              for (const Origin& deeper : local_.at(o.beyond).at(prefix)) ases.insert(deeper.ases.begin(), deeper.ases.end());
            }
            if (!ases.contains(topology_.routers[to.router].as)) comes_from_us = false;
          }
          for (const Origin& o : local_[to][prefix]) has_static |= o.is_static;
          if (local_[to][prefix].empty()) local_[to].erase(prefix);
          if (comes_from_us || has_static) continue;
          changed |= local_[to][prefix].insert(over).second;
        }
      }
    }
  }
}

void Expectation::find_contested() {
  // From a CE by BGP and over a link: which AS path is shorter decides, and with it who else may have it.
  for (const auto& [v, routes] : local_)
    for (const auto& [prefix, origins] : routes) {
      auto count = std::count_if(origins.begin(), origins.end(), [](const Origin& o) { return o.is_link; });
      bool has_static = std::any_of(origins.begin(), origins.end(), [](const Origin& o) { return o.is_static; });
      if (count != 0 && !has_static && count != std::ssize(origins)) contested_.insert(prefix);
    }
  for (const VrfLinkSpec& link : topology_.vrf_links) {
    auto routes_of = [&](const std::string& pe, const std::string& vrf) {
      for (VrfRef v : vrfs_)
        if (topology_.routers[v.router].name == pe && spec(v).name == vrf) return visible(v);
      return Routes{};
    };
    Routes a = routes_of(link.pe_a, link.vrf_a), b = routes_of(link.pe_b, link.vrf_b);
    // Static routes are preferred and announced whatever the other end says; routes over a link have ASes.
    auto is_own = [](const std::set<Origin>& origins) {
      return std::none_of(origins.begin(), origins.end(), [](const Origin& o) { return o.is_static; }) && std::any_of(origins.begin(), origins.end(), [](const Origin& o) { return o.ases.empty(); });
    };
    for (const auto& [prefix, origins] : a)
      if (auto other = b.find(prefix); other != b.end() && is_own(origins) && is_own(other->second)) contested_.insert(prefix);
  }
}

Expected Expectation::trace(std::size_t ce, const IpAddress& destination) const {
  Expected out;
  Trail trail;
  from_ce(ce, destination, trail, out);
  return out;
}

void Expectation::from_ce(std::size_t c, const IpAddress& destination, Trail& trail, Expected& out) const {
  const CeSpec& ce = topology_.ces[c];
  if (!is_up_(ce.name)) {
    out.may_be_lost = true;
    return;
  }
  bool is_passed = !trail.open.empty();
  const Trail::Place here{0, {}, c, {}};
  if (!trail.enter(here, out)) return;
  int own = -1, learned = -1, possible = -1;  // longest prefixes that match
  for (const Prefix& prefix : ce.prefixes)
    if (contains(prefix, destination)) own = std::max<int>(own, prefix.length);
  for (const AttachmentSpec& at : ce.attachments)
    for (VrfRef v : vrfs_)
      if (at.has_bgp && topology_.routers[v.router].name == at.pe && spec(v).name == at.vrf) {
        for (const auto& [prefix, origins] : visible(v))
          if (contains(prefix, destination)) {
            int& length = contested_.contains(prefix) ? possible : learned;
            length = std::max<int>(length, prefix.length);
          }
      }
  // A router prefers what is longer, also over its own networks.
  if (own >= 0 && own >= learned) {
    out.arrives.insert(c);
    if (own >= possible) {
      trail.open.erase(here);
      return;
    }
  }
  if (is_passed) out.passes.insert(c);
  bool has_way = false;
  for (const AttachmentSpec& at : ce.attachments) {
    if (!at.is_uplink && !at.has_bgp) continue;
    for (VrfRef v : vrfs_)
      if (topology_.routers[v.router].name == at.pe && spec(v).name == at.vrf) {
        has_way = true;
        from_vrf(v, destination, trail, out);
      }
  }
  if (!has_way) out.may_be_lost = true;
  trail.open.erase(here);
}

void Expectation::from_vrf(VrfRef v, const IpAddress& destination, Trail& trail, Expected& out) const {
  const Trail::Place here{1, v, 0, {}};
  if (!trail.enter(here, out)) return;
  std::map<int, const Routes::value_type*, std::greater<>> matches;  // by length
  Routes routes = visible(v);
  for (const auto& route : routes)
    if (contains(route.first, destination)) matches[route.first.length] = &route;
  for (const auto& [length, route] : matches) {
    follow(v, route->first, route->second, false, destination, trail, out);
    if (!contested_.contains(route->first)) {
      trail.open.erase(here);
      return;
    }
  }
  out.may_be_lost = true;
  trail.open.erase(here);
}

void Expectation::follow(VrfRef v, const Prefix& prefix, const std::set<Origin>& origins, bool is_local, const IpAddress& destination, Trail& trail, Expected& out) const {
  const Trail::Place here{is_local ? 2 : 3, v, 0, prefix};
  if (!trail.enter(here, out)) return;
  for (const Origin& o : origins) {
    bool is_by_target = o.is_link && o.ases.empty();
    // A label per prefix or per CE, and leaking inside one PE, leave no second look-up at the exporting VRF.
    bool is_direct = is_by_target && (o.beyond.router == v.router || spec(o.beyond).labels != LabelMode::per_vrf);
    if (!o.is_link) from_ce(o.ce, destination, trail, out);
    else if (is_direct) follow(o.beyond, prefix, local_.at(o.beyond).at(prefix), true, destination, trail, out);
    else from_vrf(o.beyond, destination, trail, out);
  }
  trail.open.erase(here);
}

}  // namespace helio::lab

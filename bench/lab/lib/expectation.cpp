#include "bench/lab/lib/expectation.hpp"

#include <algorithm>

namespace helio::lab {

namespace {
constexpr unsigned kMostDepth = 20;
}

Expectation::Expectation(const Topology& topology, std::function<bool(std::string_view)> is_up) : topology_(topology), is_up_(std::move(is_up)) {
  for (std::size_t r = 0; r < topology_.routers.size(); ++r)
    for (std::size_t v = 0; v < topology_.routers[r].vrfs.size(); ++v)
      if (is_up_(topology_.routers[r].name)) vrfs_.push_back({r, v});
  join_core();
  collect();
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

// RTs as they are on the importer's side of option B, where ASBRs rewrite them.
bool Expectation::can_talk(VrfRef importer, VrfRef exporter) const {
  if (importer == exporter || piece_[importer.router] != piece_[exporter.router]) return false;
  const RouterSpec &to = topology_.routers[importer.router], &from = topology_.routers[exporter.router];
  if (importer.router == exporter.router && !takes_own_back(to)) return imports(spec(importer), spec(exporter));
  if (to.as == from.as) return imports(spec(importer), as_reflected(spec(exporter), from));
  for (const InterAsSpec& s : topology_.inter_as) {
    const RouterSpec *a = topology_.find_router(s.a), *b = topology_.find_router(s.b);
    if (a->as == from.as && b->as == to.as) std::swap(a, b);
    if (a->as != to.as || b->as != from.as || !is_up_(a->name) || !is_up_(b->name)) continue;
    VrfSpec seen = as_reflected(spec(exporter), from);
    if (s.option == InterAs::b) {
      for (std::uint64_t& rt : seen.export_targets)
        if (auto at = a->rewrite_targets.find(rt); at != a->rewrite_targets.end()) rt = at->second;
      seen = as_reflected(seen, *a);  // to its reflectors the ASBR is a PE
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
      if (local_.at(v).contains(prefix)) continue;  // a PE prefers what it has from its own CEs
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
          bool has_own_ce = false, comes_from_us = true;
          for (const Origin& o : origins) {
            std::set<Asn> ases = o.ases;
            if (o.is_link && o.ases.empty()) {  // seen by RT: what that VRF has it from
              for (const Origin& deeper : local_.at(o.beyond).at(prefix)) ases.insert(deeper.ases.begin(), deeper.ases.end());
            }
            if (!ases.contains(topology_.routers[to.router].as)) comes_from_us = false;
          }
          for (const Origin& o : local_[to][prefix]) has_own_ce |= !o.is_link;
          if (local_[to][prefix].empty()) local_[to].erase(prefix);
          if (comes_from_us || has_own_ce) continue;
          changed |= local_[to][prefix].insert(over).second;
        }
      }
    }
  }
}

Expected Expectation::trace(std::size_t ce, const IpAddress& destination) const {
  Expected out;
  from_ce(ce, destination, 0, out);
  return out;
}

void Expectation::from_ce(std::size_t c, const IpAddress& destination, unsigned depth, Expected& out) const {
  const CeSpec& ce = topology_.ces[c];
  if (!is_up_(ce.name) || depth > kMostDepth) {
    out.may_be_lost = true;
    return;
  }
  auto longest = [&](const auto& prefixes) {
    int length = -1;
    for (const Prefix& prefix : prefixes)
      if (contains(prefix, destination)) length = std::max<int>(length, prefix.length);
    return length;
  };
  int own = longest(ce.prefixes), learned = -1;
  for (const AttachmentSpec& at : ce.attachments)
    for (VrfRef v : vrfs_)
      if (at.has_bgp && topology_.routers[v.router].name == at.pe && spec(v).name == at.vrf) {
        std::vector<Prefix> prefixes;
        for (const auto& [prefix, origins] : visible(v)) prefixes.push_back(prefix);
        learned = std::max(learned, longest(prefixes));
      }
  if (own >= 0 && own >= learned) {  // a router prefers what is longer, also over its own networks
    out.arrives.insert(c);
    return;
  }
  if (depth > 0) out.passes.insert(c);
  bool has_way = false;
  for (const AttachmentSpec& at : ce.attachments) {
    if (!at.is_uplink && !at.has_bgp) continue;
    for (VrfRef v : vrfs_)
      if (topology_.routers[v.router].name == at.pe && spec(v).name == at.vrf) {
        has_way = true;
        from_vrf(v, destination, depth + 1, out);
      }
  }
  if (!has_way) out.may_be_lost = true;
}

void Expectation::from_vrf(VrfRef v, const IpAddress& destination, unsigned depth, Expected& out) const {
  Routes routes = visible(v);
  const Routes::value_type* best = nullptr;
  for (const auto& route : routes)
    if (contains(route.first, destination) && (best == nullptr || route.first.length > best->first.length)) best = &route;
  if (best == nullptr || depth > kMostDepth) {
    out.may_be_lost = true;
    return;
  }
  follow(v, best->first, best->second, destination, depth, out);
}

void Expectation::follow(VrfRef v, const Prefix& prefix, const std::set<Origin>& origins, const IpAddress& destination, unsigned depth, Expected& out) const {
  if (depth > kMostDepth) {
    out.may_be_lost = true;
    return;
  }
  for (const Origin& o : origins) {
    bool is_by_target = o.is_link && o.ases.empty();
    // A label per prefix or per CE, and leaking inside one PE, leave no second look-up at the exporting VRF.
    bool is_direct = is_by_target && (o.beyond.router == v.router || spec(o.beyond).labels != LabelMode::per_vrf);
    if (!o.is_link) from_ce(o.ce, destination, depth + 1, out);
    else if (is_direct) follow(o.beyond, prefix, local_.at(o.beyond).at(prefix), destination, depth + 1, out);
    else from_vrf(o.beyond, destination, depth + 1, out);
  }
}

}  // namespace helio::lab

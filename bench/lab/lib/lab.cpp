#include "bench/lab/lib/lab.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "rr/config/load.hpp"

namespace helio::lab {

Lab::Lab(const Topology& topology, std::uint32_t shards, const std::string& heliod, std::function<void()> while_waiting)
    : topology_(topology), shards_(shards), while_waiting_(std::move(while_waiting)) {
  if (topology_.routers.size() > Underlay::kMostRouters) throw std::runtime_error("more than 80 routers");
  build_routers();
  build_ces();
  build_reflectors();
  if (!heliod.empty()) {
    heliods_ = std::make_unique<Heliods>(topology_, heliod, while_waiting_);
    reflectors_.clear();
  }
  open_sessions();
}

Lab::~Lab() {
  for (Session& s : sessions_)
    if (s.fd >= 0) close(s.fd);
  sessions_.clear();
  for (auto& pe : pes_) pe.reset();
}

std::pair<InterfaceId, InterfaceId> Lab::link(std::size_t a, std::size_t b, forwarding::Interface of_a, forwarding::Interface of_b) {
  InterfaceId ia = nodes_[a]->add_port(of_a, {b, 0, true}), ib = nodes_[b]->add_port(of_b, {a, ia, true});
  nodes_[a]->ports[ia].port = ib;
  return {ia, ib};
}

// 100.64.n.n/31-like pairs for links to customers: they may occur in a VRF beside any customer prefix.
LinkAddresses Lab::next_addresses() {
  std::uint32_t base = 0x64400000 + next_link_++ * 4;
  LinkAddresses out{IpAddress::v4(base + 1), IpAddress::v4(base + 2), {}, {}};
  for (IpAddress* a : {&out.own6, &out.peer6}) {
    a->is_v6 = true;
    a->bytes = {0xfd, 0x64};
    store_be32(a->bytes.data() + 8, base);
    a->bytes[15] = a == &out.own6 ? 1 : 2;
  }
  return out;
}

void Lab::build_routers() {
  for (const RouterSpec& spec : topology_.routers) {
    nodes_.push_back(std::make_unique<Router>(spec.name, nodes_.size()));
    Router& r = *nodes_.back();
    r.tables.ttl_model = topology_.is_ttl_uniform ? forwarding::Model::uniform : forwarding::Model::pipe;
    r.tables.router_address = spec.loopback.v4_value();
    r.tables.router_address6 = {0xfd, 0xff};
    store_be32(r.tables.router_address6.data() + 12, spec.loopback.v4_value());
  }
  bool is_labelled = topology_.transport == Transport::ldp || topology_.transport == Transport::sr;
  std::vector<Edge> edges;
  auto index = [&](const std::string& n) { return static_cast<std::size_t>(topology_.find_router(n) - topology_.routers.data()); };
  for (const LinkSpec& spec : topology_.links) {
    std::size_t a = index(spec.a), b = index(spec.b);
    bool between_ases = topology_.routers[a].as != topology_.routers[b].as;
    std::uint32_t base = 0xac100000 + static_cast<std::uint32_t>(edges.size()) * 4;
    auto interface = [&](std::size_t end) {
      forwarding::Interface i;
      i.is_labelled = is_labelled;
      // Labelled packets over the border only where an inter-AS option needs them (RFC 4364 §10).
      if (between_ases)
        i.is_labelled = std::any_of(topology_.inter_as.begin(), topology_.inter_as.end(), [&](const InterAsSpec& s) { return (s.a == spec.a && s.b == spec.b) || (s.a == spec.b && s.b == spec.a); });
      i.mtu = spec.mtu;
      i.address = base + 1 + static_cast<std::uint32_t>(end);
      return i;
    };
    auto [pa, pb] = link(a, b, interface(0), interface(1));
    edges.push_back({a, b, pa, pb, spec.metric});
  }
  std::vector<Router*> routers;
  for (auto& n : nodes_) routers.push_back(n.get());
  underlay_ = std::make_unique<Underlay>(topology_, routers, edges);
  p_changed_.assign(routers.size(), true);
  for (std::size_t i = 0; i < routers.size(); ++i) pes_.push_back(topology_.routers[i].is_pe ? std::make_unique<Pe>(topology_, i, *routers[i], *underlay_) : nullptr);

  for (const VrfLinkSpec& spec : topology_.vrf_links) {
    std::size_t a = index(spec.pe_a), b = index(spec.pe_b);
    auto vrf_index = [&](std::size_t router, const std::string& n) { return static_cast<std::size_t>(topology_.routers[router].find_vrf(n) - topology_.routers[router].vrfs.data()); };
    std::size_t va = vrf_index(a, spec.vrf_a), vb = vrf_index(b, spec.vrf_b);
    LinkAddresses of_a = next_addresses(), of_b{of_a.peer, of_a.own, of_a.peer6, of_a.own6};
    auto [pa, pb] = link(a, b, {.vrf = pes_[a]->vrf_id(va), .address = of_a.own.v4_value(), .address6 = of_a.own6.bytes},
                         {.vrf = pes_[b]->vrf_id(vb), .address = of_b.own.v4_value(), .address6 = of_b.own6.bytes});
    Pe::VrfPort& x = pes_[a]->add_vrf_port(va, pa, of_a, {}, topology_.routers[b].as);
    Pe::VrfPort& y = pes_[b]->add_vrf_port(vb, pb, of_b, {}, topology_.routers[a].as);
    sessions_.push_back({spec.pe_a + "/" + spec.vrf_a, spec.pe_b + "/" + spec.vrf_b, x.session.get(), y.session.get()});
  }
}

void Lab::build_ces() {
  for (std::size_t c = 0; c < topology_.ces.size(); ++c) {
    const CeSpec& spec = topology_.ces[c];
    nodes_.push_back(std::make_unique<Router>(spec.name, nodes_.size()));
    ces_.push_back(std::make_unique<Ce>(spec, *nodes_.back()));
    std::size_t self = nodes_.size() - 1;
    for (std::size_t i = 0; i < spec.attachments.size(); ++i) {
      const AttachmentSpec& at = spec.attachments[i];
      auto router = static_cast<std::size_t>(topology_.find_router(at.pe) - topology_.routers.data());
      const RouterSpec& pe = topology_.routers[router];
      auto vrf = static_cast<std::size_t>(pe.find_vrf(at.vrf) - pe.vrfs.data());
      LinkAddresses of_pe = next_addresses(), of_ce{of_pe.peer, of_pe.own, of_pe.peer6, of_pe.own6};
      auto [pe_port, ce_port] = link(router, self, {.vrf = pes_[router]->vrf_id(vrf), .address = of_pe.own.v4_value(), .address6 = of_pe.own6.bytes},
                                     {.address = of_ce.own.v4_value(), .address6 = of_ce.own6.bytes});
      attachments_.push_back({c, i, router, pes_[router]->vrf_ports().size()});
      Pe::VrfPort& x = pes_[router]->add_vrf_port(vrf, pe_port, of_pe, at.has_bgp ? std::vector<Prefix>{} : at.prefixes, at.has_bgp ? spec.as : 0);
      Ce::Uplink& y = ces_.back()->add_uplink(ce_port, of_ce, at, pe.as);
      if (at.has_bgp) sessions_.push_back({at.pe + "/" + at.vrf, spec.name, x.session.get(), y.session.get()});
    }
  }
}

void Lab::build_reflectors() {
  for (const ReflectorSpec& spec : topology_.reflectors) {
    reflector_texts_.push_back(reflector_config(topology_, spec));
    auto config = config::parse_config(reflector_texts_.back(), spec.name + ".toml", ".");
    if (!config) throw std::runtime_error("configuration of " + config::format_problem(config.error().front()));
    reflector_configs_.push_back(*config);
    reflectors_.push_back(std::make_unique<ReflectorNode>(*config, shards_));
  }
}

void Lab::open_sessions() {
  for (std::size_t i = 0; i < topology_.routers.size(); ++i) {
    if (!pes_[i]) continue;
    const RouterSpec& spec = topology_.routers[i];
    for (const std::string& name : spec.reflectors) {
      auto rr = static_cast<std::size_t>(topology_.find_reflector(name) - topology_.reflectors.data());
      Pe::Upstream& up = pes_[i]->add_reflector(topology_.reflectors[rr]);
      if (heliods_) sessions_.push_back({.name_a = spec.name, .name_b = name, .a = up.end.get(), .is_remote = true, .reflector = rr});
      else sessions_.push_back({spec.name, name, up.end.get(), reflectors_[rr]->open(spec.loopback, topology_.reflectors[rr].address)});
    }
  }
  for (const InterAsSpec& s : topology_.inter_as) {
    if (s.option != InterAs::b) continue;
    std::size_t a = static_cast<std::size_t>(topology_.find_router(s.a) - topology_.routers.data()), b = static_cast<std::size_t>(topology_.find_router(s.b) - topology_.routers.data());
    const Edge* e = underlay_->edge(a, b);
    if (e == nullptr || !pes_[a] || !pes_[b]) throw std::runtime_error("inter-as option b between " + s.a + " and " + s.b + " needs two PEs and a [[link]]");
    InterfaceId pa = e->a == a ? e->port_a : e->port_b, pb = e->a == a ? e->port_b : e->port_a;
    Pe::Upstream& x = pes_[a]->add_asbr(topology_.routers[b], pa, IpAddress::v4(nodes_[a]->tables.interface(pa)->address));
    Pe::Upstream& y = pes_[b]->add_asbr(topology_.routers[a], pb, IpAddress::v4(nodes_[b]->tables.interface(pb)->address));
    sessions_.push_back({s.a, s.b, x.end.get(), y.end.get()});
  }
  for (std::size_t a = 0; a < reflectors_.size(); ++a)
    for (std::size_t b = a + 1; b < reflectors_.size(); ++b) {
      const ReflectorSpec &x = topology_.reflectors[a], &y = topology_.reflectors[b];
      if (!reflectors_[a]->is_configured(y.address) && !reflectors_[b]->is_configured(x.address)) continue;
      sessions_.push_back({x.name, y.name, reflectors_[a]->open(y.address, x.address), reflectors_[b]->open(x.address, y.address)});
    }
}

std::string Lab::Session::trouble() const {
  if (is_up()) return "";
  if (is_remote) return a->last_error().empty() ? "heliod does not take the connection" : name_a + " " + a->last_error();
  if (a == nullptr) return name_a + " has no neighbour " + name_b;
  if (b == nullptr) return name_b + " has no neighbour " + name_a;
  if (!a->last_error().empty()) return name_a + " " + a->last_error();
  if (!b->last_error().empty()) return name_b + " " + b->last_error();
  return "not established";
}

void Lab::everything_changed() {
  p_changed_.assign(p_changed_.size(), true);
  for (auto& pe : pes_)
    if (pe) pe->mark_changed();
  for (auto& ce : ces_) ce->mark_changed();
}

// A port is up when both ends are.
void Lab::refresh_links() {
  for (auto& node : nodes_) {
    node->is_up = is_up(node->name);
    for (InterfaceId i = 0; i < node->ports.size(); ++i) {
      bool up = is_up(node->name) && is_up(nodes_[node->ports[i].node]->name);
      if (node->ports[i].is_up != up) node->set_port_up(i, up);
    }
  }
  underlay_->compute();
  everything_changed();
}

void Lab::set_node(const std::string& name, bool up) {
  if (up == is_up(name)) return;
  if (up) down_.erase(name);
  else down_.insert(name);
  auto of_node = [&](const std::string& end) { return end == name || end.starts_with(name + "/"); };
  for (Session& s : sessions_) {
    if (!of_node(s.name_a) && !of_node(s.name_b)) continue;
    disconnect(s);
  }
  if (const ReflectorSpec* rr = topology_.find_reflector(name); rr != nullptr && heliods_) {
    auto i = static_cast<std::size_t>(rr - topology_.reflectors.data());
    if (up) heliods_->start(i);
    else heliods_->stop(i);
  }
  if (const ReflectorSpec* rr = topology_.find_reflector(name); rr != nullptr && up && !heliods_) {
    auto i = static_cast<std::size_t>(rr - topology_.reflectors.data());
    make_reflector(i);
  }
  refresh_links();
}

// A reflector that comes back knows nothing.
void Lab::make_reflector(std::size_t i) {
  const ReflectorSpec& spec = topology_.reflectors[i];
  auto fresh = std::make_unique<ReflectorNode>(reflector_configs_[i], shards_);
  for (Session& s : sessions_) {
    bool is_a = s.name_a == spec.name;
    if (!is_a && s.name_b != spec.name) continue;
    const std::string& other = is_a ? s.name_b : s.name_a;
    const ReflectorSpec* rr = topology_.find_reflector(other);
    const RouterSpec* router = topology_.find_router(other);
    (is_a ? s.a : s.b) = fresh->open(rr != nullptr ? rr->address : router->loopback, spec.address);
  }
  reflectors_[i] = std::move(fresh);
}

void Lab::set_announced(const std::string& ce, const Prefix& prefix, bool announced) {
  for (const AttachmentPort& at : attachments_) {
    if (topology_.ces[at.ce].name != ce) continue;
    AttachmentSpec& spec = topology_.ces[at.ce].attachments[at.attachment];
    std::erase(spec.prefixes, prefix);
    if (announced) spec.prefixes.push_back(prefix);
    if (spec.has_bgp) ces_[at.ce]->set_prefixes(at.attachment, spec.prefixes);
    else pes_[at.router]->set_statics(at.pe_port, spec.prefixes);
  }
}

void Lab::set_targets(const std::string& pe, const std::string& vrf, const std::vector<std::uint64_t>& import_targets, const std::vector<std::uint64_t>& export_targets) {
  for (std::size_t i = 0; i < topology_.routers.size(); ++i) {
    if (topology_.routers[i].name != pe) continue;
    for (VrfSpec& v : topology_.routers[i].vrfs) {
      if (v.name != vrf) continue;
      v.import_targets = import_targets;
      v.export_targets = export_targets;
    }
    pes_[i]->mark_changed();
  }
}

void Lab::apply(const PhaseSpec& phase) {
  for (const std::string& n : phase.down) set_node(n, false);
  for (const std::string& n : phase.up) set_node(n, true);
  for (const auto& [ce, prefix] : phase.withdraw) set_announced(ce, prefix, false);
  for (const auto& [ce, prefix] : phase.announce) set_announced(ce, prefix, true);
}

}  // namespace helio::lab

#include "bench/lab/lib/lab.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <thread>

#include "rib/forwarding/icmp.hpp"
#include "rr/config/load.hpp"

namespace helio::lab {

using forwarding::Protocol;
using forwarding::Verdict;

Lab::Lab(const Topology& topology, std::uint32_t shards, const std::string& heliod) : topology_(topology), shards_(shards) {
  if (topology_.routers.size() > Underlay::kMostRouters) throw std::runtime_error("more than 80 routers");
  build_routers();
  build_ces();
  build_reflectors();
  if (!heliod.empty()) {
    heliods_ = std::make_unique<Heliods>(topology_, heliod);
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

void Lab::set_targets(const std::string& pe, const std::string& vrf, std::vector<std::uint64_t> import_targets, std::vector<std::uint64_t> export_targets) {
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

void Lab::disconnect(Session& s) {
  if (s.a != nullptr) s.a->disconnect();
  if (s.b != nullptr) s.b->disconnect();
  if (s.fd >= 0) close(s.fd);
  s.fd = -1;
}

// Octets to and from a heliod process.
bool Lab::carry_remote(Session& s) {
  if (s.fd < 0) return false;
  bool moved = false;
  std::uint8_t buffer[65536];
  for (ssize_t n; s.fd >= 0 && (n = recv(s.fd, buffer, sizeof buffer, 0)) != -1;) {
    moved = true;
    if (n == 0) disconnect(s);
    else s.a->receive(Bytes(buffer, static_cast<std::size_t>(n)));
  }
  std::vector<std::uint8_t> out = s.a->take_output();
  for (std::size_t at = 0; at < out.size() && s.fd >= 0;) {
    ssize_t n = ::send(s.fd, out.data() + at, out.size() - at, MSG_NOSIGNAL);
    if (n > 0) at += static_cast<std::size_t>(n);
    else if (errno == EAGAIN) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    else disconnect(s);
    moved = true;
  }
  return moved;
}

void Lab::send_keepalives() {
  std::vector<std::uint8_t> message;
  wire::encode_keepalive(message);
  for (Session& s : sessions_) {
    if (!s.is_remote || !s.is_up()) continue;
    s.a->send(message);
    carry_remote(s);
  }
}

// Between processes there is no telling when nothing is under way: all sessions are up (or have had their time), and then
// nobody has said anything for a while.
bool Lab::await_heliods() {
  using Clock = std::chrono::steady_clock;
  auto is_settled = [&] {
    for (std::size_t i = 0; i < topology_.reflectors.size(); ++i) {
      const ReflectorSpec& rr = topology_.reflectors[i];
      if (!is_up(rr.name)) continue;
      std::size_t wanted = 0;
      for (const Session& s : sessions_) wanted += s.is_remote && s.reflector == i && is_up(s.name_a);
      for (const ReflectorSpec& other : topology_.reflectors) {
        auto lists = [](const std::vector<std::string>& names, const std::string& n) { return std::find(names.begin(), names.end(), n) != names.end(); };
        if (is_up(other.name) && (lists(rr.clients, other.name) || lists(rr.mesh, other.name) || lists(rr.external, other.name) || lists(other.clients, rr.name))) ++wanted;
      }
      if (heliods_->established(i).value_or(0) < wanted) return false;
    }
    return true;
  };
  Clock::time_point give_up = Clock::now() + std::chrono::seconds(12), quiet_since = Clock::now(), asked{};
  bool settled = false;
  while (Clock::now() < give_up + std::chrono::seconds(30)) {
    if (round()) {
      quiet_since = Clock::now();
      continue;
    }
    if (!settled && Clock::now() - asked > std::chrono::milliseconds(200)) {
      // A connection that was refused, or closed because a reflector was not ready for it, is tried again.
      for (Session& s : sessions_) {
        if (!s.is_remote || s.fd >= 0 || !is_up(s.name_a) || !is_up(s.name_b)) continue;
        s.fd = heliods_->connect(s.reflector, topology_.find_router(s.name_a)->loopback);
        if (s.fd >= 0) s.a->connect();
      }
      settled = is_settled() || Clock::now() > give_up;
      asked = Clock::now();
      quiet_since = Clock::now();
    }
    if (settled && Clock::now() - quiet_since > std::chrono::milliseconds(700)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

bool Lab::round() {
  bool moved = false;
  for (Session& s : sessions_) {
    if (s.is_remote) {
      moved |= carry_remote(s);
      continue;
    }
    if (s.a == nullptr || s.b == nullptr) continue;
    auto to_b = s.a->take_output(), to_a = s.b->take_output();
    if (!to_b.empty()) s.b->receive(to_b);
    if (!to_a.empty()) s.a->receive(to_a);
    moved |= !to_a.empty() || !to_b.empty();
  }
  for (std::size_t i = 0; i < reflectors_.size(); ++i)
    if (is_up(topology_.reflectors[i].name)) moved |= reflectors_[i]->turn(now_);
  for (std::size_t i = 0; i < pes_.size(); ++i) {
    bool changed = p_changed_[i];
    p_changed_[i] = false;
    if (pes_[i] && nodes_[i]->is_up) changed |= pes_[i]->turn();
    if (!changed) continue;
    moved = true;
    Wishes wishes;
    if (nodes_[i]->is_up) {
      if (pes_[i]) wishes = pes_[i]->wishes();
      underlay_->wish(i, wishes);
    }
    nodes_[i]->apply(wishes);
  }
  for (std::size_t i = 0; i < ces_.size(); ++i) {
    if (!ces_[i]->turn()) continue;
    moved = true;
    nodes_[node_of_ce(i)]->apply(ces_[i]->wishes());
  }
  return moved;
}

bool Lab::converge(std::size_t most_rounds) {
  // One try for every session that is not up; a refusal stays one until something changes.
  for (Session& s : sessions_) {
    auto node_of = [](const std::string& end) { return end.substr(0, end.find('/')); };
    if (s.is_remote || s.a == nullptr || s.b == nullptr || s.is_up() || !is_up(node_of(s.name_a)) || !is_up(node_of(s.name_b))) continue;
    s.a->disconnect();
    s.b->disconnect();
    s.a->connect();
    s.b->connect();
  }
  if (heliods_) return await_heliods();
  int jumps = 0;
  for (std::size_t i = 0; i < most_rounds; ++i) {
    if (round()) continue;
    // Quiet, unless a reflector waits for its clock: for memberships that do not come (RFC 4684 §6).
    std::optional<session::TimePoint> next;
    for (std::size_t r = 0; r < reflectors_.size(); ++r)
      if (auto at = reflectors_[r]->wake_at(); at && *at > now_ && is_up(topology_.reflectors[r].name) && (!next || *at < *next)) next = at;
    if (!next || ++jumps > 40 || *next - now_ > std::chrono::minutes(5)) return true;
    now_ = *next;
  }
  return false;
}

// ---- packets ----

Walk Lab::send(std::size_t ce, const IpAddress& source, const IpAddress& destination, std::uint8_t ttl, std::size_t size) {
  forwarding::Packet packet(forwarding::icmp::make_echo_request(source, destination, 1, 1, size, ttl), destination.is_v6 ? Protocol::ipv6 : Protocol::ipv4);
  return walk(node_of_ce(ce), packet, std::nullopt);
}

namespace {
Hop make_hop(std::size_t node, const forwarding::Packet& packet) {
  Hop hop;
  hop.node = node;
  hop.octets.assign(packet.data(), packet.data() + packet.size());
  hop.protocol = packet.protocol;
  Bytes rest = packet.view();
  auto read_labels = [&] {
    while (rest.size() >= 4) {
      hop.labels.push_back(forwarding::LabelEntry::load(rest.data()));
      rest = rest.subspan(4);
      if (hop.labels.back().is_bottom()) return;
    }
  };
  if (packet.protocol == Protocol::mpls) read_labels();
  else if (packet.protocol == Protocol::ipv4 && packet.size() > 24 && (rest[9] == forwarding::ip_protocol::gre || rest[9] == forwarding::ip_protocol::mpls_in_ip)) {
    rest = rest.subspan(rest[9] == forwarding::ip_protocol::gre ? 24 : 20);
    read_labels();
  }
  if (rest.size() >= 20) hop.ttl = rest[0] >> 4 == 6 ? rest[7] : rest[8];
  return hop;
}
}  // namespace

Walk Lab::walk(std::size_t at, forwarding::Packet& packet, std::optional<InterfaceId> in, bool follow_icmp) {
  Walk out;
  for (int hops = 0; hops < 600; ++hops) {
    Router& router = *nodes_[at];
    Verdict verdict = in ? router.forwarder.process(packet, *in) : router.forwarder.originate(packet, forwarding::kGlobal);
    out.last = at;
    out.hops.push_back(make_hop(at, packet));
    out.reason = verdict.reason;
    if (verdict.kind == Verdict::Kind::deliver) {
      out.end = Walk::End::delivered;
      return out;
    }
    if (verdict.kind == Verdict::Kind::drop) {
      out.end = Walk::End::dropped;
      return out;
    }
    if (verdict.reason != forwarding::Drop::none && !follow_icmp) {
      out.end = Walk::End::answered;
      return out;
    }
    const Port& port = router.ports[verdict.out];
    if (!port.is_up) {
      out.end = Walk::End::dropped;
      out.reason = forwarding::Drop::interface_down;
      return out;
    }
    at = port.node;
    in = port.port;
  }
  return out;
}

}  // namespace helio::lab

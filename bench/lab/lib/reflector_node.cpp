#include "bench/lab/lib/reflector_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "rr/policy/compile.hpp"

namespace helio::lab {

class ReflectorNode::Control : public session::SessionControl {
 public:
  explicit Control(ReflectorNode& node) : node_(node) {}
  void output_ready(PeerId) override { node_.has_event_ = true; }
  void close(PeerId peer, wire::Notification notification, session::CloseReason) override { node_.closes_.emplace_back(peer, std::move(notification)); }
  void wake() override { node_.has_event_ = true; }
  void send_message(PeerId peer, std::vector<std::uint8_t> message) override {
    node_.peers_[peer.value]->control_messages.push_back(std::move(message));
    node_.has_event_ = true;
  }

 private:
  ReflectorNode& node_;
};

ReflectorNode::ReflectorNode(const config::Config& config, std::uint32_t shards) : settings_(config::make_session_settings(config, "")), mailboxes_(shards) {
  reflector::EngineSettings engine;
  engine.local_as = config.global.as;
  engine.router_id = config.global.router_id;
  engine.cluster_id = config.global.cluster_id;
  for (const config::PeerGroup& group : config.peer_groups) engine.cluster_ids.push_back(group.cluster_id);
  engine.decision.always_compare_med = config.best_path.always_compare_med;
  engine.decision.prefer_oldest = config.best_path.prefer_oldest_external;
  engine.decision_options = {config.best_path.aigp, config.best_path.cost_community, config.best_path.missing_as_worst};
  engine.shards = shards;
  if (!config.policy.statements.empty()) {
    std::vector<policy::DefinitionError> errors;
    engine.policies = policy::compile(config.policy, errors);
    if (!errors.empty()) throw std::runtime_error(errors.front().key + ": " + errors.front().message);
  }
  for (std::uint32_t i = 0; i < shards; ++i) controls_.push_back(std::make_unique<Control>(*this));
  mailboxes_.wake = [this](std::uint32_t) { has_event_ = true; };
  for (std::uint32_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<reflector::Shard>(ShardId{i}, engine, mailboxes_, *controls_[i]));
}

ReflectorNode::~ReflectorNode() = default;

std::shared_ptr<const session::GroupSettings> ReflectorNode::group_of(const IpAddress& neighbor) const {
  for (const session::NeighborSettings& n : settings_.neighbors)
    if (n.address == neighbor) return n.group;
  for (const session::ListenRange& r : settings_.listen_ranges) {
    Prefix prefix;
    prefix.address = r.prefix.bytes;
    prefix.length = r.length;
    prefix.is_v6 = r.prefix.is_v6;
    if (contains(prefix, neighbor)) return r.group;
  }
  return nullptr;
}

SessionEnd* ReflectorNode::open(const IpAddress& neighbor, const IpAddress& local) {
  auto group = group_of(neighbor);
  if (group == nullptr) return nullptr;
  for (auto& p : peers_)
    if (p->address == neighbor) return p->end.get();
  auto peer = std::make_unique<Peer>();
  peer->id = PeerId{static_cast<std::uint32_t>(peers_.size())};
  peer->address = neighbor;
  peer->local = local;
  peer->end = std::make_unique<SessionEnd>(group, *this);
  peers_.push_back(std::move(peer));
  return peers_.back()->end.get();
}

ReflectorNode::Peer& ReflectorNode::peer_of(const SessionEnd& end) {
  for (auto& p : peers_)
    if (p->end.get() == &end) return *p;
  throw std::logic_error("not an end of this reflector");
}

void ReflectorNode::on_established(SessionEnd& end, const session::Negotiated& negotiated) {
  Peer& peer = peer_of(end);
  const wire::Negotiated& agreed = negotiated.agreed;
  session::EstablishedPeer e;
  e.peer = peer.id;
  e.address = peer.address;
  e.local_address = peer.local;
  e.router_id = negotiated.router_id;
  e.peer_as = negotiated.peer_as;
  e.families = agreed.families;
  e.add_path_receive = agreed.add_path_receive;
  e.add_path_send = agreed.add_path_send;
  e.ipv6_next_hop = agreed.ipv6_next_hop;
  e.four_octet_as = agreed.four_octet_as;
  e.route_refresh = agreed.route_refresh;
  e.enhanced_refresh = agreed.enhanced_route_refresh;
  e.extended_messages = agreed.max_send > wire::kMaxMessage;
  e.group = std::make_shared<session::GroupSettings>(end.group());
  shard_of(peer.id).on_established(e, now_);
  has_event_ = true;
}

std::optional<wire::Notification> ReflectorNode::on_update(SessionEnd& end, Bytes body) {
  has_event_ = true;
  PeerId id = peer_of(end).id;
  return shard_of(id).on_update(id, body);
}

std::optional<wire::Notification> ReflectorNode::on_route_refresh(SessionEnd& end, const session::RefreshRequest& request) {
  has_event_ = true;
  PeerId id = peer_of(end).id;
  return shard_of(id).on_route_refresh(id, request);
}

void ReflectorNode::on_closed(SessionEnd& end) {
  has_event_ = true;
  Peer& peer = peer_of(end);
  peer.control_messages.clear();
  shard_of(peer.id).on_closed(peer.id, session::CloseReason::tcp_closed);
}

bool ReflectorNode::drain(Peer& peer) {
  if (!peer.end->is_established()) return false;
  reflector::Shard& shard = shard_of(peer.id);
  bool moved = false;
  while (shard.has_output(peer.id)) {
    std::array<iovec, 64> parts{};
    std::size_t used = shard.gather(peer.id, parts, 1 << 20), bytes = 0;
    for (std::size_t i = 0; i < used; ++i) {
      peer.end->send(Bytes(static_cast<const std::uint8_t*>(parts[i].iov_base), parts[i].iov_len));
      bytes += parts[i].iov_len;
    }
    if (bytes == 0) break;
    shard.consumed(peer.id, bytes);
    moved = true;
  }
  if (shard.at_message_boundary(peer.id)) {
    for (const auto& message : std::exchange(peer.control_messages, {})) {
      peer.end->send(message);
      moved = true;
    }
  }
  return moved;
}

void ReflectorNode::apply_closes() {
  for (auto& [id, notification] : std::exchange(closes_, {})) peers_[id.value]->end->close(notification);
}

bool ReflectorNode::turn(session::TimePoint now) {
  now_ = now;
  bool moved = std::exchange(has_event_, false);
  wake_at_.reset();
  for (auto& shard : shards_) {
    session::TurnResult result = shard->run_turn(now);
    moved |= result.more_work;
    if (result.wake_at && (!wake_at_ || *result.wake_at < *wake_at_)) wake_at_ = result.wake_at;
  }
  apply_closes();
  for (auto& peer : peers_) moved |= drain(*peer);
  return moved;
}

// Sessions of the laboratory: PEs come in by their loopbacks, other reflectors are neighbours.
std::string reflector_config(const Topology& topology, const ReflectorSpec& spec, IpAddress (*at)(const IpAddress&)) {
  auto ip = [](const IpAddress& a) { return wire::format_ip(a); };
  auto place = [&](const IpAddress& a) { return wire::format_ip(at != nullptr ? at(a) : a); };
  std::string local = at != nullptr ? fmt::format("local-address = \"{}\"\n", place(spec.address)) : "";
  std::string out = fmt::format("[global]\nas = {}\nrouter-id = \"{}\"\ncluster-id = \"{}\"\nlisten = [{{ address = \"{}\", port = 1790 }}]\n", spec.as, ip(spec.address),
                                ip(spec.cluster_id.value_or(spec.address)), place(spec.address));
  for (wire::Family family : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc}) {
    if (!spec.families.contains(family)) continue;
    out += fmt::format("\n[[families]]\nname = \"{}\"\n", wire::family_name(family));
    if (spec.paths > 1 && family != wire::Family::rtc)
      out += fmt::format("add-paths = {{ receive = true, send-max = {} }}\n", spec.paths == 255 ? std::string("\"all\"") : std::to_string(spec.paths));
  }
  out += "\n[[peer-groups]]\nname = \"pe\"\nrole = \"client\"\n" + local;
  if (at != nullptr) out += "passive = true\n";
  std::string policy, statements;
  for (const std::string& s : spec.import_policy) statements += (statements.empty() ? "\"" : ", \"") + s + "\"";
  for (const auto& [rt, added] : spec.add_targets) {
    std::string has = wire::format_rt(wire::RouteTarget{rt}), name = "add-to-" + has, list;
    for (std::uint64_t a : added) list += (list.empty() ? "\"" : ", \"") + wire::format_rt(wire::RouteTarget{a}) + "\"";
    statements += (statements.empty() ? "\"" : ", \"") + name + "\"";
    // The other reflectors have the PE's own announcement too: theirs must not win.
    policy += fmt::format("\n[[policy.sets]]\nname = \"{0}\"\nroute-targets = [\"{1}\"]\n[[policy.statements]]\nname = \"{0}\"\nmatch = {{ any-route-target-in = \"{0}\" }}\n"
                          "set = {{ route-targets-add = [{2}], communities-add = [\"accept-own\"], local-preference = 200 }}\naction = \"continue\"\n", name, has, list);
  }
  if (!statements.empty()) out += "import-policy = [" + statements + "]\n";
  std::string neighbors;
  auto neighbor = [&](const IpAddress& address, const std::string& name, const std::string& group) {
    neighbors += fmt::format("\n[[neighbors]]\naddress = \"{}\"\nremote-port = 1790\npeer-group = \"{}\"\ndescription = \"{}\"\n", place(address), group, name);
  };
  for (const RouterSpec& r : topology.routers)
    if (r.as == spec.as && std::find(r.reflectors.begin(), r.reflectors.end(), spec.name) != r.reflectors.end()) neighbor(r.loopback, r.name, "pe");
  for (const std::string& n : spec.clients) neighbor(topology.find_reflector(n)->address, n, "pe");
  bool has_mesh = !spec.mesh.empty();
  for (const std::string& n : spec.mesh) neighbor(topology.find_reflector(n)->address, n, "rr-mesh");
  for (const ReflectorSpec& above : topology.reflectors)
    if (std::find(above.clients.begin(), above.clients.end(), spec.name) != above.clients.end()) {
      neighbor(above.address, above.name, "rr-mesh");
      has_mesh = true;
    }
  if (has_mesh) out += "\n[[peer-groups]]\nname = \"rr-mesh\"\nrole = \"non-client\"\n" + local;
  for (const std::string& n : spec.external) {
    const ReflectorSpec& other = *topology.find_reflector(n);
    out += fmt::format("\n[[peer-groups]]\nname = \"as{}-{}\"\npeer-as = {}\nmultihop = 64\nnext-hop = \"unchanged\"\n{}", other.as, n, other.as, local);
    neighbor(other.address, n, fmt::format("as{}-{}", other.as, n));
  }
  out += neighbors + "\n[control]\nsocket = \"" + spec.name + ".sock\"\n\n[telemetry]\nport = 0\n";
  out += policy;
  if (!spec.config.empty()) out += "\n" + spec.config + "\n";
  return out;
}

}  // namespace helio::lab

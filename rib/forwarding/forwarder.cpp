#include "rib/forwarding/forwarder.hpp"

#include "rib/forwarding/fragment.hpp"
#include "rib/forwarding/icmp.hpp"

namespace helio::forwarding {
namespace {

constexpr std::uint8_t kMostTurns = 4;
constexpr std::size_t kGreHeader = 4;
constexpr std::uint16_t kGreMpls = 0x8847;  // RFC 4023 §3.2: the Ethertype of MPLS unicast

bool is_header_right(Packet& packet) {
  const std::uint8_t* p = packet.data();
  std::size_t header = ipv4::header_size(p), total = ipv4::total_length(p);
  if (p[0] >> 4 != 4 || header < ipv4::kHeader || total < header || total > packet.size()) return false;
  packet.trim(total);
  return true;
}
bool is_header6_right(Packet& packet) {
  if (packet.size() < ipv6::kHeader) return false;
  std::size_t total = ipv6::kHeader + load_be16(packet.data() + 4);
  if (packet.data()[0] >> 4 != 6 || total > packet.size()) return false;
  packet.trim(total);
  return true;
}
// What route_ip() needs to know of each version.
struct Ip4 {
  static Drop fault(Packet& packet) {
    if (packet.size() < ipv4::kHeader || !is_header_right(packet)) return Drop::malformed;
    return ipv4::is_checksum_right(packet.data()) ? Drop::none : Drop::checksum;
  }
  static NextHopId look_up(const Vrf& vrf, const std::uint8_t* p) { return vrf.v4.lookup(ipv4::destination(p)); }
  static std::uint8_t ttl(const std::uint8_t* p) { return ipv4::ttl(p); }
};
struct Ip6 {
  static Drop fault(Packet& packet) { return is_header6_right(packet) ? Drop::none : Drop::malformed; }
  static NextHopId look_up(const Vrf& vrf, const std::uint8_t* p) { return vrf.v6.lookup(ipv6::destination(p)); }
  static std::uint8_t ttl(const std::uint8_t* p) { return ipv6::hop_limit(p); }
};
// What is left of the MTU; 0 when there is not even room for what goes above.
std::uint32_t less(std::uint32_t mtu, std::size_t octets) { return mtu > octets ? mtu - static_cast<std::uint32_t>(octets) : 0; }
std::size_t overhead_of(const Way& way) { return way.label_count * 4u + (way.entropy_after != 0 ? 8u : 0u); }
std::uint8_t traffic_class_of(const Packet& packet) {
  const std::uint8_t* p = packet.data();
  return static_cast<std::uint8_t>((p[0] >> 4 == 6 ? ipv6::dscp(p) : ipv4::dscp(p)) >> 3);
}

}  // namespace

std::string_view drop_name(Drop reason) {
  static constexpr std::string_view kNames[kDropReasons] = {"none",     "malformed",        "checksum",       "no-route",  "discarded",      "ttl-expired", "too-big",
                                                            "no-label", "unexpected-label", "reserved-label", "bad-stack", "interface-down", "not-for-us",  "loop"};
  return kNames[static_cast<std::size_t>(reason)];
}

Verdict Forwarder::process(Packet& packet, InterfaceId in) {
  if (!fragments_.empty()) [[unlikely]] fragments_.clear();
  Context context;
  context.in = tables_.interface(in);
  if (context.in == nullptr || !context.in->is_up) return drop(Drop::interface_down);
  if (packet.protocol != Protocol::mpls) return route(packet, context.in->vrf, context);
  // A customer's labels would choose a VRF freely (RFC 4364 §13.1: labelled packets are taken from trusted interfaces only).
  if (!context.in->is_labelled) return drop(Drop::unexpected_label);
  return switch_labels(packet, context);
}

Verdict Forwarder::originate(Packet& packet, VrfId vrf) {
  fragments_.clear();
  Context context;
  context.is_own = true;
  context.may_answer = false;
  return route(packet, vrf, context);
}

Verdict Forwarder::route(Packet& packet, VrfId vrf, Context& context) {
  return packet.protocol == Protocol::ipv4 ? route_ip<Ip4>(packet, vrf, context) : route_ip<Ip6>(packet, vrf, context);
}

template <class Ip>
Verdict Forwarder::route_ip(Packet& packet, VrfId vrf, Context& context) {
  if (Drop fault = Ip::fault(packet); fault != Drop::none) return drop(fault);
  std::uint8_t* p = packet.data();
  const Vrf* table = tables_.vrf(vrf);
  const NextHop* next_hop = table == nullptr ? nullptr : tables_.next_hop(Ip::look_up(*table, p));
  if (next_hop == nullptr) return refuse(packet, p, Drop::no_route, context, 0, vrf);
  switch (next_hop->kind) {
    case NextHop::Kind::deliver: return local(packet, vrf, context);
    case NextHop::Kind::discard: return drop(Drop::discarded);
    case NextHop::Kind::look_up:
      if (++context.turns > kMostTurns) return drop(Drop::loop);
      return route_ip<Ip>(packet, next_hop->vrf, context);
    case NextHop::Kind::forward: break;
  }
  std::uint8_t ttl = std::min(Ip::ttl(p), context.most_ttl);
  if (!context.is_own && ttl-- <= 1) return refuse(packet, p, Drop::ttl_expired, context, 0, vrf);
  return send_ip(packet, choose(*next_hop, packet), ttl, context);
}

Verdict Forwarder::local(Packet& packet, VrfId vrf, Context& context) {
  const std::uint8_t* p = packet.data();
  // RFC 4023 §4: tunnels end at addresses of the core only; a VRF has none.
  if (vrf == kGlobal && packet.protocol == Protocol::ipv4 && (p[9] == ip_protocol::gre || p[9] == ip_protocol::mpls_in_ip)) return leave_tunnel(packet, context);
  ++counters_.delivered;
  return {Verdict::Kind::deliver, Drop::none, 0, vrf, 0};
}

Verdict Forwarder::leave_tunnel(Packet& packet, Context& context) {
  if (++context.turns > kMostTurns) return drop(Drop::loop);
  const std::uint8_t* p = packet.data();
  if (ipv4::is_later_fragment(p) || (p[6] & 0x20) != 0) return drop(Drop::not_for_us);
  bool is_gre = p[9] == ip_protocol::gre;
  packet.pull(ipv4::header_size(p));
  if (is_gre) {
    // RFC 2784 §2.1 without checksum, RFC 2890 without key and sequence number: what into_tunnel sends.
    if (packet.size() < kGreHeader || load_be16(packet.data()) != 0 || load_be16(packet.data() + 2) != kGreMpls) return drop(Drop::not_for_us);
    packet.pull(kGreHeader);
  }
  packet.protocol = Protocol::mpls;
  return switch_labels(packet, context);
}

Verdict Forwarder::switch_labels(Packet& packet, Context& context) {
  const std::uint8_t* bottom = packet.data();
  for (std::size_t left = packet.size();; bottom += 4, left -= 4) {
    if (left < 4) return drop(Drop::malformed);
    if (LabelEntry::load(bottom).is_bottom()) break;
  }
  context.labels = Bytes(packet.data(), bottom + 4);
  for (;;) {
    LabelEntry top = LabelEntry::load(packet.data());
    std::uint32_t label = top.label();
    if (label == label::entropy_indicator) {
      // RFC 6790 §4.2: the egress pops the indicator and the entropy label; neither decides anything here.
      if (top.is_bottom() || LabelEntry::load(packet.data() + 4).is_bottom()) return drop(Drop::bad_stack);
      packet.pull(8);
      if (tables_.ttl_model == Model::uniform) {
        LabelEntry next = LabelEntry::load(packet.data());
        next.set_ttl(std::min(next.ttl(), top.ttl()));
        next.store(packet.data());
      }
      continue;
    }
    if (top.ttl() <= 1) return refuse(packet, bottom + 4, Drop::ttl_expired, context);
    LabelAction action;
    if (label >= label::first_unreserved) {
      action = tables_.label(label);
      if (action.kind == LabelAction::Kind::none) return drop(Drop::no_label);
    } else if (label == label::explicit_null_v4 || label == label::explicit_null_v6) {
      action.kind = LabelAction::Kind::pop_again;  // RFC 4182 §2: anywhere in the stack
    } else {
      return drop(Drop::reserved_label);
    }
    if (action.kind == LabelAction::Kind::forward) {
      const NextHop* next_hop = tables_.next_hop(action.value);
      if (next_hop == nullptr) return drop(Drop::no_label);
      return by_label(packet, top, *next_hop, context);
    }
    if (tables_.ttl_model == Model::uniform) context.most_ttl = std::min(context.most_ttl, top.ttl());
    if (tables_.dscp_model == Model::uniform) context.traffic_class = top.traffic_class();
    packet.pull(4);
    if (top.is_bottom()) return below_labels(packet, action.kind == LabelAction::Kind::look_up ? action.value : kGlobal, context);
    if (action.kind == LabelAction::Kind::look_up) return drop(Drop::bad_stack);
    LabelEntry next = LabelEntry::load(packet.data());
    if (tables_.ttl_model == Model::uniform) next.set_ttl(std::min(next.ttl(), top.ttl()));
    if (context.traffic_class != 0xff) next.set_traffic_class(context.traffic_class);
    next.store(packet.data());
  }
}

// The last label is gone: what is there must be IP.
Verdict Forwarder::below_labels(Packet& packet, VrfId vrf, Context& context) {
  if (packet.size() < ipv4::kHeader) return drop(Drop::malformed);
  unsigned version = packet.data()[0] >> 4;
  if (version != 4 && version != 6) return drop(Drop::malformed);
  packet.protocol = version == 4 ? Protocol::ipv4 : Protocol::ipv6;
  if (context.traffic_class != 0xff) {
    if (version == 6 ? !is_header6_right(packet) : !is_header_right(packet)) return drop(Drop::malformed);
    // RFC 3270 §2.6.2: the class the core has given is kept; equal classes leave the finer DSCP as it is.
    if (traffic_class_of(packet) != context.traffic_class) {
      std::uint8_t dscp = static_cast<std::uint8_t>(context.traffic_class << 3);
      if (version == 4) ipv4::set_dscp(packet.data(), dscp);
      else ipv6::set_dscp(packet.data(), dscp);
    }
  }
  return route(packet, vrf, context);
}

// The top label stands for a next hop: swapped, popped, or popped with nothing below but IP.
Verdict Forwarder::by_label(Packet& packet, LabelEntry top, const NextHop& next_hop, Context& context) {
  if (next_hop.kind == NextHop::Kind::discard) return drop(Drop::discarded);
  if (next_hop.kind != NextHop::Kind::forward || next_hop.way_count == 0) return drop(Drop::no_label);
  const Way& way = choose(next_hop, packet);
  auto ttl = static_cast<std::uint8_t>(top.ttl() - 1);
  if (way.label_count == 0 && top.is_bottom()) {
    if (tables_.ttl_model == Model::uniform) context.most_ttl = std::min(context.most_ttl, top.ttl());
    packet.pull(4);
    return exit_by(packet, way, context);
  }
  const std::uint8_t* ip = context.labels.data() + context.labels.size();
  if (way.tunnel != kNoTunnel) {
    // Out of one core into a tunnel over another: the label is swapped below the outer header.
    bool is_bottom = top.is_bottom();
    packet.pull(4);
    Way inner = way;
    std::uint8_t* room = packet.push(4);
    LabelEntry::make(way.labels[way.label_count - 1u], top.traffic_class(), is_bottom, ttl).store(room);
    --inner.label_count;
    return into_tunnel(packet, inner, ttl, context);
  }
  const Interface* out = tables_.interface(way.out);
  if (out == nullptr || !out->is_up) return drop(Drop::interface_down);
  // A label for a customer's interface with more labels below it: they are nobody's business there.
  if (!out->is_labelled) return drop(Drop::bad_stack);
  std::size_t above = static_cast<std::size_t>(ip - packet.data()) - 4 + way.label_count * 4u;  // labels as they leave
  bool is_too_big = packet.size() - 4 + way.label_count * 4u > out->mtu;
  if (is_too_big && !may_be_fragmented(Bytes(ip, packet.data() + packet.size()), less(out->mtu, above))) return refuse(packet, ip, Drop::too_big, context, less(out->mtu, above));
  if (way.label_count == 0) {  // penultimate hop
    packet.pull(4);
    LabelEntry next = LabelEntry::load(packet.data());
    // RFC 3443 §3.1: uniform carries the TTL up, pipe leaves it (short pipe).
    if (tables_.ttl_model == Model::uniform) next.set_ttl(std::min(next.ttl(), ttl));
    if (tables_.dscp_model == Model::uniform) next.set_traffic_class(top.traffic_class());
    next.store(packet.data());
    return is_too_big ? transmit_fragments(packet, above, way.out, out->mtu) : transmit(way.out);
  }
  LabelEntry::make(way.labels[way.label_count - 1u], top.traffic_class(), top.is_bottom(), ttl).store(packet.data());
  std::uint8_t pushed = tables_.ttl_model == Model::uniform ? ttl : 255;
  for (unsigned i = way.label_count - 1u; i-- > 0;) {
    std::uint8_t* room = packet.push(4);
    if (room == nullptr) return drop(Drop::bad_stack);
    LabelEntry::make(way.labels[i], top.traffic_class(), false, pushed).store(room);
  }
  return is_too_big ? transmit_fragments(packet, above, way.out, out->mtu) : transmit(way.out);
}

// The packet as it leaves, but that its datagram does not fit.
Verdict Forwarder::transmit_fragments(Packet& packet, std::size_t above, InterfaceId out, std::uint32_t mtu) {
  taken_ = 0;
  fragment(packet, above, less(mtu, above), fragments_);
  counters_.fragmented += !fragments_.empty();
  counters_.transmitted += fragments_.size();
  Verdict verdict = transmit(out);
  verdict.fragments = static_cast<std::uint32_t>(fragments_.size());
  return verdict;
}

// The only label was popped and the way is known without a look-up: per-CE and per-prefix labels, or the penultimate hop.
Verdict Forwarder::exit_by(Packet& packet, const Way& way, Context& context) {
  const Interface* out = tables_.interface(way.out);
  if (out == nullptr || !out->is_up) return drop(Drop::interface_down);
  unsigned version = packet.size() < ipv4::kHeader ? 0 : packet.data()[0] >> 4;
  if (version == 4 ? !is_header_right(packet) : version != 6 || !is_header6_right(packet)) return drop(Drop::malformed);
  packet.protocol = version == 4 ? Protocol::ipv4 : Protocol::ipv6;
  std::uint8_t* p = packet.data();
  if (version == 4 && !ipv4::is_checksum_right(p)) return drop(Drop::checksum);
  std::uint8_t own = version == 4 ? ipv4::ttl(p) : ipv6::hop_limit(p);
  std::uint8_t ttl = std::min(own, context.most_ttl);
  // The egress router is a hop of the IP path; the penultimate one only carries the label's TTL up.
  if (out->vrf != kGlobal || tables_.ttl_model == Model::uniform) {
    if (ttl <= 1) return refuse(packet, p, Drop::ttl_expired, context);
    --ttl;
    if (out->vrf == kGlobal) ttl = std::min(own, ttl);
  }
  return send_ip(packet, way, ttl, context);
}

Verdict Forwarder::send_ip(Packet& packet, const Way& way, std::uint8_t ttl, Context& context) {
  std::uint8_t* p = packet.data();
  if (way.tunnel != kNoTunnel) {
    if (packet.protocol == Protocol::ipv4) ipv4::set_ttl(p, ttl);
    else ipv6::set_hop_limit(p, ttl);
    return into_tunnel(packet, way, ttl, context);
  }
  const Interface* out = tables_.interface(way.out);
  if (out == nullptr || !out->is_up) return drop(Drop::interface_down);
  std::size_t overhead = overhead_of(way);
  bool is_too_big = packet.size() + overhead > out->mtu;
  if (is_too_big && !may_be_fragmented(packet.view(), less(out->mtu, overhead))) return refuse(packet, p, Drop::too_big, context, less(out->mtu, overhead), context.in != nullptr ? context.in->vrf : kGlobal);
  if (packet.protocol == Protocol::ipv4) ipv4::set_ttl(p, ttl);
  else ipv6::set_hop_limit(p, ttl);
  if (way.label_count != 0 && !push_labels(packet, way, ttl, traffic_class_of(packet), false)) return drop(Drop::bad_stack);
  return is_too_big ? transmit_fragments(packet, overhead, way.out, out->mtu) : transmit(way.out);
}

bool Forwarder::push_labels(Packet& packet, const Way& way, std::uint8_t ttl, std::uint8_t traffic_class, bool has_labels) {
  // RFC 6790 §4.2: "the entropy label's TTL field MUST be set to zero"; the flow is hashed before labels hide it.
  std::uint32_t entropy = 0;
  if (way.entropy_after != 0) entropy = label::first_unreserved + flow_hash(packet) % (label::most - label::first_unreserved);
  std::uint8_t pushed = tables_.ttl_model == Model::uniform ? ttl : 255;
  std::size_t count = way.label_count + (way.entropy_after != 0 ? 2u : 0u);
  std::uint8_t* at = packet.push(count * 4);
  if (at == nullptr) return false;
  packet.protocol = Protocol::mpls;
  for (unsigned i = 0; i < way.label_count; ++i) {
    if (way.entropy_after != 0 && i == way.entropy_after) {
      LabelEntry::make(label::entropy_indicator, traffic_class, false, pushed).store(at);
      LabelEntry::make(entropy, traffic_class, false, 0).store(at + 4);
      at += 8;
    }
    LabelEntry::make(way.labels[i], traffic_class, !has_labels && i + 1 == way.label_count, pushed).store(at);
    at += 4;
  }
  return true;
}

// RFC 4023 §3: the labels below a GRE header or directly below an IP header, which the core routes.
Verdict Forwarder::into_tunnel(Packet& packet, const Way& way, std::uint8_t ttl, Context& context) {
  const Tunnel* tunnel = tables_.tunnel(way.tunnel);
  const Vrf* core = tables_.vrf(kGlobal);
  const NextHop* outer = tunnel == nullptr ? nullptr : tables_.next_hop(core->v4.lookup(tunnel->destination));
  if (outer == nullptr || outer->kind != NextHop::Kind::forward || outer->way_count == 0) return drop(Drop::no_route);
  if (++context.turns > kMostTurns) return drop(Drop::loop);
  bool was_labelled = packet.protocol == Protocol::mpls;
  std::uint8_t traffic_class = was_labelled ? LabelEntry::load(packet.data()).traffic_class() : traffic_class_of(packet);
  const Way& under = choose(*outer, packet);
  const Interface* out = tables_.interface(under.out);
  std::size_t header = ipv4::kHeader + (tunnel->kind == Tunnel::Kind::gre ? kGreHeader : 0);
  std::size_t overhead = header + overhead_of(way) + overhead_of(under);
  if (out == nullptr || packet.size() + overhead <= out->mtu) [[likely]] return encapsulate(packet, way, *tunnel, under, ttl, traffic_class, context);
  // Cut before it goes in: the outer header says DF (RFC 4023 §5.1), so that the tunnel's end need not reassemble.
  const std::uint8_t* ip = was_labelled ? context.labels.data() + context.labels.size() : packet.data();
  auto above = static_cast<std::size_t>(ip - packet.data());
  std::uint32_t room = less(out->mtu, overhead + above);
  if (!may_be_fragmented(Bytes(ip, packet.data() + packet.size()), room)) return refuse(packet, ip, Drop::too_big, context, room, context.in != nullptr ? context.in->vrf : kGlobal);
  taken_ = 0;
  fragment(packet, above, room, fragments_);
  counters_.fragmented += !fragments_.empty();
  for (Packet& piece : fragments_)
    if (Verdict v = encapsulate(piece, way, *tunnel, under, ttl, traffic_class, context); v.kind != Verdict::Kind::transmit) return v;
  Verdict verdict = encapsulate(packet, way, *tunnel, under, ttl, traffic_class, context);
  if (verdict.kind == Verdict::Kind::transmit) verdict.fragments = static_cast<std::uint32_t>(fragments_.size());
  return verdict;
}

Verdict Forwarder::encapsulate(Packet& packet, const Way& way, const Tunnel& tunnel, const Way& under, std::uint8_t ttl, std::uint8_t traffic_class, Context& context) {
  bool is_gre = tunnel.kind == Tunnel::Kind::gre;
  if (way.label_count != 0 && !push_labels(packet, way, ttl, traffic_class, packet.protocol == Protocol::mpls)) return drop(Drop::bad_stack);
  std::uint8_t* p = packet.push(ipv4::kHeader + (is_gre ? kGreHeader : 0));
  if (p == nullptr) return drop(Drop::bad_stack);
  ipv4::write(p, tunnel.source, tunnel.destination, is_gre ? ip_protocol::gre : ip_protocol::mpls_in_ip, packet.size(), tunnel.ttl, true, static_cast<std::uint8_t>(traffic_class << 3));
  if (is_gre) store_be32(p + ipv4::kHeader, kGreMpls);
  packet.protocol = Protocol::ipv4;
  return send_ip(packet, under, tunnel.ttl, context);
}

const Way& Forwarder::choose(const NextHop& next_hop, const Packet& packet) const {
  if (next_hop.way_count <= 1) [[likely]] return next_hop.ways()[0];
  return next_hop.ways()[std::uint64_t{flow_hash(packet)} * next_hop.way_count >> 32];
}

Verdict Forwarder::refuse(Packet& packet, const std::uint8_t* ip, Drop reason, Context& context, std::uint32_t mtu, VrfId vrf) {
  ++counters_.drops[static_cast<std::size_t>(reason)];
  Verdict dropped{Verdict::Kind::drop, reason, 0, kGlobal, 0};
  const std::uint8_t* end = packet.data() + packet.size();
  if (!context.may_answer || context.in == nullptr || ip >= end) return dropped;
  icmp::Error error = reason == Drop::ttl_expired ? icmp::Error::time_exceeded : reason == Drop::too_big ? icmp::Error::too_big : icmp::Error::unreachable;
  Bytes labels = context.labels;
  std::uint32_t source = context.in->address != 0 ? context.in->address : tables_.router_address;
  const auto& source6 = context.in->address6[0] != 0 ? context.in->address6 : tables_.router_address6;
  auto message = icmp::make_error(error, Bytes(ip, end), labels, source, source6, mtu);
  if (!message || message->size() > packet.capacity() || labels.size() > Packet::kHeadroom) return dropped;
  // On along the label stack, with a TTL that lasts.
  std::vector<std::uint8_t> stack(labels.begin(), labels.end());
  packet.assign(*message, (*message)[0] >> 4 == 6 ? Protocol::ipv6 : Protocol::ipv4);
  Context own;
  own.is_own = true;
  own.may_answer = false;
  Verdict verdict;
  if (stack.empty()) {
    verdict = route(packet, vrf != kGlobal ? vrf : context.in->vrf, own);
  } else {
    for (std::size_t i = 0; i < stack.size(); i += 4) {
      LabelEntry entry = LabelEntry::load(stack.data() + i);
      if (entry.ttl() != 0) entry.set_ttl(255);
      entry.store(stack.data() + i);
    }
    std::memcpy(packet.push(stack.size()), stack.data(), stack.size());
    packet.protocol = Protocol::mpls;
    own.in = context.in;
    verdict = switch_labels(packet, own);
  }
  if (verdict.kind != Verdict::Kind::transmit) {  // what becomes of our own message is not the packet's drop
    if (verdict.kind == Verdict::Kind::drop) --counters_.drops[static_cast<std::size_t>(verdict.reason)];
    else --counters_.delivered;
    return dropped;
  }
  ++counters_.icmp_sent;
  verdict.reason = reason;
  return verdict;
}

}  // namespace helio::forwarding

// Packets of the laboratory: sent by a CE, carried node by node, and what they looked like on every link.
#include "bench/lab/lib/lab.hpp"
#include "rib/forwarding/icmp.hpp"

namespace helio::lab {

using forwarding::Protocol;
using forwarding::Verdict;

Walk Lab::send(std::size_t ce, const IpAddress& source, const IpAddress& destination, std::uint8_t ttl, std::size_t size, bool may_not_fragment) {
  forwarding::Packet packet(forwarding::icmp::make_echo_request(source, destination, 1, 1, size, ttl, may_not_fragment), destination.is_v6 ? Protocol::ipv6 : Protocol::ipv4);
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
  std::vector<forwarding::Packet> pieces;
  for (int hops = 0; hops < 600; ++hops) {
    Router& router = *nodes_[at];
    Verdict verdict = in ? router.forwarder.process(packet, *in) : router.forwarder.originate(packet, forwarding::kGlobal);
    out.last = at;
    out.hops.push_back(make_hop(at, packet));
    out.reason = verdict.reason;
    if (verdict.kind == Verdict::Kind::deliver) {
      out.end = Walk::End::delivered;
      for (const Walk& piece : out.fragments) {
        if (piece.end == Walk::End::delivered && piece.last == out.last) continue;
        out.end = piece.end == Walk::End::delivered ? Walk::End::lost : piece.end;
        out.reason = piece.reason;
        out.last = piece.last;
        break;
      }
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
    for (std::uint32_t i = 0; i < verdict.fragments; ++i) pieces.emplace_back(), router.forwarder.take_fragment(pieces.back());
    for (forwarding::Packet& piece : pieces) out.fragments.push_back(walk(port.node, piece, port.port, follow_icmp));
    pieces.clear();
    at = port.node;
    in = port.port;
  }
  return out;
}

}  // namespace helio::lab

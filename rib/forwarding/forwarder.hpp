// Forwarder: one thread's way through the tables. A packet and the interface it came in by go in; out comes the same
// packet changed, and where it goes. Where RFC 1812 and RFC 3032 ask for an ICMP message, that message takes the packet's
// place: it is what is to be transmitted then.
//
//   IP in a VRF ──► FIB ──► next hop: push labels or tunnel ──► interface
//   labelled    ──► LFIB ─┬─ swap or pop ──► interface
//                         └─ pop, FIB of a VRF ──► interface, or delivered here
//
// IPv4 that is too big for a link and may be fragmented is (RFC 791, RFC 3032 §3.4): further pieces are fetched by
// take_fragment(). Else its sender is told what would fit, labels and tunnel headers taken off.
//
// TTL by RFC 3443: uniform (one TTL, copied down at push and up at pop, never raised) or pipe (the core is one hop).
// An ICMP message about a labelled packet goes on along its label stack, since this router need not know the VPN (RFC 3032
// §2.3.2): the egress router turns it round.
#pragma once
#include <string_view>

#include "rib/forwarding/packet.hpp"
#include "rib/forwarding/tables.hpp"

namespace helio::forwarding {

enum class Drop : std::uint8_t {
  none,
  malformed,         // headers do not fit the packet, or what is below the labels is not IP
  checksum,
  no_route,
  discarded,         // the next hop says so
  ttl_expired,
  too_big,           // for the interface, and IPv6 or with the DF bit
  no_label,          // label not in the LFIB
  unexpected_label,  // labelled packet on an interface that takes none
  reserved_label,
  bad_stack,         // labels below one that ends in a VRF, or no room for more
  interface_down,
  not_for_us,        // delivered here, but of a protocol this router does not take from a tunnel
  loop,              // goes round between VRFs of this router
  count_
};
inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(Drop::count_);
std::string_view drop_name(Drop reason);

struct Verdict {
  enum class Kind : std::uint8_t { transmit, deliver, drop };
  Kind kind = Kind::drop;
  Drop reason = Drop::none;  // with transmit: why an ICMP message goes out in the packet's place
  InterfaceId out = 0;       // transmit
  VrfId vrf = kGlobal;       // deliver
  std::uint32_t fragments = 0;  // transmit: so many more go out there: take_fragment()
};

class Forwarder {
 public:
  Forwarder(const Tables& tables, RcuDomain& rcu) : tables_(tables), reader_(rcu) {}

  // The packet came in by the interface.
  Verdict process(Packet& packet, InterfaceId in);
  // The router's own packet: its TTL stays as it is.
  Verdict originate(Packet& packet, VrfId vrf);
  // The next of Verdict::fragments, until the next packet is processed.
  void take_fragment(Packet& into) { into = std::move(fragments_[taken_++]); }
  // Between two batches: what was retired meanwhile may be freed.
  void quiescent() { reader_.quiescent(); }

  struct Counters {
    std::uint64_t transmitted = 0, delivered = 0, icmp_sent = 0;
    std::uint64_t fragmented = 0;  // datagrams; their pieces are in transmitted
    std::array<std::uint64_t, kDropReasons> drops{};
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Context {
    const Interface* in = nullptr;
    Bytes labels;            // as received; in the packet's buffer
    std::uint8_t most_ttl = 255;  // uniform: what the popped labels leave of the TTL
    std::uint8_t traffic_class = 0xff;  // of the popped label, to be carried into what is below; 0xff: no
    bool is_own = false;     // no TTL to take off
    bool may_answer = true;  // with ICMP
    std::uint8_t turns = 0;  // VRFs and tunnels gone through
  };

  Verdict route(Packet& packet, VrfId vrf, Context& context);
  template <class Ip>
  Verdict route_ip(Packet& packet, VrfId vrf, Context& context);
  Verdict switch_labels(Packet& packet, Context& context);
  Verdict by_label(Packet& packet, LabelEntry top, const NextHop& next_hop, Context& context);
  Verdict below_labels(Packet& packet, VrfId vrf, Context& context);
  Verdict exit_by(Packet& packet, const Way& way, Context& context);
  Verdict local(Packet& packet, VrfId vrf, Context& context);
  Verdict leave_tunnel(Packet& packet, Context& context);
  Verdict send_ip(Packet& packet, const Way& way, std::uint8_t ttl, Context& context);
  Verdict into_tunnel(Packet& packet, const Way& way, std::uint8_t ttl, Context& context);
  Verdict encapsulate(Packet& packet, const Way& way, const Tunnel& tunnel, const Way& under, std::uint8_t ttl, std::uint8_t traffic_class, Context& context);
  Verdict transmit_fragments(Packet& packet, std::size_t above, InterfaceId out, std::uint32_t mtu);
  bool push_labels(Packet& packet, const Way& way, std::uint8_t ttl, std::uint8_t traffic_class, bool has_labels);
  const Way& choose(const NextHop& next_hop, const Packet& packet) const;

  Verdict transmit(InterfaceId out) {
    ++counters_.transmitted;
    return {Verdict::Kind::transmit, Drop::none, out, kGlobal, 0};
  }
  Verdict drop(Drop reason) {
    ++counters_.drops[static_cast<std::size_t>(reason)];
    return {Verdict::Kind::drop, reason, 0, kGlobal, 0};
  }
  // `ip`: where the IP packet begins.
  Verdict refuse(Packet& packet, const std::uint8_t* ip, Drop reason, Context& context, std::uint32_t mtu = 0, VrfId vrf = kGlobal);

  const Tables& tables_;
  RcuDomain::Reader reader_;
  Counters counters_;
  std::vector<Packet> fragments_;
  std::size_t taken_ = 0;
};

}  // namespace helio::forwarding

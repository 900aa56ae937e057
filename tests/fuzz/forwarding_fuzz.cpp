// Any octets as a packet on any interface of a router with two customers. Whatever comes: nothing is read beyond the packet
// (sanitizers), what leaves, fragments too, fits the interface and is well formed, labels leave on core interfaces only, and what one
// customer sends never leaves towards the other (invariant 4).
// First octet: bits 0-1 the interface, bits 2-3 the protocol (3: IPv4), bits 4-5 uniform TTL and uniform class, bit 6 small MTU.
#include <optional>

#include "rib/forwarding/forwarder.hpp"
#include "rib/forwarding/icmp.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace helio::fuzz {
namespace {

using namespace forwarding;

constexpr InterfaceId kCore = 0, kCore2 = 1, kRed = 2, kBlue = 3;

struct Router {
  explicit Router(std::uint8_t options) {
    std::uint32_t mtu = (options & 0x40) != 0 ? 100 : 1500;
    tables.ttl_model = (options & 0x10) != 0 ? Model::uniform : Model::pipe;
    tables.dscp_model = (options & 0x20) != 0 ? Model::uniform : Model::pipe;
    VrfId red = tables.add_vrf(), blue = tables.add_vrf();
    tables.add_interface({.is_labelled = true, .mtu = mtu, .address = 0xac100001});
    tables.add_interface({.is_labelled = true, .mtu = mtu, .address = 0xac100005});
    tables.add_interface({.vrf = red, .mtu = mtu, .address = 0x64400001});
    tables.add_interface({.vrf = blue, .mtu = mtu, .address = 0x64400005});
    tables.router_address = 0x0aff0001;
    TunnelId tunnel = tables.add_tunnel({.source = 0x0aff0001, .destination = 0x0aff0002});
    auto way = [](InterfaceId out, std::initializer_list<std::uint32_t> labels, std::uint8_t entropy = 0, TunnelId t = kNoTunnel) {
      Way w;
      w.out = out;
      w.entropy_after = entropy;
      w.tunnel = t;
      for (std::uint32_t l : labels) w.labels[w.label_count++] = l;
      return w;
    };
    auto forward = [&](std::vector<Way> ways) { return tables.add_next_hop({.kind = NextHop::Kind::forward, .ways = std::move(ways)}); };
    for (VrfId v : {red, blue}) {
      NextHopId here = forward({way(v == red ? kRed : kBlue, {})});
      NextHopId far = forward({way(kCore, {16003, 24000 + v}, 1), way(kCore2, {16004, 24000 + v})});
      NextHopId tunnelled = forward({way(0, {24000 + v}, 0, tunnel)});
      tables.vrf(v).v4.insert({0x0a000000, 8}, here);
      tables.vrf(v).v4.insert({0x0a010000, 16}, far);
      tables.vrf(v).v4.insert({0x0a020000, 16}, tunnelled);
      tables.vrf(v).v6.insert({0, 0}, here);
      tables.vrf(v).v6.insert({Address6{0x20010db8} << 96, 32}, far);
      tables.set_label(30 + v, {LabelAction::Kind::look_up, v});
      tables.set_label(40 + v, {LabelAction::Kind::forward, here});
    }
    tables.vrf(kGlobal).v4.insert({0x0aff0001, 32}, tables.add_next_hop({.kind = NextHop::Kind::deliver}));
    tables.vrf(kGlobal).v4.insert({0x0aff0000, 16}, forward({way(kCore2, {})}));
    tables.set_label(16, {LabelAction::Kind::forward, forward({way(kCore2, {17})})});
    tables.set_label(17, {LabelAction::Kind::forward, forward({way(kCore2, {})})});
    tables.set_label(18, {LabelAction::Kind::pop_again, 0});
    tables.set_label(19, {LabelAction::Kind::forward, forward({way(kCore, {16005, 25001})})});
    tables.set_label(20, {LabelAction::Kind::forward, forward({way(0, {25001}, 0, tunnel)})});
  }
  RcuDomain rcu;
  Tables tables{rcu};
  Forwarder forwarder{tables, rcu};
};

void check_ip(const Packet& packet) {
  if (packet.protocol == Protocol::ipv4) {
    HELIO_CHECK(packet.size() >= ipv4::kHeader && packet.data()[0] >> 4 == 4, "what leaves as IPv4 is not");
    HELIO_CHECK(ipv4::total_length(packet.data()) == packet.size(), "length of what leaves");
    HELIO_CHECK(ipv4::is_checksum_right(packet.data()), "checksum of what leaves");
  } else if (packet.protocol == Protocol::ipv6) {
    HELIO_CHECK(packet.size() >= ipv6::kHeader && packet.data()[0] >> 4 == 6, "what leaves as IPv6 is not");
  }
}

void run(std::uint8_t options, Bytes octets) {
  Router router(options);
  InterfaceId in = options & 3;
  auto protocol = static_cast<Protocol>((options >> 2 & 3) % 3);
  Packet packet(octets, protocol);
  Verdict verdict = router.forwarder.process(packet, in);
  router.forwarder.quiescent();
  (void)flow_hash(packet);
  (void)icmp::read_error(packet.view());
  if (verdict.kind != Verdict::Kind::transmit) return;
  HELIO_CHECK(verdict.out <= kBlue, "an interface that is not there");
  bool is_icmp_of_ours = verdict.reason != Drop::none;
  HELIO_CHECK(!(in == kRed && verdict.out == kBlue) && !(in == kBlue && verdict.out == kRed), "from one customer to the other");
  for (std::uint32_t i = 0;; router.forwarder.take_fragment(packet), ++i) {
    HELIO_CHECK(packet.protocol != Protocol::mpls || verdict.out == kCore || verdict.out == kCore2, "labels towards a customer");
    HELIO_CHECK(is_icmp_of_ours || packet.size() <= router.tables.interface(verdict.out)->mtu, "larger than the interface takes");
    check_ip(packet);
    if (i == verdict.fragments) return;
  }
}

}  // namespace
}  // namespace helio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  helio::fuzz::Input input(data, size);
  helio::fuzz::run(input.options, input.rest);
  return 0;
}

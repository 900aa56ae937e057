// A router under test: tables with a core interface (0), a customer interface (1) in VRF 1, and packets byte by byte.
#pragma once
#include <gtest/gtest.h>

#include "rib/forwarding/forwarder.hpp"
#include "rib/forwarding/icmp.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::forwarding::test {

inline constexpr InterfaceId kCore = 0, kCustomer = 1, kCore2 = 2, kOtherCustomer = 3;

struct Router {
  Router() {
    tables.add_interface({.vrf = kGlobal, .is_labelled = true, .mtu = 9000, .address = 0xac100001});
    vrf = tables.add_vrf();
    other_vrf = tables.add_vrf();
    tables.add_interface({.vrf = vrf, .mtu = 1500, .address = 0xc0000201});
    tables.add_interface({.vrf = kGlobal, .is_labelled = true, .mtu = 9000, .address = 0xac100101});
    tables.add_interface({.vrf = other_vrf, .mtu = 1500, .address = 0xc0000301});
    tables.router_address = 0x0aff0101;
  }
  NextHopId push(std::vector<std::uint32_t> labels, InterfaceId out = kCore, std::uint8_t entropy_after = 0, TunnelId tunnel = kNoTunnel) {
    return tables.add_next_hop({.kind = NextHop::Kind::forward, .ways = {way(labels, out, entropy_after, tunnel)}});
  }
  static Way way(std::vector<std::uint32_t> labels, InterfaceId out = kCore, std::uint8_t entropy_after = 0, TunnelId tunnel = kNoTunnel) {
    Way w;
    w.out = out;
    w.tunnel = tunnel;
    w.entropy_after = entropy_after;
    w.label_count = static_cast<std::uint8_t>(labels.size());
    std::copy(labels.begin(), labels.end(), w.labels.begin());
    return w;
  }
  void route(VrfId to, Address4 address, unsigned length, NextHopId n) { tables.vrf(to).v4.insert({address, static_cast<std::uint8_t>(length)}, n); }
  Verdict process(Packet& packet, InterfaceId in) { return forwarder.process(packet, in); }
  std::uint64_t drops(Drop reason) const { return forwarder.counters().drops[static_cast<std::size_t>(reason)]; }

  RcuDomain rcu;
  Tables tables{rcu};
  VrfId vrf = 0, other_vrf = 0;
  Forwarder forwarder{tables, rcu};
};

// An IPv4/UDP packet of `payload` octets, 10.0.0.1 to 10.1.0.1 unless said otherwise.
inline std::vector<std::uint8_t> ip4(std::uint8_t ttl = 64, std::uint32_t source = 0x0a000001, std::uint32_t destination = 0x0a010001, std::size_t payload = 8,
                                     std::uint8_t dscp = 0, bool df = true, std::uint16_t port = 1000) {
  std::vector<std::uint8_t> out(20 + 8 + payload);
  ipv4::write(out.data(), source, destination, ip_protocol::udp, out.size(), ttl, df, dscp);
  store_be16(out.data() + 20, port);
  store_be16(out.data() + 22, 53);
  store_be16(out.data() + 24, static_cast<std::uint16_t>(8 + payload));
  return out;
}
inline std::vector<std::uint8_t> labelled(std::vector<LabelEntry> stack, std::vector<std::uint8_t> ip) {
  std::vector<std::uint8_t> out(stack.size() * 4);
  for (std::size_t i = 0; i < stack.size(); ++i) stack[i].store(out.data() + i * 4);
  out.insert(out.end(), ip.begin(), ip.end());
  return out;
}
inline LabelEntry entry(std::uint32_t label, std::uint8_t ttl, bool bottom, std::uint8_t tc = 0) { return LabelEntry::make(label, tc, bottom, ttl); }
// The packet's octets as the table of a test shows them.
inline std::vector<std::uint8_t> octets(const Packet& p) { return {p.data(), p.data() + p.size()}; }

}  // namespace helio::forwarding::test

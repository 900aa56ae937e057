// The core between the PEs: shortest paths inside each AS and the labels (or tunnels) that follow from them, as an IGP with
// LDP or segment routing would have made them, and the labelled loopbacks between ASes of option C (RFC 4364 §10 c).
// Computed as a whole whenever a node comes or goes: what is under test is what BGP makes of it.
#pragma once
#include "bench/lab/lib/router.hpp"

namespace helio::lab {

struct Edge {  // between two routers, by index
  std::size_t a = 0, b = 0;
  InterfaceId port_a = 0, port_b = 0;
  unsigned metric = 10;
};

class Underlay {
 public:
  static constexpr unsigned kUnreachable = ~0u;
  // Label ranges: at most kMostRouters routers.
  static constexpr std::size_t kMostRouters = 80;
  static std::uint32_t ldp_label(std::size_t at, std::size_t to) { return static_cast<std::uint32_t>(16000 + at * 100 + to); }
  static std::uint32_t sid(std::size_t to) { return static_cast<std::uint32_t>(16000 + to); }
  static std::uint32_t first_vpn_label(std::size_t at) { return static_cast<std::uint32_t>(24000 + at * 1000); }
  static std::uint32_t inter_as_label(std::size_t at, std::size_t to) { return static_cast<std::uint32_t>(200000 + at * 1000 + to); }

  // `routers`: those of topology.routers, in its order.
  Underlay(const Topology& topology, std::vector<Router*> routers, std::vector<Edge> edges);

  void compute();
  // How to reach the loopback of `to`: transport labels and interface (or tunnel), equal ways side by side. Empty: not at all.
  std::vector<forwarding::Way> ways(std::size_t from, std::size_t to) const;
  unsigned metric(std::size_t from, std::size_t to) const;
  std::optional<std::size_t> router_of(const IpAddress& loopback) const;
  // What every router forwards by, whether or not it is a PE.
  void wish(std::size_t router, Wishes& out) const;
  // The edge between two routers of different ASes.
  const Edge* edge(std::size_t a, std::size_t b) const;

 private:
  struct Hop {
    std::size_t node;
    InterfaceId out;
  };
  Asn as_of(std::size_t router) const { return topology_.routers[router].as; }
  void shortest_paths(std::size_t to);
  std::vector<Hop> next_hops(std::size_t from, std::size_t to) const;
  std::vector<forwarding::Way> label_ways(std::size_t from, std::size_t to) const;
  bool reaches(std::size_t from, std::size_t to) const;
  std::optional<std::pair<std::size_t, std::size_t>> exit_towards(std::size_t from, Asn as) const;
  std::uint32_t label_at(std::size_t at, std::size_t to) const { return topology_.transport == Transport::sr ? sid(to) : ldp_label(at, to); }
  bool is_ip_core() const { return topology_.transport == Transport::gre || topology_.transport == Transport::mpls_in_ip; }

  const Topology& topology_;
  std::vector<Router*> routers_;
  std::vector<Edge> edges_;
  std::vector<std::vector<unsigned>> metrics_;  // [from][to] inside an AS
  mutable std::map<std::pair<std::size_t, std::size_t>, forwarding::TunnelId> tunnels_;
};

}  // namespace helio::lab

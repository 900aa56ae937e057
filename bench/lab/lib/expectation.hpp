// What the RT plan says, worked out from the topology alone: no BGP, no labels, no packets. A naive second opinion: which
// VRF sees which site's prefix, and where a packet may then come out. Written to be read, not to be quick.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "bench/lab/lib/topology.hpp"

namespace helio::lab {

struct Expected {
  std::set<std::size_t> arrives;  // CEs at which it may be delivered
  bool may_be_lost = false;       // some equally good choice leads nowhere
  std::set<std::size_t> passes;   // CEs it may be passed on by
};

class Expectation {
 public:
  // `is_up`: by node name.
  Expectation(const Topology& topology, std::function<bool(std::string_view)> is_up);

  // A packet from a CE to an address.
  Expected trace(std::size_t from_ce, const IpAddress& destination) const;
  // Whether a VRF may see what another one exports: the RTs have one in common.
  static bool imports(const VrfSpec& importer, const VrfSpec& exporter);
  // What reflectors add to the targets of a route that this PE announces to them.
  VrfSpec as_reflected(const VrfSpec& exporter, const RouterSpec& pe) const;

 private:
  struct VrfRef {
    std::size_t router = 0, vrf = 0;
    auto operator<=>(const VrfRef&) const = default;
  };
  // A prefix as a VRF has it from its own CEs or from the VRF back to back with it.
  struct Origin {
    bool is_link = false;
    bool is_static = false;       // not a link: a static route, which comes before what BGP says
    std::size_t ce = 0;           // not a link
    VrfRef beyond;                // a link: the VRF on the other side
    std::set<Asn> ases;           // in the AS path: eBGP does not go round
    auto operator<=>(const Origin&) const = default;
  };
  using Routes = std::map<Prefix, std::set<Origin>>;

  // Where a packet has been: what is there is accounted for once, and where it comes round again it is lost.
  struct Trail {
    using Place = std::tuple<int, VrfRef, std::size_t, Prefix>;
    std::set<Place> seen, open;
    bool enter(const Place& place, Expected& out) {
      if (open.contains(place)) out.may_be_lost = true;
      if (!seen.insert(place).second) return false;
      open.insert(place);
      return true;
    }
  };

  const VrfSpec& spec(VrfRef v) const { return topology_.routers[v.router].vrfs[v.vrf]; }
  bool can_talk(VrfRef importer, VrfRef exporter) const;
  bool takes_own_back(const RouterSpec& pe) const;
  std::set<std::string> reflectors_with(const RouterSpec& announcer) const;
  bool is_passed_on(const RouterSpec& from, const RouterSpec& to) const;
  void collect();
  void join_core();
  void find_contested();
  Routes visible(VrfRef v) const;
  void from_vrf(VrfRef v, const IpAddress& destination, Trail& trail, Expected& out) const;
  // `is_local`: of the origins that the VRF has itself, not also those it imports.
  void follow(VrfRef v, const Prefix& prefix, const std::set<Origin>& origins, bool is_local, const IpAddress& destination, Trail& trail, Expected& out) const;
  void from_ce(std::size_t ce, const IpAddress& destination, Trail& trail, Expected& out) const;

  const Topology& topology_;
  std::function<bool(std::string_view)> is_up_;
  std::vector<VrfRef> vrfs_;
  std::vector<std::size_t> piece_;  // of the core that each router is in, while nodes are down
  std::map<VrfRef, Routes> local_;
  // Prefixes that both ends of a link back to back have from elsewhere as well: whoever hears of the other's first prefers that
  // and says nothing of its own, so that either end, and all who hear from it, may have it one way or the other or not at all.
  // And those that a VRF has from a CE by BGP and over a link.
  std::set<Prefix> contested_;
};

}  // namespace helio::lab

// A router (or CE) of the laboratory: the forwarding component with its ports, and the wish list that the control plane
// writes: apply() brings the tables to it with as few changes as there are differences, while packets may be under way.
#pragma once
#include <map>
#include <string>

#include "bench/lab/lib/topology.hpp"
#include "rib/forwarding/forwarder.hpp"

namespace helio::lab {

using forwarding::InterfaceId;
using forwarding::NextHopId;
using forwarding::NextHopSpec;
using forwarding::VrfId;

// Where a port leads. Ports and interfaces have the same numbers.
struct Port {
  std::size_t node = 0;  // at the other end
  InterfaceId port = 0;  // of that node
  bool is_up = true;
};

struct LabelWish {
  forwarding::LabelAction::Kind kind = forwarding::LabelAction::Kind::none;
  VrfId vrf = 0;
  NextHopSpec next_hop;
  bool operator==(const LabelWish&) const = default;
};
struct Wishes {
  std::map<VrfId, std::map<Prefix, NextHopSpec>> routes;
  std::map<std::uint32_t, LabelWish> labels;
};

class Router {
 public:
  Router(std::string its_name, std::size_t number) : name(std::move(its_name)), index(number) {}

  InterfaceId add_port(const forwarding::Interface& interface, Port port);
  void set_port_up(InterfaceId id, bool up);
  void apply(const Wishes& wishes);
  const std::map<VrfId, std::map<Prefix, NextHopId>>& installed() const { return routes_; }
  std::size_t label_count() const { return labels_.size(); }

  std::string name;
  std::size_t index;
  bool is_up = true;
  forwarding::RcuDomain rcu;
  forwarding::Tables tables{rcu};
  forwarding::Forwarder forwarder{tables, rcu};
  std::vector<Port> ports;

 private:
  struct Shared {
    NextHopId id = 0;
    std::size_t uses = 0;
  };
  struct Installed {
    LabelWish wish;
    NextHopId next_hop = 0;
  };
  static std::vector<std::uint32_t> key_of(const NextHopSpec& spec);
  NextHopId take(const NextHopSpec& spec);
  void give_back(NextHopId id);
  void set_route(VrfId vrf, const Prefix& prefix, NextHopId id);

  std::map<std::vector<std::uint32_t>, Shared> next_hops_;
  std::map<NextHopId, std::vector<std::uint32_t>> keys_;
  std::map<VrfId, std::map<Prefix, NextHopId>> routes_;
  std::map<std::uint32_t, Installed> labels_;
};

}  // namespace helio::lab

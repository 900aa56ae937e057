#include "bench/lab/lib/router.hpp"

namespace helio::lab {

using forwarding::LabelAction;

InterfaceId Router::add_port(const forwarding::Interface& interface, Port port) {
  InterfaceId id = tables.add_interface(interface);
  ports.push_back(port);
  return id;
}

void Router::set_port_up(InterfaceId id, bool up) {
  ports[id].is_up = up;
  forwarding::Interface interface = *tables.interface(id);
  interface.is_up = up;
  tables.set_interface(id, interface);
}

std::vector<std::uint32_t> Router::key_of(const NextHopSpec& spec) {
  std::vector<std::uint32_t> key{static_cast<std::uint32_t>(spec.kind), spec.vrf};
  for (const forwarding::Way& way : spec.ways) {
    key.insert(key.end(), {way.out, way.tunnel, way.entropy_after, way.label_count});
    key.insert(key.end(), way.labels.begin(), way.labels.begin() + way.label_count);
  }
  return key;
}

NextHopId Router::take(const NextHopSpec& spec) {
  auto key = key_of(spec);
  Shared& shared = next_hops_[key];
  if (shared.uses++ == 0) {
    shared.id = tables.add_next_hop(spec);
    keys_[shared.id] = key;
  }
  return shared.id;
}

void Router::give_back(NextHopId id) {
  auto at = next_hops_.find(keys_[id]);
  if (--at->second.uses != 0) return;
  next_hops_.erase(at);
  keys_.erase(id);
  tables.remove_next_hop(id);
}

void Router::set_route(VrfId vrf, const Prefix& prefix, NextHopId id) {
  auto change = [&](auto& fib, auto address) {
    rib::PrefixKey<decltype(address)> key{address, prefix.length};
    if (id == forwarding::kNoRoute) fib.erase(key);
    else fib.insert(key, id);
  };
  if (prefix.is_v6) change(tables.vrf(vrf).v6, forwarding::ipv6::load(prefix.address.data()));
  else change(tables.vrf(vrf).v4, load_be32(prefix.address.data()));
}

void Router::apply(const Wishes& wishes) {
  std::vector<NextHopId> unused;
  for (const auto& [vrf, wanted] : wishes.routes) {
    auto& have = routes_[vrf];
    for (const auto& [prefix, spec] : wanted) {
      NextHopId id = take(spec);
      auto [at, is_new] = have.try_emplace(prefix, id);
      if (!is_new) {
        unused.push_back(at->second);
        if (at->second == id) continue;
        at->second = id;
      }
      set_route(vrf, prefix, id);
    }
  }
  for (auto& [vrf, have] : routes_) {
    auto wanted = wishes.routes.find(vrf);
    std::erase_if(have, [&, vrf = vrf](const auto& route) {
      if (wanted != wishes.routes.end() && wanted->second.contains(route.first)) return false;
      set_route(vrf, route.first, forwarding::kNoRoute);
      unused.push_back(route.second);
      return true;
    });
  }
  for (const auto& [label, wish] : wishes.labels) {
    auto at = labels_.find(label);
    if (at != labels_.end() && at->second.wish == wish) continue;
    Installed fresh{wish, wish.kind == LabelAction::Kind::forward ? take(wish.next_hop) : 0};
    tables.set_label(label, {wish.kind, wish.kind == LabelAction::Kind::forward ? fresh.next_hop : wish.vrf});
    if (at != labels_.end() && at->second.next_hop != 0) unused.push_back(at->second.next_hop);
    labels_[label] = fresh;
  }
  std::erase_if(labels_, [&](const auto& entry) {
    if (wishes.labels.contains(entry.first)) return false;
    tables.set_label(entry.first, {});
    if (entry.second.next_hop != 0) unused.push_back(entry.second.next_hop);
    return true;
  });
  for (NextHopId id : unused) give_back(id);
  forwarder.quiescent();
  rcu.reclaim();
}

}  // namespace helio::lab

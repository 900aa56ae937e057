#include "rib/forwarding/tables.hpp"

#include "rr/base/check.hpp"

namespace helio::forwarding {

Tables::Tables(RcuDomain& rcu) : rcu_(rcu) { add_vrf(); }

// Nobody reads any more.
Tables::~Tables() {
  auto& account = rcu_.account();
  for (std::uint32_t i = 0; i < interface_count_; ++i) rib::release(account, rib::MemoryKind::directory, interfaces_.at(i).load(), sizeof(Interface));
  for (std::uint32_t i = 0; i < tunnel_count_; ++i) rib::release(account, rib::MemoryKind::directory, tunnels_.at(i).load(), sizeof(Tunnel));
  for (NextHopId i = 1; i < next_hop_limit_; ++i)
    if (NextHop* n = next_hops_.at(i).load()) rib::release(account, rib::MemoryKind::provenance, n, bytes(*n));
  for (VrfId i = 0; i < vrf_count_; ++i) delete *vrfs_.at(i);
}

template <class T>
void Tables::publish(std::atomic<T*>& entry, T* fresh, std::size_t bytes_before) {
  T* before = entry.exchange(fresh, std::memory_order_acq_rel);
  constexpr auto kind = std::is_same_v<T, NextHop> ? rib::MemoryKind::provenance : rib::MemoryKind::directory;
  if (before != nullptr) rcu_.retire(kind, before, bytes_before);
}

InterfaceId Tables::add_interface(const Interface& interface) {
  InterfaceId id = interface_count_++;
  set_interface(id, interface);
  return id;
}

void Tables::set_interface(InterfaceId id, const Interface& interface) {
  HELIO_CHECK(id < interface_count_, "no such interface");
  auto* fresh = new (rib::allocate(rcu_.account(), rib::MemoryKind::directory, sizeof(Interface))) Interface(interface);
  publish(interfaces_.at(id), fresh, sizeof(Interface));
}

VrfId Tables::add_vrf() {
  VrfId id = vrf_count_++;
  HELIO_CHECK(id < (1u << 20), "too many VRFs");
  vrfs_.at(id).store(new Vrf(rcu_), std::memory_order_release);
  return id;
}

TunnelId Tables::add_tunnel(const Tunnel& tunnel) {
  HELIO_CHECK(tunnel_count_ < kNoTunnel, "too many tunnels");
  auto* fresh = new (rib::allocate(rcu_.account(), rib::MemoryKind::directory, sizeof(Tunnel))) Tunnel(tunnel);
  publish(tunnels_.at(tunnel_count_), fresh, 0);
  return static_cast<TunnelId>(tunnel_count_++);
}

NextHop* Tables::make(const NextHopSpec& spec) {
  HELIO_CHECK(spec.ways.size() <= kMostWays, "too many equal ways");
  void* memory = rib::allocate(rcu_.account(), rib::MemoryKind::provenance, sizeof(NextHop) + spec.ways.size() * sizeof(Way));
  auto* next_hop = new (memory) NextHop();
  next_hop->kind = spec.kind;
  next_hop->vrf = spec.vrf;
  next_hop->way_count = static_cast<std::uint8_t>(spec.ways.size());
  auto* ways = reinterpret_cast<Way*>(next_hop + 1);
  for (std::size_t i = 0; i < spec.ways.size(); ++i) new (ways + i) Way(spec.ways[i]);
  return next_hop;
}

NextHopId Tables::add_next_hop(const NextHopSpec& spec) {
  NextHopId id;
  if (!free_next_hops_.empty() && free_next_hops_.front().epoch < rcu_.settled()) {
    id = free_next_hops_.front().id;
    free_next_hops_.pop_front();
  } else {
    id = next_hop_limit_++;
    HELIO_CHECK(id < (1u << 20), "too many next hops");
  }
  publish(next_hops_.at(id), make(spec), 0);
  return id;
}

void Tables::set_next_hop(NextHopId id, const NextHopSpec& spec) {
  auto& entry = next_hops_.at(id);
  NextHop* before = entry.load(std::memory_order_relaxed);
  HELIO_CHECK(before != nullptr, "no such next hop");
  publish(entry, make(spec), bytes(*before));
}

void Tables::remove_next_hop(NextHopId id) {
  auto& entry = next_hops_.at(id);
  NextHop* before = entry.load(std::memory_order_relaxed);
  HELIO_CHECK(before != nullptr, "no such next hop");
  publish(entry, static_cast<NextHop*>(nullptr), bytes(*before));
  free_next_hops_.push_back({rcu_.epoch(), id});
}

void Tables::set_label(std::uint32_t label, LabelAction action) {
  HELIO_CHECK(label >= 16 && label <= 0xfffff, "label out of range");
  labels_.at(label).store(static_cast<std::uint64_t>(action.value) << 32 | static_cast<std::uint64_t>(action.kind), std::memory_order_release);
}

}  // namespace helio::forwarding

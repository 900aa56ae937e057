// What a router forwards by: interfaces, VRFs with their FIBs, next hops with what they push, and the label table (LFIB).
// One writer changes them while any number of Forwarders read (rcu.hpp); every entry is published by one store.
//
//   interface ──► VRF ──FIB──► next hop ──► way (one of several equal ones): labels pushed, tunnel, interface
//   label ──LFIB──► next hop (swap, or pop where it pushes nothing) | look up in VRF | pop and look again
//
// A next hop is what routes share: when the way to a PE changes, one store redirects every route behind it.
#pragma once
#include <array>
#include <deque>
#include <vector>

#include "rib/forwarding/fib.hpp"
#include "rr/wire/types.hpp"

namespace helio::forwarding {

using InterfaceId = std::uint32_t;
using VrfId = std::uint32_t;
using TunnelId = std::uint16_t;
inline constexpr VrfId kGlobal = 0;  // the core's own addresses
inline constexpr TunnelId kNoTunnel = 0xffff;
inline constexpr std::size_t kMostLabels = 8;  // pushed by one way
inline constexpr std::size_t kMostWays = 16;

// How the TTL crosses the core (RFC 3443) and whether the traffic class is carried back into what a label covered (RFC 3270).
enum class Model : std::uint8_t { uniform, pipe };

struct Interface {
  VrfId vrf = kGlobal;
  bool is_labelled = false;  // takes labelled packets: never towards a customer
  bool is_up = true;
  std::uint32_t mtu = 1500;
  std::uint32_t address = 0;  // source of ICMP messages
  std::array<std::uint8_t, 16> address6{};
};

// MPLS in GRE or in IP (RFC 4023) over a core without labels.
struct Tunnel {
  enum class Kind : std::uint8_t { gre, ip };
  Kind kind = Kind::gre;
  std::uint32_t source = 0, destination = 0;
  std::uint8_t ttl = 64;
};

// One of the equal ways of a next hop.
struct Way {
  InterfaceId out = 0;                        // not used with a tunnel: its outer header is routed
  TunnelId tunnel = kNoTunnel;
  std::uint8_t label_count = 0;
  std::uint8_t entropy_after = 0;             // ELI and entropy label go below so many labels (RFC 6790 §4.2); 0: none
  std::array<std::uint32_t, kMostLabels> labels{};  // the top first
  bool operator==(const Way&) const = default;
};

// Immutable once it is in the table.
struct NextHop {
  enum class Kind : std::uint8_t {
    forward,   // one of the ways
    deliver,   // this router's own address
    discard,   // on purpose
    look_up,   // in another VRF of this router (route leaking)
  };
  Kind kind = Kind::discard;
  std::uint8_t way_count = 0;
  VrfId vrf = kGlobal;
  const Way* ways() const { return reinterpret_cast<const Way*>(this + 1); }
};

struct NextHopSpec {
  NextHop::Kind kind = NextHop::Kind::discard;
  VrfId vrf = kGlobal;
  std::vector<Way> ways;
  bool operator==(const NextHopSpec&) const = default;
};

// What an incoming top label means. 8 octets, published as one word.
struct LabelAction {
  enum class Kind : std::uint8_t {
    none,       // no such label: dropped
    forward,    // pop, then the next hop with what it pushes: swap, PHP (pushes nothing), per-CE label
    look_up,    // pop, then the VRF's FIB: per-VRF label
    pop_again,  // pop, then what is below: our own transport label without PHP
  };
  Kind kind = Kind::none;
  std::uint32_t value = 0;  // NextHopId or VrfId
  bool operator==(const LabelAction&) const = default;
};

// Entries by number in pages that never move.
template <class T>
class PagedArray {
 public:
  static constexpr std::size_t kPage = 1024, kPages = 1024;
  PagedArray() : pages_(kPages) {}
  ~PagedArray() {
    for (auto& page : pages_) delete page.load(std::memory_order_relaxed);
  }
  PagedArray(const PagedArray&) = delete;
  PagedArray& operator=(const PagedArray&) = delete;
  // Null: nothing was ever written near it.
  const T* find(std::uint32_t id) const {
    if (id >= kPage * kPages) return nullptr;
    const Page* page = pages_[id / kPage].load(std::memory_order_acquire);
    return page == nullptr ? nullptr : &page->entries[id % kPage];
  }
  // Writer; id below 2^20.
  T& at(std::uint32_t id) {
    std::atomic<Page*>& page = pages_[id / kPage];
    if (page.load(std::memory_order_relaxed) == nullptr) page.store(new Page(), std::memory_order_release);
    return page.load(std::memory_order_relaxed)->entries[id % kPage];
  }

 private:
  struct Page {
    std::array<T, kPage> entries{};
  };
  std::vector<std::atomic<Page*>> pages_;
};

struct Vrf {
  explicit Vrf(RcuDomain& rcu) : v4(rcu), v6(rcu) {}
  Fib<Address4> v4;
  Fib<Address6> v6;
};

class Tables {
 public:
  explicit Tables(RcuDomain& rcu);
  ~Tables();
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  // ---- writer ----
  InterfaceId add_interface(const Interface& interface);
  void set_interface(InterfaceId id, const Interface& interface);
  VrfId add_vrf();
  TunnelId add_tunnel(const Tunnel& tunnel);
  // Ids start at 1; a removed id is used again once no reader can still hold it: it could belong to another VRF by then.
  NextHopId add_next_hop(const NextHopSpec& spec);
  void set_next_hop(NextHopId id, const NextHopSpec& spec);
  // No route and no label may refer to it any more.
  void remove_next_hop(NextHopId id);
  // `label` from 16 on; kind none takes it out.
  void set_label(std::uint32_t label, LabelAction action);
  Vrf& vrf(VrfId id) { return **vrfs_.at(id); }
  // How this router treats TTL and traffic class; the source of its ICMP messages where an interface has no address.
  Model ttl_model = Model::uniform;
  Model dscp_model = Model::pipe;
  std::uint32_t router_address = 0;
  std::array<std::uint8_t, 16> router_address6{};

  // ---- any thread ----
  const Interface* interface(InterfaceId id) const { return load(interfaces_, id); }
  const Vrf* vrf(VrfId id) const {
    auto* entry = vrfs_.find(id);
    return entry == nullptr ? nullptr : entry->load(std::memory_order_acquire);
  }
  const NextHop* next_hop(NextHopId id) const { return load(next_hops_, id); }
  const Tunnel* tunnel(TunnelId id) const { return load(tunnels_, id); }
  LabelAction label(std::uint32_t label) const {
    auto* entry = labels_.find(label);
    if (entry == nullptr) return {};
    std::uint64_t word = entry->load(std::memory_order_acquire);
    return {static_cast<LabelAction::Kind>(word & 0xff), static_cast<std::uint32_t>(word >> 32)};
  }

 private:
  template <class T>
  using Pointers = PagedArray<std::atomic<T*>>;
  template <class T>
  static const T* load(const Pointers<T>& from, std::uint32_t id) {
    auto* entry = from.find(id);
    return entry == nullptr ? nullptr : entry->load(std::memory_order_acquire);
  }
  template <class T>
  void publish(std::atomic<T*>& entry, T* fresh, std::size_t bytes_before);
  NextHop* make(const NextHopSpec& spec);
  static std::size_t bytes(const NextHop& next_hop) { return sizeof(NextHop) + next_hop.way_count * sizeof(Way); }

  struct VrfEntry : std::atomic<Vrf*> {
    Vrf* operator*() const { return load(std::memory_order_relaxed); }
  };
  RcuDomain& rcu_;
  Pointers<Interface> interfaces_;
  Pointers<NextHop> next_hops_;
  Pointers<Tunnel> tunnels_;
  PagedArray<VrfEntry> vrfs_;
  PagedArray<std::atomic<std::uint64_t>> labels_;
  std::uint32_t interface_count_ = 0, vrf_count_ = 0, tunnel_count_ = 0;
  NextHopId next_hop_limit_ = 1;
  struct Freed {
    std::uint64_t epoch;
    NextHopId id;
  };
  std::deque<Freed> free_next_hops_;
};

}  // namespace helio::forwarding

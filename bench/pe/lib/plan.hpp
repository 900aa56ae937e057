// The workload as arithmetic: which PE has which VRF, which RD, label, route targets and prefixes a route
// has, and which routes a PE must end up with. Nothing is stored per route or per slice, so that a plan of
// 4000 PEs and 5 M routes costs nothing and a received NLRI is turned into (VRF, group, index) in a few
// nanoseconds.
//
// VRFs (VPNs) 0..V-1 are dealt to PEs in *cycles*: slot s = pe*K + k, cycle c = s / V. Within a cycle every
// VRF occurs exactly once, so that a VRF has one owner per cycle, and each cycle deals in another order, so
// that PEs do not share whole sets. Cycles c with the same c / M form a *group* g: the M owners of a
// multihomed site, which announce the same RD:prefixes. A *slice* is (VRF, group): R routes with the same RD.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/pe/lib/prefix_plan.hpp"
#include "bench/synthetic/vrf.hpp"
#include "rr/wire/types.hpp"

namespace helio::pe {

enum class RtcMode : std::uint8_t {
  off,
  on,
  default_route
};  // default_route: the PE asks for everything by RTC
enum class RdMode : std::uint8_t { per_pe, per_vrf };
using synthetic::LabelMode;
// full_mesh: one RT per VPN. hub_spoke: the owner of cycle 0 is the hub; spokes see the hub only, the hub all
// spokes. extranet: a VRF also imports its neighbour VPN's RT. random: it also imports two VPNs chosen by the
// seed.
enum class RtPlan : std::uint8_t { full_mesh, hub_spoke, extranet, random };

struct PlanOptions {
  std::uint32_t pes = 10;
  std::uint32_t announcers = 0;  // 0 = all; the PEs after these only listen
  std::uint32_t vrfs = 0;        // 0 = vrfs_per_pe
  std::uint32_t vpns =
      0;  // route targets that the VRFs share in turn; 0 = one per VRF. Not with RT-Constrain
  std::uint32_t vrfs_per_pe = 10;
  std::uint32_t routes_per_vrf = 100;  // per PE and VRF
  double ipv6_share = 0;
  std::uint32_t attrs_per_vrf = 1;  // attribute sets per PE and VRF; routes alternate between them
  std::uint32_t rts_per_route = 1;  // further RTs are imported by nobody
  std::uint32_t multihoming = 1;    // owners per slice (M)
  std::uint32_t add_paths = 1;      // the best so many of them are sent, but to none its own
  RtcMode rtc = RtcMode::on;
  RdMode rd_mode = RdMode::per_pe;
  LabelMode label_mode = LabelMode::per_vrf;
  RtPlan rt_plan = RtPlan::full_mesh;
  PrefixKind prefix_kind = PrefixKind::consecutive;
  std::shared_ptr<const PrefixList> prefix_list;  // of PrefixKind::list; routes_per_vrf 0 = all of it
  std::uint32_t asn = 65000;
  std::uint32_t base_address = 0x7f010001;  // of PE 0, host order; also its router-id
  // Instead of consecutive ones from base_address on: ascending, one per PE at least.
  std::shared_ptr<const std::vector<std::uint32_t>> addresses;
  std::uint32_t next_hop_base = 0;  // 0 = the PE's address
  std::uint64_t seed = 1;
  // Added to the numbers of all RDs and RTs, so that two plans can share a reflector.
  std::uint32_t number_base = 0;
};
// Where the numbers of canaries start: the checker of the load looks away there.
inline constexpr std::uint32_t kCanaryBase = 0x7000'0000;

class Plan {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // Throws std::invalid_argument with a message for the user when the numbers do not fit together.
  explicit Plan(const PlanOptions& options);

  const PlanOptions& options() const { return o_; }
  std::uint32_t pes() const { return o_.pes; }
  std::uint32_t vrfs() const { return o_.vrfs; }
  std::uint32_t groups() const { return groups_; }
  std::uint32_t routes_per_slice() const { return o_.routes_per_vrf; }
  std::uint32_t v4_routes_per_slice() const { return v4_routes_; }
  bool has_v6() const { return v4_routes_ < o_.routes_per_vrf; }
  std::uint64_t slices() const { return std::uint64_t{o_.vrfs} * groups_; }
  // Paths announced by all PEs together (a multihomed route counts once per owner).
  std::uint64_t paths() const { return std::uint64_t{o_.announcers} * o_.vrfs_per_pe * o_.routes_per_vrf; }
  const PrefixPlan& prefixes() const { return prefixes_; }

  std::uint32_t address(std::uint32_t pe) const {
    return o_.addresses == nullptr ? o_.base_address + pe : (*o_.addresses)[pe];
  }
  // The PE with this address, or kNone.
  std::uint32_t pe_of(std::uint32_t address) const;
  std::uint32_t next_hop(std::uint32_t pe) const {
    return o_.next_hop_base != 0 ? o_.next_hop_base + pe : address(pe);
  }
  bool announces(std::uint32_t pe) const { return pe < o_.announcers; }

  // The VRF at position k of a PE, and the cycle it was dealt in.
  std::uint32_t vrf_at(std::uint32_t pe, std::uint32_t k, std::uint32_t& cycle) const {
    std::uint64_t slot = std::uint64_t{pe} * o_.vrfs_per_pe + k;
    cycle = static_cast<std::uint32_t>(slot / o_.vrfs);
    return deal(cycle, static_cast<std::uint32_t>(slot % o_.vrfs));
  }
  // The position of a VRF on a PE, or kNone.
  std::uint32_t position_of(std::uint32_t pe, std::uint32_t vrf) const;
  // The PE that owns the VRF in this cycle, or kNone.
  std::uint32_t owner(std::uint32_t vrf, std::uint32_t cycle) const {
    if (cycle >= cycles_) return kNone;
    std::uint64_t slot = std::uint64_t{cycle} * o_.vrfs + undeal(cycle, vrf);
    std::uint64_t pe = slot / o_.vrfs_per_pe;
    return pe < o_.pes ? static_cast<std::uint32_t>(pe) : kNone;
  }
  std::uint32_t cycles() const { return cycles_; }
  std::uint32_t group_of_cycle(std::uint32_t cycle) const { return cycle / o_.multihoming; }

  // RD of a slice, as the 8 octets in host order: type 0, AS, number from 1.
  std::uint64_t rd(std::uint32_t vrf, std::uint32_t group) const {
    std::uint32_t number = o_.rd_mode == RdMode::per_pe ? vrf * groups_ + group : vrf;
    return rd_prefix_ | (o_.number_base + number + 1);
  }
  // From an RD back to the VRF and (RD per PE) the group; false when the RD is none of ours. With an RD per
  // VRF the group follows from the prefix: group_and_index().
  bool decode_rd(std::uint64_t rd, std::uint32_t& vrf, std::uint32_t& group) const {
    std::uint32_t number = static_cast<std::uint32_t>(rd) - 1 - o_.number_base;
    if ((rd & ~0xffffffffull) != rd_prefix_ || number >= rd_count_) return false;
    if (o_.rd_mode == RdMode::per_pe) {
      vrf = number / groups_;
      group = number % groups_;
    } else {
      vrf = number;
      group = 0;
    }
    return true;
  }
  // Position of the slice's first prefix in its prefix space: RDs of one VRF that share an RD, or (unique)
  // all slices.
  std::uint32_t prefix_offset(std::uint32_t vrf, std::uint32_t group) const {
    if (o_.prefix_kind == PrefixKind::unique) return (vrf * groups_ + group) * o_.routes_per_vrf;
    if (o_.rd_mode == RdMode::per_vrf) return group * o_.routes_per_vrf;
    // Another window of the random permutation for every RD.
    if (o_.prefix_kind == PrefixKind::random)
      return (vrf * groups_ + group) % random_windows_ * o_.routes_per_vrf;
    return 0;
  }

  std::uint32_t label(std::uint32_t vrf, std::uint32_t pe, std::uint32_t index) const {
    std::uint32_t base = vrf * 31 + pe * 7;
    if (o_.label_mode == LabelMode::per_prefix) base += index;
    if (o_.label_mode == LabelMode::per_ce) base += index / 16;
    return 16 + base % 1000000;
  }

  // Route targets as extended communities in host order. The first is the one somebody imports.
  std::uint64_t export_rt(std::uint32_t vrf, std::uint32_t cycle) const {
    std::uint32_t first = o_.number_base + 1;
    if (o_.rt_plan == RtPlan::hub_spoke) return rt_prefix_ | (first + vrf * 2 + (cycle == 0 ? 0 : 1));
    return rt_prefix_ | (first + vrf % o_.vpns);
  }
  std::uint64_t idle_rt(std::uint32_t vrf, std::uint32_t n) const {  // further RTs of a route
    return 0x0002'0000'0000'0000 | std::uint64_t{64000} << 32 | (vrf * 16 + n);
  }
  // Every RT that a PE imports, in order, without repetition.
  std::vector<std::uint64_t> import_rts(std::uint32_t pe) const;

  // Whether what (vrf, cycle) exports is wanted by the PE's imports. Without RTC every PE is sent everything.
  bool imports(std::uint32_t pe, std::uint32_t vrf, std::uint32_t cycle) const {
    return import_position(pe, vrf, cycle) != kNone;
  }
  // The same with the position of the VRF in the PE's expected set, for its bitmap: [0, import_positions()).
  std::uint32_t import_position(std::uint32_t pe, std::uint32_t vrf, std::uint32_t cycle) const {
    if (o_.rtc != RtcMode::on) return vrf;
    if (o_.rt_plan == RtPlan::full_mesh) return position_of(pe, vrf);
    return import_position_slow(pe, vrf, cycle);
  }
  // The VPN at an import position, or kNone (PEs of an irregular plan may have fewer).
  std::uint32_t vrf_of_import(std::uint32_t pe, std::uint32_t position) const {
    if (o_.rtc != RtcMode::on) return position;
    if (!import_lists_.empty())
      return position < import_lists_[pe].size() ? import_lists_[pe][position] : kNone;
    std::uint32_t cycle;
    return vrf_at(pe, position, cycle);
  }
  std::uint32_t import_positions() const { return o_.rtc != RtcMode::on ? o_.vrfs : imports_per_pe_; }

 private:
  std::uint32_t deal(std::uint32_t cycle, std::uint32_t x) const {
    const Deal& d = deals_[cycle];
    return static_cast<std::uint32_t>((std::uint64_t{x} * d.factor + d.shift) % o_.vrfs);
  }
  std::uint32_t undeal(std::uint32_t cycle, std::uint32_t vrf) const {
    const Deal& d = deals_[cycle];
    std::uint64_t y = vrf >= d.shift ? vrf - d.shift : vrf + o_.vrfs - d.shift;
    return static_cast<std::uint32_t>(y * d.inverse % o_.vrfs);
  }
  std::uint32_t import_position_slow(std::uint32_t pe, std::uint32_t vrf, std::uint32_t cycle) const;
  // VPNs whose RT the VRF imports besides its own.
  void extra_imports(std::uint32_t vrf, std::vector<std::uint32_t>& out) const;

  struct Deal {
    std::uint32_t factor = 1;
    std::uint32_t inverse = 1;
    std::uint32_t shift = 0;
  };
  PlanOptions o_;
  PrefixPlan prefixes_;
  std::uint32_t cycles_ = 0;
  std::uint32_t groups_ = 0;
  std::uint32_t v4_routes_ = 0;
  std::uint32_t imports_per_pe_ = 0;
  std::uint32_t random_windows_ = 1;
  std::uint64_t rd_prefix_ = 0;
  std::uint64_t rt_prefix_ = 0;
  std::uint32_t rd_count_ = 0;
  std::vector<Deal> deals_;
  // Import tables of the plans that are not a mesh: per PE sorted VPNs, position = index.
  std::vector<std::vector<std::uint32_t>> import_lists_;
};

}  // namespace helio::pe

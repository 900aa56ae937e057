#include "bench/pe/lib/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace helio::pe {
namespace {

std::uint64_t mix(std::uint64_t x) {  // splitmix64's finaliser
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// a^-1 mod m for gcd(a, m) = 1, by the extended Euclidean algorithm.
std::uint32_t inverse_mod(std::uint32_t a, std::uint32_t m) {
  std::int64_t t = 0, next_t = 1, r = m, next_r = a;
  while (next_r != 0) {
    std::int64_t q = r / next_r;
    t = std::exchange(next_t, t - q * next_t);
    r = std::exchange(next_r, r - q * next_r);
  }
  return static_cast<std::uint32_t>(t < 0 ? t + m : t);
}

void require(bool condition, const std::string& message) {
  if (!condition) throw std::invalid_argument(message);
}

}  // namespace

Plan::Plan(const PlanOptions& options)
    : o_(options), prefixes_(options.prefix_kind, options.seed, options.prefix_list) {
  if (o_.vrfs == 0) o_.vrfs = o_.vrfs_per_pe;
  require(o_.prefix_kind != PrefixKind::list || o_.prefix_list != nullptr, "prefix-plan list needs --mrt");
  if (o_.routes_per_vrf == 0 && o_.prefix_list != nullptr) o_.routes_per_vrf = o_.prefix_list->size();
  if (o_.vpns == 0) o_.vpns = o_.vrfs;
  if (o_.announcers == 0) o_.announcers = o_.pes;
  require(o_.pes >= 1, "pes must be at least 1");
  require(o_.announcers <= o_.pes, "announcers must not exceed pes");
  require(o_.vrfs_per_pe >= 1 && o_.vrfs_per_pe <= o_.vrfs, "vrfs-per-pe must be between 1 and vrfs");
  require(o_.routes_per_vrf >= 1, "routes-per-vrf must be at least 1");
  require(o_.ipv6_share >= 0 && o_.ipv6_share <= 1, "ipv6-share must be between 0 and 1");
  require(o_.attrs_per_vrf >= 1 && o_.attrs_per_vrf <= 65535, "attrs-per-vrf must be between 1 and 65535");
  require(o_.rts_per_route >= 1 && o_.rts_per_route <= 16, "rts-per-route must be between 1 and 16");
  require(o_.multihoming >= 1, "multihoming must be at least 1");
  require(o_.add_paths >= 1, "add-path must be at least 1");
  require(o_.vpns <= o_.vrfs, "vpns must not exceed vrfs");
  require(o_.vpns == o_.vrfs || o_.rtc != RtcMode::on,
          "vpns that share route targets work with --rtc off or default only");
  require(o_.vpns == o_.vrfs || o_.rt_plan == RtPlan::full_mesh, "vpns works with --rt-plan full-mesh only");
  require(o_.asn >= 1 && o_.asn <= 65535, "asn must be between 1 and 65535");
  require(o_.addresses == nullptr || o_.addresses->size() >= o_.pes, "fewer addresses than pes");
  require(o_.multihoming == 1 || o_.rt_plan == RtPlan::full_mesh,
          "multihoming works with --rt-plan full-mesh only");

  std::uint64_t slots = std::uint64_t{o_.pes} * o_.vrfs_per_pe;
  cycles_ = static_cast<std::uint32_t>((slots + o_.vrfs - 1) / o_.vrfs);
  groups_ = (cycles_ + o_.multihoming - 1) / o_.multihoming;
  v4_routes_ = o_.routes_per_vrf - static_cast<std::uint32_t>(std::lround(o_.ipv6_share * o_.routes_per_vrf));
  rd_prefix_ = std::uint64_t{o_.asn} << 32;
  rt_prefix_ = 0x0002'0000'0000'0000 | std::uint64_t{o_.asn} << 32;
  std::uint64_t rds = o_.rd_mode == RdMode::per_pe ? slices() : o_.vrfs;
  require(rds < kCanaryBase, "too many RDs");
  rd_count_ = static_cast<std::uint32_t>(rds);

  std::uint64_t prefixes_needed = o_.routes_per_vrf;
  if (o_.rd_mode == RdMode::per_vrf) prefixes_needed *= groups_;
  if (o_.prefix_kind == PrefixKind::unique) prefixes_needed = slices() * o_.routes_per_vrf;
  require(
      prefixes_needed <= prefixes_.capacity(),
      fmt::format("the prefix plan has {} prefixes, {} are needed", prefixes_.capacity(), prefixes_needed));

  random_windows_ = std::max(1u, prefixes_.capacity() / o_.routes_per_vrf);

  // Why: a PE whose slots lie in two cycles could be dealt one VRF twice if the cycles dealt in different
  // orders.
  bool shuffles = o_.vrfs % o_.vrfs_per_pe == 0 && o_.vrfs != o_.vrfs_per_pe;
  deals_.resize(cycles_);
  for (std::uint32_t c = 1; shuffles && c < cycles_; ++c) {
    std::uint32_t factor = static_cast<std::uint32_t>(mix(o_.seed * 1000003 + c) % o_.vrfs) | 1;
    while (std::gcd(factor, o_.vrfs) != 1) ++factor;
    factor %= o_.vrfs;
    if (factor == 0) factor = 1;
    deals_[c] = {factor, inverse_mod(factor, o_.vrfs),
                 static_cast<std::uint32_t>(mix(c ^ o_.seed << 20) % o_.vrfs)};
  }

  imports_per_pe_ = o_.vrfs_per_pe;
  if (o_.rt_plan == RtPlan::extranet || o_.rt_plan == RtPlan::random) {
    import_lists_.resize(o_.pes);
    imports_per_pe_ = 0;
    for (std::uint32_t pe = 0; pe < o_.pes; ++pe) {
      auto& list = import_lists_[pe];
      for (std::uint32_t k = 0; k < o_.vrfs_per_pe; ++k) {
        std::uint32_t cycle;
        std::uint32_t vrf = vrf_at(pe, k, cycle);
        list.push_back(vrf);
        extra_imports(vrf, list);
      }
      std::sort(list.begin(), list.end());
      list.erase(std::unique(list.begin(), list.end()), list.end());
      imports_per_pe_ = std::max(imports_per_pe_, static_cast<std::uint32_t>(list.size()));
    }
  }
}

std::uint32_t Plan::pe_of(std::uint32_t address) const {
  std::uint32_t pe = address - o_.base_address;
  if (o_.addresses != nullptr) {
    auto at = std::lower_bound(o_.addresses->begin(), o_.addresses->end(), address);
    bool is_there = at != o_.addresses->end() && *at == address;
    pe = is_there ? static_cast<std::uint32_t>(at - o_.addresses->begin()) : kNone;
  }
  return pe < o_.pes ? pe : kNone;
}

std::uint32_t Plan::position_of(std::uint32_t pe, std::uint32_t vrf) const {
  std::uint64_t first = std::uint64_t{pe} * o_.vrfs_per_pe;
  std::uint32_t cycle = static_cast<std::uint32_t>(first / o_.vrfs);
  for (std::uint32_t c = cycle; c < cycle + 2 && c < cycles_; ++c) {
    std::uint64_t slot = std::uint64_t{c} * o_.vrfs + undeal(c, vrf);
    if (slot >= first && slot < first + o_.vrfs_per_pe) return static_cast<std::uint32_t>(slot - first);
  }
  return kNone;
}

void Plan::extra_imports(std::uint32_t vrf, std::vector<std::uint32_t>& out) const {
  if (o_.rt_plan == RtPlan::extranet) out.push_back((vrf + 1) % o_.vrfs);
  if (o_.rt_plan == RtPlan::random) {
    for (std::uint64_t i = 0; i < 2; ++i) {
      out.push_back(static_cast<std::uint32_t>(mix(o_.seed + std::uint64_t{vrf} * 2 + i) % o_.vrfs));
    }
  }
}

std::uint32_t Plan::import_position_slow(std::uint32_t pe, std::uint32_t vrf, std::uint32_t cycle) const {
  if (o_.rt_plan == RtPlan::hub_spoke) {
    std::uint32_t position = position_of(pe, vrf);
    if (position == kNone) return kNone;
    std::uint32_t own_cycle;
    vrf_at(pe, position, own_cycle);
    return (own_cycle == 0) != (cycle == 0) ? position : kNone;
  }
  const auto& list = import_lists_[pe];
  auto at = std::lower_bound(list.begin(), list.end(), vrf);
  if (at == list.end() || *at != vrf) return kNone;
  return static_cast<std::uint32_t>(at - list.begin());
}

std::vector<std::uint64_t> Plan::import_rts(std::uint32_t pe) const {
  std::vector<std::uint64_t> rts;
  if (o_.rt_plan == RtPlan::extranet || o_.rt_plan == RtPlan::random) {
    for (std::uint32_t vrf : import_lists_[pe]) rts.push_back(export_rt(vrf, 0));
    return rts;
  }
  for (std::uint32_t k = 0; k < o_.vrfs_per_pe; ++k) {
    std::uint32_t cycle;
    std::uint32_t vrf = vrf_at(pe, k, cycle);
    // A hub imports what the spokes (any cycle but 0) export, and the other way round.
    rts.push_back(export_rt(vrf, o_.rt_plan == RtPlan::hub_spoke && cycle == 0 ? 1 : 0));
  }
  return rts;
}

}  // namespace helio::pe

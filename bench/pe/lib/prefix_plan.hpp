// Prefixes as a bijection with their index inside a VRF, so that the checker needs no table: the n-th prefix
// of a plan is computed, and so is the index of a received prefix.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>

#include "bench/pe/lib/prefix_list.hpp"

namespace helio::pe {

// consecutive: /24s from 10.0.0.0 on, the same in every VRF. unique: /24s from 10.0.0.0 on, never repeated
// over VRFs (for routers that are quadratic in repeated prefixes). random: /24s spread over 10.0.0.0/8 by the
// seed. enterprise: lengths 20..32 mixed as in customer VRFs.
enum class PrefixKind : std::uint8_t { consecutive, unique, random, enterprise, list };

class PrefixPlan {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  PrefixPlan() = default;
  PrefixPlan(PrefixKind kind, std::uint64_t seed, std::shared_ptr<const PrefixList> list = nullptr)
      : kind_(kind), seed_(static_cast<std::uint32_t>(seed * 0x9e3779b9u)), list_(std::move(list)) {}

  PrefixKind kind() const { return kind_; }
  // True when every prefix is a /24 whose index is its distance from the first: the checker's fastest loop.
  bool is_linear() const { return kind_ == PrefixKind::consecutive || kind_ == PrefixKind::unique; }
  static constexpr std::uint32_t kFirst24 = 0x0a0000;  // 10.0.0.0 >> 8

  Prefix4 at(std::uint32_t n) const;
  // The n of a received prefix, or kNone when it is not of this plan.
  std::uint32_t index_of(std::uint32_t address, std::uint8_t length) const;
  // How many prefixes the plan can give to one VRF (unique: to all of them).
  std::uint32_t capacity() const;

  // IPv6: /64s from fd00::/64 on; high half of the address.
  static constexpr std::uint64_t kFirstV6 = 0xfd00'0000'0000'0000;

 private:
  PrefixKind kind_ = PrefixKind::consecutive;
  std::uint32_t seed_ = 0;
  std::shared_ptr<const PrefixList> list_;
};

}  // namespace helio::pe

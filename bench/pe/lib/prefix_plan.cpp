#include "bench/pe/lib/prefix_plan.hpp"

namespace helio::pe {
namespace {

// Lengths of an enterprise VRF, dealt in turn: mostly /24, some host routes and transfer nets, some
// aggregates.
constexpr std::uint8_t kEnterprise[16] = {24, 24, 32, 24, 30, 24, 26, 24, 32, 24, 23, 24, 28, 24, 22, 20};
constexpr std::uint32_t kAggregates = 0x20000000;  // lengths below 24 lie in 32.0.0.0/3, one /20 each

// A bijection of 16-bit numbers: odd multiplications and xor-shifts, each of which can be undone.
std::uint32_t scramble(std::uint32_t n, std::uint32_t seed) {
  n = (n ^ seed) & 0xffff;
  n = n * 0x6a6d & 0xffff;
  n ^= n >> 8;
  n = n * 0x2c1b & 0xffff;
  n ^= n >> 7;
  return n;
}

constexpr std::uint32_t inverse16(std::uint32_t odd) {
  std::uint32_t x = odd;
  for (int i = 0; i < 4; ++i) x = x * (2 - odd * x);
  return x & 0xffff;
}

std::uint32_t unscramble(std::uint32_t n, std::uint32_t seed) {
  n ^= n >> 7 ^ n >> 14;
  n = n * inverse16(0x2c1b) & 0xffff;
  n ^= n >> 8;
  n = n * inverse16(0x6a6d) & 0xffff;
  return (n ^ seed) & 0xffff;
}

}  // namespace

Prefix4 PrefixPlan::at(std::uint32_t n) const {
  switch (kind_) {
    case PrefixKind::consecutive:
    case PrefixKind::unique:
      return {(kFirst24 + n) << 8, 24};
    case PrefixKind::random:
      return {kFirst24 << 8 | scramble(n, seed_) << 8, 24};
    case PrefixKind::list:
      return list_->at(n);
    case PrefixKind::enterprise:
      break;
  }
  std::uint8_t length = kEnterprise[n % 16];
  if (length < 24) return {kAggregates + (n << 12), length};
  return {(kFirst24 + n) << 8, length};
}

std::uint32_t PrefixPlan::index_of(std::uint32_t address, std::uint8_t length) const {
  switch (kind_) {
    case PrefixKind::consecutive:
    case PrefixKind::unique:
      if (length != 24 || (address & 0xff) != 0 || address >> 8 < kFirst24) return kNone;
      return (address >> 8) - kFirst24;
    case PrefixKind::random:
      if (length != 24 || address >> 24 != 10 || (address & 0xff) != 0) return kNone;
      return unscramble(address >> 8 & 0xffff, seed_);
    case PrefixKind::list:
      return list_->index_of(address, length);
    case PrefixKind::enterprise:
      break;
  }
  std::uint32_t n;
  if (length < 24) {
    if (address < kAggregates || (address & 0xfff) != 0) return kNone;
    n = (address - kAggregates) >> 12;
  } else {
    if (address >> 8 < kFirst24 || (address & 0xff) != 0) return kNone;
    n = (address >> 8) - kFirst24;
  }
  return kEnterprise[n % 16] == length ? n : kNone;
}

std::uint32_t PrefixPlan::capacity() const {
  switch (kind_) {
    case PrefixKind::consecutive:
      return 0x700000;  // 10.0.0.0 up to 122.0.0.0
    case PrefixKind::unique:
      return 0x750000;
    case PrefixKind::random:
      return 0x10000;
    case PrefixKind::list:
      return list_->size();
    case PrefixKind::enterprise:
      break;
  }
  return 1u << 17;
}

}  // namespace helio::pe

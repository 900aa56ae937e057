#include "rr/wire/vpn_nlri.hpp"

namespace helio::wire {
namespace {

constexpr unsigned kRdBits = 64;
constexpr unsigned kLabelBits = 24;

// All RD types in use are 0, 1 and 2 (RFC 4364 §4.2).
bool looks_like_rd(const std::uint8_t* p) { return p[0] == 0 && p[1] <= 2; }

}  // namespace

unsigned count_labels(const std::uint8_t* p, unsigned bits, unsigned max_prefix, bool is_withdrawal) {
  bool single_fits = bits - kRdBits - kLabelBits <= max_prefix;
  std::uint32_t first = load_be24(p);
  if (is_withdrawal && (first == 0x800000 || first == 0)) return single_fits ? 1 : 0;

  // The stack up to the S bit, as far as an RD still fits behind it.
  unsigned stack = 1;
  while (stack <= kMaxLabels && (stack + 1) * kLabelBits + kRdBits <= bits && (p[stack * 3 - 1] & 1) == 0) ++stack;
  bool stack_fits = stack > 1 && stack <= kMaxLabels && (p[stack * 3 - 1] & 1) != 0 && bits - kRdBits - stack * kLabelBits <= max_prefix;

  if (stack_fits && single_fits) return looks_like_rd(p + 3) && !looks_like_rd(p + stack * 3) ? 1 : stack;
  if (stack_fits) return stack;
  return single_fits ? 1 : 0;
}

}  // namespace helio::wire

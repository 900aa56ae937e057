// Byte streams of helio-pe's PEs, from the plan: packed UPDATEs of a PE's routes, withdrawals, memberships. What does not
// need the plan is in bench/synthetic, shared with helio-lab. RFC 4271 §4.3, RFC 4760, RFC 4364 §4.3.4, RFC 4659, RFC 4684 §4.
#pragma once
#include <cstdint>
#include <vector>

#include "bench/pe/lib/plan.hpp"
#include "bench/synthetic/messages.hpp"

namespace helio::pe {

using synthetic::append_cease;
using synthetic::append_end_of_rib;
using synthetic::append_keepalive;
using synthetic::append_open;
using synthetic::append_route_refresh;
using synthetic::ByteVector;
using synthetic::offers_paths;
using synthetic::OpenOptions;

// What one PE says about some of its routes.
struct RouteRange {
  std::uint32_t position = 0;  // of the VRF on the PE
  std::uint32_t first = 0;     // routes [first, first + count) of the slice
  std::uint32_t count = 0;
};
struct Announcement {
  std::uint32_t pack = 0;  // NLRIs per UPDATE at most; 0 = as many as fit in 4096 octets
  std::uint32_t med = 0;   // 0 = no MED
};
void append_routes(ByteVector& out, const Plan& plan, std::uint32_t pe, const RouteRange& range,
                   const Announcement& how);
void append_withdrawals(ByteVector& out, const Plan& plan, std::uint32_t pe, const RouteRange& range,
                        std::uint32_t pack);

// Everything a PE announces at a cold start. `slice_ends`, when given, receives the length after each VRF.
ByteVector build_routes(const Plan& plan, std::uint32_t pe, const Announcement& how,
                        std::vector<std::size_t>* slice_ends = nullptr);
// Memberships for the given RTs (withdrawn when `announce` is false), packed.
void append_memberships(ByteVector& out, const Plan& plan, std::uint32_t pe,
                        const std::vector<std::uint64_t>& rts, bool announce);
void append_default_membership(ByteVector& out, const Plan& plan, std::uint32_t pe);

// The COMMUNITIES value that tells the attribute sets of a VRF apart.
inline std::uint32_t variant_community(std::uint32_t variant) { return 64000u << 16 | variant; }

}  // namespace helio::pe

// Byte streams of the synthetic PEs: OPEN, memberships, packed UPDATEs of a PE's routes, withdrawals,
// End-of-RIB. Deliberately independent of rr/wire's encoders: the generator is a second implementation to
// hold the reflector against. RFC 4271 §4.3, RFC 4760, RFC 4364 §4.3.4, RFC 4659, RFC 4684 §4, RFC 4724 §2,
// RFC 7911 §4.
#pragma once
#include <cstdint>
#include <vector>

#include "bench/pe/lib/plan.hpp"
#include "rr/base/bytes.hpp"

namespace helio::pe {

using ByteVector = std::vector<std::uint8_t>;

struct OpenOptions {
  std::uint32_t asn = 65000;
  std::uint32_t router_id = 0;
  std::uint16_t hold_time = 90;
  bool vpnv4 = true;
  bool vpnv6 = false;
  bool rtc = false;
  bool add_path = false;  // able to receive several paths of the VPN families, RFC 7911 §4
};
void append_open(ByteVector& out, const OpenOptions& options);
// Whether the neighbour's OPEN (its body) says that it sends several paths of the family, RFC 7911 §4.
bool offers_paths(Bytes open, std::uint16_t afi, std::uint8_t safi);
void append_keepalive(ByteVector& out);
void append_end_of_rib(ByteVector& out, std::uint16_t afi, std::uint8_t safi);
void append_route_refresh(ByteVector& out, std::uint16_t afi, std::uint8_t safi);
void append_cease(ByteVector& out, std::uint8_t subcode);

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

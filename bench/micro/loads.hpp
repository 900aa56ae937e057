// Loads of the micro benchmarks: messages as a PE sends them, and the shapes of route tables.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "rib/prefix_tree.hpp"
#include "rr/wire/update.hpp"

namespace helio::bench {

using Octets = std::vector<std::uint8_t>;

inline constexpr std::uint64_t kFirstRd = 0x0000fde800000001;
inline constexpr std::uint64_t kFirstRt = 0x0002fde800000001;

// Attributes of an ordinary VPN route, encoded, without MP_REACH: ORIGIN, AS_PATH, MED, LOCAL_PREF, one RT.
Octets attributes_of(std::uint64_t route_target, std::uint32_t med = 0);

// One UPDATE body: `count` consecutive /24 (at most 260 fit 4096 octets) of one RD from 10.0.0.0 + first * 256.
Octets update_body(std::uint64_t rd, std::uint32_t first, std::uint32_t count, std::uint32_t next_hop, const Octets& attributes);
// The RT membership routes of a peer, and the End-of-RIB that ends them.
Octets membership_body(const std::vector<std::uint64_t>& targets, std::uint32_t next_hop);
Octets rtc_end_of_rib_body();

struct Item4 {
  std::uint64_t rd;
  rib::PrefixKey<rib::Address4> key;
};
struct Item6 {
  std::uint64_t rd;
  rib::PrefixKey<rib::Address6> key;
};

// VRFs as a PE has them: `rds` RDs with `per_rd` consecutive /24 each, RD by RD.
std::vector<Item4> consecutive(std::uint32_t rds, std::uint32_t per_rd);
// `per_rd` random /24 of RFC 1918 space in each RD.
std::vector<Item4> random_private(std::uint32_t rds, std::uint32_t per_rd);
// One RD with n prefixes of the lengths that the Internet table has (59 % /24, then /22, /23, /20 ... /16), shuffled.
std::vector<Item4> internet_like(std::uint32_t n);
// `per_rd` consecutive /64 of a /48 in each RD.
std::vector<Item6> sixes(std::uint32_t rds, std::uint32_t per_rd);

}  // namespace helio::bench

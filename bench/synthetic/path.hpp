// A BGP path as a synthetic PE holds it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::synthetic {

using wire::IpAddress;
using Prefix = wire::VpnPrefix;  // unicast: with RD 0

struct PathKey {
  Prefix prefix;  // with the RD in VPN families
  std::uint32_t path_id = 0;
  auto operator<=>(const PathKey&) const = default;
};

struct Path {
  std::vector<std::uint32_t> labels;  // 20 bits each; empty in unicast
  IpAddress next_hop;
  std::vector<std::uint64_t> targets;
  std::vector<std::uint32_t> communities;
  std::vector<Asn> as_path;           // all of it in one sequence
  std::uint8_t origin = 0;
  std::uint32_t local_pref = 100, med = 0;
  std::uint32_t originator = 0;       // ORIGINATOR_ID; 0: none
  std::uint32_t cluster_list_length = 0;
  bool operator==(const Path&) const = default;
};

inline bool has_as(const Path& path, Asn as) { return std::find(path.as_path.begin(), path.as_path.end(), as) != path.as_path.end(); }
inline wire::Family family_of(const Prefix& prefix, bool is_vpn) {
  if (is_vpn) return prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4;
  return prefix.is_v6 ? wire::Family::ipv6_unicast : wire::Family::ipv4_unicast;
}

}  // namespace helio::synthetic

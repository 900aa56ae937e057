#include "rr/wire/attributes.hpp"

#include <algorithm>

namespace helio::wire {

void collect_route_targets(Bytes extended_communities, std::vector<RouteTarget>& out) {
  for (std::size_t at = 0; at + 8 <= extended_communities.size(); at += 8) {
    std::uint64_t value = load_be64(extended_communities.data() + at);
    if (is_route_target(value)) out.push_back({value});
  }
}

bool contains_community(Bytes communities, std::uint32_t community) {
  for (std::size_t at = 0; at + 4 <= communities.size(); at += 4)
    if (load_be32(communities.data() + at) == community) return true;
  return false;
}

std::optional<std::uint64_t> find_aigp(Bytes aigp) {
  ByteReader reader(aigp);
  while (!reader.empty()) {
    std::uint8_t type = reader.u8();
    std::uint16_t length = reader.u16();
    if (!reader.ok() || length < 3) return std::nullopt;
    Bytes content = reader.take(length - 3u);
    if (!reader.ok()) return std::nullopt;
    if (type == 1 && content.size() == 8) return load_be64(content.data());
  }
  return std::nullopt;
}

std::optional<IpAddress> next_hop_address(Family family, Bytes next_hop) {
  bool has_rd = family == Family::vpnv4 || family == Family::vpnv6;
  std::size_t rd = has_rd ? 8 : 0;
  std::size_t size = next_hop.size();
  IpAddress address;
  if (size == rd + 16 || size == 2 * (rd + 16)) {
    address.is_v6 = true;
  } else if (size != rd + 4) {
    return std::nullopt;
  }
  std::copy_n(next_hop.begin() + static_cast<std::ptrdiff_t>(rd), address.is_v6 ? 16 : 4, address.bytes.begin());
  return address;
}

}  // namespace helio::wire

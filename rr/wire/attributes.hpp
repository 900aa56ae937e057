// What the engine reads out of attribute values that decode_update has accepted, besides AS_PATH (as_path.hpp).
#pragma once
#include <optional>
#include <vector>

#include "rr/wire/as_path.hpp"

namespace helio::wire {

namespace community {  // well-known communities (IANA)
inline constexpr std::uint32_t graceful_shutdown = 0xffff0000, accept_own = 0xffff0001, llgr_stale = 0xffff0006, no_llgr = 0xffff0007,
                               blackhole = 0xffff029a, no_export = 0xffffff01, no_advertise = 0xffffff02, no_export_subconfed = 0xffffff03;
}

// Appends the route targets among the extended communities, in the order received.
void collect_route_targets(Bytes extended_communities, std::vector<RouteTarget>& out);
bool contains_community(Bytes communities, std::uint32_t community);
// Attributes in order of type, as the reflector keeps them: the value of one of them (empty when it is not there), and
// the same attributes with one more community.
Bytes find_attribute(Bytes attributes, std::uint8_t type);
void add_community(std::vector<std::uint8_t>& out, Bytes attributes, std::uint32_t community);
// The metric of the first AIGP TLV (RFC 7311 §3); nullopt when the attribute has none.
std::optional<std::uint64_t> find_aigp(Bytes aigp);
// The address in a next hop field of a VPN family (the RD skipped; of a global and link-local pair the global one) or
// of one without RDs. nullopt for a length that decode_update does not accept.
std::optional<IpAddress> next_hop_address(Family family, Bytes next_hop);

}  // namespace helio::wire

// BGP routes as PEs and CEs of the laboratory hold them, and their way to and from UPDATEs by the codec of rr/wire.
#pragma once
#include <map>

#include "bench/lab/lib/topology.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::lab {

struct PathKey {
  Prefix prefix;  // with the RD in VPN families
  std::uint32_t path_id = 0;
  auto operator<=>(const PathKey&) const = default;
};

struct Path {
  std::vector<std::uint32_t> labels;  // 20 bits each; empty in unicast
  IpAddress next_hop;
  std::vector<std::uint64_t> targets;
  std::vector<std::uint8_t> as_path;  // four-octet
  std::uint8_t origin = 0;
  std::uint32_t local_pref = 100, med = 0;
  std::uint32_t originator = 0;       // ORIGINATOR_ID; 0: none
  std::uint32_t cluster_list_length = 0;
  bool operator==(const Path&) const = default;
};

unsigned as_path_length(const Path& path);
bool has_as(const Path& path, Asn as);

// What an UPDATE says.
struct RouteChanges {
  std::vector<std::pair<PathKey, Path>> announced;
  std::vector<PathKey> withdrawn;
  std::vector<wire::RtMembership> joined, left;
  std::optional<wire::Family> end_of_rib;
  std::size_t errors = 0;  // of RFC 7606: a reflector sends none
};
Result<RouteChanges, wire::Notification> read_update(Bytes body, const wire::UpdateContext& context);

wire::Family family_of(const Prefix& prefix, bool is_vpn);
// Whole messages, appended. LOCAL_PREF is left out towards external neighbours.
void write_route(std::vector<std::uint8_t>& out, const Prefix& prefix, const Path& path, bool is_vpn, bool is_external);
void write_withdrawal(std::vector<std::uint8_t>& out, const Prefix& prefix, bool is_vpn);
void write_membership(std::vector<std::uint8_t>& out, const wire::RtMembership& membership, const IpAddress& next_hop, bool announce);

}  // namespace helio::lab

// A route and its paths, as views show them.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::reflector {

struct PathView {
  wire::IpAddress from;                   // peer
  wire::IpAddress next_hop;
  std::vector<std::uint32_t> labels;      // 20-bit values
  std::string payload;                    // of EVPN: ESI and gateway
  std::uint32_t path_id = 0;              // as received, 0 without ADD-PATH
  std::uint32_t sent_path_id = 0;         // what peers with ADD-PATH are sent it with
  bool best = false;
  std::uint32_t local_pref = 0;
  std::optional<std::uint32_t> med;
  std::string as_path;                    // "65001 65002 {65003}"
  char origin = 'i';                      // i e ?
  std::uint32_t originator_id = 0;        // 0 when absent
  std::vector<std::uint32_t> cluster_list;
  std::vector<wire::RouteTarget> route_targets;
  std::vector<std::string> communities;
  std::chrono::seconds age{0};
  std::string policy;                     // what the import policy made of it: "" (none), accepted, changed, rejected
  std::vector<std::string> policy_statements;  // that matched
  std::string lost_at;                    // "" for the best; otherwise the decision step, e.g. "lower LOCAL_PREF"
};

struct RouteView {
  wire::VpnPrefix prefix;
  std::string evpn;                       // of EVPN: the route type and its key; only the RD of `prefix` counts then
  std::vector<PathView> paths;            // best first
};

}  // namespace helio::reflector

// Texts of the value structs, for failure reports.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/support/naive_codec.hpp"

namespace helio::test {

std::string format_key(const wire::VpnPrefix& prefix) { return wire::format_rd(prefix.rd) + " " + wire::format_prefix(prefix); }

std::string format_attributes(const PathAttributes& a) {
  std::string out = fmt::format("origin={} as-path=[", a.origin);
  for (const AsSegment& segment : a.as_path)
    out += fmt::format("{}{}{}", segment.type == AsSegment::kSet ? "{" : "", fmt::join(segment.ases, " "), segment.type == AsSegment::kSet ? "}" : "");
  out += fmt::format("] nh={:02x}", fmt::join(a.next_hop, ""));
  if (a.med) out += fmt::format(" med={}", *a.med);
  if (a.local_pref) out += fmt::format(" lp={}", *a.local_pref);
  if (!a.communities.empty()) out += fmt::format(" comm={:#x}", fmt::join(a.communities, ","));
  if (a.originator_id) out += fmt::format(" originator={:#x}", *a.originator_id);
  if (!a.cluster_list.empty()) out += fmt::format(" clusters={:#x}", fmt::join(a.cluster_list, ","));
  if (!a.extended_communities.empty()) {
    out += " ext=";
    for (std::uint64_t c : a.extended_communities)
      out += (wire::is_route_target(c) ? wire::format_rt(wire::RouteTarget{c}) : fmt::format("{:#018x}", c)) + ",";
    out.pop_back();
  }
  for (const RawAttribute& other : a.others) out += fmt::format(" attr{}/{:#x}={:02x}", other.type, other.flags, fmt::join(other.value, ""));
  return out;
}

std::string format_route(const HeldRoute& route) {
  return fmt::format("label {:#x} {}", fmt::join(route.labels, ","), format_attributes(route.attributes));
}

}  // namespace helio::test

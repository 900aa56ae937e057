#include "rr/wire/negotiate.hpp"

#include <algorithm>

namespace helio::wire {
namespace {

// RFC 4760 §8: a speaker without the capability speaks IPv4 unicast, and nothing else.
FamilySet families_of(const Capabilities& capabilities) {
  FamilySet families;
  for (AfiSafi value : capabilities.multiprotocol)
    if (auto family = family_of(value)) families.insert(*family);
  if (capabilities.multiprotocol.empty()) families.insert(Family::ipv4_unicast);
  return families;
}

FamilySet ipv6_next_hop_of(const Capabilities& capabilities) {
  FamilySet families;
  for (const ExtendedNextHop& entry : capabilities.extended_next_hop)
    if (auto family = family_of(entry.family); family && entry.next_hop_afi == 2) families.insert(*family);
  return families;
}

struct AddPathFamilies {
  FamilySet receive;
  FamilySet send;
};
AddPathFamilies add_path_of(const Capabilities& capabilities) {
  AddPathFamilies families;
  for (const AddPath& entry : capabilities.add_path) {
    auto family = family_of(entry.family);
    if (family && entry.receive) families.receive.insert(*family);
    if (family && entry.send) families.send.insert(*family);
  }
  return families;
}

void negotiate_restart(Negotiated& out, const Capabilities& local, const Capabilities& remote) {
  if (!local.graceful_restart || !remote.graceful_restart) return;
  out.restart_capable = true;
  const GracefulRestart& restart = *remote.graceful_restart;
  out.remote_restarting = restart.restarting;
  out.restart_on_notification = restart.notification && local.graceful_restart->notification;
  out.restart_time = restart.restart_time;
  for (const auto& entry : restart.families) {
    auto family = family_of(entry.family);
    if (!family || !out.families.contains(*family)) continue;
    out.graceful_restart.insert(*family);
    if (entry.forwarding_preserved) out.forwarding_preserved.insert(*family);
  }
  // RFC 9494 §4.1: only together with graceful restart.
  if (!local.long_lived_graceful_restart || !remote.long_lived_graceful_restart) return;
  out.long_lived_capable = true;
  FamilySet ours;
  for (const auto& entry : *local.long_lived_graceful_restart)
    if (auto family = family_of(entry.family)) ours.insert(*family);
  for (const auto& entry : *remote.long_lived_graceful_restart) {
    auto family = family_of(entry.family);
    if (!family || !out.families.contains(*family) || !ours.contains(*family)) continue;
    out.long_lived.insert(*family);
    out.stale_time[index(*family)] = entry.stale_time;
    if (entry.forwarding_preserved) out.forwarding_preserved.insert(*family);
  }
}

}  // namespace

Negotiated negotiate(const OpenMessage& local, const OpenMessage& remote) {
  const Capabilities& ours = local.capabilities;
  const Capabilities& theirs = remote.capabilities;
  Negotiated out;
  out.families = families_of(ours) & families_of(theirs);
  AddPathFamilies our_paths = add_path_of(ours);
  AddPathFamilies their_paths = add_path_of(theirs);
  out.add_path_receive = our_paths.receive & their_paths.send & out.families;
  out.add_path_send = our_paths.send & their_paths.receive & out.families;
  out.ipv6_next_hop = ipv6_next_hop_of(ours) & ipv6_next_hop_of(theirs) & out.families;
  out.four_octet_as = ours.four_octet_as && theirs.four_octet_as;
  if (ours.extended_message) out.max_receive = kMaxExtendedMessage;
  if (ours.extended_message && theirs.extended_message) out.max_send = kMaxExtendedMessage;
  // RFC 7313 §4: whoever has the enhanced capability also takes plain requests.
  out.route_refresh = theirs.route_refresh || theirs.enhanced_route_refresh;
  out.enhanced_route_refresh = ours.enhanced_route_refresh && theirs.enhanced_route_refresh;
  out.hold_time = std::min(local.hold_time, remote.hold_time);
  // RFC 4271 §4.4: at most one keepalive a second, and a third of a short hold time still is a whole second.
  out.keepalive = out.hold_time == 0 ? std::uint16_t{0} : std::max<std::uint16_t>(out.hold_time / 3, 1);
  negotiate_restart(out, ours, theirs);
  return out;
}

UpdateContext make_update_context(const Negotiated& negotiated, bool is_external) {
  UpdateContext context;
  context.four_octet_as = negotiated.four_octet_as;
  context.is_external = is_external;
  context.families = negotiated.families;
  context.add_path_receive = negotiated.add_path_receive;
  context.ipv6_next_hop = negotiated.ipv6_next_hop;
  return context;
}

}  // namespace helio::wire

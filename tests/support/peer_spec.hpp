// One simulated peer: what its session negotiated and how the reflector is configured towards it.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "rr/session/settings.hpp"

namespace helio::test {

struct PeerSpec {
  PeerId id;
  wire::IpAddress address, local_address;
  std::uint32_t router_id = 0;
  session::PeerRole role = session::PeerRole::client;
  Asn peer_as = 0;
  wire::FamilySet families;
  wire::FamilySet ipv6_next_hop;
  bool four_octet_as = true;
  bool enhanced_refresh = false;
  bool extended_messages = false;
  session::GroupSettings::RtcAdvertise advertise = session::GroupSettings::RtcAdvertise::automatic;
  std::chrono::seconds rtc_initial_wait{60};
  std::uint32_t external_paths = 0;  // external, with RTC: memberships count if among this many best ones; 0: all
  bool without_rtc_send_all = true;
  bool next_hop_self = false;  // external
  wire::FamilySet add_path_receive, add_path_send;  // RFC 7911, as the reflector sees it
  std::uint32_t send_max = 255;                     // paths per prefix, where add_path_send has the family; 255: all
  bool best_external = false;                       // non-clients
  std::uint32_t cluster_id = 0;                     // 0: the reflector's
  bool client_to_client = true;                     // clients
  std::string group = "simulated";
  std::vector<std::uint64_t> configured_targets;  // without RTC: what it is sent
  std::optional<std::uint32_t> marker;            // without RTC: VPN routes with this community say what it is sent
  // Graceful restart (RFC 4724, RFC 8538, RFC 9494) as both sides agreed; without the capability nothing is kept.
  bool restart_capable = false, notification_restarts = false, long_lived_capable = false;
  bool long_lived_aware = false;  // RFC 9494 is turned on for its group
  wire::FamilySet kept_over_restart, kept_for_long;
  std::chrono::seconds restart_time{0}, stale_routes_time{360}, long_lived_time{0};
  session::PrefixLimits prefix_limits{};  // discard_new is acted on

  bool has(wire::Family family) const { return families.contains(family); }
  bool is_external() const { return role == session::PeerRole::external; }
};

}  // namespace helio::test

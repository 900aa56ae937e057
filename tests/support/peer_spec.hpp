// One simulated peer: what its session negotiated and how the reflector is configured towards it.
#pragma once
#include <chrono>
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
  bool without_rtc_send_all = true;
  bool next_hop_self = false;  // external
  std::string group = "simulated";
  std::vector<std::uint64_t> configured_targets;  // without RTC: what it is sent

  bool has(wire::Family family) const { return families.contains(family); }
  bool is_external() const { return role == session::PeerRole::external; }
};

}  // namespace helio::test

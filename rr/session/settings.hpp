// What a session needs to know of one neighbour: plain values, made from the configuration by the application.
#pragma once
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/secret.hpp"
#include "rr/wire/types.hpp"

namespace helio::session {

enum class PeerRole : std::uint8_t { client, non_client, external };  // external: eBGP

constexpr std::string_view role_name(PeerRole role) {
  return role == PeerRole::client ? "client" : role == PeerRole::non_client ? "non-client" : "external";
}

// How the segments of a session are signed, when there is a password.
enum class AuthMethod : std::uint8_t { tcp_md5, tcp_ao };  // RFC 2385; RFC 5925 with HMAC-SHA-1-96

// BFD (RFC 5883) of a group's or a neighbour's sessions.
struct BfdSettings {
  bool enabled = false;
  std::chrono::milliseconds interval{300};
  std::uint8_t multiplier = 3;
  bool operator==(const BfdSettings&) const = default;
};
// How many routes of a family a peer may have with us. A share of the limit is warned of; above it, by `action`: only
// that; the session ends (RFC 4486 §4) for restart_timer; what is new is not taken.
struct PrefixLimit {
  enum class Action : std::uint8_t { warn, idle_hold, discard_new };
  std::uint32_t max_prefixes = 0;
  std::uint32_t warning_threshold_pct = 80;
  Action action = Action::warn;
  std::chrono::seconds restart_timer{60};  // idle_hold; 0 = until somebody clears the peer
  bool operator==(const PrefixLimit&) const = default;
};
using PrefixLimits = std::array<std::optional<PrefixLimit>, wire::kFamilyCount>;

// Shared by all peers of a group; immutable, replaced as a whole by a reload.
struct GroupSettings {
  std::string name;
  Asn local_as = 0;
  std::uint32_t router_id = 0;
  std::uint32_t cluster_id = 0;
  Asn peer_as = 0;
  PeerRole role = PeerRole::client;
  wire::FamilySet families;
  std::chrono::seconds hold_time{90};
  std::chrono::seconds keepalive_interval{30};
  std::chrono::seconds connect_retry{10};
  std::chrono::seconds send_hold_time{480};        // RFC 9687; 0 = off
  std::chrono::seconds delay_open{0};              // RFC 4271 §8.1.1 DelayOpen; 0 = off
  std::chrono::seconds rtc_initial_wait{60};       // RFC 4684 §6
  bool close_when_behind = false;                  // a peer that is left behind is closed instead of caught up
  std::chrono::seconds max_lag{0};                 // of the oldest change not taken; beyond it the peer is closed; 0 = off
  bool passive = false;
  bool extended_messages = true;                   // RFC 8654 offered
  bool next_hop_self = false;                      // external groups only
  bool client_to_client = true;                    // clients: false where the clients of the cluster are meshed (RFC 4456 §6)
  wire::FamilySet add_path_receive;                // RFC 7911 offered
  std::array<std::uint8_t, wire::kFamilyCount> add_path_send_max{};  // paths per prefix; up to 1: not offered; 255: all
  bool best_external = false;                      // non-clients: the best path that they may be sent
  bool without_rtc_send_all = true;                // families.without-rtc = "send-all"
  std::vector<std::uint64_t> configured_targets;   // families.without-rtc = "configured": what a peer without RTC is sent
  std::vector<wire::RtMembership> configured_memberships;  // beside these: shorter ones
  std::optional<std::uint32_t> marker_community;   // peers without RTC: their VPN routes with it say what they are sent
  enum class RtcAdvertise : std::uint8_t { specific, only_default, both, automatic };
  RtcAdvertise rtc_advertise = RtcAdvertise::automatic;
  std::uint8_t rtc_external_paths = 0;             // external: a membership counts if it is among this many best ones of external peers; 0: all
  std::optional<wire::IpAddress> local_address;
  Secret auth_password;                            // TCP-MD5 or TCP-AO; empty = none; never printed
  AuthMethod auth_method = AuthMethod::tcp_md5;
  std::uint8_t auth_key_id = 1;                    // TCP-AO: both ways
  std::uint8_t ttl_min = 0;                        // GTSM (RFC 5082); 0 = off
  std::uint8_t multihop = 0;                       // external: TTL to send with; 0 = 255 for iBGP, 1 for eBGP
  BfdSettings bfd;
  bool heeds_graceful_shutdown = false;            // RFC 8326: LOCAL_PREF 0 for routes with the community
  std::string hostname;                            // FQDN capability
  bool graceful_restart_helper = false;            // RFC 4724: keep the routes of peers that restart
  bool graceful_restart_full = false;              // also ask peers to keep ours
  std::chrono::seconds restart_time{120};          // we take at most to come back
  std::chrono::seconds stale_routes_time{360};     // stale routes are kept at most, until the peer's End-of-RIB
  std::chrono::seconds long_lived_stale_time{0};   // RFC 9494; 0 = off
  PrefixLimits prefix_limits;

  bool operator==(const GroupSettings&) const = default;

  // A peer without RTC is sent what memberships ask for that it has in other ways.
  bool filters_without_rtc() const { return !without_rtc_send_all || marker_community; }
  // Those it has from the beginning.
  std::vector<wire::RtMembership> memberships_without_rtc() const {
    std::vector<wire::RtMembership> out = configured_memberships;
    for (std::uint64_t target : configured_targets) out.push_back({96, local_as, target});
    return out;
  }
};

// What an Established session goes on with when its group becomes `wanted`: the settings that can change under it are
// those of `wanted`, the rest stays as in `running` until the next session.
GroupSettings settings_under_session(const GroupSettings& running, const GroupSettings& wanted);

struct NeighborSettings {
  wire::IpAddress address;
  std::uint16_t remote_port = 179;
  std::string description;
  bool dynamic = false;                            // from a listen range
  bool admin_down = false;
  std::shared_ptr<const GroupSettings> group;
};

struct ListenRange {
  wire::IpAddress prefix;
  std::uint8_t length = 0;
  std::uint32_t max_peers = 0;
  std::shared_ptr<const GroupSettings> group;
};

struct ListenEndpoint {
  wire::IpAddress address;
  std::uint16_t port = 179;
};

}  // namespace helio::session

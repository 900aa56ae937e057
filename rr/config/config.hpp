// The configuration as typed values: what the rest of the program gets. Every value is checked and every default is
// filled in; file names are absolute. Made by load.hpp, turned into session settings by session_settings.hpp.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rr/config/node.hpp"
#include "rr/config/problem.hpp"
#include "rr/config/values.hpp"
#include "rr/policy/definition.hpp"
#include "rr/session/settings.hpp"

namespace helio::config {

using RtcAdvertise = session::GroupSettings::RtcAdvertise;

struct Global {
  Asn as = 0;
  std::uint32_t router_id = 0;
  std::uint32_t cluster_id = 0;
  std::vector<session::ListenEndpoint> listen;  // never empty
  bool graceful_shutdown = false;
};

struct Runtime {
  std::uint32_t shards = 0;          // 0: one per core
  std::uint64_t memory_limit_bytes = 0;  // 0: none configured
  std::uint32_t shard_queue = 65536;
};

struct InitialSync {
  std::chrono::seconds max_delay{120};
  double peers_ratio = 0.9;
};

struct Timers {
  std::chrono::seconds hold_time{90};
  std::chrono::seconds keepalive_interval{30};
  std::chrono::seconds connect_retry{10};
  std::chrono::seconds send_hold_time{480};
  std::chrono::milliseconds advertise_delay{0};
  std::optional<InitialSync> initial_sync;
};

struct AddPaths {
  bool receive = false;
  static constexpr std::uint32_t kAll = 255;
  std::uint32_t send_max = 1;
  bool operator==(const AddPaths&) const = default;
};

using PrefixLimit = session::PrefixLimit;
using PrefixLimits = std::map<wire::Family, PrefixLimit>;

struct FamilySettings {
  enum class WithoutRtc : std::uint8_t { send_all, send_none, configured };
  wire::Family name = wire::Family::vpnv4;
  AddPaths add_paths;
  std::optional<PrefixLimit> prefix_limit;
  WithoutRtc without_rtc = WithoutRtc::send_all;
};

struct RtConstrain {
  std::chrono::seconds initial_wait{60};
  RtcAdvertise advertise = RtcAdvertise::automatic;
  std::uint8_t external_paths = 0;         // 0: all
  std::vector<std::string> route_targets;  // of peers without RTC; per group
  bool proxy_import_policy = false;        // likewise
  std::string marker_community;            // likewise
};

struct GracefulRestart {
  enum class Mode : std::uint8_t { off, helper, full };
  Mode mode = Mode::off;
  std::chrono::seconds restart_time{120};
  std::chrono::seconds stale_routes_time{360};
  std::chrono::seconds long_lived_stale_time{0};
  std::chrono::seconds selection_deferral_time{360};
};

// What happens to peers that do not read as fast as routes change.
struct SlowPeer {
  bool close = false;              // at once when left behind, instead of catching up
  std::chrono::seconds max_lag{0};
};
struct SlowPeerLimits {
  std::uint64_t queue_limit_bytes = 8ull << 20;
  std::chrono::milliseconds stall_time{200};
  std::uint64_t tombstones = 1ull << 20;
};

struct BestPath {
  bool always_compare_med = false;
  bool missing_as_worst = false;
  bool aigp = false;
  bool cost_community = true;
  bool prefer_oldest_external = false;
  bool track_next_hops = false;            // by the kernel's routes
  bool next_hop_default_route = false;
  std::chrono::milliseconds next_hop_delay{500};
};

struct PeerGroup {
  std::string name;
  Asn peer_as = 0;
  session::PeerRole role = session::PeerRole::client;
  wire::FamilySet families;
  std::uint32_t cluster_id = 0;
  bool client_to_client = true;
  bool passive = false;
  std::optional<wire::IpAddress> local_address;
  Secret auth_password;  // contents of auth-password-file; never printed
  session::AuthMethod auth_method = session::AuthMethod::tcp_md5;
  std::uint8_t auth_key_id = 1;
  std::uint8_t ttl_min = 0;
  std::uint8_t multihop = 0;  // 0: the default of the role
  bool next_hop_self = false;
  session::BfdSettings bfd;
  bool heeds_graceful_shutdown = false;
  RtConstrain rt_constrain;   // the global one with the group's overrides
  SlowPeer slow_peer;         // likewise
  std::map<wire::Family, AddPaths> add_paths;  // of the VPN families, with the group's overrides
  bool best_external = false;                  // non-clients
  PrefixLimits prefix_limits;
  std::vector<std::string> import_policy, export_policy;
};

struct Neighbor {
  wire::IpAddress address;
  std::size_t group = 0;  // index into Config::peer_groups
  std::string description;
  std::uint16_t remote_port = 179;
  std::optional<bool> passive;
  std::optional<wire::IpAddress> local_address;
  Secret auth_password;  // empty: the group's
  std::optional<session::BfdSettings> bfd;  // with what the group gives
  PrefixLimits prefix_limits;
  std::optional<std::vector<std::string>> route_targets;  // the group's when absent
};

struct ListenRange {
  Prefix prefix;
  std::size_t group = 0;
  std::uint32_t max_peers = 0;
  Secret auth_password;  // empty: the group's
};

// Which route targets are held; neither: all.
struct Partition {
  std::uint32_t index = 0, count = 0;
  std::vector<std::string> route_targets;
  std::optional<bool> without_route_targets;  // routes that have none
  bool is_set() const { return count != 0 || !route_targets.empty(); }
};

struct Security {
  std::uint32_t max_sessions_per_source = 1;
  std::uint32_t max_pending_sessions = 256;
  std::uint32_t session_rate = 0;  // per second; 0: no limit
  bool seccomp = true;
};

// Against a leak of one customer: 0 is no limit.
struct Limits {
  std::uint32_t max_paths_per_rd = 0;
  std::uint32_t max_prefixes_per_rt_set = 0;
  std::uint32_t max_attribute_size = 0;  // octets of the attributes of one UPDATE
};

struct Control {
  std::string socket = "/run/heliograph/control.sock";
  std::uint32_t mode = 0660;
  std::string group;  // empty: leave as it is
  std::string operator_group;  // empty: who may open the socket may change things
  wire::IpAddress address = wire::IpAddress::v4(0x7f000001);  // loopback
  std::uint16_t port = 0;      // 0: no TCP
  std::string token_file, read_token_file;  // empty: none
};

struct Telemetry {
  enum class PerPeer : std::uint8_t { off, essential, full };
  wire::IpAddress address = wire::IpAddress::v4(0x7f000001);
  std::uint16_t port = 9179;  // 0: off
  PerPeer per_peer = PerPeer::essential;
  std::uint64_t max_peer_series = 200000;
  bool canary = false;
};

struct Journal {
  std::uint64_t memory_bytes = 64ull << 20;  // 0: off
};

struct Log {
  std::string level = "info";
  std::string format = "text";
};

struct BmpStation {
  wire::IpAddress address;
  std::uint16_t port = 11019;
  std::vector<std::string> policies;
  std::uint64_t queue_limit_bytes = 64ull << 20;
  std::chrono::seconds stats_interval{60};
};

struct Mrt {
  std::string directory;
  std::chrono::seconds rib_dump_interval{7200};
  bool updates = false;
  std::chrono::seconds updates_interval{900};
  std::uint32_t keep_files = 0;  // of each kind; 0: all
  bool operator==(const Mrt&) const = default;
};

struct Config {
  std::string file;
  std::string hash;  // of the file's text; 16 hex digits
  Global global;
  Runtime runtime;
  Timers timers;
  std::vector<FamilySettings> families;  // as listed; all three VPN families when none is
  RtConstrain rt_constrain;
  Partition partition;
  SlowPeer slow_peer;
  SlowPeerLimits slow_peer_limits;
  BestPath best_path;
  GracefulRestart graceful_restart;
  std::vector<PeerGroup> peer_groups;
  std::vector<Neighbor> neighbors;
  std::vector<ListenRange> listen_ranges;
  policy::Definition policy;
  Security security;
  Limits limits;
  Control control;
  Telemetry telemetry;
  Journal journal;
  Log log;
  std::vector<BmpStation> bmp_stations;
  std::optional<Mrt> mrt;
  std::vector<ConfigProblem> warnings;
  Node tree;  // the file as written: what reloads compare and the API shows (it holds no secrets)
};

}  // namespace helio::config

// What is not counted on a hot path but known to somebody: published every few seconds as a whole, read by a scrape
// without waiting for anybody. Plain values; texts are those of the CLI.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace helio::telemetry {

// Text about a peer; made when it changes and shared by the samples until then.
struct PeerIdentity {
  std::string address, group, peer_as, router_id, hostname, description, role;
  bool operator==(const PeerIdentity&) const = default;
};

struct PeerFamilySample {
  std::uint8_t family = 0;                       // index into Labels::families
  std::uint64_t received = 0, sent = 0;          // prefixes in Adj-RIB-In, in Adj-RIB-Out
  std::uint64_t limit = 0;                       // of received; 0: none
};

struct PeerSample {
  std::shared_ptr<const PeerIdentity> identity;
  std::uint8_t state = 1;                        // RFC 4271: 1 Idle … 6 Established
  double established_timestamp = 0;              // Unix seconds; 0 when not established
  std::uint64_t flaps = 0;
  std::vector<PeerFamilySample> families;
  std::uint64_t output_queue_bytes = 0;
  double lag_seconds = 0;
  std::int64_t rt_interest = -1;                 // -1: everything
  std::uint64_t updates_in = 0;
  std::int8_t bfd_state = -1;                    // RFC 5880: 0 AdminDown, 1 Down, 2 Init, 3 Up; -1: no BFD
};

struct MemorySample {
  std::string kind;
  std::uint64_t bytes = 0;
};

struct StationSample {
  std::string station;                           // address:port
  bool is_up = false;                            // connected and told everything
  std::uint64_t messages = 0, dropped = 0, queue_bytes = 0;
};
struct MrtSample {
  std::uint64_t records = 0, dropped = 0, write_errors = 0;
  double last_dump_timestamp = 0;                // 0: none yet
};

struct DaemonSample {
  bool ready = false;
  bool converged = false;
  bool maintenance = false;
  std::uint64_t eor_pending_peers = 0;
  std::optional<double> initial_convergence_seconds;  // once converged
  std::uint64_t route_targets = 0;
  std::uint64_t encoding_classes = 0;
  std::uint64_t encoding_class_peers_max = 0;
  std::uint64_t next_hops_reachable = 0, next_hops_unreachable = 0;
  std::uint64_t next_hops_lost = 0, next_hops_returned = 0, next_hop_metric_changes = 0, next_hop_overruns = 0;
  std::vector<MemorySample> memory;
  std::vector<StationSample> bmp_stations;
  struct Refused {
    const char* reason = nullptr;
    std::uint64_t requests = 0;
  };
  std::array<Refused, 7> control_refused{};  // by the control API
  MrtSample mrt;                                      // zeros where it is not configured
  std::vector<std::string> groups;                    // all configured, also without peers
  std::vector<PeerSample> peers;                      // sorted by address
  std::string config_hash;
  bool config_reload_successful = true;
  double config_reload_timestamp = 0;                 // of the last successful one
  std::uint64_t config_reloads_ok = 0, config_reloads_failed = 0;
};

}  // namespace helio::telemetry

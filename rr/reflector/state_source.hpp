// What the rest of the program may ask of the running reflector: plain view structs, no formatting. Calls come from the
// control thread and block it until the shards have answered; a shard never spends over a millisecond on one page.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rr/reflector/event_view.hpp"
#include "rr/reflector/explain_view.hpp"
#include "rr/reflector/history_view.hpp"
#include "rr/reflector/live_view.hpp"
#include "rr/reflector/route_view.hpp"
#include "rr/reflector/latency.hpp"
#include "rr/session/close_reason.hpp"
#include "rr/session/settings.hpp"
#include "rr/wire/types.hpp"

namespace helio::reflector {

struct FamilyCounters {
  wire::Family family = wire::Family::vpnv4;
  std::uint64_t prefixes = 0, paths = 0, best_changes = 0;
};

struct SummaryView {
  std::uint32_t router_id = 0, cluster_id = 0;
  Asn local_as = 0;
  std::uint32_t shards = 1;
  std::chrono::seconds uptime{0};
  bool converged = false;                 // every established peer sent its End-of-RIB and was sent ours
  std::chrono::seconds converged_for{0};
  bool ready = false;                     // others may depend on it: converged with those that were to come; see readiness.hpp
  std::string waiting_for;                // until then; empty when ready
  std::string slice;                      // of the route targets, that is held; empty: all
  bool maintenance = false;               // RFC 8326: everything is sent with GRACEFUL_SHUTDOWN
  std::vector<FamilyCounters> families;
  std::uint64_t attribute_sets = 0, route_targets = 0, rt_sets = 0;
  std::uint64_t rib_memory_bytes = 0;     // accounted by the RIB, all kinds
  std::uint32_t peers_configured = 0, peers_established = 0;
  std::uint32_t groups = 0;
  double worst_lag_seconds = 0;
  std::string worst_lag_peer;             // empty when nobody lags
};

struct PeerFamilyView {
  wire::Family family = wire::Family::vpnv4;
  bool negotiated = false;
  std::uint64_t received = 0;             // prefixes in Adj-RIB-In
  std::uint64_t sent = 0;                 // prefixes (with ADD-PATH: by their best paths) announced and not withdrawn since; follows from the RIB
  bool eor_received = false, eor_sent = false;
  bool add_path_receive = false;          // negotiated (RFC 7911)
  std::uint32_t add_path_send = 0;        // paths per prefix it is sent; 0: not negotiated, 255: all
  std::uint64_t stale = 0;                // of received: kept over the peer's restart (RFC 4724)
  bool long_lived = false;                // they are long-lived stale (RFC 9494)
  bool disabled = false;                  // ignored until the session restarts (RFC 7606 §2)
  std::uint64_t limit = 0;                // max-prefixes; 0: none
  std::uint64_t discarded = 0;            // routes that a limit or quota kept out
};

struct BfdSessionView {
  std::string state, remote_state, diagnostic, remote_diagnostic;  // RFC 5880 words
  std::uint32_t discriminator = 0, remote_discriminator = 0;
  std::chrono::milliseconds transmit_interval{0}, detection_time{0};
  std::uint64_t packets_in = 0, packets_out = 0;
  std::string error;                      // why there is no socket; usually empty
};

inline constexpr std::string_view kAdminDown = "Idle (Admin)";  // state of a peer that an operator took down

struct PeerView {
  wire::IpAddress address;
  std::string group, description, hostname, state;  // state: RFC 4271 words, "Established"
  session::PeerRole role = session::PeerRole::client;
  bool dynamic = false;
  Asn peer_as = 0;
  std::uint32_t router_id = 0;
  std::chrono::seconds since{0};          // in this state
  std::vector<PeerFamilyView> families;
  std::uint64_t messages_in = 0, messages_out = 0, bytes_in = 0, bytes_out = 0, updates_in = 0, updates_out = 0;
  std::uint64_t output_queue_bytes = 0;
  double lag_seconds = 0;
  std::uint32_t flaps = 0;
  std::int64_t rt_interest = -1;          // number of RTs asked for; -1: everything
  std::string last_close;                 // close_reason_name, "" when never closed
  std::string last_notification;          // text of the last NOTIFICATION sent or received, with direction
  std::string last_update_error;
  std::string last_error;                 // of connecting, or of the socket options
  std::vector<std::string> import_policy, export_policy;  // statements in force for its group
  std::optional<BfdSessionView> bfd;      // Established, and BFD is on
  std::string last_bad_message;           // hex of the message that last was not as it should be, cut at 4096 octets
  std::string restart;                    // "" or what is waited for after the peer's restart
  std::int64_t restart_seconds = 0;       // and for how long at most
  bool needs_reset = false;               // Established with settings from before a reload
};

struct Explanation {
  RouteView route;                        // no paths: there is no such route
  std::vector<RefusalView> refusals;      // of peers that have no path now
  std::vector<std::string> hints;         // when there is no such route
  std::vector<DeliveryView> deliveries;   // to the peer that was asked about, a path each
};

struct RouteQuery {
  wire::Family family = wire::Family::vpnv4;
  std::optional<wire::RouteDistinguisher> rd;
  std::optional<wire::RouteTarget> rt;
  std::optional<wire::VpnPrefix> prefix;  // address and length; exact unless longer
  bool longer = false;
  std::optional<wire::IpAddress> from;    // paths received from this peer (adj-in)
  bool as_received = false;               // with from: before the import policy
  std::optional<wire::IpAddress> to;      // routes that are sent to this peer (adj-out)
  std::uint32_t limit = 100;              // rows of a page
  std::string cursor;                     // opaque, from the page before
};

struct RoutePage {
  std::vector<RouteView> routes;
  std::string cursor;                     // empty: the end
};

struct RtView {
  wire::RouteTarget rt;
  std::uint64_t prefixes = 0;             // best paths that carry it
  std::uint32_t exporters = 0;            // peers that announce routes with it
  std::uint32_t importers = 0;            // peers whose RTC membership names it
};

struct RtcRouteView {
  wire::RtMembership membership;
  std::vector<PathView> paths;            // best first; labels empty
};

struct EncodingClassView {
  std::string name;                       // "ibgp", "ebgp", …
  std::uint32_t peers = 0;
};

struct MemoryView {
  struct Kind { std::string name; std::uint64_t bytes = 0; std::uint64_t objects = 0; };
  std::vector<Kind> kinds;                // per kind, over all shards
};

struct PolicyStatementView {
  std::string name;
  std::uint64_t attribute_sets = 0;       // that it matched, counted when they were first seen
};

struct NextHopView {
  wire::IpAddress address;
  bool reachable = true;
  bool by_default_route = false;          // not reachable because only the default route leads there
  std::optional<std::uint32_t> metric;    // of the route to it; nothing when not tracked or not reachable
  std::uint64_t attribute_sets = 0, paths = 0;  // with it, after the import policies
  std::uint32_t changes = 0;
  std::optional<std::chrono::seconds> since;    // the last change
};
struct NextHopsView {
  bool tracked = false;
  std::vector<NextHopView> next_hops;     // sorted by address
};
// An established peer that does not negotiate RTC: what it is sent, and what its exports suggest that it should be sent.
struct LegacyPeerView {
  wire::IpAddress address;
  std::string group;
  std::string membership_from;            // everything, configured, marked-routes, nothing
  std::vector<wire::RtMembership> memberships;
  std::uint64_t marked_routes = 0;
  std::vector<wire::RouteTarget> exports; // route targets of its routes, after the import policy
  std::vector<wire::RouteTarget> missing; // of these, those it is not sent
  std::string suggestion;                 // empty: none
};
// What next hop tracking has counted.
struct NextHopCounters {
  std::uint64_t reachable = 0, unreachable = 0;  // next hops now
  std::uint64_t lost = 0, returned = 0, metric_changes = 0, overruns = 0;
};

class StateSource {
 public:
  virtual ~StateSource() = default;
  virtual SummaryView summary() = 0;
  virtual std::vector<PeerView> peers() = 0;
  virtual RoutePage routes(const RouteQuery& query) = 0;
  // Nothing when there is no such peer.
  virtual std::optional<Explanation> explain(const ExplainQuery& query) = 0;
  virtual RtExplanation explain_rt(wire::RouteTarget rt) = 0;
  // Changes of the prefix's best path, the last `limit` of them.
  virtual HistoryView history(const wire::VpnPrefix&, std::uint32_t) { return {}; }
  // What happened since the cursor, which goes on; a bounded part of it.
  virtual EventBatch events(EventCursor&, const EventQuery&) { return {.kept = false}; }
  // Best-path changes by route target since the cursor, which goes on.
  virtual ChurnView churn(EventCursor&) { return {}; }
  virtual RdPage rds(std::uint32_t) { return {}; }
  virtual std::vector<ShardView> shards() { return {}; }
  // Nothing when there is no such peer.
  virtual std::optional<PastExplanation> explain_at(const ExplainQuery&, WallTime) { return std::nullopt; }
  virtual std::vector<RtView> route_targets() = 0;
  virtual std::vector<RtcRouteView> rtc_routes() = 0;
  virtual std::vector<EncodingClassView> encoding_classes() = 0;
  virtual MemoryView memory() = 0;
  virtual std::vector<PolicyStatementView> policy_statements() { return {}; }
  virtual NextHopsView next_hops() { return {}; }
  virtual std::vector<LegacyPeerView> legacy_peers() { return {}; }
  virtual NextHopCounters next_hop_counters() { return {}; }
  // Over all shards, since the start; waits for nobody.
  virtual Latencies latencies() { return {}; }
  // Nothing when there is no canary.
  virtual std::optional<CanaryView> canary() { return std::nullopt; }
};

}  // namespace helio::reflector

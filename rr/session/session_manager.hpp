// All sessions of the daemon: creates the shard loops, the listener and the directory of neighbours, and is what the
// application and the control API talk to.
//
//   Listener (1 thread) ─accepted fd─► Directory ─post─► ShardLoop of the neighbour (N threads) ─► Peer ─► Attempt
//   application, control API ─call/post─► ShardLoop
//
// Call order: constructor; engines made with control(shard); start(); …; stop(). All methods from any one thread at a time,
// except the loops' own.
#pragma once
#include <array>
#include <mutex>
#include <string_view>

#include "rr/base/log_pace.hpp"
#include "rr/session/directory.hpp"
#include "rr/session/listener.hpp"
#include "rr/session/shard_loop.hpp"
#include "rr/session/token_bucket.hpp"

namespace helio::session {

struct SessionSettings {
  std::vector<ListenEndpoint> listen;
  std::vector<NeighborSettings> neighbors;
  std::vector<ListenRange> ranges;
  SessionLimits limits;
  std::uint32_t shards = 1;
  std::size_t max_pending = 8192;  // connections without a session; the oldest goes when one more comes
  std::uint32_t session_rate = 0;  // connections accepted per second; 0: no limit
  std::uint16_t bfd_port = kBfdMultihopPort;
};

struct AcceptCounters {
  std::uint64_t accepted = 0;
  std::uint64_t strangers = 0;      // from an address that no neighbour and no range has
  std::uint64_t range_full = 0;     // max_peers of the range, all with sessions
  std::uint64_t wrong_address = 0;  // not to the neighbour's local-address
  std::uint64_t over_rate = 0;
  std::uint64_t out_of_memory = 0;  // while sessions were refused
  std::uint64_t pending_dropped = 0;
  std::uint64_t exhausted = 0;      // times the process was out of descriptors
};

class SessionManager {
 public:
  explicit SessionManager(SessionSettings settings);
  ~SessionManager();

  ShardLoop& shard(ShardId id) { return *loops_[id.value]; }
  SessionControl& control(ShardId id) { return *loops_[id.value]; }
  std::uint32_t shards() const { return static_cast<std::uint32_t>(loops_.size()); }

  // Binds and starts; one engine per shard. The error is text for the operator.
  Result<void, std::string> start(std::span<Engine* const> engines);
  // Cease/Administrative Shutdown to everyone (RFC 9003 text), at most `patience`, then all threads have ended.
  void stop(std::string_view text = {}, std::chrono::milliseconds patience = std::chrono::milliseconds(2000));

  // New neighbours and ranges. Sessions stay; what they cannot take over waits for their next one (PeerSnapshot::needs_reset),
  // or they are reset at once. Listening endpoints and shards do not change. An error is text for the operator: nothing is
  // changed then.
  Result<void, std::string> reconfigure(SessionSettings settings, bool reset_sessions = false);

  std::vector<PeerSnapshot> peers();
  // Peers may come that are not among the neighbours.
  bool has_listen_ranges() const { return !settings_.ranges.empty(); }
  // False: no such neighbour.
  bool take_down(const wire::IpAddress& address, std::string_view text);
  bool bring_up(const wire::IpAddress& address);
  bool reset(const wire::IpAddress& address, std::string_view text);
  // Memory is short: new sessions are refused, ours to neighbours included; those that are up stay.
  void refuse_sessions(bool refuse);
  // Closes the session with Cease/Out of Resources.
  bool shed(const wire::IpAddress& address);

  std::vector<ListenEndpoint> endpoints() const { return listener_.endpoints(); }
  AcceptCounters accept_counters();
  BfdCounters bfd_counters() { return bfd_.counters(); }

 private:
  ShardLoop& loop_of(PeerId id) { return *loops_[id.value % loops_.size()]; }
  void add_neighbor(const NeighborSettings& settings);
  void on_accepted(int fd, const wire::IpAddress& from);
  void on_exhausted();
  void drop_silent(PeerId id);
  void count_dropped();
  void log_refused(telemetry::Refused reason, const wire::IpAddress& from);
  bool is_right_address(int fd, const wire::IpAddress& from);
  void on_bfd_failed(PeerId peer, std::uint32_t generation);
  Result<void, std::string> change_listener(const SessionSettings& settings, const SessionSettings& before);
  Result<void, std::string> prepare_listener(const SessionSettings& settings, const SessionSettings* before);
  Result<void, std::string> set_keys(const SessionSettings& settings, const SessionSettings* before);
  Result<void, std::string> set_minimum_ttl(const SessionSettings& settings);
  template <class Function>
  bool with_peer(const wire::IpAddress& address, Function function);

  SessionSettings settings_;
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  BfdService bfd_;    // after the loops: its thread, which posts to them, ends first
  std::mutex mutex_;  // directory_ and the counters: the accepting thread and the control thread
  Directory directory_;
  AcceptCounters counters_;
  TokenBucket rate_;
  bool refusing_ = false;
  std::array<log::LogPace, static_cast<std::size_t>(telemetry::Refused::count_)> refusals_;
  log::LogPace exhaustions_;
  bool running_ = false;
  Listener listener_;  // last: its thread ends before what it uses
};

}  // namespace helio::session

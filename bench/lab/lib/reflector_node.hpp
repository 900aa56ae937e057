// A route reflector of the laboratory: heliod's configuration, parsed and checked as heliod does it, and heliod's engine
// (reflector::Shard) driven in memory. Only the sockets, threads and the clock are missing.
#pragma once
#include <map>
#include <memory>

#include "bench/lab/lib/session_end.hpp"
#include "bench/lab/lib/topology.hpp"
#include "rr/config/config.hpp"
#include "rr/config/session_settings.hpp"
#include "rr/reflector/shard.hpp"

namespace helio::lab {

// The configuration file of a reflector of the topology. `at`: where nodes are, for daemons on the loopback; null: as the
// topology says.
std::string reflector_config(const Topology& topology, const ReflectorSpec& spec, IpAddress (*at)(const IpAddress&) = nullptr);

class ReflectorNode : public SessionEnd::User {
 public:
  // `config`: checked. Throws std::runtime_error where policies do not compile.
  explicit ReflectorNode(const config::Config& config, std::uint32_t shards = 1);
  ~ReflectorNode() override;

  // The end of a session with the neighbour of that address, or null when the configuration has no such neighbour.
  SessionEnd* open(const IpAddress& neighbor, const IpAddress& local);
  // One turn of each shard; output goes to the ends. True: something moved or will.
  bool turn(session::TimePoint now);
  std::optional<session::TimePoint> wake_at() const { return wake_at_; }
  bool is_configured(const IpAddress& neighbor) const { return group_of(neighbor) != nullptr; }
  reflector::Shard& shard(std::size_t i) { return *shards_[i]; }

  void on_established(SessionEnd& end, const session::Negotiated& negotiated) override;
  std::optional<wire::Notification> on_update(SessionEnd& end, Bytes body) override;
  std::optional<wire::Notification> on_route_refresh(SessionEnd& end, const session::RefreshRequest& request) override;
  void on_closed(SessionEnd& end) override;

 private:
  class Control;
  struct Peer {
    PeerId id;
    IpAddress address, local;
    std::unique_ptr<SessionEnd> end;
    std::vector<std::vector<std::uint8_t>> control_messages;
  };
  std::shared_ptr<const session::GroupSettings> group_of(const IpAddress& neighbor) const;
  reflector::Shard& shard_of(PeerId id) { return *shards_[id.value % shards_.size()]; }
  Peer& peer_of(const SessionEnd& end);
  bool drain(Peer& peer);
  void apply_closes();

  config::SessionSettings settings_;
  reflector::ShardMailboxes mailboxes_;
  std::vector<std::unique_ptr<Control>> controls_;
  std::vector<std::unique_ptr<reflector::Shard>> shards_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::pair<PeerId, wire::Notification>> closes_;
  std::optional<session::TimePoint> wake_at_;
  session::TimePoint now_{};
  bool has_event_ = false;
};

}  // namespace helio::lab

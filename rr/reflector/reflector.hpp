// Reflector: all shards of the daemon, made and wired here, and the answers to what the control thread asks. A question
// becomes short closures on the shards' threads; a page of routes is collected in steps of a few hundred entries, so that
// no shard is held for more than a millisecond.
#pragma once
#include <memory>
#include <vector>

#include "rr/reflector/readiness.hpp"
#include "rr/reflector/shard.hpp"
#include "rr/reflector/state_source.hpp"
#include "rr/session/session_manager.hpp"

namespace helio::reflector {

class Reflector final : public StateSource {
 public:
  // Makes one shard for each loop of the manager. The manager outlives the reflector's use, not the other way round.
  Reflector(const EngineSettings& settings, session::SessionManager& sessions);
  ~Reflector() override;

  std::vector<session::Engine*> engines();
  // Maintenance of the whole reflector (RFC 8326): peers are told to prefer other paths. What they have is sent again when
  // it changes; before the sessions start, nothing is to be sent again.
  void set_maintenance(bool on);
  Shard& shard(std::uint32_t i) { return *shards_[i]; }
  session::SessionManager& sessions() { return sessions_; }
  const EngineSettings& settings() const { return settings_; }

  SummaryView summary() override;
  std::vector<PeerView> peers() override;
  RoutePage routes(const RouteQuery& query) override;
  std::optional<Explanation> explain(const ExplainQuery& query) override;
  RtExplanation explain_rt(wire::RouteTarget rt) override;
  HistoryView history(const wire::VpnPrefix& prefix, std::uint32_t limit) override;
  EventBatch events(EventCursor& cursor, const EventQuery& query) override;
  ChurnView churn(EventCursor& cursor) override;
  RdPage rds(std::uint32_t limit) override;
  std::vector<ShardView> shards() override;
  std::optional<PastExplanation> explain_at(const ExplainQuery& query, WallTime at) override;
  std::vector<RtView> route_targets() override;
  std::vector<RtcRouteView> rtc_routes() override;
  std::vector<EncodingClassView> encoding_classes() override;
  MemoryView memory() override;
  std::vector<PolicyStatementView> policy_statements() override;
  NextHopsView next_hops() override;
  std::vector<LegacyPeerView> legacy_peers() override;
  NextHopCounters next_hop_counters() override;
  Latencies latencies() override;
  std::optional<CanaryView> canary() override;
  // A marker sets out on each shard, if there is a canary. Waits for nobody.
  void send_canaries();

  // Something that concerns the whole daemon goes into the journal. On the control thread.
  void note(rib::JournalEvent event, const std::string& text);

  // Other policies are in force: what was received is judged anew, no session is reset. On the control thread.
  void set_policies(std::shared_ptr<const RoutePolicies> policies);

 private:
  struct PeerFacts;  // what a shard knows of its peers
  template <class Function>
  auto on_shard(std::uint32_t i, Function function) {
    return sessions_.shard(ShardId(i)).call(std::move(function));
  }
  std::vector<Distribution::FamilyCounts> sent_counts(std::uint32_t peers);
  std::uint32_t owner_of(const wire::VpnPrefix& prefix) const { return shards_[0]->owner_of(prefix.rd.value, prefix.length == 0 ? std::uint8_t{0} : prefix.address[0]); }
  // All of a shard's journal that passes the filter, in slices.
  rib::JournalSlice read_journal(std::uint32_t shard, const rib::JournalFilter& filter);
  JournalReach journal_reach(std::uint32_t shard);
  WallTime wall_time(std::uint64_t milliseconds_since_start);

  EngineSettings settings_;
  session::SessionManager& sessions_;
  ShardMailboxes mailboxes_;
  std::vector<std::unique_ptr<Shard>> shards_;
  session::TimePoint started_;
  std::optional<session::TimePoint> converged_since_;
  Readiness readiness_;
  std::uint32_t groups_ = 0;
  bool maintenance_ = false;
};

}  // namespace helio::reflector

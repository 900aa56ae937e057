// The one place where views become JSON. Field names are snake_case and stable: scripts depend on them, golden files in
// tests/golden hold them. Durations are in seconds, sizes in bytes, addresses and route targets in their usual text.
#pragma once
#include <boost/json/value.hpp>
#include <vector>

#include "rr/config/config.hpp"
#include "rr/control/actions.hpp"
#include "rr/control/diagnosis.hpp"
#include "rr/control/problem.hpp"
#include "rr/reflector/state_source.hpp"

namespace helio::control {

// `changes_per_second`: best-path changes, by family index.
struct ChangeRates {
  double per_second[wire::kFamilyCount] = {};
};

boost::json::value summary_json(const reflector::SummaryView& view, const ChangeRates& rates);
boost::json::value peer_json(const reflector::PeerView& view);
boost::json::value peers_json(const std::vector<reflector::PeerView>& views);
boost::json::value route_json(const reflector::RouteView& route);
boost::json::value path_json(const reflector::PathView& path);
boost::json::value routes_json(wire::Family family, const reflector::RoutePage& page);
boost::json::value route_targets_json(const std::vector<reflector::RtView>& views);
boost::json::value explanation_json(const reflector::Explanation& view, const reflector::ExplainQuery& query);
boost::json::value history_json(const reflector::HistoryView& view);
boost::json::value churn_json(const reflector::ChurnView& view, double seconds);
boost::json::value rds_json(const reflector::RdPage& page);
boost::json::value shards_json(const std::vector<reflector::ShardView>& views);
boost::json::value event_json(const reflector::EventView& event);
boost::json::value past_explanation_json(const reflector::PastExplanation& view);
boost::json::value rt_explanation_json(const reflector::RtExplanation& view);
boost::json::value diagnosis_json(const Diagnosis& diagnosis);
boost::json::value rtc_json(const std::vector<reflector::RtcRouteView>& views);
boost::json::value policies_json(const std::vector<reflector::PolicyStatementView>& views);
boost::json::value encoding_classes_json(const std::vector<reflector::EncodingClassView>& views);
boost::json::value legacy_peers_json(const std::vector<reflector::LegacyPeerView>& views);
boost::json::value next_hops_json(const reflector::NextHopsView& view);
boost::json::value memory_json(const reflector::MemoryView& view);
// `recent` over `seconds`; `all` since the start.
boost::json::value latency_json(const reflector::Latencies& all, const reflector::Latencies& recent, double seconds, const std::optional<reflector::CanaryView>& canary);
boost::json::value health_json(const reflector::SummaryView& view);
boost::json::value version_json();
boost::json::value config_json(const config::Config& config);
boost::json::value action_json(const ActionResult& result);
boost::json::value problem_json(const ApiProblem& problem);

}  // namespace helio::control

// A reflector that is not there: fixed views with a bit of everything, for the tests of the control API and the CLI.
#pragma once
#include "rr/reflector/state_source.hpp"

namespace helio::control {

class FakeState : public reflector::StateSource {
 public:
  FakeState();
  reflector::SummaryView summary() override { return summary_; }
  std::vector<reflector::PeerView> peers() override { return peers_; }
  reflector::RoutePage routes(const reflector::RouteQuery& query) override {
    last_query_ = query;
    return page_;
  }
  std::vector<reflector::RtView> route_targets() override { return route_targets_; }
  std::vector<reflector::RtcRouteView> rtc_routes() override { return rtc_; }
  std::vector<reflector::EncodingClassView> encoding_classes() override { return {{"ibgp", 7}, {"ebgp", 1}}; }
  std::vector<reflector::PolicyStatementView> policy_statements() override { return {{"drop-bogon-rts", 12}, {"prefer-nearby", 3}}; }
  reflector::MemoryView memory() override { return {{{"paths", 4096, 128}, {"attribute_sets", 2048, 4}}}; }

  reflector::SummaryView summary_;
  std::vector<reflector::PeerView> peers_;
  reflector::RoutePage page_;
  std::vector<reflector::RtView> route_targets_;
  std::vector<reflector::RtcRouteView> rtc_;
  reflector::RouteQuery last_query_;
};

}  // namespace helio::control

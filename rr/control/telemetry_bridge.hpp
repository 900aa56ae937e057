// Carries what the reflector knows to the telemetry board, every few seconds on the control thread: it may wait for the
// shards, a scrape may not. Counters of hot paths do not come this way, the shards write them to the board themselves.
#pragma once
#include <chrono>
#include <map>
#include <memory>

#include "rr/config/config.hpp"
#include "rr/control/api.hpp"
#include "rr/reflector/state_source.hpp"
#include "telemetry/board.hpp"
#include "telemetry/collectors.hpp"

namespace helio::control {

// Families and close reasons in the order of their enumerations.
telemetry::Labels make_labels();
telemetry::Build make_build();
// Takes over what [telemetry] says about peers; also after a reload.
void apply_limits(const config::Telemetry& config, telemetry::PeerSeriesLimits& limits);

class TelemetryBridge {
 public:
  TelemetryBridge(reflector::StateSource& state, Api::ConfigSource config, std::shared_ptr<telemetry::Board> board);

  // Before the first tick; it outlives the bridge, or is taken away (null) before it ends.
  void watch(ExportSource* exports) { exports_ = exports; }
  void watch(const AccessCounters* refused) { refused_ = refused; }
  // Publishes a sample. `unix_now`: seconds.
  void tick(const reflector::SummaryView& summary, double unix_now);
  // A reload of the configuration was tried.
  void on_reload(bool successful, double unix_now);

 private:
  struct Known {
    std::shared_ptr<const telemetry::PeerIdentity> identity;
    double established = 0;
    std::uint64_t round = 0;
  };
  telemetry::PeerSample sample_of(const reflector::PeerView& view, double unix_now);

  reflector::StateSource& state_;
  ExportSource* exports_ = nullptr;
  const AccessCounters* refused_ = nullptr;
  Api::ConfigSource config_;
  std::shared_ptr<telemetry::Board> board_;
  std::map<wire::IpAddress, Known> known_;
  std::uint64_t round_ = 0;
  std::optional<double> initial_convergence_seconds_;
  bool reload_successful_ = true;
  double reload_timestamp_ = 0;
  std::uint64_t reloads_ok_ = 0, reloads_failed_ = 0;
};

}  // namespace helio::control

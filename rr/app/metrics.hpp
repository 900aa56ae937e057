// Telemetry as the application wires it: the board, what carries the daemon's numbers to it, the exporter.
//
//   control thread: Server tick ─► Metrics::tick ─► Board ◄─ scrape ─ Exporter (threads of its own)
#pragma once
#include <memory>

#include "rr/control/carry.hpp"
#include "rr/control/telemetry_bridge.hpp"
#include "rr/reflector/reflector.hpp"
#include "telemetry/exporter.hpp"

namespace helio::app {

class Metrics {
 public:
  // Before the sessions start: it tells the shards where to count.
  // A port that cannot be had is logged and leaves the daemon without an exporter: reflecting routes goes on.
  Metrics(reflector::Reflector& reflector, session::SessionManager& sessions, control::Api::ConfigSource config);

  // On the control thread, as ServerOptions::on_tick.
  void tick(const reflector::SummaryView& summary);
  void watch(control::ExportSource& exports) { bridge_.watch(&exports); }
  void watch(const control::Api& api) { bridge_.watch(&api.refused()); }
  telemetry::MemoryGauges& memory() { return board_->memory(); }
  // After a reload was tried. On the control thread, too.
  void on_reload(bool successful);

 private:
  reflector::Reflector& reflector_;
  session::SessionManager& sessions_;
  control::Api::ConfigSource config_;
  std::shared_ptr<telemetry::Board> board_;
  std::shared_ptr<telemetry::PeerSeriesLimits> limits_;
  control::TelemetryBridge bridge_;
  std::unique_ptr<telemetry::Exporter> exporter_;  // null: off
};

}  // namespace helio::app

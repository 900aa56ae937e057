#include "rr/app/metrics.hpp"

#include <chrono>

#include "rr/app/system_calls.hpp"
#include "rr/base/log.hpp"

namespace helio::app {
namespace {

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Metrics::Metrics(reflector::Reflector& reflector, session::SessionManager& sessions, control::Api::ConfigSource config)
    : reflector_(reflector),
      sessions_(sessions),
      config_(std::move(config)),
      board_(std::make_shared<telemetry::Board>(sessions.shards(), control::make_labels())),
      limits_(std::make_shared<telemetry::PeerSeriesLimits>()),
      bridge_(reflector, config_, board_) {
  // Shards hold on to the board: they may count to the very end.
  for (std::uint32_t i = 0; i < sessions_.shards(); ++i)
    sessions_.shard(ShardId(i)).count_in(std::shared_ptr<telemetry::ShardCounters>(board_, &board_->counters(i)));
  const config::Telemetry& settings = config_()->telemetry;
  control::apply_limits(settings, *limits_);
  if (settings.port == 0) return;
  auto exporter = telemetry::Exporter::start(wire::format_ip(settings.address), settings.port,
                                             telemetry::make_collector(control::make_build(), board_, limits_));
  if (exporter) {
    exporter_ = std::move(*exporter);
    log::info("metrics address={} port={}", wire::format_ip(settings.address), settings.port);
  } else {
    log::error("{}; the daemon goes on without them", exporter.error());
  }
}

void Metrics::tick(const reflector::SummaryView& summary) {
  if (!exporter_) return;
  for (std::uint32_t i = 0; i < sessions_.shards(); ++i) {
    telemetry::ShardCounters& counters = board_->counters(i);
    control::carry_counters(reflector_.shard(i).counters(), counters);
    counters.loop_busy_ns.set(static_cast<std::uint64_t>(sessions_.shard(ShardId(i)).busy_time().count()));
  }
  control::carry_refused(sessions_.accept_counters(), board_->counters(0));
  control::carry_log(log::suppressed_lines(), log::dropped_lines(), board_->counters(0));
  board_->counters(0).denied_system_calls.set(denied_calls());
  control::carry_bfd(sessions_.bfd_counters(), board_->counters(0));
  bridge_.tick(summary, unix_seconds());
}

void Metrics::on_reload(bool successful) {
  bridge_.on_reload(successful, unix_seconds());
  if (successful) control::apply_limits(config_()->telemetry, *limits_);
}

}  // namespace helio::app

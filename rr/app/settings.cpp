#include "rr/app/settings.hpp"

#include <unistd.h>

#include "rr/app/cores.hpp"
#include "rr/base/check.hpp"
#include "rr/config/session_settings.hpp"

namespace helio::app {

session::SessionSettings session_settings(const config::Config& config) {
  char hostname[256] = {};
  if (gethostname(hostname, sizeof hostname - 1) != 0) hostname[0] = 0;
  config::SessionSettings made = config::make_session_settings(config, hostname);
  session::SessionSettings settings;
  settings.listen = std::move(made.listen);
  settings.neighbors = std::move(made.neighbors);
  settings.ranges = std::move(made.listen_ranges);
  settings.shards = config.runtime.shards != 0 ? config.runtime.shards : available_cores();
  settings.max_pending = config.security.max_pending_sessions;
  settings.session_rate = config.security.session_rate;
  return settings;
}

reflector::EngineSettings engine_settings(const config::Config& config) {
  reflector::EngineSettings engine;
  engine.local_as = config.global.as;
  engine.router_id = config.global.router_id;
  engine.cluster_id = config.global.cluster_id;
  for (const config::PeerGroup& group : config.peer_groups) {
    engine.cluster_ids.push_back(group.cluster_id);
    engine.evpn = engine.evpn || group.families.contains(wire::Family::evpn);
  }
  if (config.partition.count > 1) {
    engine.slice = std::make_shared<const wire::RtSlice>(wire::RtSlice::plane(config.partition.index, config.partition.count, config.partition.without_route_targets));
  } else if (!config.partition.route_targets.empty()) {
    std::vector<wire::RtRange> ranges;
    for (const std::string& text : config.partition.route_targets) ranges.push_back(*wire::parse_rt_range(text));
    engine.slice = std::make_shared<const wire::RtSlice>(wire::RtSlice::ranges(std::move(ranges), config.partition.without_route_targets.value_or(false)));
  }
  engine.decision.always_compare_med = config.best_path.always_compare_med;
  engine.decision.prefer_oldest = config.best_path.prefer_oldest_external;
  engine.decision_options = {config.best_path.aigp, config.best_path.cost_community, config.best_path.missing_as_worst, config.global.as};
  engine.distribution.change_bytes = config.slow_peer_limits.queue_limit_bytes;
  engine.distribution.stall = config.slow_peer_limits.stall_time;
  engine.distribution.stall_alone = config.slow_peer_limits.stall_time * 10;
  engine.rib.tombstones = config.slow_peer_limits.tombstones;
  engine.canary = config.telemetry.canary;
  engine.journal_bytes = config.journal.memory_bytes;
  engine.attribute_bytes = config.limits.max_attribute_size;
  engine.rib.quotas = {config.limits.max_paths_per_rd, config.limits.max_prefixes_per_rt_set};
  engine.start.restarts = config.graceful_restart.mode == config::GracefulRestart::Mode::full;
  engine.start.enabled = engine.start.restarts || config.timers.initial_sync;
  engine.start.neighbors = static_cast<std::uint32_t>(config.neighbors.size());
  engine.start.any_peers = !config.listen_ranges.empty();
  engine.start.restart_time = config.graceful_restart.restart_time;
  engine.start.most = config.graceful_restart.selection_deferral_time;
  if (config.timers.initial_sync) {
    engine.start.everybody = true;
    engine.start.ratio = config.timers.initial_sync->peers_ratio;
    engine.start.most = config.timers.initial_sync->max_delay;
    engine.start.restart_time = engine.start.most;
  }
  return engine;
}

std::shared_ptr<const policy::Program> compile_policies(const config::Config& config, const policy::Program* previous) {
  if (config.policy.statements.empty() && previous == nullptr) return nullptr;
  std::vector<policy::DefinitionError> errors;
  auto program = policy::compile(config.policy, errors, previous);
  HELIO_CHECK(program != nullptr, "policies of a checked configuration");
  return program;
}

}  // namespace helio::app

// heliod: configuration in, sessions and engine up, signals handled, everything down again.
//
//   config ─► SessionManager (loops, listener) ─► kernel routes ─► Reflector (engines) ─► metrics ─► BMP, MRT ─► control server
// Each is made here, in this order, and ended in the reverse one.
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <thread>

#include "rr/app/actions.hpp"
#include "rr/app/cores.hpp"
#include "rr/app/exports.hpp"
#include "rr/app/memory_guard.hpp"
#include "rr/app/metrics.hpp"
#include "rr/app/options.hpp"
#include "rr/base/log.hpp"
#include "rr/config/load.hpp"
#include "rr/config/session_settings.hpp"
#include "rr/control/server.hpp"
#include "rr/nexthop/kernel_routes.hpp"
#include "rr/policy/compile.hpp"
#include "rr/reflector/reflector.hpp"

namespace helio::app {
namespace {

int report(const std::vector<config::ConfigProblem>& problems) {
  for (const auto& p : problems) std::fprintf(stderr, "%s\n", config::format_problem(p).c_str());
  return 1;
}

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

int run(const config::Config& config) {
  // Each session is a descriptor; the soft limit of a service is often 1024.
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  log::start({config.log.level, config.log.format});
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // inherited by every thread; taken by sigwait below

  session::SessionManager sessions(session_settings(config));
  reflector::EngineSettings engine;
  engine.local_as = config.global.as;
  engine.router_id = config.global.router_id;
  engine.cluster_id = config.global.cluster_id;
  for (const config::PeerGroup& group : config.peer_groups) {
    engine.cluster_ids.push_back(group.cluster_id);
    engine.evpn = engine.evpn || group.families.contains(wire::Family::evpn);
  }
  engine.decision.always_compare_med = config.best_path.always_compare_med;
  engine.decision.prefer_oldest = config.best_path.prefer_oldest_external;
  engine.decision_options = {config.best_path.aigp, config.best_path.cost_community, config.best_path.missing_as_worst};
  engine.distribution.change_bytes = config.slow_peer_limits.queue_limit_bytes;
  engine.distribution.stall = config.slow_peer_limits.stall_time;
  engine.distribution.stall_alone = config.slow_peer_limits.stall_time * 10;
  engine.rib.tombstones = config.slow_peer_limits.tombstones;
  if (!config.policy.statements.empty()) {
    std::vector<policy::DefinitionError> errors;  // none: the configuration was checked
    engine.policies = policy::compile(config.policy, errors);
  }
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
  std::unique_ptr<nexthop::KernelRoutes> routes;
  std::optional<nexthop::NextHopTracker> next_hops;
  if (config.best_path.track_next_hops) {
    auto opened = nexthop::KernelRoutes::open();
    if (!opened) {
      std::fprintf(stderr, "heliod: %s\n", opened.error().c_str());
      return 1;
    }
    routes = std::move(*opened);
    next_hops.emplace(*routes, nexthop::TrackerSettings{config.best_path.next_hop_default_route, config.best_path.next_hop_delay}, sessions.shards() * (engine.evpn ? 2 : 1),
                      [&sessions](std::uint32_t shard) { sessions.control(ShardId(shard % sessions.shards())).wake(); });
    engine.next_hops = &*next_hops;
  }
  reflector::Reflector reflector(engine, sessions);
  reflector.set_maintenance(config.global.graceful_shutdown);
  auto shared_config = std::make_shared<const config::Config>(config);
  Metrics metrics(reflector, sessions, [&] { return shared_config; });
  auto engines = reflector.engines();
  if (auto started = sessions.start(engines); !started) {
    std::fprintf(stderr, "heliod: %s\n", started.error().c_str());
    return 1;
  }
  if (routes) routes->follow(*next_hops);
  Actions actions(sessions, reflector);
  control::Api api(reflector, &actions, [&] { return shared_config; });
  std::optional<Exports> exports;
  exports.emplace(config, reflector);
  api.serve(*exports);
  control::ServerOptions options;
  options.socket = config.control.socket;
  options.mode = config.control.mode;
  options.group = config.control.group;
  std::optional<MemoryGuard> memory;
  memory.emplace(config.runtime.memory_limit_bytes != 0 ? config.runtime.memory_limit_bytes : cgroup_memory_limit(), reflector, sessions);
  options.on_tick = [&](const reflector::SummaryView& summary) { metrics.tick(summary); };
  auto server = control::Server::start(options, api);
  if (!server) {
    std::fprintf(stderr, "heliod: %s\n", server.error().c_str());
    exports.reset();
    if (routes) routes->stop();
    sessions.stop("control socket not available");
    return 1;
  }
  for (const session::ListenEndpoint& e : sessions.endpoints())
    log::info("listening address={} port={}", wire::format_ip(e.address), e.port);
  log::info("ready as={} router-id={} shards={}", config.global.as, wire::format_ip(wire::IpAddress::v4(config.global.router_id)), sessions.shards());
  sd_notify(0, "READY=1");

  int signal = 0;
  sigwait(&ends, &signal);
  log::info("stopping on {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  sd_notify(0, "STOPPING=1");
  memory.reset();
  server->reset();
  exports.reset();
  if (routes) routes->stop();
  sessions.stop(actions.farewell());
  log::info("stopped");
  log::stop();
  return 0;
}

}  // namespace
}  // namespace helio::app

int main(int argc, char** argv) {
  using namespace helio;
  app::ParsedOptions parsed = app::parse_options(argc, argv);
  if (!parsed.run) {
    std::fprintf(parsed.exit_code == 0 ? stdout : stderr, "%s", parsed.text.c_str());
    return parsed.exit_code;
  }
  config::LoadResult config = config::load_config(parsed.options.config_file);
  if (!config) return app::report(config.error());
  app::report(config->warnings);
  if (parsed.options.check) {
    std::printf("%s: ok\n", parsed.options.config_file.c_str());
    return 0;
  }
  return app::run(*config);
}

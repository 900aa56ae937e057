// heliod: configuration in, sessions and engine up, signals handled, everything down again.
//
//   config ─► SessionManager (loops, listener) ─► kernel routes ─► Reflector (engines) ─► metrics ─► BMP, MRT ─► control server
// Each is made here, in this order, and ended in the reverse one.
#include <sys/random.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <thread>

#include "rib/hash_seed.hpp"
#include "rr/app/actions.hpp"
#include "rr/app/exports.hpp"
#include "rr/app/memory_guard.hpp"
#include "rr/app/metrics.hpp"
#include "rr/app/options.hpp"
#include "rr/app/privileges.hpp"
#include "rr/app/reload.hpp"
#include "rr/app/settings.hpp"
#include "rr/app/system_calls.hpp"
#include "rr/base/log.hpp"
#include "rr/base/watchdog.hpp"
#include "rr/config/load.hpp"
#include "rr/control/server.hpp"
#include "rr/nexthop/kernel_routes.hpp"
#include "rr/reflector/reflector.hpp"

namespace helio::app {
namespace {

int report(const std::vector<config::ConfigProblem>& problems) {
  for (const auto& p : problems) std::fprintf(stderr, "%s\n", config::format_problem(p).c_str());
  return 1;
}

// systemd's Type=notify-reload: when a reload begins, and when it is over.
void notify_reload(bool begins) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (begins) sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", static_cast<long long>(now.tv_sec) * 1000000 + now.tv_nsec / 1000);
  else sd_notify(0, "READY=1");
}

// Tells systemd that all is well (WatchdogSec=) when every shard has ended a turn, and the operator when one has not.
class Heartbeat {
 public:
  explicit Heartbeat(session::SessionManager& sessions) : sessions_(sessions), watchdog_(patience()), turns_(sessions.shards()) {}
  void beat() {
    for (std::uint32_t i = 0; i < sessions_.shards(); ++i) {
      turns_[i] = sessions_.shard(ShardId(i)).turns();
      sessions_.control(ShardId(i)).wake();
    }
    Watchdog::Verdict verdict = watchdog_.look(turns_, std::chrono::steady_clock::now());
    for (const Watchdog::Stall& stall : verdict.stalls) {
      if (stall.over) log::warn("shard={} ticks again after {} s", stall.shard, stall.since.count());
      else log::error("shard={} has not ended a turn for {} s; the watchdog is not fed until it does", stall.shard, stall.since.count());
    }
    if (verdict.feed) sd_notify(0, "WATCHDOG=1");
  }

 private:
  // Said in time before systemd ends the daemon.
  static std::chrono::seconds patience() {
    constexpr std::chrono::seconds kMost{10};
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) <= 0) return kMost;
    return std::min(kMost, std::chrono::duration_cast<std::chrono::seconds>(std::chrono::microseconds(microseconds / 2)));
  }
  session::SessionManager& sessions_;
  Watchdog watchdog_;
  std::vector<std::uint64_t> turns_;
};

void tell_denied_calls() {
  for (const DeniedCall& call : take_denied_calls())
    log::error("seccomp: the system call {} was refused {} times: either a fault in heliod or someone in it; security.seccomp = false "
               "lets it pass", call.name, call.count);
}

// Everything is open and every thread is there: from here on the process needs little of the system.
void give_up_what_is_not_needed(const config::Config& config) {
  if (std::string error = give_up_capabilities(); !error.empty()) log::warn("capabilities were not given up: {}", error);
  if (!config.security.seccomp) return;
  if (!can_restrict_system_calls()) return log::info("seccomp: off in a build with sanitizers");
  if (std::string error = restrict_system_calls(); !error.empty()) log::warn("system calls are not restricted: {}", error);
}

// SIGHUP reloads, the clock rolls an unconfirmed reload back, both on the control thread; anything else ends the wait.
int wait_for_end(const sigset_t& signals, control::Server& server, Reloads& reloads, session::SessionManager& sessions) {
  constexpr timespec kSecond{1, 0};
  std::uint64_t seconds = 0;
  Heartbeat heartbeat(sessions);
  while (true) {
    int signal = sigtimedwait(&signals, nullptr, &kSecond);
    if (signal == SIGHUP) {
      server.post([&reloads] {
        notify_reload(true);
        reloads.on_signal();
        notify_reload(false);
      });
    } else if (signal > 0) {
      return signal;
    } else {
      server.post([&reloads] { reloads.tick(std::chrono::steady_clock::now()); });
      heartbeat.beat();
      tell_denied_calls();
      if (++seconds % 10 == 0) log::tell_suppressed();
    }
  }
}

int run(const config::Config& config) {
  std::array<std::uint64_t, 2> secrets{};
  if (::getrandom(secrets.data(), sizeof secrets, 0) == sizeof secrets) rib::set_hash_secrets(secrets[0], secrets[1]);
  begin_with_least_privileges();
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
  sigaddset(&ends, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // inherited by every thread; taken by wait_for_end

  session::SessionManager sessions(session_settings(config));
  std::shared_ptr<const policy::Program> program = compile_policies(config, nullptr);
  reflector::EngineSettings engine = engine_settings(config);
  engine.policies = program;
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
  Reloads reloads(config, program, sessions, reflector);
  Metrics metrics(reflector, sessions, [&] { return reloads.config(); });
  reloads.report_to(metrics);
  auto engines = reflector.engines();
  if (auto started = sessions.start(engines); !started) {
    std::fprintf(stderr, "heliod: %s\n", started.error().c_str());
    return 1;
  }
  if (routes) routes->follow(*next_hops);
  Actions actions(sessions, reflector, reloads);
  control::Api api(reflector, &actions, [&] { return reloads.config(); });
  std::optional<Exports> exports;
  exports.emplace(config, reflector);
  api.serve(*exports);
  reloads.then([&](const config::Config& next) { exports->apply(next); });
  metrics.watch(*exports);
  metrics.watch(api);
  control::ServerOptions options;
  options.socket = config.control.socket;
  options.mode = config.control.mode;
  options.group = config.control.group;
  options.address = config.control.address;
  options.port = config.control.port;
  auto access = control::make_access_rules(config.control.operator_group, config.control.token_file, config.control.read_token_file);
  if (access) options.access = *access;
  std::optional<MemoryGuard> memory;
  memory.emplace(config.runtime.memory_limit_bytes, reflector, sessions, metrics.memory());
  options.on_tick = [&](const reflector::SummaryView& summary) {
    metrics.tick(summary);
    reflector.send_canaries();
  };
  auto server = access ? control::Server::start(options, api) : Unexpected(access.error());
  if (!server) {
    std::fprintf(stderr, "heliod: %s\n", server.error().c_str());
    exports.reset();
    if (routes) routes->stop();
    sessions.stop("control socket not available");
    return 1;
  }
  give_up_what_is_not_needed(config);
  for (const session::ListenEndpoint& e : sessions.endpoints())
    log::info("listening address={} port={}", wire::format_ip(e.address), e.port);
  log::info("ready as={} router-id={} shards={}", config.global.as, wire::format_ip(wire::IpAddress::v4(config.global.router_id)), sessions.shards());
  sd_notify(0, "READY=1");

  int signal = wait_for_end(ends, **server, reloads, sessions);
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

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): as anywhere in heliod, what nobody expects ends it with its name
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

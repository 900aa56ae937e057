#include "bench/pe/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rr/base/build_info.hpp"

namespace helio::pe {
Meter Meter::read(const Runner& runner) {
  Meter m;
  m.at = now_ns();
  m.own_cpu_ns = helio::pe::own_cpu_ns();
  m.reflector = runner.reflector();
  m.machine = sample_machine();
  return m;
}

bool ScenarioRun::run() {
  const Options& o = runner_.options();
  const Plan& plan = runner_.plan();
  report_.add("shape", o.shape.empty() ? "custom" : o.shape, "Shape");
  report_.add("scenario", std::string(scenario_name(o.scenario)), "Scenario");
  report_.add("pes", plan.pes(), "PEs");
  report_.add("paths", static_cast<double>(plan.paths()), "Paths announced");
  report_.add("deliveries", static_cast<double>(runner_.checker().total_target()), "Deliveries expected");
  report_.add("rtc",
              o.plan.rtc == RtcMode::off  ? "off"
              : o.plan.rtc == RtcMode::on ? "on"
                                          : "default",
              "RT-Constrain");
  report_.add("machine", machine_name(), "Machine");
  report_.add("generator", fmt::format("helio-pe {} ({})", build_info().version, build_info().commit),
              "Generator");
  runner_.prepare();
  runner_.find_reflector();
  if (runner_.rr_pid() > 0) {
    report_.add("rr_process", fmt::format("{} ({})", process_name(runner_.rr_pid()), runner_.rr_pid()),
                "Reflector");
    runner_.await_idle_reflector();
    reset_peak_rss(runner_.rr_pid());
  }
  if (!cold_start()) return finish(false);
  Meter from = Meter::read(runner_);
  bool good = after_cold_start();
  if (o.scenario != Scenario::cold_start) {
    double foreign = judge(from, Meter::read(runner_));
    report_.add("scenario_foreign_cpu_seconds", foreign, "CPU of everybody else during the scenario");
  }
  return finish(good);
}

bool ScenarioRun::cold_start() {
  const Options& o = runner_.options();
  Checker& checker = runner_.checker();
  std::uint32_t slow = 0;
  if (o.scenario == Scenario::slow_reader) {
    // Spread over the PEs, so that every RT has some of them.
    slow = static_cast<std::uint32_t>(o.slow_share * runner_.plan().pes());
    for (std::uint32_t i = 0; i < slow; ++i) runner_.set_ignored(i * (runner_.plan().pes() / slow), true);
  }
  start_ = Meter::read(runner_);
  if (!runner_.bring_up()) {
    report_.problems.push_back(fmt::format("{} of {} sessions came up; last error: {}",
                                           runner_.fleet().established(), runner_.plan().pes(),
                                           runner_.fleet().last_error()));
    return false;
  }
  for (std::uint32_t pe = 0; pe < runner_.plan().pes(); ++pe) {
    if (runner_.is_ignored(pe)) runner_.fleet().pause_reading(pe, true);
  }
  established_ = Meter::read(runner_);
  runner_.release_routes();
  bool converged = runner_.wait_converged();
  converged_ = Meter::read(runner_);
  Nanoseconds end = converged ? std::max(runner_.last_done(), runner_.released_at) : converged_.at;
  report_.add("sessions_seconds", seconds(runner_.established_at - runner_.started_at), "Sessions up after");
  report_.add("convergence_seconds", seconds(end - runner_.established_at),
              "Converged after all were Established");
  report_.add("convergence_from_start_seconds", seconds(end - runner_.started_at),
              "Converged from the first connect");
  add_costs(start_, established_, converged_);
  for (std::uint32_t pe = 0; pe < runner_.plan().pes(); ++pe) {
    if (runner_.is_ignored(pe)) continue;
    report_.convergence_seconds.push_back(
        seconds(std::max<Nanoseconds>(0, runner_.done_at()[pe] - runner_.established_at)));
  }
  double rate =
      static_cast<double>(checker.counters().reached) / std::max(1e-9, seconds(end - runner_.established_at));
  report_.add("deliveries_per_second", std::round(rate), "Routes delivered per second");
  report_.headline = fmt::format("{} in {:.3f} s", converged ? "converged" : "NOT converged",
                                 seconds(end - runner_.established_at));
  if (!converged) report_.problems.push_back(fmt::format("not converged after {} s", o.timeout));
  if (slow > 0) report_.add("slow_pes", slow, "PEs that do not read");
  return converged;
}

bool ScenarioRun::after_cold_start() {
  runner_.run_for(runner_.options().settle);
  switch (runner_.options().scenario) {
    case Scenario::cold_start:
      return true;
    case Scenario::slow_reader:
      if (auto rr = runner_.reflector()) {
        report_.add("rr_rss_with_slow_pes_bytes", static_cast<double>(rr->rss_bytes),
                    "Reflector memory with slow PEs");
      }
      // The slow ones read again and must end exact, too.
      for (std::uint32_t pe = 0; pe < runner_.plan().pes(); ++pe) {
        if (!runner_.is_ignored(pe)) continue;
        runner_.set_ignored(pe, false);
        runner_.fleet().pause_reading(pe, false);
      }
      {
        Nanoseconds from = now_ns();
        runner_.recount();
        bool caught_up = runner_.wait_converged();
        report_.add("catch_up_seconds", seconds(now_ns() - from), "Slow PEs caught up after");
        return caught_up;
      }
    case Scenario::churn:
      return run_churn(runner_, report_);
    case Scenario::peer_flap:
      return run_peer_flap(runner_, report_);
    case Scenario::withdraw_storm:
      return run_withdraw_storm(runner_, report_);
    case Scenario::rt_join:
      return run_rt_join(runner_, report_);
    case Scenario::refresh_storm:
      return run_refresh_storm(runner_, report_);
    case Scenario::rr_restart:
      return run_rr_restart(runner_, report_);
    case Scenario::soak:
      return run_soak(runner_, report_);
  }
  return false;
}

void ScenarioRun::add_costs(const Meter& start, const Meter& from, const Meter& to) {
  if (from.reflector && to.reflector && start.reflector) {
    double rr = seconds(to.reflector->cpu_ns - from.reflector->cpu_ns);
    double user = static_cast<double>(to.reflector->user_ticks - from.reflector->user_ticks);
    double system = static_cast<double>(to.reflector->system_ticks - from.reflector->system_ticks);
    double share = user + system > 0 ? user / (user + system) : 0;
    report_.add("rr_cpu_seconds", rr, "Reflector CPU");
    report_.add("rr_cpu_user_seconds", rr * share, "  of it user (by ticks)");
    report_.add("rr_cpu_from_start_seconds", seconds(to.reflector->cpu_ns - start.reflector->cpu_ns),
                "  from the first connect");
    report_.add("rr_rss_bytes", static_cast<double>(to.reflector->rss_bytes), "Reflector memory");
    report_.add("rr_peak_rss_bytes", static_cast<double>(to.reflector->peak_rss_bytes), "  at its peak");
    double growth =
        static_cast<double>(to.reflector->rss_bytes) - static_cast<double>(start.reflector->rss_bytes);
    report_.add(
        "rr_bytes_per_path",
        std::max(0.0, growth) / static_cast<double>(std::max<std::uint64_t>(1, runner_.plan().paths())),
        "  bytes per path (growth)");
  }
  report_.add("generator_cpu_seconds", seconds(to.own_cpu_ns - from.own_cpu_ns), "Generator CPU");
  report_.add("foreign_cpu_seconds", judge(from, to), "CPU of everybody else");
}

double ScenarioRun::judge(const Meter& from, const Meter& to) {
  double elapsed = seconds(to.at - from.at), own = seconds(to.own_cpu_ns - from.own_cpu_ns), rr = 0;
  // Another process after a restart starts at zero.
  if (from.reflector && to.reflector)
    rr = std::max(0.0, seconds(to.reflector->cpu_ns - from.reflector->cpu_ns));
  double foreign = std::max(0.0, seconds(to.machine.busy_ns - from.machine.busy_ns) - own - rr);
  if (own > 0.9 * elapsed * runner_.options().threads && rr < 0.8 * elapsed && elapsed > 0.02)
    cost_verdict_ = "generator-bound";
  // A tick is 10 ms: short runs cannot tell.
  else if (foreign > 0.15 * elapsed * to.machine.cpus + 0.03)
    cost_verdict_ = "shared-machine";
  return foreign;
}

bool ScenarioRun::finish(bool so_far) {
  Checker& checker = runner_.checker();
  Checker::Difference d = checker.compare();
  const Counters c = checker.counters();
  report_.add("missing", static_cast<double>(d.missing), "Missing routes");
  report_.add("surplus", static_cast<double>(d.surplus), "Routes that should be gone");
  report_.add("unexpected", static_cast<double>(c.unexpected), "Unexpected routes");
  report_.add("wrong", static_cast<double>(c.wrong), "Routes with wrong contents");
  report_.add("malformed", static_cast<double>(c.malformed), "Malformed messages");
  report_.add("duplicates", static_cast<double>(c.duplicates), "Duplicates");
  report_.add("unknown_withdrawals", static_cast<double>(c.unknown_withdrawals),
              "Out-of-order withdrawals (of routes not held)");
  report_.add("session_losses", runner_.session_losses(), "Sessions lost");
  report_.add("updates_received", static_cast<double>(c.updates), "UPDATEs received");
  report_.add("nlri_received", static_cast<double>(c.reached), "  NLRIs announced in them");
  report_.add("nlri_withdrawn", static_cast<double>(c.withdrawn), "  NLRIs withdrawn in them");
  report_.add("received_bytes", static_cast<double>(runner_.fleet().bytes_received()), "Bytes received");
  report_.add("sent_bytes", static_cast<double>(runner_.fleet().bytes_sent()), "Bytes sent");
  report_.add("rtc_received", static_cast<double>(c.rtc_reached), "RT memberships received");
  report_.add("rtc_foreign_originator", static_cast<double>(c.rtc_wrong), "  with another's ORIGINATOR_ID");
  if (runner_.options().is_lenient)
    report_.add("echoes", static_cast<double>(c.echoes), "Routes sent back to their own PE");
  for (const std::string& sample : checker.samples()) report_.problems.push_back(sample);
  bool exact = so_far && c.is_clean() && d.missing == 0 && d.surplus == 0 && runner_.session_losses() == 0;
  report_.verdict = exact ? cost_verdict_ : "failed";
  return exact;
}

}  // namespace helio::pe

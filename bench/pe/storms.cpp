// Scenarios in which PEs come and go: flaps, withdrawals, memberships, refreshes, a reflector that restarts,
// and the soak that mixes them.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "bench/pe/churn.hpp"
#include "bench/pe/scenario.hpp"

namespace helio::pe {
namespace {

// Times of a phase over the rounds.
struct Times {
  std::vector<std::int64_t> ns;
  void add(Nanoseconds from, Nanoseconds to) { ns.push_back(std::max<Nanoseconds>(0, to - from)); }
  void report(Report& report, const std::string& name, const std::string& help) {
    report.add(name + "_p50_seconds", percentile(ns, 0.5) / 1e9, help + ", median");
    report.add(name + "_max_seconds", percentile(ns, 1) / 1e9, "  worst");
  }
  double median_ms() { return percentile(ns, 0.5) / 1e6; }
};

std::uint32_t nth_announcer(const Plan& plan, std::uint32_t round) {
  return round * 7 % plan.options().announcers;
}

bool give_up(Report& report, const std::string& what) {
  report.problems.push_back(what + ": not converged in time");
  return false;
}

bool flap(Runner& runner, std::uint32_t pe, Times& leave, Times& back, Times& everybody) {
  Checker& checker = runner.checker();
  checker.set_present(pe, false);
  checker.refresh_targets();
  runner.recount();
  Nanoseconds from = now_ns();
  runner.fleet().stop(pe);
  if (!runner.wait_converged()) return false;
  leave.add(from, runner.last_done());
  runner.run_for(0.05);
  checker.set_present(pe, true);
  checker.refresh_targets();
  runner.recount();
  from = now_ns();
  runner.fleet().start(pe);
  if (!runner.wait_converged()) return false;
  back.add(from, runner.done_at()[pe]);
  everybody.add(from, runner.last_done());
  runner.run_for(0.05);
  return true;
}

// A PE drops a route target and asks for it again.
bool change_membership(Runner& runner, std::uint32_t round, Times& leave, Times& join) {
  const Plan& plan = runner.plan();
  std::uint32_t pe = round * 7 % plan.pes();
  std::vector<std::uint64_t> rts = plan.import_rts(pe);
  std::uint32_t position = round * 3 % static_cast<std::uint32_t>(rts.size());
  for (bool wanted : {false, true}) {
    runner.checker().set_position_active(pe, position, wanted);
    runner.checker().refresh_targets();
    runner.recount();
    ByteVector message;
    append_memberships(message, plan, pe, {rts[position]}, wanted);
    Nanoseconds from = now_ns();
    runner.fleet().send(pe, message);
    if (!runner.wait_converged()) return false;
    (wanted ? join : leave).add(from, runner.last_done());
    runner.run_for(0.02);
  }
  return true;
}

// All PEs ask for everything again.
bool refresh_all(Runner& runner, Times& refresh) {
  const Plan& plan = runner.plan();
  runner.checker().expect_again();
  runner.recount();
  ByteVector message;
  if (plan.v4_routes_per_slice() > 0) append_route_refresh(message, 1, 128);
  if (plan.has_v6()) append_route_refresh(message, 2, 128);
  Nanoseconds from = now_ns();
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) runner.fleet().send(pe, message);
  if (!runner.wait_converged()) return false;
  refresh.add(from, runner.last_done());
  runner.run_for(0.1);
  return true;
}

}  // namespace

bool run_peer_flap(Runner& runner, Report& report) {
  Times leave, back, everybody;
  for (std::uint32_t round = 0; round < runner.options().repeat; ++round) {
    if (!flap(runner, nth_announcer(runner.plan(), round), leave, back, everybody))
      return give_up(report, "peer-flap");
  }
  leave.report(report, "leave", "A PE leaves: all others hold the withdrawals");
  back.report(report, "return", "It returns: it has everything");
  everybody.report(report, "return_all", "  and everybody has its routes");
  report.headline += fmt::format(", leave {:.2f} ms, return {:.2f} ms", leave.median_ms(), back.median_ms());
  return true;
}

bool run_withdraw_storm(Runner& runner, Report& report) {
  const Plan& plan = runner.plan();
  Checker& checker = runner.checker();
  Times withdrawn, announced;
  for (std::uint32_t round = 0; round < runner.options().repeat; ++round) {
    std::uint32_t pe = nth_announcer(plan, round);
    ByteVector withdrawals;
    for (std::uint32_t k = 0; k < plan.options().vrfs_per_pe; ++k) {
      append_withdrawals(withdrawals, plan, pe, {k, 0, plan.routes_per_slice()}, runner.options().pack);
    }
    ByteVector routes = build_routes(plan, pe, {runner.options().pack, 0});
    for (bool announce : {false, true}) {
      checker.set_announcing(pe, announce);
      checker.refresh_targets();
      runner.recount();
      Nanoseconds from = now_ns();
      runner.fleet().send(pe, announce ? routes : withdrawals);
      if (!runner.wait_converged()) return give_up(report, "withdraw-storm");
      (announce ? announced : withdrawn).add(from, runner.last_done());
      runner.run_for(0.05);
    }
  }
  withdrawn.report(report, "withdraw", "A PE withdraws everything: nobody has it");
  announced.report(report, "reannounce", "It announces everything: everybody has it");
  report.headline +=
      fmt::format(", withdraw {:.2f} ms, reannounce {:.2f} ms", withdrawn.median_ms(), announced.median_ms());
  return true;
}

bool run_rt_join(Runner& runner, Report& report) {
  if (runner.plan().options().rtc != RtcMode::on) {
    report.problems.push_back("rt-join needs --rtc on");
    return false;
  }
  Times leave, join;
  for (std::uint32_t round = 0; round < runner.options().repeat; ++round) {
    if (!change_membership(runner, round, leave, join)) return give_up(report, "rt-join");
  }
  leave.report(report, "rt_leave", "A PE drops a route target: its routes are gone");
  join.report(report, "rt_join", "It asks for it again: its routes are there");
  report.headline +=
      fmt::format(", rt-leave {:.2f} ms, rt-join {:.2f} ms", leave.median_ms(), join.median_ms());
  return true;
}

bool run_refresh_storm(Runner& runner, Report& report) {
  Times refresh;
  for (std::uint32_t round = 0; round < runner.options().repeat; ++round) {
    if (!refresh_all(runner, refresh)) return give_up(report, "refresh-storm");
  }
  refresh.report(report, "refresh", "All PEs ask for a refresh: all have everything again");
  report.headline += fmt::format(", refresh of all {:.2f} ms", refresh.median_ms());
  return true;
}

bool run_rr_restart(Runner& runner, Report& report) {
  const Options& o = runner.options();
  if (o.restart_command.empty()) {
    report.problems.push_back("rr-restart needs --restart-command");
    return false;
  }
  Times restart;
  runner.expect_losses(true);
  for (std::uint32_t round = 0; round < o.repeat; ++round) {
    std::uint32_t lost_before = runner.expected_losses();
    Nanoseconds from = now_ns();
    pid_t command = fork();
    if (command == 0) {
      execl("/bin/sh", "sh", "-c", o.restart_command.c_str(), nullptr);
      _exit(127);
    }
    int status = 0;
    bool is_running = command > 0;
    bool converged = runner.wait_until(
        [&] {
          if (is_running && waitpid(command, &status, WNOHANG) == command) is_running = false;
          return !is_running && runner.expected_losses() - lost_before >= runner.plan().pes() &&
                 runner.fleet().established() == runner.plan().pes() && runner.is_converged();
        },
        o.timeout);
    if (is_running) {
      report.problems.push_back("the restart command did not end");
      kill(command, SIGTERM);
      waitpid(command, &status, 0);
    } else if (status != 0) {
      report.problems.push_back(fmt::format("the restart command ended with status {}", WEXITSTATUS(status)));
    }
    if (!converged || status != 0) return give_up(report, "rr-restart");
    restart.add(from, runner.last_done());
    runner.run_for(o.settle);
    runner.find_reflector();
  }
  restart.report(report, "restart", "The reflector restarts: everybody has everything again");
  report.headline += fmt::format(", restart {:.0f} ms", restart.median_ms());
  return true;
}

// Churn, a flap, with RTC a membership change, now and then a refresh of all; memory must not follow time.
bool run_soak(Runner& runner, Report& report) {
  const Options& o = runner.options();
  const Plan& plan = runner.plan();
  double duration = o.duration > 0 ? o.duration : 60, rate = o.churn_rate > 0 ? o.churn_rate : 5000;
  Nanoseconds from = now_ns();
  constexpr std::uint32_t kRefreshEvery = 4;  // rounds
  Times leave, back, everybody, refresh, rt_leave, rt_join;
  std::uint64_t changes = 0;
  std::uint32_t rounds = 0;
  std::vector<std::pair<double, double>> memory;
  while (now_ns() - from < static_cast<Nanoseconds>(duration * 1e9)) {
    {
      Churner churner(runner);
      if (!churner.run(0, 2, rate)) return give_up(report, "soak: churn");
      changes += churner.done();
    }
    std::uint32_t pe = nth_announcer(plan, rounds);
    if (!flap(runner, pe, leave, back, everybody)) return give_up(report, "soak: flap");
    if (plan.options().rtc == RtcMode::on && !change_membership(runner, rounds, rt_leave, rt_join))
      return give_up(report, "soak: membership");
    if (rounds % kRefreshEvery == kRefreshEvery - 1 && !refresh_all(runner, refresh))
      return give_up(report, "soak: refresh");
    if (auto rr = runner.reflector()) {
      memory.emplace_back(static_cast<double>(now_ns() - from) / 1e9, static_cast<double>(rr->rss_bytes));
    }
    ++rounds;
  }
  report.add("soak_rounds", rounds, "Rounds of churn and flap");
  report.add("soak_changes", static_cast<double>(changes), "Changes seen by everybody");
  leave.report(report, "leave", "A PE leaves: all others hold the withdrawals");
  everybody.report(report, "return_all", "It returns: everybody has everything");
  if (!rt_join.ns.empty())
    rt_join.report(report, "rt_join", "A PE asks for a route target again: it has the routes");
  if (!refresh.ns.empty())
    refresh.report(report, "refresh", "All PEs ask for a refresh: all have everything again");
  if (memory.size() >= 4) {
    // The first quarter is warming up.
    std::size_t skip = memory.size() / 4;
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (std::size_t i = skip; i < memory.size(); ++i) {
      auto [x, y] = memory[i];
      n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    double slope = (n * sxy - sx * sy) / std::max(1e-9, n * sxx - sx * sx);
    report.add("rss_slope_bytes_per_second", std::round(slope), "Reflector memory grows, bytes per second");
    report.headline += fmt::format(", memory slope {:.0f} B/s", slope);
  }
  report.memory.insert(report.memory.end(), memory.begin(), memory.end());
  return true;
}

}  // namespace helio::pe

// The scenarios. Each drives a Runner through its phases and fills in the report; true when everything that
// was received was right, to the last route.
#pragma once
#include "bench/pe/runner.hpp"

namespace helio::pe {

// What the machine spent between two points of a run.
struct Meter {
  Nanoseconds at = 0;
  std::int64_t own_cpu_ns = 0;
  std::optional<ProcessSample> reflector;
  MachineSample machine;
  static Meter read(const Runner& runner);
};

class ScenarioRun {
 public:
  ScenarioRun(Runner& runner, Report& report) : runner_(runner), report_(report) {}
  // Sessions, scenario, final comparison, verdict.
  bool run();

 private:
  bool cold_start();
  bool after_cold_start();
  // Adds what happened between two meters and decides the verdict but for exactness.
  void add_costs(const Meter& start, const Meter& from, const Meter& to);
  // Whether the generator or somebody else had a part in the time between them; returns the others' CPU
  // seconds.
  double judge(const Meter& from, const Meter& to);
  bool finish(bool so_far);

  Runner& runner_;
  Report& report_;
  Meter start_, established_, converged_;
  std::string cost_verdict_ = "valid";
};

// Scenarios that start from the converged state. False: not exact, or the timeout.
bool run_churn(Runner& runner, Report& report);
bool run_peer_flap(Runner& runner, Report& report);
bool run_withdraw_storm(Runner& runner, Report& report);
bool run_rt_join(Runner& runner, Report& report);
bool run_refresh_storm(Runner& runner, Report& report);
bool run_rr_restart(Runner& runner, Report& report);
bool run_soak(Runner& runner, Report& report);

}  // namespace helio::pe

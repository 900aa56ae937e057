// What a run of helio-pe is asked to do: the plan, the scenario and the report. Filled from the named shape,
// a scenario file and the flags, in that order.
#pragma once
#include <string>
#include <vector>

#include "bench/pe/lib/plan.hpp"

namespace helio::pe {

enum class Scenario : std::uint8_t {
  cold_start,
  churn,
  peer_flap,
  slow_reader,
  rt_join,
  withdraw_storm,
  refresh_storm,
  rr_restart,
  soak
};

struct Options {
  PlanOptions plan;
  Scenario scenario = Scenario::cold_start;
  std::string shape;

  std::uint32_t target_address = 0x7f000001;
  std::uint16_t target_port = 1790;
  std::uint16_t hold_time = 90;
  std::uint32_t connect_window = 256;
  double ramp = 0;
  std::uint32_t threads = 1;
  std::uint32_t pack = 0;   // NLRIs per UPDATE at most
  double timeout = 120;     // seconds, per phase
  double settle = 0.3;      // seconds of listening after convergence, for what comes too much
  int rr_pid = 0;           // 0 = the process that listens on the target port
  bool is_lenient = false;  // tolerate what real PEs must ignore
  bool is_strict = false;   // duplicates and needless withdrawals fail too, and any verdict but valid

  // churn
  std::uint32_t window = 2000;   // changed routes in flight
  std::uint32_t churn_pack = 1;  // routes per UPDATE
  double churn_rate = 0;         // changes per second; 0 = as fast as the window allows
  std::uint64_t changes = 200000;
  double duration = 0;  // seconds; 0 = until `changes`

  double slow_share = 0.05;     // slow-reader: PEs that never read
  std::uint32_t repeat = 5;     // peer-flap, rt-join, withdraw-storm, refresh-storm: rounds
  std::string restart_command;  // rr-restart

  std::uint32_t canaries = 0;  // separate pairs of PEs that measure latency

  bool only_floor = false;
  bool only_sink = false;
  bool with_floor = false;
  bool only_print_plan = false;
  bool is_quiet = false;
  std::string raw_file, raw_output_file;
  std::string json_file, csv_file, out_folder;
  int prometheus_port = 0;
};

// Fills in a shape of the plan (S1..S11rtc); false when there is none of that name.
bool apply_shape(const std::string& name, Options& options);
std::vector<std::string> shape_names();
// "10.0.0.1-10.0.0.9,10.0.1.1" in ascending order; throws std::invalid_argument.
std::vector<std::uint32_t> parse_addresses(const std::string& text);
std::string_view scenario_name(Scenario scenario);

std::string help_text();
// Parses the command line; exits the process on --help and on errors.
Options parse_options(int argc, char** argv);

}  // namespace helio::pe

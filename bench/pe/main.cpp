// helio-pe: synthetic PEs. Options, the run, the report; everything else is in the files beside this one.
#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "bench/pe/canary.hpp"
#include "bench/pe/floor.hpp"
#include "bench/pe/pictures.hpp"
#include "bench/pe/progress.hpp"
#include "bench/pe/raw.hpp"
#include "bench/pe/scenario.hpp"
#include "bench/pe/sink.hpp"

namespace helio::pe {
namespace {

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

std::string shape_name(const Options& o) { return o.shape.empty() ? "custom" : o.shape; }

void print_plan(const Options& o, const Plan& plan, const Checker& checker) {
  fmt::print(
      "shape {} scenario {} pes {} vrfs {} vrfs-per-pe {} routes-per-vrf {} paths {} deliveries {} checker "
      "{}\n",
      shape_name(o), scenario_name(o.scenario), plan.pes(), plan.vrfs(), plan.options().vrfs_per_pe,
      plan.routes_per_slice(), plan.paths(), checker.total_target(),
      format_bytes(static_cast<double>(checker.memory_bytes())));
}

std::string summary(const Options& o, const Plan& plan, const Report& report) {
  auto number = [&](const char* name) {
    const Report::Value* v = report.find(name);
    return v == nullptr ? 0.0 : v->number;
  };
  std::string line =
      fmt::format("{} {}: {} PEs, {} paths, {} deliveries: {}", shape_name(o), scenario_name(o.scenario),
                  plan.pes(), plan.paths(), number("deliveries"), report.headline);
  if (report.find("rr_cpu_seconds") != nullptr) {
    line += fmt::format("; RR CPU {:.3f} s ({:.0f} % user), RSS {} (peak {}), {:.1f} B/path",
                        number("rr_cpu_seconds"),
                        100 * number("rr_cpu_user_seconds") / std::max(1e-9, number("rr_cpu_seconds")),
                        format_bytes(number("rr_rss_bytes")), format_bytes(number("rr_peak_rss_bytes")),
                        number("rr_bytes_per_path"));
  }
  return line +
         fmt::format("; generator CPU {:.3f} s; verdict {}", number("generator_cpu_seconds"), report.verdict);
}

void add_canaries(Canaries& canaries, Report& report) {
  std::vector<std::int64_t> latency = canaries.stop();
  report.add("canary_probes", static_cast<double>(latency.size()), "Canary probes answered");
  report.add("canary_lost", static_cast<double>(canaries.lost()), "  under way at the end");
  report.add("canary_p50_seconds", percentile(latency, 0.5) / 1e9, "  latency under load, p50");
  report.add("canary_p90_seconds", percentile(latency, 0.9) / 1e9, "  p90");
  report.add("canary_p99_seconds", percentile(latency, 0.99) / 1e9, "  p99");
  report.add("canary_max_seconds", percentile(latency, 1) / 1e9, "  worst");
  if (report.latency_ns.empty()) report.latency_ns = std::move(latency);
}

// With --json - standard output is for the JSON alone.
std::FILE* human(const Options& o) { return o.json_file == "-" ? stderr : stdout; }

void print_report(const Options& o, const Report& report, const std::string& line) {
  if (!o.is_quiet && o.json_file != "-") print_table(report);
  fmt::print(human(o), "{}\n", line);
}

void write_results(const Options& o, const Report& report) {
  if (!o.json_file.empty()) write_json(report, o.json_file);
  if (!o.csv_file.empty()) append_csv(report, o.csv_file);
  if (!o.out_folder.empty()) write_pictures(report, o.out_folder);
}

int run_floor(const Options& o, const Plan& plan) {
  Report report;
  FloorResult floor = measure_floor_median(o, plan, 3);
  add_floor(floor, report);
  report.verdict = floor.is_complete ? "valid" : "failed";
  print_report(
      o, report,
      fmt::format("{} floor: {} PEs, {} delivered: {:.3f} s, relay CPU {:.3f} s, generator CPU {:.3f} s",
                  shape_name(o), plan.pes(), format_bytes(static_cast<double>(floor.delivered_bytes)),
                  floor.seconds, floor.relay_cpu_seconds, floor.generator_cpu_seconds));
  write_results(o, report);
  return floor.is_complete ? 0 : 1;
}

int run_sink(const Options& o, const Plan& plan) {
  Report report;
  SinkResult sink = measure_sink(o, plan, 3);
  add_sink(sink, report);
  report.verdict = sink.is_complete ? "valid" : "failed";
  print_report(
      o, report,
      fmt::format(
          "{} sink: {} PEs, {} routes: {:.1f} M routes/s per core (build {:.3f} s, send {:.3f} s of CPU)",
          shape_name(o), plan.pes(), sink.routes, sink.routes_per_core_second() / 1e6, sink.build_cpu_seconds,
          sink.send_cpu_seconds));
  write_results(o, report);
  return sink.is_complete ? 0 : 1;
}

int run_load(const Options& o, const Plan& plan) {
  Report report;
  bool exact = false, is_tidy = true;
  if (!o.raw_file.empty()) {
    exact = run_raw(o, plan, report);
  } else {
    Runner runner(o, plan);
    ScenarioRun scenario(runner, report);
    Progress progress(runner, report);
    std::unique_ptr<Canaries> canaries;
    if (o.canaries > 0) canaries = std::make_unique<Canaries>(o);
    exact = scenario.run();
    if (canaries) add_canaries(*canaries, report);
    const Counters c = runner.checker().counters();
    is_tidy = c.duplicates == 0 && c.unknown_withdrawals == 0;
    if (o.with_floor) add_floor(measure_floor_median(o, plan, 3), report);
  }
  print_report(o, report, summary(o, plan, report));
  write_results(o, report);
  return exact && (!o.is_strict || (is_tidy && report.verdict == "valid")) ? 0 : 1;
}

int run(const Options& o) {
  Plan plan(o.plan);
  if (o.only_print_plan) {
    print_plan(o, plan, Checker(plan));
    return 0;
  }
  if (!o.raw_output_file.empty()) {
    write_raw(o, plan, o.raw_output_file);
    return 0;
  }
  if (o.only_floor) return run_floor(o, plan);
  if (o.only_sink) return run_sink(o, plan);
  return run_load(o, plan);
}

}  // namespace
}  // namespace helio::pe

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  helio::pe::Options options = helio::pe::parse_options(argc, argv);
  helio::pe::raise_file_limit();
  try {
    return helio::pe::run(options);
  } catch (const std::exception& e) {
    fmt::print(stderr, "helio-pe: {}\n", e.what());
    return 2;
  }
}

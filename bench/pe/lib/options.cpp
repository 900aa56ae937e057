#include "bench/pe/lib/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>
#include <stdexcept>

#include "rr/base/build_info.hpp"

namespace helio::pe {
namespace {

const std::map<std::string, Scenario> kScenarios = {
    {"cold-start", Scenario::cold_start},
    {"churn", Scenario::churn},
    {"peer-flap", Scenario::peer_flap},
    {"slow-reader", Scenario::slow_reader},
    {"rt-join", Scenario::rt_join},
    {"withdraw-storm", Scenario::withdraw_storm},
    {"refresh-storm", Scenario::refresh_storm},
    {"rr-restart", Scenario::rr_restart},
    {"soak", Scenario::soak},
};
const std::map<std::string, RtcMode> kRtcModes = {
    {"off", RtcMode::off}, {"on", RtcMode::on}, {"default", RtcMode::default_route}};
const std::map<std::string, RdMode> kRdModes = {{"per-pe", RdMode::per_pe}, {"per-vrf", RdMode::per_vrf}};
const std::map<std::string, LabelMode> kLabelModes = {
    {"per-vrf", LabelMode::per_vrf}, {"per-prefix", LabelMode::per_prefix}, {"per-ce", LabelMode::per_ce}};
const std::map<std::string, RtPlan> kRtPlans = {{"full-mesh", RtPlan::full_mesh},
                                                {"hub-spoke", RtPlan::hub_spoke},
                                                {"extranet", RtPlan::extranet},
                                                {"random", RtPlan::random}};
const std::map<std::string, PrefixKind> kPrefixKinds = {{"consecutive", PrefixKind::consecutive},
                                                        {"unique", PrefixKind::unique},
                                                        {"random", PrefixKind::random},
                                                        {"enterprise", PrefixKind::enterprise}};

template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& flag, T& value,
                        const std::map<std::string, T>& choices, const std::string& help) {
  std::string all;
  for (const auto& [name, _] : choices) all += (all.empty() ? "" : "|") + name;
  return app
      .add_option_function<std::string>(
          flag,
          [&value, &choices, flag](const std::string& text) {
            auto at = choices.find(text);
            if (at == choices.end()) throw CLI::ValidationError(flag, "unknown value " + text);
            value = at->second;
          },
          help)
      ->type_name(all);
}

CLI::Option* add_address(CLI::App& app, const std::string& flag, std::uint32_t& value,
                         const std::string& help) {
  return app
      .add_option_function<std::string>(
          flag,
          [&value, flag](const std::string& text) {
            auto address = wire::parse_ip(text);
            if (!address || address->is_v6) throw CLI::ValidationError(flag, "no IPv4 address: " + text);
            value = address->v4_value();
          },
          help)
      ->type_name("ADDRESS");
}

void set_target(Options& o, const std::string& text) {
  std::size_t colon = text.rfind(':');
  auto address = wire::parse_ip(text.substr(0, colon));
  if (!address || address->is_v6) throw CLI::ValidationError("--target", "want ADDRESS:PORT, IPv4");
  o.target_address = address->v4_value();
  if (colon != std::string::npos)
    o.target_port = static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 1));
}

std::uint32_t parse_v4(const std::string& text) {
  auto address = wire::parse_ip(text);
  if (!address || address->is_v6) throw std::invalid_argument("no IPv4 address: " + text);
  return address->v4_value();
}

}  // namespace

std::vector<std::uint32_t> parse_addresses(const std::string& text) {
  std::vector<std::uint32_t> all;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    std::size_t dash = part.find('-');
    std::uint32_t first = parse_v4(part.substr(0, dash));
    std::uint32_t last = dash == std::string::npos ? first : parse_v4(part.substr(dash + 1));
    if (last < first || last - first > 0xffff) throw std::invalid_argument("no range of addresses: " + part);
    for (std::uint32_t a = first; a <= last; ++a) all.push_back(a);
  }
  std::sort(all.begin(), all.end());
  if (std::adjacent_find(all.begin(), all.end()) != all.end())
    throw std::invalid_argument("an address is given twice");
  return all;
}

std::string_view scenario_name(Scenario scenario) {
  for (const auto& [name, value] : kScenarios) {
    if (value == scenario) return name;
  }
  return "";
}

namespace {

constexpr const char* kAbout =
    "helio-pe: synthetic provider-edge routers that load a VPN route reflector and check it exactly.\n"
    "Every PE is an iBGP session from an address of its own. The run is right (exit status 0) only when "
    "every\n"
    "PE ends with exactly the routes that its route targets ask for.";

void add_options(CLI::App& app, Options& o) {
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version",
                       fmt::format("helio-pe {} ({})", build_info().version, build_info().commit));
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_config("--file", "", "Scenario file: these options without the dashes, as TOML")->group("Scenario");
  app.add_option_function<std::string>(
         "--shape", [](const std::string&) {},  // read before everything else
         fmt::format("Named load: {}", fmt::join(shape_names(), " ")))
      ->type_name("NAME")
      ->group("Scenario");
  add_choice(app, "--scenario", o.scenario, kScenarios, "What happens (default cold-start)")
      ->group("Scenario");
  app.add_option("--timeout", o.timeout, "Seconds a phase may take")
      ->capture_default_str()
      ->group("Scenario");
  app.add_option("--settle", o.settle, "Seconds of listening after convergence, for what comes too much")
      ->capture_default_str()
      ->group("Scenario");
  app.add_option("--window", o.window, "churn: changed routes in flight")
      ->capture_default_str()
      ->group("Scenario");
  app.add_option("--churn-pack", o.churn_pack, "churn: routes per UPDATE")
      ->capture_default_str()
      ->group("Scenario");
  app.add_option("--churn-rate", o.churn_rate, "churn, soak: changes per second; 0 = as the window allows")
      ->group("Scenario");
  app.add_option("--changes", o.changes, "churn: how many")->capture_default_str()->group("Scenario");
  app.add_option("--duration", o.duration, "churn: seconds, instead of --changes; soak: seconds (default 60)")
      ->group("Scenario");
  app.add_option("--slow-share", o.slow_share, "slow-reader: share of PEs that never read")
      ->capture_default_str()
      ->group("Scenario");
  app.add_option("--repeat", o.repeat,
                 "Rounds of peer-flap, rt-join, withdraw-storm, refresh-storm, rr-restart")
      ->capture_default_str()
      ->group("Scenario");
  app.add_option("--restart-command", o.restart_command,
                 "rr-restart: shell command that restarts the reflector")
      ->group("Scenario");
  app.add_option("--canaries", o.canaries, "Pairs of further PEs that measure latency while the others load")
      ->group("Scenario");
  app.add_option("--seed", o.plan.seed, "Of everything that is random")
      ->capture_default_str()
      ->group("Scenario");

  app.add_option_function<std::string>(
         "--target", [&o](const std::string& t) { set_target(o, t); },
         "The reflector (default 127.0.0.1:1790)")
      ->type_name("ADDRESS:PORT")
      ->group("Sessions");
  app.add_option("--pes,--peers", o.plan.pes, "Synthetic PEs")->capture_default_str()->group("Sessions");
  add_address(app, "--base-address", o.plan.base_address,
              "Source address and router-id of the first PE (default 127.1.0.1)")
      ->group("Sessions");
  app.add_option_function<std::vector<std::string>>(
         "--addresses",
         [&o](const std::vector<std::string>& parts) {
           try {
             o.plan.addresses = std::make_shared<const std::vector<std::uint32_t>>(
                 parse_addresses(fmt::format("{}", fmt::join(parts, ","))));
           } catch (const std::invalid_argument& e) {
             throw CLI::ValidationError("--addresses", e.what());
           }
         },
         "Source addresses instead, in ascending order; those beyond --pes are for canaries")
      ->delimiter(',')
      ->type_name("FIRST-LAST,ADDRESS,...")
      ->group("Sessions");
  app.add_option("--asn", o.plan.asn, "AS of everybody")->capture_default_str()->group("Sessions");
  app.add_option("--hold-time", o.hold_time, "Seconds offered")->capture_default_str()->group("Sessions");
  app.add_option("--ramp", o.ramp, "New sessions per second; 0 = as fast as they come up")->group("Sessions");
  app.add_option("--connect-window", o.connect_window, "Sessions on their way up at a time")
      ->capture_default_str()
      ->group("Sessions");
  app.add_option("--threads", o.threads, "Threads that the sessions are spread over")
      ->check(CLI::Range(1u, 64u))
      ->capture_default_str()
      ->group("Sessions");
  app.add_option(
         "--add-path", o.plan.add_paths,
         "Receive several paths per prefix (RFC 7911), of which the reflector sends so many at most; 1 = off")
      ->check(CLI::Range(1u, 64u))
      ->capture_default_str()
      ->group("Sessions");
  add_choice(app, "--rtc", o.plan.rtc, kRtcModes,
             "RT-Constrain; default = the PE asks for everything (default on)")
      ->group("Sessions");

  app.add_option("--vrfs", o.plan.vrfs, "VPNs in the network (default: as many as a PE has)")
      ->group("Routes");
  app.add_option("--vpns", o.plan.vpns, "Route targets that the VRFs share in turn (default: one per VRF)")
      ->group("Routes");
  app.add_option("--vrfs-per-pe", o.plan.vrfs_per_pe, "VRFs on each PE")
      ->capture_default_str()
      ->group("Routes");
  app.add_option("--routes-per-vrf", o.plan.routes_per_vrf, "Routes of each PE in each of its VRFs")
      ->capture_default_str()
      ->group("Routes");
  app.add_option("--announcers", o.plan.announcers, "Only the first so many PEs announce")->group("Routes");
  app.add_option("--multihoming", o.plan.multihoming, "PEs that announce the same RD:prefixes")
      ->capture_default_str()
      ->group("Routes");
  app.add_option("--attrs-per-vrf,--attr-diversity", o.plan.attrs_per_vrf, "Attribute sets per PE and VRF")
      ->capture_default_str()
      ->group("Routes");
  app.add_option("--rts-per-route,--rt-per-route", o.plan.rts_per_route, "Route targets per route")
      ->capture_default_str()
      ->group("Routes");
  app.add_option("--ipv6-share", o.plan.ipv6_share, "Share of VPNv6 routes, 0..1")->group("Routes");
  app.add_option("--pack", o.pack, "NLRIs per UPDATE at most; 0 = full messages")->group("Routes");
  add_choice(app, "--rd-mode", o.plan.rd_mode, kRdModes, "An RD per PE and VRF, or per VRF (default per-pe)")
      ->group("Routes");
  add_choice(app, "--label-mode", o.plan.label_mode, kLabelModes, "MPLS labels (default per-vrf)")
      ->group("Routes");
  add_choice(app, "--rt-plan", o.plan.rt_plan, kRtPlans, "Who imports from whom (default full-mesh)")
      ->group("Routes");
  add_choice(app, "--prefix-plan", o.plan.prefix_kind, kPrefixKinds,
             "Which prefixes (default consecutive /24s)")
      ->group("Routes");
  app.add_option_function<std::string>(
         "--mrt",
         [&o](const std::string& file) {
           try {
             o.plan.prefix_list = load_mrt(file);
           } catch (const std::runtime_error& e) {
             throw CLI::ValidationError("--mrt", e.what());
           }
           o.plan.prefix_kind = PrefixKind::list;
         },
         "Prefixes of every VRF from an uncompressed MRT table dump (--routes-per-vrf 0: all of them)")
      ->type_name("FILE")
      ->group("Routes");
  app.add_option(
         "--raw", o.raw_file,
         "The announcing PEs replay this file of raw BGP UPDATEs instead (as BNG Blaster's bgpupdate writes)")
      ->group("Routes");
  app.add_option("--write-raw", o.raw_output_file, "Write the first PE's routes as such a file and end")
      ->group("Routes");
  add_address(app, "--next-hop-base", o.plan.next_hop_base,
              "Next hop of the first PE (default: its address; FRR takes 127/8 for martian)")
      ->group("Routes");

  app.add_option("--rr-pid", o.rr_pid, "The reflector's process (default: who listens on the target port)")
      ->group("Report");
  app.add_flag("--with-floor", o.with_floor,
               "Also move the same bytes through a process that does no BGP, and compare")
      ->group("Report");
  app.add_flag("--floor", o.only_floor, "Only that")->group("Report");
  app.add_flag("--sink", o.only_sink,
               "Only measure what the generator can offer: build the routes and send them to a process that "
               "forgets them")
      ->group("Report");
  app.add_flag("--strict", o.is_strict, "Fail on duplicates, needless withdrawals and any verdict but valid")
      ->group("Report");
  app.add_flag("--lenient", o.is_lenient,
               "Tolerate what real PEs must ignore: routes sent back to their own PE (RFC 4456 8), reserved "
               "label bits (RFC 8277 2.2)")
      ->group("Report");
  app.add_option("--json", o.json_file, "Write the results as JSON; - = standard output")->group("Report");
  app.add_option("--csv", o.csv_file, "Append the results to a CSV file")->group("Report");
  app.add_option("--out", o.out_folder, "Folder for pictures (SVG) and results")->group("Report");
  app.add_option("--prometheus-port", o.prometheus_port,
                 "Serve progress as Prometheus metrics on 127.0.0.1 during the run")
      ->group("Report");
  app.add_flag("--quiet", o.is_quiet, "The summary line only")->group("Report");
  app.add_flag("--print-plan", o.only_print_plan, "Print the plan's numbers and end")->group("Report");
}

}  // namespace

std::string help_text() {
  Options o;
  CLI::App app{kAbout, "helio-pe"};
  add_options(app, o);
  return app.help();
}

Options parse_options(int argc, char** argv) {
  Options o;
  // The shape gives the defaults of everything else, wherever it stands.
  std::string shape;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--shape" && i + 1 < argc) shape = argv[i + 1];
    if (argument.starts_with("--shape=")) shape = argument.substr(8);
  }
  if (!shape.empty() && !apply_shape(shape, o)) {
    fmt::print(stderr, "helio-pe: no shape {}; there are {}\n", shape, fmt::join(shape_names(), " "));
    std::exit(2);
  }
  CLI::App app{kAbout, "helio-pe"};
  add_options(app, o);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e) == 0 ? 0 : 2);
  }
  return o;
}

}  // namespace helio::pe

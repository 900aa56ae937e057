// helio-lab: a VPN laboratory. Runs a topology, sends packets between all sites, says what is wrong.
#include <cstdio>
#include <exception>
#include <fstream>

#include "bench/lab/lib/options.hpp"
#include "bench/lab/lib/picture.hpp"
#include "bench/lab/lib/report.hpp"
#include "bench/lab/lib/site_programs.hpp"

namespace helio::lab {
namespace {

bool write_file(const std::string& name, const std::string& text) {
  std::ofstream out(name, std::ios::binary);
  out << text;
  out.close();
  if (!out) std::fprintf(stderr, "helio-lab: %s cannot be written\n", name.c_str());
  return static_cast<bool>(out);
}

// What the daemons say about the faults that are there at the end.
void ask_heliods(Lab& lab, PhaseVerdict& verdict) {
  for (Cause& cause : verdict.causes)
    for (std::size_t i = 0; i < lab.topology().reflectors.size(); ++i) {
      const std::string& name = lab.topology().reflectors[i].name;
      if (!lab.is_up(name)) continue;
      if (auto answer = lab.heliods()->ask(i, cause.command)) cause.answers.emplace_back(name, *answer);
    }
}

int run(const Topology& topology, const Options& options, const std::function<void()>& check) {
  Lab lab(topology, options.shards, options.heliod, check);
  std::vector<PhaseVerdict> phases = run_phases(lab);
  bool good = true;
  for (const PhaseVerdict& v : phases) good = good && v.is_good();
  if (lab.heliods() != nullptr) ask_heliods(lab, phases.back());
  if (options.is_json) {
    std::fputs(to_json(lab, phases).c_str(), stdout);
  } else {
    for (const PhaseVerdict& v : phases) std::fputs(format_phase(lab, v, options.with_paths).c_str(), stdout);
    std::fputs(format_summary(topology, phases).c_str(), stdout);
  }
  if (!options.svg_file.empty() && !write_file(options.svg_file, draw_topology(lab, nullptr, topology.description))) return 2;
  return good ? 0 : 1;
}

// The CEs as namespaces, with real programs; with --hold they stay until a signal comes.
int run_namespaces(const Topology& topology, const Options& options, SignalGuard& signals) {
  Lab lab(topology, options.shards, options.heliod, [&] { signals.check(); });
  lab.converge();
  Namespaces namespaces(lab, signals);
  std::vector<SitesVerdict> phases = run_site_phases(lab, namespaces, signals, options.with_iperf3, [&](const SitesVerdict& v) {
    if (!options.is_json) std::fputs(format_sites(topology, v).c_str(), stdout);
    std::fflush(stdout);
  });
  bool good = true;
  for (const SitesVerdict& v : phases) good = good && v.is_good();
  std::fputs((options.is_json ? sites_to_json(topology, phases) : format_sites_summary(phases)).c_str(), stdout);
  if (options.is_held) {
    std::fprintf(stderr, "the sites stay until Ctrl-C; for instance:\n");
    for (std::size_t i = 0; lab.heliods() != nullptr && i < topology.reflectors.size(); ++i) std::fprintf(stderr, "  helioctl --socket %s show peers\n", lab.heliods()->socket(i).c_str());
    for (std::size_t ce = 0; ce < topology.ces.size(); ++ce) std::fprintf(stderr, "  ip netns exec %s ping …\n", namespaces.name_of(ce).c_str());
    std::fflush(stdout);
    while (!signals.wait_for(20)) lab.send_keepalives();
  }
  namespaces.stop();
  if (!options.is_json) std::printf("%llu packets crossed the core; removing the namespaces\n", static_cast<unsigned long long>(namespaces.carried()));
  return good ? 0 : 1;
}

int trace(const Topology& topology, const Options& options, const std::function<void()>& check) {
  Lab lab(topology, options.shards, options.heliod, check);
  lab.converge();
  std::size_t ends[2];
  for (int i = 0; i < 2; ++i) {
    const CeSpec* ce = topology.find_ce(options.ces[i]);
    if (ce == nullptr) {
      std::fprintf(stderr, "helio-lab: there is no CE \"%s\" in %s\n", options.ces[i].c_str(), options.file.c_str());
      return 2;
    }
    ends[i] = static_cast<std::size_t>(ce - topology.ces.data());
  }
  for (const Prefix& to : topology.ces[ends[1]].prefixes)
    for (const Prefix& from : topology.ces[ends[0]].prefixes) {
      if (from.is_v6 != to.is_v6 || from.is_v6 != options.is_v6) continue;
      std::fputs(format_trace(lab, ends[0], first_host(from), first_host(to), options.size, options.may_not_fragment).c_str(), stdout);
      Walk walk = lab.send(ends[0], first_host(from), first_host(to), 64, options.size, options.may_not_fragment);
      if (!options.svg_file.empty() && !write_file(options.svg_file, draw_topology(lab, &walk, options.ces[0] + " to " + options.ces[1]))) return 2;
      return walk.end == Walk::End::delivered && walk.last == lab.node_of_ce(ends[1]) ? 0 : 1;
    }
  std::fprintf(stderr, "helio-lab: %s and %s have no prefixes of the same family\n", options.ces[0].c_str(), options.ces[1].c_str());
  return 2;
}

int main_of(int argc, char** argv) {
  ParsedOptions parsed = parse_options(argc, argv);
  if (!parsed.options) {
    std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  const Options& options = *parsed.options;
  auto topology = load_topology(options.file);
  if (!topology) {
    for (const auto& problem : topology.error()) std::fprintf(stderr, "%s\n", config::format_problem(problem).c_str());
    return 2;
  }
  try {
    // Without processes and namespaces there is nothing to remove: a signal may end us as it likes.
    std::optional<SignalGuard> guard;
    if (options.has_namespaces || !options.heliod.empty()) guard.emplace();
    auto check = [&] {
      if (guard) guard->check();
    };
    switch (options.command) {
      case Options::Command::run: return options.has_namespaces ? run_namespaces(*topology, options, *guard) : run(*topology, options, check);
      case Options::Command::trace: return trace(*topology, options, check);
      case Options::Command::config:
        if (!options.ces[0].empty() && topology->find_reflector(options.ces[0]) == nullptr) {
          std::fprintf(stderr, "helio-lab: there is no reflector \"%s\" in %s\n", options.ces[0].c_str(), options.file.c_str());
          return 2;
        }
        for (const ReflectorSpec& rr : topology->reflectors)
          if (options.ces[0].empty() || rr.name == options.ces[0]) std::fputs(reflector_config(*topology, rr).c_str(), stdout);
        return 0;
    }
  } catch (const Interrupted&) {
    return 130;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "helio-lab: %s\n", e.what());
  }
  return 2;
}

}  // namespace
}  // namespace helio::lab

int main(int argc, char** argv) { return helio::lab::main_of(argc, argv); }

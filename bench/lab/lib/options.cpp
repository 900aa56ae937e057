#include "bench/lab/lib/options.hpp"

#include <charconv>
#include <cstring>

#include "rr/base/build_info.hpp"

namespace helio::lab {

std::string help_text() {
  return R"(helio-lab: a VPN laboratory around heliod's engine. See helio-lab(1).

  helio-lab run TOPOLOGY.toml [--paths] [--json] [--svg FILE]
  helio-lab run TOPOLOGY.toml --namespaces [--iperf3] [--json] [--hold]
  helio-lab trace TOPOLOGY.toml CE1 CE2 [--ipv6] [--size N] [--df] [--svg FILE]
  helio-lab config TOPOLOGY.toml [REFLECTOR]

run      builds PEs, P routers, CEs and reflectors in this process, lets BGP converge, sends a packet for every ordered
         pair of sites and compares with what is meant and with what the route targets say; phase by phase
trace    the way of one packet with its labels, hop by hop, and what traceroute would show
config   the configuration files of the reflectors, as heliod takes them

  --paths        every packet's way with its labels
  --json         for programs
  --svg FILE     a picture of the topology; of trace: with the label stack along the way
  --namespaces   the CEs as network namespaces, ping between all of them (root); removed at the end, by Ctrl-C too
  --iperf3       with --namespaces: a TCP stream between two sites of each customer as well
  --hold         with --namespaces: they stay until Ctrl-C
  --heliod FILE  reflectors are processes of this binary on the loopback, with sessions over TCP
  --ipv6         trace between IPv6 addresses
  --size N       octets of data in the traced packet (default 32)
  --df           it may not be fragmented
  --shards N     shards of each reflector (default 1)
  --version, --help

Exit status: 0 all is as meant; 1 a fault, named in the output; 2 wrong use or unreadable files.
)";
}

ParsedOptions parse_options(int argc, char** argv) {
  auto fail = [](const std::string& text) { return ParsedOptions{std::nullopt, "helio-lab: " + text + " (try --help)\n", 2}; };
  Options o;
  std::string command;
  std::size_t words = 0;
  for (int i = 1; i < argc; ++i) {
    std::string a = argv[i];
    auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (a == "--help" || a == "-h") return {std::nullopt, help_text(), 0};
    if (a == "--version") return {std::nullopt, "helio-lab " + std::string(build_info().version) + " (" + std::string(build_info().commit) + ")\n", 0};
    if (a == "--json" || a == "-j") o.is_json = true;
    else if (a == "--namespaces") o.has_namespaces = true;
    else if (a == "--iperf3") o.with_iperf3 = true;
    else if (a == "--hold") o.is_held = true;
    else if (a == "--paths") o.with_paths = true;
    else if (a == "--ipv6" || a == "-6") o.is_v6 = true;
    else if (a == "--df") o.may_not_fragment = true;
    else if (a == "--size") {
      std::string n = value();
      if (auto [p, e] = std::from_chars(n.data(), n.data() + n.size(), o.size); e != std::errc() || p != n.data() + n.size() || o.size > 9000) return fail("--size needs a number from 0 to 9000");
    } else if (a == "--svg") {
      o.svg_file = value();
      if (o.svg_file.empty()) return fail("--svg needs a file name");
    } else if (a == "--heliod") {
      o.heliod = value();
      if (o.heliod.empty()) return fail("--heliod needs the binary");
    } else if (a == "--shards") {
      std::string n = value();
      if (auto [p, e] = std::from_chars(n.data(), n.data() + n.size(), o.shards); e != std::errc() || p != n.data() + n.size() || o.shards == 0 || o.shards > 64) return fail("--shards needs a number from 1 to 64");
    } else if (a.starts_with("-")) return fail("unknown option " + a);
    else if (command.empty()) command = a;
    else if (o.file.empty()) o.file = a;
    else if (words < 2) o.ces[words++] = a;
    else return fail("too many arguments: " + a);
  }
  if (command == "run") o.command = Options::Command::run;
  else if (command == "trace") o.command = Options::Command::trace;
  else if (command == "config") o.command = Options::Command::config;
  else return fail(command.empty() ? "no command" : "unknown command " + command);
  if (o.file.empty()) return fail("no topology file");
  if (o.has_namespaces && o.command != Options::Command::run) return fail("--namespaces goes with run");
  if (o.is_held && !o.has_namespaces) return fail("--hold goes with --namespaces");
  if (o.with_iperf3 && !o.has_namespaces) return fail("--iperf3 goes with --namespaces");
  if (o.has_namespaces && (o.with_paths || !o.svg_file.empty())) return fail("--paths and --svg do not go with --namespaces");
  if (o.command == Options::Command::trace && words != 2) return fail("trace needs two CEs");
  if (o.command == Options::Command::run && words != 0) return fail("too many arguments: " + o.ces[0]);
  return {o, "", 0};
}

}  // namespace helio::lab

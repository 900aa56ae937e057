// The command line of helio-lab.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace helio::lab {

struct Options {
  enum class Command : std::uint8_t { run, trace, config } command = Command::run;
  std::string file;
  std::array<std::string, 2> ces;  // trace: from, to; config: the reflector
  bool is_json = false, with_paths = false, is_v6 = false;
  bool has_namespaces = false, with_iperf3 = false, is_held = false;
  std::uint32_t size = 32;        // of trace's packets: octets behind the ICMP header
  bool may_not_fragment = false;
  std::string svg_file, heliod;
  std::uint32_t shards = 1;
};

struct ParsedOptions {
  std::optional<Options> options;  // absent: print `text` and leave
  std::string text;
  int exit_code = 0;
};
ParsedOptions parse_options(int argc, char** argv);
std::string help_text();

}  // namespace helio::lab

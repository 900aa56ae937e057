// The command line of heliod.
#pragma once
#include <string>

namespace helio::app {

struct Options {
  std::string config_file = "/etc/heliograph/heliograph.toml";
  bool check = false;  // read the configuration, report its problems and leave
};

struct ParsedOptions {
  Options options;
  bool run = false;   // otherwise print `text` (to standard error when exit_code is not 0) and leave
  int exit_code = 0;  // 0 for --help and --version, 2 for a mistake
  std::string text;
};
ParsedOptions parse_options(int argc, const char* const* argv);

}  // namespace helio::app

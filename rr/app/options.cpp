// The only file of heliod that sees CLI11.
#include "rr/app/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "rr/base/build_info.hpp"

namespace helio::app {

ParsedOptions parse_options(int argc, const char* const* argv) {
  ParsedOptions result;
  CLI::App app{"Heliograph, a BGP route reflector for MPLS L3VPN. Stays in the foreground and logs to standard error.", "heliod"};
  app.add_option("--config", result.options.config_file, "configuration file")->type_name("FILE")->capture_default_str();
  app.add_flag("--check", result.options.check, "report everything that is wrong with the configuration and leave");
  const BuildInfo& build = build_info();
  app.set_version_flag("--version",
                       fmt::format("heliod {} ({}, {}, {})", build.version, build.commit, build.compiler, build.allocator));
  app.footer("Signals: SIGHUP reloads the configuration (helioctl config diff shows what that changes). SIGTERM and SIGINT end "
             "all sessions, with Cease/Administrative Shutdown unless graceful restart keeps the routes. See heliod(8).");
  try {
    app.parse(argc, argv);
    result.run = true;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    result.exit_code = app.exit(error, out, out) == 0 ? 0 : 2;
    result.text = out.str();
  }
  return result;
}

}  // namespace helio::app

// helioctl: see helioctl(1).
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "rr/ctl/lib/run.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // `helioctl show routes --all | head` ends quietly
  const char* socket = std::getenv("HELIOGRAPH_SOCKET");
  auto parsed = helio::ctl::parse_command(argc, argv, socket ? socket : "");
  if (!parsed.run) {
    (parsed.exit_code ? std::cerr : std::cout) << parsed.text;
    return parsed.exit_code;
  }
  return helio::ctl::run(parsed.command, std::cout, std::cerr);
}

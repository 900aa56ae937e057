// The command line of helioctl as a value. Verbs and columns are those of ECOSYSTEM §4.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace helio::ctl {

enum class Verb : std::uint8_t {
  show_summary,
  show_peers,
  show_peer,
  show_routes,
  show_rt,
  show_rtc,
  show_memory,
  show_latency,
  show_encoding_classes,
  show_policies,
  show_nexthops,
  show_legacy_peers,
  show_bmp,
  show_mrt,
  show_config,
  show_version,
  show_openapi,
  explain,
  explain_at,
  explain_rt,
  explain_peer,
  history,
  monitor,
  top,
  show_groups,
  show_rd,
  show_shards,
  completion,
  completion_words,
  peer_action,
  maintenance,
  log_level,
  log_tail,
  health,
  config_check,
  dump_mrt,
  dump_support,
  config_diff,
  config_reload,
  config_confirm,
  config_rollback,
};

struct Command {
  Verb verb = Verb::show_summary;
  // for every verb
  std::string socket = "/run/heliograph/control.sock";
  bool json = false;
  bool wide = false;
  bool no_headers = false;
  unsigned watch_seconds = 0;  // 0: once
  // show peer, peer
  std::string url, token_file;  // TCP instead of the socket
  std::string peer;
  std::string action;          // up | down | clear | refresh; maintenance: on | off
  std::string soft;            // "", in, out
  std::string reason;
  // show peers
  std::string group, state;
  // show routes
  std::string family, rd, rt, prefix, from, to, rib;
  bool longer = false;
  bool all = false;
  bool detail = false;
  std::uint32_t limit = 100;
  // monitor
  std::string what;            // peers | updates | stats
  std::uint32_t count = 0;     // lines; 0: without end
  // log tail
  std::uint32_t lines = 20;
  bool follow = false;
  // top
  bool once = false;
  std::string sort;            // lag | churn | flaps
  // completion
  std::string shell;           // bash | zsh | fish
  std::vector<std::string> words;
  // explain
  std::string at;
  // health
  bool ready = false;
  // config check, dump mrt
  std::string file;
  // config diff, config reload
  bool impact = false;
  std::int64_t confirm_seconds = 0;  // 0: stays without confirmation
  bool reset_sessions = false;
};

struct ParseResult {
  Command command;
  bool run = false;   // otherwise print `text` and leave with `exit_code`
  int exit_code = 0;  // 0 for --help and --version, 2 for a mistake
  std::string text;
};
// `socket_default` is HELIOGRAPH_SOCKET's value, or empty.
ParseResult parse_command(int argc, const char* const* argv, const std::string& socket_default);

// Every verb and option, as in "show routes --rd": for shell completion and the test of the man page.
std::vector<std::string> command_words();

}  // namespace helio::ctl

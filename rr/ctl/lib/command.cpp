// The only file of helioctl that sees CLI11.
#include "rr/ctl/lib/command.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "rr/base/build_info.hpp"
#include "rr/ctl/lib/complete.hpp"
#include "rr/config/values.hpp"

namespace helio::ctl {
namespace {

struct Parser {
  Command command;
  std::string soft_word, confirm_word;
  std::vector<std::string> prefix_words;
  CLI::App app{"Asks and controls the Heliograph route reflector.", "helioctl"};

  Parser() {
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("--version", std::string(build_info().version));
    app.add_option("--socket", command.socket, "control socket of the daemon (or HELIOGRAPH_SOCKET)")->type_name("PATH");
    app.add_option("--url", command.url, "control API over TCP instead, as http://127.0.0.1:PORT")->type_name("URL")->envname("HELIOGRAPH_URL");
    app.add_option("--token-file", command.token_file, "file with the token for --url")->type_name("FILE")->envname("HELIOGRAPH_TOKEN_FILE");
    app.add_flag("-j,--json", command.json, "print the API's answer");
    app.add_flag("-w,--wide", command.wide, "more columns");
    app.add_flag("--no-headers", command.no_headers, "no column titles");
    app.add_option("--watch", command.watch_seconds, "again every N seconds")->type_name("N")->check(CLI::Range(1, 3600));
    app.footer("Exit status: 0 done, 1 the answer is no (unknown, not ready, not valid), 2 usage or no daemon.\n"
               "See helioctl(1).");

    CLI::App* show = group("show", "what the daemon knows");
    leaf(show, "summary", "one screen: identity, convergence, sizes", Verb::show_summary);
    CLI::App* peers = leaf(show, "peers", "one line per peer", Verb::show_peers);
    peers->add_option("--group", command.group, "peers of this group")->type_name("NAME");
    peers->add_option("--state", command.state, "peers in this state, e.g. Established")->type_name("STATE");
    CLI::App* peer = leaf(show, "peer", "everything about one peer", Verb::show_peer);
    peer->add_option("peer", command.peer, "address")->required();
    routes(leaf(show, "routes", "VPN routes", Verb::show_routes));
    CLI::App* groups = leaf(show, "groups", "one line per peer group", Verb::show_groups);
    groups->add_option("--group", command.group, "this group")->type_name("NAME");
    CLI::App* rd = leaf(show, "rd", "route distinguishers: how many paths each has", Verb::show_rd);
    rd->add_option("--limit", command.limit, "at most N of them")->type_name("N")->check(CLI::Range(1u, 10000u));
    leaf(show, "shards", "what each shard holds and has to do", Verb::show_shards);
    leaf(show, "rt", "route targets: who exports, who imports", Verb::show_rt);
    leaf(show, "rtc", "RT-Constrain routes (RFC 4684)", Verb::show_rtc);
    leaf(show, "latency", "how long changes take through the reflector, by stage", Verb::show_latency);
    leaf(show, "memory", "what the RIB's memory goes to", Verb::show_memory);
    leaf(show, "encoding-classes", "peers that get identical bytes", Verb::show_encoding_classes);
    leaf(show, "policies", "policy statements and what they matched", Verb::show_policies);
    leaf(show, "nexthops", "next hops: can they be reached, how far, who needs them", Verb::show_nexthops);
    leaf(show, "legacy-peers", "peers without RT-Constrain: what they are sent and what they export", Verb::show_legacy_peers);
    leaf(show, "bmp", "BMP stations: are they connected, do they keep up", Verb::show_bmp);
    leaf(show, "mrt", "MRT files: the last dump, what was written, what went wrong", Verb::show_mrt);
    leaf(show, "config", "the configuration in force", Verb::show_config);
    leaf(show, "openapi", "the OpenAPI document of the control API", Verb::show_openapi);
    leaf(show, "version", "of helioctl and of the daemon", Verb::show_version);

    explain(app.add_subcommand("explain", "why a route is where it is, or is not; 'rt RT' and 'peer PEER' explain those"));

    history(leaf(&app, "history", "what lately happened to a prefix", Verb::history));

    CLI::App* top = leaf(&app, "top", "peers by lag, churn or flaps and route targets by churn, on a screen; keys l c f sort, q ends", Verb::top);
    top->add_flag("--once", command.once, "one frame, and end");
    top->add_option("--sort", command.sort, "lag, churn or flaps")->check(CLI::IsMember({"lag", "churn", "flaps"}));

    CLI::App* completion = leaf(&app, "completion", "completion script of a shell", Verb::completion);
    completion->add_option("shell", command.shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));

    CLI::App* monitor = leaf(&app, "monitor", "what happens, as it happens; ends with Ctrl-C", Verb::monitor);
    monitor->add_option("what", command.what, "peers: sessions, limits, next hops, policies; updates: best paths and RT memberships; stats: a line of figures per second")
        ->required()
        ->check(CLI::IsMember({"peers", "updates", "stats"}));
    monitor->add_option("--peer", command.peer, "of this peer")->type_name("PEER");
    monitor->add_option("--rd", command.rd, "with updates: of this route distinguisher")->type_name("RD");
    monitor->add_option("--rt", command.rt, "with updates: with this route target, or about it")->type_name("RT");
    monitor->add_option("--prefix", command.prefix, "with updates: of this prefix")->type_name("P/L");
    monitor->add_option("--count", command.count, "end after N lines")->type_name("N")->check(CLI::Range(1u, 1000000000u));

    CLI::App* action = leaf(&app, "peer", "act on one peer", Verb::peer_action);
    action->add_option("peer", command.peer, "address")->required();
    action->add_option("action", command.action, "up, down, clear or refresh")
        ->required()
        ->check(CLI::IsMember({"up", "down", "clear", "refresh"}));
    action->add_option("soft", soft_word, "with clear: do not close the session")->check(CLI::IsMember({"soft"}));
    action->add_option("direction", command.soft, "with soft: in or out")->check(CLI::IsMember({"in", "out"}));
    action->add_option("--reason", command.reason, "text for the peer (RFC 9003), at most 255 octets")->type_name("TEXT");

    CLI::App* maintenance = leaf(&app, "maintenance", "ask the peers to prefer other paths (RFC 8326), or no longer", Verb::maintenance);
    maintenance->add_option("state", command.action, "on or off")->required()->check(CLI::IsMember({"on", "off"}));
    maintenance->add_option("--reason", command.reason, "text for the peers when the daemon stops (RFC 9003), at most 255 octets")->type_name("TEXT");

    CLI::App* log = group("log", "the daemon's log");
    CLI::App* level = leaf(log, "level", "how much is logged from now on", Verb::log_level);
    level->add_option("level", command.action, "trace, debug, info, warn or error")->required()->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));

    CLI::App* tail = leaf(log, "tail", "its last lines", Verb::log_tail);
    tail->add_option("--lines", command.lines, "the last N of them (20)")->type_name("N")->check(CLI::Range(0u, 1000u));
    tail->add_flag("--follow", command.follow, "then those that come; ends with Ctrl-C");

    CLI::App* health = leaf(&app, "health", "for probes: exit status 0 when the daemon answers", Verb::health);
    health->add_flag("--ready", command.ready, "and is converged");

    CLI::App* config = group("config", "check, compare and reload the configuration");
    CLI::App* check = leaf(config, "check", "all mistakes of a file; needs no daemon", Verb::config_check);
    check->add_option("file", command.file, "configuration file")->required();

    CLI::App* dump = group("dump", "files for other programs");
    CLI::App* mrt = leaf(dump, "mrt", "the RIB as an MRT file (TABLE_DUMP_V2); - is standard output", Verb::dump_mrt);
    mrt->add_option("file", command.file, "file to write")->required();
    CLI::App* support = leaf(dump, "support", "what to send with a question: every answer of the daemon, one per line, no secrets; - is standard output", Verb::dump_support);
    support->add_option("file", command.file, "file to write")->required();
    CLI::App* diff = leaf(config, "diff", "what a reload of the file would change", Verb::config_diff);
    diff->add_flag("--impact", command.impact, "with the peers and routes that each change touches");
    CLI::App* reload = leaf(config, "reload", "take over the file; sessions stay", Verb::config_reload);
    reload->add_option("--confirm", confirm_word, "roll back unless confirmed within this time, such as 90s, 5m or 1h")->type_name("TIME");
    reload->add_flag("--reset-sessions", command.reset_sessions, "reset at once the sessions that cannot take their new settings over");
    leaf(config, "confirm", "keep the last reload", Verb::config_confirm);
    leaf(config, "rollback", "undo the last reload, which waits to be confirmed", Verb::config_rollback);
  }

 private:
  CLI::App* group(const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->require_subcommand(1);
    sub->fallthrough();
    return sub;
  }
  CLI::App* leaf(CLI::App* parent, const char* name, const char* help, Verb verb) {
    CLI::App* sub = parent->add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([this, verb] { command.verb = verb; });
    return sub;
  }
  void explain(CLI::App* sub) {
    sub->fallthrough();
    sub->require_subcommand(0, 1);
    sub->add_option("prefix", command.prefix, "address/length");
    sub->add_option("--rd", command.rd, "its route distinguisher")->type_name("RD");
    sub->add_option("--to", command.to, "why this peer is or is not sent it")->type_name("PEER");
    sub->add_option("--at", command.at, "what was true then: 2026-01-31T12:00:00Z, or -5m for five minutes ago")->type_name("TIME");
    sub->add_flag("--detail", command.detail, "with the UPDATE as the peer is sent it, in hex");
    CLI::App* rt = leaf(sub, "rt", "who exports a route target, who imports it", Verb::explain_rt);
    rt->add_option("rt", command.rt, "route target")->required();
    CLI::App* peer = leaf(sub, "peer", "why a peer is not Established, or not as it should be", Verb::explain_peer);
    peer->add_option("peer", command.peer, "address")->required();
    sub->callback([this, sub] {
      if (!sub->get_subcommands().empty()) return;
      if (command.prefix.empty()) throw CLI::ValidationError("explain", "a prefix, 'rt RT' or 'peer PEER'?");
      if (command.rd.empty()) throw CLI::ValidationError("explain", "--rd is needed (helioctl show routes --prefix P/L lists the RDs)");
      command.verb = command.at.empty() ? Verb::explain : Verb::explain_at;
    });
  }
  void history(CLI::App* sub) {
    sub->add_option("prefix", command.prefix, "address/length")->required();
    sub->add_option("--rd", command.rd, "its route distinguisher")->type_name("RD")->required();
    sub->add_option("--limit", command.limit, "at most the last N changes and events")->type_name("N")->check(CLI::Range(1u, 10000u));
  }
  void routes(CLI::App* sub) {
    sub->add_option("--family", command.family, "vpnv4 (default), vpnv6 or evpn")->type_name("FAMILY");
    sub->add_option("--rd", command.rd, "of this route distinguisher")->type_name("RD");
    sub->add_option("--rt", command.rt, "with this route target")->type_name("RT");
    sub->add_option("--prefix", prefix_words, "this prefix; 'longer' after it: and what it covers")
        ->type_name("P/L [longer]")
        ->expected(1, 2);
    sub->add_flag("--longer", command.longer, "as 'longer' after --prefix");
    sub->add_option("--from", command.from, "received from this peer")->type_name("PEER");
    sub->add_option("--to", command.to, "sent to this peer")->type_name("PEER");
    sub->add_option("--rib", command.rib, "adj-in: as received from --from, before policy; loc; adj-out: sent to --to")
        ->type_name("RIB")
        ->check(CLI::IsMember({"adj-in", "loc", "adj-out"}));
    sub->add_option("--limit", command.limit, "at most N prefixes")->type_name("N")->check(CLI::Range(1u, 1000000000u));
    sub->add_flag("--all", command.all, "without limit");
    sub->add_flag("--detail", command.detail, "every attribute of every path");
  }
};

void collect(const CLI::App& app, const std::string& path, std::vector<std::string>& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_lnames().empty() && option->get_lnames()[0] != "help")
      out.push_back(path + (path.empty() ? "--" : " --") + option->get_lnames()[0]);
  }
  for (const CLI::App* sub : app.get_subcommands({})) {
    std::string name = path.empty() ? sub->get_name() : path + " " + sub->get_name();
    if (sub->get_subcommands({}).empty()) out.push_back(name);
    collect(*sub, name, out);
  }
}

// The option with this name, of the command or of one above it.
const CLI::Option* find_option(const CLI::App* app, const std::string& word) {
  for (; app != nullptr; app = app->get_parent())
    for (const CLI::Option* option : app->get_options())
      if (!option->get_positional() && option->check_name(word)) return option;
  return nullptr;
}

// The values of an option: those it is limited to, or what the daemon knows.
void add_values(const CLI::Option& option, const std::string& current, Completion& out) {
  std::string name = option.get_lnames().empty() ? option.get_name() : option.get_lnames()[0], type = option.get_type_name();
  if (std::size_t open = type.find('{'), close = type.rfind('}'); open != std::string::npos && close != std::string::npos) {
    std::istringstream choices(type.substr(open + 1, close - open - 1));
    for (std::string choice; std::getline(choices, choice, ',');)
      if (choice.starts_with(current)) out.words.push_back({choice, ""});
    return;
  }
  using enum Completion::Values;
  if (name == "peer" || name == "from" || name == "to") out.values = peers;
  else if (name == "rd") out.values = rds;
  else if (name == "rt") out.values = route_targets;
  else if (name == "group") out.values = groups;
  else if (name == "file" || name == "socket" || name == "token-file") out.values = files;
}

}  // namespace

Completion complete(const std::vector<std::string>& words) {
  Parser parser;
  Completion out;
  const CLI::App* app = &parser.app;
  const CLI::Option* awaits_value = nullptr;
  std::size_t positional = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (awaits_value != nullptr) {
      if (awaits_value->check_name("--socket")) out.socket = word;
      awaits_value = nullptr;
    } else if (word.starts_with('-')) {
      std::size_t equals = word.find('=');
      const CLI::Option* option = find_option(app, word.substr(0, equals));
      if (option != nullptr && option->get_items_expected_max() > 0 && equals == std::string::npos) awaits_value = option;
      if (option != nullptr && option->check_name("--socket") && equals != std::string::npos) out.socket = word.substr(equals + 1);
    } else {
      auto subs = app->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == word; });
      if (!subs.empty()) {
        app = subs[0];
        positional = 0;
      } else {
        ++positional;
      }
    }
  }
  std::string current = words.empty() ? "" : words.back();
  if (awaits_value != nullptr) {
    add_values(*awaits_value, current, out);
    return out;
  }
  if (current.starts_with('-')) {
    for (const CLI::App* at = app; at != nullptr; at = at->get_parent())
      for (const CLI::Option* option : at->get_options())
        for (const std::string& name : option->get_lnames())
          if (("--" + name).starts_with(current)) out.words.push_back({"--" + name, option->get_description()});
    return out;
  }
  for (const CLI::App* sub : app->get_subcommands({}))
    if (sub->get_name().starts_with(current)) out.words.push_back({sub->get_name(), sub->get_description()});
  std::size_t n = 0;
  for (const CLI::Option* option : app->get_options())
    if (option->get_positional() && n++ == positional) add_values(*option, current, out);
  return out;
}

ParseResult parse_command(int argc, const char* const* argv, const std::string& socket_default) {
  Parser parser;
  if (!socket_default.empty()) parser.command.socket = socket_default;
  ParseResult result;
  using namespace std::string_view_literals;
  if (argc > 2 && argv[1] == "completion"sv && argv[2] == "words"sv) {  // what follows is somebody's unfinished line
    result.command = parser.command;
    result.command.verb = Verb::completion_words;
    result.command.words.assign(argv + 3, argv + argc);
    if (std::string socket = complete(result.command.words).socket; !socket.empty()) result.command.socket = socket;
    result.run = true;
    return result;
  }
  try {
    parser.app.parse(argc, argv);
    if (parser.prefix_words.size() == 2 && parser.prefix_words[1] != "longer")
      throw CLI::ValidationError("--prefix", "only 'longer' may follow the prefix");
    if (!parser.confirm_word.empty()) {
      auto time = config::parse_duration(parser.confirm_word);
      parser.command.confirm_seconds = time ? std::chrono::duration_cast<std::chrono::seconds>(*time).count() : 0;
      if (parser.command.confirm_seconds < 1 || parser.command.confirm_seconds > 86400)
        throw CLI::ValidationError("--confirm", "a time from 1s to 24h, such as 90s, 5m or 1h");
    }
    if (parser.command.longer && parser.prefix_words.empty()) throw CLI::ValidationError("--longer", "needs --prefix");
    if (!parser.soft_word.empty() && parser.command.soft.empty()) throw CLI::ValidationError("soft", "in or out?");
    if (!parser.soft_word.empty() && parser.command.action != "clear")
      throw CLI::ValidationError("soft", "belongs to clear");
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    result.exit_code = parser.app.exit(error, out, out) == 0 ? 0 : 2;
    result.text = out.str();
    return result;
  }
  if (!parser.prefix_words.empty()) parser.command.prefix = parser.prefix_words[0];
  if (parser.prefix_words.size() == 2) parser.command.longer = true;
  result.command = std::move(parser.command);
  result.run = true;
  return result;
}

std::vector<std::string> command_words() {
  Parser parser;
  std::vector<std::string> out;
  collect(parser.app, "", out);
  return out;
}

}  // namespace helio::ctl

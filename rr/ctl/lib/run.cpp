#include "rr/ctl/lib/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <ostream>
#include <thread>

#include "rr/config/load.hpp"
#include "rr/ctl/lib/client.hpp"
#include "rr/ctl/lib/complete.hpp"
#include "rr/ctl/lib/live.hpp"
#include "rr/ctl/lib/render.hpp"
#include "rr/ctl/lib/top.hpp"

namespace helio::ctl {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kPage = 1000;  // the most the API gives at once

std::string path_of(const Command& command) {
  switch (command.verb) {
    case Verb::show_summary: return "/v1/summary";
    case Verb::show_peers: return target_of("/v1/peers", {{"group", command.group}, {"state", command.state}});
    case Verb::show_peer: return "/v1/peers/" + percent_encode(command.peer);
    case Verb::show_rt: return "/v1/rt";
    case Verb::show_rtc: return "/v1/rtc";
    case Verb::explain: return target_of("/v1/explain", {{"prefix", command.prefix}, {"rd", command.rd}, {"to", command.to}});
    case Verb::show_groups: return target_of("/v1/peers", {{"group", command.group}});
    case Verb::show_rd: return target_of("/v1/rd", {{"limit", fmt::format("{}", command.limit)}});
    case Verb::show_shards: return "/v1/shards";
    case Verb::explain_at: return target_of("/v1/explain", {{"prefix", command.prefix}, {"rd", command.rd}, {"to", command.to}, {"at", command.at}});
    case Verb::history: return target_of("/v1/history", {{"prefix", command.prefix}, {"rd", command.rd}, {"limit", fmt::format("{}", command.limit)}});
    case Verb::explain_rt: return target_of("/v1/explain/rt", {{"rt", command.rt}});
    case Verb::explain_peer: return target_of("/v1/explain/peer", {{"peer", command.peer}});
    case Verb::show_memory: return "/v1/memory";
    case Verb::show_latency: return "/v1/latency";
    case Verb::show_encoding_classes: return "/v1/encoding-classes";
    case Verb::show_policies: return "/v1/policies";
    case Verb::show_nexthops: return "/v1/nexthops";
    case Verb::show_legacy_peers: return "/v1/legacy-peers";
    case Verb::show_bmp: return "/v1/bmp";
    case Verb::show_mrt: return "/v1/mrt";
    case Verb::show_config: return "/v1/config";
    case Verb::show_version: return "/v1/version";
    case Verb::show_openapi: return "/v1/openapi";
    case Verb::config_diff: return command.impact ? "/v1/config:diff?impact=1" : "/v1/config:diff";
    case Verb::config_reload: return "/v1/config:reload";
    case Verb::config_confirm: return "/v1/config:confirm";
    case Verb::config_rollback: return "/v1/config:rollback";
    case Verb::health: return command.ready ? "/v1/health?ready=1" : "/v1/health";
    case Verb::peer_action: return fmt::format("/v1/peers/{}:{}", percent_encode(command.peer), command.action);
    case Verb::maintenance: return "/v1/maintenance:" + command.action;
    case Verb::log_level: return "/v1/log:" + command.action;
    default: return {};
  }
}

std::string render(const Command& command, const json::value& answer, bool headers) {
  RenderOptions options{.wide = command.wide, .headers = headers, .detail = command.detail};
  switch (command.verb) {
    case Verb::show_summary: return render_summary(answer, options);
    case Verb::show_peers: return render_peers(answer, options);
    case Verb::show_peer: return render_peer(answer);
    case Verb::show_routes: return render_routes(answer, options);
    case Verb::show_rt: return render_route_targets(answer, options);
    case Verb::show_rtc: return render_memberships(answer, options);
    case Verb::explain: return render_explanation(answer, options);
    case Verb::show_groups: return render_groups(answer, options);
    case Verb::show_rd: return render_rds(answer, options);
    case Verb::show_shards: return render_shards(answer, options);
    case Verb::explain_at: return render_past_explanation(answer);
    case Verb::history: return render_history(answer);
    case Verb::explain_rt: return render_rt_explanation(answer);
    case Verb::explain_peer: return render_diagnosis(answer);
    case Verb::show_memory: return render_memory(answer, options);
    case Verb::show_latency: return render_latency(answer, options);
    case Verb::show_encoding_classes: return render_encoding_classes(answer, options);
    case Verb::show_policies: return render_policies(answer, options);
    case Verb::show_nexthops: return render_next_hops(answer, options);
    case Verb::show_legacy_peers: return render_legacy_peers(answer, options);
    case Verb::show_bmp: return render_bmp(answer, options);
    case Verb::show_mrt: return render_mrt(answer);
    case Verb::config_diff:
    case Verb::config_reload:
    case Verb::config_confirm:
    case Verb::config_rollback: return render_config_report(answer, options);
    case Verb::show_config: return render_config(answer);
    case Verb::show_version: return render_version(answer);
    case Verb::health: return render_health(answer);
    case Verb::log_level:
    case Verb::maintenance:
    case Verb::peer_action: {
      const json::value* message = answer.is_object() ? answer.as_object().if_contains("message") : nullptr;
      return message && message->is_string() ? std::string(message->as_string()) + "\n" : "done\n";
    }
    default: return {};
  }
}

class Runner {
 public:
  Runner(const Command& command, std::ostream& out, std::ostream& err)
      : command_(command), client_(command.socket, command.url, command.token_file), out_(out), err_(err) {}

  int once() {
    if (command_.verb == Verb::top) return top(command_, client_, out_, err_);
    if (command_.verb == Verb::completion) {
      out_ << completion_script(command_.shell);
      return kDone;
    }
    if (command_.verb == Verb::completion_words) {
      out_ << completion_lines(command_.words, client_);
      return kDone;
    }
    if (command_.verb == Verb::log_tail) return log_tail(command_, client_, out_, err_);
    if (command_.verb == Verb::monitor) return monitor(command_, client_, out_, err_);
    if (command_.verb == Verb::show_routes) return command_.all ? all_routes(command_, client_, out_, err_) : routes();
    if (command_.verb == Verb::config_check) return config_check();
    if (command_.verb == Verb::dump_mrt) return dump([this](std::ostream& to) { return dump_pages(to); });
    if (command_.verb == Verb::dump_support) return dump([this](std::ostream& to) { return support(client_, to, err_); });
    bool acts = command_.verb == Verb::peer_action || command_.verb == Verb::maintenance || command_.verb == Verb::log_level || command_.verb == Verb::config_reload ||
                command_.verb == Verb::config_confirm || command_.verb == Verb::config_rollback;
    auto answer = client_.ask(acts ? "POST" : "GET", path_of(command_), acts ? action_body() : "");
    if (!answer) {
      err_ << "helioctl: " << answer.error() << "\n";
      // A probe knows two states only.
      return command_.verb == Verb::health ? kNo : kNoAnswer;
    }
    bool not_ready = command_.verb == Verb::health && answer->status == 503;
    if (answer->status != 200 && !not_ready) return report_problem(*answer, err_);
    if (int status = print(*answer, !command_.no_headers)) return status;
    return not_ready || says_no(*answer) ? kNo : kDone;
  }

 private:
  // explain: the route is (or was) not there or not sent, nobody exports or imports the RT, the peer has a problem. history: there
  // is none. config: the file has mistakes.
  bool says_no(const Answer& answer) const {
    if (command_.verb == Verb::config_diff || command_.verb == Verb::config_reload) {
      json::error_code code;
      json::value value = json::parse(answer.body, code);
      return code || !value.is_object() || value.at("valid") != true;
    }
    if (command_.verb == Verb::explain_at || command_.verb == Verb::history) {
      json::error_code code;
      json::value value = json::parse(answer.body, code);
      if (code || !value.is_object()) return true;
      const json::object& object = value.as_object();
      if (command_.verb == Verb::history) return object.at("changes").as_array().empty();
      if (!object.at("known").as_bool()) return true;
      return object.at("to").is_null() ? object.at("state") == "absent" : object.at("verdict") != "to-be-sent";
    }
    if (command_.verb != Verb::explain && command_.verb != Verb::explain_rt && command_.verb != Verb::explain_peer) return false;
    json::error_code code;
    json::value value = json::parse(answer.body, code);
    if (code || !value.is_object()) return true;
    const json::object& object = value.as_object();
    if (command_.verb == Verb::explain_rt) return object.at("exporters").as_array().empty() || object.at("importers").as_array().empty();
    if (command_.verb == Verb::explain_peer)
      return std::ranges::any_of(object.at("findings").as_array(), [](const json::value& f) { return f.at("kind") == "problem"; });
    const json::array& deliveries = object.at("deliveries").as_array();
    if (object.at("to").is_null()) return object.at("route").at("paths").as_array().empty();
    return std::ranges::none_of(deliveries, [](const json::value& d) { return d.at("sent").as_bool(); });
  }

  int print(const Answer& answer, bool headers) {
    if (command_.json || command_.verb == Verb::show_openapi) {
      out_ << answer.body;
      return kDone;
    }
    json::error_code code;
    json::value value = json::parse(answer.body, code);
    if (code) {
      err_ << "helioctl: the daemon's answer is not JSON\n";
      return kNoAnswer;
    }
    out_ << render(command_, value, headers);
    return kDone;
  }

  std::string action_body() const {
    json::object body;
    if (!command_.reason.empty()) body["reason"] = command_.reason;
    if (!command_.soft.empty()) body["soft"] = command_.soft;
    if (command_.confirm_seconds != 0) body["confirm_seconds"] = command_.confirm_seconds;
    if (command_.reset_sessions) body["reset_sessions"] = true;
    return json::serialize(body);
  }

  // Page by page. With --json one answer per line.
  int routes() {
    std::uint64_t left = command_.limit;
    std::string cursor;
    bool is_first = true;
    while (left > 0) {
      std::string limit = fmt::format("{}", std::min<std::uint64_t>(left, kPage));
      auto answer = client_.ask(
          "GET", target_of("/v1/routes", {{"family", command_.family}, {"rd", command_.rd}, {"rt", command_.rt},
                                          {"prefix", command_.prefix}, {"longer", command_.longer ? "true" : ""},
                                          {"from", command_.from}, {"to", command_.to}, {"rib", command_.rib}, {"limit", limit}, {"cursor", cursor}}));
      if (!answer) {
        err_ << "helioctl: " << answer.error() << "\n";
        return kNoAnswer;
      }
      if (answer->status != 200) return report_problem(*answer, err_);
      if (int status = print(*answer, is_first && !command_.no_headers)) return status;
      is_first = false;
      json::value value = json::parse(answer->body);
      const json::object& page = value.as_object();
      left -= std::min<std::uint64_t>(left, page.at("routes").as_array().size());
      if (!page.at("cursor").is_string()) return kDone;
      cursor = std::string(page.at("cursor").as_string());
    }
    if (!command_.json) err_ << "helioctl: there is more (--limit N or --all)\n";
    return kDone;
  }

  // Page by page into the file, which has its name only when all of it is there.
  // What `write` writes, in the file as a whole or not at all.
  int dump(const std::function<int(std::ostream&)>& write) {
    bool to_file = command_.file != "-";
    std::string partial = command_.file + ".partial";
    std::ofstream file;
    if (to_file) file.open(partial, std::ios::binary | std::ios::trunc);
    std::ostream& to = to_file ? file : out_;
    int status = to ? write(to) : kNo;
    if (to_file) file.close();
    if (status == kDone && to && (!to_file || std::rename(partial.c_str(), command_.file.c_str()) == 0)) return kDone;
    if (!to || status == kDone) err_ << "helioctl: " << command_.file << ": " << std::strerror(errno) << "\n";
    if (to_file) std::remove(partial.c_str());
    return status == kDone ? kNo : status;
  }

  int dump_pages(std::ostream& to) {
    std::string cursor;
    do {
      auto answer = client_.ask("GET", target_of("/v1/dump/mrt", {{"cursor", cursor}}));
      if (!answer) {
        err_ << "helioctl: " << answer.error() << "\n";
        return kNoAnswer;
      }
      if (answer->status != 200) return report_problem(*answer, err_);
      if (!to.write(answer->body.data(), static_cast<std::streamsize>(answer->body.size()))) return kDone;
      cursor = answer->cursor;
    } while (!cursor.empty());
    to.flush();
    return kDone;
  }

  int config_check() {
    auto result = config::load_config(command_.file);
    const auto& problems = result ? result->warnings : result.error();
    if (command_.json) {
      json::array list;
      for (const config::ConfigProblem& problem : problems)
        list.push_back({{"severity", problem.severity == config::Severity::error ? "error" : "warning"},
                        {"file", problem.file},
                        {"line", problem.position.line},
                        {"column", problem.position.column},
                        {"key", problem.key},
                        {"message", problem.message},
                        {"hint", problem.hint}});
      out_ << json::serialize(json::object{{"valid", result.has_value()}, {"problems", std::move(list)}}) << "\n";
      return result ? kDone : kNo;
    }
    for (const config::ConfigProblem& problem : problems) err_ << config::format_problem(problem) << "\n";
    if (!result) return kNo;
    out_ << command_.file << ": ok\n";
    return kDone;
  }

  const Command& command_;
  Client client_;
  std::ostream& out_;
  std::ostream& err_;
};

}  // namespace

int run(const Command& command, std::ostream& out, std::ostream& err) {
  Runner runner(command, out, err);
  // These two repeat by themselves.
  if (!command.watch_seconds || command.verb == Verb::monitor || command.verb == Verb::top) return runner.once();
  bool is_terminal = ::isatty(STDOUT_FILENO);
  while (true) {
    if (is_terminal) out << "\x1b[H\x1b[2J";
    int status = runner.once();
    out.flush();
    if (status == kNoAnswer || !out) return status;
    std::this_thread::sleep_for(std::chrono::seconds(command.watch_seconds));
  }
}

}  // namespace helio::ctl

#include "rr/ctl/lib/live.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <ostream>
#include <thread>

#include "rr/ctl/lib/format.hpp"
#include "rr/ctl/lib/json_fields.hpp"
#include "rr/ctl/lib/render.hpp"

namespace helio::ctl {

namespace json = boost::json;

std::string target_of(std::string path, std::initializer_list<std::pair<std::string_view, std::string>> parameters) {
  char separator = '?';
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    path += fmt::format("{}{}={}", separator, name, percent_encode(value));
    separator = '&';
  }
  return path;
}

int report_problem(const Answer& answer, std::ostream& err) {
  json::error_code code;
  json::value value = json::parse(answer.body, code);
  const json::object* problem = code ? nullptr : value.if_object();
  const json::value* message = problem ? problem->if_contains("message") : nullptr;
  const json::value* hint = problem ? problem->if_contains("hint") : nullptr;
  err << "helioctl: ";
  if (message && message->is_string()) {
    err << std::string_view(message->as_string());
  } else {
    err << "the daemon answered with status " << answer.status;
  }
  if (hint && hint->is_string()) err << " (" << std::string_view(hint->as_string()) << ")";
  err << "\n";
  return kNo;
}

namespace {

std::string event_line(const json::value& event) {
  std::string kind = text(event, "kind");
  if (kind == "listening") return {};
  if (kind == "lost") return fmt::format("lost: {} changes came faster than they could be shown\n", format_count(integer(event, "count")));
  std::string line = text(event, "time") + "  ";
  if (!text(event, "prefix").empty()) line += fmt::format("{}:{}  ", text(event, "rd"), text(event, "prefix"));
  return line + text(event, "text") + "\n";
}

std::string stats_line(const json::value& summary, bool titles) {
  std::string out;
  if (titles) out = fmt::format("{:>10}  {:>12}  {:>12}  {:>10}  {:>9}  {:>11}  {}\n", "Up", "Prefixes", "Paths", "Changes/s", "Mem", "Peers", "Worst lag");
  std::int64_t prefixes = 0, paths = 0;
  double changes = 0;
  for (const json::value& family : list(summary, "families")) {
    prefixes += integer(family, "prefixes");
    paths += integer(family, "paths");
    changes += real(family, "changes_per_second");
  }
  return out + fmt::format("{:>10}  {:>12}  {:>12}  {:>10}  {:>9}  {:>11}  {}\n", format_age(integer(summary, "uptime_seconds")), format_count(prefixes), format_count(paths),
                           format_count(std::llround(changes)), format_bytes(static_cast<std::uint64_t>(integer(summary, "rib_memory_bytes"))),
                           fmt::format("{}/{}", integer(summary, "peers_established"), integer(summary, "peers_configured")),
                           text(summary, "worst_lag_peer").empty() ? "-" : format_seconds(real(summary, "worst_lag_seconds")) + " " + text(summary, "worst_lag_peer"));
}

int stats(const Command& command, Client& client, std::ostream& out, std::ostream& err) {
  constexpr std::uint32_t kTitlesEvery = 20;
  for (std::uint32_t n = 0;; ++n) {
    auto answer = client.ask("GET", "/v1/summary");
    if (!answer) {
      err << "helioctl: " << answer.error() << "\n";
      return kNoAnswer;
    }
    if (answer->status != 200) return report_problem(*answer, err);
    if (command.json) out << answer->body;
    else out << stats_line(json::parse(answer->body), !command.no_headers && n % kTitlesEvery == 0);
    out.flush();
    if (!out || n + 1 == command.count) return kDone;
    std::this_thread::sleep_for(std::chrono::seconds(std::max(1u, command.watch_seconds)));
  }
}

}  // namespace

int monitor(const Command& command, Client& client, std::ostream& out, std::ostream& err) {
  if (command.what == "stats") return stats(command, client, out, err);
  bool of_peers = command.what == "peers";
  std::uint32_t shown = 0;
  auto answer = client.listen(target_of("/v1/events", {{"kind", of_peers ? "peers,limits,next-hops,policies,config" : "routes,memberships"},
                                                       {"peer", command.peer},
                                                       {"rd", command.rd},
                                                       {"rt", command.rt},
                                                       {"prefix", command.prefix}}),
                              [&](std::string_view line) {
                                std::string said = command.json ? std::string(line) + "\n" : event_line(json::parse(json::string_view(line.data(), line.size())));
                                out << said;
                                out.flush();
                                if (line.find("\"listening\"") == std::string_view::npos && !said.empty()) ++shown;
                                return out.good() && (command.count == 0 || shown < command.count);
                              });
  if (!answer) {
    err << "helioctl: " << answer.error() << "\n";
    return kNoAnswer;
  }
  return answer->status == 200 ? kDone : report_problem(*answer, err);
}

namespace {

std::string log_line(const json::value& line) {
  if (text(line, "kind") == "listening") return {};
  if (text(line, "kind") == "lost") return fmt::format("lost: {} lines came faster than they could be shown\n", format_count(integer(line, "count")));
  return fmt::format("{} {:<5} {}\n", text(line, "time"), text(line, "level"), text(line, "message"));
}

}  // namespace

int log_tail(const Command& command, Client& client, std::ostream& out, std::ostream& err) {
  std::string target = target_of("/v1/log", {{"lines", fmt::format("{}", command.lines)}, {"follow", command.follow ? "true" : ""}});
  auto answer = command.follow ? client.listen(target,
                                               [&](std::string_view line) {
                                                 out << (command.json ? std::string(line) + "\n" : log_line(json::parse(json::string_view(line.data(), line.size()))));
                                                 out.flush();
                                                 return out.good();
                                               })
                               : client.ask("GET", target);
  if (!answer) {
    err << "helioctl: " << answer.error() << "\n";
    return kNoAnswer;
  }
  if (answer->status != 200) return report_problem(*answer, err);
  if (command.follow) return kDone;
  if (command.json) {
    out << answer->body;
    return kDone;
  }
  json::value parsed = json::parse(answer->body);
  for (const json::value& line : list(parsed, "lines")) out << log_line(line);
  return kDone;
}

int all_routes(const Command& command, Client& client, std::ostream& out, std::ostream& err) {
  constexpr std::size_t kTogether = 1000;  // rows that share the widths of their columns
  json::array rows;
  bool first = true;
  auto show = [&] {
    if (rows.empty() && !first) return;
    RenderOptions options{.wide = command.wide, .headers = first && !command.no_headers, .detail = command.detail};
    json::object page;
    page["routes"] = std::move(rows);
    out << render_routes(page, options);
    rows = json::array();
    first = false;
  };
  auto answer = client.listen(target_of("/v1/routes", {{"family", command.family}, {"rd", command.rd}, {"rt", command.rt}, {"prefix", command.prefix},
                                                       {"longer", command.longer ? "true" : ""}, {"from", command.from}, {"to", command.to}, {"rib", command.rib}, {"stream", "true"}}),
                              [&](std::string_view line) {
                                if (command.json) {
                                  out << line << "\n";
                                } else {
                                  rows.push_back(json::parse(json::string_view(line.data(), line.size())));
                                  if (rows.size() == kTogether) show();
                                }
                                return out.good();
                              });
  if (!answer) {
    err << "helioctl: " << answer.error() << "\n";
    return kNoAnswer;
  }
  if (answer->status != 200) return report_problem(*answer, err);
  if (!command.json) show();
  return kDone;
}

}  // namespace helio::ctl

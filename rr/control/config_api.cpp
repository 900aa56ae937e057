#include "rr/control/config_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "rr/control/json_text.hpp"
#include "rr/control/parameters.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;
using Answer = Result<json::value, ApiProblem>;

constexpr std::int64_t kLongestConfirm = 24 * 3600;

// Nothing, or {"confirm_seconds": 300, "reset_sessions": true}.
Result<ReloadRequest, ApiProblem> parse_request(std::string_view body) {
  ReloadRequest request;
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return request;
  json::error_code code;
  json::value value = json::parse(json::string_view(body.data(), body.size()), code);
  if (code || !value.is_object()) return problem(400, "bad_body", "the body is not a JSON object");
  for (const auto& [name, member] : value.as_object()) {
    if (name == "confirm_seconds" && member.is_int64() && member.as_int64() >= 1 && member.as_int64() <= kLongestConfirm) {
      request.confirm = std::chrono::seconds(member.as_int64());
    } else if (name == "reset_sessions" && member.is_bool()) {
      request.reset_sessions = member.as_bool();
    } else {
      return problem(400, "bad_body", fmt::format("\"{}\" is not known here, or not of its type", std::string_view(name)),
                     "\"confirm_seconds\": 1 to 86400, \"reset_sessions\": true or false");
    }
  }
  return request;
}

json::value change_json(const ConfigChange& entry) {
  static constexpr std::string_view kKinds[] = {"changed", "added", "removed"};
  const config::Change& c = entry.change;
  json::object out{{"path", c.path},
                   {"kind", kKinds[static_cast<std::size_t>(c.kind)]},
                   {"effect", config::reload_name(c.reload)},
                   {"before", text_or_null(c.before)},
                   {"after", text_or_null(c.after)}};
  if (entry.impact)
    out["impact"] = {{"effect", effect_name(entry.impact->effect)},
                     {"peers", entry.impact->peers},
                     {"sessions", entry.impact->sessions},
                     {"routes_received", entry.impact->routes_received},
                     {"routes_sent", entry.impact->routes_sent}};
  return out;
}

}  // namespace

bool is_config_action(const Target& target) { return target.path.starts_with("/v1/config:"); }

Answer config_action(ConfigControl* control, const Target& target, std::string_view body) {
  if (control == nullptr) return problem(501, "not_supported", "this daemon does not reload its configuration");
  if (target.path == "/v1/config:diff") {
    const std::string* impact = target.find("impact");
    return config_report_json(control->diff(impact != nullptr && *impact != "false" && *impact != "0"));
  }
  ConfigReport report;
  if (target.path == "/v1/config:reload") {
    auto request = parse_request(body);
    if (!request) return Unexpected(request.error());
    report = control->reload(*request);
  } else {
    report = target.path == "/v1/config:confirm" ? control->confirm() : control->rollback();
  }
  if (report.status == ConfigReport::Status::refused) return problem(409, "refused", report.message, report.hint);
  return config_report_json(report);
}

json::value config_report_json(const ConfigReport& report) {
  json::array problems, changes, needs_reset;
  for (const config::ConfigProblem& p : report.problems)
    problems.push_back({{"severity", p.severity == config::Severity::error ? "error" : "warning"},
                        {"file", p.file},
                        {"line", p.position.line},
                        {"column", p.position.column},
                        {"key", p.key},
                        {"message", p.message},
                        {"hint", text_or_null(p.hint)}});
  for (const ConfigChange& change : report.changes) changes.push_back(change_json(change));
  for (const wire::IpAddress& address : report.needs_reset) needs_reset.push_back(json::value(wire::format_ip(address)));
  return {{"valid", report.status != ConfigReport::Status::invalid},
          {"applied", report.applied},
          {"message", report.message},
          {"hint", text_or_null(report.hint)},
          {"file", report.file},
          {"hash", text_or_null(report.hash)},
          {"problems", std::move(problems)},
          {"changes", std::move(changes)},
          {"needs_reset", std::move(needs_reset)},
          {"confirm_within", report.confirm_within ? json::value(report.confirm_within->count()) : json::value(nullptr)}};
}

}  // namespace helio::control

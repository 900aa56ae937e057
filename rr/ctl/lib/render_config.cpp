// Reports about reloads as text. Mistakes look as those of heliod --check.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "rr/ctl/lib/format.hpp"
#include "rr/ctl/lib/json_fields.hpp"
#include "rr/ctl/lib/render.hpp"
#include "rr/ctl/lib/table.hpp"

namespace helio::ctl {
namespace {

namespace json = boost::json;

std::string impact_text(const json::value& change) {
  const json::value* impact = change.as_object().if_contains("impact");
  if (impact == nullptr) return {};
  std::string effect = text(*impact, "effect");
  if (effect == "none") return "no session, no route";
  auto counted = [&](std::string_view key, const char* one, const char* many) {
    std::int64_t n = integer(*impact, key);
    return fmt::format("{} {}", format_count(n), n == 1 ? one : many);
  };
  std::string out = fmt::format("{}: {}, {}", as_words(effect), counted("peers", "peer", "peers"), counted("sessions", "session", "sessions"));
  std::int64_t in = integer(*impact, "routes_received"), sent = integer(*impact, "routes_sent");
  if (effect != "settings" && in + sent != 0) out += fmt::format(", {} routes received, {} sent", format_count(in), format_count(sent));
  return out;
}

}  // namespace

std::string render_config_report(const json::value& answer, const RenderOptions& options) {
  std::string out;
  for (const json::value& p : list(answer, "problems"))
    out += fmt::format("{}:{}:{}: {}{}{}{}\n", text(p, "file"), integer(p, "line"), integer(p, "column"), text(p, "severity") == "warning" ? "warning: " : "",
                       text(p, "key").empty() ? "" : text(p, "key") + ": ", text(p, "message"), text(p, "hint").empty() ? "" : fmt::format(" ({})", text(p, "hint")));
  const auto& changes = list(answer, "changes");
  if (!changes.empty()) {
    bool with_impact = changes[0].as_object().contains("impact");
    std::vector<Table::Column> columns{{"Key"}, {"In force"}, {"File"}, {"Takes"}};
    if (with_impact) columns.push_back({"Touches, at most"});
    Table table(std::move(columns));
    for (const json::value& c : changes) {
      std::string kind = text(c, "kind");
      auto value = [&](std::string_view key, std::string_view absent) { return kind == "changed" ? text(c, key) : kind == absent ? std::string("-") : std::string("present"); };
      std::vector<std::string> cells{text(c, "path"), value("before", "added"), value("after", "removed"), text(c, "effect")};
      if (with_impact) cells.push_back(impact_text(c));
      table.add(std::move(cells));
    }
    out += table.text(options.headers);
  }
  const auto& waiting = list(answer, "needs_reset");
  if (!waiting.empty()) {
    out += "With earlier settings until the next session:";
    std::size_t shown = 0;
    for (const json::value& address : waiting) {
      if (!options.wide && shown == 8) break;
      out += " " + std::string(address.as_string());
      ++shown;
    }
    if (shown < waiting.size()) out += fmt::format(" and {} more (-w)", waiting.size() - shown);
    out += "\n";
  }
  out += text(answer, "message") + "\n";
  if (!text(answer, "hint").empty()) out += text(answer, "hint") + "\n";
  return out;
}

}  // namespace helio::ctl

// What the journal tells, for a terminal.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "rr/ctl/lib/format.hpp"
#include "rr/ctl/lib/json_fields.hpp"
#include "rr/ctl/lib/render.hpp"

namespace helio::ctl {
namespace {

namespace json = boost::json;

std::string reach(const json::value& journal) {
  if (!flag(journal, "kept")) return "no journal is kept ([journal] memory = 0)\n";
  std::string since = text(journal, "reaches_back_to");
  return fmt::format("the journal reaches back to {}{}; it holds {} changes and {} events, {} B each, {} of {}\n", since.empty() ? "now" : since,
                     flag(journal, "complete") ? ", the start" : "", format_count(integer(journal, "changes")), format_count(integer(journal, "events")),
                     integer(journal, "bytes_per_record"), format_bytes(static_cast<std::uint64_t>(integer(journal, "bytes"))),
                     format_bytes(static_cast<std::uint64_t>(integer(journal, "capacity_bytes"))));
}

}  // namespace

std::string render_history(const json::value& answer) {
  std::string out = fmt::format("{}:{}\n", text(answer, "rd"), text(answer, "prefix"));
  for (const json::value& change : list(answer, "changes")) out += fmt::format("  {}  {}\n", text(change, "time"), text(change, "text"));
  if (list(answer, "changes").empty() && flag(member(answer, "journal"), "kept")) out += "  no change\n";
  return out + reach(member(answer, "journal"));
}

std::string render_past_explanation(const json::value& answer) {
  std::string out = fmt::format("{}:{}   at {}\n", text(answer, "rd"), text(answer, "prefix"), text(answer, "at"));
  if (!flag(answer, "known")) return out + fmt::format("  cannot say: {}\n", text(answer, "text")) + reach(member(answer, "journal"));
  out += fmt::format("  {}\n", text(answer, "text"));
  if (!text(answer, "since").empty()) out += fmt::format("  since {}\n", text(answer, "since"));
  if (!text(answer, "to").empty()) {
    std::string verdict = text(answer, "verdict");
    out += fmt::format(" to {}: {}\n", text(answer, "to"), verdict == "to-be-sent" ? "TO BE SENT" : verdict == "not-to-be-sent" ? "NOT TO BE SENT" : "CANNOT SAY");
    for (const json::value& step : list(answer, "steps"))
      out += fmt::format("    {:<3} {:<11} {}\n", flag(step, "passed") ? "ok" : verdict == "unknown" ? "?" : "NO", text(step, "name"), text(step, "text"));
  }
  for (const json::value& unknown : list(answer, "not_known")) out += fmt::format("  not known: {}\n", std::string_view(unknown.as_string()));
  return out + reach(member(answer, "journal"));
}

}  // namespace helio::ctl

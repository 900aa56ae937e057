// What the journal tells, for a terminal.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "rr/ctl/lib/format.hpp"
#include "rr/ctl/lib/json_fields.hpp"
#include "rr/ctl/lib/render.hpp"
#include "rr/ctl/lib/table.hpp"

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

std::string render_groups(const json::value& answer, const RenderOptions& options) {
  using enum Table::Align;
  struct Group {
    std::int64_t peers = 0, up = 0, received = 0, sent = 0, flaps = 0;
    double lag = 0;
  };
  std::map<std::string, Group> groups;
  for (const json::value& peer : list(answer, "peers")) {
    Group& g = groups[text(peer, "group")];
    ++g.peers;
    g.up += text(peer, "state") == "Established" ? 1 : 0;
    g.flaps += integer(peer, "flaps");
    g.lag = std::max(g.lag, real(peer, "lag_seconds"));
    for (const json::value& family : list(peer, "families")) {
      if (text(family, "family") == "rtc") continue;
      g.received += integer(family, "received");
      g.sent += integer(family, "sent");
    }
  }
  Table table({{"Group"}, {"Peers", right}, {"Up", right}, {"PfxRcvd", right}, {"PfxSent", right}, {"Flaps", right}, {"Lag", right}});
  for (const auto& [name, g] : groups)
    table.add({name, format_count(g.peers), format_count(g.up), format_count(g.received), format_count(g.sent), format_count(g.flaps), format_seconds(g.lag)});
  return table.text(options.headers);
}

std::string render_rds(const json::value& answer, const RenderOptions& options) {
  using enum Table::Align;
  Table table({{"RD"}, {"Family"}, {"Paths", right}, {"Shards", right}});
  for (const json::value& rd : list(answer, "rds")) table.add({text(rd, "rd"), text(rd, "family"), format_count(integer(rd, "paths")), text(rd, "shards")});
  std::string out = table.text(options.headers);
  auto shown = static_cast<std::int64_t>(list(answer, "rds").size());
  if (shown < integer(answer, "total")) out += fmt::format("{} of {} (--limit N)\n", format_count(shown), format_count(integer(answer, "total")));
  return out;
}

std::string render_shards(const json::value& answer, const RenderOptions& options) {
  using enum Table::Align;
  Table table({{"Shard", right}, {"Peers", right}, {"Prefixes", right}, {"Paths", right}, {"AttrSets", right}, {"Mem", right}, {"Changes", right}, {"Updates", right}, {"Turns", right},
               {"Walks", right}, {"Mailbox", right}, {"Output", right}, {"Busy", right}});
  for (const json::value& s : list(answer, "shards"))
    table.add({text(s, "shard"), format_count(integer(s, "peers")), format_count(integer(s, "prefixes")), format_count(integer(s, "paths")), format_count(integer(s, "attribute_sets")),
               format_bytes(static_cast<std::uint64_t>(integer(s, "memory_bytes"))), format_count(integer(s, "best_changes")), format_count(integer(s, "updates_in")),
               format_count(integer(s, "turns")), format_count(integer(s, "walks")), format_bytes(static_cast<std::uint64_t>(integer(s, "mailbox_bytes"))),
               format_bytes(static_cast<std::uint64_t>(integer(s, "output_bytes"))), format_seconds(real(s, "busy_seconds"))});
  return table.text(options.headers);
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

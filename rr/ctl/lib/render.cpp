#include "rr/ctl/lib/render.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

#include "rr/base/build_info.hpp"
#include "rr/ctl/lib/format.hpp"
#include "rr/ctl/lib/json_fields.hpp"
#include "rr/ctl/lib/table.hpp"

namespace helio::ctl {
namespace {

namespace json = boost::json;
using enum Table::Align;

// Routes of customers: what RT-Constrain adds is shown in a column of its own.
std::int64_t vpn_prefixes(const json::value& peer, std::string_view key) {
  std::int64_t sum = 0;
  for (const json::value& family : list(peer, "families"))
    if (text(family, "family") != "rtc") sum += integer(family, key);
  return sum;
}

std::string interest(const json::value& peer) {
  std::int64_t rts = integer(peer, "rt_interest");
  return rts < 0 ? "all" : format_count(rts);
}

std::string path_code(const json::value& path) { return flag(path, "best") ? "*>" : "*"; }

// "65001 i": the path and its origin, as everybody writes it.
std::string as_path(const json::value& path) {
  std::string as = text(path, "as_path");
  return as.empty() ? text(path, "origin") : as + " " + text(path, "origin");
}

std::string route_detail(const json::value& route) {
  const json::array& paths = list(route, "paths");
  std::string out = fmt::format("{}:{}   {} path{}", text(route, "rd"), text(route, "prefix"), paths.size(),
                                paths.size() == 1 ? "" : "s");
  if (!paths.empty()) out += "   RT " + joined(paths[0], "route_targets");
  out += "\n";
  for (const json::value& path : paths) {
    out += fmt::format(" {:<2} from {}  nh {}", path_code(path), text(path, "from"), text(path, "next_hop"));
    if (!list(path, "labels").empty()) out += "  label " + joined(path, "labels", "/");
    if (!text(path, "payload").empty()) out += "  " + text(path, "payload");
    out += fmt::format("  lp {}", integer(path, "local_pref"));
    if (!member(path, "med").is_null()) out += fmt::format("  med {}", integer(path, "med"));
    out += "  path " + as_path(path);
    if (!text(path, "originator_id").empty()) out += "  originator " + text(path, "originator_id");
    if (!list(path, "cluster_list").empty()) out += "  clusters " + joined(path, "cluster_list");
    if (!list(path, "communities").empty()) out += "  communities " + joined(path, "communities");
    if (joined(path, "route_targets") != joined(paths[0], "route_targets")) out += "  RT " + joined(path, "route_targets");
    if (integer(path, "path_id")) out += fmt::format("  path-id {}", integer(path, "path_id"));
    if (const json::value& policy = member(path, "policy"); policy.is_object()) {
      out += "  policy " + text(policy, "result");
      if (!list(policy, "statements").empty()) out += " (" + joined(policy, "statements") + ")";
    }
    if (!member(path, "sent_path_id").is_null()) out += fmt::format("  sent as path-id {}", integer(path, "sent_path_id"));
    out += "  age " + format_age(integer(path, "age_seconds"));
    if (!text(path, "lost_at").empty()) out += "  lost: " + text(path, "lost_at");
    out += "\n";
  }
  return out;
}

// A value of the configuration as TOML writes it on one line.
std::string toml_value(const json::value& value) {
  if (const json::array* items = value.if_array()) {
    std::string out = "[";
    for (const json::value& item : *items) out += (out.size() > 1 ? ", " : "") + toml_value(item);
    return out + "]";
  }
  if (const json::object* object = value.if_object()) {
    std::string out = "{";
    for (const auto& [key, item] : *object)
      out += fmt::format("{} {} = {}", out.size() > 1 ? "," : "", std::string_view(key), toml_value(item));
    return out + " }";
  }
  return json::serialize(value);
}

void toml_table(std::string& out, const json::object& table, const std::string& path) {
  for (const auto& [key, value] : table) {
    bool is_tables = value.is_array() && !value.as_array().empty() && value.as_array()[0].is_object() && path.empty();
    if (!value.is_object() && !is_tables) out += fmt::format("{} = {}\n", std::string_view(key), toml_value(value));
  }
  for (const auto& [key, value] : table) {
    std::string name = path.empty() ? std::string(key) : path + "." + std::string(key);
    if (const json::object* inner = value.if_object()) {
      out += fmt::format("\n[{}]\n", name);
      toml_table(out, *inner, name);
    } else if (value.is_array() && !value.as_array().empty() && value.as_array()[0].is_object() && path.empty()) {
      for (const json::value& item : value.as_array()) {
        out += fmt::format("\n[[{}]]\n", name);
        for (const auto& [inner_key, inner_value] : item.as_object())
          out += fmt::format("{} = {}\n", std::string_view(inner_key), toml_value(inner_value));
      }
    }
  }
}

}  // namespace

std::string render_explanation(const json::value& answer, const RenderOptions& options) {
  const json::value& route = member(answer, "route");
  std::string out = list(route, "paths").empty() ? fmt::format("{}:{}   no such route\n", text(route, "rd"), text(route, "prefix")) : route_detail(route);
  for (const json::value& refusal : list(answer, "refusals"))
    out += fmt::format("    from {}  REFUSED {} ago - {}: {}\n", text(refusal, "from"), format_age(integer(refusal, "seconds_ago")), text(refusal, "reason"),
                       "its announcement " + text(refusal, "text"));
  auto hints = [&](const json::value& of) {
    for (const json::value& hint : list(of, "hints")) out += fmt::format("    hint: {}\n", std::string_view(hint.as_string()));
  };
  hints(answer);
  for (const json::value& delivery : list(answer, "deliveries")) {
    bool sent = flag(delivery, "sent");
    out += fmt::format(" to {}: {}", text(answer, "to"), sent ? "SENT" : "NOT SENT");
    if (text(delivery, "reason") != "sent") out += " - " + text(delivery, "text");
    if (!text(delivery, "from").empty() && list(answer, "deliveries").size() > 1) out += fmt::format(" (the path from {})", text(delivery, "from"));
    out += "\n";
    for (const json::value& step : list(delivery, "steps"))
      out += fmt::format("    {:<3} {:<11} {}\n", flag(step, "passed") ? "ok" : "NO", text(step, "name"), text(step, "text"));
    hints(delivery);
    if (options.detail && !text(delivery, "update").empty())
      out += fmt::format("    UPDATE, {} octets: {}\n", text(delivery, "update").size() / 2, text(delivery, "update"));
  }
  return out;
}

std::string render_rt_explanation(const json::value& answer) {
  std::string out = fmt::format("RT {}   {} prefixes, {} exporters, {} importers\n", text(answer, "route_target"), format_count(integer(answer, "prefixes")),
                                list(answer, "exporters").size(), list(answer, "importers").size());
  for (const json::value& exporter : list(answer, "exporters"))
    out += fmt::format("    exported by {}  {} prefixes\n", text(exporter, "peer"), format_count(integer(exporter, "prefixes")));
  for (const json::value& importer : list(answer, "importers")) out += fmt::format("    imported by {}  {}\n", text(importer, "peer"), text(importer, "by"));
  for (const json::value& hint : list(answer, "hints")) out += fmt::format("    hint: {}\n", std::string_view(hint.as_string()));
  return out;
}

std::string render_diagnosis(const json::value& answer) {
  std::string out = fmt::format("{}  {}", text(answer, "peer"), text(answer, "state"));
  if (!text(answer, "group").empty()) out += fmt::format("  group {} ({})", text(answer, "group"), text(answer, "configured_by"));
  out += "\n";
  for (const json::value& finding : list(answer, "findings")) {
    std::string kind = text(finding, "kind");
    out += fmt::format("    {:<4} {}\n", kind == "good" ? "ok" : kind == "problem" ? "NO" : "note", text(finding, "text"));
    if (!text(finding, "hint").empty()) out += fmt::format("         hint: {}\n", text(finding, "hint"));
  }
  return out;
}

std::string render_summary(const json::value& answer, const RenderOptions& options) {
  std::string out;
  if (options.headers) {
    bool ready = flag(answer, "ready"), converged = flag(answer, "converged");
    std::string readiness = !ready      ? fmt::format("{}, waits for {}", converged ? "CONVERGED" : "CONVERGING", text(answer, "waiting_for"))
                            : converged ? fmt::format("READY (converged {})", format_age(integer(answer, "converged_seconds")))
                                        : "READY, CONVERGING";
    if (flag(answer, "maintenance")) readiness += "  MAINTENANCE";
    if (std::string slice = text(answer, "slice"); !slice.empty()) readiness += "  " + slice;
    out = fmt::format("heliograph {}  router-id {}  cluster-id {}  AS {}  up {}  {}\n", text(answer, "version"),
                      text(answer, "router_id"), text(answer, "cluster_id"), integer(answer, "as"),
                      format_age(integer(answer, "uptime_seconds")), readiness);
  }
  Table table({{"Family"}, {"Prefixes", right}, {"Paths", right}, {"AttrSets", right}, {"RTs", right}, {"Changes/s", right}, {"Mem", right}});
  std::int64_t up = integer(answer, "peers_established"), all = integer(answer, "peers_configured");
  table.set_title_note(fmt::format("Peers {}/{} up ({} down)  Groups {}", up, all, all - up, integer(answer, "groups")));
  bool is_first = true;
  for (const json::value& family : list(answer, "families")) {
    std::vector<std::string> cells = {text(family, "family"), format_count(integer(family, "prefixes")),
                                      format_count(integer(family, "paths"))};
    // Attribute sets, route targets and memory belong to all families together.
    cells.push_back(is_first ? format_count(integer(answer, "attribute_sets")) : "");
    cells.push_back(is_first ? format_count(integer(answer, "route_targets")) : "");
    cells.push_back(format_count(std::llround(real(family, "changes_per_second"))));
    cells.push_back(is_first ? format_bytes(static_cast<std::uint64_t>(integer(answer, "rib_memory_bytes"))) : "");
    std::string note;
    if (is_first && !text(answer, "worst_lag_peer").empty())
      note = fmt::format("worst lag {} ({})", format_seconds(real(answer, "worst_lag_seconds")), text(answer, "worst_lag_peer"));
    table.add(std::move(cells), std::move(note));
    is_first = false;
  }
  return out + table.text(options.headers);
}

std::string render_peers(const json::value& answer, const RenderOptions& options) {
  std::vector<Table::Column> columns = {{"Neighbor"},       {"AS", right},      {"Group"},      {"State"},
                                        {"Up/Down", right}, {"PfxRcvd", right}, {"PfxSent", right}, {"OutQ", right},
                                        {"Lag", right},     {"Flaps", right},   {"RTs", right}, {"Hostname"}};
  if (options.wide)
    for (const char* title : {"Role", "RouterID", "MsgRcvd", "MsgSent", "Families", "Description"})
      columns.push_back({title, title[0] == 'M' ? right : left});
  Table table(columns);
  for (const json::value& peer : list(answer, "peers")) {
    bool is_up = text(peer, "state") == "Established";
    std::vector<std::string> cells = {text(peer, "address"),
                                      fmt::format("{}", integer(peer, "peer_as")),
                                      text(peer, "group"),
                                      text(peer, "state"),
                                      format_age(integer(peer, "since_seconds")),
                                      format_count(vpn_prefixes(peer, "received")),
                                      format_count(vpn_prefixes(peer, "sent")),
                                      is_up ? format_bytes(static_cast<std::uint64_t>(integer(peer, "output_queue_bytes"))) : "-",
                                      is_up ? format_seconds(real(peer, "lag_seconds")) : "-",
                                      format_count(integer(peer, "flaps")),
                                      is_up ? interest(peer) : "-",
                                      text_or_dash(peer, "hostname")};
    if (options.wide) {
      std::string families;
      for (const json::value& family : list(peer, "families"))
        if (flag(family, "negotiated")) families += (families.empty() ? "" : ",") + text(family, "family");
      for (std::string cell : {text(peer, "role"), text_or_dash(peer, "router_id"), format_count(integer(peer, "messages_in")),
                               format_count(integer(peer, "messages_out")), families.empty() ? "-" : families,
                               text_or_dash(peer, "description")})
        cells.push_back(std::move(cell));
    }
    std::string close = as_words(text(peer, "last_close"));
    table.add(std::move(cells), is_up || close.empty() ? "" : fmt::format("({})", close));
  }
  return table.text(options.headers);
}

// What is not the rule about a family of a peer.
std::string family_notes(const json::value& family) {
  std::string out;
  auto add = [&](const std::string& note) { out += (out.empty() ? "" : ", ") + note; };
  if (flag(family, "disabled")) add("disabled by an error");
  if (integer(family, "stale") != 0)
    add(format_count(integer(family, "stale")) + (flag(family, "long_lived_stale") ? " long-lived stale" : " stale"));
  if (integer(family, "limit") != 0) add("limit " + format_count(integer(family, "limit")));
  if (integer(family, "discarded") != 0) add(format_count(integer(family, "discarded")) + " discarded");
  return out.empty() ? "-" : out;
}

std::string render_peer(const json::value& peer) {
  std::string out = fmt::format("{}  AS {}  {}{}, group {}\n", text(peer, "address"), integer(peer, "peer_as"),
                                text(peer, "role"), flag(peer, "dynamic") ? " (dynamic)" : "", text(peer, "group"));
  auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("  {:<18} {}\n", name, value);
  };
  line("Description", text(peer, "description"));
  line("Hostname", text(peer, "hostname"));
  line("Router ID", text(peer, "router_id"));
  line("State", fmt::format("{} for {}", text(peer, "state"), format_age(integer(peer, "since_seconds"))));
  line("Flaps", format_count(integer(peer, "flaps")));
  line("Last close", as_words(text(peer, "last_close")));
  line("Last notification", text(peer, "last_notification"));
  line("Last update error", text(peer, "last_update_error"));
  line("Last error", text(peer, "last_error"));
  if (flag(peer, "needs_reset")) line("Settings", "from before a reload: needs a reset (helioctl peer PEER clear)");
  line("Import policy", joined(peer, "import_policy"));
  line("Export policy", joined(peer, "export_policy"));
  line("Last bad message", text(peer, "last_bad_message"));
  if (!text(peer, "restart").empty())
    line("Restart", fmt::format("{}, {} left", text(peer, "restart"), format_age(integer(peer, "restart_seconds"))));
  line("Messages", fmt::format("{} in, {} out ({} and {} of them UPDATE)", format_count(integer(peer, "messages_in")),
                               format_count(integer(peer, "messages_out")), format_count(integer(peer, "updates_in")),
                               format_count(integer(peer, "updates_out"))));
  line("Bytes", fmt::format("{} in, {} out", format_bytes(static_cast<std::uint64_t>(integer(peer, "bytes_in"))),
                            format_bytes(static_cast<std::uint64_t>(integer(peer, "bytes_out")))));
  line("Output queue", fmt::format("{}, lag {}", format_bytes(static_cast<std::uint64_t>(integer(peer, "output_queue_bytes"))),
                                   format_seconds(real(peer, "lag_seconds"))));
  line("RT interest", integer(peer, "rt_interest") < 0 ? "everything" : interest(peer) + " route targets");
  if (const json::value& bfd = member(peer, "bfd"); bfd.is_object()) {
    std::string numbers = fmt::format("sending every {} ms, detection time {} ms", integer(bfd, "transmit_interval_ms"), integer(bfd, "detection_time_ms"));
    std::string error = text(bfd, "error");
    line("BFD", fmt::format("{} ({}), {}", text(bfd, "state"), text(bfd, "diagnostic"), error.empty() ? numbers : error));
    line("BFD of the peer", fmt::format("{} ({})", text(bfd, "remote_state"), text(bfd, "remote_diagnostic")));
  }
  if (list(peer, "families").empty()) return out;
  out += "\n";
  Table table({{"Family"}, {"Negotiated"}, {"PfxRcvd", right}, {"PfxSent", right}, {"EoR in"}, {"EoR out"}, {"Add-Path"}, {"Notes"}});
  auto yes = [](bool value) { return std::string(value ? "yes" : "no"); };
  auto add_path = [](const json::value& family) {  // RFC 7911, as negotiated
    std::string in = flag(family, "add_path_receive") ? "receive" : "";
    const json::value& send = member(family, "add_path_send");
    if (send.is_null()) return in.empty() ? std::string("-") : in;
    return (in.empty() ? "" : in + ", ") + "send " + (send.is_string() ? text(family, "add_path_send") : fmt::format("{}", integer(family, "add_path_send")));
  };
  for (const json::value& family : list(peer, "families"))
    table.add({text(family, "family"), yes(flag(family, "negotiated")), format_count(integer(family, "received")),
               format_count(integer(family, "sent")), yes(flag(family, "eor_received")), yes(flag(family, "eor_sent")), add_path(family), family_notes(family)});
  return out + table.text(true);
}

std::string render_routes(const json::value& answer, const RenderOptions& options) {
  if (options.detail) {
    std::string out;
    for (const json::value& route : list(answer, "routes")) out += route_detail(route);
    return out;
  }
  std::vector<Table::Column> columns = {{""},       {"Network"}, {"Labels", right}, {"Next Hop"}, {"LocPrf", right},
                                        {"Metric", right}, {"AS_PATH"}, {"From"},   {"Age", right}, {"RTs"}};
  if (options.wide)
    for (const char* title : {"Originator", "Clusters", "Communities", "Lost at"}) columns.push_back({title});
  Table table(columns);
  for (const json::value& route : list(answer, "routes"))
    for (const json::value& path : list(route, "paths")) {
      std::vector<std::string> cells = {path_code(path),
                                        text(route, "rd") + ":" + text(route, "prefix"),
                                        joined(path, "labels", "/"),
                                        text(path, "next_hop"),
                                        fmt::format("{}", integer(path, "local_pref")),
                                        text_or_dash(path, "med"),
                                        as_path(path),
                                        text(path, "from"),
                                        format_age(integer(path, "age_seconds")),
                                        joined(path, "route_targets", ",")};
      if (options.wide)
        for (std::string cell : {text_or_dash(path, "originator_id"), joined(path, "cluster_list", ","),
                                 joined(path, "communities", ","), text(path, "lost_at")})
          cells.push_back(std::move(cell));
      table.add(std::move(cells));
    }
  return table.text(options.headers);
}

std::string render_route_targets(const json::value& answer, const RenderOptions& options) {
  Table table({{"Route Target"}, {"Prefixes", right}, {"Exporters", right}, {"Importers", right}});
  for (const json::value& rt : list(answer, "route_targets"))
    table.add({text(rt, "route_target"), format_count(integer(rt, "prefixes")), format_count(integer(rt, "exporters")),
               format_count(integer(rt, "importers"))});
  return table.text(options.headers);
}

std::string render_memberships(const json::value& answer, const RenderOptions& options) {
  Table table({{""}, {"Membership"}, {"From"}, {"Next Hop"}, {"AS_PATH"}, {"Originator"}, {"Age", right}});
  for (const json::value& membership : list(answer, "memberships"))
    for (const json::value& path : list(membership, "paths"))
      table.add({path_code(path), text(membership, "membership"), text(path, "from"), text(path, "next_hop"), as_path(path),
                 text_or_dash(path, "originator_id"), format_age(integer(path, "age_seconds"))});
  return table.text(options.headers);
}

std::string render_memory(const json::value& answer, const RenderOptions& options) {
  Table table({{"Kind"}, {"Bytes", right}, {"Objects", right}, {"Bytes/object", right}});
  for (const json::value& kind : list(answer, "kinds")) {
    std::int64_t objects = integer(kind, "objects");
    table.add({text(kind, "name"), format_bytes(static_cast<std::uint64_t>(integer(kind, "bytes"))), format_count(objects),
               objects ? fmt::format("{:.1f}", static_cast<double>(integer(kind, "bytes")) / static_cast<double>(objects)) : "-"});
  }
  table.add({"total", format_bytes(static_cast<std::uint64_t>(integer(answer, "total_bytes")))});
  return table.text(options.headers);
}

// 120 us, 3.4 ms, 1.2 s.
std::string short_time(const json::value& row, std::string_view key) {
  if (member(row, key).is_null()) return "-";
  double us = real(row, key) * 1e6;
  return us < 1000 ? fmt::format("{:.0f} us", us) : us < 1e6 ? fmt::format("{:.1f} ms", us / 1e3) : fmt::format("{:.1f} s", us / 1e6);
}

std::string render_latency(const json::value& answer, const RenderOptions& options) {
  std::string out;
  for (std::string_view part : {"recent", "since_start"}) {
    if (options.headers) out += part == "recent" ? fmt::format("Last {:.0f} s\n", real(answer, "recent_seconds")) : "\nSince the start\n";
    Table table({{"Stage"}, {"Measured", right}, {"Mean", right}, {"p50", right}, {"p90", right}, {"p99", right}});
    for (const json::value& row : list(answer, part))
      table.add({text(row, "stage"), format_count(integer(row, "count")), short_time(row, "mean_seconds"), short_time(row, "p50_seconds"), short_time(row, "p90_seconds"),
                 short_time(row, "p99_seconds")});
    out += table.text(options.headers);
  }
  if (const json::value& canary = member(answer, "canary"); canary.is_object())
    out += fmt::format("\nCanary: {} markers in time, {} late, {} wrong; mean {}, p50 {}, p99 {}\n", format_count(integer(canary, "in_time")), format_count(integer(canary, "late")),
                       format_count(integer(canary, "wrong")), short_time(canary, "mean_seconds"), short_time(canary, "p50_seconds"), short_time(canary, "p99_seconds"));
  return out;
}

std::string render_policies(const json::value& answer, const RenderOptions& options) {
  Table table({{"Statement"}, {"Matched", right}});
  for (const json::value& item : list(answer, "statements")) table.add({text(item, "name"), format_count(integer(item, "attribute_sets"))});
  return table.text(options.headers);
}

std::string render_encoding_classes(const json::value& answer, const RenderOptions& options) {
  Table table({{"Class"}, {"Peers", right}});
  for (const json::value& item : list(answer, "encoding_classes"))
    table.add({text(item, "name"), format_count(integer(item, "peers"))});
  return table.text(options.headers);
}

std::string render_bmp(const json::value& answer, const RenderOptions& options) {
  Table table({{"Station"}, {"Policies"}, {"State"}, {"For", right}, {"Messages", right}, {"Bytes", right}, {"Queue", right}, {"Dropped", right}, {"Sessions", right}});
  for (const json::value& station : list(answer, "stations")) {
    std::string error = text(station, "last_error");
    table.add({fmt::format("{} {}", text(station, "address"), integer(station, "port")), joined(station, "policies", ","), as_words(text(station, "state")),
               format_age(integer(station, "state_seconds")), format_count(integer(station, "messages")), format_bytes(static_cast<std::uint64_t>(integer(station, "bytes"))),
               format_bytes(static_cast<std::uint64_t>(integer(station, "queue_bytes"))), format_count(integer(station, "dropped_messages")),
               format_count(integer(station, "sessions"))},
              error.empty() ? "" : "(" + error + ")");
  }
  return list(answer, "stations").empty() ? "no stations are configured\n" : table.text(options.headers);
}

std::string render_mrt(const json::value& answer) {
  if (!flag(answer, "configured")) return "MRT is not configured\n";
  std::string out = fmt::format("directory {}\n", text(answer, "directory"));
  std::int64_t interval = integer(answer, "rib_dump_interval");
  out += interval == 0 ? "RIB dumps are off\n" : fmt::format("RIB dumps every {}: {} written", format_age(interval), format_count(integer(answer, "rib_dumps")));
  if (interval != 0) {
    std::string last = text(answer, "last_dump");
    out += last.empty() ? ", none yet\n" : fmt::format(", the last one {} in {}\n", last, format_seconds(real(answer, "last_dump_seconds")));
  }
  out += flag(answer, "updates") ? fmt::format("updates: {} files, {} messages dropped\n", format_count(integer(answer, "update_files")), format_count(integer(answer, "dropped_messages")))
                                 : "updates are not written\n";
  out += fmt::format("{} records, {}, {} write errors\n", format_count(integer(answer, "records")), format_bytes(static_cast<std::uint64_t>(integer(answer, "bytes"))),
                     format_count(integer(answer, "write_errors")));
  if (std::string error = text(answer, "error"); !error.empty()) out += "ERROR: " + error + "\n";
  return out;
}

std::string render_legacy_peers(const json::value& answer, const RenderOptions& options) {
  Table table({{"Neighbor"}, {"Group"}, {"Sent"}, {"Memberships", right}, {"Exports", right}, {"Not sent", right}});
  std::string advice;
  for (const json::value& peer : list(answer, "peers")) {
    auto count = [&](std::string_view key) { return format_count(static_cast<std::int64_t>(list(peer, key).size())); };
    std::string from = text(peer, "membership_from");
    if (integer(peer, "marked_routes") != 0) from += fmt::format(" ({})", format_count(integer(peer, "marked_routes")));
    table.add({text(peer, "address"), text(peer, "group"), from, from == "everything" ? "-" : count("memberships"), count("exports"), count("exports_not_sent")});
    if (!text(peer, "suggestion").empty()) advice += fmt::format("{}: {}\n", text(peer, "address"), text(peer, "suggestion"));
  }
  return table.text(options.headers) + (advice.empty() ? "" : "\n" + advice);
}

std::string render_next_hops(const json::value& answer, const RenderOptions& options) {
  bool tracked = text(answer, "tracking") != "off";
  Table table({{"Next Hop"}, {"State"}, {"Metric", right}, {"Paths", right}, {"AttrSets", right}, {"Changes", right}, {"Changed", right}});
  for (const json::value& item : list(answer, "next_hops")) {
    const json::value& changed = member(item, "changed_seconds_ago");
    table.add({text(item, "next_hop"), !tracked ? "always valid" : flag(item, "reachable") ? "reachable" : "unreachable", text_or_dash(item, "metric"),
               format_count(integer(item, "paths")), format_count(integer(item, "attribute_sets")), format_count(integer(item, "changes")),
               changed.is_null() ? "-" : format_age(integer(item, "changed_seconds_ago"))},
              flag(item, "only_default_route") ? "(only a default route)" : "");
  }
  return table.text(options.headers);
}

std::string render_config(const json::value& answer) {
  std::string out = fmt::format("# {}  hash {}\n", text(answer, "file"), text(answer, "hash"));
  if (const json::object* config = member(answer, "config").if_object()) toml_table(out, *config, "");
  return out;
}

std::string render_version(const json::value& answer) {
  const BuildInfo& own = build_info();
  return fmt::format("helioctl {} ({})\nheliod   {} ({}, {}, {})\n", own.version, own.commit, text(answer, "version"),
                     text(answer, "commit"), text(answer, "compiler"), text(answer, "allocator"));
}

std::string render_health(const json::value& answer) {
  return fmt::format("{}  up {}  peers {}/{}\n", flag(answer, "ready") ? "ready" : "alive, not ready: waiting for " + text(answer, "waiting_for"),
                     format_age(integer(answer, "uptime_seconds")), integer(answer, "peers_established"),
                     integer(answer, "peers_configured"));
}

}  // namespace helio::ctl

// What the journal tells, as JSON.
#include <boost/json.hpp>

#include "rr/control/json_views.hpp"
#include "rr/control/moment.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;

json::value address_or_null(const std::optional<wire::IpAddress>& address) { return address ? json::value(wire::format_ip(*address)) : json::value(nullptr); }
json::value time_or_null(const std::optional<reflector::WallTime>& time) { return time ? json::value(format_moment(*time)) : json::value(nullptr); }
json::value path_or_null(const std::optional<reflector::PathView>& path) {
  if (!path) return nullptr;
  json::object out = path_json(*path).as_object();
  for (const char* key : {"best", "age_seconds", "lost_at", "policy", "sent_path_id", "path_id"}) out.erase(key);  // not of then
  return out;
}

json::value reach_json(const reflector::JournalReach& reach) {
  json::object out;
  out["kept"] = reach.kept;
  out["complete"] = reach.complete;
  out["reaches_back_to"] = time_or_null(reach.since);
  out["changes"] = reach.changes;
  out["events"] = reach.events;
  out["bytes"] = reach.bytes;
  out["capacity_bytes"] = reach.capacity;
  std::uint64_t records = reach.changes + reach.events;
  out["bytes_per_record"] = records == 0 ? 0 : reach.bytes / records;
  return out;
}

json::object entry_json(const reflector::HistoryEntry& e) {
  json::object out;
  out["time"] = format_moment(e.time);
  out["kind"] = e.kind;
  out["cause"] = e.cause.empty() ? json::value(nullptr) : json::value(e.cause);
  out["text"] = e.text;
  out["from"] = address_or_null(e.from);
  out["previous"] = address_or_null(e.previous);
  out["paths"] = e.paths;
  out["path"] = path_or_null(e.path);
  return out;
}

}  // namespace

json::value churn_json(const reflector::ChurnView& view, double seconds) {
  constexpr std::size_t kMost = 100;
  json::array targets;
  for (const reflector::ChurnView::Target& t : view.route_targets) {
    if (targets.size() == kMost) break;
    targets.push_back({{"route_target", wire::format_rt(t.rt)}, {"changes", t.changes}});
  }
  return {{"kept", view.kept}, {"seconds", seconds}, {"complete", view.complete}, {"route_targets", std::move(targets)}};
}

json::value rds_json(const reflector::RdPage& page) {
  json::array rds;
  for (const reflector::RdView& view : page.rds)
    rds.push_back({{"rd", wire::format_rd(view.rd)}, {"family", std::string(wire::family_label(view.family))}, {"paths", view.paths}, {"shards", view.shards}});
  return {{"total", page.total}, {"rds", std::move(rds)}};
}

json::value shards_json(const std::vector<reflector::ShardView>& views) {
  json::array shards;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const reflector::ShardView& v = views[i];
    shards.push_back({{"shard", i}, {"peers", v.peers}, {"prefixes", v.prefixes}, {"paths", v.paths}, {"best_changes", v.best_changes}, {"attribute_sets", v.attribute_sets},
                      {"memory_bytes", v.memory_bytes}, {"updates_in", v.updates_in}, {"turns", v.turns}, {"walks", v.walks}, {"mailbox_bytes", v.mailbox_bytes},
                      {"output_bytes", v.output_bytes}, {"busy_seconds", static_cast<double>(std::chrono::floor<std::chrono::milliseconds>(v.busy).count()) / 1000}});
  }
  return {{"shards", std::move(shards)}};
}

json::value event_json(const reflector::EventView& event) {
  json::object out = entry_json(event);
  out["rd"] = event.prefix ? json::value(wire::format_rd(event.prefix->rd)) : json::value(nullptr);
  out["prefix"] = event.prefix ? json::value(wire::format_prefix(*event.prefix)) : json::value(nullptr);
  out["membership"] = event.membership ? json::value(wire::format_membership(*event.membership)) : json::value(nullptr);
  return out;
}

json::value history_json(const reflector::HistoryView& view) {
  json::array changes;
  for (const reflector::HistoryEntry& e : view.entries) changes.push_back(entry_json(e));
  return {{"rd", wire::format_rd(view.prefix.rd)}, {"prefix", wire::format_prefix(view.prefix)}, {"journal", reach_json(view.journal)}, {"changes", std::move(changes)}};
}

json::value past_explanation_json(const reflector::PastExplanation& view) {
  json::object out;
  out["rd"] = wire::format_rd(view.prefix.rd);
  out["prefix"] = wire::format_prefix(view.prefix);
  out["at"] = format_moment(view.at);
  out["now"] = format_moment(view.now);
  out["known"] = view.known;
  out["text"] = view.text;
  out["state"] = view.state.empty() ? json::value(nullptr) : json::value(view.state);
  out["from"] = address_or_null(view.from);
  out["since"] = time_or_null(view.since);
  out["paths"] = view.paths;
  out["path"] = path_or_null(view.path);
  out["to"] = address_or_null(view.to);
  out["verdict"] = view.verdict.empty() ? json::value(nullptr) : json::value(view.verdict);
  out["reason"] = view.reason.empty() ? json::value(nullptr) : json::value(view.reason);
  json::array steps, unknown;
  for (const reflector::ExplainStep& step : view.steps) steps.push_back({{"name", step.name}, {"passed", step.passed}, {"text", step.text}});
  for (const std::string& text : view.not_known) unknown.push_back(json::value(text));
  out["steps"] = std::move(steps);
  out["not_known"] = std::move(unknown);
  out["journal"] = reach_json(view.journal);
  return out;
}

}  // namespace helio::control

#include "rr/control/json_views.hpp"

#include <boost/json.hpp>
#include <cmath>

#include "rr/base/build_info.hpp"
#include "rr/control/json_text.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;

std::string router_id(std::uint32_t id) { return wire::format_ip(wire::IpAddress::v4(id)); }

double rounded(double value) { return std::round(value * 1000.0) / 1000.0; }

template <class Items, class Make>
json::array array_of(const Items& items, Make make) {
  json::array out;
  out.reserve(items.size());
  for (const auto& item : items) out.push_back(make(item));
  return out;
}

json::value tree_json(const config::Node& node) {
  struct Maker {
    json::value operator()(bool b) const { return b; }
    json::value operator()(std::int64_t n) const { return n; }
    json::value operator()(double d) const { return d; }
    json::value operator()(const std::string& s) const { return json::value(s); }
    json::value operator()(config::DateTime) const { return nullptr; }
    json::value operator()(const config::Array& items) const { return array_of(items, tree_json); }
    json::value operator()(const config::Table& entries) const {
      json::object out;
      for (const config::TableEntry& entry : entries) out[entry.key] = tree_json(entry.node);
      return out;
    }
  };
  return std::visit(Maker{}, node.value);
}

}  // namespace

json::value path_json(const reflector::PathView& path) {
  json::object out;
  out["from"] = wire::format_ip(path.from);
  out["best"] = path.best;
  out["lost_at"] = text_or_null(path.lost_at);
  out["next_hop"] = wire::format_ip(path.next_hop);
  out["labels"] = array_of(path.labels, [](std::uint32_t label) { return json::value(label); });
  if (!path.payload.empty()) out["payload"] = path.payload;
  out["path_id"] = path.path_id;
  out["sent_path_id"] = path.sent_path_id ? json::value(path.sent_path_id) : json::value(nullptr);
  out["local_pref"] = path.local_pref;
  out["med"] = path.med ? json::value(*path.med) : json::value(nullptr);
  out["as_path"] = path.as_path;
  out["origin"] = std::string(1, path.origin);
  out["originator_id"] = path.originator_id ? json::value(router_id(path.originator_id)) : json::value(nullptr);
  out["cluster_list"] = array_of(path.cluster_list, [](std::uint32_t id) { return json::value(router_id(id)); });
  out["route_targets"] = array_of(path.route_targets, [](auto rt) { return json::value(wire::format_rt(rt)); });
  out["communities"] = array_of(path.communities, [](const std::string& text) { return json::value(text); });
  if (path.policy.empty()) {
    out["policy"] = nullptr;
  } else {
    out["policy"] = {{"result", path.policy},
                     {"statements", array_of(path.policy_statements, [](const std::string& text) { return json::value(text); })}};
  }
  out["age_seconds"] = path.age.count();
  return out;
}

json::value summary_json(const reflector::SummaryView& view, const ChangeRates& rates) {
  json::object out;
  out["version"] = std::string(build_info().version);
  out["router_id"] = router_id(view.router_id);
  out["cluster_id"] = router_id(view.cluster_id);
  out["as"] = view.local_as;
  out["shards"] = view.shards;
  out["uptime_seconds"] = view.uptime.count();
  out["converged"] = view.converged;
  out["converged_seconds"] = view.converged_for.count();
  out["ready"] = view.ready;
  out["waiting_for"] = text_or_null(view.waiting_for);
  out["maintenance"] = view.maintenance;
  out["slice"] = text_or_null(view.slice);
  out["families"] = array_of(view.families, [&](const reflector::FamilyCounters& family) -> json::value {
    return {{"family", std::string(wire::family_label(family.family))},
            {"prefixes", family.prefixes},
            {"paths", family.paths},
            {"best_changes", family.best_changes},
            {"changes_per_second", rounded(rates.per_second[wire::index(family.family)])}};
  });
  out["attribute_sets"] = view.attribute_sets;
  out["route_targets"] = view.route_targets;
  out["rt_sets"] = view.rt_sets;
  out["rib_memory_bytes"] = view.rib_memory_bytes;
  out["peers_configured"] = view.peers_configured;
  out["peers_established"] = view.peers_established;
  out["groups"] = view.groups;
  out["worst_lag_seconds"] = rounded(view.worst_lag_seconds);
  out["worst_lag_peer"] = text_or_null(view.worst_lag_peer);
  return out;
}

namespace {

json::value bfd_json(const reflector::BfdSessionView& view) {
  return {{"state", view.state},
          {"remote_state", view.remote_state},
          {"diagnostic", view.diagnostic},
          {"remote_diagnostic", view.remote_diagnostic},
          {"discriminator", view.discriminator},
          {"remote_discriminator", view.remote_discriminator},
          {"transmit_interval_ms", view.transmit_interval.count()},
          {"detection_time_ms", view.detection_time.count()},
          {"packets_in", view.packets_in},
          {"packets_out", view.packets_out},
          {"error", text_or_null(view.error)}};
}

}  // namespace

json::value peer_json(const reflector::PeerView& view) {
  json::object out;
  out["address"] = wire::format_ip(view.address);
  out["peer_as"] = view.peer_as;
  out["group"] = view.group;
  out["role"] = std::string(session::role_name(view.role));
  out["dynamic"] = view.dynamic;
  out["description"] = text_or_null(view.description);
  out["hostname"] = text_or_null(view.hostname);
  out["router_id"] = view.router_id ? json::value(router_id(view.router_id)) : json::value(nullptr);
  out["state"] = view.state;
  out["since_seconds"] = view.since.count();
  out["families"] = array_of(view.families, [](const reflector::PeerFamilyView& family) -> json::value {
    return {{"family", std::string(wire::family_label(family.family))},
            {"negotiated", family.negotiated},
            {"received", family.received},
            {"sent", family.sent},
            {"eor_received", family.eor_received},
            {"eor_sent", family.eor_sent},
            {"add_path_receive", family.add_path_receive},
            {"add_path_send", family.add_path_send == 0 ? json::value(nullptr) : family.add_path_send == 255 ? json::value("all") : json::value(family.add_path_send)},
            {"stale", family.stale},
            {"long_lived_stale", family.long_lived},
            {"disabled", family.disabled},
            {"limit", family.limit ? json::value(family.limit) : json::value(nullptr)},
            {"discarded", family.discarded}};
  });
  out["messages_in"] = view.messages_in;
  out["messages_out"] = view.messages_out;
  out["bytes_in"] = view.bytes_in;
  out["bytes_out"] = view.bytes_out;
  out["updates_in"] = view.updates_in;
  out["updates_out"] = view.updates_out;
  out["output_queue_bytes"] = view.output_queue_bytes;
  out["lag_seconds"] = rounded(view.lag_seconds);
  out["flaps"] = view.flaps;
  out["rt_interest"] = view.rt_interest;
  out["last_close"] = text_or_null(view.last_close);
  out["last_notification"] = text_or_null(view.last_notification);
  out["last_update_error"] = text_or_null(view.last_update_error);
  out["last_error"] = text_or_null(view.last_error);
  out["import_policy"] = array_of(view.import_policy, [](const std::string& text) { return json::value(text); });
  out["export_policy"] = array_of(view.export_policy, [](const std::string& text) { return json::value(text); });
  out["bfd"] = view.bfd ? bfd_json(*view.bfd) : json::value(nullptr);
  out["last_bad_message"] = text_or_null(view.last_bad_message);
  out["needs_reset"] = view.needs_reset;
  out["restart"] = text_or_null(view.restart);
  out["restart_seconds"] = view.restart.empty() ? json::value(nullptr) : json::value(view.restart_seconds);
  return out;
}

json::value route_json(const reflector::RouteView& route) {
  return {{"rd", wire::format_rd(route.prefix.rd)},
          {"prefix", route.evpn.empty() ? wire::format_prefix(route.prefix) : route.evpn},
          {"paths", array_of(route.paths, path_json)}};
}

json::value peers_json(const std::vector<reflector::PeerView>& views) { return {{"peers", array_of(views, peer_json)}}; }

namespace {

json::value text_json(const std::string& text) { return json::value(text); }
std::string hex(const std::vector<std::uint8_t>& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::uint8_t b : bytes) out += {kDigits[b >> 4], kDigits[b & 15]};
  return out;
}

json::value delivery_json(const reflector::DeliveryView& view) {
  json::object out;
  out["sent"] = view.sent;
  out["reason"] = view.reason;
  out["text"] = view.text;
  out["from"] = view.from ? json::value(wire::format_ip(*view.from)) : json::value(nullptr);
  out["path_id"] = view.path_id;
  out["steps"] = array_of(view.steps, [](const reflector::ExplainStep& step) -> json::value {
    return {{"name", step.name}, {"passed", step.passed}, {"text", step.text}};
  });
  out["hints"] = array_of(view.hints, text_json);
  out["update"] = view.update.empty() ? json::value(nullptr) : json::value(hex(view.update));
  return out;
}

}  // namespace

json::value explanation_json(const reflector::Explanation& view, const reflector::ExplainQuery& query) {
  json::object out;
  out["route"] = route_json(view.route);
  out["refusals"] = array_of(view.refusals, [](const reflector::RefusalView& refusal) -> json::value {
    return {{"from", wire::format_ip(refusal.from)}, {"reason", refusal.reason}, {"text", refusal.text}, {"seconds_ago", refusal.seconds_ago}};
  });
  out["hints"] = array_of(view.hints, text_json);
  out["to"] = query.to ? json::value(wire::format_ip(*query.to)) : json::value(nullptr);
  out["deliveries"] = array_of(view.deliveries, delivery_json);
  return out;
}

json::value rt_explanation_json(const reflector::RtExplanation& view) {
  return {{"route_target", wire::format_rt(view.rt)},
          {"prefixes", view.prefixes},
          {"exporters", array_of(view.exporters, [](const auto& e) -> json::value { return {{"peer", wire::format_ip(e.peer)}, {"prefixes", e.prefixes}}; })},
          {"importers", array_of(view.importers, [](const auto& i) -> json::value { return {{"peer", wire::format_ip(i.peer)}, {"by", i.by}}; })},
          {"hints", array_of(view.hints, text_json)}};
}

json::value diagnosis_json(const Diagnosis& diagnosis) {
  static constexpr const char* kKinds[] = {"good", "problem", "note"};
  return {{"peer", wire::format_ip(diagnosis.address)},
          {"state", diagnosis.state},
          {"configured_by", text_or_null(diagnosis.configured_by)},
          {"group", text_or_null(diagnosis.group)},
          {"findings", array_of(diagnosis.findings, [](const Finding& f) -> json::value {
             return {{"kind", kKinds[static_cast<std::size_t>(f.kind)]}, {"reason", f.reason}, {"text", f.text}, {"hint", text_or_null(f.hint)}};
           })}};
}

json::value routes_json(wire::Family family, const reflector::RoutePage& page) {
  json::object out;
  out["family"] = std::string(wire::family_label(family));
  out["routes"] = array_of(page.routes, route_json);
  out["cursor"] = text_or_null(page.cursor);
  return out;
}

json::value route_targets_json(const std::vector<reflector::RtView>& views) {
  return {{"route_targets", array_of(views, [](const reflector::RtView& view) -> json::value {
             return {{"route_target", wire::format_rt(view.rt)},
                     {"prefixes", view.prefixes},
                     {"exporters", view.exporters},
                     {"importers", view.importers}};
           })}};
}

json::value rtc_json(const std::vector<reflector::RtcRouteView>& views) {
  return {{"memberships", array_of(views, [](const reflector::RtcRouteView& view) -> json::value {
             return {{"membership", wire::format_membership(view.membership)},
                     {"origin_as", view.membership.origin_as},
                     {"length", view.membership.length},
                     {"paths", array_of(view.paths, path_json)}};
           })}};
}

json::value policies_json(const std::vector<reflector::PolicyStatementView>& views) {
  return {{"statements", array_of(views, [](const reflector::PolicyStatementView& view) -> json::value {
             return {{"name", view.name}, {"attribute_sets", view.attribute_sets}};
           })}};
}

json::value encoding_classes_json(const std::vector<reflector::EncodingClassView>& views) {
  return {{"encoding_classes", array_of(views, [](const reflector::EncodingClassView& view) -> json::value {
             return {{"name", view.name}, {"peers", view.peers}};
           })}};
}

json::value legacy_peers_json(const std::vector<reflector::LegacyPeerView>& views) {
  auto targets = [](const std::vector<wire::RouteTarget>& list) { return array_of(list, [](auto rt) { return json::value(wire::format_rt(rt)); }); };
  return {{"peers", array_of(views, [&](const reflector::LegacyPeerView& view) -> json::value {
             return {{"address", wire::format_ip(view.address)},
                     {"group", view.group},
                     {"membership_from", view.membership_from},
                     {"memberships", array_of(view.memberships, [](const auto& m) { return json::value(wire::format_membership(m)); })},
                     {"marked_routes", view.marked_routes},
                     {"exports", targets(view.exports)},
                     {"exports_not_sent", targets(view.missing)},
                     {"suggestion", text_or_null(view.suggestion)}};
           })}};
}

json::value next_hops_json(const reflector::NextHopsView& view) {
  return {{"tracking", view.tracked ? "kernel" : "off"},
          {"next_hops", array_of(view.next_hops, [](const reflector::NextHopView& next_hop) -> json::value {
             return {{"next_hop", wire::format_ip(next_hop.address)},
                     {"reachable", next_hop.reachable},
                     {"only_default_route", next_hop.by_default_route},
                     {"metric", next_hop.metric ? json::value(*next_hop.metric) : json::value(nullptr)},
                     {"paths", next_hop.paths},
                     {"attribute_sets", next_hop.attribute_sets},
                     {"changes", next_hop.changes},
                     {"changed_seconds_ago", next_hop.since ? json::value(next_hop.since->count()) : json::value(nullptr)}};
           })}};
}

json::value memory_json(const reflector::MemoryView& view) {
  std::uint64_t total = 0;
  for (const auto& kind : view.kinds) total += kind.bytes;
  return {{"kinds", array_of(view.kinds,
                             [](const reflector::MemoryView::Kind& kind) -> json::value {
                               return {{"name", kind.name}, {"bytes", kind.bytes}, {"objects", kind.objects}};
                             })},
          {"total_bytes", total}};
}

json::value latency_json(const reflector::Latencies& all, const reflector::Latencies& recent, double seconds, const std::optional<reflector::CanaryView>& canary) {
  auto stages = [](const reflector::Latencies& latencies) {
    json::array out;
    for (std::size_t i = 0; i < latencies.size(); ++i) {
      const reflector::LatencyCounts& counts = latencies[i];
      std::uint64_t n = counts.count();
      auto quantile = [&](double share) { return n == 0 ? json::value(nullptr) : json::value(counts.quantile(share) * 1e-6); };
      out.push_back({{"stage", reflector::kLatencyStageNames[i]},
                     {"count", n},
                     {"mean_seconds", n == 0 ? json::value(nullptr) : json::value(static_cast<double>(counts.sum_us) * 1e-6 / static_cast<double>(n))},
                     {"p50_seconds", quantile(0.5)},
                     {"p90_seconds", quantile(0.9)},
                     {"p99_seconds", quantile(0.99)}});
    }
    return out;
  };
  json::value canary_json = nullptr;
  if (canary) {
    std::uint64_t n = canary->delay.count();
    auto seconds_of = [&](double us) { return n == 0 ? json::value(nullptr) : json::value(us * 1e-6); };
    canary_json = {{"in_time", canary->in_time},
                   {"late", canary->late},
                   {"wrong", canary->wrong},
                   {"mean_seconds", seconds_of(static_cast<double>(canary->delay.sum_us) / static_cast<double>(std::max<std::uint64_t>(n, 1)))},
                   {"p50_seconds", seconds_of(canary->delay.quantile(0.5))},
                   {"p99_seconds", seconds_of(canary->delay.quantile(0.99))}};
  }
  return {{"recent_seconds", seconds}, {"recent", stages(recent)}, {"since_start", stages(all)}, {"canary", std::move(canary_json)}};
}

json::value health_json(const reflector::SummaryView& view) {
  return {{"alive", true},
          {"ready", view.ready},
          {"waiting_for", text_or_null(view.waiting_for)},
          {"uptime_seconds", view.uptime.count()},
          {"peers_configured", view.peers_configured},
          {"peers_established", view.peers_established}};
}

json::value version_json() {
  const BuildInfo& info = build_info();
  return {{"version", std::string(info.version)},
          {"commit", std::string(info.commit)},
          {"compiler", std::string(info.compiler)},
          {"allocator", std::string(info.allocator)},
          {"api", "v1"}};
}

json::value config_json(const config::Config& config) {
  return {{"file", config.file}, {"hash", config.hash}, {"config", tree_json(config.tree)}};
}

json::value action_json(const ActionResult& result) { return {{"done", true}, {"message", result.message}}; }

json::value problem_json(const ApiProblem& problem) {
  return {{"error", problem.error}, {"message", problem.message}, {"hint", text_or_null(problem.hint)}};
}

}  // namespace helio::control

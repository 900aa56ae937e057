#include "rr/control/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "rr/control/config_api.hpp"
#include "rr/control/endpoints.hpp"
#include "rr/control/event_stream.hpp"
#include "rr/control/json_text.hpp"
#include "rr/control/log_stream.hpp"
#include "rr/control/parameters.hpp"
#include "rr/control/route_stream.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;

constexpr std::string_view kPeerPrefix = "/v1/peers/";
constexpr std::string_view kLogPrefix = "/v1/log:";

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "1" || text.empty()) return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

std::optional<std::uint32_t> parse_limit(std::string_view text) {
  std::uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > Api::kMaxPage) return std::nullopt;
  return value;
}

// Both the configuration's and the short names.
std::optional<wire::Family> parse_any_family(std::string_view text) {
  if (auto family = wire::parse_family(text)) return family;
  for (std::size_t i = 0; i < wire::kFamilyCount; ++i)
    if (wire::family_label(static_cast<wire::Family>(i)) == text) return static_cast<wire::Family>(i);
  return std::nullopt;
}

Result<reflector::RouteQuery, ApiProblem> parse_route_query(const Target& target) {
  reflector::RouteQuery query;
  auto bad = read(target, "family", query.family, parse_any_family, "a family such as \"vpnv4\" or \"l3vpn-ipv6-unicast\"");
  if (!bad) bad = read(target, "rd", query.rd, wire::parse_rd, "a route distinguisher such as \"65000:101\"");
  if (!bad) bad = read(target, "rt", query.rt, wire::parse_rt, "a route target such as \"65000:101\"");
  if (!bad) bad = read(target, "prefix", query.prefix, wire::parse_prefix, "a prefix such as \"10.0.0.0/24\", without host bits");
  if (!bad) bad = read(target, "longer", query.longer, parse_flag, "true or false");
  if (!bad) bad = read(target, "from", query.from, wire::parse_ip, "the address of a peer");
  if (!bad) bad = read(target, "to", query.to, wire::parse_ip, "the address of a peer");
  if (!bad) bad = read(target, "limit", query.limit, parse_limit, fmt::format("a number from 1 to {}", Api::kMaxPage));
  if (bad) return Unexpected(*bad);
  if (const std::string* cursor = target.find("cursor")) query.cursor = *cursor;

  if (query.longer && !query.prefix) return problem(400, "bad_parameter", "longer needs a prefix");
  if (const std::string* rib = target.find("rib")) {
    if (*rib != "adj-in" && *rib != "loc" && *rib != "adj-out") return bad_parameter("rib", *rib, "adj-in, loc or adj-out");
    if (*rib == "adj-in" && !query.from) return problem(400, "bad_parameter", "rib=adj-in needs from", "the address of a peer");
    if (*rib == "adj-out" && !query.to) return problem(400, "bad_parameter", "rib=adj-out needs to", "the address of a peer");
    query.as_received = *rib == "adj-in";
  }
  if (query.from && query.to) return problem(400, "bad_parameter", "from and to exclude each other", "ask twice");
  if (query.prefix && !target.find("family"))
    query.family = query.prefix->is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4;
  if (!wire::has_route_targets(query.family))
    return problem(400, "bad_parameter", fmt::format("{} has no routes with a route distinguisher", wire::family_label(query.family)),
                   query.family == wire::Family::rtc ? "see /v1/rtc" : "vpnv4, vpnv6 or evpn");
  if (query.prefix && query.family == wire::Family::evpn)
    return problem(400, "bad_parameter", "EVPN routes are not asked for by prefix", "rd, rt, from and to select them");
  if (query.prefix && query.prefix->is_v6 != (query.family == wire::Family::vpnv6))
    return problem(400, "bad_parameter", fmt::format("the prefix is not of the family {}", wire::family_label(query.family)));
  return query;
}

struct PeerVerb {
  std::string_view name;
  PeerAction action;
};
constexpr PeerVerb kPeerVerbs[] = {
    {"up", PeerAction::up}, {"down", PeerAction::down}, {"clear", PeerAction::clear}, {"refresh", PeerAction::refresh}};

// The body of a peer action: nothing, or {"reason": "…", "soft": "in" | "out"}.
struct PeerActionBody {
  std::string reason;
  std::string soft;
};
Result<PeerActionBody, ApiProblem> parse_action_body(std::string_view body) {
  static constexpr std::size_t kMaxReason = 255;  // RFC 9003 §2
  PeerActionBody out;
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return out;
  json::error_code code;
  json::value value = json::parse(json::string_view(body.data(), body.size()), code);
  if (code || !value.is_object()) return problem(400, "bad_body", "the body is not a JSON object");
  for (const auto& [name, member] : value.as_object()) {
    if (!member.is_string()) return problem(400, "bad_body", fmt::format("\"{}\" is not a string", std::string_view(name)));
    std::string text(member.as_string());
    if (name == "reason") {
      out.reason = std::move(text);
    } else if (name == "soft" && (text == "in" || text == "out")) {
      out.soft = std::move(text);
    } else {
      return problem(400, "bad_body", fmt::format("\"{}\" is not known here", std::string_view(name)),
                     "\"reason\": text, \"soft\": \"in\" or \"out\"");
    }
  }
  if (out.reason.size() > kMaxReason)
    return problem(400, "bad_body", fmt::format("the reason has {} octets", out.reason.size()), "at most 255 (RFC 9003)");
  return out;
}

}  // namespace

// Answers that are streams: /v1/events, /v1/routes with stream=true, /v1/log with follow=true.
Result<std::unique_ptr<ApiStream>, ApiProblem> Api::stream(Target target) {
  if (target.path == "/v1/events") return make_event_stream(state_, target);
  if (target.path == "/v1/log") return make_log_stream(target);
  std::erase_if(target.parameters, [](const Target::Parameter& p) { return p.name == "stream"; });
  auto query = parse_route_query(target);
  if (!query) return Unexpected(query.error());
  if (target.find("limit") != nullptr) return problem(400, "bad_parameter", "a stream has no limit", "leave out limit, or stream");
  return std::make_unique<RouteStream>(state_, std::move(*query));
}

ApiResponse Api::handle(const ApiRequest& request) {
  ApiResponse response;
  auto run = [&]() -> Answer {
    auto target = parse_target(request.target);
    if (!target) return Unexpected(target.error());
    if (request.access == Access::none) {
      ++refused_.unauthorized;
      return problem(401, "unauthorized", "this needs a token: Authorization: Bearer TOKEN", "helioctl --token-file FILE; the file is [control] token-file or read-token-file");
    }
    if (auto bad = check_request(request.method, *target)) return Unexpected(*bad);
    if (request.method != "GET" && request.access != Access::full) {
      ++refused_.forbidden;
      return problem(403, "forbidden", fmt::format("{} changes something, and you may only look", target->path), std::string(request.how_to_change));
    }
    if (target->path == "/v1/dump/mrt") return dump(*target, response);
    if (is_config_action(*target)) return config_action(actions_ != nullptr ? actions_->config() : nullptr, *target, request.body);
    bool wants_stream = false;
    if (target->path == "/v1/routes")
      if (auto bad = read(*target, "stream", wants_stream, parse_flag, "true or false")) return Unexpected(*bad);
    if (target->path == "/v1/log")
      if (auto bad = read(*target, "follow", wants_stream, parse_flag, "true or false")) return Unexpected(*bad);
    if (wants_stream || target->path == "/v1/events") {
      auto made = stream(std::move(*target));
      if (!made) return Unexpected(made.error());
      response.stream = std::move(*made);
      return nullptr;
    }
    if (target->path == "/v1/openapi") {
      response.body = openapi_document();
      return nullptr;
    }
    return request.method == "GET" ? get(*target) : post(*target, request.body);
  };
  Answer answer = run();
  if (response.stream) return response;
  json::value value = answer ? std::move(*answer) : problem_json(answer.error());
  if (!answer) response.status = answer.error().status;
  if (response.status == 405) response.allow = request.method == "GET" ? "POST" : request.method == "POST" ? "GET" : "GET, POST";
  // A health answer that says "not ready" is an answer, with the status that probes understand.
  if (answer && value.is_object() && value.as_object().contains("alive") && request.target.find("ready") != std::string_view::npos &&
      !value.at("ready").as_bool())
    response.status = 503;
  if (response.body.empty() && response.content_type == "application/json") response.body = to_text(value) + "\n";
  return response;
}

reflector::SummaryView Api::tick(std::chrono::steady_clock::time_point now) {
  Sample sample{.at = now};
  reflector::SummaryView summary = state_.summary();
  for (const auto& family : summary.families)
    sample.best_changes[wire::index(family.family)] = family.best_changes;
  double elapsed = std::chrono::duration<double>(now - last_.at).count();
  if (last_.at != std::chrono::steady_clock::time_point{} && elapsed > 0)
    for (std::size_t i = 0; i < wire::kFamilyCount; ++i)
      rates_.per_second[i] = static_cast<double>(sample.best_changes[i] - last_.best_changes[i]) / elapsed;
  last_ = sample;
  latencies_.push_back({now, state_.latencies()});
  while (latencies_.size() > 2 && now - latencies_[1].at >= std::chrono::minutes(1)) latencies_.pop_front();
  return summary;
}

Api::Answer Api::get(const Target& target) {
  std::string_view path = target.path;
  if (path == "/v1/routes") return routes(target);
  if (path == "/v1/peers") return peers(target);
  if (path == "/v1/explain") return target.find("at") != nullptr ? explain_at(target) : explain(target);
  if (path == "/v1/history") return history(target);
  if (path == "/v1/churn") return churn();
  if (path == "/v1/rd") return rds(target);
  if (path == "/v1/explain/rt") return explain_rt(target);
  if (path == "/v1/explain/peer") return explain_peer(target);
  if (path == "/v1/health") return health();
  if (path == "/v1/log") return log_lines(target);
  if (path.starts_with(kPeerPrefix)) return peer(path.substr(kPeerPrefix.size()));
  if (path == "/v1/summary") return summary_json(state_.summary(), rates_);
  if (path == "/v1/rt") return route_targets_json(state_.route_targets());
  if (path == "/v1/rtc") return rtc_json(state_.rtc_routes());
  if (path == "/v1/shards") return shards_json(state_.shards());
  if (path == "/v1/memory") return memory_json(state_.memory());
  if (path == "/v1/latency") return latency();
  if (path == "/v1/policies") return policies_json(state_.policy_statements());
  if (path == "/v1/legacy-peers") return legacy_peers_json(state_.legacy_peers());
  if (path == "/v1/nexthops") return next_hops_json(state_.next_hops());
  if (path == "/v1/encoding-classes") return encoding_classes_json(state_.encoding_classes());
  if (path == "/v1/config") return config_json(*config_());
  if (path == "/v1/bmp") return bmp_json(exports_ ? exports_->bmp_stations() : std::vector<BmpStationView>());
  if (path == "/v1/mrt") return mrt_json(exports_ ? exports_->mrt() : std::nullopt);
  if (path == "/v1/version") return version_json();
  return problem(404, "not_found", fmt::format("there is nothing at {}", path));
}

Api::Answer Api::post(const Target& target, std::string_view body) {
  std::string_view path = target.path;
  if (path == "/v1/maintenance:on" || path == "/v1/maintenance:off") return maintenance(path.ends_with(":on"), body);
  if (path.starts_with(kLogPrefix)) return log_level(std::string_view(path).substr(kLogPrefix.size()));
  std::string_view rest = path.substr(kPeerPrefix.size());
  // An IPv6 address has colons of its own: the verb is what follows the last one.
  std::size_t colon = rest.rfind(':');
  auto verb = std::ranges::find(kPeerVerbs, rest.substr(colon + 1), &PeerVerb::name);
  auto address = wire::parse_ip(rest.substr(0, colon));
  if (!address) return bad_parameter("peer", rest.substr(0, colon), "an address");
  auto arguments = parse_action_body(body);
  if (!arguments) return Unexpected(arguments.error());
  if (!actions_) return problem(501, "not_supported", "this daemon takes no actions over the control API");
  PeerAction action = verb->action;
  if (!arguments->soft.empty()) {
    if (action != PeerAction::clear) return problem(400, "bad_body", "\"soft\" belongs to clear");
    action = arguments->soft == "in" ? PeerAction::soft_in : PeerAction::soft_out;
  }
  ActionResult result = actions_->peer(*address, action, arguments->reason);
  switch (result.status) {
    case ActionResult::Status::done: return action_json(result);
    case ActionResult::Status::unknown_peer:
      return problem(404, "unknown_peer", fmt::format("there is no peer {}", wire::format_ip(*address)), "see /v1/peers");
    case ActionResult::Status::refused: break;
  }
  return problem(409, "refused", result.message);
}

Api::Answer Api::log_level(std::string_view level) {
  if (std::ranges::find(kLogLevels, level) == std::end(kLogLevels))
    return problem(404, "unknown_action", fmt::format("there is no log level \"{}\"", level), "trace, debug, info, warn or error");
  if (!actions_) return problem(501, "not_supported", "this daemon takes no actions over the control API");
  return action_json(actions_->log_level(std::string(level)));
}

Api::Answer Api::maintenance(bool on, std::string_view body) {
  auto arguments = parse_action_body(body);
  if (!arguments) return Unexpected(arguments.error());
  if (!arguments->soft.empty()) return problem(400, "bad_body", "\"soft\" belongs to clear");
  if (!on && !arguments->reason.empty()) return problem(400, "bad_body", "the reason is for the peers when maintenance is on");
  if (!actions_) return problem(501, "not_supported", "this daemon takes no actions over the control API");
  return action_json(actions_->maintenance(on, arguments->reason));
}

Api::Answer Api::peers(const Target& target) {
  auto views = state_.peers();
  if (const std::string* group = target.find("group"))
    std::erase_if(views, [&](const reflector::PeerView& view) { return view.group != *group; });
  if (const std::string* state = target.find("state"))
    std::erase_if(views, [&](const reflector::PeerView& view) { return view.state != *state; });
  std::ranges::sort(views, {}, &reflector::PeerView::address);
  return peers_json(views);
}

Api::Answer Api::peer(std::string_view text) {
  auto address = wire::parse_ip(text);
  if (!address) return bad_parameter("peer", text, "an address");
  for (const reflector::PeerView& view : state_.peers())
    if (view.address == *address) return peer_json(view);
  return problem(404, "unknown_peer", fmt::format("there is no peer {}", text), "see /v1/peers");
}

Api::Answer Api::routes(const Target& target) {
  auto query = parse_route_query(target);
  if (!query) return Unexpected(query.error());
  return routes_json(query->family, state_.routes(*query));
}

Api::Answer Api::explain(const Target& target) {
  std::optional<wire::VpnPrefix> prefix;
  std::optional<wire::RouteDistinguisher> rd;
  reflector::ExplainQuery query;
  auto bad = read(target, "prefix", prefix, wire::parse_prefix, "a prefix such as \"10.0.0.0/24\", without host bits");
  if (!bad) bad = read(target, "rd", rd, wire::parse_rd, "a route distinguisher such as \"65000:101\"");
  if (!bad) bad = read(target, "to", query.to, wire::parse_ip, "the address of a peer");
  if (bad) return Unexpected(*bad);
  if (!prefix || !rd) return problem(400, "bad_parameter", "prefix and rd are needed", "helioctl show routes --prefix P/L lists the RDs");
  query.prefix = *prefix;
  query.prefix.rd = *rd;
  auto explanation = state_.explain(query);
  if (!explanation) return problem(404, "unknown_peer", fmt::format("there is no peer {}", wire::format_ip(*query.to)), fmt::format("helioctl explain peer {}", wire::format_ip(*query.to)));
  return explanation_json(*explanation, query);
}

Api::Answer Api::explain_rt(const Target& target) {
  std::optional<wire::RouteTarget> rt;
  if (auto bad = read(target, "rt", rt, wire::parse_rt, "a route target such as \"65000:101\"")) return Unexpected(*bad);
  if (!rt) return problem(400, "bad_parameter", "rt is needed", "see /v1/rt");
  return rt_explanation_json(state_.explain_rt(*rt));
}

Api::Answer Api::explain_peer(const Target& target) {
  std::optional<wire::IpAddress> address;
  if (auto bad = read(target, "peer", address, wire::parse_ip, "an address")) return Unexpected(*bad);
  if (!address) return problem(400, "bad_parameter", "peer is needed", "see /v1/peers");
  std::vector<reflector::PeerView> views = state_.peers();
  auto at = std::ranges::find(views, *address, &reflector::PeerView::address);
  return diagnosis_json(diagnose(*address, at == views.end() ? nullptr : &*at, *config_(), read_kernel_counters() - kernel_at_start_));
}

// Octets instead of JSON: a page of whole MRT records.
Api::Answer Api::dump(const Target& target, ApiResponse& response) {
  if (!exports_) return problem(501, "not_supported", "this daemon hands out no dumps");
  const std::string* cursor = target.find("cursor");
  auto page = exports_->dump(cursor ? *cursor : std::string());
  if (!page) return bad_parameter("cursor", *cursor, "what an answer before gave as heliograph-cursor");
  response.content_type = "application/octet-stream";
  response.body = std::move(page->records);
  response.cursor = std::move(page->cursor);
  return json::value(nullptr);
}

// The last minute, as of the last tick.
Api::Answer Api::latency() {
  reflector::Latencies recent;
  double seconds = 0;
  if (!latencies_.empty()) {
    recent = latencies_.back().counts;
    for (std::size_t i = 0; i < recent.size(); ++i) recent[i] -= latencies_.front().counts[i];
    seconds = std::chrono::duration<double>(latencies_.back().at - latencies_.front().at).count();
  }
  return latency_json(state_.latencies(), recent, seconds, state_.canary());
}

Api::Answer Api::health() {
  return health_json(state_.summary());
}

}  // namespace helio::control

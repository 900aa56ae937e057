#include "rr/control/endpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "rr/config/suggest.hpp"

namespace helio::control {
namespace {

constexpr Endpoint kEndpoints[] = {
    {"GET", "/v1/summary", {}},
    {"GET", "/v1/health", {"ready"}},
    {"GET", "/v1/version", {}},
    {"GET", "/v1/openapi", {}},
    {"GET", "/v1/peers", {"group", "state"}},
    {"GET", "/v1/peers/{address}", {}},
    {"POST", "/v1/peers/{address}:up", {}},
    {"POST", "/v1/peers/{address}:down", {}},
    {"POST", "/v1/peers/{address}:clear", {}},
    {"POST", "/v1/peers/{address}:refresh", {}},
    {"GET", "/v1/routes", {"family", "rd", "rt", "prefix", "longer", "from", "to", "rib", "limit", "cursor", "stream"}},
    {"GET", "/v1/rt", {}},
    {"GET", "/v1/rtc", {}},
    {"GET", "/v1/rd", {"limit"}},
    {"GET", "/v1/explain", {"prefix", "rd", "to", "at"}},
    {"GET", "/v1/explain/rt", {"rt"}},
    {"GET", "/v1/explain/peer", {"peer"}},
    {"GET", "/v1/history", {"prefix", "rd", "limit"}},
    {"GET", "/v1/events", {"kind", "peer", "rd", "rt", "prefix"}},
    {"GET", "/v1/churn", {}},
    {"GET", "/v1/shards", {}},
    {"GET", "/v1/memory", {}},
    {"GET", "/v1/latency", {}},
    {"GET", "/v1/policies", {}},
    {"GET", "/v1/nexthops", {}},
    {"GET", "/v1/legacy-peers", {}},
    {"GET", "/v1/encoding-classes", {}},
    {"GET", "/v1/config", {}},
    {"GET", "/v1/config:diff", {"impact"}},
    {"POST", "/v1/config:reload", {}},
    {"POST", "/v1/config:confirm", {}},
    {"POST", "/v1/config:rollback", {}},
    {"GET", "/v1/bmp", {}},
    {"GET", "/v1/mrt", {}},
    {"GET", "/v1/dump/mrt", {"cursor"}},
    {"POST", "/v1/maintenance:on", {}},
    {"POST", "/v1/maintenance:off", {}},
    {"GET", "/v1/log", {"lines", "follow"}},
    {"POST", "/v1/log:{level}", {}},
};

// What stands before and after the braces; without braces all of it is before.
struct Parts {
  std::string_view before, after;
  bool open;
};
constexpr Parts parts_of(std::string_view path) {
  std::size_t brace = path.find('{');
  if (brace == std::string_view::npos) return {path, {}, false};
  return {path.substr(0, brace), path.substr(path.find('}') + 1), true};
}

bool matches(std::string_view pattern, std::string_view path) {
  Parts parts = parts_of(pattern);
  if (!parts.open) return path == pattern;
  return path.size() >= parts.before.size() + parts.after.size() && path.starts_with(parts.before) && path.ends_with(parts.after);
}

// The closest: "/v1/peers/{address}:up" rather than "/v1/peers/{address}", whatever the method.
const Endpoint* find_endpoint(std::string_view path) {
  const Endpoint* found = nullptr;
  for (const Endpoint& e : kEndpoints)
    if (matches(e.path, path) && (found == nullptr || e.path.size() > found->path.size())) found = &e;
  return found;
}

ApiProblem nothing_at(std::string_view path, std::string_view method) {
  if (path.starts_with("/v1/peers/") && method == "POST")
    return {404, "unknown_action", fmt::format("there is no such action: {}", path), ":up, :down, :clear or :refresh"};
  std::vector<std::string_view> known;
  std::string_view action = path.substr(0, path.find(':'));
  for (const Endpoint& e : kEndpoints)
    if (!parts_of(e.path).open && (action.size() == path.size() || e.path.starts_with(path.substr(0, action.size() + 1)))) known.push_back(e.path);
  bool is_action = action.size() != path.size() && !known.empty();
  return {404, is_action ? "unknown_action" : "not_found", fmt::format("{}{}", is_action ? "there is no such action: " : "there is nothing at ", path),
          known.empty() ? std::string() : config::suggestion(path, known)};
}

}  // namespace

std::span<const Endpoint> endpoints() { return kEndpoints; }

std::optional<ApiProblem> check_request(std::string_view method, const Target& target) {
  if (method != "GET" && method != "POST") return ApiProblem{405, "method_not_allowed", fmt::format("{} is not used here", method), "GET or POST"};
  const Endpoint* endpoint = find_endpoint(target.path);
  if (endpoint != nullptr && endpoint->method == "GET" && method == "POST" && parts_of(endpoint->path).open) endpoint = nullptr;  // no such action
  if (endpoint == nullptr) return nothing_at(target.path, method);
  if (endpoint->method != method)
    return ApiProblem{405, "method_not_allowed", fmt::format("{} {}", target.path, method == "GET" ? "changes something" : "can only be read"),
                      fmt::format("use {}", endpoint->method)};
  auto end = std::ranges::find(endpoint->parameters, std::string_view());
  return check_parameters(target, {endpoint->parameters.begin(), end});
}

}  // namespace helio::control

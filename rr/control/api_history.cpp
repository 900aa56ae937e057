// The control API, what the journal tells.
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "rr/control/api.hpp"
#include "rr/control/moment.hpp"
#include "rr/control/parameters.hpp"

namespace helio::control {
namespace {

constexpr std::uint32_t kMostEntries = 10000, kEntries = 1000;

std::optional<std::uint32_t> parse_count(std::string_view text) {
  std::uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > kMostEntries) return std::nullopt;
  return value;
}

}  // namespace

Result<wire::VpnPrefix, ApiProblem> parse_vpn_prefix(const Target& target) {
  std::optional<wire::VpnPrefix> prefix;
  std::optional<wire::RouteDistinguisher> rd;
  auto bad = read(target, "prefix", prefix, wire::parse_prefix, "a prefix such as \"10.0.0.0/24\", without host bits");
  if (!bad) bad = read(target, "rd", rd, wire::parse_rd, "a route distinguisher such as \"65000:101\"");
  if (bad) return Unexpected(*bad);
  if (!prefix || !rd) return problem(400, "bad_parameter", "prefix and rd are needed", "helioctl show routes --prefix P/L lists the RDs");
  prefix->rd = *rd;
  return *prefix;
}

Api::Answer Api::history(const Target& target) {
  auto prefix = parse_vpn_prefix(target);
  if (!prefix) return Unexpected(prefix.error());
  std::uint32_t limit = kEntries;
  if (auto bad = read(target, "limit", limit, parse_count, fmt::format("a number from 1 to {}", kMostEntries))) return Unexpected(*bad);
  return history_json(state_.history(*prefix, limit));
}

// Since the last call, whoever made it: rates come out right for all of several viewers.
Api::Answer Api::churn() {
  auto now = std::chrono::steady_clock::now();
  double seconds = churn_at_ == std::chrono::steady_clock::time_point{} ? 0 : std::chrono::duration<double>(now - churn_at_).count();
  churn_at_ = now;
  return churn_json(state_.churn(churn_), std::round(seconds * 1000) / 1000);
}

Api::Answer Api::rds(const Target& target) {
  std::uint32_t limit = kEntries;
  if (auto bad = read(target, "limit", limit, parse_count, fmt::format("a number from 1 to {}", kMostEntries))) return Unexpected(*bad);
  return rds_json(state_.rds(limit));
}

Api::Answer Api::explain_at(const Target& target) {
  auto prefix = parse_vpn_prefix(target);
  if (!prefix) return Unexpected(prefix.error());
  reflector::ExplainQuery query;
  query.prefix = *prefix;
  auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  reflector::WallTime at;
  auto parse = [&](std::string_view text) { return parse_moment(text, now); };
  auto bad = read(target, "at", at, parse, "a moment such as \"2026-01-31T12:00:00Z\" or \"-5m\"");
  if (!bad) bad = read(target, "to", query.to, wire::parse_ip, "the address of a peer");
  if (bad) return Unexpected(*bad);
  auto past = state_.explain_at(query, at);
  if (!past) return problem(404, "unknown_peer", fmt::format("there is no peer {}", wire::format_ip(*query.to)), fmt::format("helioctl explain peer {}", wire::format_ip(*query.to)));
  return past_explanation_json(*past);
}

}  // namespace helio::control

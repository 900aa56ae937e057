// helioctl dump support: what a colleague or a developer asks for first, in one file. The daemon's answers hold no secrets:
// passwords are in files of their own, whose names alone are in its configuration.
#include <fmt/chrono.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <ostream>

#include "rr/base/build_info.hpp"
#include "rr/ctl/lib/json_fields.hpp"
#include "rr/ctl/lib/live.hpp"

namespace helio::ctl {
namespace {

namespace json = boost::json;

constexpr std::string_view kAnswers[] = {"/v1/version", "/v1/summary",  "/v1/health",   "/v1/config",       "/v1/config:diff", "/v1/peers", "/v1/shards",
                                         "/v1/memory",  "/v1/latency",  "/v1/churn",    "/v1/rt",           "/v1/rtc",         "/v1/rd",    "/v1/encoding-classes",
                                         "/v1/policies", "/v1/nexthops", "/v1/legacy-peers", "/v1/bmp",      "/v1/mrt",     "/v1/log?lines=1000"};
constexpr std::size_t kMostDiagnoses = 100;  // of peers that are not Established

json::object line(std::string_view what, const Answer& answer) {
  json::error_code code;
  json::value value = json::parse(answer.body, code);
  return {{"asked", what}, {"status", answer.status}, {"answer", code ? json::value(answer.body) : std::move(value)}};
}

}  // namespace

int support(Client& client, std::ostream& to, std::ostream& err) {
  auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  to << json::serialize(json::object{{"support", "heliograph"}, {"helioctl", build_info().version}, {"commit", build_info().commit}, {"made_at", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", now)}}) << "\n";
  std::vector<std::string> down;
  for (std::string_view what : kAnswers) {
    auto answer = client.ask("GET", std::string(what));
    if (!answer) {
      err << "helioctl: " << answer.error() << "\n";
      return kNoAnswer;
    }
    json::object out = line(what, *answer);
    if (what == "/v1/peers")
      for (const json::value& peer : list(out.at("answer"), "peers"))
        if (text(peer, "state") != "Established" && down.size() < kMostDiagnoses) down.push_back(text(peer, "address"));
    to << json::serialize(out) << "\n";
  }
  for (const std::string& peer : down) {
    std::string target = target_of("/v1/explain/peer", {{"peer", peer}});
    auto answer = client.ask("GET", target);
    if (!answer) {
      err << "helioctl: " << answer.error() << "\n";
      return kNoAnswer;
    }
    to << json::serialize(line(target, *answer)) << "\n";
  }
  to.flush();
  return kDone;
}

}  // namespace helio::ctl

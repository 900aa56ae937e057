// The control API: answers held against golden files (set HELIO_UPDATE_GOLDEN=1 to write them anew), parameters,
// problem objects with the right status.
#include "rr/control/api.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "rr/base/log_tail.hpp"
#include "rr/config/load.hpp"
#include "rr/control/json_text.hpp"
#include "tests/unit/control/fake_config_control.hpp"
#include "tests/unit/control/fake_state.hpp"
#include "tests/unit/control/openapi_check.hpp"

namespace helio::control {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

class RecordingActions : public ControlActions {
 public:
  ActionResult peer(const wire::IpAddress& address, PeerAction action, const std::string& text) override {
    calls.push_back({wire::format_ip(address), action, text});
    return result;
  }
  ActionResult log_level(const std::string& level) override {
    levels.push_back(level);
    return result;
  }
  std::vector<std::string> levels;
  ActionResult maintenance(bool on, const std::string& text) override {
    maintenances.push_back({on, text});
    return result;
  }
  ConfigControl* config() override { return &reloads; }
  FakeConfigControl reloads;
  std::vector<std::pair<bool, std::string>> maintenances;
  struct Call {
    std::string address;
    PeerAction action;
    std::string text;
    bool operator==(const Call&) const = default;
  };
  std::vector<Call> calls;
  ActionResult result{ActionResult::Status::done, "ok"};
};

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    config_ = std::make_shared<const config::Config>(*config::parse_config(
        "[global]\nas = 65000\nrouter-id = \"192.0.2.1\"\nlisten = [{ address = \"127.0.0.1\" }]\n", "rr.toml", "/etc"));
  }
  void SetUp() override { api_.serve(exports_); }
  // Every answer is held against the OpenAPI document, whatever the test is about.
  ApiResponse handle(const ApiRequest& request) {
    ApiResponse response = api_.handle(request);
    EXPECT_EQ(undocumented(request, response), "") << request.method << " " << request.target << ": " << response.body;
    return response;
  }
  ApiResponse get(std::string_view target) { return handle({"GET", target, ""}); }
  ApiResponse post(std::string_view target, std::string_view body = "") { return handle({"POST", target, body}); }
  static std::string error_of(const ApiResponse& response) {
    return std::string(json::parse(response.body).at("error").as_string());
  }

  FakeState state_;
  RecordingActions actions_;
  std::shared_ptr<const config::Config> config_;
  FakeExports exports_;
  Api api_{state_, &actions_, [this] { return config_; }};
};

// Indented, for people who read the golden files.
void pretty(std::ostream& out, const json::value& value, const std::string& indent) {
  std::string deeper = indent + "  ";
  if (value.is_object() && !value.as_object().empty()) {
    const char* separator = "{\n";
    for (const auto& [key, member] : value.as_object()) {
      out << separator << deeper << '"' << std::string_view(key) << "\": ";
      pretty(out, member, deeper);
      separator = ",\n";
    }
    out << '\n' << indent << '}';
  } else if (value.is_array() && !value.as_array().empty() && value.as_array()[0].is_object()) {
    const char* separator = "[\n";
    for (const json::value& item : value.as_array()) {
      out << separator << deeper;
      pretty(out, item, deeper);
      separator = ",\n";
    }
    out << '\n' << indent << ']';
  } else {
    out << to_text(value);
  }
}

struct Golden {
  const char* target;
  const char* file;
};
class ApiGolden : public ApiTest, public testing::WithParamInterface<Golden> {};

TEST_P(ApiGolden, Answer) {
  api_.tick(std::chrono::steady_clock::time_point(std::chrono::seconds(100)));
  state_.summary_.families[0].best_changes += 6020;
  ++state_.measured_;
  api_.tick(std::chrono::steady_clock::time_point(std::chrono::seconds(105)));
  ApiResponse response = get(GetParam().target);
  EXPECT_EQ(response.status, 200u) << response.body;
  std::ostringstream answer;
  pretty(answer, json::parse(response.body), "");
  answer << '\n';
  std::string path = std::string(HELIO_SOURCE_DIR "/tests/golden/api/") + GetParam().file;
  if (std::getenv("HELIO_UPDATE_GOLDEN")) std::ofstream(path) << answer.str();
  std::ifstream in(path);
  std::ostringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(answer.str(), expected.str()) << path;
}
INSTANTIATE_TEST_SUITE_P(Each, ApiGolden,
                         testing::Values(Golden{"/v1/summary", "summary.json"}, Golden{"/v1/peers", "peers.json"},
                                         Golden{"/v1/peers/192.0.2.12", "peer.json"},
                                         Golden{"/v1/routes?rd=65000:101", "routes.json"}, Golden{"/v1/rt", "rt.json"},
                                         Golden{"/v1/rtc", "rtc.json"}, Golden{"/v1/memory", "memory.json"}, Golden{"/v1/latency", "latency.json"},
                                         Golden{"/v1/encoding-classes", "encoding_classes.json"},
                                         Golden{"/v1/policies", "policies.json"},
                                         Golden{"/v1/nexthops", "nexthops.json"},
                                         Golden{"/v1/explain?prefix=10.1.1.0/24&rd=65000:101&to=192.0.2.12", "explain.json"},
                                         Golden{"/v1/explain?prefix=10.1.1.0/24&rd=65000:101&to=192.0.2.12&at=2026-11-22T12:00:00.700Z", "explain_at.json"},
                                         Golden{"/v1/churn", "churn.json"}, Golden{"/v1/rd?limit=2", "rd.json"}, Golden{"/v1/shards", "shards.json"},
                                         Golden{"/v1/history?prefix=10.1.1.0/24&rd=65000:101", "history.json"},
                                         Golden{"/v1/explain/rt?rt=65000:101", "explain_rt.json"},
                                         Golden{"/v1/explain/peer?peer=203.0.113.9", "explain_peer.json"},
                                         Golden{"/v1/legacy-peers", "legacy_peers.json"}, Golden{"/v1/bmp", "bmp.json"}, Golden{"/v1/mrt", "mrt.json"},
                                         Golden{"/v1/health", "health.json"}, Golden{"/v1/config", "config.json"}, Golden{"/v1/config:diff?impact=1", "config_diff.json"}));

TEST_F(ApiTest, VersionNamesTheBuild) {
  json::value value = json::parse(get("/v1/version").body);
  EXPECT_EQ(value.at("api"), "v1");
  EXPECT_FALSE(value.at("version").as_string().empty());
  EXPECT_FALSE(value.at("commit").as_string().empty());
}

TEST_F(ApiTest, RouteParametersReachTheReflector) {
  EXPECT_EQ(get("/v1/routes?family=vpnv6&rd=192.0.2.1:7&rt=65000L:1&prefix=2001:db8::%2F32&longer=true&from=10.0.0.1"
                "&limit=5&cursor=a%20b")
                .status,
            200u);
  const reflector::RouteQuery& query = state_.last_query_;
  EXPECT_EQ(query.family, wire::Family::vpnv6);
  EXPECT_EQ(wire::format_rd(*query.rd), "192.0.2.1:7");
  EXPECT_EQ(wire::format_rt(*query.rt), "65000L:1");
  EXPECT_EQ(wire::format_prefix(*query.prefix), "2001:db8::/32");
  EXPECT_TRUE(query.longer);
  EXPECT_EQ(wire::format_ip(*query.from), "10.0.0.1");
  EXPECT_FALSE(query.to);
  EXPECT_EQ(query.limit, 5u);
  EXPECT_EQ(query.cursor, "a b");
  // The family follows from the prefix when it is not given.
  get("/v1/routes?prefix=2001:db8::/32");
  EXPECT_EQ(state_.last_query_.family, wire::Family::vpnv6);
  get("/v1/routes?family=l2vpn-evpn&rd=65000:1");
  EXPECT_EQ(state_.last_query_.family, wire::Family::evpn);
  get("/v1/routes?family=l3vpn-ipv4-unicast");
  EXPECT_EQ(state_.last_query_.family, wire::Family::vpnv4);
}

struct Bad {
  const char* method;
  const char* target;
  const char* body;
  unsigned status;
  const char* part;  // of the problem object
};
class ApiProblems : public ApiTest, public testing::WithParamInterface<Bad> {};

TEST_P(ApiProblems, AreToldPrecisely) {
  const Bad& bad = GetParam();
  ApiResponse response = handle({bad.method, bad.target, bad.body});
  EXPECT_EQ(response.status, bad.status) << response.body;
  EXPECT_THAT(response.body, HasSubstr(bad.part));
  EXPECT_TRUE(json::parse(response.body).as_object().contains("hint"));
  EXPECT_TRUE(actions_.calls.empty());
}
constexpr Bad kBad[] = {
    {"GET", "/v1/routes?rd=65000", "", 400, R"(rd \"65000\" is not a route distinguisher)"},
    {"GET", "/v1/routes?rt=x", "", 400, R"(rt \"x\" is not a route target)"},
    {"GET", "/v1/routes?prefix=10.0.0.1/24", "", 400, "without host bits"},
    {"GET", "/v1/routes?family=vpls", "", 400, R"(family \"vpls\")"},
    {"GET", "/v1/routes?family=evpn&prefix=10.0.0.0/8", "", 400, "not asked for by prefix"},
    {"GET", "/v1/routes?family=rtc", "", 400, "see /v1/rtc"},
    {"GET", "/v1/routes?family=vpnv6&prefix=10.0.0.0/8", "", 400, "not of the family vpnv6"},
    {"GET", "/v1/routes?limit=0", "", 400, "from 1 to 1000"},
    {"GET", "/v1/routes?limit=1001", "", 400, "from 1 to 1000"},
    {"GET", "/v1/routes?longer=true", "", 400, "longer needs a prefix"},
    {"GET", "/v1/routes?from=10.0.0.1&to=10.0.0.2", "", 400, "exclude each other"},
    {"GET", "/v1/routes?rib=adj-in", "", 400, "rib=adj-in needs from"},
    {"GET", "/v1/routes?rib=adj-out", "", 400, "rib=adj-out needs to"},
    {"GET", "/v1/routes?rib=fib", "", 400, "is not adj-in, loc or adj-out"},
    {"GET", "/v1/routes?rd=1:1&rd=2:2", "", 400, R"(\"rd\" is given twice)"},
    {"GET", "/v1/routes?perfix=10.0.0.0/8", "", 400, R"(did you mean \"prefix\"?)"},
    {"GET", "/v1/routes?rd=%zz", "", 400, "percent-encoding"},
    {"GET", "/v1/explain?prefix=10.0.0.0/8", "", 400, "prefix and rd are needed"},
    {"GET", "/v1/explain?prefix=10.0.0.1/8&rd=1:1", "", 400, "is not a prefix"},
    {"GET", "/v1/explain?prefix=10.0.0.0/8&rd=x", "", 400, "is not a route distinguisher"},
    {"GET", "/v1/explain?prefix=10.0.0.0/8&rd=1:1&to=192.0.2.99", "", 404, "there is no peer 192.0.2.99"},
    {"GET", "/v1/explain?prefix=10.0.0.0/8&rd=1:1&at=yesterday", "", 400, "is not a moment"},
    {"GET", "/v1/explain?prefix=10.0.0.0/8&rd=1:1&at=-5m&to=192.0.2.99", "", 404, "there is no peer 192.0.2.99"},
    {"GET", "/v1/history?prefix=10.0.0.0/8", "", 400, "prefix and rd are needed"},
    {"GET", "/v1/history?prefix=10.0.0.0/8&rd=1:1&limit=0", "", 400, "a number from 1 to 10000"},
    {"GET", "/v1/explain/rt", "", 400, "rt is needed"},
    {"GET", "/v1/explain/peer?peer=x", "", 400, "is not an address"},
    {"GET", "/v1/summary?x=1", "", 400, "takes no parameters"},
    {"GET", "/v1/sumary", "", 404, R"(did you mean \"/v1/summary\"?)"},
    {"GET", "nonsense", "", 400, "path is not valid"},
    {"GET", "/v1/peers/nonsense", "", 400, "is not an address"},
    {"GET", "/v1/peers/192.0.2.99", "", 404, "there is no peer 192.0.2.99"},
    {"GET", "/v1/peers/192.0.2.11:clear", "", 405, "use POST"},
    {"DELETE", "/v1/peers/192.0.2.11", "", 405, "DELETE is not used here"},
    {"POST", "/v1/summary", "", 405, "use GET"},
    {"POST", "/v1/peers/192.0.2.11:kick", "", 404, "no such action"},
    {"POST", "/v1/peers/x:clear", "", 400, "is not an address"},
    {"POST", "/v1/peers/192.0.2.11:clear", "[]", 400, "not a JSON object"},
    {"POST", "/v1/peers/192.0.2.11:clear", R"({"reason": 3})", 400, "is not a string"},
    {"POST", "/v1/peers/192.0.2.11:clear", R"({"soft": "sideways"})", 400, "not known here"},
    {"POST", "/v1/peers/192.0.2.11:up", R"({"soft": "in"})", 400, "belongs to clear"},
    {"GET", "/v1/log:debug", "", 405, "use POST"},
    {"POST", "/v1/log:loud", "", 404, "trace, debug, info, warn or error"},
    {"GET", "/v1/config:reload", "", 405, "use POST"},
    {"POST", "/v1/config:diff", "", 405, "use GET"},
    {"GET", "/v1/config:dif", "", 404, R"(did you mean \"/v1/config:diff\"?)"},
    {"GET", "/v1/config:diff?inpact=1", "", 400, R"(did you mean \"impact\"?)"},
    {"POST", "/v1/config:reload", "[]", 400, "not a JSON object"},
    {"POST", "/v1/config:reload", R"({"confirm_seconds": 0})", 400, "1 to 86400"},
    {"POST", "/v1/config:reload", R"({"reset_sessions": "yes"})", 400, "not of its type"},
    {"POST", "/v1/config:confirm", "", 409, "no reload waits"},
    {"POST", "/v1/config:rollback", "", 409, "no reload waits"},
};
INSTANTIATE_TEST_SUITE_P(Each, ApiProblems, testing::ValuesIn(kBad));

// ECOSYSTEM §4: log tail.
TEST_F(ApiTest, LogLinesComeAndGoOn) {
  using Time = std::chrono::sys_time<std::chrono::milliseconds>;
  log::tail().add(Time(std::chrono::milliseconds(1795370400123)), "info", "one");
  log::tail().add(Time(std::chrono::milliseconds(1795370401000)), "warning", "two");
  json::value answer = json::parse(get("/v1/log?lines=1").body);
  ASSERT_EQ(answer.at("lines").as_array().size(), 1u);
  EXPECT_EQ(answer.at("lines").at(0).at("message"), "two");
  EXPECT_EQ(answer.at("lines").at(0).at("time"), "2026-11-22T18:00:01.000Z");
  EXPECT_EQ(get("/v1/log?lines=1001").status, 400u);
  ApiResponse followed = get("/v1/log?lines=1&follow=true");
  ASSERT_TRUE(followed.stream);
  std::string out;
  followed.stream->next(out);
  EXPECT_THAT(out, testing::AllOf(testing::StartsWith("{\"kind\":\"listening\"}\n"), HasSubstr("two"), testing::Not(HasSubstr("one"))));
  out.clear();
  EXPECT_EQ(followed.stream->next(out), ApiStream::State::wait);
  EXPECT_EQ(out, "");
  for (int i = 0; i < 1300; ++i) log::tail().add({}, "debug", "more");
  EXPECT_EQ(followed.stream->next(out), ApiStream::State::more);
  EXPECT_THAT(out, testing::StartsWith("{\"kind\":\"lost\",\"count\":300}\n"));
}

TEST_F(ApiTest, LogLevelReachesTheDaemon) {
  EXPECT_EQ(post("/v1/log:debug").status, 200u);
  EXPECT_EQ(actions_.levels, std::vector<std::string>{"debug"});
}

TEST_F(ApiTest, ReloadsTakeTheirOptions) {
  EXPECT_EQ(post("/v1/config:reload").status, 200u);
  json::value report = json::parse(post("/v1/config:reload", R"({"confirm_seconds": 300, "reset_sessions": true})").body);
  EXPECT_EQ(report.at("confirm_within"), 300);
  EXPECT_EQ(report.at("applied"), true);
  ASSERT_EQ(actions_.reloads.requests.size(), 2u);
  EXPECT_FALSE(actions_.reloads.requests[0].confirm);
  EXPECT_FALSE(actions_.reloads.requests[0].reset_sessions);
  EXPECT_EQ(actions_.reloads.requests[1].confirm, std::chrono::seconds(300));
  EXPECT_TRUE(actions_.reloads.requests[1].reset_sessions);
  actions_.reloads.report.status = ConfigReport::Status::invalid;
  EXPECT_EQ(json::parse(post("/v1/config:reload").body).at("valid"), false) << "an answer, not a problem: it lists the mistakes";
}

TEST_F(ApiTest, PeersAreSortedAndFiltered) {
  json::value all = json::parse(get("/v1/peers").body);
  ASSERT_EQ(all.at("peers").as_array().size(), 2u);
  EXPECT_EQ(all.at("peers").at(0).at("address"), "192.0.2.11");
  EXPECT_EQ(json::parse(get("/v1/peers?state=Active").body).at("peers").as_array().size(), 1u);
  EXPECT_EQ(json::parse(get("/v1/peers?group=nobody").body).at("peers").as_array().size(), 0u);
}

TEST_F(ApiTest, HealthTellsProbesWhenNotReady) {
  EXPECT_EQ(get("/v1/health?ready=1").status, 200u);
  state_.summary_.ready = false;
  state_.summary_.waiting_for = "1 of 2 neighbours, 7 s more";
  EXPECT_EQ(get("/v1/health?ready=1").status, 503u);
  EXPECT_EQ(get("/v1/health").status, 200u);
  EXPECT_THAT(get("/v1/health").body, HasSubstr("\"ready\":false,\"waiting_for\":\"1 of 2 neighbours, 7 s more\""));
}

TEST_F(ApiTest, PeerActionsReachTheDaemon) {
  using Call = RecordingActions::Call;
  EXPECT_EQ(post("/v1/peers/192.0.2.11:down", R"({"reason": "rack move"})").status, 200u);
  EXPECT_EQ(post("/v1/peers/2001:db8::1:clear", R"({"soft": "in"})").status, 200u);
  EXPECT_EQ(post("/v1/peers/192.0.2.11:refresh").status, 200u);
  EXPECT_THAT(actions_.calls, testing::ElementsAre(Call{"192.0.2.11", PeerAction::down, "rack move"},
                                                   Call{"2001:db8::1", PeerAction::soft_in, ""},
                                                   Call{"192.0.2.11", PeerAction::refresh, ""}));
  actions_.result = {ActionResult::Status::unknown_peer, ""};
  EXPECT_EQ(error_of(post("/v1/peers/192.0.2.99:up")), "unknown_peer");
  actions_.result = {ActionResult::Status::refused, "it is up already"};
  ApiResponse refused = post("/v1/peers/192.0.2.11:up");
  EXPECT_EQ(refused.status, 409u);
  EXPECT_THAT(refused.body, HasSubstr("it is up already"));
}

// RFC 8326 for the whole reflector.
TEST_F(ApiTest, MaintenanceReachesTheDaemon) {
  EXPECT_EQ(post("/v1/maintenance:on", R"({"reason": "new line card"})").status, 200u);
  EXPECT_EQ(post("/v1/maintenance:off").status, 200u);
  EXPECT_THAT(actions_.maintenances, testing::ElementsAre(std::pair(true, std::string("new line card")), std::pair(false, std::string())));
  EXPECT_EQ(post("/v1/maintenance:off", R"({"reason": "done"})").status, 400u);
  EXPECT_EQ(post("/v1/maintenance:on", R"({"soft": "in"})").status, 400u);
  EXPECT_EQ(get("/v1/maintenance:on").status, 405u);
  EXPECT_EQ(post("/v1/maintenance:maybe").status, 404u);
  EXPECT_EQ(actions_.maintenances.size(), 2u);
}

// What a peer calls itself is any octets; an answer is UTF-8 and JSON all the same.
TEST_F(ApiTest, AnswersAreUtf8) {
  state_.peers_[1].hostname = "pe\xff\x1b";
  ApiResponse response = get("/v1/peers/192.0.2.11");
  EXPECT_EQ(json::parse(response.body).at("hostname"), "pe\xef\xbf\xbd\x1b");
  EXPECT_EQ(json::parse(api_.handle({"\xcf", "/v1/peers", ""}).body).at("error"), "method_not_allowed");
}

// RFC 9003 §2: at most 255 octets.
TEST_F(ApiTest, ReasonsAreBounded) {
  EXPECT_EQ(post("/v1/peers/192.0.2.11:down", "{\"reason\": \"" + std::string(255, 'x') + "\"}").status, 200u);
  EXPECT_EQ(post("/v1/peers/192.0.2.11:down", "{\"reason\": \"" + std::string(256, 'x') + "\"}").status, 400u);
}

TEST_F(ApiTest, WithoutActionsSaysSo) {
  Api read_only(state_, nullptr, [this] { return config_; });
  EXPECT_EQ(read_only.handle({"POST", "/v1/peers/192.0.2.11:clear", ""}).status, 501u);
}

// Octets, a page at a time; the end has no cursor, and may be empty.
TEST_F(ApiTest, DumpsAreOctetsInPages) {
  ApiResponse first = get("/v1/dump/mrt");
  EXPECT_EQ(first.status, 200u);
  EXPECT_EQ(first.content_type, "application/octet-stream");
  EXPECT_EQ(first.body, std::string("one\0", 4));
  EXPECT_EQ(first.cursor, "2.0");
  ApiResponse last = get("/v1/dump/mrt?cursor=3.0");
  EXPECT_EQ(last.body, "");
  EXPECT_EQ(last.cursor, "");
  ApiResponse bad = get("/v1/dump/mrt?cursor=x");
  EXPECT_EQ(bad.status, 400u);
  EXPECT_EQ(error_of(bad), "bad_parameter");
  EXPECT_EQ(bad.content_type, "application/json");
}

TEST_F(ApiTest, WithoutExports) {
  Api api(state_, &actions_, [this] { return config_; });
  EXPECT_EQ(api.handle({"GET", "/v1/dump/mrt", ""}).status, 501u);
  EXPECT_EQ(api.handle({"GET", "/v1/mrt", ""}).body, "{\"configured\":false}\n");
  EXPECT_EQ(api.handle({"GET", "/v1/bmp", ""}).body, "{\"stations\":[]}\n");
}

}  // namespace
}  // namespace helio::control

// Whole commands against the real server with a reflector that is not there: the text a user sees is held in
// tests/golden/ctl (HELIO_UPDATE_GOLDEN=1 writes it anew), the exit status is what scripts rely on.
#include "rr/ctl/lib/run.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "rr/config/load.hpp"
#include "rr/ctl/lib/top.hpp"
#include "rr/control/server.hpp"
#include "tests/unit/control/fake_config_control.hpp"
#include "tests/unit/control/fake_state.hpp"

namespace helio::ctl {
namespace {

using testing::HasSubstr;

class PagedState : public control::FakeState {
 public:
  reflector::RoutePage routes(const reflector::RouteQuery& query) override {
    limits.push_back(query.limit);
    reflector::RoutePage page;
    if (total < 0) page.routes = page_.routes;
    int first = query.cursor.empty() ? 0 : std::stoi(query.cursor);
    int end = std::min<int>(total, first + static_cast<int>(query.limit));
    for (int i = first; i < end; ++i) page.routes.push_back(page_.routes[0]);
    if (end < total) page.cursor = std::to_string(end);
    return page;
  }
  int total = -1;  // below zero: the one route
  std::vector<std::uint32_t> limits;
};

class Actions : public control::ControlActions {
 public:
  control::ActionResult peer(const wire::IpAddress& address, control::PeerAction, const std::string& text) override {
    reason = text;
    if (wire::format_ip(address) != "192.0.2.11") return {control::ActionResult::Status::unknown_peer, ""};
    return {control::ActionResult::Status::done, "192.0.2.11 is cleared"};
  }
  control::ActionResult log_level(const std::string& level) override { return {control::ActionResult::Status::done, "log level is " + level}; }
  control::ActionResult maintenance(bool on, const std::string& text) override {
    reason = (on ? "on " : "off ") + text;
    return {control::ActionResult::Status::done, "maintenance it is"};
  }
  std::string reason;
  control::ConfigControl* config() override { return &reloads; }
  control::FakeConfigControl reloads;
};

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    socket_ = testing::TempDir() + "helio-ctl-" + std::to_string(::getpid()) + ".sock";
    config_ = std::make_shared<const config::Config>(
        *config::load_config(HELIO_SOURCE_DIR "/configs/quickstart.toml"));
    api_.serve(exports_);
    control::ServerOptions options;
    options.socket = socket_;
    auto server = control::Server::start(options, api_);
    ASSERT_TRUE(server) << server.error();
    server_ = std::move(*server);
  }
  int run_words(std::vector<const char*> words) {
    words.insert(words.begin(), "helioctl");
    auto parsed = parse_command(static_cast<int>(words.size()), words.data(), socket_);
    EXPECT_TRUE(parsed.run) << parsed.text;
    out_.str("");
    err_.str("");
    return run(parsed.command, out_, err_);
  }

  std::string socket_;
  PagedState state_;
  Actions actions_;
  std::shared_ptr<const config::Config> config_;
  control::FakeExports exports_;
  control::Api api_{state_, &actions_, [this] { return config_; }};
  std::unique_ptr<control::Server> server_;
  std::ostringstream out_, err_;
};

struct Golden {
  std::vector<const char*> words;
  const char* file;
  int status = 0;
};
class RunGolden : public RunTest, public testing::WithParamInterface<Golden> {};

TEST_P(RunGolden, Text) {
  EXPECT_EQ(run_words(GetParam().words), GetParam().status) << err_.str();
  std::string path = std::string(HELIO_SOURCE_DIR "/tests/golden/ctl/") + GetParam().file;
  if (std::getenv("HELIO_UPDATE_GOLDEN")) std::ofstream(path) << out_.str();
  std::ifstream in(path);
  std::ostringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(out_.str(), expected.str()) << path;
}
INSTANTIATE_TEST_SUITE_P(
    Each, RunGolden,
    testing::Values(Golden{{"show", "summary"}, "summary.txt"}, Golden{{"show", "peers"}, "peers.txt"},
                    Golden{{"show", "peers", "-w"}, "peers_wide.txt"}, Golden{{"show", "peer", "192.0.2.11"}, "peer.txt"},
                    Golden{{"show", "routes"}, "routes.txt"}, Golden{{"show", "routes", "--wide"}, "routes_wide.txt"},
                    Golden{{"show", "routes", "--detail"}, "routes_detail.txt"},
                    Golden{{"show", "routes", "--no-headers"}, "routes_no_headers.txt"}, Golden{{"show", "rt"}, "rt.txt"},
                    Golden{{"show", "rtc"}, "rtc.txt"}, Golden{{"show", "memory"}, "memory.txt"}, Golden{{"show", "latency"}, "latency.txt"},
                    Golden{{"show", "encoding-classes"}, "encoding_classes.txt"},
                    Golden{{"show", "policies"}, "policies.txt"}, Golden{{"show", "nexthops"}, "nexthops.txt"},
                    Golden{{"explain", "10.1.1.0/24", "--rd", "65000:101", "--to", "192.0.2.12"}, "explain.txt", 1},
                    Golden{{"explain", "10.1.1.0/24", "--rd", "65000:101", "--to", "192.0.2.12", "--at", "-5m"}, "explain_at.txt", 1},
                    Golden{{"show", "groups"}, "groups.txt", 0},
                    Golden{{"show", "rd", "--limit", "2"}, "rd.txt", 0},
                    Golden{{"show", "shards"}, "shards.txt", 0},
                    Golden{{"history", "10.1.1.0/24", "--rd", "65000:101"}, "history.txt", 0},
                    Golden{{"explain", "rt", "65000:101"}, "explain_rt.txt", 1},
                    Golden{{"explain", "peer", "127.1.0.9"}, "explain_peer.txt", 1},
                    Golden{{"show", "legacy-peers"}, "legacy_peers.txt"}, Golden{{"show", "bmp"}, "bmp.txt"}, Golden{{"show", "mrt"}, "mrt.txt"}, Golden{{"health"}, "health.txt"},
                    Golden{{"config", "diff", "--impact"}, "config_diff.txt"},
                    Golden{{"config", "reload", "--confirm", "5m"}, "config_reload.txt"}));

// Every line is an answer; peers that are down are explained; a file is there as a whole or not at all.
TEST_F(RunTest, SupportHasEveryAnswer) {
  EXPECT_EQ(run_words({"dump", "support", "-"}), 0) << err_.str();
  std::istringstream lines(out_.str());
  std::string line;
  std::vector<std::string> asked;
  while (std::getline(lines, line)) {
    boost::json::value value = boost::json::parse(line);
    const auto* what = value.as_object().if_contains("asked");
    if (what != nullptr) asked.emplace_back(what->as_string());
    if (what == nullptr) {
      EXPECT_EQ(value.at("support"), "heliograph");
    }
    if (value.as_object().contains("status")) {
      EXPECT_EQ(value.at("status"), 200) << line;
    }
  }
  EXPECT_THAT(asked, testing::IsSupersetOf({"/v1/version", "/v1/config", "/v1/peers", "/v1/latency", "/v1/explain/peer?peer=192.0.2.12"}));
  std::string file = testing::TempDir() + "/support.json";
  EXPECT_EQ(run_words({"dump", "support", file.c_str()}), 0);
  std::ifstream written(file);
  EXPECT_TRUE(std::getline(written, line));
  EXPECT_EQ(run_words({"dump", "support", "/nonexistent/support.json"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("No such file or directory"));
}

TEST_F(RunTest, LogLevelIsSet) {
  EXPECT_EQ(run_words({"log", "level", "debug"}), 0);
  EXPECT_EQ(out_.str(), "log level is debug\n");
}

TEST_F(RunTest, JsonIsTheApisAnswer) {
  EXPECT_EQ(run_words({"show", "rt", "-j"}), 0);
  EXPECT_EQ(out_.str(), api_.handle({"GET", "/v1/rt", ""}).body);
}

TEST_F(RunTest, ConfigIsShownAsToml) {
  EXPECT_EQ(run_words({"show", "config"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("[global]\nas = 65000\n"));
  EXPECT_THAT(out_.str(), HasSubstr("\n[[listen-ranges]]\nprefix = \"127.1.0.0/16\"\n"));
  // And what is shown loads.
  auto again = config::parse_config(out_.str(), "shown.toml", "/etc");
  ASSERT_TRUE(again) << config::format_problem(again.error()[0]);
  EXPECT_EQ(again->listen_ranges.size(), config_->listen_ranges.size());
}

// 24 lines of at most 80 characters, in the order asked for; what peers call themselves cannot steer the terminal.
TEST_F(RunTest, TopFrame) {
  auto ask = [&](const char* path) { return boost::json::parse(api_.handle({"GET", path, ""}).body); };
  TopSample before{ask("/v1/summary"), ask("/v1/peers"), ask("/v1/churn")}, now = before;
  for (boost::json::value& peer : now.peers.as_object()["peers"].as_array()) {
    if (peer.at("address") != "192.0.2.11") continue;
    peer.as_object()["updates_in"] = peer.at("updates_in").to_number<std::int64_t>() + 50;
    peer.as_object()["flaps"] = peer.at("flaps").to_number<std::int64_t>() + 2;
  }
  now.churn.as_object()["seconds"] = 2.0;
  for (auto [columns, rows] : {std::pair<std::size_t, std::size_t>{80, 24}, {40, 10}, {200, 60}}) {
    std::string frame = render_top(before, now, 2, TopSort::churn, columns, rows);
    EXPECT_EQ(std::ranges::count(frame, '\n'), static_cast<std::ptrdiff_t>(rows));
    std::istringstream lines(frame);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), columns) << line;
    EXPECT_EQ(frame.find('\x1b'), std::string::npos);
  }
  std::string frame = render_top(before, now, 2, TopSort::churn, 80, 24);
  std::istringstream lines(frame);
  std::vector<std::string> all;
  for (std::string line; std::getline(lines, line);) all.push_back(line);
  EXPECT_THAT(all[0], testing::StartsWith("heliograph"));
  EXPECT_THAT(all[3], testing::AllOf(testing::StartsWith("192.0.2.11"), HasSubstr(" 25 "), HasSubstr("+2")));
  EXPECT_THAT(frame, HasSubstr("65000:101                       602"));
  EXPECT_THAT(frame, HasSubstr("65000:7                         1.5"));
  EXPECT_EQ(run_words({"top", "--once"}), 0);  // and for pipes
  EXPECT_EQ(std::ranges::count(out_.str(), '\n'), 24);
}

// Completion goes by the command table, the options' choices, and what the daemon knows.
TEST_F(RunTest, CompletesWordsAndLiveValues) {
  auto words = [&](std::vector<const char*> line) {
    line.insert(line.begin(), {"completion", "words"});
    EXPECT_EQ(run_words(line), 0);
    std::vector<std::string> out;
    std::istringstream lines(out_.str());
    for (std::string one; std::getline(lines, one);) out.push_back(one.substr(0, one.find('\t')));
    return out;
  };
  EXPECT_THAT(words({"sh"}), testing::ElementsAre("show"));
  EXPECT_THAT(words({"show", "ro"}), testing::ElementsAre("routes"));
  EXPECT_THAT(words({"show", "routes", "--r"}), testing::UnorderedElementsAre("--rd", "--rt", "--rib"));
  EXPECT_THAT(words({"show", "routes", "--rib", "adj"}), testing::ElementsAre("adj-in", "adj-out"));
  EXPECT_THAT(words({"show", "peer", "192.0.2.11"}), testing::ElementsAre("192.0.2.11"));
  EXPECT_THAT(words({"explain", "10.0.0.0/8", "--to", "192."}), testing::Contains("192.0.2.11"));
  EXPECT_THAT(words({"history", "10.0.0.0/8", "--rd", ""}), testing::ElementsAre("65000:101", "65000:102"));
  EXPECT_THAT(words({"explain", "rt", "65000:1"}), testing::Contains("65000:101"));
  EXPECT_THAT(words({"peer", "192.0.2.11", "cl"}), testing::ElementsAre("clear"));
  EXPECT_THAT(words({"-j", "monitor", ""}), testing::UnorderedElementsAre("peers", "updates", "stats"));
  EXPECT_THAT(words({"config", "check", "/etc"}), testing::ElementsAre("@files"));
  EXPECT_THAT(words({"--socket", "/no/such/socket", "show", "peer", ""}), testing::IsEmpty());
  EXPECT_THAT(words({"completion", ""}), testing::ElementsAre("bash", "zsh", "fish"));
}

TEST_F(RunTest, RoutesArePagedUpToTheLimit) {
  state_.total = 2500;
  EXPECT_EQ(run_words({"show", "routes", "--limit", "1200", "--no-headers"}), 0);
  EXPECT_THAT(state_.limits, testing::ElementsAre(1000, 200));
  std::string text = out_.str();
  EXPECT_EQ(std::ranges::count(text, '\n'), 2 * 1200);  // two paths each
  EXPECT_THAT(err_.str(), HasSubstr("there is more"));
  EXPECT_EQ(run_words({"show", "routes", "--all", "--no-headers"}), 0);
  text = out_.str();
  EXPECT_EQ(std::ranges::count(text, '\n'), 2 * 2500);
  EXPECT_EQ(err_.str(), "");
}

TEST_F(RunTest, ExitStatusOneIsANo) {
  EXPECT_EQ(run_words({"show", "peer", "192.0.2.99"}), 1);
  EXPECT_EQ(err_.str(), "helioctl: there is no peer 192.0.2.99 (see /v1/peers)\n");
  EXPECT_EQ(run_words({"show", "routes", "--rd", "x"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("rd \"x\" is not a route distinguisher"));
  EXPECT_EQ(run_words({"health", "--ready"}), 0);
  state_.summary_.ready = false;
  state_.summary_.waiting_for = "1 of 2 neighbours, 7 s more";
  EXPECT_EQ(run_words({"health", "--ready"}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("alive, not ready: waiting for 1 of 2 neighbours, 7 s more"));
  EXPECT_EQ(run_words({"show", "summary"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("CONVERGED, waits for 1 of 2 neighbours, 7 s more"));
  EXPECT_EQ(run_words({"health"}), 0);
}

TEST_F(RunTest, PeersCannotSteerTheTerminal) {
  state_.peers_[1].hostname = "pe\x1b[2J\xff";
  EXPECT_EQ(run_words({"show", "peers"}), 0);
  EXPECT_THAT(out_.str(), testing::AllOf(HasSubstr("pe?[2J\xef\xbf\xbd"), testing::Not(HasSubstr("\x1b"))));
}

TEST_F(RunTest, PeerActionsCarryTheReason) {
  EXPECT_EQ(run_words({"peer", "192.0.2.11", "clear", "--reason", "rack \"7\""}), 0);
  EXPECT_EQ(actions_.reason, "rack \"7\"");
  EXPECT_EQ(out_.str(), "192.0.2.11 is cleared\n");
  EXPECT_EQ(run_words({"peer", "192.0.2.99", "up"}), 1);
}

TEST_F(RunTest, MaintenanceIsOnOrOff) {
  EXPECT_EQ(run_words({"maintenance", "on", "--reason", "new line card"}), 0);
  EXPECT_EQ(actions_.reason, "on new line card");
  EXPECT_EQ(out_.str(), "maintenance it is\n");
  EXPECT_EQ(run_words({"maintenance", "off"}), 0);
  EXPECT_EQ(actions_.reason, "off ");
}

TEST_F(RunTest, WithoutADaemonSaysWhatToDo) {
  server_.reset();
  EXPECT_EQ(run_words({"show", "summary"}), 2);
  EXPECT_THAT(err_.str(), testing::AllOf(HasSubstr("no daemon answers on " + socket_), HasSubstr("is heliod running?")));
  EXPECT_EQ(run_words({"health"}), 1);
}

TEST_F(RunTest, ConfigCheckNeedsNoDaemon) {
  server_.reset();
  EXPECT_EQ(run_words({"config", "check", HELIO_SOURCE_DIR "/configs/annotated.toml"}), 0);
  std::string path = testing::TempDir() + "helio-bad-" + std::to_string(::getpid()) + ".toml";
  std::ofstream(path) << "[global]\nas = 0\n";
  EXPECT_EQ(run_words({"config", "check", path.c_str()}), 1);
  EXPECT_THAT(err_.str(), HasSubstr(path + ":2:6: global.as: 0 is out of range (1 to 4294967295)"));
  EXPECT_EQ(run_words({"config", "check", path.c_str(), "-j"}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("\"valid\":false"));
  std::filesystem::remove(path);
}

// All pages in one file, which is there only when it is complete.
TEST_F(RunTest, DumpMrt) {
  std::string file = testing::TempDir() + "helio-dump-" + std::to_string(::getpid()) + ".mrt";
  ASSERT_EQ(run_words({"dump", "mrt", file.c_str()}), 0) << err_.str();
  std::ifstream in(file, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  EXPECT_EQ(content.str(), std::string("one\0two", 7));
  EXPECT_FALSE(std::filesystem::exists(file + ".partial"));
  std::filesystem::remove(file);
  ASSERT_EQ(run_words({"dump", "mrt", "-"}), 0);
  EXPECT_EQ(out_.str(), std::string("one\0two", 7));

  EXPECT_EQ(run_words({"dump", "mrt", "/nonexistent/file.mrt"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("/nonexistent/file.mrt: No such file"));
  server_.reset();
  EXPECT_EQ(run_words({"dump", "mrt", file.c_str()}), 2);
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_FALSE(std::filesystem::exists(file + ".partial"));
}

}  // namespace
}  // namespace helio::ctl

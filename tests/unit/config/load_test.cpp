// The configuration as a whole: what loads, what each mistake is called and where, and that all are told at once.
#include "rr/config/load.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace helio::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kHead = "[global]\nas = 65000\nrouter-id = \"10.255.0.1\"\n";  // three lines

std::vector<std::string> messages(std::string_view text, const std::string& directory = "/etc/heliograph") {
  auto result = parse_config(text, "t.toml", directory);
  std::vector<std::string> out;
  if (!result)
    for (const ConfigProblem& problem : result.error()) out.push_back(format_problem(problem));
  return out;
}
std::vector<std::string> messages_after_head(std::string_view text) { return messages(std::string(kHead) + std::string(text)); }

Config load_ok(std::string_view text) {
  auto result = parse_config(text, "t.toml", "/etc/heliograph");
  if (!result) {
    for (const ConfigProblem& problem : result.error()) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::move(*result);
}

TEST(LoadConfig, FillsInDefaults) {
  Config config = load_ok(kHead);
  EXPECT_EQ(config.global.cluster_id, config.global.router_id);
  ASSERT_EQ(config.global.listen.size(), 1u);
  EXPECT_EQ(config.global.listen[0].port, 179);
  EXPECT_EQ(config.timers.hold_time.count(), 90);
  EXPECT_EQ(config.timers.send_hold_time.count(), 480);
  EXPECT_EQ(config.rt_constrain.initial_wait.count(), 60);
  EXPECT_EQ(config.rt_constrain.advertise, RtcAdvertise::automatic);
  EXPECT_EQ(config.families.size(), 3u);
  EXPECT_EQ(config.control.socket, "/run/heliograph/control.sock");
  EXPECT_EQ(config.control.mode, 0660u);
  EXPECT_EQ(config.telemetry.port, 9179);
  EXPECT_THAT(config.warnings, ElementsAre(testing::Field(&ConfigProblem::message, HasSubstr("no peer can connect"))));
}

// Issue H1, last paragraph: a foreign configuration of this shape.
TEST(LoadConfig, TakesTheForeignConfiguration) {
  Config config = load_ok(R"(
[global]
as = 65000
router-id = "10.255.0.1"
cluster-id = "10.255.0.1"
listen = [{ address = "127.0.0.1", port = 1790 }]

[[peer-groups]]
name = "clients"
peer-as = 65000
role = "client"
families = ["l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rt-constrain"]
[[peer-groups]]
name = "mesh"
peer-as = 65000
role = "non-client"
[[peer-groups]]
name = "other-as"
peer-as = 65100
multihop = 3
next-hop = "self"

[[listen-ranges]]
prefix = "127.1.0.0/16"
peer-group = "clients"
[[listen-ranges]]
prefix = "127.2.0.0/16"
peer-group = "mesh"
[[listen-ranges]]
prefix = "127.3.0.0/16"
peer-group = "other-as"

[control]
socket = "helio.sock"
)");
  EXPECT_EQ(config.global.cluster_id, 0x0aff0001u);
  EXPECT_EQ(config.global.listen[0].port, 1790);
  ASSERT_EQ(config.peer_groups.size(), 3u);
  EXPECT_EQ(config.peer_groups[0].role, session::PeerRole::client);
  EXPECT_EQ(config.peer_groups[1].role, session::PeerRole::non_client);
  EXPECT_EQ(config.peer_groups[2].role, session::PeerRole::external);
  EXPECT_TRUE(config.peer_groups[2].next_hop_self);
  EXPECT_EQ(config.peer_groups[2].multihop, 3);
  EXPECT_EQ(config.listen_ranges[2].group, 2u);
  EXPECT_EQ(config.control.socket, "/etc/heliograph/helio.sock");  // relative to the configuration file
  EXPECT_TRUE(config.warnings.empty());
}

TEST(LoadConfig, ReadsPolicies) {
  Config config = load_ok(std::string(kHead) + R"(
[[policy.sets]]
name = "all"
route-targets = ["65000:0", "64512:*"]
prefixes = ["10.0.0.0/8 ge 24"]
as-paths = ["_65001_"]
[[policy.statements]]
name = "st"
match = { any-route-target-in = "all", prefix-in = "all", source-role = "external", families = ["l3vpn-ipv6-unicast"] }
action = "continue"
set = { local-preference = 0, med = 7, as-path-prepend = { repeat = 3 }, communities-add = ["no-export"], route-targets-remove = ["*"] }
[[peer-groups]]
name = "pe"
import-policy = ["st"]
export-policy = ["st", "st"]
)");
  ASSERT_EQ(config.policy.statements.size(), 1u);
  const policy::StatementDefinition& s = config.policy.statements[0];
  EXPECT_EQ(s.any_route_target_in, "all");
  EXPECT_EQ(s.prefix_in, "all");
  EXPECT_EQ(s.source_role, session::PeerRole::external);
  ASSERT_TRUE(s.families);
  EXPECT_TRUE(s.families->contains(wire::Family::vpnv6) && !s.families->contains(wire::Family::vpnv4));
  EXPECT_EQ(s.action, policy::Action::go_on);
  EXPECT_EQ(s.local_preference, 0u);
  EXPECT_EQ(s.med, 7u);
  EXPECT_EQ(s.prepend_repeat, 3u);
  EXPECT_EQ(s.prepend_as, 0u);  // ours
  EXPECT_THAT(s.communities_add, ElementsAre("no-export"));
  ASSERT_EQ(config.policy.groups.size(), 1u);
  EXPECT_THAT(config.policy.groups[0].export_policy, ElementsAre("st", "st"));
}

TEST(LoadConfig, TellsEveryErrorAtOnce) {
  EXPECT_THAT(messages(R"([global]
as = "65000"
router_id = "10.0.0.1"
router-id = "10.0.0.300"
[timers]
hold-time = 2
[[peer-groups]]
name = "pe"
role = "clinet"
[[neighbors]]
address = "10.0.0.2"
peer-group = "pes"
)"),
              ElementsAre("t.toml:2:6: global.as: a string where an integer is expected (write it without quotes)",
                          "t.toml:3:1: global.router_id: unknown key (did you mean \"router-id\"?)",
                          HasSubstr("t.toml:4:13: global.router-id: \"10.0.0.300\" is not an identifier"),
                          "t.toml:6:13: timers.hold-time: 2 is not allowed (0, or 3 to 65535)",
                          AllOf(HasSubstr("t.toml:8:8: warning: peer-groups[0].name: no neighbor")),
                          HasSubstr("t.toml:9:8: peer-groups[0].role: \"clinet\" is not known here (one of: client, non-client)"),
                          "t.toml:12:14: neighbors[0].peer-group: there is no peer group \"pes\" (did you mean \"pe\"?)"));
}

// RFC 5883 §6: multihop paths expose BFD to spoofing.
TEST(LoadConfig, WarnsOfBfdThatAnyoneMayForge) {
  auto warnings = [](std::string_view group, std::string_view neighbor) {
    std::vector<std::string> out;
    for (const ConfigProblem& problem : load_ok(std::string(kHead) + "[[peer-groups]]\nname = \"pe\"\n" + std::string(group) +
                                                "\n[[neighbors]]\naddress = \"10.0.0.2\"\npeer-group = \"pe\"\n" + std::string(neighbor)).warnings)
      out.push_back(format_problem(problem));
    return out;
  };
  EXPECT_THAT(warnings("bfd = { enabled = true }", ""), ElementsAre(AllOf(HasSubstr("t.toml:6:"), HasSubstr("bfd.enabled: without ttl-min"))));
  EXPECT_THAT(warnings("", "bfd = { enabled = true }"), ElementsAre(AllOf(HasSubstr("t.toml:10:"), HasSubstr("bfd.enabled: without ttl-min"))));
  EXPECT_THAT(warnings("bfd = { enabled = true }", "bfd = { multiplier = 5 }"), testing::SizeIs(1));
  EXPECT_THAT(warnings("bfd = { enabled = true }\nttl-min = 250", "bfd = { enabled = true }"), testing::IsEmpty());
  EXPECT_THAT(warnings("bfd = { enabled = false }", "bfd = { enabled = false }"), testing::IsEmpty());
}

TEST(LoadConfig, NamesASyntaxError) {
  EXPECT_THAT(messages("[global]\nas = = 3\n"), ElementsAre(HasSubstr("t.toml:2:6: not valid TOML")));
}

TEST(LoadConfig, NamesAMissingFile) {
  auto result = load_config("/nonexistent/heliograph.toml");
  ASSERT_FALSE(result);
  EXPECT_EQ(format_problem(result.error()[0]),
            "/nonexistent/heliograph.toml: cannot be opened: No such file or directory");
}

TEST(LoadConfig, WantsTheMandatoryKeys) {
  EXPECT_THAT(messages(""), ElementsAre(HasSubstr("global.as: missing"), HasSubstr("global.router-id: missing")));
  EXPECT_THAT(messages_after_head("[[neighbors]]\ndescription = \"x\"\n"),
              ElementsAre(HasSubstr("t.toml:4:1: neighbors[0].address: missing"),
                          HasSubstr("t.toml:4:1: neighbors[0].peer-group: missing")));
}

struct Mistake {
  const char* text;      // after kHead: line 4 is its first
  const char* expected;  // part of the only message
};

class LoadConfigMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(LoadConfigMistakes, IsNamedWithItsPlace) {
  EXPECT_THAT(messages_after_head(GetParam().text), testing::Contains(HasSubstr(GetParam().expected)));
}

#define GROUP "[[peer-groups]]\nname = \"pe\"\n"
constexpr Mistake kMistakes[] = {
    {"cluster-id = \"0.0.0.0\"\n", "t.toml:4:14: global.cluster-id: \"0.0.0.0\" is not an identifier"},
    {"listen = [{ address = \"::1\", port = 70000 }]\n", "global.listen[0].port: 70000 is out of range (1 to 65535)"},
    {"listen = [{ address = \"::1\" }, { address = \"::1\" }]\n", "global.listen[1].address: ::1 port 179 is listed twice"},
    {"listen = [\"127.0.0.1\"]\n", "global.listen[0]: a string where a table is expected"},
    {"[runtime]\nio-threads = 2\n", "t.toml:5:1: runtime.io-threads: unknown key ([runtime] shards alone sets the threads)"},
    {"[runtime]\nmemory-limit = \"lots\"\n", "runtime.memory-limit: \"lots\" is not a size"},
    {"[runtime]\nmemory-limit = \"1KiB\"\n", "runtime.memory-limit: \"1KiB\" is too small"},
    {"[timers]\nkeepalive-interval = 90\n", "timers.keepalive-interval: 90 is not below hold-time 90"},
    {"[timers]\nhold-time = 65536\n", "timers.hold-time: 65536 is out of range (0 to 65535)"},
    {"[timers]\nhold-time = 30.0\n", "timers.hold-time: a fraction where an integer is expected"},
    {"[[families]]\nname = \"l3vpn-ipv4\"\n", "families[0].name: \"l3vpn-ipv4\" is not a family"},
    {"[[families]]\nname = \"rt-constrain\"\n[[families]]\nname = \"rt-constrain\"\n", "t.toml:7:8: families[1].name: family \"rt-constrain\" is listed twice"},
    {"[[families]]\nname = \"l3vpn-ipv4-unicast\"\nwithout-rtc = \"send-all\"\n", "families[0].without-rtc: belongs to the family \"rt-constrain\""},
    {GROUP "name2 = 1\n", "peer-groups[0].name2: unknown key (did you mean \"name\"?)"},
    {GROUP GROUP, "t.toml:7:8: peer-groups[1].name: group \"pe\" exists already, line 5"},
    {GROUP "peer-as = 23456\n", "peer-groups[0].peer-as: AS 23456 is reserved"},
    {GROUP "families = []\n", "peer-groups[0].families: no family"},
    {GROUP "multihop = 2\n", "peer-groups[0].multihop: is for external groups only"},
    {GROUP "next-hop = \"self\"\n", "peer-groups[0].next-hop: a reflector does not change the next hop"},
    {GROUP "peer-as = 65100\nmultihop = 2\nttl-min = 254\n", "peer-groups[0].multihop: contradicts ttl-min"},
    {GROUP "auth-password-file = \"none.key\"\n", "peer-groups[0].auth-password-file: /etc/heliograph/none.key: No such file"},
    {GROUP "remote-as = 65000\n", "peer-groups[0].remote-as: unknown key (here: peer-as, in the peer group)"},
    {GROUP "bfd = { enabled = true, interval = \"5ms\" }\n", "peer-groups[0].bfd.interval: \"5ms\" is out of range (10 to 60000 ms)"},
    {GROUP "auth-method = \"tcp-md6\"\n", "peer-groups[0].auth-method: \"tcp-md6\" is not known here (one of: tcp-md5, tcp-ao)"},
    {GROUP "bfd = { multiplier = 0 }\n", "peer-groups[0].bfd.multiplier: 0 is out of range (1 to 255)"},
    {GROUP "rt-constrain = { advertise = \"defualt\" }\n", "peer-groups[0].rt-constrain.advertise: \"defualt\" is not known here (did you mean \"default\"?)"},
    {GROUP "[[neighbors]]\naddress = \"10.0.0.2\"\npeer-group = \"pe\"\n[[neighbors]]\naddress = \"10.0.0.2\"\npeer-group = \"pe\"\n",
     "t.toml:10:11: neighbors[1].address: neighbor 10.0.0.2 exists already, line 7"},
    {GROUP "[[neighbors]]\naddress = \"10.0.0\"\npeer-group = \"pe\"\n", "neighbors[0].address: \"10.0.0\" is not an IPv4 or IPv6 address"},
    {GROUP "[[neighbors]]\naddress = \"0.0.0.0\"\npeer-group = \"pe\"\n", "the unspecified address is no neighbor"},
    {GROUP "local-address = \"::1\"\n[[neighbors]]\naddress = \"10.0.0.2\"\npeer-group = \"pe\"\n", "local address ::1 cannot reach an IPv4 peer"},
    {GROUP "[[listen-ranges]]\nprefix = \"10.0.0.0/8\"\npeer-group = \"pe\"\n[[listen-ranges]]\nprefix = \"10.1.0.0/16\"\npeer-group = \"pe\"\n",
     "t.toml:10:10: listen-ranges[1].prefix: 10.1.0.0/16 overlaps 10.0.0.0/8, line 7"},
    {GROUP "[[listen-ranges]]\nprefix = \"10.0.0.1/8\"\npeer-group = \"pe\"\n", "bits beyond its length are set"},
    {GROUP "[[listen-ranges]]\nprefix = \"10.0.0.0/33\"\npeer-group = \"pe\"\n", "\"10.0.0.0/33\" is not a prefix"},
    {"[control]\nmode = \"0999\"\n", "control.mode: \"0999\" is not a file mode"},
    {"[control]\nmode = 660\n", "control.mode: an integer where permissions in quotes"},
    {"[log]\nlevel = \"verbose\"\n", "log.level: \"verbose\" is not known here (one of: trace, debug, info, warn, error)"},
    {"[graceful-restart]\nrestart-time = 60\n", "graceful-restart.mode: missing"},
    {"[neighbors]\naddress = \"10.0.0.2\"\n", "neighbors: a table where an array of tables is expected (write [[neighbors]])"},
    {"[log]\nlevel = 1979-05-27\n", "log.level: a date where a string is expected"},
    {"[[policy.sets]]\nname = \"s\"\nroute-targets = [\"65000:1\", \"65000\"]\n", "t.toml:6:29: policy.sets[0].route-targets[1]: \"65000\" is not a route target"},
    {"[[policy.sets]]\nname = \"s\"\nas-paths = [\"(\"]\n", "policy.sets[0].as-paths[0]: \"(\" is not an AS path expression"},
    {"[[policy.sets]]\nname = \"bogons\"\nroute-targets = [\"65000:1\"]\n[[policy.statements]]\nname = \"x\"\nmatch = { any-route-target-in = \"bogon\" }\naction = \"reject\"\n",
     "t.toml:9:33: policy.statements[0].match.any-route-target-in: there is no set \"bogon\" (did you mean \"bogons\"?)"},
    {"[[policy.statements]]\nname = \"drop-all\"\naction = \"reject\"\n" GROUP "import-policy = [\"dropall\"]\n",
     "t.toml:9:18: peer-groups[0].import-policy[0]: there is no policy statement \"dropall\" (did you mean \"drop-all\"?)"},
    {GROUP "export-policy = [\"x\"]\n", "peer-groups[0].export-policy[0]: there is no policy statement \"x\" (there is no [[policy.statements]])"},
    {"[[policy.statements]]\nname = \"x\"\naction = \"drop\"\n", "policy.statements[0].action: \"drop\" is not known here (one of: accept, reject, continue)"},
    {"[[policy.statements]]\nname = \"x\"\naction = \"accept\"\nset = { local-pref = 5 }\n", "policy.statements[0].set.local-pref: unknown key (one of: aigp"},
    {"[[policy.statements]]\nname = \"x\"\naction = \"accept\"\nmatch = { families = [\"rt-constrain\"] }\nset = { med = 5 }\n", "policy.statements[0].set: nothing can be set on rt-constrain routes"},
    {GROUP "rt-constrain = { marker-community = \"65000:*\" }\n", "peer-groups[0].rt-constrain.marker-community: \"65000:*\" is not a community (such as \"65000:4684\")"},
    {GROUP "rt-constrain = { proxy = \"import-policy\" }\n", "peer-groups[0].rt-constrain.proxy: has no effect without without-rtc = \"configured\""},
};
INSTANTIATE_TEST_SUITE_P(Each, LoadConfigMistakes, testing::ValuesIn(kMistakes));

// What is not built yet is refused, never silently ignored; its harmless values are taken.
TEST(LoadConfig, RefusesWhatThisVersionCannotDo) {
  EXPECT_THAT(messages_after_head("[timers]\nadvertise-delay = \"20ms\"\n[security]\nmax-sessions-per-source = 2\n"),
              ElementsAre("t.toml:5:1: timers.advertise-delay: not supported by this version (it takes \"0ms\" or \"0s\" only)",
                          HasSubstr("t.toml:7:")));
  EXPECT_THAT(messages_after_head("[timers]\nadvertise-delay = \"0ms\"\n[graceful-restart]\nmode = \"off\"\nrestart-time = 60\n"),
              ElementsAre());
  // Also what is not supported is checked: the mistake is the message.
  EXPECT_THAT(messages_after_head("[timers]\nadvertise-delay = \"20 parsecs\"\n"),
              ElementsAre(HasSubstr("timers.advertise-delay: \"20 parsecs\" is not a time")));
}

class Secrets : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "helio-secrets-" + std::to_string(::getpid());
    std::filesystem::create_directory(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  LoadResult with_key(std::string_view content, mode_t mode) {
    std::string path = directory_ + "/pe.key";
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
    std::string text = std::string(kHead) + GROUP "auth-password-file = \"pe.key\"\n"
                       "[[listen-ranges]]\nprefix = \"10.0.0.0/8\"\npeer-group = \"pe\"\n";
    return parse_config(text, "t.toml", directory_);
  }
  std::string directory_;
};

TEST_F(Secrets, AreReadFromTheirFile) {
  auto result = with_key("s3cret\n", 0600);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->peer_groups[0].auth_password, "s3cret");
  EXPECT_TRUE(result->warnings.empty());
}
TEST_F(Secrets, OpenToOthersAreWarnedAbout) {
  auto result = with_key("s3cret\n", 0644);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->warnings.size(), 1u);
  EXPECT_THAT(format_problem(result->warnings[0]), AllOf(HasSubstr("t.toml:6:22: warning"), HasSubstr("mode 0644")));
}
TEST_F(Secrets, EmptyOrTooLongAreErrors) {
  EXPECT_FALSE(with_key("", 0600));
  EXPECT_FALSE(with_key("\n", 0600));
  EXPECT_TRUE(with_key(std::string(80, 'x'), 0600));
  EXPECT_FALSE(with_key(std::string(81, 'x'), 0600));
}

// Keys of the group, of one neighbour and of one range.
TEST_F(Secrets, OfNeighborsAndRanges) {
  std::filesystem::create_directory(directory_ + "/keys");
  for (const char* name : {"pe.key", "one.key", "range.key"}) {
    std::ofstream(directory_ + "/" + name) << "secret of " << name << "\n";
    ::chmod((directory_ + "/" + name).c_str(), 0600);
  }
  std::string text = std::string(kHead) + GROUP "auth-password-file = \"pe.key\"\nauth-method = \"tcp-ao\"\nauth-key-id = 9\n"
                     "[[neighbors]]\naddress = \"10.0.0.2\"\npeer-group = \"pe\"\nauth-password-file = \"one.key\"\n"
                     "[[listen-ranges]]\nprefix = \"10.0.0.0/8\"\npeer-group = \"pe\"\nauth-password-file = \"range.key\"\n";
  auto result = parse_config(text, "t.toml", directory_);
  ASSERT_TRUE(result) << format_problem(result.error()[0]);
  EXPECT_EQ(result->peer_groups[0].auth_password, "secret of pe.key");
  EXPECT_EQ(result->peer_groups[0].auth_method, session::AuthMethod::tcp_ao);
  EXPECT_EQ(result->peer_groups[0].auth_key_id, 9);
  EXPECT_EQ(result->neighbors[0].auth_password, "secret of one.key");
  EXPECT_EQ(result->listen_ranges[0].auth_password, "secret of range.key");
}

// The kernel would drop what a neighbour without a key sends from within a prefix that has one.
TEST_F(Secrets, ANeighborInsideAKeyedRangeNeedsOne) {
  std::ofstream(directory_ + "/pe.key") << "s3cret\n";
  ::chmod((directory_ + "/pe.key").c_str(), 0600);
  auto text = [](const char* address) {
    return std::string(kHead) + GROUP "[[peer-groups]]\nname = \"keyed\"\nauth-password-file = \"pe.key\"\n[[neighbors]]\naddress = \"" + address +
           "\"\npeer-group = \"pe\"\n[[listen-ranges]]\nprefix = \"10.0.0.0/8\"\npeer-group = \"keyed\"\n";
  };
  EXPECT_TRUE(parse_config(text("11.0.0.2"), "t.toml", directory_));
  auto inside = parse_config(text("10.0.0.2"), "t.toml", directory_);
  ASSERT_FALSE(inside);
  EXPECT_THAT(format_problem(inside.error()[0]),
              HasSubstr("neighbors[0].address: has no key, but the listen range 10.0.0.0/8, line 13, has one: its segments would be dropped"));
}

// Every file of configs/ is a promise.
TEST(ShippedConfigs, Load) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(HELIO_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".toml") continue;
    if (entry.path().parent_path().filename() == "lab") continue;  // topologies of helio-lab, which reads them in tests/run.sh
    ++count;
    auto result = load_config(entry.path().string());
    if (!result) {
      for (const ConfigProblem& problem : result.error()) ADD_FAILURE() << format_problem(problem);
      continue;
    }
    // What package and image come with talks to nobody, and says so.
    if (auto name = entry.path().filename(); name == "default.toml" || name == "container.toml") {
      ASSERT_EQ(result->warnings.size(), 1u) << name;
      EXPECT_THAT(format_problem(result->warnings[0]), HasSubstr("no peer can connect"));
      continue;
    }
    for (const ConfigProblem& problem : result->warnings) ADD_FAILURE() << format_problem(problem);
  }
  EXPECT_GE(count, 5u);
}

}  // namespace
}  // namespace helio::config

// Reloads: what a new file changes, and what each key costs.
#include "rr/config/diff.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "rr/config/load.hpp"

namespace helio::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kBase = R"([global]
as = 65000
router-id = "192.0.2.1"
listen = [{ address = "127.0.0.1" }]
[timers]
hold-time = 90
[[families]]
name = "l3vpn-ipv4-unicast"
[[families]]
name = "rt-constrain"
[[peer-groups]]
name = "pe"
import-policy = ["drop"]
[[neighbors]]
address = "192.0.2.11"
peer-group = "pe"
[[neighbors]]
address = "192.0.2.12"
peer-group = "pe"
[[listen-ranges]]
prefix = "198.51.100.0/24"
peer-group = "pe"
[[policy.sets]]
name = "bogons"
route-targets = ["65000:0"]
[[policy.statements]]
name = "drop"
match = { any-route-target-in = "bogons" }
action = "reject"
)";

Config parse(const std::string& text) {
  LoadResult result = parse_config(text, "rr.toml", "/etc");
  if (!result) {
    for (const ConfigProblem& p : result.error()) ADD_FAILURE() << format_problem(p);
    return {};
  }
  return std::move(*result);
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(kBase);
  std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<std::string> lines(const std::vector<Change>& changes) {
  std::vector<std::string> out;
  for (const Change& c : changes) {
    std::string what = c.kind == Change::Kind::added ? "added" : c.kind == Change::Kind::removed ? "removed" : fmt::format("{} -> {}", c.before, c.after);
    out.push_back(fmt::format("{} {} {}", c.path, what, reload_name(c.reload)));
  }
  return out;
}

std::vector<std::string> changes(std::string_view from, std::string_view to) { return lines(diff(parse(std::string(kBase)), parse(replaced(from, to)))); }

TEST(Diff, SameTextIsNoChange) {
  EXPECT_THAT(changes("[timers]", "# a comment\n[timers]"), IsEmpty());
  EXPECT_THAT(changes("peer-group = \"pe\"\n[[neighbors]]", "peer-group = \"pe\"\nremote-port = 179\n[[neighbors]]"), IsEmpty()) << "the default, written down";
  EXPECT_THAT(changes("[[neighbors]]\naddress = \"192.0.2.11\"\npeer-group = \"pe\"\n[[neighbors]]\naddress = \"192.0.2.12\"",
                      "[[neighbors]]\naddress = \"192.0.2.12\"\npeer-group = \"pe\"\n[[neighbors]]\naddress = \"192.0.2.11\""),
              IsEmpty())
      << "entries are known by name, not by place";
}

TEST(Diff, NamesKeyAndCost) {
  EXPECT_THAT(changes("hold-time = 90", "hold-time = 30"), ElementsAre("timers.hold-time 90 -> 30 needs-session-reset"));
  EXPECT_THAT(changes("hold-time = 90\n", ""), IsEmpty()) << "90 is the default";
  EXPECT_THAT(changes("[timers]\n", "[timers]\nconnect-retry = 20\n"), ElementsAre("timers.connect-retry 10 -> 20 applied"));
  EXPECT_THAT(changes("[timers]", "[runtime]\nshards = 4\n[timers]"), ElementsAre("runtime.shards 0 -> 4 needs-restart"));
  EXPECT_THAT(changes("name = \"pe\"\n", "name = \"pe\"\nprefix-limits.l3vpn-ipv4-unicast.max-prefixes = 5\n"),
              ElementsAre("peer-groups[pe].prefix-limits.l3vpn-ipv4-unicast.max-prefixes required -> 5 applied"));
  EXPECT_THAT(changes("[\"65000:0\"]", "[\"65000:1\"]"), ElementsAre("policy.sets[bogons].route-targets [\"65000:0\"] -> [\"65000:1\"] applied"));
}

TEST(Diff, EntriesComeAndGo) {
  EXPECT_THAT(changes("192.0.2.12", "192.0.2.13"), ElementsAre("neighbors[192.0.2.12] removed applied", "neighbors[192.0.2.13] added applied"));
  EXPECT_THAT(changes("[[neighbors]]", "[[peer-groups]]\nname = \"rr\"\n[[neighbors]]"), ElementsAre("peer-groups[rr] added applied"));
  EXPECT_THAT(changes("[[families]]\nname = \"rt-constrain\"\n", ""), ElementsAre("families[rt-constrain] removed needs-session-reset"));
  EXPECT_THAT(changes("{ address = \"127.0.0.1\" }", "{ address = \"127.0.0.1\", port = 1179 }"),
              ElementsAre("global.listen[127.0.0.1:179] removed needs-restart", "global.listen[127.0.0.1:1179] added needs-restart"));
}

TEST(Diff, NewContentsOfAKeyFileAreAChangeAndNeverShown) {
  std::string directory = testing::TempDir();
  auto with_key = [&](const char* key) {
    std::ofstream(directory + "/pe.key") << key << "\n";
    LoadResult result = parse_config(replaced("name = \"pe\"\n", "name = \"pe\"\nauth-password-file = \"pe.key\"\n"), "rr.toml", directory);
    EXPECT_TRUE(result);
    return std::move(*result);
  };
  Config before = with_key("first"), after = with_key("second");
  std::vector<Change> found = diff(before, after);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, "peer-groups[pe].auth-password-file");
  EXPECT_EQ(found[0].reload, Reload::session_reset);
  EXPECT_EQ(lines(found)[0].find("second"), std::string::npos);
}

TEST(Effective, KeepsWhatNeedsARestart) {
  Config running = parse(std::string(kBase));
  Config wanted = parse(replaced("[timers]\nhold-time = 90", "[best-path]\nalways-compare-med = true\n[telemetry]\nport = 9999\nper-peer = \"full\"\n[timers]\nhold-time = 30"));
  LoadResult made = effective(running, wanted);
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->best_path.always_compare_med);
  EXPECT_EQ(made->telemetry.port, 9179);
  EXPECT_EQ(made->telemetry.per_peer, Telemetry::PerPeer::full);
  EXPECT_EQ(made->timers.hold_time.count(), 30);
  EXPECT_EQ(made->hash, wanted.hash);
  EXPECT_THAT(lines(diff(*made, wanted)), ElementsAre("best-path.always-compare-med false -> true needs-restart", "telemetry.port 9179 -> 9999 needs-restart"));
}

TEST(Effective, KeepsWhatIsNotWrittenAnyMore) {
  Config running = parse(replaced("[timers]", "[runtime]\nshards = 4\n[timers]"));
  LoadResult made = effective(running, parse(std::string(kBase)));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->runtime.shards, 4u);
  EXPECT_EQ(made->global.as, 65000u);
}

TEST(Effective, ATableThatIsGoneIsGone) {
  Config running = parse(std::string(kBase) + "[mrt]\ndirectory = \"mrt\"\n");
  LoadResult made = effective(running, parse(std::string(kBase)));
  ASSERT_TRUE(made) << format_problem(made.error()[0]);
  EXPECT_FALSE(made->mrt);
}

TEST(Effective, AnotherAsIsForTheNextStartWithEverythingThatFollowsFromIt) {
  Config running = parse(std::string(kBase));
  Config wanted = parse(replaced("as = 65000", "as = 65001"));
  LoadResult made = effective(running, wanted);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->peer_groups[0].peer_as, 65000u) << "its default is the AS that is in force";
}

}  // namespace
}  // namespace helio::config

// The command line: what each verb becomes, and that mistakes leave with status 2.
#include "rr/ctl/lib/command.hpp"

#include <gmock/gmock.h>

namespace helio::ctl {
namespace {

ParseResult parse(std::vector<const char*> words, const std::string& socket = "") {
  words.insert(words.begin(), "helioctl");
  return parse_command(static_cast<int>(words.size()), words.data(), socket);
}

TEST(Command, TakesCommonOptionsAnywhere) {
  for (std::vector<const char*> words : {std::vector<const char*>{"-j", "--socket", "/s", "show", "peers"},
                                         {"show", "-j", "peers", "--socket", "/s"},
                                         {"show", "peers", "--socket=/s", "--json"}}) {
    ParseResult result = parse(words);
    ASSERT_TRUE(result.run) << result.text;
    EXPECT_EQ(result.command.verb, Verb::show_peers);
    EXPECT_TRUE(result.command.json);
    EXPECT_EQ(result.command.socket, "/s");
  }
}

TEST(Command, SocketComesFromTheEnvironmentUnlessGiven) {
  EXPECT_EQ(parse({"show", "rt"}).command.socket, "/run/heliograph/control.sock");
  EXPECT_EQ(parse({"show", "rt"}, "/env").command.socket, "/env");
  EXPECT_EQ(parse({"show", "rt", "--socket", "/own"}, "/env").command.socket, "/own");
}

TEST(Command, Routes) {
  ParseResult result = parse({"show", "routes", "--rd", "65000:1", "--rt", "65000:2", "--prefix", "10.0.0.0/8", "longer",
                              "--from", "10.0.0.1", "--limit", "7", "--detail"});
  ASSERT_TRUE(result.run) << result.text;
  EXPECT_EQ(result.command.verb, Verb::show_routes);
  EXPECT_EQ(result.command.rd, "65000:1");
  EXPECT_EQ(result.command.rt, "65000:2");
  EXPECT_EQ(result.command.prefix, "10.0.0.0/8");
  EXPECT_TRUE(result.command.longer);
  EXPECT_EQ(result.command.from, "10.0.0.1");
  EXPECT_EQ(result.command.limit, 7u);
  EXPECT_TRUE(result.command.detail);
  EXPECT_TRUE(parse({"show", "routes", "--prefix", "10.0.0.0/8", "--longer"}).command.longer);
}

TEST(Command, PeerActions) {
  ParseResult result = parse({"peer", "10.0.0.1", "clear", "soft", "in", "--reason", "new policy"});
  ASSERT_TRUE(result.run) << result.text;
  EXPECT_EQ(result.command.verb, Verb::peer_action);
  EXPECT_EQ(result.command.peer, "10.0.0.1");
  EXPECT_EQ(result.command.action, "clear");
  EXPECT_EQ(result.command.soft, "in");
  EXPECT_EQ(result.command.reason, "new policy");
  EXPECT_EQ(parse({"show", "peer", "10.0.0.1"}).command.verb, Verb::show_peer);
}

TEST(Command, HelpAndVersionAreNoMistakes) {
  for (const char* word : {"--help", "--version"}) {
    ParseResult result = parse({word});
    EXPECT_FALSE(result.run);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_FALSE(result.text.empty());
  }
}

TEST(Command, MistakesLeaveWithTwo) {
  for (std::vector<const char*> words :
       {std::vector<const char*>{}, {"show"}, {"shwo"}, {"show", "nothing"}, {"show", "routes", "--limit", "0"},
        {"show", "routes", "--prefix", "10.0.0.0/8", "shorter"}, {"show", "routes", "--longer"}, {"show", "peer"},
        {"peer", "10.0.0.1", "kick"}, {"peer", "10.0.0.1", "up", "soft", "in"}, {"peer", "10.0.0.1", "clear", "soft"},
        {"show", "summary", "--watch", "0"}, {"config", "check"}}) {
    ParseResult result = parse(words);
    EXPECT_FALSE(result.run) << testing::PrintToString(words);
    EXPECT_EQ(result.exit_code, 2) << testing::PrintToString(words);
    EXPECT_FALSE(result.text.empty());
  }
}

TEST(Command, WordsListEveryVerb) {
  auto words = command_words();
  for (const char* word : {"show summary", "show routes", "show routes --rd", "config check", "health --ready", "--socket"})
    EXPECT_THAT(words, testing::Contains(word));
}

}  // namespace
}  // namespace helio::ctl

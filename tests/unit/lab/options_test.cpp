// The command line of helio-lab, its man page, and the picture in the README.
#include "bench/lab/lib/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "bench/lab/lib/picture.hpp"

namespace helio::lab {
namespace {

std::string read(const std::string& name) {
  std::ifstream in(std::string(HELIO_SOURCE_DIR) + "/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}
ParsedOptions parse(std::vector<const char*> words) {
  words.insert(words.begin(), "helio-lab");
  return parse_options(static_cast<int>(words.size()), const_cast<char**>(words.data()));
}

TEST(Options, Commands) {
  auto run = parse({"run", "t.toml", "--json", "--shards", "4", "--svg", "x.svg"});
  ASSERT_TRUE(run.options);
  EXPECT_EQ(run.options->command, Options::Command::run);
  EXPECT_TRUE(run.options->is_json);
  EXPECT_EQ(run.options->shards, 4u);
  EXPECT_EQ(run.options->svg_file, "x.svg");
  auto trace = parse({"trace", "t.toml", "a", "b", "-6"});
  ASSERT_TRUE(trace.options);
  EXPECT_EQ(trace.options->ces[1], "b");
  EXPECT_TRUE(trace.options->is_v6);
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
}

TEST(Options, Mistakes) {
  for (const auto& [words, text] : std::vector<std::pair<std::vector<const char*>, const char*>>{{{}, "no command"},
                                                                                               {{"walk"}, "unknown command walk"},
                                                                                               {{"run"}, "no topology file"},
                                                                                               {{"run", "t", "x"}, "too many arguments"},
                                                                                               {{"trace", "t", "a"}, "trace needs two CEs"},
                                                                                               {{"run", "t", "--fast"}, "unknown option --fast"},
                                                                                               {{"run", "t", "--hold"}, "--hold goes with --namespaces"},
                                                                                               {{"run", "t", "--iperf3"}, "--iperf3 goes with --namespaces"},
                                                                                               {{"run", "t", "--namespaces", "--svg", "x"}, "--paths and --svg do not go with --namespaces"},
                                                                                               {{"run", "t", "--shards", "0"}, "--shards needs a number"}}) {
    auto parsed = parse(words);
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, 2);
    EXPECT_THAT(parsed.text, testing::HasSubstr(text));
  }
}

// Every option of the help stands in the man page, and the other way round.
TEST(ManPage, HoldsTheCommandLine) {
  static const std::regex kOption("--[a-z][a-z-]*");
  auto options_of = [](const std::string& text) {
    std::set<std::string> out;
    for (std::sregex_iterator at(text.begin(), text.end(), kOption), end; at != end; ++at) out.insert(at->str());
    return out;
  };
  std::string page = read("deploy/man/helio-lab.1.scd");
  EXPECT_EQ(options_of(page), options_of(help_text()));
  for (const char* word : {"*run*", "*trace*", "*config*"}) EXPECT_THAT(page, testing::HasSubstr(word));
}

// bench/lab/two-customers.svg is what `helio-lab trace configs/lab/two-customers.toml acme-chicago acme-atlanta --svg` draws.
TEST(Picture, OfTheReadmeIsCurrent) {
  auto t = load_topology(std::string(HELIO_SOURCE_DIR) + "/configs/lab/two-customers.toml");
  ASSERT_TRUE(t);
  Lab lab(*t);
  lab.converge();
  Walk walk = lab.send(0, *wire::parse_ip("10.0.0.1"), *wire::parse_ip("10.0.2.1"));
  EXPECT_EQ(draw_topology(lab, &walk, "acme-chicago to acme-atlanta"), read("bench/lab/two-customers.svg"));
}

}  // namespace
}  // namespace helio::lab

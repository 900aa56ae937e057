// Topology files: what is wrong is said with its line, all of it at once; and the naive expectation on a plan by hand.
#include "bench/lab/lib/topology.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/lab/lib/expectation.hpp"

namespace helio::lab {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const char* const kPlan = R"(
customer = [{ name = "a" }, { name = "b", any-to-any = false }]
link = [{ a = "x", b = "y" }]
allow = [{ from = "a", to = "b2" }]
[[rr]]
name = "rr"
[[pe]]
name = "x"
vrf = [{ name = "a", rd = "1:1", import = ["1:1", "1:3"], export = ["1:1"] }, { name = "b", rd = "1:2", import = ["1:2"], export = ["1:2"] }]
[[pe]]
name = "y"
vrf = [{ name = "a", rd = "1:3", import = ["1:1"], export = ["1:1"] }, { name = "b", rd = "1:4", import = ["1:2"], export = ["1:2", "1:3"] }]
[[ce]]
name = "a1"
customer = "a"
pe = "x"
prefixes = ["10.0.0.0/24"]
[[ce]]
name = "a2"
customer = "a"
pe = "y"
prefixes = ["10.0.1.0/24"]
[[ce]]
name = "b1"
customer = "b"
pe = "x"
prefixes = ["10.0.0.0/24"]
[[ce]]
name = "b2"
customer = "b"
pe = "y"
prefixes = ["10.0.2.0/24"]
)";

TEST(TopologyFile, ReadsWhatStandsThere) {
  auto t = parse_topology(kPlan, "plan.toml");
  ASSERT_TRUE(t) << config::format_problem(t.error().front());
  EXPECT_EQ(t->routers.size(), 2u);
  EXPECT_EQ(t->routers[0].reflectors, std::vector<std::string>{"rr"});
  EXPECT_EQ(t->find_router("y")->find_vrf("b")->export_targets.size(), 2u);
  EXPECT_TRUE(t->is_intended(*t->find_ce("a1"), *t->find_ce("a2")));
  EXPECT_FALSE(t->is_intended(*t->find_ce("b1"), *t->find_ce("b2")));
  EXPECT_TRUE(t->is_intended(*t->find_ce("a1"), *t->find_ce("b2")));
  EXPECT_FALSE(t->is_intended(*t->find_ce("b2"), *t->find_ce("a1")));
}

TEST(TopologyFile, AllMistakesAtOnce) {
  auto t = parse_topology("transport = \"ldpp\"\nbogus = 1\nlink = [{ a = \"x\", b = \"nowhere\" }]\n[[pe]]\nname = \"x\"\nvrf = [{ name = \"v\", rd = \"one\", import = [\"1:x\"] }]\n[[ce]]\nname = \"c\"\ncustomer = \"who\"\npe = \"x\"\nvrf = \"w\"\nprefixes = [\"10.0.0.1/24\"]\n",
                          "bad.toml");
  ASSERT_FALSE(t);
  std::string all;
  for (const auto& p : t.error()) all += config::format_problem(p) + "\n";
  for (const char* part : {"bad.toml:1:", "did you mean \"ldp\"", "bogus: unknown key", "link[0].b: there is no PE or P router \"nowhere\"", "pe[0].vrf[0].rd: \"one\" is not a route distinguisher",
                           "\"1:x\" is not a route target", "there is no customer \"who\"", "x has no VRF \"w\"", "\"10.0.0.1/24\" is not a prefix"})
    EXPECT_THAT(all, HasSubstr(part));
}

std::string problems_of(const std::string& text) {
  auto t = parse_topology(text, "bad.toml");
  std::string all;
  if (!t)
    for (const auto& p : t.error()) all += config::format_problem(p) + "\n";
  return all;
}

TEST(TopologyFile, NamesAndAddressesAreUsable) {  // names become namespaces and files, loopbacks router ids
  EXPECT_THAT(problems_of("[[rr]]\nname = \"../../etc/x\"\n"), HasSubstr("\"../../etc/x\" is no name for a node"));
  EXPECT_THAT(problems_of("[[pe]]\nname = \"a/b\"\n"), HasSubstr("\"a/b\" is no name for a node"));
  EXPECT_THAT(problems_of("[[p]]\nname = \"x\"\n[[p]]\nname = \"x\"\n"), HasSubstr("\"x\" is there already"));
  EXPECT_THAT(problems_of("[[pe]]\nname = \"x\"\nloopback = \"10.0.0.1\"\n[[rr]]\nname = \"y\"\naddress = \"10.0.0.1\"\n"), HasSubstr("10.0.0.1 is another node's already"));
  EXPECT_THAT(problems_of("[[pe]]\nname = \"x\"\nloopback = \"2001:db8::1\"\n"), HasSubstr("pe[0].loopback: must be an IPv4 address"));
  EXPECT_THAT(problems_of("[[rr]]\nname = \"r\"\nadd-targets = { \"65000:1\" = [\"x\"], \"y\" = [\"65000:2\"] }\n"), AllOf(HasSubstr("\"x\" is not a route target"), HasSubstr("\"y\" is not a route target")));
  EXPECT_THAT(problems_of("link = [{ a = \"x\", b = \"x\" }]\n[[p]]\nname = \"x\"\n"), HasSubstr("a link from x to itself"));
}

TEST(ExpectationByHand, FollowsTheRouteTargets) {
  auto t = parse_topology(kPlan, "plan.toml");
  Expectation e(*t, [](std::string_view) { return true; });
  auto arrives = [&](std::size_t from, const char* to) { return e.trace(from, *wire::parse_ip(to)).arrives; };
  using Set = std::set<std::size_t>;
  EXPECT_EQ(arrives(0, "10.0.1.1"), Set{1});   // 1:1 both ways
  EXPECT_EQ(arrives(0, "10.0.2.1"), Set{3});   // x/a imports 1:3, which y/b exports
  EXPECT_EQ(arrives(1, "10.0.2.1"), Set{});    // y/a does not
  EXPECT_EQ(arrives(3, "10.0.0.1"), Set{2});   // b's own 10.0.0.0/24, not a's
  EXPECT_EQ(arrives(1, "10.0.0.1"), Set{0});
  Expectation without(*t, [](std::string_view n) { return n != "y"; });
  EXPECT_TRUE(without.trace(0, *wire::parse_ip("10.0.1.1")).arrives.empty());
}

}  // namespace
}  // namespace helio::lab

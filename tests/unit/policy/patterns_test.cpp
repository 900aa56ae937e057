// Patterns of policy sets: what each text matches and what is refused.
#include "rr/policy/patterns.hpp"

#include <gtest/gtest.h>

#include "rr/policy/as_path_pattern.hpp"

namespace helio::policy {
namespace {

std::uint64_t rt(std::string_view text) { return wire::parse_rt(text).value().value; }

bool target_matches(std::string_view pattern, std::uint64_t value) {
  PatternList<std::uint64_t> list;
  for (const ExtendedPattern& p : parse_route_target_pattern(pattern)) list.add(p);
  list.finish();
  return list.matches(value);
}

// Pitfall 1.24: 65000:1 of type 0 and of type 2 are different route targets.
TEST(Patterns, RouteTargets) {
  EXPECT_TRUE(target_matches("65000:1", rt("65000:1")));
  EXPECT_FALSE(target_matches("65000:1", rt("65000:2")));
  EXPECT_FALSE(target_matches("65000:1", rt("65000L:1")));
  EXPECT_TRUE(target_matches("65000:*", rt("65000:4294967295")));
  EXPECT_FALSE(target_matches("65000:*", rt("65001:1")));
  EXPECT_FALSE(target_matches("65000:*", rt("65000L:1")));
  EXPECT_TRUE(target_matches("65000L:*", rt("65000L:65535")));
  EXPECT_TRUE(target_matches("4200000000:*", rt("4200000000:9")));
  EXPECT_TRUE(target_matches("192.0.2.1:*", rt("192.0.2.1:7")));
  EXPECT_FALSE(target_matches("192.0.2.1:*", rt("192.0.2.2:7")));
  for (const char* any : {"65000:1", "192.0.2.1:1", "4200000000:1"}) EXPECT_TRUE(target_matches("*", rt(any)));
  EXPECT_FALSE(target_matches("*", 0x0003fde800000001));  // site of origin
  for (const char* bad : {"", "65000", "65000:", "x:*", "65000:*:1", "65000:70000000000"}) EXPECT_TRUE(parse_route_target_pattern(bad).empty()) << bad;
}

TEST(Patterns, ExtendedCommunities) {
  auto only = [](std::string_view text) { return parse_extended_pattern(text).at(0); };
  EXPECT_TRUE(only("soo:65000:1").matches(0x0003fde800000001));
  EXPECT_FALSE(only("soo:65000:1").matches(0x0002fde800000001));
  EXPECT_TRUE(only("soo:65000:*").matches(0x0003fde800000009));
  EXPECT_TRUE(only("rt:192.0.2.1:5").matches(rt("192.0.2.1:5")));
  EXPECT_TRUE(only("0x4004fde80000000a").matches(0x4004fde80000000a));
  for (const char* bad : {"65000:1", "soo:", "0x12", "0x4004fde80000000g"}) EXPECT_TRUE(parse_extended_pattern(bad).empty()) << bad;
}

// RFC 1997, RFC 8092.
TEST(Patterns, Communities) {
  EXPECT_TRUE(parse_community_pattern("65000:1")->matches(0xfde80001));
  EXPECT_FALSE(parse_community_pattern("65000:1")->matches(0xfde80002));
  EXPECT_TRUE(parse_community_pattern("65000:*")->matches(0xfde8ffff));
  EXPECT_TRUE(parse_community_pattern("*:7")->matches(0x12340007));
  EXPECT_TRUE(parse_community_pattern("no-export")->matches(0xffffff01));
  for (const char* bad : {"", "65000", "65536:1", "1:2:3", "noexport"}) EXPECT_FALSE(parse_community_pattern(bad)) << bad;
  auto large = [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    return static_cast<unsigned __int128>(a) << 64 | static_cast<unsigned __int128>(b) << 32 | c;
  };
  EXPECT_TRUE(parse_large_pattern("4200000000:1:2")->matches(large(4200000000, 1, 2)));
  EXPECT_TRUE(parse_large_pattern("4200000000:1:2")->is_exact());
  EXPECT_FALSE(parse_large_pattern("4200000000:1:2")->matches(large(4200000000, 1, 3)));
  EXPECT_TRUE(parse_large_pattern("65000:*:2")->matches(large(65000, 77, 2)));
  EXPECT_FALSE(parse_large_pattern("65000:1"));
}

TEST(Patterns, RouteDistinguishers) {
  auto matches = [](std::string_view pattern, std::string_view rd) {
    auto list = parse_rd_pattern(pattern);
    return !list.empty() && list[0].matches(wire::parse_rd(rd).value().value);
  };
  EXPECT_TRUE(matches("65000:1", "65000:1"));
  EXPECT_TRUE(matches("65000:*", "65000:4294967295"));
  EXPECT_FALSE(matches("65000:*", "65000L:1"));
  EXPECT_TRUE(matches("192.0.2.1:*", "192.0.2.1:65535"));
  EXPECT_FALSE(matches("192.0.2.1:*", "192.0.2.2:1"));
  EXPECT_TRUE(matches("*", "4200000000:1"));
}

bool in(const std::vector<std::string>& entries, std::string_view prefix) {
  PrefixList list;
  for (const std::string& e : entries) EXPECT_TRUE(list.add(e)) << e;
  auto p = wire::parse_prefix(prefix).value();
  return list.matches(p.is_v6, aligned(wire::IpAddress{p.address, p.is_v6}), p.length);
}

TEST(Patterns, PrefixLists) {
  EXPECT_TRUE(in({"10.0.0.0/8"}, "10.0.0.0/8"));
  EXPECT_FALSE(in({"10.0.0.0/8"}, "10.0.0.0/9"));
  EXPECT_FALSE(in({"10.0.0.0/8"}, "11.0.0.0/8"));
  EXPECT_TRUE(in({"10.0.0.0/8 ge 24"}, "10.1.2.0/24"));
  EXPECT_TRUE(in({"10.0.0.0/8 ge 24"}, "10.1.2.3/32"));
  EXPECT_FALSE(in({"10.0.0.0/8 ge 24"}, "10.0.0.0/23"));
  EXPECT_TRUE(in({"10.0.0.0/8 le 24"}, "10.0.0.0/8"));
  EXPECT_FALSE(in({"10.0.0.0/8 le 24"}, "10.1.2.0/25"));
  EXPECT_TRUE(in({"10.0.0.0/8 ge 24 le 28"}, "10.9.9.16/28"));
  EXPECT_FALSE(in({"10.0.0.0/8 ge 24 le 28"}, "10.9.9.16/29"));
  EXPECT_TRUE(in({"0.0.0.0/0"}, "0.0.0.0/0"));
  EXPECT_TRUE(in({"0.0.0.0/0 le 32"}, "203.0.113.7/32"));
  EXPECT_FALSE(in({"0.0.0.0/0 le 32"}, "2001:db8::/32"));  // the families apart
  EXPECT_TRUE(in({"2001:db8::/32 ge 64 le 64", "2001:db8::/32 ge 128"}, "2001:db8:1::1/128"));
  EXPECT_TRUE(in({"::/0 le 128"}, "2001:db8::/32"));
  EXPECT_TRUE(in({"10.0.0.0/8 le 16", "10.0.0.0/8 ge 32"}, "10.0.0.1/32"));
  PrefixList list;
  for (const char* bad : {"", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/8 ge", "10.0.0.0/8 ge 7", "10.0.0.0/8 le 33", "10.0.0.0/8 ge 24 le 20",
                          "10.0.0.0/8 ge 24 ge 25", "10.0.0.0/8 eq 24", "10.0.0.0/8 ge x"})
    EXPECT_FALSE(list.add(bad)) << bad;
}

TEST(Patterns, Addresses) {
  AddressList list;
  EXPECT_TRUE(list.add("192.0.2.1"));
  EXPECT_TRUE(list.add("10.0.0.0/8"));
  EXPECT_TRUE(list.add("2001:db8::/32"));
  EXPECT_FALSE(list.add("pe1"));
  auto matches = [&](std::string_view a) { return list.matches(wire::parse_ip(a).value()); };
  EXPECT_TRUE(matches("192.0.2.1"));
  EXPECT_FALSE(matches("192.0.2.2"));
  EXPECT_TRUE(matches("10.255.0.1"));
  EXPECT_TRUE(matches("2001:db8::5"));
  EXPECT_FALSE(matches("2001:db9::5"));
}

bool path_matches(std::string_view expression, std::string_view path) { return AsPathPattern::parse(expression).value().matches(path).value(); }
bool is_judged(std::string_view expression, std::string_view path) { return AsPathPattern::parse(expression).value().matches(path).has_value(); }

TEST(Patterns, AsPaths) {
  EXPECT_TRUE(path_matches("^$", ""));
  EXPECT_FALSE(path_matches("^$", "65001"));
  EXPECT_TRUE(path_matches("^65001_", "65001 65002"));
  EXPECT_TRUE(path_matches("^65001_", "65001"));
  EXPECT_FALSE(path_matches("^6500_", "65001"));
  EXPECT_TRUE(path_matches("_65002$", "65001 65002"));
  EXPECT_FALSE(path_matches("_5002$", "65001 65002"));
  EXPECT_TRUE(path_matches("_65002_", "65001 65002 65003"));
  EXPECT_TRUE(path_matches("_65001_65002_", "65001 65002"));
  EXPECT_TRUE(path_matches("_65003_", "65001 {65003,65004}"));
  EXPECT_TRUE(path_matches("_65004_", "65001 {65003,65004}"));
  EXPECT_TRUE(path_matches("^(65001 )+65002$", "65001 65001 65002"));
  EXPECT_TRUE(path_matches("^6500[1-3](_|$)", "65002 7"));
  EXPECT_TRUE(path_matches(".*", ""));
}

// What matching takes is bounded, whatever the expression and the path.
TEST(Patterns, AsPathsAreBounded) {
  EXPECT_FALSE(is_judged(".*", std::string(AsPathPattern::kMaxText + 1, '1')));
  std::string path;
  while (path.size() < AsPathPattern::kMaxText - 8) path += "65001 ";
  EXPECT_FALSE(is_judged("^(([0-9]+ ?)*)*-7$", path)) << "gives up at the latest";
  EXPECT_TRUE(path_matches("_65001_", path));
  for (const char* bad : {"", "(", "65001[", "abc", "(?=1)", "(1)\\1"}) EXPECT_FALSE(AsPathPattern::parse(bad).has_value()) << bad;
  EXPECT_FALSE(AsPathPattern::parse(std::string(257, '1')).has_value());
}

}  // namespace
}  // namespace helio::policy

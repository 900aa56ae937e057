// The schema table against itself and the small value parsers.
#include "rr/config/schema.hpp"

#include <gmock/gmock.h>

#include <set>

#include "rr/config/suggest.hpp"
#include "rr/config/values.hpp"

namespace helio::config {
namespace {

TEST(Schema, HasUniqueKeysAndEachIsExplained) {
  std::set<std::string_view> seen;
  for (const Key& key : keys()) {
    EXPECT_TRUE(seen.insert(key.path).second) << key.path;
    EXPECT_TRUE(key.help.ends_with('.')) << key.path;
    EXPECT_EQ(key.kind == Kind::choice, key.kind == Kind::choice && !key.choices.empty()) << key.path;
  }
}

TEST(Schema, UnsupportedRowsNameWhatExists) {
  std::size_t found = 0;
  auto count = [&](auto&& self, const SchemaNode& node) -> void {
    if (node.unsupported) ++found;
    for (const SchemaNode& child : node.children) self(self, child);
  };
  count(count, schema());
  EXPECT_EQ(found, unsupported().size());
}

TEST(Values, Durations) {
  EXPECT_EQ(parse_duration("20ms")->count(), 20);
  EXPECT_EQ(parse_duration("5m")->count(), 300'000);
  EXPECT_EQ(parse_duration("1 h")->count(), 3'600'000);
  for (const char* bad : {"", "20", "ms", "-1s", "1.5s", "99999999999999999h", "1d"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}
TEST(Values, Sizes) {
  EXPECT_EQ(parse_size("24GiB"), 24ull << 30);
  EXPECT_EQ(parse_size("1000"), 1000u);
  for (const char* bad : {"", "GiB", "1gib", "9999999999TiB"}) EXPECT_FALSE(parse_size(bad)) << bad;
}
TEST(Values, Modes) {
  EXPECT_EQ(parse_mode("0660"), 0660u);
  EXPECT_EQ(parse_mode("600"), 0600u);
  for (const char* bad : {"", "66", "0888", "1777", "rw-"}) EXPECT_FALSE(parse_mode(bad)) << bad;
}
TEST(Values, PrefixesOverlapWhenOneHoldsTheOther) {
  auto p = [](const char* text) { return *parse_ip_prefix(text); };
  EXPECT_TRUE(p("10.0.0.0/8").overlaps(p("10.255.0.0/16")));
  EXPECT_TRUE(p("10.255.0.0/16").overlaps(p("10.0.0.0/8")));
  EXPECT_FALSE(p("10.0.0.0/9").overlaps(p("10.128.0.0/9")));
  EXPECT_FALSE(p("0.0.0.0/0").overlaps(p("::/0")));
  EXPECT_TRUE(p("::/0").contains(*wire::parse_ip("2001:db8::1")));
  EXPECT_TRUE(has_host_bits({*wire::parse_ip("10.0.0.1"), 31}));
  EXPECT_FALSE(has_host_bits({*wire::parse_ip("10.0.0.1"), 32}));
}
TEST(Suggest, FindsTypingMistakesAndStaysQuietOtherwise) {
  static constexpr std::string_view kWords[] = {"hold-time", "keepalive-interval", "connect-retry"};
  EXPECT_EQ(nearest("hold_time", kWords), "hold-time");
  EXPECT_EQ(nearest("holdtime", kWords), "hold-time");
  EXPECT_EQ(nearest("conenct-retry", kWords), "connect-retry");
  EXPECT_EQ(nearest("banana", kWords), "");
}

}  // namespace
}  // namespace helio::config

// Numbers and tables as the terminal shows them.
#include "rr/ctl/lib/format.hpp"

#include <gtest/gtest.h>

#include "rr/ctl/lib/table.hpp"

namespace helio::ctl {
namespace {

TEST(Format, Counts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(10'000'000), "10,000,000");
  EXPECT_EQ(format_count(-123456), "-123,456");
}
TEST(Format, Ages) {
  EXPECT_EQ(format_age(0), "00:00:00");
  EXPECT_EQ(format_age(251), "00:04:11");
  EXPECT_EQ(format_age(86399), "23:59:59");
  EXPECT_EQ(format_age(9 * 86400 + 2 * 3600), "9d02h");
  EXPECT_EQ(format_age(412 * 86400), "412d");
}
TEST(Format, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(512 << 10), "512 KiB");
  EXPECT_EQ(format_bytes((1 << 20) - 1), "1.0 MiB");  // never 1024 KiB
  EXPECT_EQ(format_bytes(3'113'851'289), "2.9 GiB");
  EXPECT_EQ(format_bytes(~0ull), "16 EiB");
}
TEST(Format, Seconds) {
  EXPECT_EQ(format_seconds(0.44), "0.4s");
  EXPECT_EQ(format_seconds(480.2), "480s");
}
TEST(Table, AlignsByCharactersAndLeavesNothingBehind) {
  Table table({{"Name"}, {"Count", Table::Align::right}, {"Note"}});
  table.add({"käse", "7", "x"});
  table.add({"a", "1,000"}, "(tail)");
  EXPECT_EQ(table.text(true),
            "Name  Count  Note\n"
            "käse      7  x\n"
            "a     1,000        (tail)\n");
  EXPECT_EQ(table.text(false),
            "käse      7  x\n"
            "a     1,000     (tail)\n");
}

}  // namespace
}  // namespace helio::ctl

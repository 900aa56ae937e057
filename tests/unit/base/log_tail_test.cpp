// The ring of the last log lines (ECOSYSTEM section 4): bounded by lines and octets, numbered without gaps.
#include "rr/base/log_tail.hpp"

#include <gmock/gmock.h>

namespace helio::log {
namespace {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;

TEST(LogTail, KeepsTheLastLines) {
  LogTail tail;
  EXPECT_TRUE(tail.last(10).empty());
  EXPECT_TRUE(tail.since(0, 10).lines.empty());
  for (int i = 1; i <= 1500; ++i) tail.add(Time(std::chrono::milliseconds(i)), "info", "line " + std::to_string(i));
  auto last = tail.last(2);
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last[0].message, "line 1499");
  EXPECT_EQ(last[1].number, 1500u);
  EXPECT_EQ(last[1].time, Time(std::chrono::milliseconds(1500)));
  EXPECT_EQ(tail.last(5000).size(), LogTail::kMostLines);
}

TEST(LogTail, TellsWhatIsLost) {
  LogTail tail;
  for (int i = 1; i <= 1500; ++i) tail.add({}, "info", "x");
  auto part = tail.since(100, 10);
  EXPECT_EQ(part.lost, 400u);
  ASSERT_EQ(part.lines.size(), 10u);
  EXPECT_EQ(part.lines[0].number, 501u);
  part = tail.since(1498, 10);
  EXPECT_EQ(part.lost, 0u);
  ASSERT_EQ(part.lines.size(), 2u);
  EXPECT_EQ(part.lines[0].number, 1499u);
  EXPECT_TRUE(tail.since(1500, 10).lines.empty());
}

TEST(LogTail, IsBoundedInOctetsAndPrintable) {
  LogTail tail;
  for (int i = 0; i < 300; ++i) tail.add({}, "warning", std::string(10'000, 'x'));
  std::size_t bytes = 0;
  for (const Line& line : tail.last(1000)) {
    EXPECT_LE(line.message.size(), LogTail::kLongestLine);
    bytes += line.message.size();
  }
  EXPECT_LE(bytes, LogTail::kMostBytes);
  EXPECT_GT(bytes, LogTail::kMostBytes / 2);
  tail.add({}, "warning", "a\nb\x1b[2J");
  EXPECT_EQ(tail.last(1)[0].message.find('\n'), std::string::npos);
  EXPECT_EQ(tail.last(1)[0].message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace helio::log

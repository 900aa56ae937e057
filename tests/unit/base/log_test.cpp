// A log line is one line, whatever a peer put into it.
#include "rr/base/log.hpp"
#include "rr/base/log_limit.hpp"
#include "rr/base/log_pace.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

namespace helio {
namespace {

std::string logged(const char* format, const std::string& text) {
  testing::internal::CaptureStderr();
  log::start({.level = "info", .format = format});
  log::info("peer=10.0.0.1 hostname=\"{}\"", text);
  log::stop();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, TextStaysOnItsLine) {
  std::string line = logged("text", "pe\n2026-01-01T00:00:00.000 error forged\x1b[2J\xff");
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_THAT(line, testing::HasSubstr(" info  peer=10.0.0.1 hostname=\"pe?2026"));
  EXPECT_THAT(line, testing::Not(testing::HasSubstr("\x1b")));
}

TEST(Log, JsonIsEscaped) {
  std::string line = logged("json", "a\"b\\c\n\xff");
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_THAT(line, testing::HasSubstr(R"("message":"peer=10.0.0.1 hostname=\"a\"b\\c\u000a)"
                                       "\xef\xbf\xbd"));
}

// H5 I: rate-limited per cause, with a count of what was left out.
TEST(LogLimit, BurstsPassFloodsAreCutAndCounted) {
  using namespace std::chrono_literals;
  log::LogLimiter limiter({.burst = 3, .per_second = 2});
  log::LogLimiter::TimePoint now{};
  static constexpr std::string_view kOne = "peer={} came", kOther = "peer={} went";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.admit(kOne, now), 0u);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.admit(kOne, now));
  EXPECT_EQ(limiter.admit(kOther, now), 0u) << "another cause is not concerned";
  now += 400ms;
  EXPECT_FALSE(limiter.admit(kOne, now));
  now += 100ms;
  EXPECT_EQ(limiter.admit(kOne, now), 6u) << "the next line tells";
  EXPECT_FALSE(limiter.admit(kOne, now));
  auto told = limiter.take_suppressed();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].cause, kOne);
  EXPECT_EQ(told[0].lines, 1u);
  EXPECT_TRUE(limiter.take_suppressed().empty());
  EXPECT_EQ(limiter.total(), 7u);
  now += 1h;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.admit(kOne, now)) << "a burst, not an hour's worth";
  EXPECT_FALSE(limiter.admit(kOne, now));
}

TEST(Log, AFloodOfOneCauseLeavesRoomForOthersAndIsToldAtTheEnd) {
  testing::internal::CaptureStderr();
  log::start({});
  std::uint64_t before = log::suppressed_lines();
  for (int i = 0; i < 2000; ++i) log::warn("flood of peer={}", i);
  log::warn("something else");
  log::stop();
  std::string text = testing::internal::GetCapturedStderr();
  std::uint64_t left_out = log::suppressed_lines() - before;
  EXPECT_GE(left_out, 1000u);
  EXPECT_THAT(text, testing::HasSubstr("something else"));
  EXPECT_THAT(text, testing::HasSubstr("lines were not logged: \"flood of peer={}\""));
  EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(text, '\n')), 2000 - left_out + 2);
}

// HOSTILE-INPUT §3, log blocked: the process ends though nobody reads what it logs.
TEST(Log, AReaderThatHangsDoesNotHoldUpTheEnd) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_GT(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
  int standard_error = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);
  log::start({});
  for (int i = 0; i < 400; ++i) log::warn("a line of which four hundred do not fit into the pipe, number {}", i);
  log::stop();
  dup2(standard_error, STDERR_FILENO);
  close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(n));
  close(ends[0]);
  close(standard_error);
  EXPECT_THAT(text, testing::HasSubstr("number 0\n"));
  EXPECT_LT(std::ranges::count(text, '\n'), 400);
}

TEST(LogPace, OneLineInTenSecondsTellsOfTheOthers) {
  using namespace std::chrono_literals;
  log::LogPace pace;
  log::LogPace::TimePoint now = std::chrono::steady_clock::now();
  EXPECT_EQ(pace.admit(now), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(pace.admit(now + 9s));
  EXPECT_EQ(pace.admit(now + 10s), 3u);
  EXPECT_FALSE(pace.admit(now + 19s));
}

}  // namespace
}  // namespace helio

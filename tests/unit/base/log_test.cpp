// A log line is one line, whatever a peer put into it.
#include "rr/base/log.hpp"

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace helio

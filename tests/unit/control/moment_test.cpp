// Moments as text: RFC 3339 §5.6 and relative ones.
#include "rr/control/moment.hpp"

#include <gtest/gtest.h>

namespace helio::control {
namespace {

const reflector::WallTime kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(12)};

TEST(Moment, Absolute) {
  for (const char* text : {"2026-11-22T12:00:00.000Z", "2026-11-22T12:00:00Z", "2026-11-22t12:00:00.0z", "2026-11-22 12:00:00Z", "2026-11-22T13:30:00+01:30", "2026-11-22T07:00:00-05:00"})
    EXPECT_EQ(parse_moment(text, {}), kNow) << text;
  EXPECT_EQ(format_moment(kNow + std::chrono::milliseconds(123)), "2026-11-22T12:00:00.123Z");
  EXPECT_EQ(parse_moment(format_moment(kNow + std::chrono::milliseconds(7)), {}), kNow + std::chrono::milliseconds(7));
}

TEST(Moment, Relative) {
  EXPECT_EQ(parse_moment("-5m", kNow), kNow - std::chrono::minutes(5));
  EXPECT_EQ(parse_moment("-1h30m", kNow), kNow - std::chrono::minutes(90));
  EXPECT_EQ(parse_moment("-2d", kNow), kNow - std::chrono::days(2));
  EXPECT_EQ(parse_moment("-250ms", kNow), kNow - std::chrono::milliseconds(250));
}

TEST(Moment, NotOne) {
  for (const char* text : {"", "-", "-5", "-5w", "-m", "5m", "--5m", "yesterday", "2026-11-22", "2026-11-22T12:00", "2026-11-22T12:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
                           "2026-11-22T24:00:00Z", "2026-11-22T12:00:00.Z", "2026-11-22T12:00:00Zx", "2026-11-22T12:00:00+25:00", "2026-1-22T12:00:00Z", "-99999999999999999999s", "-4294967295d4294967295d"})
    EXPECT_EQ(parse_moment(text, kNow), std::nullopt) << text;
}

}  // namespace
}  // namespace helio::control

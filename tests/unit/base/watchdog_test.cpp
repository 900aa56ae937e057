// H7 A: the watchdog is fed only if every shard ticked.
#include "rr/base/watchdog.hpp"

#include <gtest/gtest.h>

namespace helio {
namespace {

using namespace std::chrono_literals;
constexpr Watchdog::TimePoint kBegin{1h};

Watchdog::Verdict look(Watchdog& watchdog, std::vector<std::uint64_t> turns, std::chrono::seconds after) {
  return watchdog.look(turns, kBegin + after);
}

TEST(Watchdog, IsFedWhenEveryShardHasEndedATurn) {
  Watchdog watchdog(10s);
  EXPECT_FALSE(look(watchdog, {5, 7}, 0s).feed) << "nothing is known yet";
  EXPECT_TRUE(look(watchdog, {6, 8}, 1s).feed);
  EXPECT_FALSE(look(watchdog, {7, 8}, 2s).feed);
  EXPECT_FALSE(look(watchdog, {8, 8}, 3s).feed);
  EXPECT_TRUE(look(watchdog, {8, 9}, 4s).feed) << "both have since it was fed, if not in the same second";
  EXPECT_FALSE(look(watchdog, {8, 9}, 5s).feed);
}

TEST(Watchdog, TellsOfAStallOnceAndOfItsEndOnce) {
  Watchdog watchdog(10s);
  look(watchdog, {1, 1}, 0s);
  EXPECT_TRUE(look(watchdog, {2, 1}, 9s).stalls.empty());
  auto begun = look(watchdog, {3, 1}, 10s);
  ASSERT_EQ(begun.stalls.size(), 1u);
  EXPECT_EQ(begun.stalls[0].shard, 1u);
  EXPECT_EQ(begun.stalls[0].since, 10s);
  EXPECT_FALSE(begun.stalls[0].over);
  EXPECT_FALSE(begun.feed);
  EXPECT_TRUE(look(watchdog, {4, 1}, 11s).stalls.empty());
  auto over = look(watchdog, {5, 2}, 14s);
  ASSERT_EQ(over.stalls.size(), 1u);
  EXPECT_TRUE(over.stalls[0].over);
  EXPECT_EQ(over.stalls[0].since, 14s);
  EXPECT_TRUE(over.feed);
}

}  // namespace
}  // namespace helio

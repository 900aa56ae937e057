// DESIGN: at 90 % of memory-limit new peers are refused, at 100 % the largest offender is shed.
#include "rr/base/memory_limit.hpp"

#include <gtest/gtest.h>

namespace helio {
namespace {

using Action = MemoryLimit::Action;
using namespace std::chrono_literals;

constexpr MemoryLimit::TimePoint kStart{std::chrono::hours(1)};

TEST(MemoryLimit, RefusesAtNinetyAndAllowsBelowEightyFive) {
  MemoryLimit limit(1000);
  EXPECT_EQ(limit.decide(899, kStart), Action::none);
  EXPECT_FALSE(limit.is_refusing());
  EXPECT_EQ(limit.decide(900, kStart), Action::refuse);
  EXPECT_TRUE(limit.is_refusing());
  EXPECT_EQ(limit.decide(950, kStart), Action::none);
  EXPECT_EQ(limit.decide(899, kStart), Action::none) << "not to and fro around one figure";
  EXPECT_EQ(limit.decide(850, kStart), Action::none);
  EXPECT_EQ(limit.decide(849, kStart), Action::allow);
  EXPECT_FALSE(limit.is_refusing());
  EXPECT_EQ(limit.decide(849, kStart), Action::none);
}

TEST(MemoryLimit, ShedsOnlyWhenItRefusesAlready) {
  MemoryLimit limit(1000);
  EXPECT_EQ(limit.decide(5000, kStart), Action::refuse);
  EXPECT_EQ(limit.decide(5000, kStart), Action::shed);
}

TEST(MemoryLimit, GivesASheddingTimeUnlessMemoryGrows) {
  MemoryLimit limit(1000);
  limit.decide(1000, kStart);
  EXPECT_EQ(limit.decide(1000, kStart), Action::shed);
  EXPECT_EQ(limit.decide(1010, kStart + 2s), Action::none) << "its routes are being freed";
  EXPECT_EQ(limit.decide(1021, kStart + 4s), Action::shed) << "it grows all the same";
  EXPECT_EQ(limit.decide(1021, kStart + 13s), Action::none);
  EXPECT_EQ(limit.decide(1021, kStart + 14s), Action::shed) << "nothing was freed within the patience";
  EXPECT_EQ(limit.decide(999, kStart + 60s), Action::none) << "below the limit: refusing is enough";
  EXPECT_TRUE(limit.is_refusing());
  EXPECT_EQ(limit.decide(800, kStart + 62s), Action::allow);
  EXPECT_EQ(limit.decide(1000, kStart + 63s), Action::refuse);
  EXPECT_EQ(limit.decide(1000, kStart + 64s), Action::shed) << "an old shedding says nothing about a new shortage";
}

TEST(MemoryLimit, NoneConfigured) {
  MemoryLimit limit(0);
  EXPECT_EQ(limit.decide(1ull << 50, kStart), Action::none);
}

}  // namespace
}  // namespace helio

// When a reflector may be depended on: RFC 4724 §2's End-of-RIBs, of all who were to come.
#include "rr/reflector/readiness.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace helio::reflector {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class ReadinessTest : public testing::Test {
 protected:
  bool at(std::chrono::seconds time, const Readiness::Facts& facts) {
    readiness_.update(facts, start_ + time);
    EXPECT_EQ(readiness_.ready(), readiness_.waiting_for().empty());
    return readiness_.ready();
  }

  Readiness readiness_;
  Readiness::TimePoint start_ = Readiness::TimePoint{} + 1h;
};

TEST_F(ReadinessTest, OneNeighbourOfNineIsNotEnough) {
  EXPECT_FALSE(at(0s, {.neighbors = 9}));
  EXPECT_FALSE(at(3s, {.neighbors = 9, .neighbors_up = 1, .up = 1}));
  EXPECT_EQ(readiness_.waiting_for(), "8 of 9 neighbours, 120 s more");
  EXPECT_FALSE(at(10s, {.neighbors = 9, .neighbors_up = 9, .up = 9, .incomplete = 2}));
  EXPECT_EQ(readiness_.waiting_for(), "the End-of-RIB from or to 2 of 9 peers");
  EXPECT_TRUE(at(11s, {.neighbors = 9, .neighbors_up = 9, .up = 9}));
}

TEST_F(ReadinessTest, FlapsOfSomeChangeNothing) {
  EXPECT_TRUE(at(0s, {.neighbors = 2, .neighbors_up = 2, .up = 2}));
  EXPECT_TRUE(at(5s, {.neighbors = 2, .neighbors_up = 1, .up = 1}));
  EXPECT_TRUE(at(6s, {.neighbors = 2, .neighbors_up = 2, .up = 2, .incomplete = 1}));
}

TEST_F(ReadinessTest, TheLossOfAllBeginsAnew) {
  EXPECT_TRUE(at(0s, {.neighbors = 3, .neighbors_up = 3, .up = 3}));
  EXPECT_FALSE(at(500s, {.neighbors = 3}));
  EXPECT_EQ(readiness_.waiting_for(), "the first session");
  EXPECT_FALSE(at(600s, {.neighbors = 3, .neighbors_up = 2, .up = 2}));
  EXPECT_FALSE(at(719s, {.neighbors = 3, .neighbors_up = 2, .up = 2}));
  EXPECT_TRUE(at(720s, {.neighbors = 3, .neighbors_up = 2, .up = 2}));
}

TEST_F(ReadinessTest, HalfOfTheNeighboursDoAfterAWhileAndFewerNever) {
  EXPECT_FALSE(at(0s, {.neighbors = 4, .neighbors_up = 1, .up = 1}));
  EXPECT_FALSE(at(2000s, {.neighbors = 4, .neighbors_up = 1, .up = 1}));
  EXPECT_EQ(readiness_.waiting_for(), "more than half of 4 neighbours: 3 are down");
  EXPECT_FALSE(at(2001s, {.neighbors = 4, .neighbors_up = 2, .up = 2, .incomplete = 1}));
  EXPECT_TRUE(at(2002s, {.neighbors = 4, .neighbors_up = 2, .up = 2}));
}

TEST_F(ReadinessTest, ListenRangesWaitUntilNobodyElseComes) {
  EXPECT_FALSE(at(0s, {.ranges = true}));
  EXPECT_FALSE(at(100s, {.up = 1, .ranges = true, .youngest = 0s}));
  EXPECT_EQ(readiness_.waiting_for(), "further peers of the listen ranges, 30 s more");
  EXPECT_FALSE(at(120s, {.up = 2, .ranges = true, .youngest = 1s}));
  EXPECT_TRUE(at(149s, {.up = 2, .ranges = true, .youngest = 30s}));
  EXPECT_TRUE(at(150s, {.up = 3, .ranges = true, .youngest = 0s}));
}

TEST_F(ReadinessTest, PeersThatComeAndGoDoNotHoldItUpForEver) {
  EXPECT_FALSE(at(0s, {.up = 1, .ranges = true}));
  EXPECT_FALSE(at(119s, {.up = 7, .ranges = true, .youngest = 2s}));
  EXPECT_THAT(readiness_.waiting_for(), HasSubstr(", 1 s more"));
  EXPECT_TRUE(at(120s, {.up = 7, .ranges = true, .youngest = 2s}));
}

TEST_F(ReadinessTest, WithoutPeersThereIsNothingToWaitFor) {
  EXPECT_TRUE(at(0s, {}));
  EXPECT_FALSE(at(1s, {.neighbors = 1}));  // a reload
}

}  // namespace
}  // namespace helio::reflector

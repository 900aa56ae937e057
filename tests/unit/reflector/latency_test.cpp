// The latency histogram: buckets, percentiles.
#include "rr/reflector/latency.hpp"

#include <gtest/gtest.h>

#include "tests/unit/reflector/shards.hpp"

namespace helio::reflector {
namespace {

TEST(Latency, ValuesFallIntoTheBucketWhoseBoundTheyDoNotExceed) {
  LatencyHistogram histogram;
  for (std::uint64_t us : {0u, 50u, 51u, 100u, 30'000'000u, 30'000'001u}) histogram.observe(us);
  LatencyCounts counts = histogram.counts();
  EXPECT_EQ(counts.buckets[0], 2u);
  EXPECT_EQ(counts.buckets[1], 2u);
  EXPECT_EQ(counts.buckets[15], 1u);
  EXPECT_EQ(counts.buckets[16], 1u);
  EXPECT_EQ(counts.count(), 6u);
  EXPECT_EQ(counts.sum_us, 60'000'202u);
}

TEST(Latency, QuantilesLieOnALineWithinABucket) {
  LatencyCounts counts;
  EXPECT_EQ(counts.quantile(0.5), 0);
  counts.buckets[0] = 50;   // up to 50 us
  counts.buckets[1] = 50;   // up to 100 us
  EXPECT_DOUBLE_EQ(counts.quantile(0.25), 25);
  EXPECT_DOUBLE_EQ(counts.quantile(0.5), 50);
  EXPECT_DOUBLE_EQ(counts.quantile(0.75), 75);
  EXPECT_DOUBLE_EQ(counts.quantile(1), 100);
  counts = {};
  counts.buckets[16] = 1;
  EXPECT_DOUBLE_EQ(counts.quantile(0.5), 30'000'000) << "at least that";
}

TEST(Latency, DifferencesAreThoseOfAnInterval) {
  LatencyHistogram histogram;
  histogram.observe(10);
  LatencyCounts before = histogram.counts();
  histogram.observe(1000);
  LatencyCounts recent = histogram.counts();
  recent -= before;
  EXPECT_EQ(recent.count(), 1u);
  EXPECT_EQ(recent.buckets[4], 1u);
  EXPECT_EQ(recent.sum_us, 1000u);
}

// What is read, held up for a while by a peer that does not take it, and written: total has the whole time, write that from
// encoding on. One shard and several.
class Measured : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Shards, Measured, testing::Values(1u, 3u));

TEST_P(Measured, FromReadToWritten) {
  using std::chrono::milliseconds;
  test::Shards shards(GetParam());
  shards.up(test::Shards::pe(0, test::Shards::group()));
  shards.up(test::Shards::pe(1, test::Shards::group()));
  shards.take(0), shards.take(1);
  auto counts = [&](LatencyStage stage) {
    LatencyCounts sum;
    for (std::uint32_t i = 0; i < GetParam(); ++i) sum += shards.shard(i).counters().latency[static_cast<std::size_t>(stage)].counts();
    return sum;
  };
  EXPECT_EQ(counts(LatencyStage::total).count(), 0u) << "images and End-of-RIB are no changes";
  shards.announce(0, "65000:1", 0, 1);
  shards.take(1);
  EXPECT_EQ(counts(LatencyStage::total).count(), 0u) << "without a clock nothing is measured";
  shards.clock = session::TimePoint(std::chrono::seconds(2000));
  shards.announce(0, "65000:1", 1, 1);
  shards.clock += milliseconds(40);
  EXPECT_FALSE(shards.take(1).bytes.empty());
  EXPECT_EQ(counts(LatencyStage::decide).count(), 1u);
  EXPECT_EQ(counts(LatencyStage::encode).count(), 1u);
  LatencyCounts total = counts(LatencyStage::total), write = counts(LatencyStage::write);
  EXPECT_EQ(total.count(), 1u);
  EXPECT_EQ(total.sum_us, 40'000u);
  EXPECT_EQ(write.sum_us, 40'000u);
  EXPECT_LE(counts(LatencyStage::queue).count(), GetParam()) << "once for each thread that got mail";
}

}  // namespace
}  // namespace helio::reflector

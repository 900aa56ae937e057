#include "rr/reflector/near_miss.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace helio::reflector {
namespace {

NearMiss miss(const char* a, const char* b) { return near_miss(*wire::parse_rt(a), *wire::parse_rt(b)); }

TEST(NearMiss, TellsWhatIsEasilyMistaken) {
  EXPECT_EQ(miss("65000:101", "65000:101"), NearMiss::none);
  EXPECT_EQ(miss("65000:101", "65000L:101"), NearMiss::other_type);  // RFC 4360 §4, RFC 5668
  EXPECT_EQ(miss("65000:101", "65000:110"), NearMiss::one_digit);    // swapped
  EXPECT_EQ(miss("65000:101", "65000:102"), NearMiss::one_digit);
  EXPECT_EQ(miss("65000:101", "65000:1010"), NearMiss::one_digit);
  EXPECT_EQ(miss("65000:101", "65000:11"), NearMiss::one_digit);
  EXPECT_EQ(miss("65000:101", "64999:101"), NearMiss::same_number);
  EXPECT_EQ(miss("192.0.2.1:7", "65000:7"), NearMiss::same_number);
  EXPECT_EQ(miss("65000:101", "65000:202"), NearMiss::none);
  EXPECT_EQ(miss("65000:101", "65000:1"), NearMiss::none);
}

TEST(NearMiss, TheLikeliestFirstAndThreeAtMost) {
  wire::RouteTarget missing[] = {*wire::parse_rt("65000:101")};
  std::vector<wire::RouteTarget> present;
  for (const char* text : {"64999:101", "65000:102", "65000:103", "65000:104", "65000L:101", "65000:900"}) present.push_back(*wire::parse_rt(text));
  std::vector<std::string> hints = near_miss_hints(missing, present, "it asks for");
  ASSERT_EQ(hints.size(), 3u);
  EXPECT_EQ(hints[0], "it asks for 65000L:101, which is not 65000:101: the same numbers in another type of route target");
  EXPECT_EQ(hints[1], "it asks for 65000:102, which is not 65000:101: one character off");
  EXPECT_TRUE(near_miss_hints(missing, {}, "it asks for").empty());
}

}  // namespace
}  // namespace helio::reflector

// NextHopTracker with scripted routes: what shards are told, and when (RFC 4271 §9.1.2.1, H4 B).
#include "rr/nexthop/tracker.hpp"

#include <gmock/gmock.h>

#include <map>

namespace helio::nexthop {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

wire::IpAddress ip(const char* text) { return *wire::parse_ip(text); }

class Routes : public RouteSource {
 public:
  RouteAnswer look_up(const wire::IpAddress& address) override {
    ++questions;
    auto at = answers.find(address);
    return at == answers.end() ? RouteAnswer{} : at->second;
  }
  std::map<wire::IpAddress, RouteAnswer> answers;
  int questions = 0;
};

class TrackerTest : public testing::Test {
 protected:
  NextHopTracker make(bool default_route_counts = false) {
    return NextHopTracker(routes_, {default_route_counts, milliseconds(500)}, 3, [this](std::uint32_t shard) { woken_.push_back(shard); });
  }
  // The route to an address is another one, and the tracker hears of it.
  void change(NextHopTracker& tracker, const char* address, std::optional<std::uint32_t> metric, bool is_default = false) {
    if (metric) routes_.answers[ip(address)] = {true, is_default, *metric};
    else routes_.answers.erase(ip(address));
    RouteChange prefix{.address = ip(address), .length = static_cast<std::uint8_t>(ip(address).is_v6 ? 128 : 32)};
    tracker.look_again({&prefix, 1}, now_);
  }
  std::vector<std::pair<std::string, rib::NextHopState>> taken(NextHopTracker& tracker, std::uint32_t shard) {
    std::vector<std::pair<std::string, rib::NextHopState>> out;
    for (const auto& c : tracker.take_changes(shard)) out.emplace_back(wire::format_ip(c.address), c.state);
    return out;
  }
  using Told = std::pair<std::string, rib::NextHopState>;

  Routes routes_;
  TimePoint now_{std::chrono::seconds(100)};
  std::vector<std::uint32_t> woken_;
};

TEST_F(TrackerTest, AnswersAtOnceAndAsksOncePerAddress) {
  routes_.answers[ip("192.0.2.1")] = {true, false, 20};
  NextHopTracker tracker = make();
  EXPECT_EQ(tracker.watch(ip("192.0.2.1"), 0), (rib::NextHopState{true, 20}));
  EXPECT_EQ(tracker.watch(ip("192.0.2.1"), 2), (rib::NextHopState{true, 20}));
  EXPECT_EQ(tracker.watch(ip("192.0.2.2"), 0), (rib::NextHopState{false, 0}));
  EXPECT_EQ(routes_.questions, 2);
  EXPECT_EQ(tracker.counters().reachable, 1u);
  EXPECT_EQ(tracker.counters().unreachable, 1u);
}

TEST_F(TrackerTest, LossIsToldAtOnceToThoseWhoWatch) {
  routes_.answers[ip("192.0.2.1")] = {true, false, 20};
  NextHopTracker tracker = make();
  tracker.watch(ip("192.0.2.1"), 0);
  tracker.watch(ip("192.0.2.1"), 2);
  change(tracker, "192.0.2.1", std::nullopt);
  EXPECT_THAT(woken_, ElementsAre(0u, 2u));
  EXPECT_TRUE(tracker.has_changes(0));
  EXPECT_FALSE(tracker.has_changes(1));
  EXPECT_THAT(taken(tracker, 0), ElementsAre(Told("192.0.2.1", {false, 0})));
  EXPECT_FALSE(tracker.has_changes(0));
  EXPECT_THAT(taken(tracker, 2), ElementsAre(Told("192.0.2.1", {false, 0})));
  EXPECT_EQ(tracker.counters().lost, 1u);
}

TEST_F(TrackerTest, NewMetricAndReturnWaitForTheDelay) {
  routes_.answers[ip("192.0.2.1")] = {true, false, 20};
  NextHopTracker tracker = make();
  tracker.watch(ip("192.0.2.1"), 0);
  change(tracker, "192.0.2.1", 30);
  EXPECT_FALSE(tracker.has_changes(0));
  EXPECT_EQ(tracker.run(now_), now_ + milliseconds(500));
  now_ += milliseconds(300);
  change(tracker, "192.0.2.1", 40);  // the first one's time counts, the last one's value
  EXPECT_EQ(tracker.run(now_), now_ + milliseconds(200));
  EXPECT_FALSE(tracker.has_changes(0));
  now_ += milliseconds(200);
  EXPECT_EQ(tracker.run(now_), std::nullopt);
  EXPECT_THAT(taken(tracker, 0), ElementsAre(Told("192.0.2.1", {true, 40})));
  change(tracker, "192.0.2.1", std::nullopt);
  EXPECT_THAT(taken(tracker, 0), ElementsAre(Told("192.0.2.1", {false, 0})));
  change(tracker, "192.0.2.1", 40);
  EXPECT_FALSE(tracker.has_changes(0));
  now_ += milliseconds(500);
  tracker.run(now_);
  EXPECT_THAT(taken(tracker, 0), ElementsAre(Told("192.0.2.1", {true, 40})));
  EXPECT_EQ(tracker.counters().metric_changes, 1u);
  EXPECT_EQ(tracker.counters().returned, 1u);
}

TEST_F(TrackerTest, WhatIsAsItWasBeforeTheDelayIsNotTold) {
  routes_.answers[ip("192.0.2.1")] = {true, false, 20};
  NextHopTracker tracker = make();
  tracker.watch(ip("192.0.2.1"), 0);
  change(tracker, "192.0.2.1", 30);
  change(tracker, "192.0.2.1", 20);
  EXPECT_EQ(tracker.run(now_ + milliseconds(600)), std::nullopt);
  EXPECT_FALSE(tracker.has_changes(0));
  EXPECT_EQ(tracker.next_hops()[0].changes, 0u);
}

TEST_F(TrackerTest, ALossInsideTheDelayIsToldAtOnce) {
  routes_.answers[ip("192.0.2.1")] = {true, false, 20};
  NextHopTracker tracker = make();
  tracker.watch(ip("192.0.2.1"), 0);
  change(tracker, "192.0.2.1", 30);
  change(tracker, "192.0.2.1", std::nullopt);
  EXPECT_THAT(taken(tracker, 0), ElementsAre(Told("192.0.2.1", {false, 0})));
  EXPECT_EQ(tracker.run(now_), std::nullopt);
}

TEST_F(TrackerTest, TheDefaultRouteCountsOnlyWhenToldTo) {
  routes_.answers[ip("192.0.2.1")] = {true, true, 7};
  NextHopTracker strict = make();
  EXPECT_EQ(strict.watch(ip("192.0.2.1"), 0), (rib::NextHopState{false, 0}));
  EXPECT_TRUE(strict.next_hops()[0].by_default_route);
  NextHopTracker loose = make(true);
  EXPECT_EQ(loose.watch(ip("192.0.2.1"), 0), (rib::NextHopState{true, 7}));
}

TEST_F(TrackerTest, ARouteChangeConcernsTheAddressesOfItsPrefix) {
  NextHopTracker tracker = make();
  for (const char* address : {"10.0.0.1", "10.0.0.130", "10.0.1.1", "2001:db8::1", "2001:db8:0:1::1", "a00:1::"}) tracker.watch(ip(address), 0);
  auto asked = [&](const char* address, unsigned length) {
    routes_.questions = 0;
    RouteChange prefix{.address = ip(address), .length = static_cast<std::uint8_t>(length)};
    tracker.look_again({&prefix, 1}, now_);
    return routes_.questions;
  };
  EXPECT_EQ(asked("10.0.0.0", 25), 1);
  EXPECT_EQ(asked("10.0.0.0", 24), 2);
  EXPECT_EQ(asked("10.0.0.0", 23), 3);
  EXPECT_EQ(asked("10.0.0.1", 32), 1);
  EXPECT_EQ(asked("10.0.0.2", 32), 0);
  EXPECT_EQ(asked("0.0.0.0", 0), 3);
  EXPECT_EQ(asked("2001:db8::", 64), 1);
  EXPECT_EQ(asked("2001:db8::", 32), 2);
  EXPECT_EQ(asked("::", 0), 3);
}

TEST_F(TrackerTest, OverrunLooksEverythingUpAgain) {
  routes_.answers[ip("192.0.2.1")] = routes_.answers[ip("2001:db8::1")] = {true, false, 1};
  NextHopTracker tracker = make();
  tracker.watch(ip("192.0.2.1"), 0);
  tracker.watch(ip("2001:db8::1"), 1);
  routes_.answers.clear();
  tracker.overrun(now_);
  EXPECT_THAT(taken(tracker, 0), ElementsAre(Told("192.0.2.1", {false, 0})));
  EXPECT_THAT(taken(tracker, 1), ElementsAre(Told("2001:db8::1", {false, 0})));
  EXPECT_EQ(tracker.counters().overruns, 1u);
}

TEST_F(TrackerTest, NobodyIsToldOfWhatNobodyWatches) {
  routes_.answers[ip("192.0.2.1")] = {true, false, 1};
  NextHopTracker tracker = make();
  tracker.watch(ip("192.0.2.1"), 0);
  tracker.watch(ip("192.0.2.1"), 1);
  tracker.unwatch(ip("192.0.2.1"), 0);
  change(tracker, "192.0.2.1", std::nullopt);
  EXPECT_FALSE(tracker.has_changes(0));
  EXPECT_TRUE(tracker.has_changes(1));
  tracker.unwatch(ip("192.0.2.1"), 1);
  EXPECT_THAT(taken(tracker, 1), IsEmpty());
  EXPECT_THAT(tracker.next_hops(), IsEmpty());
}

}  // namespace
}  // namespace helio::nexthop

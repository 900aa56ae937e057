// Peers that stop reading: nobody else waits, nothing is lost, what changed several times is sent once. DESIGN §2.
#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

using wire::Family;

class SlowReader : public Scenario {};
INSTANTIATE_TEST_SUITE_P(Engines, SlowReader, testing::ValuesIn(engine_cases()), engine_case_name);

constexpr int kRoutesOfAll = 400;

std::string prefix(int i) { return "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".0/24"; }

void announce_all(Lab& l, std::uint32_t peer, std::uint32_t med) {
  for (int i = 0; i < kRoutesOfAll; i += 50) {
    NaiveUpdate update;
    update.reach = Family::vpnv4;
    update.attributes = Lab::attributes({.med = med});
    for (int n = i; n < i + 50; ++n) update.announced.push_back({Lab::key("65000:1", prefix(n)), {0x641}});
    l.sim.send(peer, update);
  }
}

TEST_P(SlowReader, DoesNotDelayOthers) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), client_without_rtc()}, true, true);
  l.sim.pause(1);
  for (std::uint32_t med = 0; med < 20; ++med) {
    announce_all(l, 0, med);
    l.quiet();
    EXPECT_EQ(l.sim.peer(2).vpn().size(), static_cast<std::size_t>(kRoutesOfAll));
    EXPECT_EQ(l.held(2, "65000:1", prefix(kRoutesOfAll - 1))->attributes.med, med);
  }
}

TEST_P(SlowReader, CatchesUpWithWhatChangedMeanwhile) {
  Lab l = lab({client_without_rtc(), client_without_rtc()}, true, true);
  announce_all(l, 0, 0);
  l.quiet();
  l.sent_since(1);
  l.sim.pause(1);
  for (std::uint32_t med = 1; med <= 20; ++med) {
    announce_all(l, 0, med);
    l.sim.settle();
  }
  for (int i = 0; i < 100; ++i) l.withdraw(0, "65000:1", prefix(i));
  l.sim.settle();
  l.sim.resume(1);
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), static_cast<std::size_t>(kRoutesOfAll - 100));
  EXPECT_LE(l.sent_since(1), 4u * kRoutesOfAll);  // not twenty times
}

TEST_P(SlowReader, ThatLeavesLeavesNothingBehind) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), client_with_rtc()}, true, true);
  l.join(2, "65000:1");
  l.end_of_rib(2);
  for (std::uint32_t peer : {1, 2}) l.sim.pause(peer);
  for (std::uint32_t med = 0; med < 5; ++med) {
    announce_all(l, 0, med);
    l.sim.settle();
  }
  for (std::uint32_t peer : {1, 2}) l.sim.down(peer);
  l.sim.settle();
  for (std::uint32_t peer : {1, 2}) l.sim.up(peer);
  l.join(2, "65000:1");
  l.end_of_rib(2);
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), static_cast<std::size_t>(kRoutesOfAll));
  EXPECT_EQ(l.sim.peer(2).vpn().size(), static_cast<std::size_t>(kRoutesOfAll));
  l.sim.check_empty(true);
  EXPECT_EQ(l.sim.failure().value_or(""), "");
}

// Membership, refresh and RT changes while the queue is dropped.
TEST_P(SlowReader, ChangesItsMindMeanwhile) {
  Lab l = lab({client_without_rtc(), client_with_rtc()}, true, true);
  l.join(1, "65000:1");
  l.join(1, "65000:2");
  l.end_of_rib(1);
  announce_all(l, 0, 0);
  l.quiet();
  l.sim.pause(1);
  for (std::uint32_t med = 1; med < 6; ++med) {
    announce_all(l, 0, med);
    l.sim.settle();
  }
  for (int i = 0; i < 60; ++i) l.announce(0, {.prefix = prefix(i), .rts = {i % 2 == 0 ? "65000:2" : "65000:3"}});
  l.leave(1, "65000:1");
  l.sim.refresh(1, Family::vpnv4);
  l.sim.settle();
  l.join(1, "65000:3");
  l.sim.settle();
  l.leave(1, "65000:2");
  l.sim.settle();
  l.sim.resume(1);
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), 30u);
}

// Waiting for somebody who does not read is not work.
TEST_P(SlowReader, DoesNotKeepTheShardBusy) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_without_rtc(), client_without_rtc()}, true, true);
  l.join(1, "65000:1");
  l.end_of_rib(1);
  announce_all(l, 0, 0);
  l.quiet();
  for (std::uint32_t peer : {1, 2}) {
    l.sim.down(peer);
    l.sim.up(peer);
  }
  l.join(1, "65000:1");
  l.end_of_rib(1);
  for (std::uint32_t peer : {1, 2}) l.sim.pause(peer);
  for (std::uint32_t med = 1; med < 5; ++med) announce_all(l, 0, med);
  l.sim.settle();
  int busy = 0;
  for (int i = 0; i < 5000; ++i) {
    busy += l.sim.settle_turns() ? 1 : 0;
    l.sim.advance(std::chrono::milliseconds{1});
  }
  EXPECT_LT(busy, 2500);  // of 5000 turns
  for (std::uint32_t peer : {1, 2}) l.sim.resume(peer);
  l.quiet();
}

// A membership that ends, a route that goes, and then the queue with both withdrawals is dropped.
TEST_P(SlowReader, LeavesAndIsLeftBehind) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_without_rtc(), client_without_rtc(), client_without_rtc()}, true, true);
  l.join(1, "65000:9");
  l.end_of_rib(1);
  l.announce(0, {.prefix = "172.16.0.0/16", .rts = {"65000:9"}});
  l.announce(0, {.prefix = "172.17.0.0/16", .rts = {"65000:9"}});
  l.quiet();
  EXPECT_TRUE(l.holds(1, "172.16.0.0/16"));
  for (std::uint32_t peer : {1, 2}) l.sim.pause(peer);
  l.withdraw(0, "65000:1", "172.16.0.0/16");
  l.leave(1, "65000:9");
  for (int i = 0; i < 4; ++i) l.sim.settle_turns();
  for (std::uint32_t med = 0; med < 10; ++med) {
    announce_all(l, 0, med);
    l.sim.settle();
    l.sim.advance(std::chrono::milliseconds{300});
  }
  for (std::uint32_t peer : {1, 2}) l.sim.resume(peer);
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), 0u);
  EXPECT_EQ(l.sim.peer(2).vpn().size(), kRoutesOfAll + 1u);
}

// A set of RTs that appears while the peer is being caught up.
TEST_P(SlowReader, NewRtSetsDuringCatchUp) {
  Lab l = lab({client_without_rtc(), client_with_rtc(), client_without_rtc(), client_without_rtc(), client_without_rtc()}, true, true);
  l.join(1, "65000:1");
  l.end_of_rib(1);
  l.quiet();
  for (std::uint32_t peer : {1, 2}) l.sim.pause(peer);
  for (std::uint32_t med = 0; med < 10; ++med) {
    announce_all(l, 0, med);
    l.sim.settle();
    l.sim.advance(std::chrono::milliseconds{300});
  }
  for (std::uint32_t peer : {1, 2}) l.sim.resume(peer);
  for (int i = 0; i < 60; ++i) {  // each with an RT set of its own, while the catch-up goes on
    l.announce(0, {.prefix = "172.16." + std::to_string(i) + ".0/24", .rts = {"65000:1", "65001:" + std::to_string(i)}});
    l.sim.rounds(1);
  }
  l.quiet();
  EXPECT_EQ(l.sim.peer(1).vpn().size(), kRoutesOfAll + 60u);
}

}  // namespace
}  // namespace helio::test

// Who is left behind (DESIGN §2): a peer whose socket takes nothing while others' do, and nobody for our own slowness.
#include <gtest/gtest.h>

#include "tests/unit/reflector/shards.hpp"

namespace helio::reflector {
namespace {

using std::chrono::milliseconds;

EngineSettings small_queues() {
  EngineSettings settings;
  settings.distribution.change_bytes = 1 << 10;
  return settings;
}

// Peer 0 announces, the others have more queued than the limit allows.
class SlowPeer : public testing::Test {
 protected:
  void SetUp() override {
    for (std::uint32_t peer = 0; peer < 6; ++peer) shards.up(test::Shards::pe(peer, test::Shards::group()));
    for (std::uint32_t peer = 0; peer < 6; ++peer) shards.take(peer);
    announce();
  }
  void announce() {
    for (std::uint32_t i = 0; i < 20; ++i) shards.announce(0, "65000:1", 1000 * i, 100);
  }
  // Turns go by, as many as that time has.
  void wait(milliseconds time) {
    for (milliseconds passed{0}; passed < time; passed += milliseconds(25)) shards.pass(milliseconds(25));
  }
  std::uint64_t left_behind() { return shards.count([](auto& counters) -> auto& { return counters.lag_events; }); }

  test::Shards shards{1, small_queues()};
};

// A turn of 5 s (4000 PEs at once, a processor that others have): all sockets waited for us, not we for them. Leaving
// all of them behind made the next turn longer still, and no end to it.
TEST_F(SlowPeer, OurOwnLongTurnIsNobodysStall) {
  shards.pass(milliseconds(5000));
  EXPECT_EQ(left_behind(), 0u);
  for (std::uint32_t peer = 1; peer < 5; ++peer) shards.take(peer);
  announce();
  wait(milliseconds(100));
  EXPECT_EQ(left_behind(), 0u);
  for (std::uint32_t peer = 1; peer < 5; ++peer) shards.take(peer);
  announce();
  wait(milliseconds(200));
  EXPECT_EQ(left_behind(), 1u) << "peer 5, which took nothing while the others did";
}

TEST_F(SlowPeer, AllTogetherAreLeftBehindLater) {
  wait(milliseconds(1500));
  EXPECT_EQ(left_behind(), 0u);
  wait(milliseconds(1000));
  EXPECT_EQ(left_behind(), 5u);
}

// It is in the queue for its turn to be written to.
TEST_F(SlowPeer, WhoseSocketWouldTakeMoreDoesNotStall) {
  shards.unblocked.insert(5);
  for (int i = 0; i < 100; ++i) {
    for (std::uint32_t peer = 1; peer < 5; ++peer) shards.take(peer);
    announce();
    wait(milliseconds(50));
  }
  EXPECT_EQ(left_behind(), 0u);
  shards.unblocked.clear();
  wait(milliseconds(50));
  EXPECT_EQ(left_behind(), 1u);
}

}  // namespace
}  // namespace helio::reflector

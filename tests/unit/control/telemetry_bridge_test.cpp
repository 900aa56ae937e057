// Views of the reflector to samples of telemetry.
#include "rr/control/telemetry_bridge.hpp"

#include <gmock/gmock.h>

#include <set>

#include "rr/config/load.hpp"
#include "rr/session/close_reason.hpp"
#include "tests/unit/control/fake_state.hpp"

namespace helio::control {
namespace {

class BridgeTest : public testing::Test {
 protected:
  std::shared_ptr<const config::Config> config_ =
      std::make_shared<const config::Config>(*config::load_config(HELIO_SOURCE_DIR "/configs/annotated.toml"));
  FakeState state_;
  std::shared_ptr<telemetry::Board> board_ = std::make_shared<telemetry::Board>(1, make_labels());
  TelemetryBridge bridge_{state_, [this] { return config_; }, board_};
};

TEST_F(BridgeTest, PublishesWhatTheReflectorKnows) {
  bridge_.tick(state_.summary(), 1'700'000'000.5);
  auto sample = board_->sample();
  EXPECT_TRUE(sample->converged);
  EXPECT_EQ(sample->initial_convergence_seconds, 5 * 3600);
  EXPECT_EQ(sample->route_targets, 50'112u);
  EXPECT_EQ(sample->encoding_classes, 2u);
  EXPECT_EQ(sample->encoding_class_peers_max, 7u);
  EXPECT_THAT(sample->groups, testing::ElementsAre("pe-east", "rr-mesh", "asbr"));
  EXPECT_EQ(sample->config_hash, config_->hash);
  EXPECT_EQ(sample->config_reload_timestamp, 1'700'000'000.5);
  ASSERT_EQ(sample->peers.size(), 2u);
  const telemetry::PeerSample& up = sample->peers[0];  // sorted by address
  EXPECT_EQ(up.identity->address, "192.0.2.11");
  EXPECT_EQ(up.state, 6);
  EXPECT_EQ(up.established_timestamp, 1'700'000'000 - (9 * 86400 + 2 * 3600));
  ASSERT_EQ(up.families.size(), 2u);  // the negotiated ones
  EXPECT_EQ(up.families[1].family, wire::index(wire::Family::rtc));
  EXPECT_EQ(up.rt_interest, 48);
  const telemetry::PeerSample& down = sample->peers[1];
  EXPECT_EQ(down.state, 3);
  EXPECT_EQ(down.established_timestamp, 0);
  EXPECT_EQ(down.flaps, 3u);
}

// A gauge of a moment in time must not tremble with the rounding of "seconds since".
TEST_F(BridgeTest, TimestampsStandStill) {
  bridge_.tick(state_.summary(), 1'700'000'000.9);
  double first = board_->sample()->peers[0].established_timestamp;
  auto identity = board_->sample()->peers[0].identity;
  bridge_.tick(state_.summary(), 1'700'000'001.1);  // a second later by the calendar, the same age by the view
  EXPECT_EQ(board_->sample()->peers[0].established_timestamp, first);
  EXPECT_EQ(board_->sample()->peers[0].identity, identity);  // shared, not made anew
  state_.peers_[1].since = std::chrono::seconds(10);
  bridge_.tick(state_.summary(), 1'700'000'002);
  EXPECT_EQ(board_->sample()->peers[0].established_timestamp, 1'699'999'992);
}

TEST_F(BridgeTest, CountsWhoOwesAnEndOfRib) {
  bridge_.tick(state_.summary(), 1e9);
  EXPECT_EQ(board_->sample()->eor_pending_peers, 0u);
  state_.peers_[1].families[0].eor_sent = false;
  bridge_.tick(state_.summary(), 1e9);
  EXPECT_EQ(board_->sample()->eor_pending_peers, 1u);
}

TEST_F(BridgeTest, RemembersReloads) {
  bridge_.on_reload(true, 100);
  bridge_.on_reload(false, 200);
  bridge_.tick(state_.summary(), 300);
  EXPECT_FALSE(board_->sample()->config_reload_successful);
  EXPECT_EQ(board_->sample()->config_reload_timestamp, 100);
  EXPECT_EQ(board_->sample()->config_reloads_ok, 1u);
  EXPECT_EQ(board_->sample()->config_reloads_failed, 1u);
}

TEST(Labels, FollowTheEnumerations) {
  telemetry::Labels labels = make_labels();
  EXPECT_THAT(labels.families, testing::ElementsAre("vpnv4", "vpnv6", "rtc", "ipv4", "ipv6", "evpn"));
  ASSERT_EQ(labels.close_reasons.size(), static_cast<std::size_t>(session::CloseReason::count_));
  EXPECT_EQ(labels.close_reasons[1], "hold-timer-expired");
  EXPECT_EQ(labels.attribute(1), "ORIGIN");
  EXPECT_EQ(labels.attribute(0), "none");
  std::set<std::string> names;  // one label for two attributes would be a series twice
  for (int type = 0; type < 256; ++type) EXPECT_TRUE(names.insert(labels.attribute(static_cast<std::uint8_t>(type))).second) << type;
}

}  // namespace
}  // namespace helio::control

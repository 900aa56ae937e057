// config diff --impact: which peers and routes a change touches.
#include "rr/control/config_impact.hpp"

#include <gtest/gtest.h>

#include "rr/config/load.hpp"

namespace helio::control {
namespace {

using Effect = ChangeImpact::Effect;

constexpr const char* kText = R"([global]
as = 65000
router-id = "192.0.2.1"
listen = [{ address = "127.0.0.1" }]
[[families]]
name = "l3vpn-ipv4-unicast"
[[peer-groups]]
name = "east"
import-policy = ["drop"]
[[peer-groups]]
name = "west"
export-policy = ["drop"]
[[neighbors]]
address = "192.0.2.11"
peer-group = "east"
[[listen-ranges]]
prefix = "198.51.100.0/24"
peer-group = "west"
[[policy.sets]]
name = "bogons"
route-targets = ["65000:0"]
[[policy.statements]]
name = "drop"
match = { any-route-target-in = "bogons" }
action = "reject"
)";

reflector::PeerView peer(const char* address, const char* group, bool dynamic, bool up) {
  reflector::PeerView view;
  view.address = *wire::parse_ip(address);
  view.group = group;
  view.dynamic = dynamic;
  view.state = up ? "Established" : "Active";
  reflector::PeerFamilyView vpn, rtc;
  vpn.received = 100, vpn.sent = 40;
  rtc.family = wire::Family::rtc, rtc.received = 7, rtc.sent = 7;
  view.families = {vpn, rtc};
  return view;
}

class ConfigImpact : public testing::Test {
 protected:
  ChangeImpact of(const char* path, config::Reload reload = config::Reload::applied, config::Change::Kind kind = config::Change::Kind::changed) {
    return impact_of({path, kind, reload, "", ""}, config_, config_, peers_);
  }
  static void expect(const ChangeImpact& impact, Effect effect, std::uint64_t peers, std::uint64_t sessions, std::uint64_t received, std::uint64_t sent) {
    EXPECT_EQ(impact.effect, effect) << effect_name(impact.effect);
    EXPECT_EQ(impact.peers, peers);
    EXPECT_EQ(impact.sessions, sessions);
    EXPECT_EQ(impact.routes_received, received);
    EXPECT_EQ(impact.routes_sent, sent);
  }
  config::Config config_ = *config::parse_config(kText, "rr.toml", "/etc");
  std::vector<reflector::PeerView> peers_{peer("192.0.2.11", "east", false, true), peer("198.51.100.1", "west", true, true), peer("198.51.100.2", "west", true, false)};
};

TEST_F(ConfigImpact, CountsVpnRoutesOfTheSessionsConcerned) {
  expect(of("peer-groups[west].hold-time", config::Reload::session_reset), Effect::session_reset, 2, 1, 100, 40);
  expect(of("neighbors[192.0.2.11].peer-group", config::Reload::session_reset), Effect::session_reset, 1, 1, 100, 40);
  expect(of("timers.hold-time", config::Reload::session_reset), Effect::session_reset, 3, 2, 200, 80);
  expect(of("runtime.shards", config::Reload::restart), Effect::restart, 3, 2, 200, 80);
}

TEST_F(ConfigImpact, EntriesThatGoCloseSessions) {
  using enum config::Change::Kind;
  expect(of("neighbors[192.0.2.11]", config::Reload::applied, removed), Effect::session_closed, 1, 1, 100, 40);
  expect(of("listen-ranges[198.51.100.0/24]", config::Reload::applied, removed), Effect::session_closed, 2, 1, 100, 40);
  expect(of("neighbors[192.0.2.99]", config::Reload::applied, added), Effect::settings, 1, 0, 0, 0);
}

TEST_F(ConfigImpact, PoliciesAreFollowedFromSetsToGroupsByDirection) {
  // east imports by it, west exports by it.
  expect(of("policy.sets[bogons].route-targets"), Effect::judged_again, 3, 2, 100, 40);
  expect(of("policy.statements[drop].action"), Effect::judged_again, 3, 2, 100, 40);
  expect(of("peer-groups[east].import-policy"), Effect::judged_again, 1, 1, 100, 0);
  expect(of("policy.sets[unused].prefixes"), Effect::none, 0, 0, 0, 0);
}

TEST_F(ConfigImpact, NothingForWhatOnlyTheDaemonSees) {
  expect(of("log.level"), Effect::none, 0, 0, 0, 0);
  expect(of("neighbors[192.0.2.11].description"), Effect::none, 0, 0, 0, 0);
}

}  // namespace
}  // namespace helio::control

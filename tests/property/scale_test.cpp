// Many peers at once: what they have in common is encoded and held once. DESIGN §2 ("a thousand PEs that come back at
// once must not cost a thousand encodings"), §4 invariant 5; pitfall 1.15.
#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

constexpr std::uint32_t kPeers = 150, kRoutes = 300;

class Scale : public Scenario {};
INSTANTIATE_TEST_SUITE_P(Engines, Scale, testing::Values(EngineCase{"reflector", reflector_engine, 1}, EngineCase{"reflector", reflector_engine, 3}), engine_case_name);

void announce_all(Lab& l, std::uint32_t label) {
  for (std::uint32_t i = 0; i < kRoutes; i += 50) {
    NaiveUpdate update;
    update.reach = wire::Family::vpnv4;
    update.attributes = Lab::attributes({.med = i});
    for (std::uint32_t n = i; n < i + 50; ++n)
      update.announced.push_back({Lab::key("65000:1", "10." + std::to_string(n / 250) + "." + std::to_string(n % 250) + ".0/24"), {label << 4 | 1}});
    l.sim.send(0, update);
  }
}

void all_return(Lab& l, bool has_rtc) {
  for (std::uint32_t peer = 1; peer <= kPeers; ++peer) l.sim.up(peer);
  for (std::uint32_t peer = 1; peer <= kPeers && has_rtc; ++peer) {
    l.join(peer, "65000:1");
    l.end_of_rib(peer);
  }
  for (std::uint32_t peer = 1; peer <= kPeers; ++peer) l.sim.pause(peer);
  for (int i = 0; i < 6; ++i) l.sim.settle_turns();  // nobody reads yet: this is where a copy for each would show
  for (std::uint32_t peer = 1; peer <= kPeers; ++peer) l.sim.resume(peer);
  l.quiet();
}

void check_shared(Lab& l, bool has_rtc) {
  announce_all(l, 100);
  l.quiet();
  std::uint64_t before = l.sim.engines().memory_bytes();
  for (int round = 0; round < 2; ++round) {
    all_return(l, has_rtc);
    for (std::uint32_t peer : {1u, kPeers}) EXPECT_EQ(l.sim.peer(peer).vpn().size(), kRoutes);
    // One image is about 16 octets a route; a copy for each peer would be 150 times that.
    EXPECT_LT(l.sim.outcome().peak_memory, before + 20 * 16 * kRoutes);
    announce_all(l, 200 + static_cast<std::uint32_t>(round));  // and so are changes
    l.quiet();
    EXPECT_LT(l.sim.outcome().peak_memory, before + 20 * 16 * kRoutes);
    for (std::uint32_t peer = 1; peer <= kPeers; ++peer) l.sim.down(peer);
    l.quiet();
  }
  l.sim.check_empty(true);
  EXPECT_EQ(l.sim.failure().value_or(""), "");
}

TEST_P(Scale, ReturningPeersShareImages) {
  std::vector<PeerSpec> peers(kPeers + 1, client_without_rtc());
  Lab l = lab(peers, false);
  l.sim.up(0);
  check_shared(l, false);
}

TEST_P(Scale, ReturningMembersShareImages) {
  std::vector<PeerSpec> peers(kPeers + 1, client_with_rtc());
  peers[0] = client_without_rtc();
  Lab l = lab(peers, false);
  l.sim.up(0);
  check_shared(l, true);
}

// Interest of many in one RT: the RT membership table does not multiply (pitfall 1.6), and one leaving is silent.
TEST_P(Scale, ManyMembersOfOneRt) {
  constexpr std::uint32_t kMembers = 100;
  std::vector<PeerSpec> peers(kMembers + 1, client_with_rtc());
  peers[0] = client_without_rtc();
  Lab l = lab(peers);
  for (std::uint32_t peer = 1; peer <= kMembers; ++peer) {
    l.join(peer, "65000:1");
    l.end_of_rib(peer);
  }
  l.announce(0, {});
  l.quiet();
  for (std::uint32_t peer = 1; peer <= kMembers; ++peer) l.sent_since(peer);
  l.leave(50, "65000:1");
  l.quiet();
  std::uint64_t sent = 0;
  for (std::uint32_t peer = 1; peer <= kMembers; ++peer) sent += l.sent_since(peer);
  EXPECT_EQ(sent, 1u);  // the VPN withdrawal of peer 50; the membership itself is still somebody's
}

}  // namespace
}  // namespace helio::test

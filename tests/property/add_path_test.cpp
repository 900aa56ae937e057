// ADD-PATH (RFC 7911) and best external, scenario by scenario; the random runs cover the combinations.
#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

class AddPath : public Scenario {
 protected:
  static PeerSpec sending(PeerSpec spec, std::uint32_t send_max = 255) {
    spec.add_path_send.insert(wire::Family::vpnv4);
    spec.send_max = send_max;
    return spec;
  }
  static PeerSpec receiving(PeerSpec spec) {
    spec.add_path_receive.insert(wire::Family::vpnv4);
    return spec;
  }
  static std::vector<std::uint32_t> labels(const std::map<std::uint32_t, HeldRoute>& paths) {
    std::vector<std::uint32_t> out;
    for (const auto& [id, route] : paths) out.push_back(route.labels.front() >> 4);
    std::sort(out.begin(), out.end());
    return out;
  }
  static std::uint32_t id_of(const std::map<std::uint32_t, HeldRoute>& paths, std::uint32_t label) {
    for (const auto& [id, route] : paths)
      if (route.labels.front() >> 4 == label) return id;
    return 0;
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, AddPath, testing::ValuesIn(engine_cases()), engine_case_name);

// RFC 7911 §2, §3: several paths of one prefix side by side, told apart by the path id; the n best of them.
TEST_P(AddPath, SendsTheBestOnes) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), client_without_rtc(), sending(client_without_rtc(), 2), sending(client_without_rtc())});
  l.announce(0, {.label = 100, .local_pref = 90});
  l.announce(1, {.label = 101, .local_pref = 110});
  l.announce(2, {.label = 102, .local_pref = 100});
  l.quiet();
  EXPECT_EQ(labels(l.paths(3, "10.0.0.0/24")), (std::vector<std::uint32_t>{101, 102}));
  EXPECT_EQ(labels(l.paths(4, "10.0.0.0/24")), (std::vector<std::uint32_t>{100, 101, 102}));
  l.withdraw(1, "65000:1", "10.0.0.0/24");
  l.quiet();
  EXPECT_EQ(labels(l.paths(3, "10.0.0.0/24")), (std::vector<std::uint32_t>{100, 102}));
  EXPECT_EQ(labels(l.paths(4, "10.0.0.0/24")), (std::vector<std::uint32_t>{100, 102}));
}

// RFC 7911 §2 and wire 2.11: a path keeps its id when the best path changes, and is not announced again for that.
TEST_P(AddPath, IdsAreStable) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), sending(client_without_rtc())});
  l.announce(0, {.label = 100});
  l.announce(1, {.label = 101});
  l.quiet();
  std::uint32_t first = id_of(l.paths(2, "10.0.0.0/24"), 100), second = id_of(l.paths(2, "10.0.0.0/24"), 101);
  EXPECT_NE(first, second);
  l.sent_since(2);
  l.announce(1, {.label = 101, .local_pref = 200});  // becomes the best
  l.quiet();
  EXPECT_EQ(l.sent_since(2), 1u);  // that one alone
  l.withdraw(1, "65000:1", "10.0.0.0/24");
  l.quiet();
  EXPECT_EQ(l.sent_since(2), 1u);  // by its id
  l.announce(1, {.label = 101});
  l.quiet();
  EXPECT_EQ(id_of(l.paths(2, "10.0.0.0/24"), 100), first);
  EXPECT_EQ(id_of(l.paths(2, "10.0.0.0/24"), 101), second);
}

// RFC 7911 §3: what a peer sends with path ids is several paths; a withdrawal takes the one it names.
TEST_P(AddPath, ReceivesSeveralPathsOfAPeer) {
  Lab l = lab({receiving(client_without_rtc()), client_without_rtc(), sending(client_without_rtc())});
  l.announce(0, {.label = 100, .local_pref = 100, .path_id = 7});
  l.announce(0, {.label = 101, .local_pref = 110, .path_id = 8});
  l.announce(0, {.label = 102, .local_pref = 90, .path_id = 0x80000001});
  l.quiet();
  EXPECT_EQ(labels(l.paths(1, "10.0.0.0/24")), (std::vector<std::uint32_t>{101}));
  EXPECT_EQ(labels(l.paths(2, "10.0.0.0/24")), (std::vector<std::uint32_t>{100, 101, 102}));
  l.withdraw(0, "65000:1", "10.0.0.0/24", 0x800000, 8);
  l.withdraw(0, "65000:1", "10.0.0.0/24", 0x800000, 9);  // unknown
  l.quiet();
  EXPECT_EQ(labels(l.paths(1, "10.0.0.0/24")), (std::vector<std::uint32_t>{100}));
  EXPECT_EQ(labels(l.paths(2, "10.0.0.0/24")), (std::vector<std::uint32_t>{100, 102}));
  l.announce(0, {.label = 103, .local_pref = 90, .path_id = 7});  // implicit withdrawal of that id only
  l.quiet();
  EXPECT_EQ(labels(l.paths(2, "10.0.0.0/24")), (std::vector<std::uint32_t>{102, 103}));
}

// Pitfall 1.18: RT-Constrain looks at the RT set of each path that is sent, not of the best one.
TEST_P(AddPath, MembershipFiltersEachPath) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), sending(client_with_rtc())});
  l.join(2, "65000:1");
  l.end_of_rib(2);
  l.announce(0, {.rts = {"65000:1"}, .label = 100});
  l.announce(1, {.rts = {"65000:2"}, .label = 101, .local_pref = 200});
  l.quiet();
  EXPECT_EQ(labels(l.paths(2, "10.0.0.0/24")), (std::vector<std::uint32_t>{100}));
  l.join(2, "65000:2");
  l.quiet();
  EXPECT_EQ(labels(l.paths(2, "10.0.0.0/24")), (std::vector<std::uint32_t>{100, 101}));
  l.announce(0, {.rts = {"65000:3"}, .label = 100});
  l.quiet();
  EXPECT_EQ(labels(l.paths(2, "10.0.0.0/24")), (std::vector<std::uint32_t>{101}));
  l.leave(2, "65000:2");
  l.quiet();
  EXPECT_FALSE(l.holds(2, "10.0.0.0/24"));
}

// RFC 4456 §6, wire 2.8: a path does not go back to where it came from; the others of the prefix do.
TEST_P(AddPath, SplitHorizonIsPerPath) {
  Lab l = lab({sending(client_without_rtc()), sending(client_without_rtc())});
  l.announce(0, {.label = 100});
  l.announce(1, {.label = 101, .local_pref = 90});
  l.quiet();
  EXPECT_EQ(labels(l.paths(0, "10.0.0.0/24")), (std::vector<std::uint32_t>{101}));
  EXPECT_EQ(labels(l.paths(1, "10.0.0.0/24")), (std::vector<std::uint32_t>{100}));
}

// wire 2.10: a non-client learns the best of the clients' paths when another non-client's is the best of all.
TEST_P(AddPath, BestExternal) {
  PeerSpec external = non_client_with_rtc(), plain = non_client_with_rtc();
  external.families = plain.families = client_without_rtc().families;
  external.best_external = true;
  Lab l = lab({client_without_rtc(), client_without_rtc(), plain, external, plain});
  l.announce(0, {.label = 100, .local_pref = 90});
  l.announce(1, {.label = 101, .local_pref = 100});
  l.announce(2, {.label = 102, .local_pref = 200});
  l.quiet();
  EXPECT_EQ(labels(l.paths(3, "10.0.0.0/24")), (std::vector<std::uint32_t>{101}));
  EXPECT_TRUE(l.paths(4, "10.0.0.0/24").empty());
  l.withdraw(1, "65000:1", "10.0.0.0/24");
  l.quiet();
  EXPECT_EQ(labels(l.paths(3, "10.0.0.0/24")), (std::vector<std::uint32_t>{100}));
}

// A peer that asks again, and one that comes late, are sent all paths (wire 2.12).
TEST_P(AddPath, WalksBringAllPaths) {
  Lab l = lab({client_without_rtc(), client_without_rtc(), sending(client_without_rtc()), sending(client_without_rtc())});
  l.sim.down(3);
  for (int i = 0; i < 20; ++i)
    for (std::uint32_t from : {0u, 1u}) l.announce(from, {.prefix = "10.0." + std::to_string(i) + ".0/24", .label = 100 + from});
  l.quiet();
  l.sim.up(3);
  l.quiet();
  EXPECT_EQ(l.sim.peer(3).vpn().size(), 40u);
  l.sent_since(2);
  l.sim.refresh(2, wire::Family::vpnv4);
  l.quiet();
  EXPECT_EQ(l.sent_since(2), 40u);
}

}  // namespace
}  // namespace helio::test

// FamilyRib: what each kind of change puts into the log, and that nothing is left when everything is withdrawn.
#include "rib/family_rib.hpp"

#include <gmock/gmock.h>

#include <random>

#include "tests/unit/rib/rib_fixture.hpp"

namespace helio::rib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class FamilyRibTest : public RibFixture {};

TEST_F(FamilyRibTest, AnnounceAndWithdraw) {
  announce(a, {}, {{.address = 0x0a000000}, {.address = 0x0a000100}});
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 641 0", "+10.0.1.0/24 641 0"));
  EXPECT_EQ(shared.counters.prefixes[0], 2u);
  end_turn();
  withdraw(a, {{.address = 0x0a000000}});
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 0"));
  EXPECT_EQ(shared.counters.prefixes[0], 1u);
  withdraw(a, {{.address = 0x0a000100}});
  expect_nothing_left();
  EXPECT_EQ(seals, 0);
}

// RFC 4271 §3.1: a new announcement of the same prefix by the same peer replaces the old one.
TEST_F(FamilyRibTest, ImplicitWithdrawalWithTheSameTargetsIsOneAnnouncement) {
  announce(a, {}, {{}});
  end_turn();
  announce(a, {.med = 7}, {{}});
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 641 0"));
  EXPECT_EQ(shared.attributes.size(), 1u);  // the old set is not kept
  EXPECT_EQ(shared.counters.paths[0], 1u);
  withdraw(a, {{}});
  expect_nothing_left();
}

// RFC 4684 §6: who had the route through a target that is gone must get a withdrawal.
TEST_F(FamilyRibTest, ChangedTargetsWithdrawFromTheOldOnes) {
  announce(a, {.targets = {kRt1}}, {{}});
  end_turn();
  announce(a, {.targets = {kRt2}}, {{}});
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 0>0", "+10.0.0.0/24 641 0"));
  EXPECT_EQ(shared.provenances.rt_set(shared.provenances.provenance(rib.log().withdrawals()[0].before).rt_set).targets.at(0), kRt1);
  EXPECT_EQ(shared.provenances.rt_set(shared.provenances.provenance(rib.log().withdrawals()[0].after).rt_set).targets.at(0), kRt2);
  withdraw(a, {{}});
  expect_nothing_left();
}

TEST_F(FamilyRibTest, DuplicateSaysNothing) {
  announce(a, {}, {{}});
  end_turn();
  announce(a, {}, {{}});
  EXPECT_THAT(changes(), IsEmpty());
  EXPECT_EQ(shared.counters.duplicates, 1u);
  // After a new session of the peer the same route is again nothing new, but belongs to the new generation.
  ++shared.peers[0].generation;
  announce(a, {}, {{}});
  EXPECT_THAT(changes(), IsEmpty());
  EXPECT_EQ(shared.attributes[rib.find(kRd1, Key{0x0a000000, 24})->attributes()].generation, 1u);
  withdraw(a, {{}});
  expect_nothing_left();
}

// RFC 8277 §2.1: the label is part of what is announced; a new one is a change.
TEST_F(FamilyRibTest, LabelChange) {
  announce(a, {}, {{.label = 0x000641}});
  end_turn();
  announce(a, {}, {{.label = 0x000651}});
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 651 0"));
  withdraw(a, {{}});
  expect_nothing_left();
}

TEST_F(FamilyRibTest, LabelStacks) {
  Route stack{.stack = {0x000640, 0x000651}};
  announce(a, {}, {stack});
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 640,651 0"));
  EXPECT_EQ(shared.label_stacks.size(), 1u);
  end_turn();
  announce(a, {}, {stack});
  EXPECT_THAT(changes(), IsEmpty());
  announce(a, {.med = 1}, {stack});
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 640,651 0"));
  end_turn();
  // Another peer's better path with a stack of its own, then without it: the first one comes out of the store.
  announce(b, {.local_pref = 200}, {{.stack = {0x000010, 0x000020, 0x000031}}});
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 0>1", "+10.0.0.0/24 10,20,31 1"));
  end_turn();
  withdraw(b, {{}});
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 1>0", "+10.0.0.0/24 640,651 0"));
  end_turn();
  announce(a, {.med = 1}, {{}});  // one plain label in place of the stack
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 641 0"));
  withdraw(a, {{}});
  expect_nothing_left();
}

TEST_F(FamilyRibTest, TheBestOfSeveralPeersIsAnnounced) {
  announce(b, {}, {{}});
  end_turn();
  announce(c, {}, {{}});  // loses: higher ORIGINATOR_ID (RFC 4456 §9)
  EXPECT_THAT(changes(), IsEmpty());
  announce(a, {}, {{}});  // wins
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 1>0", "+10.0.0.0/24 641 0"));
  end_turn();
  std::vector<PathRef> paths;
  const Slot* slot = rib.find(kRd1, Key{0x0a000000, 24});
  rib.paths_of(*slot, paths);
  ASSERT_EQ(paths.size(), 3u);
  EXPECT_EQ(shared.attributes[paths[0].attributes].peer, a);
  EXPECT_THAT(rib.lost_at(*slot), ElementsAre(DecisionStep::none, DecisionStep::originator_id, DecisionStep::originator_id));
  withdraw(b, {{}});  // not the best: nobody hears of it
  EXPECT_THAT(changes(), IsEmpty());
  withdraw(a, {{}});
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 0>2", "+10.0.0.0/24 641 2"));
  end_turn();
  withdraw(c, {{}});
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 2"));
  expect_nothing_left();
}

// RFC 4271 §9.1.2.2 c): a path that was not best held a third one back by its MED; when it goes, that one wins.
TEST_F(FamilyRibTest, LosingANonBestPathMayChangeTheBest) {
  announce(c, {.med = 10, .neighbor_as = 65001}, {{}});
  announce(b, {.med = 0, .neighbor_as = 65002}, {{}});
  announce(a, {.med = 20, .neighbor_as = 65001}, {{}});
  end_turn();
  EXPECT_EQ(shared.attributes[rib.find(kRd1, Key{0x0a000000, 24})->list()[0].attributes].peer, b);
  withdraw(c, {{}});
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 1>0", "+10.0.0.0/24 641 0"));
  withdraw(a, {{}});
  withdraw(b, {{}});
  expect_nothing_left();
}

// RFC 7911 §2: (prefix, path id) is the key; the same peer may have several paths.
TEST_F(FamilyRibTest, PathIds) {
  announce(a, {.local_pref = 100}, {{.label = 0x11, .path_id = 1}});
  announce(a, {.local_pref = 200}, {{.label = 0x21, .path_id = 2}});
  end_turn();
  EXPECT_EQ(shared.counters.paths[0], 2u);
  EXPECT_EQ(shared.counters.prefixes[0], 1u);
  withdraw(a, {{.path_id = 3}});
  withdraw(a, {{.path_id = 0}});
  EXPECT_EQ(shared.counters.unknown_withdrawals, 2u);
  withdraw(a, {{.path_id = 2}});
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 11 0"));
  end_turn();
  // One path with an id is still kept with it.
  withdraw(a, {{.path_id = 0}});
  EXPECT_THAT(changes(), IsEmpty());
  announce(a, {.local_pref = 100}, {{.label = 0x31, .path_id = 1}});
  EXPECT_THAT(changes(), ElementsAre("+10.0.0.0/24 31 0"));
  EXPECT_EQ(shared.counters.paths[0], 1u);
  withdraw(a, {{.path_id = 1}});
  expect_nothing_left();
}

// More than 254 paths of one prefix use the long form of the list.
TEST_F(FamilyRibTest, HundredsOfPathsOfOnePrefix) {
  for (std::uint32_t id = 1; id <= 300; ++id) announce(a, {.local_pref = id}, {{.label = id << 4 | 1, .path_id = id}});
  const Slot* slot = rib.find(kRd1, Key{0x0a000000, 24});
  EXPECT_EQ(slot->list_count(), 300u);
  EXPECT_EQ(slot->list()[0].path_id, 300u);
  for (std::uint32_t id = 300; id > 1; --id) {
    withdraw(a, {{.path_id = id}});
    ASSERT_EQ(rib.find(kRd1, Key{0x0a000000, 24})->list()[0].path_id, id - 1);
  }
  withdraw(a, {{.path_id = 1}});
  expect_nothing_left();
}

TEST_F(FamilyRibTest, UnknownWithdrawalsAreCountedOnly) {
  withdraw(a, {{}});                       // no such RD
  announce(a, {}, {{}});
  end_turn();
  withdraw(b, {{}});                       // another peer's
  withdraw(a, {{.address = 0x0b000000}});  // no such prefix
  withdraw(a, {{.length = 25}});
  withdraw(a, {{.rd = kRd2}});
  EXPECT_THAT(changes(), IsEmpty());
  EXPECT_EQ(shared.counters.unknown_withdrawals, 5u);
  withdraw(a, {{}});
  expect_nothing_left();
}

// RFC 4364 §4.1: the same prefix of two RDs is two routes.
TEST_F(FamilyRibTest, RdsAreApart) {
  announce(a, {}, {{.rd = kRd1}, {.rd = kRd2}, {.rd = kRd1, .length = 16}});
  EXPECT_EQ(shared.counters.prefixes[0], 3u);
  EXPECT_EQ(rib.table_count(), 2u);
  end_turn();
  withdraw(a, {{.rd = kRd1}});
  EXPECT_EQ(rib.find(kRd1, Key{0x0a000000, 24}), nullptr);
  EXPECT_NE(rib.find(kRd2, Key{0x0a000000, 24}), nullptr);
  withdraw(a, {{.rd = kRd2}, {.rd = kRd1, .length = 16}});
  expect_nothing_left();
}

// DESIGN §4, invariant 3: a prefix that changes twice begins a new turn, so that no change overtakes another.
TEST_F(FamilyRibTest, SecondChangeSealsTheTurn) {
  announce(a, {}, {{}});
  EXPECT_EQ(seals, 0);
  announce(a, {.med = 1}, {{}});
  EXPECT_EQ(seals, 1);
  withdraw(a, {{}});
  EXPECT_EQ(seals, 2);
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 0"));
  // The prefix is gone and comes back in one turn: the withdrawal stands first in a batch, so this needs no new turn.
  announce(a, {}, {{}});
  EXPECT_EQ(seals, 2);
  EXPECT_THAT(changes(), ElementsAre("-10.0.0.0/24 0", "+10.0.0.0/24 641 0"));
  withdraw(a, {{}});
  EXPECT_EQ(seals, 3);
  expect_nothing_left();
}

TEST_F(FamilyRibTest, TombstonesSayWhoHadThePrefix) {
  announce(a, {.targets = {kRt1}}, {{}});
  end_turn();
  Stamp changed = shared.turn;
  announce(a, {.targets = {kRt2}}, {{}});
  end_turn();
  withdraw(a, {{}});
  ASSERT_EQ(rib.end_tombstone() - rib.first_tombstone(), 2u);
  const auto& first = rib.tombstone(rib.first_tombstone());
  EXPECT_EQ(first.stamp, changed);
  EXPECT_EQ(first.address, 0x0a000000u);
  EXPECT_EQ(shared.provenances.rt_set(shared.provenances.provenance(first.before).rt_set).targets.at(0), kRt1);
  rib.trim_tombstones(changed);
  EXPECT_EQ(rib.end_tombstone() - rib.first_tombstone(), 1u);
  EXPECT_EQ(rib.tombstone(rib.first_tombstone()).stamp, changed + 1);
  expect_nothing_left();
}

TEST_F(FamilyRibTest, PurgeTakesOnlyOlderSessionsAndGoesOnWhereItStopped) {
  std::vector<Route> routes;
  for (std::uint32_t i = 0; i < 100; ++i) routes.push_back({.address = 0x0a000000 + (i << 8)});
  announce(a, {}, routes);
  announce(b, {.local_pref = 50}, {routes[3]});
  ++shared.peers[0].generation;
  announce(a, {}, {routes[7]});  // announced again by the new session: stays
  end_turn();
  std::uint32_t table = *rib.find_table(kRd1);
  std::optional<Key> from = Key{};
  int slices = 0;
  while (from) {
    from = rib.purge_table(table, a, 1, *from, 30);
    ++slices;
  }
  EXPECT_EQ(slices, 4);
  EXPECT_EQ(shared.counters.prefixes[0], 2u);
  std::vector<std::string> log = changes();
  EXPECT_EQ(log.size(), 100u);  // 98 withdrawals, and one prefix handed over to b
  EXPECT_THAT(log, testing::Contains("-10.0.3.0/24 0>1"));
  EXPECT_THAT(log, testing::Contains("+10.0.3.0/24 641 1"));
  withdraw(b, {routes[3]});
  withdraw(a, {routes[7]});
  expect_nothing_left();
}

TEST_F(FamilyRibTest, TheIndexOfProvenancesIsExact) {
  announce(a, {.targets = {kRt1}}, {{.rd = kRd1}, {.rd = kRd2}});
  announce(b, {.targets = {kRt2}}, {{.rd = kRd1}});
  ProvenanceId of_a = shared.provenances.provenances_of(a).at(0), of_b = shared.provenances.provenances_of(b).at(0);
  std::uint32_t one = *rib.find_table(kRd1), two = *rib.find_table(kRd2);
  EXPECT_THAT(shared.provenances.tables_of(of_a), UnorderedElementsAre(rib.table_ref(one), rib.table_ref(two)));
  EXPECT_THAT(shared.provenances.tables_of(of_b), ElementsAre(rib.table_ref(one)));
  EXPECT_TRUE(rib.table_holds(one, of_a) && rib.table_holds(one, of_b) && rib.table_holds(two, of_a));
  EXPECT_FALSE(rib.table_holds(two, of_b));
  // Best counts per provenance: a has the lower ORIGINATOR_ID and wins in both tables.
  EXPECT_EQ(shared.provenances.provenance(of_a).best[0], 2u);
  EXPECT_EQ(shared.provenances.provenance(of_b).best[0], 0u);
  withdraw(a, {{.rd = kRd1}});
  EXPECT_FALSE(rib.table_holds(one, of_a));
  EXPECT_EQ(shared.provenances.provenance(of_b).best[0], 1u);
  withdraw(b, {{.rd = kRd1}});
  withdraw(a, {{.rd = kRd2}});
  expect_nothing_left();
}

// Random histories of three peers against a plain model of who announced what.
TEST_F(FamilyRibTest, RandomHistoryAgainstModel) {
  std::mt19937 random(7);
  std::map<std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>, std::pair<std::uint32_t, std::uint32_t>> model;  // rd, address, peer -> local pref, label
  for (int step = 0; step < 20000; ++step) {
    PeerId peer{static_cast<std::uint32_t>(random() % 3)};
    Route route{.rd = random() % 2 ? kRd1 : kRd2, .address = 0x0a000000 + static_cast<std::uint32_t>(random() % 200) * 256};
    auto key = std::tuple(route.rd, route.address, peer.value);
    if (random() % 5 < ((step / 3000) % 2 ? 3u : 2u)) {
      withdraw(peer, {route});
      model.erase(key);
    } else {
      Attributes attributes{.targets = {random() % 2 ? kRt1 : kRt2}, .local_pref = 100 + static_cast<std::uint32_t>(random() % 3)};
      route.label = static_cast<std::uint32_t>(random() % 2) << 4 | 1;
      announce(peer, attributes, {route});
      model[key] = {attributes.local_pref, route.label};
    }
    ASSERT_EQ(shared.counters.paths[0], model.size());
    if (step % 50 == 0) settle();
  }
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> best;
  for (const auto& [key, value] : model) {
    auto [rd, address, peer] = key;
    auto candidate = std::tuple(value.first, ~peer, value.second);  // higher LOCAL_PREF, then lower ORIGINATOR_ID
    auto [at, inserted] = best.try_emplace({rd, address}, candidate);
    if (!inserted && candidate > at->second) at->second = candidate;
  }
  EXPECT_EQ(shared.counters.prefixes[0], best.size());
  std::size_t walked = 0;
  for (std::uint64_t rd : {kRd1, kRd2})
    rib.walk_table(*rib.find_table(rd), Key{}, [&](const Key& key, const Slot&, const PathRef& path) {
      auto at = best.find({rd, key.address});
      EXPECT_TRUE(at != best.end());
      if (at == best.end()) return false;
      EXPECT_EQ(shared.attributes[path.attributes].peer.value, ~std::get<1>(at->second));
      EXPECT_EQ(path.label, std::get<2>(at->second));
      ++walked;
      return true;
    });
  EXPECT_EQ(walked, best.size());
  for (const auto& [key, value] : model) withdraw(PeerId{std::get<2>(key)}, {{.rd = std::get<0>(key), .address = std::get<1>(key)}});
  expect_nothing_left();
}

}  // namespace
}  // namespace helio::rib::test

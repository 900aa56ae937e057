// ProvenanceStore: interning, the order of events to the session shards, reuse of ids, the index of tables.
#include "rib/provenance.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace helio::rib {
namespace {

using Kind = ProvenanceEvent::Kind;

class ProvenanceTest : public testing::Test {
 protected:
  ProvenanceId acquire(std::uint32_t peer, std::vector<std::uint64_t> targets, std::uint8_t scope = 0,
                       std::vector<wire::RouteTarget6> targets6 = {}) {
    return store.acquire(PeerId{peer}, targets, targets6, scope);
  }
  std::vector<std::pair<Kind, std::uint32_t>> events() {
    std::vector<std::pair<Kind, std::uint32_t>> out;
    for (const ProvenanceEvent& e : store.take_events()) out.emplace_back(e.kind, e.id);
    return out;
  }
  MemoryAccount account;
  ProvenanceStore store{account};
};

TEST_F(ProvenanceTest, IdentityIsPeerTargetsAndScope) {
  ProvenanceId one = acquire(1, {5, 6});
  EXPECT_EQ(acquire(1, {5, 6}), one);
  EXPECT_NE(acquire(2, {5, 6}), one);
  EXPECT_NE(acquire(1, {5}), one);
  EXPECT_NE(acquire(1, {5, 6}, scope::no_export), one);
  wire::RouteTarget6 six{0, 2, 1};
  EXPECT_NE(acquire(1, {5, 6}, 0, {six}), one);
  EXPECT_EQ(store.rt_set_count(), 3u);
  EXPECT_EQ(store.provenances_of(PeerId{1}).size(), 4u);
  EXPECT_EQ(store.rt_set(store.provenance(one).rt_set).provenances.size(), 3u);
}

// Definitions come before anything that refers to them, ends after it.
TEST_F(ProvenanceTest, EventsAreInOrderOfUse) {
  ProvenanceId one = acquire(1, {5});
  RtSetId set = store.provenance(one).rt_set;
  EXPECT_THAT(events(), testing::ElementsAre(std::pair(Kind::rt_set_defined, set), std::pair(Kind::provenance_defined, one)));
  ProvenanceId two = acquire(2, {5});
  EXPECT_THAT(events(), testing::ElementsAre(std::pair(Kind::provenance_defined, two)));
  store.drop_ref(one);
  EXPECT_THAT(events(), testing::ElementsAre(std::pair(Kind::provenance_retired, one)));
  store.drop_ref(two);
  EXPECT_THAT(events(), testing::ElementsAre(std::pair(Kind::provenance_retired, two), std::pair(Kind::rt_set_retired, set)));
}

// An id is not used again before every shard has forgotten it.
TEST_F(ProvenanceTest, IdsAreReusedAfterReleaseOnly) {
  ProvenanceId one = acquire(1, {5});
  RtSetId set = store.provenance(one).rt_set;
  store.drop_ref(one);
  ProvenanceId again = acquire(1, {5});
  EXPECT_NE(again, one);
  EXPECT_NE(store.provenance(again).rt_set, set);
  store.release_provenance(one);
  store.release_rt_set(set);
  // A walk that was asked for while the set was there comes to it when nothing is left of it.
  EXPECT_TRUE(store.tables_of_rt_set(set).empty());
  ProvenanceId third = acquire(3, {7});
  EXPECT_EQ(third, one);
  EXPECT_EQ(store.provenance(third).rt_set, set);
}

// A hostile peer: an RT of its own for every route, withdrawn in the order announced. Finding each in the peer's list by
// search would take minutes.
TEST_F(ProvenanceTest, ManyOfOnePeerGoInAnyOrder) {
  std::vector<ProvenanceId> ids;
  for (std::uint64_t t = 0; t < 300000; ++t) ids.push_back(acquire(1, {t}));
  for (std::size_t i = 0; i < ids.size(); i += 2) store.drop_ref(ids[i]);
  EXPECT_EQ(store.provenances_of(PeerId{1}).size(), ids.size() / 2);
  for (std::size_t i = 1; i < ids.size(); i += 2) store.drop_ref(ids[i]);
  EXPECT_TRUE(store.provenances_of(PeerId{1}).empty());
}

TEST_F(ProvenanceTest, TablesMayBeStaleButAreNeverMissing) {
  ProvenanceId one = acquire(1, {5});
  for (std::uint32_t t = 0; t < 10; ++t) store.table_added(one, t);
  store.table_removed(one);
  store.table_added(one, 3);  // again
  EXPECT_THAT(store.tables_of(one), testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_FALSE(store.wants_compaction(one));
  for (int i = 0; i < 10; ++i) store.table_removed(one);
  EXPECT_TRUE(store.tables_of(one).empty());
}

TEST_F(ProvenanceTest, CompactionSetsTheLiveTables) {
  ProvenanceId one = acquire(1, {5});
  store.table_added(one, 0);
  std::uint32_t added = 1;
  while (!store.wants_compaction(one)) {
    store.table_added(one, added++);
    store.table_removed(one);
  }
  EXPECT_LT(added, 100u);
  store.set_tables(one, {0});
  EXPECT_FALSE(store.wants_compaction(one));
  EXPECT_THAT(store.tables_of(one), testing::ElementsAre(0));
}

// Tables that the family at hand cannot judge stay listed; that must not bring a compaction with every further table
// (a peer with 100 k RDs lost in one family and announced in the other took minutes).
TEST_F(ProvenanceTest, CompactionInVainIsNotRepeated) {
  ProvenanceId one = acquire(1, {5});
  for (std::uint32_t t = 0; t < 1000; ++t) {
    store.table_added(one, t);
    if (t > 0) store.table_removed(one);
  }
  int compactions = 0;
  for (std::uint32_t t = 1000; t < 3000; ++t) {
    store.table_added(one, t);
    if (!store.wants_compaction(one)) continue;
    ++compactions;
    store.set_tables(one, store.tables_of(one));
  }
  EXPECT_LE(compactions, 3);
  EXPECT_EQ(store.tables_of(one).size(), 3000u);
}

TEST_F(ProvenanceTest, MemoryIsGivenBack) {
  std::vector<ProvenanceId> ids;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ids.push_back(acquire(i % 7, {i / 7, 100000}));
    store.table_added(ids.back(), i);
  }
  for (ProvenanceId id : ids) {
    store.table_removed(id);
    store.drop_ref(id);
  }
  for (const ProvenanceEvent& e : store.take_events()) {
    if (e.kind == Kind::provenance_retired) store.release_provenance(e.id);
    if (e.kind == Kind::rt_set_retired) store.release_rt_set(e.id);
  }
  for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) EXPECT_EQ(account.bytes[kind], 0) << kMemoryKindNames[kind];
}

}  // namespace
}  // namespace helio::rib

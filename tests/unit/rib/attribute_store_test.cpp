// AttributeStore: identity is (peer, session generation, next hop, bytes); sets live as long as references.
#include "rib/attribute_store.hpp"

#include <gtest/gtest.h>

#include "tests/unit/rib/rib_fixture.hpp"

namespace helio::rib::test {
namespace {

class AttributeStoreTest : public testing::Test {
 protected:
  AttributeId intern(std::uint32_t peer, const Attributes& a, std::uint32_t generation = 0) {
    return store.intern(PeerId{peer}, generation, Canonical(a).view());
  }
  MemoryAccount account;
  ProvenanceStore provenances{account};
  AttributeStore store{account, provenances};
};

TEST_F(AttributeStoreTest, EqualSetsAreOne) {
  AttributeId first = intern(1, {});
  EXPECT_EQ(intern(1, {}), first);
  EXPECT_EQ(store.size(), 1u);
  EXPECT_EQ(store[first].refs, 2u);
  store.drop_refs(first, 2);
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(AttributeStoreTest, EveryPartOfTheIdentityCounts) {
  std::vector<AttributeId> ids{intern(1, {}), intern(2, {}), intern(1, {}, 1), intern(1, {.med = 1})};
  Canonical other({});
  CanonicalAttributes view = other.view();
  std::vector<std::uint8_t> next_hop(view.next_hop.begin(), view.next_hop.end());
  next_hop.back() ^= 1;
  view.next_hop = next_hop;
  ids.push_back(store.intern(PeerId{1}, 0, view));
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 5u);
  EXPECT_EQ(store.size(), 5u);
  for (AttributeId id : ids) store.drop_refs(id, 1);
  EXPECT_EQ(store.size(), 0u);
}

TEST_F(AttributeStoreTest, HoldsWhatWasGiven) {
  Attributes a{.targets = {kRt1, kRt2}, .local_pref = 200, .med = 7, .originator_id = 9, .scope = scope::no_export, .community_octets = 300};
  Canonical canonical(a);
  AttributeId id = store.intern(PeerId{3}, 5, canonical.view());
  const AttributeSet& set = store[id];
  EXPECT_TRUE(std::ranges::equal(set.bytes(), canonical.view().bytes));
  EXPECT_TRUE(std::ranges::equal(set.next_hop(), canonical.view().next_hop));
  EXPECT_EQ(set.key, canonical.view().key);
  EXPECT_EQ(set.peer, PeerId{3});
  EXPECT_EQ(set.generation, 5u);
  const Provenance& p = provenances.provenance(set.provenance);
  EXPECT_EQ(p.peer, PeerId{3});
  EXPECT_EQ(p.scope, scope::no_export);
  EXPECT_EQ(provenances.rt_set(p.rt_set).targets, a.targets);
  store.drop_refs(id, 1);
}

// Sets of a peer that differ only outside RTs and scope share a provenance, which goes with the last of them.
TEST_F(AttributeStoreTest, ProvenanceIsShared) {
  AttributeId one = intern(1, {.med = 1}), two = intern(1, {.med = 2}), other = intern(1, {.targets = {kRt2}});
  EXPECT_EQ(store[one].provenance, store[two].provenance);
  EXPECT_NE(store[one].provenance, store[other].provenance);
  ProvenanceId shared_one = store[one].provenance;
  store.drop_refs(one, 1);
  EXPECT_FALSE(provenances.provenance(shared_one).retired);
  store.drop_refs(two, 1);
  EXPECT_TRUE(provenances.provenance(shared_one).retired);
  store.drop_refs(other, 1);
}

// A derived set is found by what it was made of, holds that, and goes with its last reference.
TEST_F(AttributeStoreTest, DerivedSets) {
  AttributeId received = intern(1, {.med = 1});
  EXPECT_FALSE(store.find_derived(received, 0, std::nullopt));
  Canonical changed({.local_pref = 200});
  AttributeId derived = store.derive(received, 5, 1, changed.view());
  EXPECT_TRUE(store[derived].is_derived());
  EXPECT_EQ(store.received_of(derived), received);
  EXPECT_EQ(store.received_of(received), received);
  EXPECT_EQ(store[derived].derivation().tests, 5u);
  EXPECT_TRUE(std::ranges::equal(store[derived].bytes(), changed.view().bytes));
  EXPECT_EQ(store.find_derived(received, 5, 1), derived);
  EXPECT_FALSE(store.find_derived(received, 4, 1));
  EXPECT_FALSE(store.find_derived(received, 5, 2));
  store.set_round(derived, 2);
  EXPECT_EQ(store.find_derived(received, 5, 2), derived);
  // Plain interning of the same bytes is another set.
  AttributeId plain = store.intern(PeerId{1}, 0, changed.view());
  EXPECT_NE(plain, derived);
  store.drop_refs(plain, 1);
  store.drop_refs(received, 1);
  EXPECT_EQ(store.size(), 2u);
  store.drop_refs(derived, 3);
  EXPECT_EQ(store.size(), 0u);
}

// The verdict of export policies is part of the provenance: distribution sees who may not have the path.
TEST_F(AttributeStoreTest, RejectionsMakeAnotherProvenance) {
  AttributeId received = intern(1, {});
  Canonical same({});
  CanonicalAttributes view = same.view();
  view.rejected_by = 0b10;
  AttributeId derived = store.derive(received, 0, 1, view);
  EXPECT_NE(store[derived].provenance, store[received].provenance);
  EXPECT_EQ(provenances.provenance(store[derived].provenance).rejected_by, 0b10);
  EXPECT_EQ(provenances.provenance(store[derived].provenance).rt_set, provenances.provenance(store[received].provenance).rt_set);
  store.drop_refs(received, 1);
  store.drop_refs(derived, 1);
}

TEST_F(AttributeStoreTest, MemoryIsGivenBack) {
  std::vector<AttributeId> ids;
  for (std::uint32_t i = 0; i < 10000; ++i) ids.push_back(intern(1, {.med = i}));
  std::int64_t full = account.bytes[static_cast<std::size_t>(MemoryKind::attributes)];
  EXPECT_GT(full, 10000 * 100);
  EXPECT_LT(full, 10000 * 250);
  for (std::size_t i = 0; i < ids.size(); i += 2) store.drop_refs(ids[i], 1);
  for (std::uint32_t i = 1; i < 10000; i += 2) EXPECT_EQ(intern(1, {.med = i}), ids[i]);  // found among the gaps
  for (std::size_t i = 1; i < ids.size(); i += 2) store.drop_refs(ids[i], 2);
  EXPECT_EQ(account.bytes[static_cast<std::size_t>(MemoryKind::attributes)], 0);
  EXPECT_EQ(account.bytes[static_cast<std::size_t>(MemoryKind::directory)], 0);
}

}  // namespace
}  // namespace helio::rib::test

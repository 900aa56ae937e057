// PrefixTree against std::map: every operation, dense, sparse, mixed lengths, both address widths.
#include "rib/prefix_tree.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace helio::rib {
namespace {

template <class Address>
void run_against_map(unsigned seed, unsigned operations, unsigned prefix_pool, bool mixed_lengths) {
  using Tree = PrefixTree<Address>;
  using Key = PrefixKey<Address>;
  constexpr unsigned kBits = Tree::kBits;
  MemoryAccount account;
  {
    Tree tree(account);
    typename Tree::Root root;
    typename Tree::Finger finger;
    std::map<Key, std::uint32_t> model;
    std::mt19937_64 random(seed);
    auto random_key = [&] {
      unsigned length = mixed_lengths ? static_cast<unsigned>(random() % (kBits + 1)) : kBits - 8;
      Address a = static_cast<Address>(random() % prefix_pool);
      if (length == 0) return Key{0, 0};
      a = static_cast<Address>(a << (kBits - length));
      return Key{a, static_cast<std::uint8_t>(length)};
    };
    for (unsigned i = 0; i < operations; ++i) {
      bool growing = (i / 2000) % 2 == 0;
      Key key = random_key();
      if (random() % 10 < (growing ? 8u : 2u)) {
        auto [slot, inserted] = tree.insert(root, key, finger, random() % 8 == 0 ? 20 : 0);
        ASSERT_EQ(inserted, !model.contains(key)) << "seed " << seed << " operation " << i;
        slot->set_single(i & 0xfffffff, 7);
        model[key] = i & 0xfffffff;
      } else if (model.contains(key)) {
        tree.erase(root, key, finger);
        model.erase(key);
      }
      Key probe = random_key();
      Slot* found = tree.find(root, probe, finger);
      ASSERT_EQ(found != nullptr, model.contains(probe)) << "seed " << seed << " operation " << i;
      if (found != nullptr) {
        ASSERT_EQ(found->attributes(), model[probe]);
      }
      if (i % 997 == 0) {
        Key from = random_key();
        auto expected = model.lower_bound(from);
        tree.walk(root, from, [&](const Key& k, Slot& slot) {
          EXPECT_TRUE(expected != model.end() && k == expected->first && slot.attributes() == expected->second);
          if (expected != model.end()) ++expected;
          return !testing::Test::HasFailure();
        });
        ASSERT_TRUE(expected == model.end()) << "seed " << seed << " operation " << i;
      }
    }
    for (auto& [key, value] : model) tree.erase(root, key, finger);
    EXPECT_EQ(root.node, nullptr);
  }
  EXPECT_EQ(account.total_bytes(), 0) << "memory is given back when everything is withdrawn";
}

TEST(PrefixTree, DenseV4) { run_against_map<Address4>(1, 40000, 3000, false); }
TEST(PrefixTree, SparseV4) { run_against_map<Address4>(2, 40000, 1u << 24, false); }
TEST(PrefixTree, MixedLengthsV4) { run_against_map<Address4>(3, 40000, 300, true); }
TEST(PrefixTree, DenseV6) { run_against_map<Address6>(4, 40000, 3000, false); }
TEST(PrefixTree, SparseV6) { run_against_map<Address6>(5, 40000, 0xffffffff, false); }
TEST(PrefixTree, MixedLengthsV6) { run_against_map<Address6>(6, 40000, 300, true); }

TEST(PrefixTree, BytesPerPrefixOfConsecutiveSlash24s) {
  MemoryAccount account;
  PrefixTree<Address4> tree(account);
  PrefixTree<Address4>::Root root;
  PrefixTree<Address4>::Finger finger;
  for (std::uint32_t i = 0; i < 100000; ++i) tree.insert(root, {0x0a000000 + (i << 8), 24}, finger).first->set_single(1, 1);
  EXPECT_LT(account.total_bytes(), 100000 * 16);
  tree.clear(root);
  EXPECT_EQ(account.total_bytes(), 0);
}

TEST(Slot, KeepsLabelStampAndList) {
  MemoryAccount account;
  Slot slot;
  EXPECT_TRUE(slot.empty());
  slot.set_single(123456, 0x123451);
  slot.set_stamp(0xabcdef1234);
  EXPECT_EQ(slot.attributes(), 123456u);
  EXPECT_EQ(slot.label(), 0x123451u);
  EXPECT_EQ(slot.stamp(), 0xabcdef1234u);
  slot.make_list(account, 9);
  for (std::uint32_t i = 1; i < 600; ++i) slot.list_push(account, Path{i, i, i, 0});
  ASSERT_EQ(slot.list_count(), 600u);
  EXPECT_EQ(slot.stamp(), 0xabcdef1234u);
  EXPECT_EQ(slot.list()[0].attributes, 123456u);
  for (std::uint32_t i = 1; i < 600; ++i) EXPECT_EQ(slot.list()[i].path_id, i);
  for (std::uint32_t i = 599; i > 0; --i) slot.list_remove(account, i);
  EXPECT_FALSE(slot.has_list());
  EXPECT_EQ(slot.attributes(), 123456u);
  EXPECT_EQ(slot.label(), 0x123451u);
  EXPECT_EQ(slot.stamp(), 0xabcdef1234u);
  EXPECT_EQ(account.total_bytes(), 0);
}

}  // namespace
}  // namespace helio::rib

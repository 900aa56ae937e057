// TableList against a vector, across block borders; sort_unique against the standard algorithms.
#include "rib/table_list.hpp"

#include <gtest/gtest.h>

#include <random>

namespace helio::rib {
namespace {

TEST(TableList, HoldsWhatWasPushed) {
  MemoryAccount account;
  TableList list;
  std::vector<std::uint32_t> expected;
  for (std::uint32_t i = 0; i < 3 * TableList::kBlock + 5; ++i) {
    list.push(account, i * 7);
    expected.push_back(i * 7);
    ASSERT_EQ(list.size(), expected.size());
  }
  std::vector<std::uint32_t> out = {1};
  list.append_to(out);
  expected.insert(expected.begin(), 1);
  EXPECT_EQ(out, expected);
  EXPECT_GE(account.total_bytes(), static_cast<std::int64_t>(list.size() * 4));
  list.assign(account, {4, 5});
  out.clear();
  list.append_to(out);
  EXPECT_EQ(out, (std::vector<std::uint32_t>{4, 5}));
  list.clear(account);
  EXPECT_EQ(list.size(), 0u);
  EXPECT_EQ(account.total_bytes(), 0);
}

TEST(TableList, SortUnique) {
  std::mt19937 random(1);
  for (std::size_t size : {0u, 1u, 2u, 100u, 4095u, 4096u, 20000u}) {
    for (std::uint32_t range : {1u, 50u, 100000u}) {
      std::vector<std::uint32_t> ids(size);
      for (std::uint32_t& id : ids) id = random() % range;
      std::vector<std::uint32_t> expected = ids;
      std::sort(expected.begin(), expected.end());
      expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
      sort_unique(ids);
      EXPECT_EQ(ids, expected) << size << " of " << range;
      sort_unique(ids);
      EXPECT_EQ(ids, expected);
    }
  }
}

}  // namespace
}  // namespace helio::rib

// HashIndex against a std::map, through growth, shrinking and removals in the middle of both.
#include "rib/hash_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace helio::rib {
namespace {

// Few distinct hashes make long probe runs; many make the table grow.
void run(unsigned seed, std::uint64_t hashes) {
  MemoryAccount account;
  {
    HashIndex index(account);
    std::map<std::uint32_t, std::uint64_t> present;  // id -> hash
    std::mt19937_64 random(seed);
    auto hash_of = [&](std::uint32_t id) { return (id % hashes) * 0x9e3779b97f4a7c15; };
    for (unsigned i = 0; i < 60000; ++i) {
      std::uint32_t id = static_cast<std::uint32_t>(random() % 5000);
      bool growing = i / 10000 % 2 == 0;
      auto found = index.find(hash_of(id), [&](std::uint32_t other) { return other == id; });
      ASSERT_EQ(found != HashIndex::kNone, present.contains(id)) << "seed " << seed << " step " << i;
      if (!present.contains(id) && (growing || random() % 4 == 0)) {
        index.insert(hash_of(id), id);
        present[id] = hash_of(id);
      } else if (present.contains(id) && !growing) {
        index.erase(hash_of(id), id);
        present.erase(id);
      }
      ASSERT_EQ(index.size(), present.size());
    }
    for (auto [id, hash] : present) index.erase(hash, id);
  }
  EXPECT_EQ(account.total_bytes(), 0);
}

TEST(HashIndex, SpreadHashes) { run(1, 1u << 30); }
TEST(HashIndex, CollidingHashes) { run(2, 40); }

// Mapped tables give their pages back while they are emptied: what is not moved yet must be found all the same, also
// where probe runs cross the border (hashes crowd together at it).
TEST(HashIndex, MappedTablesWhileTheyAreEmptied) {
  MemoryAccount account;
  {
    HashIndex index(account);
    constexpr std::uint32_t kCount = 400000;
    auto hash_of = [](std::uint32_t id) { return std::uint64_t{id / 8} * 0x9e3779b1; };  // 32 bits, each eight times
    auto is_there = [&](std::uint32_t id) {
      return index.find(hash_of(id), [&](std::uint32_t other) { return other == id; }) != HashIndex::kNone;
    };
    std::mt19937 random(3);
    std::vector<bool> present(kCount);
    auto some_agree = [&](std::uint32_t below) {
      for (int i = 0; i < 4; ++i) {
        std::uint32_t id = random() % below;
        if (is_there(id) != present[id]) return false;
      }
      return true;
    };
    for (std::uint32_t id = 0; id < kCount; ++id) {
      index.insert(hash_of(id), id);
      present[id] = true;
      ASSERT_TRUE(some_agree(id + 1)) << id;
      if (id % 16 != 0) continue;
      std::uint32_t gone = random() % (id + 1);
      if (!present[gone]) continue;
      index.erase(hash_of(gone), gone);
      present[gone] = false;
    }
    for (std::uint32_t id = 0; id < kCount; ++id) {
      ASSERT_EQ(is_there(id), present[id]) << id;
      if (!present[id]) continue;
      index.erase(hash_of(id), id);
      present[id] = false;
      ASSERT_TRUE(some_agree(kCount)) << id;
    }
    EXPECT_EQ(index.size(), 0u);
  }
  EXPECT_EQ(account.total_bytes(), 0);
}

}  // namespace
}  // namespace helio::rib

// HOSTILE-INPUT §3: what peers choose cannot be chosen so that it all falls onto one place of a hash table.
#include "rib/hash_seed.hpp"

#include <gtest/gtest.h>

#include <set>

namespace helio::rib {
namespace {

// A hash that everybody can turn round, and keys that have the same lower half of it.
std::uint64_t mix(std::uint64_t rd) {
  rd ^= rd >> 32;
  rd *= 0x9e3779b97f4a7c15;
  return rd ^ rd >> 29;
}
std::uint64_t unmix(std::uint64_t hash) {
  std::uint64_t inverse = 1;
  for (int i = 0; i < 6; ++i) inverse *= 2 - 0x9e3779b97f4a7c15 * inverse;  // Newton's, modulo 2^64
  hash ^= hash >> 29 ^ hash >> 58;
  hash *= inverse;
  return hash ^ hash >> 32;
}

TEST(HashSeed, KeysThatCollideWithoutASecretDoNotWithOne) {
  constexpr std::uint32_t kCount = 20000;
  std::uint64_t before = hash_seed, multiplier = hash_multiplier;
  for (std::uint64_t seed : {before, std::uint64_t{0x243f6a8885a308d3}, std::uint64_t{0x13198a2e03707344}}) {
    set_hash_secrets(seed, seed * multiplier);
    std::set<std::uint32_t> plain, seeded;
    for (std::uint64_t i = 0; i < kCount; ++i) {
      std::uint64_t high = i + 1, rd = unmix(high << 32 | (high ^ 0x1234567));  // both halves folded onto each other: one value
      ASSERT_EQ(mix(rd), high << 32 | (high ^ 0x1234567));
      std::uint64_t a = mix(rd), b = seeded_hash(rd);
      plain.insert(static_cast<std::uint32_t>(a ^ a >> 32));
      seeded.insert(static_cast<std::uint32_t>(b ^ b >> 32));
    }
    EXPECT_EQ(plain.size(), 1u);
    EXPECT_GT(seeded.size(), kCount - 20);
  }
  set_hash_secrets(before, multiplier);
}

TEST(HashSeed, AnotherSeedIsAnotherHash) {
  std::uint64_t before = hash_seed, hash = seeded_hash(0x0000fde800000001);
  hash_seed = before + 1;
  EXPECT_NE(seeded_hash(0x0000fde800000001), hash);
  hash_seed = before;
}

}  // namespace
}  // namespace helio::rib

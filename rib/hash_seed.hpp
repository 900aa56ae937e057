// The secret in all hashes of what peers send. Without it a peer computes keys that all fall onto one place: 60,000 RDs that did
// cost 6 s of processor time. The same until it is set, so that tests repeat themselves; heliod sets a random one before anything
// is hashed. Hashes do not leave the process.
#pragma once
#include <cstddef>
#include <cstdint>

namespace helio::rib {

inline std::uint64_t hash_seed = 0x5bd1e9955bd1e995;       // of XXH3, and
inline std::uint64_t hash_multiplier = 0xd6e8feb86659fd93;  // of this; odd

// Both secrets in one multiplication, whose halves are folded onto each other.
inline std::uint64_t seeded_hash(std::uint64_t key) {
  unsigned __int128 product = static_cast<unsigned __int128>(key ^ hash_seed) * hash_multiplier;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline void set_hash_secrets(std::uint64_t seed, std::uint64_t multiplier) {
  hash_seed = seed;
  hash_multiplier = multiplier | 1;
}

// For maps by route target and the like.
struct SeededHash {
  using is_avalanching = void;
  std::size_t operator()(std::uint64_t key) const { return seeded_hash(key); }
};

}  // namespace helio::rib

// The secret in all hashes of what peers send. Without it a peer computes keys that all fall onto one place: 60,000 RDs that did
// cost 6 s of processor time. The same until it is set, so that tests repeat themselves; heliod sets a random one before anything
// is hashed. Hashes do not leave the process.
#pragma once
#include <xxhash.h>

#include <cstddef>
#include <cstdint>

namespace helio::rib {

inline std::uint64_t hash_seed = 0x5bd1e9955bd1e995;

inline std::uint64_t seeded_hash(std::uint64_t key) { return XXH3_64bits_withSeed(&key, sizeof key, hash_seed); }

// For maps by route target and the like.
struct SeededHash {
  using is_avalanching = void;
  std::size_t operator()(std::uint64_t key) const { return seeded_hash(key); }
};

}  // namespace helio::rib

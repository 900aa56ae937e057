#include "rib/evpn_keys.hpp"

#include <xxhash.h>

#include <algorithm>

#include "rib/hash_seed.hpp"

namespace helio::rib {

EvpnKeys::~EvpnKeys() {
  for (std::uint32_t id = 0; id < entries_.limit(); ++id)
    if (entries_[id].octets != nullptr) release(account_, MemoryKind::directory, entries_[id].octets, entries_[id].size);
}

std::uint64_t EvpnKeys::hash_of(std::uint8_t type, Bytes key) { return XXH3_64bits_withSeed(key.data(), key.size(), hash_seed + type); }

std::optional<std::uint32_t> EvpnKeys::find(const wire::EvpnNlri& nlri) const {
  std::uint32_t id = index_.find(hash_of(nlri.type, nlri.key), [&](std::uint32_t i) { return type(i) == nlri.type && std::ranges::equal(key(i), nlri.key); });
  return id == HashIndex::kNone ? std::nullopt : std::optional(id);
}

std::uint32_t EvpnKeys::acquire(const wire::EvpnNlri& nlri) {
  if (std::optional<std::uint32_t> id = find(nlri)) {
    ++entries_[*id].refs;
    return *id;
  }
  std::uint32_t id = entries_.add();
  Entry& entry = entries_[id];
  entry.size = static_cast<std::uint8_t>(1 + nlri.key.size());
  entry.octets = static_cast<std::uint8_t*>(allocate(account_, MemoryKind::directory, entry.size));
  entry.octets[0] = nlri.type;
  std::ranges::copy(nlri.key, entry.octets + 1);
  entry.refs = 1;
  entry.withdrawn_payload = nlri.withdrawn_payload;
  entry.has_rd = nlri.has_rd;
  index_.insert(hash_of(nlri.type, nlri.key), id);
  return id;
}

void EvpnKeys::drop_ref(std::uint32_t id) {
  Entry& entry = entries_[id];
  if (--entry.refs > 0) return;
  index_.erase(hash_of(type(id), key(id)), id);
  release(account_, MemoryKind::directory, entry.octets, entry.size);
  entries_.remove(id);
}

}  // namespace helio::rib

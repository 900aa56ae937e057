#include "rib/attribute_store.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "rr/base/check.hpp"

namespace helio::rib {
namespace {

std::size_t set_bytes(std::size_t next_hop, std::size_t attributes) { return sizeof(AttributeSet) + next_hop + attributes; }

}  // namespace

AttributeStore::AttributeStore(MemoryAccount& account, ProvenanceStore& provenances)
    : account_(account), provenances_(provenances), sets_(account, MemoryKind::attributes), index_(account) {}

AttributeStore::~AttributeStore() {
  for (AttributeId id = 0; id < sets_.limit(); ++id) {
    if (sets_[id] == nullptr) continue;
    release(account_, MemoryKind::attributes, sets_[id], set_bytes(sets_[id]->next_hop_length, sets_[id]->length));
  }
}

AttributeId AttributeStore::intern(PeerId peer, std::uint32_t generation, const CanonicalAttributes& attributes) {
  std::uint64_t seed = (static_cast<std::uint64_t>(peer.value) << 32 | generation) + (attributes.key.is_eligible ? 0 : 0x9e3779b97f4a7c15);
  std::uint64_t wide = XXH3_64bits_withSeed(attributes.bytes.data(), attributes.bytes.size(), seed) ^
                       XXH3_64bits_withSeed(attributes.next_hop.data(), attributes.next_hop.size(), ~seed);
  auto hash = static_cast<std::uint32_t>(wide ^ wide >> 32);
  AttributeId id = index_.find(hash, [&](std::uint32_t i) {
    const AttributeSet& set = *sets_[i];
    return set.hash == hash && set.peer == peer && set.generation == generation && set.key.is_eligible == attributes.key.is_eligible &&
           set.next_hop_length == attributes.next_hop.size() && std::ranges::equal(set.bytes(), attributes.bytes) &&
           std::ranges::equal(set.next_hop(), attributes.next_hop);
  });
  if (id != HashIndex::kNone) {
    ++sets_[id]->refs;
    return id;
  }
  std::size_t size = set_bytes(attributes.next_hop.size(), attributes.bytes.size());
  auto* set = new (allocate(account_, MemoryKind::attributes, size)) AttributeSet();
  set->refs = 1;
  set->hash = hash;
  set->peer = peer;
  set->generation = generation;
  set->length = static_cast<std::uint16_t>(attributes.bytes.size());
  set->next_hop_length = static_cast<std::uint8_t>(attributes.next_hop.size());
  set->key = attributes.key;
  auto* tail = reinterpret_cast<std::uint8_t*>(set + 1);
  std::copy(attributes.next_hop.begin(), attributes.next_hop.end(), tail);
  std::copy(attributes.bytes.begin(), attributes.bytes.end(), tail + attributes.next_hop.size());
  std::uint8_t limits = attributes.key.is_eligible ? attributes.scope : attributes.scope | scope::ineligible;
  set->provenance = provenances_.acquire(peer, attributes.targets, attributes.targets6, limits);
  id = sets_.add();
  HELIO_CHECK(id < (1u << 28), "more than 2^28 attribute sets in one shard");
  sets_[id] = set;
  index_.insert(hash, id);
  return id;
}

void AttributeStore::free_set(AttributeId id) {
  AttributeSet* set = sets_[id];
  index_.erase(set->hash, id);
  provenances_.drop_ref(set->provenance);
  release(account_, MemoryKind::attributes, set, set_bytes(set->next_hop_length, set->length));
  sets_.remove(id);
}

}  // namespace helio::rib

#include "rib/attribute_store.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "rib/hash_seed.hpp"
#include "rr/base/check.hpp"

namespace helio::rib {
namespace {

std::uint32_t hash_derived(AttributeId received, std::uint64_t tests) {
  std::uint64_t key[2] = {received, tests};
  std::uint64_t wide = XXH3_64bits_withSeed(key, sizeof key, hash_seed);
  return static_cast<std::uint32_t>(wide ^ wide >> 32);
}

}  // namespace

std::size_t AttributeStore::bytes_of(const AttributeSet& set) {
  return sizeof(AttributeSet) + set.next_hop_length + set.length + (set.is_derived() ? sizeof(Derivation) : 0);
}

AttributeStore::AttributeStore(MemoryAccount& account, ProvenanceStore& provenances)
    : account_(account), provenances_(provenances), sets_(account, MemoryKind::attributes), index_(account) {}

AttributeStore::~AttributeStore() {
  for (AttributeId id = 0; id < sets_.limit(); ++id) {
    if (sets_[id] == nullptr) continue;
    release(account_, MemoryKind::attributes, sets_[id], bytes_of(*sets_[id]));
  }
}

AttributeId AttributeStore::intern(PeerId peer, std::uint32_t generation, const CanonicalAttributes& attributes) {
  std::uint64_t seed = hash_seed + (static_cast<std::uint64_t>(peer.value) << 32 | generation) + (attributes.key.is_eligible ? 0 : 0x9e3779b97f4a7c15);
  std::uint64_t wide = XXH3_64bits_withSeed(attributes.bytes.data(), attributes.bytes.size(), seed) ^
                       XXH3_64bits_withSeed(attributes.next_hop.data(), attributes.next_hop.size(), ~seed);
  auto hash = static_cast<std::uint32_t>(wide ^ wide >> 32);
  AttributeId id = index_.find(hash, [&](std::uint32_t i) {
    const AttributeSet& set = *sets_[i];
    return set.hash == hash && set.peer == peer && set.generation == generation && set.key.is_eligible == attributes.key.is_eligible &&
           set.next_hop_length == attributes.next_hop.size() && std::ranges::equal(set.bytes(), attributes.bytes) &&
           std::ranges::equal(set.next_hop(), attributes.next_hop) && !set.is_derived();
  });
  if (id != HashIndex::kNone) {
    ++sets_[id]->refs;
    return id;
  }
  return add(peer, generation, hash, attributes, nullptr, 0);
}

AttributeId AttributeStore::add(PeerId peer, std::uint32_t generation, std::uint32_t hash, const CanonicalAttributes& attributes,
                                const Derivation* derivation, std::uint8_t mark) {
  std::size_t size = sizeof(AttributeSet) + attributes.next_hop.size() + attributes.bytes.size() + (derivation != nullptr ? sizeof(Derivation) : 0);
  auto* set = new (allocate(account_, MemoryKind::attributes, size)) AttributeSet();
  set->refs = 1;
  set->hash = hash;
  set->peer = peer;
  set->generation = generation;
  set->length = static_cast<std::uint16_t>(attributes.bytes.size());
  set->next_hop_length = static_cast<std::uint8_t>(attributes.next_hop.size());
  set->key = attributes.key;
  set->key.has_extras = attributes.extras != nullptr;
  auto* tail = reinterpret_cast<std::uint8_t*>(set + 1);
  tail = std::copy(attributes.next_hop.begin(), attributes.next_hop.end(), tail);
  tail = std::copy(attributes.bytes.begin(), attributes.bytes.end(), tail);
  set->mark = mark;
  if (derivation != nullptr) std::memcpy(tail, derivation, sizeof *derivation);
  std::uint8_t limits = attributes.key.is_eligible ? attributes.scope : attributes.scope | scope::ineligible;
  set->provenance = provenances_.acquire(peer, attributes.targets, attributes.targets6, limits, attributes.rejected_by);
  AttributeId id = sets_.add();
  HELIO_CHECK(id < (1u << 28), "more than 2^28 attribute sets in one shard");
  sets_[id] = set;
  if (set->key.has_extras) extras_.emplace(id, *attributes.extras);
  index_.insert(hash, id);
  if (observer_ != nullptr) observer_->set_added(id, *set);
  return id;
}

std::optional<AttributeId> AttributeStore::find_derived(AttributeId received, std::uint64_t tests, std::optional<std::uint32_t> round) {
  std::uint32_t hash = hash_derived(received, tests);
  AttributeId id = index_.find(hash, [&](std::uint32_t i) {
    const AttributeSet& set = *sets_[i];
    if (set.hash != hash || set.mark != AttributeSet::kDerived) return false;
    Derivation d = set.derivation();
    return d.received == received && d.tests == tests && (!round || d.round == *round);
  });
  if (id == HashIndex::kNone) return std::nullopt;
  ++sets_[id]->refs;
  return id;
}

AttributeId AttributeStore::derive(AttributeId received, std::uint64_t tests, std::uint32_t round, const CanonicalAttributes& attributes) {
  Derivation derivation{received, round, tests};
  AttributeId id = add(sets_[received]->peer, sets_[received]->generation, hash_derived(received, tests), attributes, &derivation, AttributeSet::kDerived);
  ++sets_[received]->refs;
  return id;
}

AttributeId AttributeStore::make_lost(AttributeId found) {
  constexpr std::uint64_t kLostTests = 0x6c6f7374;  // only makes the hash differ
  std::uint32_t hash = hash_derived(found, kLostTests);
  AttributeId id = index_.find(hash, [&](std::uint32_t i) {
    const AttributeSet& set = *sets_[i];
    return set.hash == hash && set.is_lost() && set.derivation().received == found;
  });
  if (id != HashIndex::kNone) {
    ++sets_[id]->refs;
    return id;
  }
  const AttributeSet& set = *sets_[found];
  const Provenance& provenance = provenances_.provenance(set.provenance);
  const RtSet& targets = provenances_.rt_set(provenance.rt_set);
  CanonicalAttributes lost;
  lost.next_hop = set.next_hop();
  lost.bytes = set.bytes();
  lost.key = set.key;
  lost.key.is_eligible = false;
  lost.scope = provenance.scope;
  lost.rejected_by = provenance.rejected_by;
  lost.targets = targets.targets;
  lost.targets6 = targets.targets6;
  lost.extras = extras(found);
  Derivation derivation{found, 0, 0};
  id = add(set.peer, set.generation, hash, lost, &derivation, AttributeSet::kLost);
  ++sets_[found]->refs;
  return id;
}

void AttributeStore::set_round(AttributeId id, std::uint32_t round) {
  AttributeSet& set = *sets_[id];
  Derivation d = set.derivation();
  d.round = round;
  std::memcpy(reinterpret_cast<std::uint8_t*>(&set + 1) + set.next_hop_length + set.length, &d, sizeof d);
}

void AttributeStore::free_set(AttributeId id) {
  AttributeSet* set = sets_[id];
  if (observer_ != nullptr) observer_->set_freed(id);
  index_.erase(set->hash, id);
  provenances_.drop_ref(set->provenance);
  if (set->key.has_extras) extras_.erase(id);
  std::optional<AttributeId> received;
  if (set->is_derived()) received = set->derivation().received;
  release(account_, MemoryKind::attributes, set, bytes_of(*set));
  sets_.remove(id);
  if (received) drop_refs(*received, 1);
}

}  // namespace helio::rib

// EvpnKeys: the keys of EVPN routes (RFC 7432 §7), interned to dense ids. The RIB stores prefixes of at most sixteen octets;
// an EVPN key is longer and has no order that matters, so a route table of EVPN is a tree of ids, which a leaf keeps in two
// octets each. A key has a reference per prefix and tombstone that names it. Keys do not contain the RD.
//
// Bytes per key: an entry of 24 octets, its octets, a slot of the index.
#pragma once
#include <optional>

#include "rib/chunked_array.hpp"
#include "rib/hash_index.hpp"
#include "rib/prefix_tree.hpp"
#include "rr/wire/evpn_nlri.hpp"

namespace helio::rib {

class EvpnKeys {
 public:
  explicit EvpnKeys(MemoryAccount& account) : account_(account), entries_(account, MemoryKind::directory), index_(account) {}
  ~EvpnKeys();
  EvpnKeys(const EvpnKeys&) = delete;
  EvpnKeys& operator=(const EvpnKeys&) = delete;

  // The id of the key of an entry, made if new. The caller holds one reference.
  std::uint32_t acquire(const wire::EvpnNlri& nlri);
  std::optional<std::uint32_t> find(const wire::EvpnNlri& nlri) const;
  void add_ref(std::uint32_t id) { ++entries_[id].refs; }
  void drop_ref(std::uint32_t id);
  std::size_t size() const { return index_.size(); }

  std::uint8_t type(std::uint32_t id) const { return entries_[id].octets[0]; }
  Bytes key(std::uint32_t id) const { return Bytes(entries_[id].octets + 1, entries_[id].size - 1u); }
  bool has_rd(std::uint32_t id) const { return entries_[id].has_rd; }
  std::uint8_t withdrawn_payload(std::uint32_t id) const { return entries_[id].withdrawn_payload; }

  // Ids as keys of a prefix tree, and back.
  static PrefixKey<Address6> tree_key(std::uint32_t id) { return {Address6{id} << 96, 32}; }
  static std::uint32_t id_of(Address6 address) { return static_cast<std::uint32_t>(address >> 96); }

 private:
  struct Entry {
    std::uint8_t* octets = nullptr;  // the route type, then the key
    std::uint32_t refs = 0;
    std::uint8_t size = 0;
    std::uint8_t withdrawn_payload = 0;
    bool has_rd = false;
  };
  static std::uint64_t hash_of(std::uint8_t type, Bytes key);

  MemoryAccount& account_;
  ChunkedArray<Entry, 1024> entries_;
  HashIndex index_;
};

}  // namespace helio::rib

// What the families of one RIB shard share: accounting, stores, peers, the turn. One per shard, its thread only.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "rib/attribute_store.hpp"
#include "rib/memory.hpp"
#include "rib/next_hops.hpp"
#include "rib/path.hpp"
#include "rib/path_ids.hpp"
#include "rib/provenance.hpp"
#include "rr/wire/types.hpp"

namespace helio::rib {

// What the RIB must know of a peer that announces routes.
struct RibPeer {
  wire::IpAddress address;
  std::uint32_t generation = 0;            // counts sessions; paths of older ones are stale
  std::array<std::uint64_t, wire::kFamilyCount> paths{};
  // After a session that is expected back (RFC 4724): paths of generations below are stale, and how many there are.
  std::array<std::uint32_t, wire::kFamilyCount> stale_below{};
  std::array<std::uint64_t, wire::kFamilyCount> stale{};
};

// Label stacks of more than one label: interned, few. In a slice of EVPN the payloads of its routes.
class LabelStackStore {
 public:
  static constexpr std::uint32_t kMost = std::uint32_t{1} << 24;  // distinct ones: what a path has room for
  explicit LabelStackStore(std::uint32_t most = kMost) : most_(most) {}

  // `labels`: 3 octets each, as received. The caller holds one reference. Nothing: it would be one too many.
  std::optional<std::uint32_t> acquire(Bytes labels);
  void add_ref(std::uint32_t id) { ++stacks_[id].refs; }
  void drop_ref(std::uint32_t id);
  Bytes operator[](std::uint32_t id) const { return stacks_[id].labels; }
  std::size_t size() const { return ids_.size(); }

 private:
  struct Stack {
    std::vector<std::uint8_t> labels;
    std::uint32_t refs = 0;
  };
  std::map<std::vector<std::uint8_t>, std::uint32_t> ids_;
  std::vector<Stack> stacks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t most_;
};

// Ends the turn in the middle of applying: a prefix changed twice.
class TurnSealer {
 public:
  virtual ~TurnSealer() = default;
  virtual void seal_turn() = 0;
};

struct RibCounters {
  std::array<std::uint64_t, wire::kFamilyCount> prefixes{}, paths{}, stale{}, best_changes{};  // stale: of paths, RFC 4724
  std::uint64_t duplicates = 0;            // announcements that changed nothing
  std::uint64_t unknown_withdrawals = 0;
  std::uint64_t decisions = 0;
};

struct RibShared {
  explicit RibShared(TurnSealer& turn_sealer, std::uint32_t most_label_stacks = LabelStackStore::kMost)
      : provenances(memory), attributes(memory, provenances), label_stacks(most_label_stacks), sealer(turn_sealer) {}

  MemoryAccount memory;
  ProvenanceStore provenances;
  AttributeStore attributes;
  LabelStackStore label_stacks;
  PathIdStore path_ids;
  DecisionRules rules;
  std::vector<RibPeer> peers;              // by PeerId
  RibCounters counters;
  Stamp turn = 1;                          // the turn being collected
  std::uint32_t now_seconds = 0;           // since start, for ages
  bool keep_tombstones = true;
  std::unique_ptr<NextHops> next_hops;     // null: next hops are not tracked, every one is usable
  TurnSealer& sealer;
};

}  // namespace helio::rib

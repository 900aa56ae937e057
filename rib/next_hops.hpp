// NextHops: the next hops of the attribute sets of one shard, with what is known of the way to each, and the index back
// from a next hop to its sets. There is one only where next hops are tracked; then it costs 8 octets per attribute set
// and nothing per path. Its shard's thread only.
//
//   next hop -> attribute sets -> provenances -> route tables       (what a change of the next hop concerns)
//
// Reachability is a property of the sets that paths hold (AttributeStore::make_lost): a path changes when it gets another
// set. The metric is looked up when paths are compared. So that what a prefix was decided by before is known when it is
// decided anew, new metrics come in rounds: tables that a round has still to go through are decided by the metrics of
// before it, and what changes during a round waits for the next one.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "rib/attribute_store.hpp"
#include "rib/dirty_tables.hpp"

namespace helio::rib {

// The way to a next hop, as the routing below says (RFC 4271 §9.1.2.1: "resolvable", §9.1.2.2 e: "interior cost").
struct NextHopState {
  bool reachable = false;
  std::uint32_t metric = 0;
  bool operator==(const NextHopState&) const = default;
};

// Who knows the way.
class NextHopSource {
 public:
  virtual ~NextHopSource() = default;
  // The present state; from now on changes are told (NextHops::update).
  virtual NextHopState watch(const wire::IpAddress& address) = 0;
  virtual void unwatch(const wire::IpAddress& address) = 0;
};

// The address to look up for a next hop field: of a global and a link-local address the global one; of an IPv4-mapped one
// (RFC 4659 §3.2.1.2, over IPv4 transport) the IPv4 address. Nothing for a field of another length.
std::optional<wire::IpAddress> tracked_address(Bytes next_hop);

class NextHops final : public AttributeObserver {
 public:
  NextHops(MemoryAccount& account, ProvenanceStore& provenances, const AttributeStore& attributes, NextHopSource& source)
      : account_(account), provenances_(provenances), attributes_(attributes), source_(source) {}
  ~NextHops() override;

  void set_added(AttributeId id, const AttributeSet& set) override;
  void set_freed(AttributeId id) override;

  // Sets without a readable next hop count as reachable.
  bool is_reachable(AttributeId id) const { return places_[id].next_hop == kNoId || next_hops_[places_[id].next_hop].reachable; }
  // Of a set in a table (FamilyRib::table_ref). `before`: as it was before the round, wherever the table is.
  std::uint32_t metric(AttributeId id, std::uint32_t table, bool before) const {
    if (places_[id].next_hop == kNoId) return 0;
    const NextHop& next_hop = next_hops_[places_[id].next_hop];
    return before || undecided_.contains(table) ? next_hop.metric_before : next_hop.metric;
  }

  // The way to a next hop is another one.
  // Returns whether it was lost or came back.
  bool update(const wire::IpAddress& address, const NextHopState& state);
  // Tables with paths whose set does not fit the state of their next hop.
  DirtyTables& misfits() { return misfits_; }
  // Tables that the present round of metrics has still to go through. Begins the next round when this one is over.
  DirtyTables& undecided();
  bool has_work() const { return !misfits_.empty() || !undecided_.empty() || !waiting_.empty(); }

  struct View {
    wire::IpAddress address;
    bool reachable = false;
    std::uint32_t metric = 0;
    std::span<const AttributeId> sets;
  };
  std::vector<View> view() const;
  std::size_t size() const { return by_address_.size(); }

 private:
  struct NextHop {
    wire::IpAddress address;
    bool reachable = false;
    std::uint32_t metric = 0, metric_before = 0;
    std::optional<std::uint32_t> metric_wanted;  // in the next round; then it is in waiting_
    std::vector<AttributeId> sets;
  };
  struct Place {
    std::uint32_t next_hop = kNoId, position = 0;
  };
  // What one next hop takes beside its list, by estimate: the map's node and the record.
  static constexpr std::int64_t kBytes = sizeof(NextHop) + 64;
  void mark(const NextHop& next_hop, bool lost_sets, DirtyTables& tables) const;

  MemoryAccount& account_;
  ProvenanceStore& provenances_;
  const AttributeStore& attributes_;
  NextHopSource& source_;
  std::map<wire::IpAddress, std::uint32_t> by_address_;
  std::vector<NextHop> next_hops_;
  std::vector<std::uint32_t> free_;
  std::vector<Place> places_;                    // by AttributeId
  DirtyTables misfits_, undecided_;
  std::vector<std::uint32_t> round_, waiting_;   // next hops of the present round, and those with metric_wanted
};

}  // namespace helio::rib

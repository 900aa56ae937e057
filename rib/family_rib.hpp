// FamilyRib: the Loc-RIB of one VPN family in one shard: RD -> route table -> prefix -> paths, with the best path
// first. Applying announcements and withdrawals writes best-path changes into a ChangeLog; walks and purges go table
// by table. No sockets, no clock; the shard's thread only.
//
// A route table record is 24 octets; a million RDs with one route each must stay cheap.
#pragma once
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "rib/change_log.hpp"
#include "rib/decision.hpp"
#include "rib/evpn_keys.hpp"
#include "rib/prefix_tree.hpp"
#include "rib/rib_shared.hpp"
#include "rib/selection.hpp"

namespace helio::rib {

// One decoded NLRI, ready to apply.
template <class Address>
struct NlriEntry {
  std::uint64_t rd = 0;
  Address address = 0;                 // masked
  std::uint32_t label = 0;             // 24-bit field, or kLabelStack | id (one reference is handed over)
  std::uint32_t path_id = 0;
  const std::uint8_t* wire = nullptr;  // the canonical entry: length octet, labels, RD, prefix
  std::uint8_t wire_length = 0;
  std::uint8_t length = 0;
};

// A prefix that lost a best path, kept while somebody may not have been told.
template <class Address>
struct Tombstone {
  std::uint64_t rd;
  Stamp stamp;
  Address address;
  ProvenanceId before;                 // one reference is held
  std::uint8_t length;
};

// A path of a prefix was announced, or ceased to be, in a view: kept as long as a tombstone would be.
template <class Address>
struct ViewChange {
  std::uint64_t rd;
  Stamp stamp;
  Address address;
  ProvenanceId before;                 // one reference is held; kNoId: nothing that needs a withdrawal
  std::uint32_t path_id;               // as sent, 0 without ADD-PATH
  std::uint8_t length;
  bool announced;
};

// A path with what is known of it, for views and walks.
struct PathRef {
  AttributeId attributes;
  std::uint32_t label;
  std::uint32_t path_id;
  std::uint32_t time;                  // seconds since start; 0 when only the stamp is known
  bool operator==(const PathRef&) const = default;
};
// A path as a view has it: with the path id that it is sent with.
struct SelectedPath {
  PathRef path;
  std::uint32_t sent_id;
};

// What becomes of the attributes of stale paths.
class PathRewriter {
 public:
  virtual ~PathRewriter() = default;
  // The set to have instead (the rewriter holds a reference until its next call), the same one, or kNoId: the path goes.
  virtual AttributeId rewrite(AttributeId id) = 0;
};

// Hears of each path that a purge takes, before it goes.
template <class Address>
class PurgeWitness {
 public:
  virtual ~PurgeWitness() = default;
  virtual void leaving(std::uint64_t rd, const PrefixKey<Address>& key, std::uint32_t path_id) = 0;
};

template <class Address>
class FamilyRib {
 public:
  using Tree = PrefixTree<Address>;
  using Key = PrefixKey<Address>;
  using Entry = NlriEntry<Address>;
  static constexpr bool kIsV6 = sizeof(Address) == 16;

  // With `keys` it is the RIB of EVPN: addresses are ids of keys, labels ids of payloads in the store of label stacks.
  FamilyRib(wire::Family family, RibShared& shared, EvpnKeys* keys = nullptr);
  ~FamilyRib();

  // Applies entries announced by a peer with one attribute set; the caller holds a reference of the set.
  void announce(PeerId peer, AttributeId attributes, std::span<const Entry> entries);
  // Withdrawals: label fields are ignored (RFC 8277 §2.4); unknown prefixes are counted, no error.
  void withdraw(PeerId peer, std::span<const Entry> entries);

  // Brings near what announce() will touch for one prefix, step by step (PrefixTree::Probe): begin for a batch of
  // prefixes, then advance all of them until none has a step left.
  struct Approach {
    std::uint64_t rd = 0;
    Key key{};
    typename Tree::Probe probe{};
    std::uint32_t table = kNoId;
    AttributeId old = 0;
    std::uint8_t stage = 0;
  };
  Approach begin_approach(std::uint64_t rd, const Key& key) const;
  bool advance(Approach& approach) const;

  wire::Family family() const { return family_; }
  ChangeLog& log() { return log_; }
  const ChangeLog& log() const { return log_; }

  // Views: the changes of the paths that a selection takes, beside those of the best path. One per distinct selection
  // that is not plain, while somebody uses it; without any, nothing is done for them.
  std::uint8_t acquire_view(const Selection& selection);
  void release_view(std::uint8_t view);
  std::uint8_t view_limit() const { return static_cast<std::uint8_t>(views_.size()); }
  bool has_view(std::uint8_t view) const { return view < views_.size() && views_[view].users != 0; }
  // Some view ranks paths for itself: what it took before depends on the metrics of then.
  bool has_own_ranking() const {
    return has_views_ && std::any_of(views_.begin(), views_.end(), [](const View& v) { return v.users != 0 && v.selection.reflectable; });
  }
  bool has_path_ids(std::uint8_t view) const { return views_[view].selection.with_path_ids; }
  ChangeLog& view_log(std::uint8_t view) { return views_[view].log; }
  bool has_changes() const;
  std::size_t staged_bytes() const;
  // The paths of a prefix that a selection takes, best first.
  void selected_paths(const Slot& slot, const Selection& selection, std::vector<SelectedPath>& out) const;
  void view_paths(std::uint8_t view, const Slot& slot, std::vector<SelectedPath>& out) const { selected_paths(slot, views_[view].selection, out); }
  // Changes of a view by running number, oldest first: [first, end).
  std::uint64_t first_change(std::uint8_t view) const { return views_[view].trimmed; }
  std::uint64_t end_change(std::uint8_t view) const { return views_[view].trimmed + views_[view].changes.size(); }
  const ViewChange<Address>& change(std::uint8_t view, std::uint64_t number) const { return views_[view].changes[number - views_[view].trimmed]; }
  std::uint64_t change_count() const;

  // Table ids are below this; ids without a table in between are possible.
  std::uint32_t table_limit() const { return tables_.limit(); }
  std::uint32_t table_count() const { return tables_.live(); }
  bool has_table(std::uint32_t table) const { return tables_[table].paths != 0; }
  std::uint32_t paths_in(std::uint32_t table) const { return tables_[table].paths; }
  std::uint64_t rd_of(std::uint32_t table) const { return tables_[table].rd; }
  std::optional<std::uint32_t> find_table(std::uint64_t rd) const;
  // True when the table may hold a path of the provenance; exact.
  bool table_holds(std::uint32_t table, ProvenanceId provenance) const;

  // Visits best paths in order from `from`: visit(key, slot, PathRef) -> bool to go on. Returns whether it ended by
  // itself; no changes meanwhile.
  template <class Visit>
  bool walk_table(std::uint32_t table, Key from, Visit&& visit) const {
    deciding_ = table;
    return tree_.walk(tables_[table].root, from, [&](const Key& key, Slot& slot) { return visit(key, slot, best_of(slot)); });
  }
  // All paths of a slot, best first; the decision's view of them for explain. What compares paths goes by the table last
  // walked or searched.
  void paths_of(const Slot& slot, std::vector<PathRef>& out) const;
  std::vector<DecisionStep> lost_at(const Slot& slot) const;
  const Slot* find(std::uint64_t rd, const Key& key) const;

  // Writes the best path of (rd, key) as announcement into a log of an image; `nlri_label` from the slot.
  // `exports`: for classes with these export policies only; 0: for all. sent_id: the path id (RFC 7911), for logs of views with
  // path ids.
  void stage_announcement(ChangeLog& log, std::uint64_t rd, const Key& key, const PathRef& path, std::uint16_t exports = 0,
                          const std::uint32_t* sent_id = nullptr);
  void stage_withdrawal(ChangeLog& log, std::uint64_t rd, const Key& key, ProvenanceId before, ProvenanceId after,
                        const std::uint32_t* sent_id = nullptr);
  // Releases the references the runs hold and empties the log.
  void clear_log(ChangeLog& log);

  // Removes paths of the peer of generations below `below` from the table, or rewrites their attributes, from `from` on,
  // looking at `limit` prefixes at most (`looked_at` tells at how many). Returns where to go on, or nothing when the
  // table is done.
  std::optional<Key> purge_table(std::uint32_t table, PeerId peer, std::uint32_t below, Key from, std::size_t limit,
                                 PathRewriter* rewriter = nullptr, std::size_t* looked_at = nullptr, PurgeWitness<Address>* witness = nullptr);

  // Gives paths of the table other attribute sets, as policies make them now or as their next hops are, from `from` on, looking
  // at `limit` prefixes at most: as if their peers had announced them so. What a prefix has several of is decided anew. The
  // caller seals before and after. Returns where to go on, or nothing.
  class Reassigner {
   public:
    virtual ~Reassigner() = default;
    // The set the path is to have (possibly the one it has); good until the next call for the same peer.
    virtual AttributeId choose(std::uint64_t rd, const Key& key, AttributeId attributes) = 0;
    // Export policies (a bit each) to whose classes the best path looks different now, though it is the same otherwise.
    // `stamp`: when it last changed otherwise.
    virtual std::uint16_t changed_exports(AttributeId before, AttributeId after, Stamp stamp) = 0;
    // False: it is about next hops, and changed_exports is 0.
    virtual bool judges_exports() const { return true; }
    // True: prefixes were decided by the metrics before the present round (NextHops).
    virtual bool brings_metrics() const { return false; }
  };
  std::optional<Key> reassign_table(std::uint32_t table, Key from, std::size_t limit, Reassigner& reassigner);

  // Tombstones by running number, oldest first: [first, end).
  std::uint64_t first_tombstone() const { return tombstones_trimmed_; }
  std::uint64_t end_tombstone() const { return tombstones_trimmed_ + tombstones_.size(); }
  const Tombstone<Address>& tombstone(std::uint64_t number) const { return tombstones_[number - tombstones_trimmed_]; }
  void trim_tombstones(Stamp up_to);

  static std::uint32_t table_ref(std::uint32_t table) { return table << 1 | (kIsV6 ? 1u : 0u); }

 private:
  static constexpr std::uint32_t kMixed = 0x80000000;
  struct Table {
    std::uint64_t rd = 0;
    typename Tree::Root root;
    std::uint32_t paths = 0;               // of all prefixes
    std::uint32_t provenance = kNoId;      // of all paths, or kMixed | index into mixed_
  };
  static_assert(sizeof(Table) == 24);
  // Provenances of a table that has several, with their number of paths.
  using Mixed = std::map<ProvenanceId, std::uint32_t>;

  struct View {
    Selection selection;
    std::uint32_t users = 0;
    ChangeLog log;
    std::deque<ViewChange<Address>> changes;
    std::uint64_t trimmed = 0;
  };

  struct Best {
    AttributeId attributes = 0;
    std::uint32_t label = 0;
    bool exists = false;
  };

  std::uint32_t table_for(std::uint64_t rd);
  void remove_table(std::uint32_t table);
  void path_added(std::uint32_t table, ProvenanceId provenance);
  void path_removed(std::uint32_t table, ProvenanceId provenance);
  void make_mixed(Table& table);
  void compact(ProvenanceId provenance);

  void announce_existing(std::uint32_t table, const Key& key, Slot& slot, PeerId peer, AttributeId attributes, const Entry& entry);
  void announce_list(std::uint32_t table, const Key& key, Slot& slot, PeerId peer, AttributeId attributes, const Entry& entry);
  void withdraw_one(std::uint32_t table, const Key& key, PeerId peer, std::uint32_t path_id);
  struct Reassigned {
    std::uint32_t index;
    AttributeId to;                        // one reference is held
  };
  void reassign(std::uint32_t table, const Key& key, std::span<const Reassigned> paths, Reassigner& reassigner);
  void emit_exports(std::uint64_t rd, const Key& key, const Best& before, const Best& after, std::uint16_t exports);
  Candidate candidate(AttributeId attributes, std::uint32_t path_id, bool before = false) const;
  void replace_attributes(std::uint32_t table, const Key& key, PeerId peer, std::uint32_t path_id, AttributeId attributes);
  void select(Slot& slot);
  void emit(std::uint64_t rd, const Key& key, Slot* slot, const Best& before, const Best& after, const Entry* entry);
  void note_change(const Slot& slot, const Best& before);
  void begin_run(ChangeLog& log);
  void begin_withdrawals(ChangeLog& log, ProvenanceId before, ProvenanceId after);
  void remember(const Slot& slot) {
    if (has_views_) paths_of(slot, before_);
  }
  void emit_views(std::uint64_t rd, const Key& key, const Slot* slot);
  void emit_view(View& view, std::uint64_t rd, const Key& key);
  void emit_view_exports(std::uint64_t rd, const Key& key, const Slot& slot, Reassigner& reassigner);
  // `before`: by the metrics before the present round.
  void select_from(const std::vector<PathRef>& paths, const Selection& selection, std::vector<SelectedPath>& out, bool before = false) const;
  void trim_changes(View& view, Stamp up_to);
  bool same_content(AttributeId a, AttributeId b) const;
  Best best(const Slot& slot) const { return {best_of(slot).attributes, best_of(slot).label, true}; }
  PathRef best_of(const Slot& slot) const {
    if (!slot.has_list()) return {slot.attributes(), slot.label(), 0, 0};
    const Path& p = slot.list()[0];
    return {p.attributes, p.label, p.path_id, p.time};
  }
  void count_stale(AttributeId attributes);
  void retire(AttributeId attributes);     // one reference, batched over runs of equal ids
  void flush_retired();
  // EVPN only; nothing at all for IPv4.
  void key_named(Address address) {
    if constexpr (kIsV6)
      if (keys_ != nullptr) keys_->add_ref(EvpnKeys::id_of(address));
  }
  void key_forgotten(Address address) {
    if constexpr (kIsV6)
      if (keys_ != nullptr) keys_->drop_ref(EvpnKeys::id_of(address));
  }
  void stage_evpn_announcement(ChangeLog& log, std::uint64_t rd, const Key& key, const PathRef& path, std::uint16_t exports);
  void stage_evpn_withdrawal(ChangeLog& log, std::uint64_t rd, const Key& key, ProvenanceId before, ProvenanceId after);
  void drop_label(std::uint32_t label) {
    if ((label & kLabelStack) != 0) shared_.label_stacks.drop_ref(label & ~kLabelStack);
  }
  ProvenanceId provenance_of(AttributeId id) const { return shared_.attributes[id].provenance; }

  wire::Family family_;
  RibShared& shared_;
  EvpnKeys* keys_;
  Tree tree_;
  ChunkedArray<Table, 1024> tables_;
  HashIndex directory_;
  std::vector<Mixed> mixed_;
  std::vector<std::uint32_t> mixed_free_;
  ChangeLog log_;
  std::deque<Tombstone<Address>> tombstones_;
  std::uint64_t tombstones_trimmed_ = 0;

  std::deque<View> views_;  // stay where they are
  bool has_views_ = false;
  std::vector<PathRef> before_, after_;                     // of the prefix that changes, in order; scratch
  std::vector<SelectedPath> selected_before_, selected_after_;
  boost::unordered_flat_set<std::uint64_t> changed_;        // hashes of prefixes that changed in turn changed_turn_
  Stamp changed_turn_ = 0;
  std::vector<Candidate> candidates_;                       // scratch of select
  std::vector<std::uint32_t> order_;
  std::vector<Path> ranked_;

  mutable std::uint32_t deciding_ = 0;                      // the table whose paths are compared; only the metrics depend on it
  bool brings_metrics_ = false;                             // Reassigner::brings_metrics of what is under way
  mutable typename Tree::Finger finger_;
  std::uint64_t last_rd_ = 0;
  std::uint32_t last_table_ = kNoId;
  AttributeId retired_ = 0;
  std::uint32_t retired_count_ = 0;
};

extern template class FamilyRib<Address4>;
extern template class FamilyRib<Address6>;

}  // namespace helio::rib

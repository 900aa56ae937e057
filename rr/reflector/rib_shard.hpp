// RibShard: one slice of the RIB (both VPN families; or EVPN, which has slices of its own) and its output: applies what peers announce, packs the changes of
// a turn once per encoding class, walks tables for peers that need what is already there, purges lost peers. Its
// output is one ordered stream of messages per session shard. No sockets, no clock; its shard's thread only.
#pragma once
#include <array>
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "rib/family_rib.hpp"
#include "rib/journal.hpp"
#include "rib/packer.hpp"
#include "rr/reflector/admission.hpp"
#include "rr/reflector/mailboxes.hpp"
#include "rr/reflector/next_hop_changes.hpp"
#include "rr/reflector/rib_policy.hpp"
#include "rr/reflector/shard_observer.hpp"
#include "rr/reflector/stale_marker.hpp"
#include "rr/wire/vpn_nlri.hpp"

namespace helio::reflector {

struct RibLimits {
  std::size_t image_bytes = std::size_t{32} << 20;   // of all walks' images not yet sent
  std::size_t walk_bytes = 512 << 10;                // of one walk's
  std::size_t shared_walk_bytes = std::size_t{4} << 20;
  std::size_t walk_entries_per_turn = 40000;         // keeps a turn under 5 ms
  std::size_t purge_entries_per_turn = 20000;
  std::size_t tombstones = 1 << 20;
  std::uint32_t label_stacks = rib::LabelStackStore::kMost;  // distinct ones in a slice; for tests
  RibQuotas quotas;
};

class RibShard final : public rib::TurnSealer {
 public:
  // The stream to a session shard; `local` is handled in place by whoever owns both.
  using Streams = std::vector<std::vector<Message>>;

  // What a slice holds. A slice of EVPN is a slice like the others whose sixteen-octet family is EVPN: what would be an IPv6
  // prefix is the id of a key (rib/evpn_keys.hpp), and its IPv4 family stays empty. It has stores of its own.
  enum class Kind : std::uint8_t { vpn, evpn };

  // How a class with an export policy is encoded.
  class ClassExport;

  RibShard(std::uint32_t self, ShardMailboxes& mailboxes, const RibLimits& limits, std::shared_ptr<const RoutePolicies> policies = nullptr,
           Kind kind = Kind::vpn);
  ~RibShard() override;

  // Before the first route: next hops are followed from the start. The tracker outlives the shard.
  void track_next_hops(nexthop::NextHopTracker& tracker);

  // Before the first route: what changes is written there. The journal outlives the shard.
  void keep_journal(rib::Journal& journal);

  void peer_up(const PeerUp& up);
  void peer_down(const PeerDown& down);
  void peer_purge(const PeerPurge& purge);
  void peer_limits(const PeerLimits& limits);
  void peer_stale_long(const PeerStaleLong& stale);
  void peer_refresh(const PeerRefresh& refresh);
  // `serial`: the same as last time for this peer means the same attributes.
  void announce(PeerId peer, wire::Family family, bool has_path_id, std::uint64_t serial, const rib::CanonicalAttributes& attributes,
                Bytes nlri);
  void withdraw(PeerId peer, wire::Family family, bool has_path_id, Bytes nlri);
  void handle(Message&& message);

  // Looks which batches have ended; before the turn's mail is taken, so that the lag mark of a peer whose queue was dropped is
  // always there before its tombstones are judged.
  void observe_batches();

  // From now on everything is encoded with (or again without) the marks of RFC 8326.
  void set_graceful_shutdown(bool on);
  std::size_t staged_bytes() const { return rib4_.staged_bytes() + rib6_.staged_bytes() + waiting4_.size * 32 + waiting6_.size * 48; }
  void seal_turn() override;
  // For measuring, in microseconds since start: when the first message behind what is staged was read, and what time it is.
  void read_at(std::uint64_t us) {
    if (us != 0 && (read_at_us_ == 0 || us < read_at_us_)) read_at_us_ = us;
  }
  std::uint64_t read_at() const { return read_at_us_; }
  void encoding_begins(std::uint64_t us) { encoded_at_us_ = us; }
  void end_measure() { read_at_us_ = 0; }
  // Purges, seals, walks: bounded. Returns true when work is left that need not wait for anybody.
  // `now_ms`: milliseconds since start.
  bool run_turn(std::uint64_t now_ms);
  // What has been said to each session shard since the last call to clear.
  Streams& streams() { return streams_; }

  rib::RibShared& shared() {
    apply_waiting();
    return shared_;
  }
  const rib::RibShared& shared() const { return shared_; }
  RibPolicy& policy() { return policy_; }
  rib::FamilyRib<rib::Address4>& rib4() {
    apply_waiting();
    return rib4_;
  }
  rib::FamilyRib<rib::Address6>& rib6() {
    apply_waiting();
    return rib6_;
  }
  // What was lately refused here; the session side of the shard notes its own there, too.
  RefusalLog& refusals() { return refusals_; }
  // The UPDATE that a class is sent of a path, encoded now; empty: nothing. `sent_id`: null without ADD-PATH.
  template <class Address>
  std::vector<std::uint8_t> encode(std::uint8_t encoding_class, std::uint64_t rd, const rib::PrefixKey<Address>& key, const rib::PathRef& path,
                                   const std::uint32_t* sent_id);
  const Admission::Discarded& discarded() const { return admission_.discarded(); }
  // Visits each reference of a set that is held for something else than a path (or a set made of it).
  template <class Visit>
  void each_held(Visit&& visit) const {
    for (const Peer& peer : peers_)
      if (peer.serial != 0) visit(peer.attributes);
    policy_.each_held(visit);
    if (next_hops_ != nullptr && next_hops_->held()) visit(*next_hops_->held());
  }
  rib::EvpnKeys& evpn_keys() { return evpn_keys_; }
  session::PeerRole role_of(PeerId peer) const { return peers_[peer.value].role; }
  const PeerIdentity& identity_of(PeerId peer) const { return peers_[peer.value].identity; }
  // Null: nobody watches.
  void observe(ShardObserver* observer) { observer_ = observer; }
  std::size_t walks_in_progress() const { return walks_.size(); }
  // Wall time of stamps, coarse: seconds since start at which the turn was sealed.
  std::uint32_t seconds_of(rib::Stamp stamp) const;

 private:
  struct Peer {
    session::PeerRole role = session::PeerRole::client;
    std::uint32_t cluster_id = 0;
    PeerIdentity identity;
    std::uint64_t serial = 0;
    rib::AttributeId attributes = 0;  // of `serial`; one reference is held when serial != 0
    std::shared_ptr<PeerQuota> quota;
    std::array<std::int64_t, 2> counted{};                      // of our routes by family, in the quota's count
    std::array<std::optional<std::uint32_t>, 2> refresh_since;  // by family: generation at a BoRR whose EoRR is to come
  };
  struct Purge {
    PeerId peer;
    std::uint32_t below;                         // paths of generations below this go
    wire::FamilySet families;
    bool marks = false;                          // as long-lived stale, instead of taking them away
    bool started = false;
    std::uint64_t reassignments = 0;             // as counted when `provenances` was made
    std::vector<rib::ProvenanceId> provenances;  // still to do, last first
    std::vector<std::uint32_t> tables;           // of the one being done
    std::optional<rib::PrefixKey<rib::Address4>> next4;
    std::optional<rib::PrefixKey<rib::Address6>> next6;
  };
  // After a change of policies: first the attribute sets are gone through to see whose results changed, then the tables
  // that may hold them.
  struct Reevaluation {
    Reevaluation() {}  // clang: the initialisers below are not known yet where std::optional asks
    std::shared_ptr<const RoutePolicies> old;
    rib::Stamp since = 0;                        // prefixes that changed later have been sent by the new policies
    rib::AttributeId next_set = 0;
    std::vector<rib::ProvenanceId> provenances;
    bool sets_done = false;
    std::vector<std::uint32_t> tables;           // still to do, last first
    std::optional<rib::PrefixKey<rib::Address4>> next4;
    std::optional<rib::PrefixKey<rib::Address6>> next6;
  };
  // The part of a walk that is about one view.
  template <class Address>
  struct ViewWalk {
    struct PathKey {
      std::uint64_t rd;
      rib::PrefixKey<Address> key;
      std::uint32_t sent_id;
      bool operator==(const PathKey&) const = default;
      friend std::size_t hash_value(const PathKey& k) {
        std::uint64_t h = (k.rd ^ std::uint64_t{k.sent_id} << 20 ^ k.key.length) * 0x9e3779b97f4a7c15;
        h = (h ^ h >> 31 ^ static_cast<std::uint64_t>(k.key.address)) * 0xbf58476d1ce4e5b9;
        if constexpr (sizeof(Address) == 16) h = (h ^ h >> 29 ^ static_cast<std::uint64_t>(k.key.address >> 64)) * 0x94d049bb133111eb;
        return h ^ h >> 32;
      }
    };
    boost::unordered_flat_set<PathKey> said;     // announced in the stream since the walk was armed, or by the catch-up
    std::uint64_t seen = 0;                      // changes up to here are in `said`
    std::uint64_t next = 0;                      // catch-up: next change to look at
  };
  struct Walk {
    WalkRequest request;
    bool started = false;
    std::size_t next_rt_set = 0;
    rib::Stamp armed_at = 0;                     // paths that changed later are in the stream
    std::vector<std::uint32_t> tables;           // table references; for the universe the position counts ids
    std::size_t position = 0;
    std::size_t limit4 = 0, limit6 = 0;          // universe: table ids when it began
    rib::PrefixKey<rib::Address4> next4{};
    rib::PrefixKey<rib::Address6> next6{};
    rib::RtSetId current = rib::kNoId;
    bool tables_done = false;
    std::uint64_t tombstone4 = 0, tombstone6 = 0;
    bool tombstones_started = false;
    std::map<std::uint8_t, ViewWalk<rib::Address4>> views4;  // by view, of classes with one
    std::map<std::uint8_t, ViewWalk<rib::Address6>> views6;
    std::array<bool, 2> plain{true, true};       // by family: somebody takes best paths
  };

  // Announcements of single prefixes wait here for a few more, so that the cache misses of their places in the RIB
  // overlap: churn of random prefixes is nothing but such misses. Whatever else looks at the RIB applies them first.
  template <class Address>
  struct Waiting {
    static constexpr std::size_t kRoom = 16;
    static constexpr std::size_t kWire = 64;           // octets of one entry
    struct Item {
      PeerId peer;
      rib::AttributeId attributes = 0;                 // one reference is held
      rib::NlriEntry<Address> entry;
      typename rib::FamilyRib<Address>::Approach approach;
      std::array<std::uint8_t, kWire> wire;
    };
    std::size_t size = 0;
    std::array<Item, kRoom> items;
  };
  static constexpr std::size_t kFewEntries = 4;        // an UPDATE with more is applied at once

  template <class Address>
  Waiting<Address>& waiting();
  template <class Address>
  void wait(PeerId peer, rib::AttributeId attributes, const rib::NlriEntry<Address>& entry);
  template <class Address>
  void apply_waiting_of();
  void apply_waiting() {
    if (waiting4_.size != 0) apply_waiting_of<rib::Address4>();
    if (waiting6_.size != 0) apply_waiting_of<rib::Address6>();
  }

  template <class Address>
  rib::FamilyRib<Address>& family() {
    if constexpr (sizeof(Address) == 4) return rib4_;
    else return rib6_;
  }
  template <class Address>
  std::vector<rib::NlriEntry<Address>>& gone_of() {
    if constexpr (sizeof(Address) == 4) return gone4_;
    else return gone6_;
  }
  void apply_evpn(PeerId peer, const rib::AttributeId* attributes, Bytes nlri);
  bool holds(wire::Family family) const { return family == rib6_.family() || (kind_ == Kind::vpn && family == rib4_.family()); }
  // The number of this slice among those that a session shard hears from.
  std::uint16_t source_number() const { return static_cast<std::uint16_t>(self_ + (kind_ == Kind::evpn ? mailboxes_.shards() : 0)); }
  template <class Address>
  void apply(PeerId peer, const rib::AttributeId* attributes, bool has_path_id, Bytes nlri);
  template <class Address>
  void refuse_label_stack(PeerId peer, const rib::NlriEntry<Address>& entry);
  template <class Address>
  void announce_by_policy(PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<Address>> entries);
  rib::AttributeId attributes_of(PeerId peer, std::uint64_t serial, const rib::CanonicalAttributes& attributes);
  void forget_attributes(Peer& peer);

  void settle_quota(PeerId peer);
  void report_discards(PeerId peer, wire::Family family, const session::PrefixLimit& limit, PeerQuota& quota);
  void set_stale(rib::RibPeer& peer, wire::Family family, std::uint32_t below, std::uint64_t paths);
  void send_events();
  template <class Address>
  void seal_family(rib::FamilyRib<Address>& rib, wire::Family family);
  template <class Address>
  void seal_log(rib::FamilyRib<Address>& rib, rib::ChangeLog& log, wire::Family family, std::optional<std::uint8_t> view);
  void class_up(const ClassUp& up);
  void class_down(const ClassDown& down);
  void acknowledge(Ack& ack);

  void policy_change(PolicyChange&& change);
  void switch_policies();
  void reevaluate_some();
  template <class Address>
  void reassign_some(std::uint32_t table, std::optional<rib::PrefixKey<Address>>& next);
  void purge(PeerId peer, wire::FamilySet families, std::uint32_t below, bool marks = false);
  bool follow_next_hops();
  template <class Address>
  std::size_t fit_table(std::uint32_t table, std::optional<rib::PrefixKey<Address>>& next, std::size_t budget, bool metrics);
  // The set that fits the state of the next hop; good until the next call.
  rib::AttributeId fit(rib::AttributeId id) { return next_hops_ == nullptr ? id : next_hops_->fit(id); }
  std::size_t purge_some(std::size_t budget);
  template <class Address>
  std::size_t purge_step(Purge& purge, std::uint32_t table, std::optional<rib::PrefixKey<Address>>& next, std::size_t budget);

  bool walk_some();
  bool has_credit(const Walk& walk) const;
  bool walk_slice(Walk& walk, std::size_t& budget);
  bool begin_next(Walk& walk);
  template <class Address>
  bool walk_table(Walk& walk, std::uint32_t table, rib::PrefixKey<Address>& next, std::size_t& budget, std::size_t byte_limit);
  template <class Address>
  static auto& views_of(Walk& walk) {
    if constexpr (sizeof(Address) == 4) return walk.views4;
    else return walk.views6;
  }
  template <class Address>
  void begin_views(Walk& walk);
  template <class Address>
  void follow_views(Walk& walk);
  template <class Address>
  void stage_views(Walk& walk, std::uint64_t rd, const rib::PrefixKey<Address>& key, const rib::Slot& slot);
  template <class Address>
  bool walk_changes(Walk& walk, std::size_t& budget, std::size_t byte_limit);
  template <class Address>
  bool walk_tombstones(Walk& walk, rib::FamilyRib<Address>& rib, std::uint64_t& next, std::size_t& budget, std::size_t byte_limit);
  void flush_images(Walk& walk);
  template <class Address>
  void flush_image(Walk& walk, rib::FamilyRib<Address>& rib, rib::ChangeLog& log, wire::Family family, std::optional<std::uint8_t> view);
  std::size_t image_bytes() const { return image4_.bytes() + image6_.bytes() + view_image_bytes_; }
  rib::ChangeLog& view_image(bool is_v6, std::uint8_t view);
  void trim_tombstones();

  std::uint32_t self_;
  Kind kind_;
  ShardMailboxes& mailboxes_;
  RibLimits limits_;
  rib::RibShared shared_;
  rib::Journal* journal_ = nullptr;                  // null: none is kept
  rib::JournalCause cause_ = rib::JournalCause::update;  // of what is in the logs
  std::unique_ptr<NextHopChanges> next_hops_;        // null: every next hop is usable
  rib::EvpnKeys evpn_keys_{shared_.memory};
  RibPolicy policy_{shared_};
  ShardObserver* observer_ = nullptr;                // null: nobody watches
  rib::FamilyRib<rib::Address4> rib4_;
  rib::FamilyRib<rib::Address6> rib6_;
  rib::Packer packer_;
  std::vector<Peer> peers_;
  struct Class {
    rib::EncodingClass encoding;
    std::uint32_t session_shards = 0;              // that have peers of the class
    std::unique_ptr<rib::ExportTransform> transform;  // null: no export policy
    std::array<std::optional<std::uint8_t>, 2> view; // by family; nothing: best paths
  };
  std::vector<Class> classes_;
  bool graceful_shutdown_ = false;
  std::uint64_t now_ms_ = 0;
  std::uint64_t read_at_us_ = 0, encoded_at_us_ = 0;
  Waiting<rib::Address4> waiting4_;
  Waiting<rib::Address6> waiting6_;
  std::deque<Purge> purges_;
  std::uint64_t reassignments_ = 0;              // parts of tables whose paths may have got other sets
  StaleMarker marker_;
  RefusalLog refusals_;
  Admission admission_;
  std::deque<Walk> walks_;
  std::optional<Reevaluation> reevaluation_;
  std::vector<PolicyChange> policy_changes_;         // of the session shards that said so, until all have
  rib::ChangeLog image4_, image6_;
  std::array<std::deque<rib::ChangeLog>, 2> view_images_;  // by family and view
  std::size_t view_image_bytes_ = 0;
  std::vector<rib::SelectedPath> selected_;          // scratch
  Streams streams_;
  std::vector<rib::NlriEntry<rib::Address4>> entries4_, gone4_;
  std::vector<rib::NlriEntry<rib::Address6>> entries6_, gone6_;
  std::deque<std::array<std::uint8_t, 64>> fixups_;  // entries whose host bits were set, rewritten

  std::vector<std::optional<rib::Stamp>> lag_marks_; // by session shard
  bool tombstones_full_ = false;
  std::deque<std::pair<rib::Stamp, std::shared_ptr<rib::BatchLife>>> alive_;  // change batches not yet sent by all
  // Ids that session shards have yet to forget, with the number that did.
  std::vector<std::pair<rib::ProvenanceId, std::uint32_t>> retiring_;
  std::vector<std::pair<rib::RtSetId, std::uint32_t>> retiring_sets_;
  struct TurnTime {
    rib::Stamp stamp;
    std::uint32_t seconds;
  };
  std::vector<TurnTime> turn_times_;                 // coarser with age, bounded
  void note_time();
};

}  // namespace helio::reflector

#include "rr/reflector/rib_shard.hpp"

#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/base/vectors.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using wire::Family;

RibShard::RibShard(std::uint32_t self, ShardMailboxes& mailboxes, const RibLimits& limits, std::shared_ptr<const RoutePolicies> policies, Kind kind)
    : self_(self), kind_(kind), mailboxes_(mailboxes), limits_(limits), shared_(*this, limits.label_stacks), rib4_(Family::vpnv4, shared_),
      rib6_(kind == Kind::evpn ? Family::evpn : Family::vpnv6, shared_, kind == Kind::evpn ? &evpn_keys_ : nullptr),
      packer_(shared_.attributes), marker_(shared_, policy_), admission_(shared_, limits.quotas, mailboxes.rt_set_counts(), refusals_), streams_(mailboxes.shards()), lag_marks_(mailboxes.shards()) {
  if (policies != nullptr) policy_.set(std::move(policies));
}

RibShard::~RibShard() = default;

class RibShard::ClassExport final : public rib::ExportTransform {
 public:
  ClassExport(RibPolicy& policy, std::uint8_t number) : policy_(policy), number_(number) {}
  bool apply(const rib::AttributeSet& set, Result& out) override {
    const RoutePolicies* policies = policy_.policies();
    if (policies == nullptr || std::ranges::find(policies->exports(), number_) == policies->exports().end()) return true;  // soon
    if (!policy_.export_outcome(*policies, number_, set, outcome_)) return false;
    out.keeps_med = outcome_.sets_med;
    if (outcome_.changed) {
      out.next_hop = outcome_.next_hop;
      out.attributes = outcome_.bytes;
    }
    return true;
  }

 private:
  RibPolicy& policy_;
  std::uint8_t number_;
  PolicyOutcome outcome_;
};

// --- Peers and their routes -----------------------------------------------------------------------------------------

void RibShard::keep_journal(rib::Journal& journal) {
  journal_ = &journal;
  rib4_.log().keep_notes();
  rib6_.log().keep_notes();
}

void RibShard::peer_up(const PeerUp& up) {
  if (journal_ != nullptr) journal_->know_peer(up.peer, up.address);
  grown(shared_.peers, up.peer.value).address = up.address;
  Peer& peer = grown(peers_, up.peer.value);
  peer.role = up.role;
  peer.cluster_id = up.cluster_id;
  peer.quota = up.quota;
  peer.identity = up.identity;
  peer.counted = {};
  policy_.peer_up(up.peer, up.group, {up.address, up.role});
  settle_quota(up.peer);  // what was kept over a restart, and what is still being purged
}

// The shared count begins at nothing; every slice adds what it holds. Nothing that is there already goes.
void RibShard::peer_limits(const PeerLimits& limits) {
  Peer& peer = grown(peers_, limits.peer.value);
  peer.quota = limits.quota;
  peer.counted = {};
  settle_quota(limits.peer);
}

void RibShard::forget_attributes(Peer& peer) {
  if (peer.serial != 0) {
    policy_.forget(shared_.attributes[peer.attributes].peer);
    shared_.attributes.drop_refs(peer.attributes, 1);
  }
  peer.serial = 0;
}

void RibShard::peer_down(const PeerDown& down) {
  apply_waiting();
  forget_attributes(grown(peers_, down.peer.value));
  // Everything the peer announced is older than its generation now; the purge takes it away in slices, and what a new
  // session announces meanwhile replaces it in place.
  rib::RibPeer& peer = grown(shared_.peers, down.peer.value);
  ++peer.generation;
  peers_[down.peer.value].refresh_since = {};
  wire::FamilySet gone;
  for (Family f : {rib4_.family(), rib6_.family()}) {
    std::size_t i = wire::index(f);
    std::uint32_t stale_before = peer.stale[i] == 0 ? 0 : peer.stale_below[i];
    if (!down.kept.contains(f)) {
      gone.insert(f);
      set_stale(peer, f, 0, 0);
      continue;
    }
    // RFC 4724 §4.2: "To deal with possible consecutive restarts, a route (from the peer) previously marked as stale
    // MUST be deleted."
    if (stale_before != 0 && !down.kept_older.contains(f)) purge(down.peer, wire::FamilySet::of(f), stale_before);
    set_stale(peer, f, peer.generation, peer.paths[i]);
  }
  if (!gone.empty()) purge(down.peer, gone, peer.generation);
}

void RibShard::peer_purge(const PeerPurge& order) {
  rib::RibPeer& peer = grown(shared_.peers, order.peer.value);
  if (!order.only_stale) {
    forget_attributes(grown(peers_, order.peer.value));
    ++peer.generation;
  }
  for (Family f : {rib4_.family(), rib6_.family()}) {
    std::size_t i = wire::index(f);
    if (!order.families.contains(f)) continue;
    if (!order.only_stale) purge(order.peer, wire::FamilySet::of(f), peer.generation);
    else if (peer.stale[i] != 0) purge(order.peer, wire::FamilySet::of(f), peer.stale_below[i]);
    set_stale(peer, f, 0, 0);
  }
}

void RibShard::set_stale(rib::RibPeer& peer, Family family, std::uint32_t below, std::uint64_t paths) {
  std::size_t i = wire::index(family);
  shared_.counters.stale[i] += paths - peer.stale[i];
  peer.stale_below[i] = below;
  peer.stale[i] = paths;
}

void RibShard::peer_stale_long(const PeerStaleLong& order) {
  const rib::RibPeer& peer = grown(shared_.peers, order.peer.value);
  for (Family f : {rib4_.family(), rib6_.family()})
    if (order.families.contains(f) && peer.stale[wire::index(f)] != 0)
      purge(order.peer, wire::FamilySet::of(f), peer.stale_below[wire::index(f)], true);
}

void RibShard::purge(PeerId peer, wire::FamilySet families, std::uint32_t below, bool marks) {
  Purge& p = purges_.emplace_back();
  p.peer = peer;
  p.below = below;
  p.families = families;
  p.marks = marks;
}

void RibShard::peer_refresh(const PeerRefresh& refresh) {
  apply_waiting();
  Peer& peer = grown(peers_, refresh.peer.value);
  if (!holds(refresh.family)) return;
  std::optional<std::uint32_t>& since = peer.refresh_since[refresh.family == rib6_.family() ? 1 : 0];
  if (refresh.begins) {
    // What comes from now on is of a newer generation; equal contents replace the old ones without a change.
    forget_attributes(peer);
    since = ++grown(shared_.peers, refresh.peer.value).generation;
  } else if (since) {
    purge(refresh.peer, wire::FamilySet::of(refresh.family), *since);
    since.reset();
  }
}

void RibShard::handle(Message&& message) {
  if (!std::holds_alternative<Updates>(message)) apply_waiting();
  if (auto* change = std::get_if<PolicyChange>(&message)) {
    policy_change(std::move(*change));
  } else if (auto* updates = std::get_if<Updates>(&message)) {
    read_at(updates->read_at_us);
    if (updates->attributes != nullptr)
      announce(updates->peer, updates->family, updates->has_path_id, updates->serial, updates->attributes->view(), updates->nlri);
    else
      withdraw(updates->peer, updates->family, updates->has_path_id, updates->nlri);
  } else if (auto* up = std::get_if<PeerUp>(&message)) {
    peer_up(*up);
  } else if (auto* down = std::get_if<PeerDown>(&message)) {
    peer_down(*down);
  } else if (auto* order = std::get_if<PeerPurge>(&message)) {
    peer_purge(*order);
  } else if (auto* limits = std::get_if<PeerLimits>(&message)) {
    peer_limits(*limits);
  } else if (auto* stale = std::get_if<PeerStaleLong>(&message)) {
    peer_stale_long(*stale);
  } else if (auto* refresh = std::get_if<PeerRefresh>(&message)) {
    peer_refresh(*refresh);
  } else if (auto* request = std::get_if<WalkRequest>(&message)) {
    walks_.emplace_back().request = std::move(*request);
  } else if (auto* cancelled = std::get_if<WalkCancelled>(&message)) {
    std::erase_if(walks_, [&](const Walk& w) {
      return w.request.walk == cancelled->walk && w.request.session_shard == cancelled->session_shard;
    });
  } else if (auto* class_up = std::get_if<ClassUp>(&message)) {
    this->class_up(*class_up);
  } else if (auto* class_down = std::get_if<ClassDown>(&message)) {
    this->class_down(*class_down);
  } else if (auto* mark = std::get_if<LagMark>(&message)) {
    lag_marks_[mark->session_shard] = mark->since;
    tombstones_full_ = false;
  } else if (auto* ack = std::get_if<Ack>(&message)) {
    acknowledge(*ack);
  } else {
    HELIO_CHECK(false, "message is not for a RIB shard");
  }
}

// What is staged and not yet encoded counts as later, too.
void RibShard::set_graceful_shutdown(bool on) {
  graceful_shutdown_ = on;
  for (Class& c : classes_) c.encoding.graceful_shutdown = on;
}

void RibShard::class_up(const ClassUp& up) {
  // What was staged before is not owed to the class's peers: they are armed later in the stream. RT sets that only paths
  // have which nobody was sent yet (not the best ones) are defined before, too: the new class's peers ask for them by a walk.
  seal_turn();
  send_events();
  Class& c = grown(classes_, up.id);
  c.encoding = up.encoding;
  c.encoding.graceful_shutdown = graceful_shutdown_;
  if (c.encoding.export_policy != 0 && c.transform == nullptr) c.transform = std::make_unique<ClassExport>(policy_, c.encoding.export_policy);
  if (c.session_shards++ == 0) {
    const auto& [v4, v6] = c.encoding.selection;
    if (!v4.is_plain()) c.view[0] = rib4_.acquire_view(v4);
    if (!v6.is_plain() && kind_ == Kind::vpn) c.view[1] = rib6_.acquire_view(v6);
  }
  streams_[up.session_shard].push_back(ClassReady{up.id});
}

void RibShard::class_down(const ClassDown& down) {
  Class& c = grown(classes_, down.id);
  if (--c.session_shards != 0) return;
  if (c.view[0]) rib4_.release_view(*c.view[0]);
  if (c.view[1]) rib6_.release_view(*c.view[1]);
  c.view = {};
}

template <class Address>
std::vector<std::uint8_t> RibShard::encode(std::uint8_t encoding_class, std::uint64_t rd, const rib::PrefixKey<Address>& key, const rib::PathRef& path,
                                           const std::uint32_t* sent_id) {
  if (encoding_class >= classes_.size() || classes_[encoding_class].session_shards == 0) return {};
  const Class& c = classes_[encoding_class];
  rib::ChangeLog log;
  family<Address>().stage_announcement(log, rd, key, path, 0, sent_id);
  packer_.sort(log);
  rib::BatchRef batch = packer_.pack(log, family<Address>().family(), c.encoding, mailboxes_.retained(self_).images, c.transform.get());
  std::vector<std::uint8_t> bytes(batch->data(), batch->data() + batch->size());
  family<Address>().clear_log(log);
  return bytes;
}

template std::vector<std::uint8_t> RibShard::encode<Address4>(std::uint8_t, std::uint64_t, const rib::PrefixKey<Address4>&, const rib::PathRef&, const std::uint32_t*);
template std::vector<std::uint8_t> RibShard::encode<Address6>(std::uint8_t, std::uint64_t, const rib::PrefixKey<Address6>&, const rib::PathRef&, const std::uint32_t*);

// --- Turns ----------------------------------------------------------------------------------------------------------

template <class Address>
void RibShard::seal_family(rib::FamilyRib<Address>& rib, Family family) {
  seal_log(rib, rib.log(), family, std::nullopt);
  for (std::uint8_t view = 0; view < rib.view_limit(); ++view)
    if (rib.has_view(view)) seal_log(rib, rib.view_log(view), family, view);
}

// The log of the best paths, or of a view, for the classes that take it.
template <class Address>
void RibShard::seal_log(rib::FamilyRib<Address>& rib, rib::ChangeLog& log, Family family, std::optional<std::uint8_t> view) {
  if (log.empty()) return;
  if (journal_ != nullptr && !view) journal_->write(log, family, cause_);
  packer_.sort(log);
  if (observer_ != nullptr && !view) observer_->on_best_changes(*this, family, log);
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    if (classes_[c].session_shards == 0 || classes_[c].view[rib.kIsV6 ? 1 : 0] != view) continue;
    rib::BatchRef batch = packer_.pack(log, family, classes_[c].encoding, mailboxes_.retained(self_).changes, classes_[c].transform.get());
    batch->encoding_class = static_cast<std::uint8_t>(c);
    batch->stamp = shared_.turn;
    batch->made_at_ms = now_ms_;
    batch->read_at_us = read_at_us_;
    batch->encoded_at_us = encoded_at_us_;
    batch->shard = source_number();
    alive_.emplace_back(shared_.turn, batch->life());
    for (auto& stream : streams_) stream.push_back(Output{batch});
  }
  rib.clear_log(log);
}

void RibShard::seal_turn() {
  apply_waiting();
  if (!rib4_.has_changes() && !rib6_.has_changes()) return;
  send_events();
  seal_family(rib4_, Family::vpnv4);
  seal_family(rib6_, rib6_.family());
  send_events();
  note_time();
  ++shared_.turn;
}

// Definitions go ahead of the batches that use them. What a log still needs is referenced by it, so retirements follow
// the batches by themselves.
void RibShard::send_events() {
  if (!shared_.provenances.has_events()) return;
  Retired retired;
  for (const rib::ProvenanceEvent& event : shared_.provenances.take_events()) {
    using Event = rib::ProvenanceEvent::Kind;
    if (event.kind == Event::rt_set_defined) {
      const rib::RtSet& set = shared_.provenances.rt_set(event.id);
      for (auto& stream : streams_) stream.push_back(RtSetDefined{event.id, set.targets, set.targets6});
    } else if (event.kind == Event::provenance_defined) {
      const rib::Provenance& p = shared_.provenances.provenance(event.id);
      for (auto& stream : streams_) stream.push_back(ProvenanceDefined{event.id, p.peer, peers_[p.peer.value].role, p.rt_set, p.scope, p.rejected_by, peers_[p.peer.value].cluster_id});
    } else if (event.kind == Event::provenance_retired) {
      retired.provenances.push_back(event.id);
      retiring_.emplace_back(event.id, 0);
    } else {
      retired.rt_sets.push_back(event.id);
      retiring_sets_.emplace_back(event.id, 0);
    }
  }
  if (!retired.provenances.empty() || !retired.rt_sets.empty())
    for (auto& stream : streams_) stream.push_back(retired);
}

void RibShard::acknowledge(Ack& ack) {
  auto count = [&](auto& list, std::uint32_t id) {
    auto at = std::find_if(list.begin(), list.end(), [&](auto& entry) { return entry.first == id; });
    HELIO_CHECK(at != list.end(), "acknowledgement of an id that is not retiring");
    if (++at->second < mailboxes_.shards()) return false;
    *at = list.back();
    list.pop_back();
    return true;
  };
  for (rib::ProvenanceId id : ack.provenances)
    if (count(retiring_, id)) shared_.provenances.release_provenance(id);
  for (rib::RtSetId id : ack.rt_sets)
    if (count(retiring_sets_, id)) shared_.provenances.release_rt_set(id);
}

bool RibShard::run_turn(std::uint64_t now_ms) {
  apply_waiting();
  now_ms_ = now_ms;
  shared_.now_seconds = static_cast<std::uint32_t>(now_ms / 1000);
  std::size_t budget = limits_.purge_entries_per_turn;
  if (journal_ != nullptr && !purges_.empty()) {
    seal_turn();  // what peers said is told apart
    cause_ = rib::JournalCause::purge;
  }
  while (!purges_.empty() && budget > 0) budget -= purge_some(budget);
  seal_turn();
  cause_ = rib::JournalCause::next_hop;
  bool following = next_hops_ != nullptr && follow_next_hops();
  cause_ = rib::JournalCause::policy;
  if (reevaluation_) reevaluate_some();
  cause_ = rib::JournalCause::update;
  admission_.publish(now_ms);
  if (next_hops_ != nullptr) next_hops_->release();
  bool walking = walk_some();
  send_events();
  trim_tombstones();
  return walking || following || !purges_.empty() || reevaluation_;
}

void RibShard::note_time() {
  if (!turn_times_.empty() && turn_times_.back().seconds == shared_.now_seconds) return;
  turn_times_.push_back({shared_.turn, shared_.now_seconds});
  if (turn_times_.size() < 4096) return;
  // Keep every second mark of the older half: ages stay exact to about a thousandth.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < turn_times_.size(); ++i)
    if (i >= turn_times_.size() / 2 || i % 2 == 0) turn_times_[kept++] = turn_times_[i];
  turn_times_.resize(kept);
}

std::uint32_t RibShard::seconds_of(rib::Stamp stamp) const {
  auto after = std::upper_bound(turn_times_.begin(), turn_times_.end(), stamp, [](rib::Stamp s, const TurnTime& t) { return s < t.stamp; });
  return after == turn_times_.begin() ? 0 : std::prev(after)->seconds;
}

// --- Purges ---------------------------------------------------------------------------------------------------------

template <class Address>
std::size_t RibShard::purge_step(Purge& purge, std::uint32_t table, std::optional<rib::PrefixKey<Address>>& next, std::size_t budget) {
  rib::FamilyRib<Address>& rib = family<Address>();
  if (!purge.families.contains(rib.family()) || table >= rib.table_limit() || !rib.has_table(table)) {
    next.reset();
    return 1;
  }
  // Told before it happens: the key of an EVPN route may go with its last path.
  struct Witness final : rib::PurgeWitness<Address> {
    Witness(RibShard& of, PeerId whose) : slice(of), peer(whose) {}
    void leaving(std::uint64_t rd, const rib::PrefixKey<Address>& key, std::uint32_t path_id) override {
      rib::NlriEntry<Address> entry;
      entry.rd = rd;
      entry.address = key.address;
      entry.length = key.length;
      entry.path_id = path_id;
      slice.observer_->on_withdrawn(slice, peer, std::span<const rib::NlriEntry<Address>>(&entry, 1));
    }
    RibShard& slice;
    PeerId peer;
  } witness(*this, purge.peer);
  std::size_t looked_at = 0;
  next = rib.purge_table(table, purge.peer, purge.below, next.value_or(rib::PrefixKey<Address>{}), budget,
                         purge.marks ? &marker_ : nullptr, &looked_at, observer_ != nullptr ? &witness : nullptr);
  return std::max<std::size_t>(looked_at, 1);
}

// A bounded part of the first purge. Returns what it took from the budget, at least 1.
std::size_t RibShard::purge_some(std::size_t budget) {
  Purge& purge = purges_.front();
  auto list = [&] {
    purge.provenances = shared_.provenances.provenances_of(purge.peer);
    purge.reassignments = reassignments_;
  };
  if (!std::exchange(purge.started, true)) list();
  std::size_t used = 0;
  while (used < budget) {
    if (purge.tables.empty()) {
      if (purge.provenances.empty() && purge.reassignments != reassignments_) {
        list();  // paths may have moved to provenances that were not there, or were done
        ++used;
        continue;
      }
      if (purge.provenances.empty()) {
        settle_quota(purge.peer);
        if (purge.marks) marker_.forget();
        purges_.pop_front();
        return used + 1;
      }
      purge.tables = shared_.provenances.tables_of(purge.provenances.back());
      purge.provenances.pop_back();
      ++used;
      continue;
    }
    std::uint32_t ref = purge.tables.back();
    bool done;
    if ((ref & 1) != 0) {
      used += purge_step<Address6>(purge, ref >> 1, purge.next6, budget - used);
      done = !purge.next6;
    } else {
      used += purge_step<Address4>(purge, ref >> 1, purge.next4, budget - used);
      done = !purge.next4;
    }
    if (done) purge.tables.pop_back();
  }
  return used;
}

void RibShard::observe_batches() {
  while (!alive_.empty() && alive_.front().second->ended.load(std::memory_order_acquire)) alive_.pop_front();
}

void RibShard::trim_tombstones() {
  rib::Stamp keep_after = alive_.empty() ? shared_.turn : alive_.front().first - 1;
  bool behind = false;
  for (const auto& mark : lag_marks_) {
    if (!mark) continue;
    keep_after = std::min(keep_after, *mark);
    behind = true;
  }
  for (const Walk& walk : walks_)
    if (walk.request.kind == WalkRequest::Kind::catch_up) keep_after = std::min(keep_after, walk.request.withdrawn_since);
  for (Walk& walk : walks_) {
    if (!walk.started) continue;
    follow_views<Address4>(walk);
    follow_views<Address6>(walk);
  }
  rib4_.trim_tombstones(keep_after);
  rib6_.trim_tombstones(keep_after);
  std::size_t kept = (rib4_.end_tombstone() - rib4_.first_tombstone()) + (rib6_.end_tombstone() - rib6_.first_tombstone()) +
                     rib4_.change_count() + rib6_.change_count();
  if (behind && kept > limits_.tombstones && !tombstones_full_) {
    tombstones_full_ = true;  // said once until a mark moves
    for (auto& stream : streams_) stream.push_back(TombstonesFull{keep_after});
  }
}

}  // namespace helio::reflector

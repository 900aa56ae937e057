// Distribution: the session side of a shard's output. Knows which local peer wants which RT sets, hands every range of
// every batch to exactly those, asks RIB shards for walks when a peer needs what is already there, and keeps slow peers
// from holding memory. There is no Adj-RIB-Out: what a peer has been sent follows from the stream of each RIB shard,
// its membership, and the point at which it was armed.
//
//   RIB shard r --Output--> deliver(): RT set of a segment -> members (cached per RT set) -> PeerOutput of each
//
// Member of an RT set (per RIB shard):  none -> requested -> armed -> draining -> none
//   requested: a walk was asked for, changes do not flow yet;  armed: changes flow;
//   draining:  the membership ended: withdrawals flow, announcements do not, a walk brings the rest of the withdrawals;
//   drained:   that walk is done, but the withdrawals are not all written: should the queue be dropped, the catch-up
//              brings them; forgotten when the peer has taken everything.
// A peer that wants everything (no RTC, or a default membership) is in `universe` instead and in no RT set.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "rib/hash_seed.hpp"
#include "rib/journal.hpp"
#include "rr/reflector/mailboxes.hpp"
#include "rr/reflector/membership.hpp"
#include "rr/reflector/peer_output.hpp"
#include "rr/session/engine.hpp"
#include "rr/wire/route_refresh.hpp"

namespace helio::reflector {

struct DistributionLimits {
  std::size_t change_bytes = std::size_t{8} << 20;  // of a RIB shard's changes not yet sent: reading stops above
  std::int64_t blocked_walk_bytes = 3 << 20;        // unsent of a walk that several peers share: somebody blocks it
  std::size_t image_bytes = std::size_t{24} << 20;   // of walks: peers that stall are dropped from them above
  std::chrono::milliseconds stall{200};              // its socket took nothing for this long, while others' did: lagging
  std::chrono::milliseconds stall_alone{2000};       // the same, whatever the others do
};

class Distribution {
 public:
  using TimePoint = session::TimePoint;

  Distribution(std::uint32_t self, ShardMailboxes& mailboxes, const DistributionLimits& limits, session::SessionControl& control);
  ~Distribution();

  // Before the first peer: what filters peers is written there.
  void keep_journal(rib::Journal& journal) { journal_ = &journal; }

  void peer_up(const session::EstablishedPeer& info, TimePoint now);
  // Settings that a session takes over while it is up; nothing that the encoding class or the filter depends on.
  void set_settings(PeerId peer, std::shared_ptr<const session::GroupSettings> group);
  void peer_down(PeerId peer);

  // The peer's own RT membership routes.
  void add_membership(PeerId peer, const wire::RtMembership& nlri);
  void remove_membership(PeerId peer, const wire::RtMembership& nlri);
  void rtc_end_of_rib(PeerId peer);
  // External peers with rtc_external_paths: what of their memberships counts comes this way.
  void admit(const RtcAdmission& admission);
  void refresh(PeerId peer, wire::Family family);
  // Peers whose group gets an export policy move to a class of their own: the moves are returned. Each RIB shard says
  // PolicySwitched when it sends for the new classes.
  void start_policies(std::shared_ptr<const RoutePolicies> policies) { policies_ = std::move(policies); }
  std::vector<std::pair<std::uint8_t, std::uint8_t>> set_policies(std::shared_ptr<const RoutePolicies> policies);

  // After our own start nobody is sent VPN routes until the deferral ends.
  void defer() { deferred_ = true; }
  void end_deferral();

  // One message of the stream of RIB shard `from`.
  void handle(std::uint32_t from, Message&& message);
  // Puts ready bytes (End-of-RIB, RT membership routes) behind what is queued.
  void push_bytes(PeerId peer, const rib::BatchRef& bytes);
  // The RT membership routes for a new peer, followed by their End-of-RIB; or the answer to a refresh.
  void push_rtc_image(PeerId peer, const rib::BatchRef& image);
  void push_rtc_refresh(PeerId peer, const rib::BatchRef& image);

  // End of a turn: memberships that changed become walk requests; slow peers are looked after. Requests for RIB
  // shards are then in requests(). Returns when it wants to be called again.
  // `now_ms`: the same moment as batches are stamped with.
  std::optional<TimePoint> run_turn(TimePoint now, std::uint64_t now_ms);
  std::vector<std::vector<Message>>& requests() { return requests_; }
  // The requests are on their way: what was dropped for slow peers may go.
  void requests_sent() { dropped_.clear(); }

  std::size_t gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) const;
  PeerOutput::Written consumed(PeerId peer, std::size_t bytes);
  const PeerOutput* output(PeerId peer) const;

  // For views.
  struct PeerState {
    std::uint64_t queue_bytes = 0;
    std::uint64_t oldest_ms = 0;       // when the oldest queued bytes were made (milliseconds since start); 0: empty
    bool lagging = false, holding = false, wants_everything = false;
    std::size_t rt_interest = 0;
    std::uint8_t encoding_class = 0;
    wire::FamilySet end_of_rib_sent;
  };
  PeerState state(PeerId peer) const;
  const Membership* membership(PeerId peer) const;
  // What of it filters its routes: less than that for external peers with rtc_external_paths.
  const Membership* filter(PeerId peer) const { return find(peer) == nullptr ? nullptr : &find(peer)->membership; }
  // Would a path of this provenance (of RIB shard r) be at the peer?
  bool is_eligible(PeerId peer, std::uint32_t r, rib::ProvenanceId provenance, wire::Family family) const;
  // What stands between a path and a peer, apart from route targets; the first that applies.
  enum class Barrier : std::uint8_t {
    none, own_route, non_client_mesh, export_policy, no_advertise, ineligible, no_export, meshed_cluster, llgr_stale, ipv6_next_hop, too_large
  };
  // How it is with a path of a provenance and a peer, for explain.
  struct Delivery {
    Barrier barrier = Barrier::none;
    bool filtered = false;             // route targets decide
    bool matches = false;              // its filter lets the RT set through
    bool holding = false;              // its RTC End-of-RIB is awaited
    bool deferred = false;             // nobody is sent anything yet after our own start
    bool armed = false;                // changes flow, what was there is queued or sent
    bool lagging = false, catching_up = false;
    std::uint8_t export_policy = 0, encoding_class = 0;
    std::uint64_t queue_bytes = 0, oldest_ms = 0;
  };
  std::optional<Delivery> delivery(PeerId peer, std::uint32_t r, rib::ProvenanceId provenance, wire::Family family) const;
  // Local peers that are sent routes with the RT, each with the membership that asks for it; nothing: no filter.
  std::vector<std::pair<PeerId, std::optional<wire::RtMembership>>> importers(wire::RouteTarget rt) const;
  // Best paths of an RT set of RIB shard r, by provenance -> what each local peer holds of them, added to
  // sent[peer][family].
  using FamilyCounts = std::array<std::uint64_t, wire::kFamilyCount>;
  struct BestCount {
    rib::ProvenanceId provenance;
    std::array<std::uint32_t, 2> best;
  };
  struct RtSetCount {
    rib::RtSetId rt_set;
    std::vector<BestCount> provenances;
  };
  void count_sent(std::uint32_t r, std::span<const RtSetCount> counts, std::vector<FamilyCounts>& sent) const;
  // Local peers whose full-length memberships name the RT; and the peers of each encoding class.
  const boost::unordered_flat_map<std::uint64_t, std::vector<std::uint32_t>, rib::SeededHash>& wanted_by() const { return wanted_by_; }
  const std::vector<std::uint32_t>& class_peers() const { return class_peers_; }
  std::uint64_t lag_events() const { return lag_events_; }
  bool has_work() const { return !to_reconcile_.empty(); }
  std::size_t walks_in_progress() const { return walks_.size(); }

 private:
  enum class MemberState : std::uint8_t { requested, armed, draining, drained };
  struct Member {
    std::uint32_t peer;
    MemberState state;
    bool again = false;               // draining, drained: withdrawals were dropped, it is to be drained once more
  };
  struct RtSetInfo {
    bool defined = false;
    std::vector<std::uint64_t> targets;
    std::vector<Member> members;  // sorted by peer
  };
  struct ProvenanceInfo {
    PeerId source;
    session::PeerRole source_role = session::PeerRole::client;
    rib::RtSetId rt_set = rib::kNoId;
    std::uint8_t scope = 0;
    std::uint16_t rejected_by = 0;
    std::uint32_t source_cluster = 0;
  };
  struct Peer;
  // What is known of one RIB shard's stream.
  struct Source {
    std::vector<RtSetInfo> rt_sets;
    std::vector<ProvenanceInfo> provenances;
    boost::unordered_flat_map<std::uint64_t, std::vector<rib::RtSetId>, rib::SeededHash> by_target;
    std::vector<Peer*> universe;
    rib::Stamp last_stamp = 0;
    // Collected during a turn, by what is asked for.
    std::map<rib::RtSetId, std::vector<std::uint32_t>> announce, withdraw;
    std::vector<std::uint32_t> announce_universe;
    std::optional<rib::Stamp> lag_mark;
    std::vector<std::uint32_t> classes_awaited;  // ClassUp sent, ClassReady not yet back
    bool is_ready(std::uint8_t encoding_class) const { return classes_awaited[encoding_class] == 0; }
  };
  // The state of one peer towards one RIB shard.
  struct Link {
    std::uint8_t encoding_class = 0;  // the peer's, or for a while the one it is moving from
    bool universe = false;            // armed for everything
    bool universe_requested = false;
    bool lagging = false;
    bool catching_up = false;
    bool dirty = false;               // reconcile once the walks under way are done
    std::uint32_t walks = 0;          // requested, not done
    boost::unordered_flat_set<rib::RtSetId> sets;  // of which the peer is a member: a few of all there are
    rib::Stamp routes_since = 0, withdrawn_since = 0;
    // Withdrawals that came as images (of a catch-up, of a membership that ended) may still be queued: should they be dropped, the
    // next catch-up goes back to here. kAllWritten: none are.
    rib::Stamp unwritten_since = kAllWritten;
    static constexpr rib::Stamp kAllWritten = ~rib::Stamp{0};
  };
  // wanted: asked for, waits for its round; running: its round's walks are under way.
  struct Refresh {
    bool wanted = false, running = false;
    std::uint32_t walks = 0;
  };
  // Route refreshes of one family: who asks while a round is under way shares the next one (wire 2.13), so that a storm
  // costs two rounds of walks and encodings, however many ask.
  struct RefreshRound {
    std::vector<std::uint32_t> waiting;  // peers
    std::uint32_t walks = 0;             // under way
  };
  struct Peer {
    session::EstablishedPeer info;
    std::uint8_t encoding_class = 0;
    std::uint8_t export_policy = 0;
    std::optional<std::uint8_t> moving_from;  // class, until every RIB shard has switched
    bool filtered = false;            // negotiated RTC, or is to be sent nothing without it
    bool holding = false;             // RTC negotiated, its End-of-RIB still to come (RFC 4684 §6)
    bool rtc_complete = false;        // that End-of-RIB came, or the wait is over
    bool rtc_image_awaited = false;   // our RT membership routes are not queued yet
    bool has_vpn = false;
    bool initial_done = false;        // the first walks are complete, End-of-RIB is sent
    bool initial_requested = false;
    wire::FamilySet end_of_rib_sent;
    TimePoint hold_until;
    Membership membership;            // the filter
    std::unique_ptr<Membership> said; // external peers with rtc_external_paths: all it sent; `membership` has what is admitted
    std::vector<std::uint64_t> touched;   // RTs added or removed since the last reconcile
    std::vector<wire::RtMembership> touched_partial;  // the same of partial ones
    bool touched_all = false;
    std::uint32_t drained = 0;            // RT sets it is drained of
    bool queued_for_reconcile = false;
    std::vector<Link> links;          // by RIB shard
    std::map<wire::Family, Refresh> refreshes;
    PeerOutput output;
    TimePoint::duration last_progress{0};  // by patience_
    std::uint64_t behind_since_ms = 0;    // when the oldest change was made that was dropped and is not made up for; 0: none
    bool closing = false;                 // asked the session to close
    bool is_lagging() const {
      for (const Link& l : links)
        if (l.lagging) return true;
      return false;
    }
  };
  struct Walk {
    std::uint32_t id = 0;
    std::uint32_t source = 0;
    WalkRequest::Kind kind = WalkRequest::Kind::announce;
    bool universe = false;
    bool refresh = false;
    wire::Family refreshed = wire::Family::vpnv4;
    bool armed = false;
    std::vector<std::uint32_t> peers;                                       // sorted
    std::map<rib::RtSetId, std::vector<std::uint32_t>> targets;             // not universe
    std::map<std::uint32_t, std::vector<rib::RtSetId>> already;             // universe: RT sets a peer had before, sorted
    std::shared_ptr<rib::RetainedBytes> outstanding;
  };

  Peer* find(PeerId id) const { return id.value < peers_.size() ? peers_[id.value].get() : nullptr; }
  Peer* find(std::uint32_t id) const { return id < peers_.size() ? peers_[id].get() : nullptr; }
  static bool is_special(const ProvenanceInfo& p, wire::Family family);
  static Barrier barrier(const Peer& peer, const ProvenanceInfo& p, wire::Family family);
  static bool role_allows(const Peer& peer, const ProvenanceInfo& p, wire::Family family) { return barrier(peer, p, family) == Barrier::none; }
  static Member* member_of(RtSetInfo& set, std::uint32_t peer);
  void add_member(Peer& peer, std::uint32_t r, rib::RtSetId id, MemberState state);
  void remove_member(Peer& peer, std::uint32_t r, rib::RtSetId id);

  void define_rt_set(std::uint32_t r, RtSetDefined&& defined);
  void retire(std::uint32_t r, const Retired& retired);
  void deliver(std::uint32_t r, rib::Batch& batch);
  void deliver_shared(Source& source, rib::Batch& batch);
  void deliver_announcements(Source& source, rib::Batch& batch);
  void deliver_withdrawal(Source& source, rib::Batch& batch, const rib::Segment& segment);
  void deliver_image(std::uint32_t r, Walk& walk, rib::Batch& batch);
  bool has_now(const Peer& peer, std::uint32_t r, const ProvenanceInfo& p, wire::Family family, MemberState up_to) const;
  void push(Peer& peer, rib::Batch& batch, std::uint32_t from, std::uint32_t to);

  void touch_partial(Peer& peer, const wire::RtMembership& nlri);
  void widen(Peer& peer, const wire::RtMembership& nlri);
  void narrow(Peer& peer, const wire::RtMembership& nlri);
  void touch(Peer& peer);
  void release_hold(Peer& peer);
  bool is_initial_pending(const Peer& peer) const;
  void reconcile(Peer& peer);
  void reconcile(Peer& peer, std::uint32_t r);
  void reconcile_all(Peer& peer, std::uint32_t r);
  void reconcile_member(Peer& peer, std::uint32_t r, rib::RtSetId set);
  void leave_universe(Peer& peer, std::uint32_t r);
  void send_requests(std::uint32_t r);
  Walk& new_walk(std::uint32_t r, WalkRequest::Kind kind, bool universe);
  void request(Walk& walk, wire::FamilySet families);
  void walk_armed(std::uint32_t r, std::uint32_t id);
  void walk_done(std::uint32_t r, std::uint32_t id);
  void finish_initial(Peer& peer);
  void start_refreshes(wire::Family family);
  bool may_refresh(const Peer& peer, wire::Family family) const;
  void leave_refresh(Walk& walk);
  void push_refresh_mark(Peer& peer, wire::Family family, wire::RouteRefresh::Subtype subtype);
  rib::EncodingClass encoding_of(const session::EstablishedPeer& info, std::uint8_t export_policy) const;
  void join_class(std::uint8_t id, const rib::EncodingClass& encoding);
  void leave_class(std::uint8_t id);
  void policy_switched(std::uint32_t r);
  rib::BatchRef make_bytes(const std::vector<std::uint8_t>& bytes) const;

  void check_slow();
  void check_lag(std::uint64_t now_ms);
  static std::uint64_t oldest_ms(const Peer& peer);
  void close_slow(Peer& peer);
  void all_written(Peer& peer);
  void make_lagging(Peer& peer, bool drop_images);
  void catch_up(Peer& peer, std::uint32_t r);
  void update_lag_marks();

  rib::Journal* journal_ = nullptr;             // null: none is kept
  std::uint32_t self_;
  ShardMailboxes& mailboxes_;
  DistributionLimits limits_;
  session::SessionControl& control_;
  std::shared_ptr<const RoutePolicies> policies_;
  std::vector<std::uint32_t> switches_awaited_;                            // by RIB shard: policy changes it has not made yet
  std::vector<std::unique_ptr<Peer>> peers_;                               // by PeerId; null: not here or not up
  std::vector<Peer*> up_;
  std::vector<Source> sources_;                                            // by RIB shard
  boost::unordered_flat_map<std::uint64_t, std::vector<std::uint32_t>, rib::SeededHash> wanted_by_;  // RT -> local peers, full-length NLRIs
  std::vector<std::uint32_t> partial_peers_;
  std::vector<std::uint32_t> to_reconcile_;
  std::map<std::uint32_t, Walk> walks_;
  std::uint32_t next_walk_ = 1;
  std::vector<std::uint32_t> class_peers_;                                 // local peers of each encoding class
  std::vector<std::vector<Message>> requests_;
  std::vector<std::uint32_t> holding_;
  bool deferred_ = false;
  std::map<wire::Family, RefreshRound> refresh_rounds_;
  std::map<wire::Family, rib::BatchRef> end_of_rib_;
  std::shared_ptr<rib::RetainedBytes> small_bytes_ = std::make_shared<rib::RetainedBytes>();
  TimePoint next_check_{};
  TimePoint now_{};
  TimePoint::duration patience_{0};                                        // time in which sockets had their turns: what a stall is measured by
  std::uint64_t lag_events_ = 0;
  std::vector<rib::BatchRef> dropped_;
  std::vector<std::uint8_t> source_marks_;                                 // scratch of deliver, by PeerId
};

}  // namespace helio::reflector

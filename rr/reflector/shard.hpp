// Shard: the engine of one thread. Peers that live here come in through on_update; the slice of the RIB that lives here
// is RibShard; what local peers are sent is Distribution; shard 0 also holds the RT membership RIB. This file and
// mailboxes.hpp are the wiring:
//
// EVPN, where it is configured, has slices of its own, a second RibShard per shard: sources beyond the first `shards` ones
// to the distribution, and their messages to other shards go in the same mailboxes between marks (EvpnMail).
//
//   on_update ─► decode, canonicalise ─► by hash(RD, first octet) ─┬─► RibShard here
//                                    │                             └─► mailbox ─► RibShard of another shard
//                                    └─ RT membership ─► Distribution here (filter) and mailbox ─► RtcRib (shard 0)
//   RibShard / RtcRib ─► stream per session shard ─┬─► Distribution here ─► PeerOutput ─► gather()
//                                                  └─► mailbox ─► Distribution of another shard
#pragma once
#include <boost/unordered/unordered_flat_set.hpp>
#include <array>
#include <map>
#include <memory>

#include "rr/base/log_pace.hpp"
#include "rr/reflector/canary.hpp"
#include "rr/reflector/counters.hpp"
#include "rr/reflector/distribution.hpp"
#include "rr/reflector/marked_routes.hpp"
#include "rr/reflector/restart_helper.hpp"
#include "rr/reflector/rib_shard.hpp"
#include "rr/reflector/rtc_rib.hpp"

namespace helio::reflector {

struct EngineSettings {
  Asn local_as = 0;
  std::uint32_t router_id = 0;
  std::uint32_t cluster_id = 0;
  std::vector<std::uint32_t> cluster_ids;   // of peer groups, where they differ from it
  rib::DecisionRules decision;
  DecisionOptions decision_options;
  std::shared_ptr<const wire::RtSlice> slice;        // of the route targets, that is held; null: all
  std::uint32_t shards = 1;
  std::shared_ptr<const RoutePolicies> policies;     // null: none
  nexthop::NextHopTracker* next_hops = nullptr;      // null: every next hop is usable
  bool canary = false;                               // markers are measured (canary.hpp)
  bool evpn = false;                                 // the family is configured somewhere
  RibLimits rib;
  DistributionLimits distribution;
  std::size_t mailbox_bytes = std::size_t{8} << 20;  // of announcements on their way to other shards: reading stops above
  std::size_t journal_bytes = 0;    // of all shards together; 0: no journal
  std::size_t attribute_bytes = 0;  // the most that the attributes of a route may take; 0: no limit
  StartDeferral::Settings start;
};

class Shard final : public session::Engine {
 public:
  using TimePoint = session::TimePoint;

  Shard(ShardId self, const EngineSettings& settings, ShardMailboxes& mailboxes, session::SessionControl& control);
  ~Shard() override;

  void on_established(const session::EstablishedPeer& peer, TimePoint now) override;
  std::optional<wire::Notification> on_update(PeerId peer, Bytes body) override;
  void on_notification(PeerId peer, const wire::Notification& notification, bool is_sent) override;
  std::optional<wire::Notification> on_route_refresh(PeerId peer, const session::RefreshRequest& request) override;
  void on_closed(PeerId peer, session::CloseReason reason) override;
  void on_settings(PeerId peer, const std::shared_ptr<const session::GroupSettings>& group) override;
  void forget(PeerId peer) override;
  bool is_restarting() const override {
    const StartDeferral& start = mailboxes_.start_deferral();
    return start.settings().restarts && !start.is_over();
  }
  bool may_read() const override;
  std::size_t staged_bytes() const override { return rib_.staged_bytes() + (evpn_ != nullptr ? evpn_->staged_bytes() : 0) + sent_bytes_; }
  session::TurnResult run_turn(TimePoint now) override;
  std::size_t gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) override;
  void consumed(PeerId peer, std::size_t bytes) override;
  bool has_output(PeerId peer) const override;
  bool at_message_boundary(PeerId peer) const override;
  Bytes rest_of_message(PeerId peer) const override;

  // For views and tests, on the shard's thread.
  rib::MemoryAccount memory() const;
  RibShard& rib() { return rib_; }
  RibShard* evpn() { return evpn_.get(); }             // null: EVPN is not configured
  // The slice that a source of the distribution is, when it is one of this shard.
  RibShard& rib_of(wire::Family family) { return family == wire::Family::evpn && evpn_ != nullptr ? *evpn_ : rib_; }
  Distribution& distribution() { return distribution_; }
  RtcRib* rtc() { return rtc_.get(); }
  const ShardCounters& counters() const { return counters_; }
  // Null: nobody any more. Who comes late is told of the sessions that are there. It outlives the shard, or is taken away before.
  void observe(ShardObserver* observer);
  const ShardObserver* observer() const { return observer_; }
  rib::Journal* journal() { return journal_.get(); }   // null: none is kept
  void tell(rib::JournalEvent event, PeerId peer, std::string_view text = {}) {
    if (journal_ != nullptr) journal_->write(event, peer, text);
  }
  // The shard that holds a prefix; `first_octet` of the address.
  std::uint32_t owner_of(std::uint64_t rd, std::uint8_t first_octet) const;
  // Other policies are in force from the next turn on; every shard must be told.
  void set_policies(const std::shared_ptr<const RoutePolicies>& policies);
  // A marker sets out; `at`: when that was asked for. Without [telemetry] canary nothing happens.
  void send_canary(TimePoint at);
  struct PeerRecord {
    session::EstablishedPeer info;
    wire::FamilySet end_of_rib_received;
    wire::FamilySet disabled;  // ignored until the session restarts (RFC 7606 §2)
    std::shared_ptr<PeerQuota> quota;
  };
  // Everything to every peer that is here again, as encoded now.
  void send_again();
  // The last thing that was wrong with what the peer sent; outlives the session.
  struct Trouble {
    std::string text;                   // with the attribute
    std::vector<std::uint8_t> message;  // with its header, cut at 4096 octets
  };
  const Trouble* trouble(PeerId peer) const { return peer.value < troubles_.size() ? troubles_[peer.value].get() : nullptr; }
  // Null when the peer is not established here.
  const PeerRecord* peer_record(PeerId peer) const;
  const RestartHelper& restarts() const { return restarts_; }
  // How many marked routes the peer's memberships come from.
  std::size_t marked_routes(PeerId peer) const;
  TimePoint now() const { return now_; }
  TimePoint started() const { return start_; }         // of all shards; {} before the first turn
  std::uint64_t milliseconds_since_start() const { return now_ms_; }

 private:
  struct Peer {
    PeerRecord record;
    wire::UpdateContext context;
    Source source;
    std::uint32_t incarnation = 0;
    // The attributes of the last announcement, as received: equal ones are not looked at again.
    std::vector<std::uint8_t> last_raw;
    std::uint64_t serial = 0;                          // of last_raw; 0: none
    std::shared_ptr<const OwnedAttributes> last_owned; // only with several shards
    bool last_excluded = false;
    Refusal last_refusal = Refusal::count_;            // why, when it was
    // RT memberships from before a restart (RFC 4724) or a BoRR (RFC 7313): those that are not said again until the
    // End-of-RIB or the EoRR are gone.
    std::optional<Membership> not_said_again;
    // By family, near and above its prefix limit: each once a minute at most.
    std::array<std::array<std::optional<TimePoint>, 2>, wire::kFamilyCount> limit_logged;
    wire::FamilySet start_awaits;                      // families whose End-of-RIB our own start waits for
    // RT memberships that the import policy refuses, with their attributes where they are known.
    std::map<wire::RtMembership, std::shared_ptr<const OwnedAttributes>> refused;
    // A peer without RTC whose memberships come from marked routes; the rest is about its last attributes.
    std::unique_ptr<MarkedRoutes> marked;
    bool has_mark = false;
    std::vector<std::uint64_t> marked_targets;
    SessionEnd end;                                    // as far as it is known before it comes
  };

  Peer* find(PeerId id) const { return id.value < peers_.size() ? peers_[id.value].get() : nullptr; }
  static std::shared_ptr<PeerQuota> make_quota(const session::PrefixLimits& limits);
  void note_errors(Peer& peer, const wire::UpdateView& view, Bytes body);
  void note_trouble(PeerId peer, std::string text, Bytes body);
  void disable_family(Peer& peer, wire::Family family);
  bool admits_membership(Peer& peer, const wire::RtMembership& membership);
  void limit_reached(const LimitReached& reached);
  void start_waits_for(Peer& peer);
  void start_no_longer_waits_for(Peer& peer, wire::FamilySet families);
  void run_start();
  void announce(Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach);
  bool same_attributes(const Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach);
  void remember_attributes(Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach);
  void note_oversize(const Peer& peer);
  void note_quotas(std::uint64_t by_rd, std::uint64_t by_rt_set);
  void note_label_stacks(std::uint64_t routes);
  void note_long(std::uint64_t routes);
  void refuse(const Peer& peer, Refusal refusal, wire::Family family, Bytes nlri);  // for explain; nothing else
  void withdraw(Peer& peer, wire::Family family, Bytes nlri, Bytes not_these, bool nlri_is_announcement);
  void receive_memberships(Peer& peer, const wire::UpdateView* view, const wire::ReachView* reach, Bytes nlri);
  void memberships_complete(const Peer& peer);
  template <class Local>
  void route(PeerId peer, wire::Family family, bool has_path_id, bool is_withdrawal, Bytes nlri, std::uint64_t serial,
             const std::shared_ptr<const OwnedAttributes>& attributes, Local&& local);

  void announce_evpn(Peer& peer, const wire::ReachView& reach);
  void withdraw_evpn(Peer& peer, Bytes nlri, Bytes not_these);
  template <class Local>
  void route_evpn(PeerId peer, Bytes nlri, std::uint64_t serial, const std::shared_ptr<const OwnedAttributes>& attributes, Local&& local);
  void receive_refresh_mark(Peer& peer, const session::RefreshRequest& mark);
  void receive_end_of_rib(Peer& peer, wire::Family family);
  void sweep_memberships(Peer& peer);
  void drop_stale(PeerId peer, wire::FamilySet families);
  void run_restarts();
  std::uint64_t microseconds() const;
  std::uint64_t microseconds_at(TimePoint time) const;
  void run_canary();
  void canary_returned(const CanaryMark& mark);
  void seal_and_measure(RibShard& rib);
  void to_rib(std::uint32_t shard, Message&& message);
  void to_evpn(std::uint32_t shard, Message&& message);
  void to_all_ribs(const Message& message);
  void to_rtc(Message&& message);
  void handle_rtc(Message&& message);
  RtcUpdate proxy_memberships(const session::EstablishedPeer& info, std::vector<wire::RtMembership> memberships, bool announced) const;
  void begin_without_rtc(Peer& peer);
  bool take_marked(Peer& peer, const wire::ReachView& reach, bool fresh);
  void unmark(Peer& peer, wire::Family family, Bytes nlri, bool is_withdrawal);
  void follow_marks(Peer& peer, const MarkedRoutes::Changes& changes);
  bool policy_accepts(const Peer& peer, const wire::RtMembership& membership) const;
  void judge_memberships(Peer& peer);
  void dispatch(std::uint32_t source, Message&& message);
  void take_mail();
  bool move_requests();
  bool move_streams();
  void post();
  void publish();

  std::uint32_t self_;
  EngineSettings settings_;
  ShardMailboxes& mailboxes_;
  session::SessionControl& control_;
  RibShard rib_;
  std::unique_ptr<rib::Journal> journal_;              // null: none is kept
  std::unique_ptr<RibShard> evpn_;                     // null: EVPN is not configured
  Distribution distribution_;
  std::unique_ptr<RtcRib> rtc_;                        // shard 0
  ShardObserver* observer_ = nullptr;                  // null: nobody watches
  std::vector<std::unique_ptr<Peer>> peers_;           // by PeerId
  std::vector<std::unique_ptr<Trouble>> troubles_;     // by PeerId
  RestartHelper restarts_;
  std::unique_ptr<Canary> canary_;                     // null: it is off
  std::vector<CanaryMark> marks_;                      // that came in this turn
  std::uint32_t canary_sent_ = 0, canary_back_ = 0;    // numbers
  std::vector<bool> seen_;                             // by PeerId: was there since our start
  bool start_is_over_ = true;
  // RT membership routes of peers that are expected back: nothing for the filter, but they stay in the RTC RIB.
  struct KeptMemberships {
    wire::IpAddress address;
    session::PeerRole role;
    Membership memberships;
  };
  std::map<PeerId, KeptMemberships> kept_memberships_;
  Canonicaliser canonicaliser_;
  rib::CanonicalAttributes canonical_;
  std::uint64_t next_serial_ = 1;
  std::uint32_t next_incarnation_ = 1;
  std::vector<std::vector<Message>> outbox_;           // to other shards
  std::vector<std::vector<Message>> evpn_outbox_;      // the same, to and from slices of EVPN
  std::vector<std::vector<std::uint8_t>> parts_;       // scratch: NLRIs by RIB shard
  std::vector<std::uint8_t> filtered_;                 // scratch
  std::size_t sent_bytes_ = 0;                         // to other shards in this turn
  bool walks_waiting_ = false;
  std::uint64_t routes_limited_ = 0, routes_too_long_ = 0;  // of the RIB's counts, in counters_
  ShardCounters counters_;
  std::array<log::LogPace, 2> oversize_pace_;
  log::LogPace quota_pace_, label_stack_pace_, long_pace_;
  TimePoint start_{};
  TimePoint now_{};
  std::uint64_t now_ms_ = 0;
  std::uint64_t read_at_us_ = 0;                       // of the first UPDATE in this turn; 0: none, or not measured
};

}  // namespace helio::reflector

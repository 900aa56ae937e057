#include "rr/reflector/shard.hpp"

#include <algorithm>

#include "rr/base/check.hpp"

namespace helio::reflector {

using session::PeerRole;
using wire::Family;

namespace {

bool is_of_observer(const Message& message) {
  std::uint32_t walk = 0;
  if (const auto* output = std::get_if<Output>(&message)) walk = output->batch->walk;
  else if (const auto* armed = std::get_if<WalkArmed>(&message)) walk = armed->walk;
  else if (const auto* done = std::get_if<WalkDone>(&message)) walk = done->walk;
  return walk >= kObserverWalk;
}

}  // namespace

Shard::Shard(ShardId self, const EngineSettings& settings, ShardMailboxes& mailboxes, session::SessionControl& control)
    : self_(self.value), settings_(settings), mailboxes_(mailboxes), control_(control), rib_(self.value, mailboxes, settings.rib, settings.policies),
      distribution_(self.value, mailboxes, settings.distribution, control), canonicaliser_(settings.decision_options), outbox_(mailboxes.shards()), evpn_outbox_(mailboxes.shards()), parts_(mailboxes.shards()) {
  if (mailboxes_.has_evpn()) evpn_ = std::make_unique<RibShard>(self_, mailboxes, settings.rib, settings.policies, RibShard::Kind::evpn);
  distribution_.start_policies(settings_.policies);
  if (settings.canary) canary_ = std::make_unique<Canary>();
  if (settings.journal_bytes != 0) {
    const rib::RibShared& shared = std::as_const(rib_).shared();
    journal_ = std::make_unique<rib::Journal>(settings.journal_bytes / mailboxes.shards(), shared.attributes, shared.provenances);
    rib_.keep_journal(*journal_);
    distribution_.keep_journal(*journal_);
  }
  for (RibShard* rib : {&rib_, evpn_.get()}) {
    if (rib == nullptr) continue;
    rib->shared().rules = settings.decision;
    rib->policy().set_options(settings.decision_options);
    if (settings.next_hops != nullptr) rib->track_next_hops(*settings.next_hops);
  }
  settings_.cluster_ids.push_back(settings.cluster_id);
  if (self_ == 0) rtc_ = std::make_unique<RtcRib>(mailboxes, settings.router_id, settings.local_as, settings.decision, settings.slice);
  if (rtc_ != nullptr) rtc_->set_policies(settings.policies);
  if (self_ == 0) mailboxes_.start_deferral().begin(settings.start);
  start_is_over_ = !settings.start.enabled;
  if (start_is_over_) return;
  distribution_.defer();
  if (rtc_ != nullptr) rtc_->defer(true);
}

Shard::~Shard() = default;

void Shard::on_established(const session::EstablishedPeer& info, TimePoint now) {
  now_ = std::max(now_, now);
  run_restarts();  // what is over by now is over
  if (peers_.size() <= info.peer.value) peers_.resize(info.peer.value + 1);
  HELIO_CHECK(peers_[info.peer.value] == nullptr, "peer established twice");
  auto peer = std::make_unique<Peer>();
  peer->record.info = info;
  peer->incarnation = next_incarnation_++;
  peer->context.four_octet_as = info.four_octet_as;
  peer->context.is_external = info.group->role == PeerRole::external;
  peer->context.families = info.families;
  peer->context.add_path_receive = info.add_path_receive;
  peer->context.ipv6_next_hop = info.ipv6_next_hop;
  peer->source = {info.group->role, info.router_id, info.four_octet_as, settings_.router_id, info.group->cluster_id, info.group->local_as,
                  info.group->heeds_graceful_shutdown, settings_.cluster_ids, !info.group->client_to_client};
  peer->source.long_lived_stale = info.group->long_lived_stale_time.count() > 0;
  drop_stale(info.peer, restarts_.established(info));
  peer->record.quota = make_quota(info.group->prefix_limits);
  peer->context.disable_family_on_error = true;
  if (observer_ != nullptr) observer_->on_session_up(info, peer->incarnation);
  to_all_ribs(PeerUp{info.peer, info.address, info.group->role, info.group->name, info.group->cluster_id, peer->record.quota,
                     {peer->incarnation, info.address, info.peer_as, info.router_id, info.add_path_receive}});
  if (journal_ != nullptr) journal_->know_peer(info.peer, info.address);
  tell(rib::JournalEvent::peer_up, info.peer, wire::family_labels(info.families));
  if (!start_is_over_) start_waits_for(*peer);
  bool rtc = info.families.contains(Family::rtc);
  bool vpn = info.families.contains(Family::vpnv4) || info.families.contains(Family::vpnv6) || info.families.contains(Family::evpn);
  if (rtc) {
    RtcGroup group;
    group.role = info.group->role;
    group.local_address = info.local_address;
    group.advertise = info.group->rtc_advertise;
    group.four_octet_as = info.four_octet_as;
    if (group.role == PeerRole::external) {
      group.only = info.peer;
      group.local_as = info.group->local_as;
    }
    std::uint8_t external_paths = group.role == PeerRole::external ? info.group->rtc_external_paths : std::uint8_t{0};
    if (settings_.policies != nullptr) group.export_policy = settings_.policies->export_of(info.group->name);
    to_rtc(RtcJoin{info.peer, peer->incarnation, self_, group, external_paths, info.group->name});
  } else if (vpn) {
    begin_without_rtc(*peer);
  }
  peers_[info.peer.value] = std::move(peer);
  distribution_.peer_up(info, now);
  // Its memberships from before stay the filter, what it says now joins them, until its End-of-RIB (pitfall 1.8).
  auto kept = kept_memberships_.extract(info.peer);
  if (kept.empty()) return;
  for (const wire::RtMembership& nlri : kept.mapped().memberships.all()) distribution_.add_membership(info.peer, nlri);
  find(info.peer)->not_said_again = std::move(kept.mapped().memberships);
  memberships_complete(*find(info.peer));
}

void Shard::on_closed(PeerId id, session::CloseReason reason) {
  Peer* peer = find(id);
  if (peer == nullptr) return;
  peer->end.reason = reason;
  if (observer_ != nullptr) observer_->on_session_down(peer->record.info, peer->incarnation, peer->end);
  if (reason == session::CloseReason::shutdown) {  // the daemon ends: nobody is sent withdrawals just before their Cease
    distribution_.peer_down(id);
    peers_[id.value].reset();
    return;
  }
  if (const Membership* m = distribution_.membership(id); m != nullptr && m->size() != 0 && !peer->record.info.families.contains(Family::rtc))
    to_rtc(proxy_memberships(peer->record.info, m->all(), false));
  const session::EstablishedPeer& info = peer->record.info;
  if (!start_is_over_) start_no_longer_waits_for(*peer, info.families);
  RestartHelper::Loss loss;
  if (info.restart_capable && session::is_restart(reason, info.restart_on_notification)) {
    // A second restart before the End-of-RIB: what was stale before goes (RFC 4724 §4.2).
    if (peer->not_said_again && restarts_.state(id).stale.contains(Family::rtc)) sweep_memberships(*peer);
    loss = restarts_.lost(info);
  } else {
    restarts_.forget(id);
  }
  if (info.families.contains(Family::rtc)) {
    const Membership* memberships = distribution_.membership(id);
    if (memberships != nullptr && memberships->size() != 0) {
      if (loss.kept.contains(Family::rtc)) kept_memberships_[id] = {info.address, peer->source.role, *memberships};
      else to_rtc(RtcUpdate{id, info.address, peer->source.role, nullptr, memberships->all()});
    }
    to_rtc(RtcLeave{id});
  }
  distribution_.peer_down(id);
  peers_[id.value].reset();
  tell(rib::JournalEvent::peer_down, id, session::close_reason_name(reason));
  if (!loss.kept.empty()) tell(rib::JournalEvent::routes_kept, id, wire::family_labels(loss.kept));
  to_all_ribs(PeerDown{id, loss.kept, loss.kept_older});
  if (!loss.long_lived.empty()) to_all_ribs(PeerStaleLong{id, loss.long_lived});
}

void Shard::on_notification(PeerId id, const wire::Notification& notification, bool is_sent) {
  Peer* peer = observer_ != nullptr ? find(id) : nullptr;
  if (peer == nullptr) return;
  peer->end.notification = notification;
  peer->end.is_sent = is_sent;
}

void Shard::observe(ShardObserver* observer) {
  observer_ = observer;
  rib_.observe(observer);
  if (evpn_ != nullptr) evpn_->observe(observer);
  if (observer == nullptr) return;
  for (const auto& peer : peers_)
    if (peer != nullptr) observer->on_session_up(peer->record.info, peer->incarnation);
}

void Shard::send_again() {
  for (const auto& peer : peers_) {
    if (peer == nullptr) continue;
    for (Family family : {Family::vpnv4, Family::vpnv6, Family::evpn}) distribution_.refresh(peer->record.info.peer, family);
  }
}

const Shard::PeerRecord* Shard::peer_record(PeerId id) const {
  const Peer* peer = find(id);
  return peer == nullptr ? nullptr : &peer->record;
}

// --- Policies -------------------------------------------------------------------------------------------------------

void Shard::set_policies(const std::shared_ptr<const RoutePolicies>& policies) {
  settings_.policies = policies;
  std::vector<std::pair<std::uint8_t, std::uint8_t>> moves = distribution_.set_policies(policies);
  move_requests();  // classes that are new
  to_all_ribs(PolicyChange{policies, self_, std::move(moves)});
  if (rtc_ != nullptr) rtc_->set_policies(policies);
  for (auto& peer : peers_)
    if (peer != nullptr && peer->record.info.families.contains(Family::rtc)) judge_memberships(*peer);
}

// --- Turns ----------------------------------------------------------------------------------------------------------

void Shard::to_rib(std::uint32_t shard, Message&& message) {
  if (shard == self_) rib_.handle(std::move(message));
  else outbox_[shard].push_back(std::move(message));
}

void Shard::to_evpn(std::uint32_t shard, Message&& message) {
  if (shard == self_) evpn_->handle(std::move(message));
  else evpn_outbox_[shard].push_back(std::move(message));
}

void Shard::to_all_ribs(const Message& message) {
  for (std::uint32_t s = 0; s < mailboxes_.shards(); ++s) {
    to_rib(s, Message(message));
    if (evpn_ != nullptr) to_evpn(s, Message(message));
  }
}

void Shard::to_rtc(Message&& message) {
  if (rtc_ != nullptr) handle_rtc(std::move(message));
  else outbox_[0].push_back(std::move(message));
}

void Shard::handle_rtc(Message&& message) {
  if (observer_ != nullptr)
    if (const auto* update = std::get_if<RtcUpdate>(&message); update != nullptr && !update->is_proxy) observer_->on_memberships(*update);
  rtc_->handle(std::move(message));
}

// `source`: the shard it came from, beyond the last one for its slice of EVPN.
void Shard::dispatch(std::uint32_t source, Message&& message) {
  switch (message.index()) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7: case 8: case 9: case 10: case 11: case 12: case 13:  // up to Ack
      (source < mailboxes_.shards() ? rib_ : *evpn_).handle(std::move(message));
      break;
    default:
      if (auto* admission = std::get_if<RtcAdmission>(&message)) {
        Peer* peer = find(admission->peer);
        if (peer != nullptr && peer->incarnation == admission->incarnation) distribution_.admit(*admission);
      } else if (auto* output = std::get_if<RtcOutput>(&message)) {
        for (const RtcOutput::Recipient& recipient : output->recipients) {
          Peer* peer = find(recipient.peer);
          if (peer == nullptr || peer->incarnation != recipient.incarnation) continue;
          if (output->kind == RtcOutput::Kind::image) distribution_.push_rtc_image(recipient.peer, output->bytes);
          else if (output->kind == RtcOutput::Kind::refresh) distribution_.push_rtc_refresh(recipient.peer, output->bytes);
          else distribution_.push_bytes(recipient.peer, output->bytes);
        }
      } else if (std::holds_alternative<RtcUpdate>(message) || std::holds_alternative<RtcJoin>(message) ||
                 std::holds_alternative<RtcLeave>(message) || std::holds_alternative<RtcRefresh>(message) ||
                 std::holds_alternative<RtcUnfilteredPeer>(message) || std::holds_alternative<RtcComplete>(message)) {
        handle_rtc(std::move(message));
      } else if (auto* reached = std::get_if<LimitReached>(&message)) {
        limit_reached(*reached);
      } else if (is_of_observer(message)) {
        if (observer_ != nullptr) observer_->on_walk(source, std::move(message));
      } else if (auto* mark = std::get_if<CanaryMark>(&message)) {
        marks_.push_back(std::move(*mark));
      } else {
        distribution_.handle(source, std::move(message));
      }
  }
}
static_assert(std::is_same_v<std::variant_alternative_t<13, Message>, Ack>);

void Shard::take_mail() {
  for (std::uint32_t from = 0; from < mailboxes_.shards(); ++from) {
    if (from == self_) continue;
    std::uint32_t source = from;
    bool measured = false;
    for (Message& m : mailboxes_.take(from, self_)) {
      if (auto* output = std::get_if<Output>(&m); output != nullptr && !measured && output->batch->encoded_at_us != 0) {
        std::uint64_t now = microseconds();
        counters_.observe(LatencyStage::queue, now - std::min(now, output->batch->encoded_at_us));
        measured = true;  // the first one has waited longest
      }
      if (auto* mark = std::get_if<EvpnMail>(&m)) source = mark->begins ? from + mailboxes_.shards() : from;
      else dispatch(source, std::move(m));
    }
  }
}

// What the distribution asks of RIB shards. Returns whether the one here got something.
bool Shard::move_requests() {
  bool local = false;
  auto& requests = distribution_.requests();
  for (std::uint32_t r = 0; r < requests.size(); ++r) {
    std::uint32_t s = r % mailboxes_.shards();
    for (Message& m : std::exchange(requests[r], {})) {
      local = local || s == self_;
      if (r < mailboxes_.shards()) to_rib(s, std::move(m));
      else to_evpn(s, std::move(m));
    }
  }
  return local;
}

// What the RIBs here say to session shards. Returns whether the distribution here got something.
bool Shard::move_streams() {
  bool local = false;
  auto move = [&](std::vector<std::vector<Message>>& streams, std::uint32_t source, std::vector<std::vector<Message>>& outbox) {
    for (std::uint32_t s = 0; s < streams.size(); ++s) {
      if (streams[s].empty()) continue;
      if (s == self_) {
        local = true;
        for (Message& m : std::exchange(streams[s], {})) dispatch(source, std::move(m));
      } else {
        for (Message& m : streams[s]) outbox[s].push_back(std::move(m));
        streams[s].clear();
      }
    }
  };
  move(rib_.streams(), self_, outbox_);
  if (evpn_ != nullptr) move(evpn_->streams(), self_ + mailboxes_.shards(), evpn_outbox_);
  if (rtc_ != nullptr) move(rtc_->streams(), self_, outbox_);
  return local;
}

void Shard::post() {
  for (std::uint32_t s = 0; s < outbox_.size(); ++s) {
    if (!evpn_outbox_[s].empty()) {
      outbox_[s].push_back(EvpnMail{true});
      std::ranges::move(evpn_outbox_[s], std::back_inserter(outbox_[s]));
      outbox_[s].push_back(EvpnMail{false});
      evpn_outbox_[s].clear();
    }
    if (outbox_[s].empty()) continue;
    mailboxes_.send(self_, s, outbox_[s]);
    mailboxes_.wake(s);
  }
  distribution_.requests_sent();
  sent_bytes_ = 0;
}

// Since start; 0 when there is no clock, or before the first turn.
std::uint64_t Shard::microseconds() const { return microseconds_at(control_.clock()); }

std::uint64_t Shard::microseconds_at(TimePoint time) const {
  if (time == TimePoint{} || start_ == TimePoint{}) return 0;
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::max(time, start_) - start_).count()) + 1;
}

void Shard::seal_and_measure(RibShard& rib) {
  std::uint64_t begin = microseconds(), read_at = rib.read_at();
  auto turn = rib.shared().turn;
  rib.encoding_begins(begin);
  rib.seal_turn();
  if (rib.shared().turn == turn || begin == 0) return;
  if (read_at != 0) counters_.observe(LatencyStage::decide, begin - std::min(begin, read_at));
  counters_.observe(LatencyStage::encode, microseconds() - begin);
}

session::TurnResult Shard::run_turn(TimePoint now) {
  if (start_ == TimePoint{}) start_ = mailboxes_.start(now);
  now_ = now;
  now_ms_ = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(std::max(now, start_) - start_).count()) + 1;
  if (journal_ != nullptr) journal_->begin_turn(now_ms_);
  rib_.observe_batches();
  if (evpn_ != nullptr) evpn_->observe_batches();
  run_restarts();
  if (!start_is_over_) run_start();
  take_mail();
  // Changes first: what was there before a membership changed goes out under the old one.
  seal_and_measure(rib_);
  if (evpn_ != nullptr) seal_and_measure(*evpn_);
  if (rtc_ != nullptr) {
    rtc_->run_turn();
    if (std::uint64_t oversize = rtc_->take_oversize(); oversize != 0) counters_.discarded_by_message.add(oversize);
  }
  move_streams();
  if (canary_ != nullptr) run_canary();
  session::TurnResult result;
  result.wake_at = distribution_.run_turn(now, now_ms_);
  if (!start_is_over_) {
    TimePoint at = start_ + mailboxes_.start_deferral().next_time(now - start_);
    result.wake_at = result.wake_at ? std::min(*result.wake_at, at) : at;
  }
  if (auto at = restarts_.next_deadline()) result.wake_at = result.wake_at ? std::min(*result.wake_at, *at) : *at;
  move_requests();
  result.more_work = rib_.run_turn(now_ms_);
  if (evpn_ != nullptr && evpn_->run_turn(now_ms_)) result.more_work = true;
  move_streams();
  // Answers of the streams (acknowledgements, next requests) are taken at once.
  if (move_requests()) result.more_work = true;
  post();
  if (observer_ != nullptr && observer_->on_turn()) result.more_work = true;
  if (distribution_.has_work() || (rtc_ != nullptr && rtc_->has_work())) result.more_work = true;
  walks_waiting_ = distribution_.walks_in_progress() > 0;
  if (!may_read()) {
    TimePoint soon = now + std::chrono::milliseconds(1);  // another shard may be the one that is behind
    result.wake_at = result.wake_at ? std::min(*result.wake_at, soon) : soon;
  }
  counters_.turns.add();
  read_at_us_ = 0;
  rib_.end_measure();
  if (evpn_ != nullptr) evpn_->end_measure();
  publish();
  if (journal_ != nullptr) journal_->end_turn();
  return result;
}

bool Shard::may_read() const {
  for (std::uint32_t r = 0; r < mailboxes_.shards(); ++r)
    if (mailboxes_.retained(r).changes->bytes.load(std::memory_order_relaxed) > static_cast<std::int64_t>(settings_.distribution.change_bytes))
      return false;
  return mailboxes_.shards() == 1 || mailboxes_.pending_bytes(self_) < settings_.mailbox_bytes;
}

std::size_t Shard::gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) { return distribution_.gather(peer, out, max_bytes); }

void Shard::consumed(PeerId peer, std::size_t bytes) {
  if (observer_ != nullptr && observer_->wants_output()) {
    std::array<iovec, 128> parts;  // more than a write has
    observer_->on_sent(peer, std::span(parts).first(distribution_.gather(peer, parts, bytes)), rest_of_message(peer).size());
  }
  PeerOutput::Written written = distribution_.consumed(peer, bytes);
  if (written.read_at_us != 0) {
    std::uint64_t now = microseconds();
    counters_.observe(LatencyStage::total, now - std::min(now, written.read_at_us));
    counters_.observe(LatencyStage::write, now - std::min(now, written.encoded_at_us));
  }
  if (!walks_waiting_) return;
  // Images were sent: walks may go on. Once per turn is enough.
  walks_waiting_ = false;
  control_.wake();
  for (std::uint32_t s = 0; s < mailboxes_.shards(); ++s)
    if (s != self_) mailboxes_.wake(s);
}

bool Shard::has_output(PeerId peer) const {
  const PeerOutput* output = distribution_.output(peer);
  return output != nullptr && !output->empty();
}

bool Shard::at_message_boundary(PeerId peer) const {
  const PeerOutput* output = distribution_.output(peer);
  return output == nullptr || output->at_message_boundary();
}

Bytes Shard::rest_of_message(PeerId peer) const {
  const PeerOutput* output = distribution_.output(peer);
  return output == nullptr ? Bytes() : output->rest_of_message();
}

rib::MemoryAccount Shard::memory() const {
  rib::MemoryAccount sum = rib_.shared().memory;
  if (evpn_ == nullptr) return sum;
  const rib::MemoryAccount& evpn = std::as_const(*evpn_).shared().memory;
  for (std::size_t k = 0; k < rib::kMemoryKinds; ++k) {
    sum.bytes[k] += evpn.bytes[k];
    sum.objects[k] += evpn.objects[k];
  }
  return sum;
}

void Shard::publish() {
  rib::RibCounters sum;
  Admission::Discarded discarded;
  std::uint64_t attribute_sets = 0, rt_sets = 0, walks = 0;
  for (RibShard* rib : {&rib_, evpn_.get()}) {
    if (rib == nullptr) continue;
    const rib::RibShared& shared = rib->shared();
    attribute_sets += shared.attributes.size();
    rt_sets += shared.provenances.rt_set_count();
    walks += rib->walks_in_progress();
    for (std::size_t f = 0; f < wire::kFamilyCount; ++f) {
      sum.prefixes[f] += shared.counters.prefixes[f];
      sum.paths[f] += shared.counters.paths[f];
      sum.best_changes[f] += shared.counters.best_changes[f];
      sum.stale[f] += shared.counters.stale[f];
    }
    discarded.by_rd += rib->discarded().by_rd;
    discarded.by_rt_set += rib->discarded().by_rt_set;
    discarded.by_limit += rib->discarded().by_limit;
    discarded.by_label_stacks += rib->discarded().by_label_stacks;
    discarded.by_length += rib->discarded().by_length;
    sum.decisions += shared.counters.decisions;
    sum.duplicates += shared.counters.duplicates;
    sum.unknown_withdrawals += shared.counters.unknown_withdrawals;
  }
  counters_.attribute_sets.set(attribute_sets);
  counters_.rt_sets.set(rt_sets);
  counters_.memory_bytes.set(static_cast<std::uint64_t>(memory().total_bytes()));
  counters_.walks.set(walks);
  counters_.lag_events.set(distribution_.lag_events());
  if (discarded.by_rd > counters_.discarded_by_rd.get() || discarded.by_rt_set > counters_.discarded_by_rt_set.get()) note_quotas(discarded.by_rd, discarded.by_rt_set);
  counters_.discarded_by_rd.set(discarded.by_rd);
  counters_.discarded_by_rt_set.set(discarded.by_rt_set);
  if (discarded.by_label_stacks > counters_.discarded_by_label_stacks.get()) note_label_stacks(discarded.by_label_stacks);
  counters_.discarded_by_label_stacks.set(discarded.by_label_stacks);
  if (discarded.by_length != routes_too_long_) {
    note_long(discarded.by_length);
    counters_.discarded_by_message.add(discarded.by_length - routes_too_long_);
    routes_too_long_ = discarded.by_length;
  }
  if (discarded.by_limit != routes_limited_) {
    counters_.discarded_by_limit.add(discarded.by_limit - routes_limited_);
    routes_limited_ = discarded.by_limit;
  }
  for (std::size_t f = 0; f < wire::kFamilyCount; ++f) {
    counters_.prefixes[f].set(sum.prefixes[f]);
    counters_.paths[f].set(sum.paths[f]);
    counters_.best_changes[f].set(sum.best_changes[f]);
    counters_.stale_paths[f].set(sum.stale[f]);
  }
  counters_.decisions.set(sum.decisions);
  counters_.duplicates.set(sum.duplicates);
  counters_.unknown_withdrawals.set(sum.unknown_withdrawals);
}

}  // namespace helio::reflector

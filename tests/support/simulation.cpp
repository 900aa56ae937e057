#include "tests/support/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/support/evpn_disguise.hpp"
#include "tests/support/run_script.hpp"

namespace helio::test {

using wire::Family;

// The sessions as the engine of one shard sees them.
class Simulation::Control : public session::SessionControl {
 public:
  explicit Control(Simulation& simulation) : simulation_(simulation) {}
  void output_ready(PeerId peer) override {
    simulation_.peers_[peer.value].is_ready = true;
    simulation_.has_event_ = true;
  }
  void close(PeerId peer, wire::Notification, session::CloseReason reason) override { simulation_.closes_.push_back({peer.value, reason}); }
  void wake() override { simulation_.has_event_ = true; }
  void send_message(PeerId peer, std::vector<std::uint8_t> message) override {
    simulation_.peers_[peer.value].control_messages.push_back(std::move(message));
    simulation_.has_event_ = true;
  }

 private:
  Simulation& simulation_;
};

Simulation::Simulation(const World& world, const EngineFactory& factory)
    : world_(world), oracle_(world.reflector, world.peers), auditor_(world_, oracle_), wake_at_(world.shards) {
  std::vector<session::SessionControl*> controls;
  for (std::uint32_t i = 0; i < world_.shards; ++i) {
    controls_.push_back(std::make_unique<Control>(*this));
    controls.push_back(controls_.back().get());
  }
  for (const PeerSpec& spec : world_.peers) {
    peers_.emplace_back();
    peers_.back().end = std::make_unique<ScriptedPeer>(spec, auditor_, world_.evpn);
  }
  oracle_.set_time(now_);
  if (!world_.policies.empty()) {
    oracle_.set_policies(&world_.policies.front());
    auditor_.policies_changed();
  }
  if (world_.tracks_next_hops) oracle_.track_next_hops();
  for (const auto& [next_hop, metric] : world_.routes) oracle_.set_route(next_hop, metric);
  auditor_.set_tolerant(world_.tiny_limits);
  engines_ = factory(world_, controls);
}

Simulation::~Simulation() = default;

session::EstablishedPeer established_peer(const World& world, std::uint32_t peer, bool preserves) {
  const PeerSpec& spec = world.peers[peer];
  auto group = std::make_shared<session::GroupSettings>();
  group->name = spec.group;
  group->local_as = world.reflector.local_as;
  group->router_id = world.reflector.router_id;
  group->cluster_id = spec.cluster_id != 0 ? spec.cluster_id : world.reflector.cluster_id;
  group->client_to_client = spec.client_to_client;
  group->peer_as = spec.peer_as;
  group->role = spec.role;
  group->families = spec.families;
  group->rtc_advertise = spec.advertise;
  group->rtc_initial_wait = spec.rtc_initial_wait;
  group->rtc_external_paths = static_cast<std::uint8_t>(spec.external_paths);
  group->without_rtc_send_all = spec.without_rtc_send_all;
  group->configured_targets = spec.configured_targets;
  group->marker_community = spec.marker;
  group->next_hop_self = spec.next_hop_self;
  group->add_path_receive = spec.add_path_receive;
  for (Family family : {Family::vpnv4, Family::vpnv6})
    if (spec.add_path_send.contains(family)) group->add_path_send_max[wire::index(family)] = static_cast<std::uint8_t>(spec.send_max);
  group->best_external = spec.best_external;
  group->prefix_limits = spec.prefix_limits;
  group->stale_routes_time = spec.stale_routes_time;
  group->long_lived_stale_time = std::chrono::seconds(spec.long_lived_aware ? 3600 : 0);
  session::EstablishedPeer established;
  established.peer = spec.id;
  established.address = spec.address;
  established.local_address = spec.local_address;
  established.router_id = spec.router_id;
  established.peer_as = spec.peer_as;
  established.families = spec.families;
  established.ipv6_next_hop = spec.ipv6_next_hop;
  established.add_path_receive = spec.add_path_receive;
  established.add_path_send = spec.add_path_send;
  established.four_octet_as = spec.four_octet_as;
  established.route_refresh = true;
  established.enhanced_refresh = spec.enhanced_refresh;
  established.extended_messages = spec.extended_messages;
  established.restart_capable = spec.restart_capable;
  established.graceful_restart = spec.kept_over_restart;
  established.restart_on_notification = spec.notification_restarts;
  established.restart_time = spec.restart_time;
  established.long_lived_capable = spec.long_lived_capable;
  established.long_lived = spec.kept_for_long;
  established.long_lived_time.fill(spec.long_lived_time);
  if (preserves) established.forwarding_preserved = spec.kept_over_restart | spec.kept_for_long;
  if (world.evpn) {
    group->families = established.families = disguised(spec.families);
    for (wire::FamilySet* set : {&established.graceful_restart, &established.long_lived, &established.forwarding_preserved}) *set = disguised(*set);
    std::swap(group->prefix_limits[wire::index(Family::vpnv6)], group->prefix_limits[wire::index(Family::evpn)]);
  }
  established.group = group;
  return established;
}

void Simulation::up(std::uint32_t peer, bool preserves) {
  if (has_failed() || peers_[peer].end->is_up()) return;
  const PeerSpec& spec = world_.peers[peer];
  peers_[peer].end->session_up();
  peers_[peer].is_paused = peers_[peer].is_ready = false;
  session::EstablishedPeer established = established_peer(world_, peer, preserves);
  std::vector<PathKey> before = oracle_.prefixes_of(spec.id);
  oracle_.up(spec.id, now_, revealed(established.forwarding_preserved));
  for (const PathKey& prefix : before)
    if (!oracle_.usable(spec.id, prefix)) auditor_.input_changed(spec.id, prefix);
  auditor_.session_changed(spec.id);
  engine_of(peer).on_established(established, now_);
  process_closes();
}

// Both ends forget the session.
void Simulation::drop(std::uint32_t peer, Ending ending) {
  PeerId id = world_.peers[peer].id;
  std::map<PathKey, std::optional<HeldRoute>> had;
  auto usable = [&](const PathKey& prefix) {
    auto path = oracle_.usable(id, prefix);
    return path ? std::optional(path->route) : std::nullopt;
  };
  for (const PathKey& prefix : oracle_.prefixes_of(id)) had[prefix] = usable(prefix);
  oracle_.down(id, ending);
  for (const auto& [prefix, route] : had) {  // what stays over a restart is no change for anybody
    if (!route || usable(prefix) != route) auditor_.input_changed(id, prefix);
  }
  peers_[peer].end->session_down();
  peers_[peer].is_paused = peers_[peer].is_ready = false;
  peers_[peer].control_messages.clear();
  peers_[peer].rest.clear();
  auditor_.session_changed(id);
}

void Simulation::down(std::uint32_t peer, Ending ending) {
  using session::CloseReason;
  constexpr CloseReason kReasons[] = {CloseReason::tcp_closed, CloseReason::hold_timer_expired, CloseReason::notification_received,
                                      CloseReason::hard_reset, CloseReason::admin_down};
  if (has_failed() || (!peers_[peer].end->is_up() && ending != Ending::taken_down)) return;
  if (peers_[peer].end->is_up()) {
    engine_of(peer).on_closed(world_.peers[peer].id, kReasons[static_cast<std::size_t>(ending)]);
    drop(peer, ending);
  }
  if (ending == Ending::taken_down) forget(peer);
  // Times of the restart count from the engine's next turn: here and now.
  run_shard(peer % world_.shards);
  process_closes();
}

void Simulation::forget(std::uint32_t peer) {
  PeerId id = world_.peers[peer].id;
  std::vector<PathKey> lost = oracle_.prefixes_of(id);
  engine_of(peer).forget(id);
  oracle_.forget(id);
  for (const PathKey& prefix : lost) auditor_.input_changed(id, prefix);
}

void Simulation::process_closes() {
  while (!closes_.empty()) {
    Close close = closes_.back();
    closes_.pop_back();
    if (!peers_[close.peer].end->is_up()) continue;
    bool is_policy = close.reason == session::CloseReason::slow_peer || close.reason == session::CloseReason::out_of_resources;
    if ((!is_policy || !world_.tiny_limits) && close.peer != unknown_) fail(fmt::format("the engine closed peer {}: {}", close.peer, session::close_reason_name(close.reason)));
    ++engine_closes_;
    engine_of(close.peer).on_closed(world_.peers[close.peer].id, close.reason);
    // A reader that is too slow gets a NOTIFICATION, other limits reset hard.
    drop(close.peer, close.reason == session::CloseReason::slow_peer ? Ending::notification : Ending::hard_reset);
    run_shard(close.peer % world_.shards);
  }
}

void Simulation::wait_until_readable(std::uint32_t peer) {
  for (int i = 0; !engine_of(peer).may_read() && !has_failed(); ++i) {
    if (i == 20000) return fail(fmt::format("peer {} is never read again: may_read() stays false", peer));
    round();
  }
}

void Simulation::send(std::uint32_t peer, const NaiveUpdate& update) {
  send_body(peer, encode_body(update, world_.peers[peer].four_octet_as, world_.peers[peer].add_path_receive), update);
}

void Simulation::send_body(std::uint32_t peer, Octets body, const NaiveUpdate& meaning) {
  wait_until_readable(peer);
  if (has_failed() || !peers_[peer].end->is_up()) return;
  apply_to_model(peer, meaning);
  if (world_.evpn) body = disguise_update(body);
  auto error = engine_of(peer).on_update(world_.peers[peer].id, body);
  std::fill(body.begin(), body.end(), 0xa5);  // the engine must not keep references into the caller's buffer
  if (error) fail(fmt::format("peer {}: legal UPDATE refused with {}", peer, wire::format_notification(*error)));
  process_closes();
}

void Simulation::let_in(std::uint32_t peer) {
  check_quiet();
  auditor_.set_silent(true);
  unknown_ = peer;
  up(peer);
}

void Simulation::send_unknown(std::uint32_t peer, Octets body) {
  wait_until_readable(peer);
  if (has_failed() || !peers_[peer].end->is_up()) return;
  auto error = engine_of(peer).on_update(world_.peers[peer].id, body);
  std::fill(body.begin(), body.end(), 0xa5);
  process_closes();
  if (error) down(peer, Ending::hard_reset);
}

void Simulation::refresh_unknown(std::uint32_t peer, const session::RefreshRequest& request) {
  if (has_failed() || !peers_[peer].end->is_up()) return;
  peers_[peer].end->refresh_requested(request.family);
  if (engine_of(peer).on_route_refresh(world_.peers[peer].id, request)) down(peer, Ending::hard_reset);
  process_closes();
}

void Simulation::throw_out(std::uint32_t peer, Ending ending) {
  down(peer, ending);
  settle();
  unknown_.reset();
  auditor_.set_silent(false);
  auditor_.settled();
  check_quiet();
}

// A prefix both withdrawn and announced in one message: the announcement wins (wire 2.6).
void Simulation::apply_to_model(std::uint32_t peer, const NaiveUpdate& update) {
  PeerId id = world_.peers[peer].id;
  std::map<PathKey, std::optional<HeldRoute>> before;
  auto remember = [&](const PathKey& prefix) {
    before.try_emplace(prefix, oracle_.received_from(id, prefix));
  };
  for (const PathKey& prefix : update.withdrawn) {
    remember(prefix);
    if (std::ranges::find(update.announced, prefix, &LabelledPrefix::prefix) == update.announced.end()) oracle_.withdraw(id, prefix);
  }
  for (const LabelledPrefix& entry : update.announced) {
    remember(entry.prefix);
    if (update.broken_origin)
      oracle_.withdraw(id, entry.prefix);
    else
      oracle_.announce(id, entry.prefix, entry.labels, update.attributes);
  }
  for (const auto& [prefix, route] : before) {
    if (oracle_.received_from(id, prefix) != route) auditor_.input_changed(id, prefix);
  }
  const PeerSpec& spec = world_.peers[peer];
  bool membership_changed = spec.marker && !spec.has(Family::rtc) && !before.empty();
  for (const wire::RtMembership& m : update.withdrawn_rtc) membership_changed |= oracle_.withdraw_rtc(id, m);
  for (const wire::RtMembership& m : update.announced_rtc)
    membership_changed |= update.broken_origin ? oracle_.withdraw_rtc(id, m) : oracle_.announce_rtc(id, m, update.attributes);
  if (membership_changed) auditor_.membership_changed(id);
  if (update.end_of_rib) {
    std::vector<PathKey> had = oracle_.prefixes_of(id);
    oracle_.end_of_rib(id, *update.end_of_rib);
    for (const PathKey& prefix : had)
      if (!oracle_.usable(id, prefix)) auditor_.input_changed(id, prefix);
    if (*update.end_of_rib == Family::rtc) auditor_.membership_changed(id);
    auditor_.note_eligibility();
  }
}

void Simulation::send_end_of_rib(std::uint32_t peer, Family family) {
  NaiveUpdate update;
  update.end_of_rib = family;
  send(peer, update);
}

void Simulation::refresh(std::uint32_t peer, Family family) {
  if (has_failed() || !peers_[peer].end->is_up() || !world_.peers[peer].has(family)) return;
  PeerId id = world_.peers[peer].id;
  peers_[peer].end->refresh_requested(family);
  auditor_.refresh_requested(*peers_[peer].end, family);
  if (engine_of(peer).on_route_refresh(id, {.family = world_.evpn ? disguised(family) : family, .subtype = 0})) fail(fmt::format("peer {}: ROUTE-REFRESH refused", peer));
  process_closes();
}

void Simulation::set_policies(std::size_t index) {
  if (has_failed() || index >= world_.policies.size()) return;
  oracle_.set_policies(&world_.policies[index]);
  auditor_.policies_changed();
  engines_->set_policies(index);
  has_event_ = true;
  process_closes();
}

void Simulation::set_route(const wire::IpAddress& next_hop, std::optional<std::uint32_t> metric) {
  if (has_failed()) return;
  auditor_.next_hop_changed(next_hop);  // before: what could be sent until now
  oracle_.set_route(next_hop, metric);
  auditor_.next_hop_changed(next_hop);
  engines_->set_route(next_hop, metric, now_);
  has_event_ = true;
}

void Simulation::advance(std::chrono::milliseconds by) {
  now_ += by;
  std::vector<std::size_t> memberships;
  for (const PeerSpec& spec : world_.peers) memberships.push_back(oracle_.rtc_routes_of(spec.id).size());
  for (const auto& [peer, prefix] : oracle_.set_time(now_)) auditor_.input_changed(peer, prefix);
  for (std::size_t i = 0; i < memberships.size(); ++i)  // only the end of stale ones comes with time
    if (oracle_.rtc_routes_of(world_.peers[i].id).size() != memberships[i]) auditor_.membership_changed(world_.peers[i].id);
  auditor_.note_eligibility();
}

bool Simulation::run_shard(std::uint32_t shard) {
  session::TurnResult result = engines_->shard(shard).run_turn(now_);
  wake_at_[shard] = result.wake_at;
  process_closes();
  peak_memory_ = std::max(peak_memory_, engines_->memory_bytes());
  return result.more_work;
}

// Lets one peer read a random amount, control messages at message boundaries.
bool Simulation::read_peer(std::uint32_t index) {
  Peer& peer = peers_[index];
  PeerId id = world_.peers[index].id;
  if (!peer.end->is_up() || peer.is_paused) return false;
  session::Engine& engine = engine_of(index);
  if (engine.at_message_boundary(id) != peer.end->at_message_boundary()) {
    fail(fmt::format("peer {}: at_message_boundary() is {}", index, engine.at_message_boundary(id)));
    return false;
  }
  bool did_read = false;
  if (peer.end->at_message_boundary()) {
    for (const Octets& message : peer.control_messages) peer.end->receive_message(message);
    did_read = !peer.control_messages.empty();
    peer.control_messages.clear();
    if (peer.end->take_rtc_request()) {
      for (const wire::RtMembership& membership : oracle_.rtc_routes_of(id)) {
        NaiveUpdate again;
        again.reach = Family::rtc;
        again.attributes = oracle_.rtc_route(id, membership);
        again.announced_rtc = {membership};
        send(index, again);
      }
    }
  }
  if (!engine.has_output(id)) {
    peer.is_ready = false;
    return did_read;
  }
  if (!peer.is_ready) {
    fail(fmt::format("peer {} has output but output_ready() was not called", index));
    return false;
  }
  static const std::uint32_t kSizes[] = {5, 100, 1500, 20000, 1000000};
  std::size_t want = 1 + random_.below(kSizes[random_.below(5)]);
  std::array<iovec, 16> parts{};
  std::size_t used = engine.gather(id, std::span<iovec>(parts.data(), 1 + random_.below(16)), want);
  Octets octets;
  for (std::size_t i = 0; i < std::min(used, parts.size()); ++i) {
    auto* data = static_cast<const std::uint8_t*>(parts[i].iov_base);
    octets.insert(octets.end(), data, data + parts[i].iov_len);
  }
  if (octets.empty() || octets.size() > want) {
    fail(fmt::format("peer {}: gather() gave {} octets of at most {} though there is output", index, octets.size(), want));
    return false;
  }
  // A short write: less goes out than was gathered.
  if (random_.percent(20)) octets.resize(1 + random_.below(static_cast<std::uint32_t>(octets.size())));
  std::size_t check = std::min(peer.rest.size(), octets.size());
  if (!std::equal(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(check), peer.rest.begin())) fail(fmt::format("peer {}: rest_of_message() was not what came next", index));
  peer.end->receive(octets);
  engine.consumed(id, octets.size());
  Bytes rest = engine.rest_of_message(id);
  peer.rest.assign(rest.begin(), rest.end());
  if (rest.empty() != peer.end->at_message_boundary()) fail(fmt::format("peer {}: rest_of_message() has {} octets", index, rest.size()));
  process_closes();
  return true;
}

// Every shard once, in random order; some peers read. True when anything moved or will.
bool Simulation::round() {
  if (has_failed()) return false;
  std::vector<std::uint32_t> order(world_.shards);
  for (std::uint32_t i = 0; i < world_.shards; ++i) order[i] = i;
  for (std::uint32_t i = world_.shards; i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
  // Time passes; sometimes enough for a peer that does not read to count as stalled.
  // A stall is measured by turns that pass meanwhile, not by one that is late.
  bool is_busy = false;
  if (random_.percent(world_.tiny_limits ? 25 : 5)) {
    for (int i = 0; i < 7 && !has_failed(); ++i) {
      advance(std::chrono::milliseconds{45});
      for (std::uint32_t shard : order) is_busy |= run_shard(shard);
    }
  }
  advance(std::chrono::milliseconds{random_.below(3)});
  engines_->run_routes(now_);
  is_busy |= has_event_;
  has_event_ = false;
  for (std::uint32_t shard : order) {
    if (random_.percent(15)) {  // an idle thread, descheduled for a while
      is_busy = true;
      continue;
    }
    is_busy |= run_shard(shard);
    for (std::uint32_t peer = shard; peer < peers_.size() && !has_failed(); peer += world_.shards)
      if (random_.percent(70)) is_busy |= read_peer(peer);
      else is_busy = true;
  }
  return is_busy;
}

void Simulation::rounds(std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) round();
}

bool Simulation::settle_turns() {
  bool has_more = false;
  for (std::uint32_t shard = 0; shard < world_.shards && !has_failed(); ++shard) has_more |= run_shard(shard);
  return has_more;
}

void Simulation::finish_removals() {
  for (int i = 0; i < 100; ++i) settle_turns();
}

void Simulation::settle() {
  unsigned idle = 0;
  int jumps = 0;     // of the clock, with nothing else happening: timers may go on for ever
  int unread = 0;    // rounds in which nobody read anything
  bool everybody_reads = std::none_of(peers_.begin(), peers_.end(), [](const Peer& p) { return p.is_paused; });
  for (int i = 0; idle < 3 && !has_failed(); ++i) {
    if (i == 200000) return fail("never quiet: work without end");
    std::optional<session::TimePoint> routes_due = engines_->run_routes(now_);
    bool is_busy = has_event_, has_read = false;
    has_event_ = false;
    for (std::uint32_t shard = 0; shard < world_.shards && !has_failed(); ++shard) is_busy |= run_shard(shard);
    for (std::uint32_t peer = 0; peer < peers_.size() && !has_failed(); ++peer) has_read |= read_peer(peer);
    unread = has_read ? 0 : unread + 1;
    // A peer that does not read may be left behind and tried again for as long as it likes.
    if (!everybody_reads && unread > 400) return;
    if (is_busy || has_read) {
      advance(std::chrono::milliseconds{1});
      idle = jumps = 0;
      continue;
    }
    ++idle;
    if (routes_due) {
      advance(std::chrono::ceil<std::chrono::milliseconds>(*routes_due - now_));
      idle = 0;
      continue;
    }
    for (const auto& wake_at : wake_at_)
      if (wake_at && *wake_at > now_ && *wake_at <= now_ + std::chrono::seconds{1} && jumps < 30) {
        advance(std::chrono::ceil<std::chrono::milliseconds>(*wake_at - now_));
        ++jumps;
        idle = 0;
        break;
      }
  }
}

Outcome Simulation::outcome() const {
  Outcome out;
  out.failure = auditor_.failure();
  for (const Peer& peer : peers_) {
    out.digests.push_back(peer.end->digest());
    out.final_vpn.push_back(peer.end->vpn());
    out.final_rtc.push_back(peer.end->rtc());
    out.held_back.push_back(oracle_.holds_back(peer.end->spec().id));
    out.messages += peer.end->messages();
    out.routes += peer.end->routes_received();
  }
  out.engine_closes = engine_closes_;
  out.tolerated = auditor_.tolerated();
  out.peak_memory = peak_memory_;
  return out;
}

}  // namespace helio::test

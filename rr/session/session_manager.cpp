#include "rr/session/session_manager.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "rr/base/check.hpp"
#include "rr/base/log.hpp"

namespace helio::session {
namespace {

constexpr int kMostRooms = 8;  // connections tried to make room for one

std::string describe(const char* what, const wire::IpAddress& address, const SocketError& error) {
  return fmt::format("{} {}: {}: {}", what, wire::format_ip(address), error.step, std::strerror(error.error));
}

}  // namespace

SessionManager::SessionManager(SessionSettings settings)
    : settings_(std::move(settings)),
      bfd_([this](PeerId peer, std::uint32_t generation, bfd::Diagnostic) { on_bfd_failed(peer, generation); }, settings_.bfd_port),
      directory_(settings_.max_pending),
      rate_(settings_.session_rate),
      listener_([this](int fd, const wire::IpAddress& from) { on_accepted(fd, from); },
                [this] { on_exhausted(); }) {
  std::uint32_t shards = std::max(settings_.shards, 1u);
  for (std::uint32_t i = 0; i < shards; ++i)
    loops_.push_back(std::make_unique<ShardLoop>(ShardId(i), shards, settings_.limits));
}

SessionManager::~SessionManager() { stop({}, std::chrono::milliseconds(0)); }  // NOLINT(bugprone-exception-escape): memory may be short here as anywhere, and ends heliod

Result<void, std::string> SessionManager::start(std::span<Engine* const> engines) {
  HELIO_CHECK(engines.size() == loops_.size(), "one engine per shard");
  for (const ListenEndpoint& endpoint : settings_.listen)
    if (auto done = listener_.open(endpoint); !done)
      return Unexpected(describe("cannot listen on", endpoint.address, done.error()) + fmt::format(" (port {})", endpoint.port));
  if (auto done = prepare_listener(settings_, nullptr); !done) return done;
  {
    std::lock_guard lock(mutex_);
    directory_.set_ranges(settings_.ranges);
    for (const NeighborSettings& neighbor : settings_.neighbors) add_neighbor(neighbor);
  }
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->attach(*engines[i]);
    loops_[i]->use_bfd(&bfd_);
    loops_[i]->start();
  }
  listener_.start();
  running_ = true;
  return {};
}

void SessionManager::stop(std::string_view text, std::chrono::milliseconds patience) {
  if (!running_) return;
  running_ = false;
  listener_.stop();
  for (auto& loop : loops_) loop->begin_stop(wire::make_cease(wire::cease::administrative_shutdown, text), patience);
  for (auto& loop : loops_) loop->join();
  bfd_.shut_down();
}

// Under the lock.
void SessionManager::add_neighbor(const NeighborSettings& settings) {
  Directory::Entry& entry = directory_.add(settings);
  ShardLoop& loop = loop_of(entry.id);
  loop.post([&loop, id = entry.id, settings, status = entry.status] { loop.add_peer(id, settings, status).start(); });
}

void SessionManager::on_accepted(int fd, const wire::IpAddress& from) {
  std::lock_guard lock(mutex_);
  ++counters_.accepted;
  bool in_rate = rate_.take(std::chrono::steady_clock::now());
  if (!in_rate || refusing_) {
    ++(in_rate ? counters_.out_of_memory : counters_.over_rate);
    log_refused(in_rate ? telemetry::Refused::memory : telemetry::Refused::rate, from);
    ::close(fd);
    return;
  }
  if (!is_right_address(fd, from)) {
    ++counters_.wrong_address;
    log_refused(telemetry::Refused::wrong_address, from);
    ::close(fd);
    return;
  }
  Directory::Admission admission = directory_.admit(from);
  for (int i = 0; i < kMostRooms && admission.verdict == Directory::Verdict::make_room; ++i) {
    // Why: waits for the shard, so that a flood is accepted no faster than it can be cleared away.
    ShardLoop& crowded = loop_of(admission.to_drop);
    bool dropped = crowded.call([&] {
      Peer* peer = crowded.find(admission.to_drop);
      return peer != nullptr && peer->drop_silent();
    });
    if (dropped) count_dropped();
    admission = directory_.admit(from);
  }
  if (!admission.entry) {
    bool full = admission.verdict != Directory::Verdict::stranger;
    ++(full ? counters_.range_full : counters_.strangers);
    log_refused(full ? telemetry::Refused::range_full : telemetry::Refused::stranger, from);
    ::close(fd);
    return;
  }
  if (admission.to_drop.valid()) drop_silent(admission.to_drop);
  const Directory::Entry& entry = *admission.entry;
  ShardLoop& loop = loop_of(entry.id);
  if (admission.verdict == Directory::Verdict::created) {
    loop.post([&loop, id = entry.id, settings = entry.settings, status = entry.status, fd] {
      Peer& peer = loop.add_peer(id, settings, status);
      peer.accept(fd);
      peer.start();
    });
    return;
  }
  loop.post([&loop, id = entry.id, fd] {
    Peer* peer = loop.find(id);
    if (peer && !loop.is_stopping()) {
      peer->accept(fd);
    } else {
      ::close(fd);
    }
  });
}

// On the accepting thread, which then waits a moment: no descriptor for what waits to be accepted.
// Why a quarter of what said nothing: a neighbour behind hundreds of silent connections is not to wait for each of them, and has
// three such moments for its OPEN.
void SessionManager::on_exhausted() {
  std::lock_guard lock(mutex_);
  ++counters_.exhausted;
  if (auto more = exhaustions_.admit(std::chrono::steady_clock::now()))
    log::error("no descriptors left: connections wait, silent ones are dropped; raise the limit of open files ({} more since the last line)", *more);
  for (std::size_t left = directory_.pending() / 4 + 1; left != 0; --left)
    if (PeerId oldest = directory_.take_oldest_pending(); oldest.valid()) drop_silent(oldest);
}

// Under the lock.
void SessionManager::count_dropped() {
  ++counters_.pending_dropped;
  if (auto more = refusals_[static_cast<std::size_t>(telemetry::Refused::pending)].admit(std::chrono::steady_clock::now()))
    log::warn("silent connections are dropped to make room for others: the listen range, security.max-pending-sessions or the descriptors "
              "are used up ({} more since the last line)", *more);
}

// Under the lock.
void SessionManager::drop_silent(PeerId id) {
  count_dropped();
  ShardLoop& loop = loop_of(id);
  loop.post([&loop, id] {
    if (Peer* peer = loop.find(id)) peer->drop_silent();
  });
}

// On the thread of the BFD service.
void SessionManager::on_bfd_failed(PeerId id, std::uint32_t generation) {
  ShardLoop& loop = loop_of(id);
  loop.post([&loop, id, generation] {
    if (Peer* peer = loop.find(id)) peer->on_bfd_failed(generation);
  });
}

// One of each reason in ten seconds: a flood of strangers hides nothing else.
void SessionManager::log_refused(telemetry::Refused reason, const wire::IpAddress& from) {
  auto more = refusals_[static_cast<std::size_t>(reason)].admit(std::chrono::steady_clock::now());
  if (!more) return;
  using telemetry::Refused;
  const char* why = reason == Refused::stranger     ? "no neighbour and no listen range has this address"
                    : reason == Refused::range_full ? "the listen range has all its max-peers"
                    : reason == Refused::rate       ? "more connections than security.session-rate"
                    : reason == Refused::memory     ? "memory is short (runtime.memory-limit)"
                                                    : "it came to another address than the neighbor's local-address";
  log::warn("connection from {} refused: {} ({} more since the last line)", wire::format_ip(from), why, *more);
}

// The listening sockets hold a key per neighbour and per range; of those that hold an address the longest counts. Keys of
// neighbours that are gone are removed.
Result<void, std::string> SessionManager::set_keys(const SessionSettings& settings, const SessionSettings* before) {
  using Place = std::pair<wire::IpAddress, std::uint8_t>;
  auto keys_of = [](const SessionSettings& from) {
    std::map<Place, SessionKey> keys;
    for (const ListenRange& range : from.ranges)
      if (!range.group->auth_password.empty()) keys[{range.prefix, range.length}] = session_key(*range.group);
    for (const NeighborSettings& neighbor : from.neighbors)
      if (!neighbor.group->auth_password.empty()) keys[{neighbor.address, kHost}] = session_key(*neighbor.group);
    return keys;
  };
  auto wanted = keys_of(settings);
  auto present = before ? keys_of(*before) : std::map<Place, SessionKey>();
  for (const auto& [place, key] : wanted)
    if (key.method == AuthMethod::tcp_ao && !kernel_has_tcp_ao())
      return Unexpected(fmt::format("the key for {} is for TCP-AO, which this kernel does not have: it takes Linux 6.7 or later, built with "
                                    "CONFIG_TCP_AO; auth-method = \"tcp-md5\" works here",
                                    wire::format_ip(place.first)));
  for (const auto& [place, key] : present)
    if (auto at = wanted.find(place); at == wanted.end() || (at->second != key && (key.method == AuthMethod::tcp_ao || at->second.method != key.method)))
      (void)listener_.remove_key(place.first, place.second, key);
  for (const auto& [place, key] : wanted) {
    if (auto at = present.find(place); at != present.end() && at->second == key) continue;
    if (auto done = listener_.set_key(place.first, place.second, key); !done)
      return Unexpected(describe("cannot set the key for", place.first, done.error()));
  }
  return {};
}

// RFC 4271 §8.2.1 leaves it open on which of our addresses a neighbour may reach us; `local-address` names the one.
bool SessionManager::is_right_address(int fd, const wire::IpAddress& from) {
  const GroupSettings* group = nullptr;
  if (Directory::Entry* entry = directory_.find(from)) {
    group = entry->settings.group.get();
  } else if (const ListenRange* range = directory_.range_of(from)) {
    group = range->group.get();
  }
  if (!group || !group->local_address || group->local_address->is_v6 != from.is_v6) return true;
  return local_address_of(fd) == *group->local_address;
}

// The listening sockets take what the farthest of those they are there for sends. Why there too, and not on the connections only:
// who is farther away than all of them has no connection then, not even under SYN cookies (RFC 5082 §3).
Result<void, std::string> SessionManager::set_minimum_ttl(const SessionSettings& settings) {
  for (bool is_v6 : {false, true}) {
    std::optional<std::uint8_t> least;
    auto serve = [&](const wire::IpAddress& address, const GroupSettings& group) {
      if (address.is_v6 == is_v6) least = std::min(least.value_or(255), group.ttl_min);
    };
    for (const ListenRange& range : settings.ranges) serve(range.prefix, *range.group);
    for (const NeighborSettings& neighbor : settings.neighbors) serve(neighbor.address, *neighbor.group);
    if (auto done = listener_.set_minimum_ttl(is_v6, least.value_or(0)); !done)
      return Unexpected(fmt::format("cannot set the minimum TTL of the listening sockets: {}: {}", done.error().step, std::strerror(done.error().error)));
  }
  return {};
}

Result<void, std::string> SessionManager::prepare_listener(const SessionSettings& settings, const SessionSettings* before) {
  if (auto done = set_keys(settings, before); !done) return done;
  return set_minimum_ttl(settings);
}

// All of it or nothing.
Result<void, std::string> SessionManager::change_listener(const SessionSettings& settings, const SessionSettings& before) {
  auto done = prepare_listener(settings, &before);
  if (!done) (void)prepare_listener(before, &settings);
  return done;
}

Result<void, std::string> SessionManager::reconfigure(SessionSettings settings, bool reset_sessions) {
  if (auto done = change_listener(settings, settings_); !done) return done;
  std::lock_guard lock(mutex_);
  std::map<wire::IpAddress, const NeighborSettings*> wanted;
  for (const NeighborSettings& neighbor : settings.neighbors) wanted[neighbor.address] = &neighbor;
  directory_.set_ranges(settings.ranges);

  std::vector<wire::IpAddress> gone;
  directory_.for_each([&](Directory::Entry& entry) {
    NeighborSettings next = entry.settings;
    if (auto at = wanted.find(entry.settings.address); at != wanted.end()) {
      next = *at->second;
      wanted.erase(at);
    } else if (const ListenRange* range = directory_.range_of(entry.settings.address)) {
      next = NeighborSettings{};
      next.address = entry.settings.address;
      next.dynamic = true;
      next.group = range->group;
    } else {
      gone.push_back(entry.settings.address);
      return;
    }
    entry.settings = next;
    ShardLoop& loop = loop_of(entry.id);
    loop.post([&loop, id = entry.id, next, reset_sessions] {
      if (Peer* peer = loop.find(id)) peer->configure(next, reset_sessions);
    });
  });
  for (const wire::IpAddress& address : gone) {
    PeerId id = directory_.find(address)->id;
    ShardLoop& loop = loop_of(id);
    loop.post([&loop, id] { loop.remove_peer(id, wire::make_cease(wire::cease::peer_deconfigured), CloseReason::deconfigured); });
    directory_.remove(address);
  }
  directory_.set_ranges(settings.ranges);
  for (const auto& [address, neighbor] : wanted) add_neighbor(*neighbor);
  if (settings.session_rate != settings_.session_rate) rate_ = TokenBucket(settings.session_rate);
  directory_.set_max_pending(settings.max_pending);
  settings.listen = settings_.listen;
  settings.shards = settings_.shards;
  settings_ = std::move(settings);
  return {};
}

std::vector<PeerSnapshot> SessionManager::peers() {
  std::vector<PeerSnapshot> out;
  for (auto& loop : loops_) {
    auto part = loop->call([&loop] {
      std::vector<PeerSnapshot> snapshots;
      loop->for_each_peer([&](Peer& peer) { snapshots.push_back(peer.snapshot()); });
      return snapshots;
    });
    std::move(part.begin(), part.end(), std::back_inserter(out));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.peer < b.peer; });
  for (BfdView& view : bfd_.views()) {
    auto at = std::lower_bound(out.begin(), out.end(), view.peer, [](const auto& a, PeerId id) { return a.peer < id; });
    if (at != out.end() && at->peer == view.peer && at->state == fsm::State::established) at->bfd = std::move(view);
  }
  return out;
}

template <class Function>
bool SessionManager::with_peer(const wire::IpAddress& address, Function function) {
  PeerId id;
  {
    std::lock_guard lock(mutex_);
    if (Directory::Entry* entry = directory_.find(address)) id = entry->id;
  }
  if (!id.valid()) return false;
  ShardLoop& loop = loop_of(id);
  return loop.call([&] {
    Peer* peer = loop.find(id);
    if (peer) function(*peer);
    return peer != nullptr;
  });
}

bool SessionManager::take_down(const wire::IpAddress& address, std::string_view text) {
  return with_peer(address, [&](Peer& peer) {
    peer.take_down(wire::make_cease(wire::cease::administrative_shutdown, text), CloseReason::admin_down);
  });
}

bool SessionManager::bring_up(const wire::IpAddress& address) {
  return with_peer(address, [](Peer& peer) { peer.bring_up(); });
}

bool SessionManager::reset(const wire::IpAddress& address, std::string_view text) {
  return with_peer(address, [&](Peer& peer) {
    peer.reset(wire::make_cease(wire::cease::administrative_reset, text), CloseReason::admin_reset);
  });
}

void SessionManager::refuse_sessions(bool refuse) {
  std::lock_guard lock(mutex_);
  refusing_ = refuse;
  for (auto& loop : loops_) loop->allow_connecting(!refuse);
}

bool SessionManager::shed(const wire::IpAddress& address) {
  return with_peer(address, [](Peer& peer) {
    peer.reset(wire::make_cease(wire::cease::out_of_resources), CloseReason::out_of_resources);
  });
}

AcceptCounters SessionManager::accept_counters() {
  std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace helio::session

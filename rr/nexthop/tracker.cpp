#include "rr/nexthop/tracker.hpp"

#include <algorithm>

namespace helio::nexthop {
namespace {

// The first and the last address of a prefix.
std::pair<wire::IpAddress, wire::IpAddress> range_of(const RouteChange& prefix) {
  wire::IpAddress first = prefix.address, last = prefix.address;
  unsigned bits = prefix.address.is_v6 ? 128 : 32;
  for (unsigned bit = prefix.length; bit < bits; ++bit) {
    auto mask = static_cast<std::uint8_t>(0x80 >> bit % 8);
    first.bytes[bit / 8] = static_cast<std::uint8_t>(first.bytes[bit / 8] & ~mask);
    last.bytes[bit / 8] = static_cast<std::uint8_t>(last.bytes[bit / 8] | mask);
  }
  return {first, last};
}

}  // namespace

NextHopTracker::NextHopTracker(RouteSource& source, const TrackerSettings& settings, std::uint32_t shards, std::function<void(std::uint32_t)> wake)
    : source_(source), settings_(settings), wake_(std::move(wake)), changed_(shards), pending_(new std::atomic<bool>[shards]) {
  for (std::uint32_t i = 0; i < shards; ++i) pending_[i] = false;
}

void NextHopTracker::look(const wire::IpAddress& address, Watched& watched) {
  RouteAnswer answer = source_.look_up(address);
  watched.by_default_route = answer.exists && answer.is_default && !settings_.default_route_counts;
  bool reachable = answer.exists && !watched.by_default_route;
  watched.actual = {reachable, reachable ? answer.metric : 0};
}

rib::NextHopState NextHopTracker::watch(const wire::IpAddress& address, std::uint32_t shard) {
  std::lock_guard lock(mutex_);
  auto [at, is_new] = watched_.try_emplace(address);
  Watched& watched = at->second;
  if (is_new) {
    look(address, watched);
    watched.told = watched.actual;
  }
  watched.users.push_back(shard);
  return watched.told;
}

void NextHopTracker::unwatch(const wire::IpAddress& address, std::uint32_t shard) {
  std::lock_guard lock(mutex_);
  auto at = watched_.find(address);
  if (at == watched_.end()) return;
  std::vector<std::uint32_t>& users = at->second.users;
  if (auto user = std::ranges::find(users, shard); user != users.end()) users.erase(user);
  if (users.empty()) watched_.erase(at);
}

std::vector<NextHopTracker::Change> NextHopTracker::take_changes(std::uint32_t shard) {
  std::lock_guard lock(mutex_);
  pending_[shard].store(false, std::memory_order_relaxed);
  std::vector<Change> out;
  for (const wire::IpAddress& address : std::exchange(changed_[shard], {}))
    if (auto at = watched_.find(address); at != watched_.end()) out.push_back({address, at->second.told});
  return out;
}

void NextHopTracker::look_again(std::span<const RouteChange> changes, TimePoint now) {
  {
    std::lock_guard lock(mutex_);
    bool everything = std::ranges::any_of(changes, &RouteChange::everything);
    std::map<wire::IpAddress, Watched*> concerned;
    if (everything) {
      for (auto& [address, watched] : watched_) concerned.emplace(address, &watched);
    } else {
      for (const RouteChange& change : changes) {
        // By octets, IPv4 before IPv6 only within equal octets: the family is compared beside.
        auto [first, last] = range_of(change);
        for (auto at = watched_.lower_bound(first); at != watched_.end() && at->first <= last; ++at)
          if (at->first.is_v6 == first.is_v6) concerned.emplace(at->first, &at->second);
      }
    }
    for (auto& [address, watched] : concerned) {
      look(address, *watched);
      compare(address, *watched, now);
    }
  }
  wake_told();
}

void NextHopTracker::overrun(TimePoint now) {
  {
    std::lock_guard lock(mutex_);
    ++counters_.overruns;
  }
  RouteChange everything{.everything = true, .address = {}};
  look_again({&everything, 1}, now);
}

void NextHopTracker::compare(const wire::IpAddress& address, Watched& watched, TimePoint now) {
  if (watched.actual == watched.told) {
    watched.due.reset();
  } else if (!watched.actual.reachable) {
    tell(address, watched, now);
  } else if (!watched.due) {
    watched.due = now + settings_.delay;
  }
}

void NextHopTracker::tell(const wire::IpAddress& address, Watched& watched, TimePoint now) {
  if (!watched.actual.reachable) ++counters_.lost;
  else if (!watched.told.reachable) ++counters_.returned;
  else ++counters_.metric_changes;
  watched.told = watched.actual;
  watched.due.reset();
  watched.since = now;
  ++watched.changes;
  for (std::uint32_t shard : watched.users) {
    changed_[shard].push_back(address);
    pending_[shard].store(true, std::memory_order_release);
  }
}

// Shards that have something to take; waking one twice does no harm.
void NextHopTracker::wake_told() {
  for (std::uint32_t shard = 0; shard < changed_.size(); ++shard)
    if (pending_[shard].load(std::memory_order_acquire)) wake_(shard);
}

std::optional<TimePoint> NextHopTracker::run(TimePoint now) {
  std::optional<TimePoint> next;
  {
    std::lock_guard lock(mutex_);
    for (auto& [address, watched] : watched_) {
      if (watched.due && *watched.due <= now) tell(address, watched, now);
      if (watched.due && (!next || *watched.due < *next)) next = watched.due;
    }
  }
  wake_told();
  return next;
}

std::vector<NextHopView> NextHopTracker::next_hops() const {
  std::lock_guard lock(mutex_);
  std::vector<NextHopView> out;
  for (const auto& [address, watched] : watched_) out.push_back({address, watched.told, watched.by_default_route, watched.changes, watched.since});
  return out;
}

TrackerCounters NextHopTracker::counters() const {
  std::lock_guard lock(mutex_);
  TrackerCounters out = counters_;
  for (const auto& [address, watched] : watched_) ++(watched.told.reachable ? out.reachable : out.unreachable);
  return out;
}

}  // namespace helio::nexthop

// NextHopTracker: what is known of the way to each next hop that some shard uses, and when the shards are told.
//
//   shards ─ watch/unwatch ─► tracker ─ look_up ─► RouteSource (the kernel, a script)
//   shards ◄─ wake, take_changes ─ tracker ◄─ look_again ─ whoever hears that routes changed
//
// A lost next hop is told at once. A new metric, and a next hop that comes back, are told when they have stood for a
// short delay, so that a routing protocol at work does not make the RIB decide again and again.
// Any thread; no clock, no thread and no socket of its own.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "rib/next_hops.hpp"

namespace helio::nexthop {

using TimePoint = std::chrono::steady_clock::time_point;

// The route that leads to an address.
struct RouteAnswer {
  bool exists = false;
  bool is_default = false;           // it is the default route
  std::uint32_t metric = 0;
};

class RouteSource {
 public:
  virtual ~RouteSource() = default;
  // Under the tracker's lock, so one call at a time; must not block for long.
  virtual RouteAnswer look_up(const wire::IpAddress& address) = 0;
};

struct TrackerSettings {
  bool default_route_counts = false; // a default route resolves a next hop
  std::chrono::milliseconds delay{500};
};

// What the routes changed for: all addresses, or those of a prefix.
struct RouteChange {
  bool everything = false;
  wire::IpAddress address;
  std::uint8_t length = 0;
};

struct NextHopView {
  wire::IpAddress address;
  rib::NextHopState state;
  bool by_default_route = false;     // there is only the default route, which does not count
  std::uint32_t changes = 0;         // of the state told to the shards
  TimePoint since{};                 // of the last one
};

struct TrackerCounters {
  std::uint64_t reachable = 0, unreachable = 0;             // next hops now
  std::uint64_t lost = 0, returned = 0, metric_changes = 0; // as told to the shards
  std::uint64_t overruns = 0;                               // of the source: everything was looked up again
};

class NextHopTracker {
 public:
  // `shards`: slices of the RIB, those of EVPN counted behind the others. `wake`: called with one's number when there are changes
  // for it.
  NextHopTracker(RouteSource& source, const TrackerSettings& settings, std::uint32_t shards, std::function<void(std::uint32_t)> wake);

  // --- shards ---
  rib::NextHopState watch(const wire::IpAddress& address, std::uint32_t shard);
  void unwatch(const wire::IpAddress& address, std::uint32_t shard);
  bool has_changes(std::uint32_t shard) const { return pending_[shard].load(std::memory_order_acquire); }
  struct Change {
    wire::IpAddress address;
    rib::NextHopState state;
  };
  std::vector<Change> take_changes(std::uint32_t shard);

  // --- whoever hears of routes ---
  void look_again(std::span<const RouteChange> changes, TimePoint now);
  // The source lost track of what changed.
  void overrun(TimePoint now);
  // Tells what is due. Returns when there is something to tell next.
  std::optional<TimePoint> run(TimePoint now);

  // --- views ---
  std::vector<NextHopView> next_hops() const;
  TrackerCounters counters() const;

 private:
  struct Watched {
    rib::NextHopState told, actual;
    bool by_default_route = false;
    std::optional<TimePoint> due;    // of telling `actual`
    std::vector<std::uint32_t> users;  // shards
    std::uint32_t changes = 0;
    TimePoint since{};
  };
  void look(const wire::IpAddress& address, Watched& watched);
  void compare(const wire::IpAddress& address, Watched& watched, TimePoint now);
  void tell(const wire::IpAddress& address, Watched& watched, TimePoint now);
  void wake_told();

  RouteSource& source_;
  TrackerSettings settings_;
  std::function<void(std::uint32_t)> wake_;
  mutable std::mutex mutex_;
  std::map<wire::IpAddress, Watched> watched_;
  std::vector<std::vector<wire::IpAddress>> changed_;        // by shard: whose state it has not taken yet
  std::unique_ptr<std::atomic<bool>[]> pending_;             // by shard: changed_ has something
  TrackerCounters counters_;
};

}  // namespace helio::nexthop

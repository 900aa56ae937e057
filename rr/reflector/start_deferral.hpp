// StartDeferral: after our own restart (RFC 4724 §4.1) nothing is advertised before the peers have told what they hold:
// until the End-of-RIB of all that restart gracefully with us, or until a timer. `timers.initial-sync` asks for the same
// without graceful restart: everybody's End-of-RIB counts, a part of the neighbours is enough (wire 2.22). First for RT memberships, then for VPN
// routes: peers hold their VPN routes back until our memberships are complete (RFC 4684 §6).
//
// One for all shards: each counts the peers that live there, any of them may find that it is over.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace helio::reflector {

class StartDeferral {
 public:
  using Duration = std::chrono::steady_clock::duration;
  struct Settings {
    bool enabled = false;
    bool restarts = false;                     // graceful restart: peers are told that we restarted
    bool everybody = false;                    // peers count that do not restart gracefully, too
    double ratio = 1;                          // of the neighbors that are waited for
    std::uint32_t neighbors = 0;               // configured by address: PeerIds below; they are expected
    bool any_peers = false;                    // listen ranges: who else comes is not known
    std::chrono::seconds restart_time{120};    // who is not back by then has forgotten our routes, and is not waited for
    std::chrono::seconds most{360};
  };
  // Why: peers wait 60 s for our memberships by default (RFC 4684 §6).
  static constexpr std::chrono::seconds kMostForMemberships{30};
  static constexpr std::int64_t kUnknownPeers = std::int64_t{1} << 40;  // more than may be spared

  void begin(const Settings& settings) {
    settings_ = settings;
    spared_ = static_cast<std::int64_t>((1 - settings.ratio) * settings.neighbors + 1e-6);
    absent_ = static_cast<std::int64_t>(settings.neighbors) + (settings.any_peers ? kUnknownPeers : 0);
    memberships_are_over_ = over_ = !settings.enabled;
  }
  const Settings& settings() const { return settings_; }
  bool is_over() const { return over_.load(std::memory_order_acquire); }
  bool memberships_are_over() const { return memberships_are_over_.load(std::memory_order_acquire); }

  // A neighbour that was expected is there. Call after its families were counted.
  void present() { absent_.fetch_sub(1); }
  void count_memberships(std::int64_t n) { memberships_.fetch_add(n); }
  void count_routes(std::int64_t n) { routes_.fetch_add(n); }

  // `since`: time since the start. Returns true when something has just ended.
  bool check(Duration since) {
    bool ended = false;
    if (!memberships_are_over() && (absent_.load() + memberships_.load() <= spared_ || since >= membership_time())) {
      memberships_are_over_.store(true, std::memory_order_release);
      ended = true;
    }
    std::int64_t absent = since >= settings_.restart_time ? 0 : absent_.load();
    if (memberships_are_over() && !is_over() && (absent + routes_.load() <= spared_ || since >= settings_.most)) {
      over_.store(true, std::memory_order_release);
      ended = true;
    }
    return ended;
  }
  // The next time at which check() may find something by itself.
  Duration next_time(Duration since) const {
    for (Duration at : {membership_time(), Duration(std::min(settings_.restart_time, settings_.most))})
      if (at > since) return at;
    return settings_.most;
  }

 private:
  Duration membership_time() const { return std::min({kMostForMemberships, settings_.restart_time, settings_.most}); }

  Settings settings_;
  std::int64_t spared_ = 0;  // neighbors that need not have come
  std::atomic<std::int64_t> absent_{0}, memberships_{0}, routes_{0};
  std::atomic<bool> memberships_are_over_{true}, over_{true};
};

}  // namespace helio::reflector

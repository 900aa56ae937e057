// When systemd's watchdog (sd_watchdog_enabled(3)) is to be fed: when every shard has ended a turn since it was fed last. Says
// which shard has not for how long, well before systemd ends the daemon.
#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace helio {

class Watchdog {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Stall {
    std::uint32_t shard;
    std::chrono::seconds since;
    bool over;  // it ticks again
  };
  struct Verdict {
    bool feed = false;
    std::vector<Stall> stalls;  // to be told: each once when it begins and once when it is over
  };

  // A shard is stalled when it has not ended a turn for `patience`.
  explicit Watchdog(std::chrono::seconds patience) : patience_(patience) {}
  // `turns` of each shard so far; called about once a second.
  Verdict look(std::span<const std::uint64_t> turns, TimePoint now);

 private:
  struct Shard {
    std::uint64_t turns = 0, turns_when_fed = 0;
    TimePoint changed_at{};
    bool told = false;
  };
  std::chrono::seconds patience_;
  std::vector<Shard> shards_;
};

}  // namespace helio

#include "rr/base/watchdog.hpp"

#include <algorithm>

namespace helio {

Watchdog::Verdict Watchdog::look(std::span<const std::uint64_t> turns, TimePoint now) {
  Verdict verdict;
  if (shards_.size() != turns.size()) {
    shards_.clear();
    for (std::uint64_t count : turns) shards_.push_back({count, count, now, false});
  }
  for (std::uint32_t i = 0; i < turns.size(); ++i) {
    Shard& shard = shards_[i];
    auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - shard.changed_at);
    if (turns[i] != shard.turns) {
      shard.turns = turns[i];
      shard.changed_at = now;
      if (shard.told) verdict.stalls.push_back({i, silent, true});
      shard.told = false;
    } else if (silent >= patience_ && !shard.told) {
      shard.told = true;
      verdict.stalls.push_back({i, silent, false});
    }
  }
  verdict.feed = std::ranges::all_of(shards_, [](const Shard& s) { return s.turns != s.turns_when_fed; });
  if (verdict.feed)
    for (Shard& shard : shards_) shard.turns_when_fed = shard.turns;
  return verdict;
}

}  // namespace helio

// Shard, the canary: markers from here to the RIB of the next shard and back.
#include <algorithm>

#include "rr/reflector/shard.hpp"

namespace helio::reflector {

void Shard::send_canary(TimePoint at) {
  if (canary_ == nullptr) return;
  if (canary_back_ != canary_sent_) counters_.canary_late.add();
  CanaryMark mark{.session_shard = self_, .number = ++canary_sent_, .sent_at_us = microseconds_at(at)};
  std::uint32_t to = (self_ + 1) % mailboxes_.shards();
  if (to == self_) marks_.push_back(std::move(mark));
  else outbox_[to].push_back(std::move(mark));
  control_.wake();
}

// Behind what this turn encoded: a marker that goes back does so behind it.
void Shard::run_canary() {
  for (CanaryMark& mark : std::exchange(marks_, {})) {
    if (!mark.update) {
      mark.update = canary_->reflect(mark.number);
      if (mark.session_shard != self_) {
        outbox_[mark.session_shard].push_back(std::move(mark));
        continue;
      }
    }
    canary_returned(mark);
  }
}

void Shard::canary_returned(const CanaryMark& mark) {
  if (Canary::number_in(*mark.update) != mark.number) {
    counters_.canary_wrong.add();
  } else if (mark.sent_at_us != 0) {
    std::uint64_t now = microseconds();
    counters_.canary.observe(now - std::min(now, mark.sent_at_us));
    if (mark.number == canary_sent_) counters_.canary_in_time.add();  // an earlier one was counted as late
  }
  canary_back_ = std::max(canary_back_, mark.number);
}

}  // namespace helio::reflector

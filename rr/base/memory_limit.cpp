#include "rr/base/memory_limit.hpp"

namespace helio {

MemoryLimit::Action MemoryLimit::decide(std::uint64_t used, TimePoint now) {
  if (limit_ == 0) return Action::none;
  if (!refusing_) {
    if (used < percent(90)) return Action::none;
    refusing_ = true;
    return Action::refuse;
  }
  if (used < percent(85)) {
    refusing_ = has_shed_ = false;
    return Action::allow;
  }
  if (used < limit_) return Action::none;
  bool grows = used > used_at_shed_ + percent(2);
  if (has_shed_ && !grows && now - shed_at_ < kPatience) return Action::none;
  has_shed_ = true;
  shed_at_ = now;
  used_at_shed_ = used;
  return Action::shed;
}

}  // namespace helio

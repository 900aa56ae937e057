#include "rib/rib_shared.hpp"

namespace helio::rib {

std::optional<std::uint32_t> LabelStackStore::acquire(Bytes labels) {
  std::vector<std::uint8_t> key(labels.begin(), labels.end());
  auto [at, inserted] = ids_.try_emplace(std::move(key), 0);
  if (inserted) {
    std::uint32_t id;
    if (!free_.empty()) {
      id = free_.back();
      free_.pop_back();
    } else if (stacks_.size() < most_) {
      id = static_cast<std::uint32_t>(stacks_.size());
      stacks_.emplace_back();
    } else {
      ids_.erase(at);
      return std::nullopt;
    }
    stacks_[id].labels = at->first;
    at->second = id;
  }
  ++stacks_[at->second].refs;
  return at->second;
}

void LabelStackStore::drop_ref(std::uint32_t id) {
  Stack& stack = stacks_[id];
  if (--stack.refs > 0) return;
  ids_.erase(stack.labels);
  stack.labels = std::vector<std::uint8_t>();
  free_.push_back(id);
}

}  // namespace helio::rib

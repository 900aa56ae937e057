#include "rr/export/export_hub.hpp"

#include <chrono>

namespace helio::exporter {

BmpTime bmp_now() {
  auto since = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return {static_cast<std::uint32_t>(since / 1000000), static_cast<std::uint32_t>(since % 1000000)};
}

void ExportHub::push(Item item) {
  bool was_empty;
  {
    std::lock_guard lock(mutex_);
    was_empty = items_.empty();
    items_.push_back(std::move(item));
  }
  if (was_empty) wake();
}

void ExportHub::push_chunk(std::unique_ptr<FeedChunk> chunk) {
  std::size_t size = chunk->bytes.size();
  for (unsigned i = 0; i < kMostStations; ++i) {
    if ((chunk->stations >> i & 1) == 0) continue;
    StationSlot& slot = slots_[i];
    if (slot.queued.fetch_add(size, std::memory_order_relaxed) + size <= slot.limit) continue;
    slot.queued.fetch_sub(size, std::memory_order_relaxed);
    slot.dropped.fetch_add(chunk->messages(), std::memory_order_relaxed);
    slot.overflowed.store(true, std::memory_order_relaxed);
    chunk->stations &= ~(1u << i);
  }
  // Also when nobody is left: the other side looks who has to start over.
  push(std::shared_ptr<const FeedChunk>(std::move(chunk)));
}

std::vector<ExportHub::Item> ExportHub::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(items_, {});
}

}  // namespace helio::exporter

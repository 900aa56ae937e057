#include "rib/batch.hpp"

#include <cstdlib>
#include <new>

#include "rr/base/check.hpp"

namespace helio::rib {

Batch::Batch(std::size_t capacity, std::shared_ptr<RetainedBytes> retained)
    : capacity_(capacity), data_(static_cast<std::uint8_t*>(std::malloc(capacity))), retained_(std::move(retained)) {
  if (data_ == nullptr) throw std::bad_alloc();
  retained_->bytes.fetch_add(static_cast<std::int64_t>(capacity_), std::memory_order_relaxed);
}

void Batch::finish(std::size_t size) {
  HELIO_CHECK(size <= capacity_, "batch written beyond its capacity");
  size_ = static_cast<std::uint32_t>(size);
  if (size + size / 8 + 64 < capacity_) {
    if (void* smaller = std::realloc(data_, size == 0 ? 1 : size)) data_ = static_cast<std::uint8_t*>(smaller);
    retained_->bytes.fetch_sub(static_cast<std::int64_t>(capacity_ - size), std::memory_order_relaxed);
    capacity_ = size;
  }
}

void Batch::count_also(std::shared_ptr<RetainedBytes> also) {
  also_ = std::move(also);
  also_->bytes.fetch_add(size_, std::memory_order_relaxed);
}

std::shared_ptr<BatchLife> Batch::life() {
  if (life_ == nullptr) life_ = std::make_shared<BatchLife>();
  return life_;
}

Batch::~Batch() {
  if (also_ != nullptr) also_->bytes.fetch_sub(size_, std::memory_order_relaxed);
  if (life_ != nullptr) life_->ended.store(true, std::memory_order_release);
  retained_->bytes.fetch_sub(static_cast<std::int64_t>(capacity_), std::memory_order_relaxed);
  std::free(data_);
}

}  // namespace helio::rib

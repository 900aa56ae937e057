// ChunkedArray<T>: ids to objects at stable addresses, with a free list; growing never moves or stalls.
// Bytes: sizeof(T) per id, allocated by chunks of kChunk; ids are reused, lowest freed last.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "rib/memory.hpp"

namespace helio::rib {

template <class T, std::size_t kChunk = 1024>
class ChunkedArray {
 public:
  ChunkedArray(MemoryAccount& account, MemoryKind kind) : account_(account), kind_(kind) {}
  ~ChunkedArray() {
    for (T* chunk : chunks_) {
      for (std::size_t i = 0; i < kChunk; ++i) chunk[i].~T();
      release(account_, kind_, chunk, kChunk * sizeof(T));
    }
  }
  ChunkedArray(const ChunkedArray&) = delete;
  ChunkedArray& operator=(const ChunkedArray&) = delete;

  std::uint32_t add() {
    ++live_;
    if (!free_.empty()) {
      std::uint32_t id = free_.back();
      free_.pop_back();
      return id;
    }
    if (next_ == chunks_.size() * kChunk) {
      T* chunk = static_cast<T*>(allocate(account_, kind_, kChunk * sizeof(T)));
      for (std::size_t i = 0; i < kChunk; ++i) new (chunk + i) T();
      chunks_.push_back(chunk);
    }
    return next_++;
  }
  void remove(std::uint32_t id) {
    (*this)[id] = T();
    free_.push_back(id);
    --live_;
    if (live_ == 0) reset();
  }
  T& operator[](std::uint32_t id) { return chunks_[id / kChunk][id % kChunk]; }
  const T& operator[](std::uint32_t id) const { return chunks_[id / kChunk][id % kChunk]; }
  std::uint32_t limit() const { return next_; }  // ids are below this
  std::uint32_t live() const { return live_; }

 private:
  // Nothing is left: give the memory back.
  void reset() {
    for (T* chunk : chunks_) {
      for (std::size_t i = 0; i < kChunk; ++i) chunk[i].~T();
      release(account_, kind_, chunk, kChunk * sizeof(T));
    }
    chunks_.clear();
    chunks_.shrink_to_fit();
    free_.clear();
    free_.shrink_to_fit();
    next_ = 0;
  }
  MemoryAccount& account_;
  MemoryKind kind_;
  std::vector<T*> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t next_ = 0;
  std::uint32_t live_ = 0;
};

}  // namespace helio::rib

// TableList: the route tables that a provenance is found in. Most have one or two; some have a million, and adding one
// must not copy the others: beyond a block's size the list is made of full blocks and a tail that grows.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "rib/memory.hpp"

namespace helio::rib {

// Sorts and leaves one of each. Tables are mostly listed in order, which costs one look; long lists in disorder are
// sorted through a bitmap (ids are dense), ten times faster than by comparing.
inline void sort_unique(std::vector<std::uint32_t>& ids) {
  if (std::ranges::adjacent_find(ids, std::greater_equal()) == ids.end()) return;
  if (ids.size() < 4096) {
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return;
  }
  std::vector<std::uint64_t> bits(*std::ranges::max_element(ids) / 64 + 1);
  for (std::uint32_t id : ids) bits[id / 64] |= std::uint64_t{1} << id % 64;
  ids.clear();
  for (std::size_t word = 0; word < bits.size(); ++word)
    for (std::uint64_t rest = bits[word]; rest != 0; rest &= rest - 1)
      ids.push_back(static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(__builtin_ctzll(rest)));
}

class TableList {
 public:
  static constexpr std::size_t kBlock = 4096;

  std::size_t size() const { return (full_ == nullptr ? 0 : full_->size() * kBlock) + tail_.size(); }

  void push(MemoryAccount& account, std::uint32_t table) {
    std::size_t before = tail_.capacity();
    if (tail_.size() == before) tail_.reserve(std::min(kBlock, before + before / 4 + 1));  // by a quarter: there are many lists
    account.add(MemoryKind::provenance, static_cast<std::int64_t>((tail_.capacity() - before) * 4), 0);
    tail_.push_back(table);
    if (tail_.size() < kBlock) return;
    if (full_ == nullptr) full_ = std::make_unique<std::vector<std::vector<std::uint32_t>>>();
    full_->push_back(std::move(tail_));
    tail_ = std::vector<std::uint32_t>();
  }
  void clear(MemoryAccount& account) {
    account.add(MemoryKind::provenance, -static_cast<std::int64_t>(capacity() * 4), 0);
    tail_ = std::vector<std::uint32_t>();
    full_.reset();
  }
  void assign(MemoryAccount& account, const std::vector<std::uint32_t>& tables) {
    clear(account);
    for (std::uint32_t table : tables) push(account, table);
  }
  void append_to(std::vector<std::uint32_t>& out) const {
    out.reserve(out.size() + size());
    if (full_ != nullptr)
      for (const auto& block : *full_) out.insert(out.end(), block.begin(), block.end());
    out.insert(out.end(), tail_.begin(), tail_.end());
  }

 private:
  std::size_t capacity() const { return (full_ == nullptr ? 0 : full_->size() * kBlock) + tail_.capacity(); }

  std::vector<std::uint32_t> tail_;
  std::unique_ptr<std::vector<std::vector<std::uint32_t>>> full_;
};

}  // namespace helio::rib

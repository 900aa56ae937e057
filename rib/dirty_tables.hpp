// DirtyTables: route tables (FamilyRib::table_ref) to go through, each once however often it is marked.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "rib/prefix_tree.hpp"

namespace helio::rib {

class DirtyTables {
 public:
  void mark(std::uint32_t ref) {
    std::size_t word = ref / 64;
    if (bits_.size() <= word) bits_.resize(word + word / 4 + 1);
    std::uint64_t bit = std::uint64_t{1} << ref % 64;
    if ((bits_[word] & bit) == 0) ++marked_;
    bits_[word] |= bit;
  }
  // Marked and not begun since.
  bool contains(std::uint32_t ref) const { return ref / 64 < bits_.size() && (bits_[ref / 64] >> ref % 64 & 1) != 0; }
  bool empty() const { return marked_ == 0 && !under_way_; }

  // The table under way, or else the next one begins. Marked again meanwhile, it is gone through once more. Nothing: none
  // is left.
  std::optional<std::uint32_t> current() {
    if (under_way_ || marked_ == 0) return under_way_;
    if (cursor_ >= bits_.size()) cursor_ = 0;
    while (bits_[cursor_] == 0) cursor_ = cursor_ + 1 == bits_.size() ? 0 : cursor_ + 1;
    auto bit = static_cast<std::uint32_t>(__builtin_ctzll(bits_[cursor_]));
    bits_[cursor_] &= bits_[cursor_] - 1;
    --marked_;
    under_way_ = static_cast<std::uint32_t>(cursor_ * 64) + bit;
    return under_way_;
  }
  void done() { under_way_.reset(); }

  // Where to go on in the table under way; nothing when it is through.
  std::optional<PrefixKey<Address4>> next4;
  std::optional<PrefixKey<Address6>> next6;

 private:
  std::vector<std::uint64_t> bits_;            // by table reference
  std::size_t marked_ = 0, cursor_ = 0;        // cursor_: word where the search goes on
  std::optional<std::uint32_t> under_way_;
};

}  // namespace helio::rib

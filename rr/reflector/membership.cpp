#include "rr/reflector/membership.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

namespace helio::reflector {
namespace {

bool insert_into(std::vector<wire::RtMembership>& list, const wire::RtMembership& nlri) {
  auto at = std::lower_bound(list.begin(), list.end(), nlri);
  if (at != list.end() && *at == nlri) return false;
  list.insert(at, nlri);
  return true;
}
bool erase_from(std::vector<wire::RtMembership>& list, const wire::RtMembership& nlri) {
  auto at = std::lower_bound(list.begin(), list.end(), nlri);
  if (at == list.end() || *at != nlri) return false;
  list.erase(at);
  return true;
}

bool by_target(const wire::RtMembership& a, const wire::RtMembership& b) {
  return std::tie(a.length, a.target, a.origin_as) < std::tie(b.length, b.target, b.origin_as);
}

}  // namespace

bool Membership::add(const wire::RtMembership& nlri) {
  if (nlri.matches_everything()) {
    bool added = insert_into(everything_list_, nlri);
    everything_ = everything_list_.size();
    return added;
  }
  if (nlri.length < 96) {
    auto at = std::ranges::lower_bound(partial_, nlri, by_target);
    if (at != partial_.end() && *at == nlri) return false;
    partial_.insert(at, nlri);
    partial_lengths_ |= std::uint64_t{1} << (nlri.length - 32);
    return true;
  }
  Full full{nlri.target, nlri.origin_as};
  if (full_.empty() || full_.back() < full) {
    full_.push_back(full);
    return true;
  }
  auto at = std::lower_bound(full_.begin(), full_.end(), full);
  if (*at == full) return false;
  full_.insert(at, full);
  return true;
}

bool Membership::remove(const wire::RtMembership& nlri) {
  if (nlri.matches_everything()) {
    bool removed = erase_from(everything_list_, nlri);
    everything_ = everything_list_.size();
    return removed;
  }
  if (nlri.length < 96) {
    auto at = std::ranges::lower_bound(partial_, nlri, by_target);
    if (at == partial_.end() || *at != nlri) return false;
    partial_.erase(at);
    if (partial_.empty()) partial_lengths_ = 0;
    return true;
  }
  Full full{nlri.target, nlri.origin_as};
  auto at = std::lower_bound(full_.begin(), full_.end(), full);
  if (at == full_.end() || *at != full) return false;
  full_.erase(at);
  return true;
}

bool Membership::contains(const wire::RtMembership& nlri) const {
  if (nlri.matches_everything()) return std::binary_search(everything_list_.begin(), everything_list_.end(), nlri);
  if (nlri.length < 96) return std::ranges::binary_search(partial_, nlri, by_target);
  return std::binary_search(full_.begin(), full_.end(), Full{nlri.target, nlri.origin_as});
}

void Membership::clear() { *this = Membership(); }

bool Membership::has_target(std::uint64_t target) const {
  auto at = std::lower_bound(full_.begin(), full_.end(), Full{target, 0});
  return at != full_.end() && at->target == target;
}

bool Membership::matches(std::span<const std::uint64_t> targets) const {
  if (everything_ > 0) return true;
  for (std::uint64_t target : targets) {
    if (has_target(target)) return true;
    if (!partial_.empty() && matches_partial(target)) return true;
  }
  return false;
}

bool Membership::matches_partial(std::uint64_t target) const {
  for (std::uint64_t left = partial_lengths_; left != 0; left &= left - 1) {
    unsigned bits = static_cast<unsigned>(std::countr_zero(left));
    wire::RtMembership wanted{static_cast<std::uint8_t>(32 + bits), 0, target >> (64 - bits) << (64 - bits)};
    auto at = std::ranges::lower_bound(partial_, wanted, by_target);
    if (at != partial_.end() && at->length == wanted.length && at->target == wanted.target) return true;
  }
  return false;
}

std::vector<std::uint64_t> Membership::targets() const {
  std::vector<std::uint64_t> out;
  for (const Full& f : full_)
    if (out.empty() || out.back() != f.target) out.push_back(f.target);
  return out;
}

std::vector<wire::RtMembership> Membership::all() const {
  std::vector<wire::RtMembership> out = everything_list_;
  out.insert(out.end(), partial_.begin(), partial_.end());
  for (const Full& f : full_) out.push_back({96, f.origin_as, f.target});
  return out;
}

}  // namespace helio::reflector

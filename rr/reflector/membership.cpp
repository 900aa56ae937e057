#include "rr/reflector/membership.hpp"

#include <algorithm>

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

}  // namespace

bool Membership::add(const wire::RtMembership& nlri) {
  if (nlri.matches_everything()) {
    bool added = insert_into(everything_list_, nlri);
    everything_ = everything_list_.size();
    return added;
  }
  if (nlri.length < 96) return insert_into(partial_, nlri);
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
  if (nlri.length < 96) return erase_from(partial_, nlri);
  Full full{nlri.target, nlri.origin_as};
  auto at = std::lower_bound(full_.begin(), full_.end(), full);
  if (at == full_.end() || *at != full) return false;
  full_.erase(at);
  return true;
}

bool Membership::contains(const wire::RtMembership& nlri) const {
  if (nlri.matches_everything()) return std::binary_search(everything_list_.begin(), everything_list_.end(), nlri);
  if (nlri.length < 96) return std::binary_search(partial_.begin(), partial_.end(), nlri);
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
    for (const wire::RtMembership& p : partial_)
      if (p.matches(wire::RouteTarget{target})) return true;
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

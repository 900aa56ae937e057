#include "rr/reflector/marked_routes.hpp"

#include <algorithm>

namespace helio::reflector {

using wire::NlriStatus;

MarkedRoutes::MarkedRoutes(std::span<const std::uint64_t> always) {
  for (std::uint64_t target : always) ++users_[target];
}

MarkedRoutes::Key MarkedRoutes::key_of(wire::Family family, bool has_path_id, const wire::VpnNlri& nlri) {
  Key key{family, nlri.rd.value, has_path_id ? nlri.path_id : 0, nlri.length};
  unsigned octets = (nlri.length + 7u) / 8;
  std::copy(nlri.prefix, nlri.prefix + octets, key.prefix.begin());
  if (nlri.length % 8 != 0) key.prefix[octets - 1] &= static_cast<std::uint8_t>(0xff << (8 - nlri.length % 8));
  return key;
}

void MarkedRoutes::add(std::span<const std::uint64_t> targets, Changes& out) {
  for (std::uint64_t target : targets)
    if (users_[target]++ == 0) out.began.push_back(target);
}

void MarkedRoutes::remove(std::span<const std::uint64_t> targets, Changes& out) {
  for (std::uint64_t target : targets) {
    auto at = users_.find(target);
    if (--at->second != 0) continue;
    users_.erase(at);
    if (std::erase(out.began, target) == 0) out.ended.push_back(target);
  }
}

void MarkedRoutes::mark(wire::Family family, bool has_path_id, Bytes nlri, std::span<const std::uint64_t> targets, Changes& out) {
  wire::VpnNlriReader reader(nlri, family == wire::Family::vpnv6, false, has_path_id);
  wire::VpnNlri one;
  while (reader.next(one) == NlriStatus::ok) {
    Key key = key_of(family, has_path_id, one);
    unsaid_.erase(key);
    std::vector<std::uint64_t>& has = routes_[key];
    if (std::ranges::equal(has, targets)) continue;
    add(targets, out);  // before the old ones go: what is in both stays
    remove(has, out);
    has.assign(targets.begin(), targets.end());
  }
}

void MarkedRoutes::unmark(wire::Family family, bool has_path_id, bool is_withdrawal, Bytes nlri, Changes& out) {
  if (routes_.empty()) return;
  wire::VpnNlriReader reader(nlri, family == wire::Family::vpnv6, is_withdrawal, has_path_id);
  wire::VpnNlri one;
  while (reader.next(one) == NlriStatus::ok) {
    auto at = routes_.find(key_of(family, has_path_id, one));
    if (at == routes_.end()) continue;
    remove(at->second, out);
    unsaid_.erase(at->first);
    routes_.erase(at);
  }
}

void MarkedRoutes::refresh_begins(wire::Family family) {
  refreshing_.insert(family);
  for (const auto& [key, targets] : routes_)
    if (key.family == family) unsaid_.insert(key);
}

void MarkedRoutes::refresh_ends(wire::Family family, Changes& out) {
  if (refreshing_.erase(family) == 0) return;
  for (auto at = unsaid_.begin(); at != unsaid_.end();) {
    if (at->family != family) {
      ++at;
      continue;
    }
    auto route = routes_.find(*at);
    remove(route->second, out);
    routes_.erase(route);
    at = unsaid_.erase(at);
  }
}

std::vector<std::uint64_t> MarkedRoutes::targets() const {
  std::vector<std::uint64_t> out;
  for (const auto& [target, users] : users_) out.push_back(target);
  return out;
}

}  // namespace helio::reflector

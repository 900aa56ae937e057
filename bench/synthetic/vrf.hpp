// The VPN side of a synthetic PE: VRFs with route targets, what they import from each other, what a PE therefore asks a
// reflector for (RFC 4364 §4.3, RFC 4684 §3), and the labels it gives away.
#pragma once
#include <map>
#include <tuple>

#include "bench/synthetic/path.hpp"

namespace helio::synthetic {

// What a label stands for (RFC 4364 §4.3.2): the VRF, one of its prefixes, or one of its CEs.
enum class LabelMode : std::uint8_t { per_vrf, per_prefix, per_ce };

struct Vrf {
  wire::RouteDistinguisher rd;
  std::vector<std::uint64_t> import_targets, export_targets;
  LabelMode labels = LabelMode::per_vrf;
};

// Whether a route with these targets is imported by whoever wants those.
inline bool have_common(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  return std::any_of(a.begin(), a.end(), [&](std::uint64_t rt) { return std::find(b.begin(), b.end(), rt) != b.end(); });
}

// What a PE asks for: the union of what its VRFs import, in order. A range of Vrf.
template <class Vrfs>
std::vector<std::uint64_t> imported_targets(const Vrfs& vrfs) {
  std::vector<std::uint64_t> out;
  for (const Vrf& vrf : vrfs) out.insert(out.end(), vrf.import_targets.begin(), vrf.import_targets.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Labels in order of first use; none is given to something else again.
template <class Key>
class LabelSpace {
 public:
  explicit LabelSpace(std::uint32_t first) : next_(first) {}
  std::uint32_t of(const Key& key) {
    auto [at, is_new] = labels_.try_emplace(key, next_);
    if (is_new) ++next_;
    return at->second;
  }

 private:
  std::map<Key, std::uint32_t> labels_;
  std::uint32_t next_;
};

}  // namespace helio::synthetic

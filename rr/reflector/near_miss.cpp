#include "rr/reflector/near_miss.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace helio::reflector {
namespace {

// Route target as (administrator, assigned number), whatever the encoding (RFC 4360 §3, RFC 5668); nothing for other types.
std::optional<std::pair<std::uint64_t, std::uint64_t>> numbers(wire::RouteTarget rt) {
  switch (rt.value >> 48) {
    case 0x0002: return std::pair{rt.value >> 32 & 0xffff, rt.value & 0xffffffff};
    case 0x0102:
    case 0x0202: return std::pair{rt.value >> 16 & 0xffffffff, rt.value & 0xffff};
    default: return std::nullopt;
  }
}

bool is_one_edit(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > 1) return false;
  std::size_t same = 0;
  while (same < a.size() && a[same] == b[same]) ++same;
  if (a.size() != b.size()) return a.substr(same) == b.substr(same + 1);
  if (a.substr(same + 1) == b.substr(same + 1)) return true;
  return same + 1 < a.size() && a[same] == b[same + 1] && a[same + 1] == b[same] && a.substr(same + 2) == b.substr(same + 2);
}

}  // namespace

NearMiss near_miss(wire::RouteTarget a, wire::RouteTarget b) {
  if (a == b) return NearMiss::none;
  auto x = numbers(a), y = numbers(b);
  if (!x || !y) return NearMiss::none;
  if (*x == *y) return NearMiss::other_type;
  if (a.value >> 48 == b.value >> 48 && is_one_edit(wire::format_rt(a), wire::format_rt(b))) return NearMiss::one_digit;
  return x->second == y->second ? NearMiss::same_number : NearMiss::none;
}

std::vector<std::string> near_miss_hints(std::span<const wire::RouteTarget> missing, std::span<const wire::RouteTarget> present, std::string_view have) {
  std::vector<std::tuple<NearMiss, wire::RouteTarget, wire::RouteTarget>> found;
  for (wire::RouteTarget m : missing)
    for (wire::RouteTarget p : present)
      if (NearMiss how = near_miss(m, p); how != NearMiss::none) found.emplace_back(how, m, p);
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (const auto& [how, m, p] : found) {
    if (out.size() == 3) break;
    std::string_view difference = how == NearMiss::other_type ? "the same numbers in another type of route target"
                                  : how == NearMiss::one_digit ? "one character off"
                                                               : "the same number under another administrator";
    out.push_back(fmt::format("{} {}, which is not {}: {}", have, wire::format_rt(p), wire::format_rt(m), difference));
  }
  return out;
}

}  // namespace helio::reflector

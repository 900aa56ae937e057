// Route targets that are easily taken for one another: what explain asks when one is missing.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::reflector {

enum class NearMiss : std::uint8_t {
  none,
  other_type,   // the same numbers in another encoding: 65000:101 and 65000L:101
  one_digit,    // one character of the text differs, is missing, is too many, or two are swapped
  same_number,  // 65000:101 and 65001:101
};
NearMiss near_miss(wire::RouteTarget a, wire::RouteTarget b);

// Sentences about what `have` has instead of `missing`, the likeliest first, at most three. `have` says it: "the peer asks for".
std::vector<std::string> near_miss_hints(std::span<const wire::RouteTarget> missing, std::span<const wire::RouteTarget> present, std::string_view have);

}  // namespace helio::reflector

// AS path expressions, as routers have them: a regular expression over the path as text, "65001 65002 {65003,65004}".
//
//   ^ $ . [ ] ( ) | * + ? {n,m} as usual; "_" stands for the beginning, the end, a space, a comma, a brace or a
//   parenthesis: "_65001_" is AS 65001 anywhere, "^65001_" the neighbour, "_65001$" the origin, "^$" the empty path.
//
// Compiled once. A path whose text is longer than kMaxText matches no expression, and neither does one over which the
// library gives up: matching is bounded, whatever a peer sends.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "rr/base/result.hpp"

namespace helio::policy {

class AsPathPattern {
 public:
  static constexpr std::size_t kMaxExpression = 256, kMaxText = 8192;

  static Result<AsPathPattern, std::string> parse(std::string_view expression);
  // Nothing: the path is longer than kMaxText, or the expression too much work on it. A peer may choose a path of that kind, so
  // whoever keeps routes out by paths takes it for a match.
  std::optional<bool> matches(std::string_view path) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace helio::policy

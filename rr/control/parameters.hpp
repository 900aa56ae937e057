// Parameters of a request as values, and the problems there may be with them.
#pragma once
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "rr/base/result.hpp"
#include "rr/control/query.hpp"

namespace helio::control {

inline Unexpected<ApiProblem> problem(unsigned status, std::string error, std::string message, std::string hint = {}) {
  return Unexpected(ApiProblem{status, std::move(error), std::move(message), std::move(hint)});
}
inline Unexpected<ApiProblem> bad_parameter(std::string_view name, std::string_view value, std::string_view what) {
  return problem(400, "bad_parameter", fmt::format("{} \"{}\" is not {}", name, value, what));
}

// Sets `out` from a parameter, if given, by a parser that returns an optional.
template <class T, class Parse>
std::optional<ApiProblem> read(const Target& target, std::string_view name, T& out, Parse parse, std::string_view what) {
  const std::string* value = target.find(name);
  if (!value) return std::nullopt;
  auto parsed = parse(*value);
  if (!parsed) return bad_parameter(name, *value, what).error();
  out = *parsed;
  return std::nullopt;
}

}  // namespace helio::control

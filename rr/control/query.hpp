// The target of a request taken apart: path and query parameters, percent-decoded, each parameter claimed by name so
// that what nobody claimed is reported instead of ignored.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.hpp"
#include "rr/control/problem.hpp"

namespace helio::control {

struct Target {
  std::string path;  // "/v1/peers/2001:db8::1"
  struct Parameter {
    std::string name, value;
  };
  std::vector<Parameter> parameters;

  const std::string* find(std::string_view name) const;
};

Result<Target, ApiProblem> parse_target(std::string_view text);

// An error when a parameter is not in `known`.
std::optional<ApiProblem> check_parameters(const Target& target, std::span<const std::string_view> known);

}  // namespace helio::control

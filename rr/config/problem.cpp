#include "rr/config/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace helio::config {

std::string format_problem(const ConfigProblem& problem) {
  std::string out = problem.file;
  if (problem.position.line) out += fmt::format(":{}:{}", problem.position.line, problem.position.column);
  out += ": ";
  if (problem.severity == Severity::warning) out += "warning: ";
  if (!problem.key.empty()) out += problem.key + ": ";
  out += problem.message;
  if (!problem.hint.empty()) out += fmt::format(" ({})", problem.hint);
  return out;
}

std::vector<ConfigProblem> Problems::take() {
  std::ranges::stable_sort(list_, [](const ConfigProblem& a, const ConfigProblem& b) {
    return std::tie(a.position.line, a.position.column) < std::tie(b.position.line, b.position.column);
  });
  return std::move(list_);
}

}  // namespace helio::config

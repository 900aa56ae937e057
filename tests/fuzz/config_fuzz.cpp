// Any text as a configuration: it loads, or there is an error that can be printed; what loads can be used.
#include <algorithm>

#include "rr/config/load.hpp"
#include "rr/config/session_settings.hpp"
#include "tests/fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::config;
  if (size > 64 << 10) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto result = parse_config(text, "fuzz.toml", "/nonexistent");
  const auto& problems = result ? result->warnings : result.error();
  for (const ConfigProblem& problem : problems) HELIO_CHECK(!format_problem(problem).empty(), "a problem has text");
  bool has_error = std::ranges::any_of(problems, [](const auto& p) { return p.severity == Severity::error; });
  HELIO_CHECK(result.has_value() != has_error, "refused with an error, taken without");
  if (!result) return 0;
  HELIO_CHECK(result->global.as != 0 && result->global.router_id != 0 && !result->global.listen.empty(), "mandatory");
  SessionSettings settings = make_session_settings(*result, "host");
  HELIO_CHECK(settings.neighbors.size() == result->neighbors.size(), "every neighbour");
  for (const auto& neighbor : settings.neighbors) HELIO_CHECK(neighbor.group != nullptr, "a neighbour has a group");
  for (const auto& range : settings.listen_ranges) HELIO_CHECK(range.group != nullptr, "a range has a group");
  return 0;
}

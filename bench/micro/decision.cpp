// select_best over 2 and 8 paths: decided early (LOCAL_PREF) and late (ORIGINATOR_ID).
#include "rib/decision.hpp"

#include <benchmark/benchmark.h>

#include <vector>

namespace helio::bench {
namespace {

void decision(benchmark::State& state) {
  auto paths = static_cast<std::size_t>(state.range(0));
  bool early = state.range(1) != 0;
  std::vector<rib::DecisionKey> keys(paths);
  std::vector<rib::Candidate> candidates;
  for (std::size_t i = 0; i < paths; ++i) {
    keys[i].originator_id = static_cast<std::uint32_t>(100 - i);
    keys[i].neighbor_as = 65001 + static_cast<std::uint32_t>(i % 2);
    if (early) keys[i].local_pref = 100 + static_cast<std::uint32_t>(i);
    candidates.push_back({&keys[i], wire::IpAddress::v4(static_cast<std::uint32_t>(i + 1)), 0});
  }
  for ([[maybe_unused]] auto _ : state) {
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(rib::select_best(candidates));
  }
}
BENCHMARK(decision)->ArgNames({"paths", "early"})->Args({2, 1})->Args({2, 0})->Args({8, 1})->Args({8, 0});

}  // namespace
}  // namespace helio::bench

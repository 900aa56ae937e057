// helio-bench: what each stage of the engine costs, one file per stage (README.md).
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();

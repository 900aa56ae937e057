// The whole path in memory: UPDATE bodies in, Shard::on_update, run_turn, gather; S1's shape (every PE gets everything
// of the others). One thread per shard; `ratio` runs 1 and 2 shards after each other and compares (H2: at least 1.7).
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <thread>

#include "bench/micro/engine.hpp"

namespace helio::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Load {
  std::uint32_t pes = 10, vrfs = 100, routes_per_vrf = 0, attribute_sets_per_vrf = 1;
  std::uint64_t routes() const { return std::uint64_t{pes} * vrfs * routes_per_vrf; }
};

// The bodies that one PE sends.
std::vector<Octets> bodies_of(const Load& load, std::uint32_t pe) {
  std::vector<Octets> out;
  std::uint32_t per_set = load.routes_per_vrf / load.attribute_sets_per_vrf;
  for (std::uint32_t vrf = 0; vrf < load.vrfs; ++vrf) {
    for (std::uint32_t set = 0; set < load.attribute_sets_per_vrf; ++set) {
      Octets attributes = attributes_of(kFirstRt + vrf, set);
      for (std::uint32_t at = 0; at < per_set; at += 260)
        out.push_back(update_body(kFirstRd + pe * load.vrfs + vrf, set * per_set + at, std::min(260u, per_set - at), 0x0a010000 + pe, attributes));
    }
  }
  return out;
}

struct Outcome {
  double seconds = 0;
  double cpu_seconds = 0;          // of all threads
  double longest_cpu_seconds = 0;  // of the busiest one
  double bytes_per_path = 0;
};

Outcome run(const Load& load, std::uint32_t shards) {
  Engine engine(shards);
  std::vector<std::vector<Octets>> bodies;
  for (std::uint32_t pe = 0; pe < load.pes; ++pe) bodies.push_back(bodies_of(load, pe));
  for (std::uint32_t pe = 0; pe < load.pes; ++pe) engine.establish(pe, false);
  engine.settle(load.pes);

  const std::uint64_t expected = load.routes() * (load.pes - 1);
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint32_t> ready{0};
  std::vector<double> cpu(shards);
  auto work = [&](std::uint32_t self) {
    reflector::Shard& shard = engine.shard(self);
    std::vector<std::uint32_t> mine;
    for (std::uint32_t pe = self; pe < load.pes; pe += shards) mine.push_back(pe);
    std::vector<std::size_t> next(load.pes, 0);
    ++ready;
    while (ready.load() < shards) std::this_thread::yield();
    timespec cpu_begin, cpu_end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_begin);
    while (delivered.load(std::memory_order_relaxed) < expected) {
      // A reading phase: up to 64 KiB of each peer, as the socket loop takes it.
      bool did = false;
      for (std::uint32_t pe : mine) {
        for (std::size_t bytes = 0; bytes < 65536 && next[pe] < bodies[pe].size() && shard.may_read(); ++next[pe]) {
          shard.on_update(PeerId{pe}, bodies[pe][next[pe]]);
          bytes += bodies[pe][next[pe]].size();
          did = true;
        }
      }
      did |= shard.run_turn(Clock::now()).more_work;
      std::uint64_t routes = 0;
      for (std::uint32_t pe : mine) routes += engine.drain(pe);
      if (routes > 0) delivered.fetch_add(routes, std::memory_order_relaxed);
      else if (!did) std::this_thread::yield();
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu_end);
    cpu[self] = static_cast<double>(cpu_end.tv_sec - cpu_begin.tv_sec) + 1e-9 * static_cast<double>(cpu_end.tv_nsec - cpu_begin.tv_nsec);
  };
  Clock::time_point begin = Clock::now();
  std::vector<std::thread> threads;
  for (std::uint32_t s = 1; s < shards; ++s) threads.emplace_back(work, s);
  work(0);
  for (std::thread& t : threads) t.join();
  Outcome out;
  out.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (double seconds : cpu) {
    out.cpu_seconds += seconds;
    out.longest_cpu_seconds = std::max(out.longest_cpu_seconds, seconds);
  }
  engine.settle(load.pes);
  std::int64_t bytes = 0;
  for (std::uint32_t s = 0; s < shards; ++s) bytes += engine.shard(s).memory().total_bytes();
  out.bytes_per_path = static_cast<double>(bytes) / static_cast<double>(load.routes());
  if (delivered.load() != expected || engine.closed() != 0) out.seconds = -1;
  return out;
}

Load load_of(benchmark::State& state) {
  return {.routes_per_vrf = static_cast<std::uint32_t>(state.range(0)), .attribute_sets_per_vrf = static_cast<std::uint32_t>(state.range(1))};
}

void whole_path(benchmark::State& state) {
  Load load = load_of(state);
  for ([[maybe_unused]] auto _ : state) {
    Outcome o = run(load, static_cast<std::uint32_t>(state.range(2)));
    if (o.seconds < 0) {
      state.SkipWithError("routes were not delivered");
      break;
    }
    state.SetIterationTime(o.seconds);
    state.counters["ns_per_route"] = o.seconds * 1e9 / static_cast<double>(load.routes());
    state.counters["cpu_ns_per_route"] = o.cpu_seconds * 1e9 / static_cast<double>(load.routes());
    state.counters["bytes_per_path"] = o.bytes_per_path;
  }
}
BENCHMARK(whole_path)->ArgNames({"per_vrf", "sets", "shards"})->Args({1000, 1, 1})->Args({1000, 1, 2})->Args({1000, 100, 1})->Args({1000, 100, 2})
    ->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

// The median of five pairs: neighbours on the machine disturb single runs.
void whole_path_ratio(benchmark::State& state) {
  Load load = load_of(state);
  for ([[maybe_unused]] auto _ : state) {
    std::vector<double> ratios, cpu_ratios;
    double total = 0;
    for (int i = 0; i < 5; ++i) {
      Outcome one = run(load, 1), two = run(load, 2);
      if (one.seconds < 0 || two.seconds < 0) {
        state.SkipWithError("routes were not delivered");
        return;
      }
      ratios.push_back(one.seconds / two.seconds);
      cpu_ratios.push_back(one.cpu_seconds / two.longest_cpu_seconds);
      total += one.seconds + two.seconds;
    }
    std::sort(ratios.begin(), ratios.end());
    std::sort(cpu_ratios.begin(), cpu_ratios.end());
    state.SetIterationTime(total);
    state.counters["speedup"] = ratios[2];
    state.counters["cpu_speedup"] = cpu_ratios[2];
    state.counters["lowest"] = ratios.front();
    state.counters["highest"] = ratios.back();
  }
}
BENCHMARK(whole_path_ratio)->ArgNames({"per_vrf", "sets"})->Args({1000, 1})->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace helio::bench

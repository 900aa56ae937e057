// The way out: packing a turn's changes, and handing them to a thousand members.
#include <benchmark/benchmark.h>

#include "bench/micro/engine.hpp"
#include "rib/packer.hpp"

namespace helio::bench {
namespace {

using benchmark::Counter;

// `sets` attribute sets (each its own RT) with `per_set` routes each in one turn.
void pack(benchmark::State& state) {
  auto sets = static_cast<std::uint32_t>(state.range(0)), per_set = static_cast<std::uint32_t>(state.range(1));
  bool external = state.range(2) != 0;
  rib::MemoryAccount account;
  rib::ProvenanceStore provenances(account);
  rib::AttributeStore store(account, provenances);
  rib::ChangeLog log;
  Octets next_hop(12, 1);
  for (std::uint32_t s = 0; s < sets; ++s) {
    std::uint64_t target = kFirstRt + s;
    Octets bytes = attributes_of(target);
    rib::CanonicalAttributes canonical;
    canonical.next_hop = next_hop;
    canonical.bytes = bytes;
    canonical.targets = std::span(&target, 1);
    rib::AttributeId id = store.intern(PeerId{0}, 0, canonical);
    for (std::uint32_t i = 0; i < per_set; ++i) {
      bool new_run;
      std::uint8_t* to = log.announce(id, 15, new_run);
      to[0] = 112;
      std::memset(to + 1, static_cast<int>(i), 14);
      log.announced(15);
      if (!new_run) continue;
      log.announcements().back().provenance = store[id].provenance;
      log.announcements().back().rt_set = provenances.provenance(store[id].provenance).rt_set;
    }
  }
  rib::Packer packer(store);
  rib::EncodingClass encoding;
  if (external) encoding = {.is_external = true, .local_as = 65000};
  auto retained = std::make_shared<rib::RetainedBytes>();
  std::int64_t bytes = 0;
  for ([[maybe_unused]] auto _ : state) {
    packer.sort(log);
    rib::BatchRef batch = packer.pack(log, wire::Family::vpnv4, encoding, retained);
    bytes += batch->size();
    benchmark::DoNotOptimize(batch->data());
  }
  state.SetBytesProcessed(bytes);
  state.counters["per_route"] = Counter(static_cast<double>(std::int64_t{sets} * per_set * state.iterations()), Counter::kIsRate | Counter::kInvert);
}
BENCHMARK(pack)->ArgNames({"sets", "per_set", "ebgp"})->Args({1, 1, 0})->Args({1, 10000, 0})->Args({1000, 10, 0})->Args({10000, 1, 0})->Args({1000, 10, 1});

// One UPDATE of 250 routes to 1000 peers, from body to drained queues; `members` of them want it (the others have other
// RT memberships). A peer that is not interested must cost nothing.
void fan_out(benchmark::State& state) {
  constexpr std::uint32_t kPeers = 1000, kRoutes = 250;
  auto members = static_cast<std::uint32_t>(state.range(0));
  bool rtc = state.range(1) != 0;
  Engine engine(1);
  for (std::uint32_t id = 0; id <= kPeers; ++id) {
    engine.establish(id, rtc);
    if (!rtc) continue;
    auto target = id < members ? kFirstRt : kFirstRt + 1;
    if (engine.shard(0).on_update(PeerId{id}, membership_body({target}, 0x0a000001 + id))) state.SkipWithError("membership refused");
    engine.shard(0).on_update(PeerId{id}, rtc_end_of_rib_body());
  }
  engine.settle(kPeers + 1);
  Octets bodies[2] = {update_body(kFirstRd, 0, kRoutes, 0x0a000009, attributes_of(kFirstRt, 1)),
                      update_body(kFirstRd, 0, kRoutes, 0x0a000009, attributes_of(kFirstRt, 2))};
  std::uint64_t delivered = 0;
  std::size_t turn = 0;
  for ([[maybe_unused]] auto _ : state) {
    engine.shard(0).on_update(PeerId{kPeers}, bodies[turn++ % 2]);
    engine.shard(0).run_turn(std::chrono::steady_clock::now());
    // The session layer touches the peers that have output; here those that can.
    for (std::uint32_t id = 0; id < members; ++id) delivered += engine.drain(id);
  }
  if (delivered != static_cast<std::uint64_t>(state.iterations()) * members * kRoutes || engine.closed() != 0) state.SkipWithError("routes were not delivered");
  state.counters["per_member"] = Counter(static_cast<double>(std::int64_t{members} * state.iterations()), Counter::kIsRate | Counter::kInvert);
}
BENCHMARK(fan_out)->ArgNames({"members", "rtc"})->Args({1000, 0})->Args({1000, 1})->Args({10, 1})->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace helio::bench

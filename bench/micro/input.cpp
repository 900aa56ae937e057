// The way in: decode_update of a full message, the canonical form, interning. Counter per_route is time.
#include <benchmark/benchmark.h>

#include "bench/micro/loads.hpp"
#include "rib/attribute_store.hpp"
#include "rr/reflector/reflection.hpp"

namespace helio::bench {
namespace {

using benchmark::Counter;

wire::UpdateContext context() {
  wire::UpdateContext c;
  c.families.insert(wire::Family::vpnv4);
  return c;
}
Counter per_item(std::int64_t items) { return Counter(static_cast<double>(items), Counter::kIsRate | Counter::kInvert); }

void decode(benchmark::State& state) {
  auto routes = static_cast<std::uint32_t>(state.range(0));
  Octets body = update_body(kFirstRd, 0, routes, 0x0a000001, attributes_of(kFirstRt));
  wire::UpdateContext c = context();
  for ([[maybe_unused]] auto _ : state) {
    auto view = wire::decode_update(body, c);
    benchmark::DoNotOptimize(view);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
  state.counters["per_route"] = per_item(routes * state.iterations());
}
BENCHMARK(decode)->Arg(1)->Arg(10)->Arg(260);

void read_nlri(benchmark::State& state) {
  constexpr std::uint32_t kRoutes = 260;
  Octets body = update_body(kFirstRd, 0, kRoutes, 0x0a000001, attributes_of(kFirstRt));
  auto view = wire::decode_update(body, context());
  for ([[maybe_unused]] auto _ : state) {
    wire::VpnNlriReader reader(view->reach->nlri, false, false, false);
    wire::VpnNlri n;
    std::uint64_t sum = 0;
    while (reader.next(n) == wire::NlriStatus::ok) sum += n.rd.value ^ n.prefix[1];
    benchmark::DoNotOptimize(sum);
  }
  state.counters["per_route"] = per_item(kRoutes * state.iterations());
}
BENCHMARK(read_nlri);

const reflector::Source kSource{session::PeerRole::client, 0x0a000001, true, 0x0a0000fe, 0x0a0000fe, 65000};

void canonicalise(benchmark::State& state) {
  Octets body = update_body(kFirstRd, 0, 1, 0x0a000001, attributes_of(kFirstRt));
  auto view = wire::decode_update(body, context());
  reflector::Canonicaliser canonicaliser;
  rib::CanonicalAttributes out;
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(canonicaliser.build(*view, view->reach->next_hop, kSource, out));
}
BENCHMARK(canonicalise);

// Interning among `range` sets: of one that is there, and of one that is new (and goes again).
void intern(benchmark::State& state) {
  bool is_new = state.range(1) != 0;
  auto count = static_cast<std::uint32_t>(state.range(0));
  rib::MemoryAccount account;
  rib::ProvenanceStore provenances(account);
  rib::AttributeStore store(account, provenances);
  reflector::Canonicaliser canonicaliser;
  rib::CanonicalAttributes canonical;
  Octets body;
  auto intern_one = [&](std::uint32_t med, std::uint32_t generation) {
    store_be32(body.data() + body.size() - 22, med);  // MED stands before LOCAL_PREF (7) and the RT (11)
    auto view = wire::decode_update(body, context());
    canonicaliser.build(*view, view->reach->next_hop, kSource, canonical);
    return store.intern(PeerId{0}, generation, canonical);
  };
  body = update_body(kFirstRd, 0, 1, 0x0a000001, attributes_of(kFirstRt));
  for (std::uint32_t i = 0; i < count; ++i) intern_one(i, 0);
  state.counters["bytes_per_set"] = static_cast<double>(account.total_bytes()) / count;
  Octets bytes(canonical.bytes.begin(), canonical.bytes.end());
  std::size_t med_at = bytes.size() - 11 - 7 - 7 - 7 - 4;  // before LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and the RT
  canonical.bytes = bytes;
  std::uint32_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    next = next * 1664525 + 1013904223;
    store_be32(bytes.data() + med_at, next % count);
    rib::AttributeId id = store.intern(PeerId{0}, is_new ? 1 : 0, canonical);
    store.drop_refs(id, 1);
  }
  if (store.size() != count) state.SkipWithError("the sets were not those looked for");
}
BENCHMARK(intern)->ArgNames({"sets", "new"})->Args({100, 0})->Args({1000000, 0})->Args({1000000, 1});

}  // namespace
}  // namespace helio::bench

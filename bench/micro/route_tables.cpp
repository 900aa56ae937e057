// The RIB of a family by shapes: insert, look up, walk, erase a million routes and more, one pass each. Counters are ns
// of CPU per route of each step, bytes per path from the memory account, and for `stall` the longest single insert.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "bench/micro/loads.hpp"
#include "rib/family_rib.hpp"

namespace helio::bench {
namespace {

// CPU time of this thread: what others do on the machine is neither our cost nor a stall of ours.
struct ThreadClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<ThreadClock>;
  static constexpr bool is_steady = true;
  static time_point now() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  }
};

template <class Address>
constexpr wire::Family kFamily = sizeof(Address) == 4 ? wire::Family::vpnv4 : wire::Family::vpnv6;

// A shard's RIB of one family with one peer and one attribute set.
template <class Address>
class Table : public rib::TurnSealer {
 public:
  Table() : shared(*this), rib(kFamily<Address>, shared) {
    shared.keep_tombstones = false;
    shared.peers.resize(1);
    std::uint64_t target = kFirstRt;
    bytes_ = attributes_of(target);
    rib::CanonicalAttributes canonical;
    canonical.next_hop = next_hop_;
    canonical.bytes = bytes_;
    canonical.targets = std::span(&target, 1);
    attributes = shared.attributes.intern(PeerId{0}, 0, canonical);
  }
  ~Table() override { rib.clear_log(rib.log()); }
  void seal_turn() override {
    rib.clear_log(rib.log());
    ++shared.turn;
  }
  template <class Item>
  rib::NlriEntry<Address> entry(const Item& item) {
    rib::NlriEntry<Address> e;
    e.rd = item.rd;
    e.address = item.key.address;
    e.length = item.key.length;
    e.label = 0x641;
    e.wire = wire_.data();  // the log copies it; what it says does not matter here
    e.wire_length = static_cast<std::uint8_t>(12 + (item.key.length + 7) / 8);
    return e;
  }

  rib::RibShared shared;
  rib::FamilyRib<Address> rib;
  rib::AttributeId attributes;

 private:
  Octets bytes_, next_hop_ = Octets(12, 1);
  std::array<std::uint8_t, 64> wire_{};
};

double ns_per(ThreadClock::duration d, std::size_t n) { return std::chrono::duration<double, std::nano>(d).count() / static_cast<double>(n); }

template <class Address, class Item>
void all_steps(benchmark::State& state, const std::vector<Item>& items) {
  constexpr std::size_t kBlock = 256;  // as many as a message brings
  for ([[maybe_unused]] auto _ : state) {
    Table<Address> t;
    std::vector<rib::NlriEntry<Address>> entries;
    auto in_blocks = [&](auto&& apply) {
      ThreadClock::duration spent{};
      for (std::size_t i = 0; i < items.size(); i += kBlock) {
        entries.clear();
        for (std::size_t j = i; j < std::min(i + kBlock, items.size()); ++j) entries.push_back(t.entry(items[j]));
        ThreadClock::time_point begin = ThreadClock::now();
        apply();
        if (i / kBlock % 16 == 15) t.seal_turn();
        spent += ThreadClock::now() - begin;
      }
      t.seal_turn();
      return spent;
    };
    ThreadClock::duration insert = in_blocks([&] { t.rib.announce(PeerId{0}, t.attributes, entries); });
    std::int64_t bytes = t.shared.memory.total_bytes();

    std::size_t lookups = std::min<std::size_t>(items.size(), 500000), found = 0;
    std::vector<std::size_t> order(lookups);
    std::mt19937_64 random(1);
    for (std::size_t& i : order) i = random() % items.size();
    ThreadClock::time_point begin = ThreadClock::now();
    for (std::size_t i : order) found += t.rib.find(items[i].rd, items[i].key) != nullptr;
    ThreadClock::duration lookup = ThreadClock::now() - begin;

    std::size_t walked = 0;
    begin = ThreadClock::now();
    for (std::uint32_t id = 0; id < t.rib.table_limit(); ++id)
      t.rib.walk_table(id, {}, [&](const auto&, const rib::Slot&, const rib::PathRef&) {
        ++walked;
        return true;
      });
    ThreadClock::duration walk = ThreadClock::now() - begin;
    ThreadClock::duration erase = in_blocks([&] { t.rib.withdraw(PeerId{0}, entries); });

    if (found != lookups || walked != items.size() || t.rib.table_count() != 0) state.SkipWithError("routes were lost");
    state.SetIterationTime(std::chrono::duration<double>(insert + walk + erase).count());
    state.counters["insert_ns"] = ns_per(insert, items.size());
    state.counters["lookup_ns"] = ns_per(lookup, lookups);
    state.counters["walk_ns"] = ns_per(walk, items.size());
    state.counters["erase_ns"] = ns_per(erase, items.size());
    state.counters["bytes_per_path"] = static_cast<double>(bytes) / static_cast<double>(items.size());
    state.counters["bytes_left"] = static_cast<double>(t.shared.memory.total_bytes());
  }
}

void routes_consecutive(benchmark::State& state) {
  all_steps<rib::Address4>(state, consecutive(static_cast<std::uint32_t>(state.range(0)), static_cast<std::uint32_t>(state.range(1))));
}
void routes_random_private(benchmark::State& state) {
  all_steps<rib::Address4>(state, random_private(static_cast<std::uint32_t>(state.range(0)), static_cast<std::uint32_t>(state.range(1))));
}
void routes_internet_like(benchmark::State& state) { all_steps<rib::Address4>(state, internet_like(static_cast<std::uint32_t>(state.range(0)))); }
void routes_sixes(benchmark::State& state) {
  all_steps<rib::Address6>(state, sixes(static_cast<std::uint32_t>(state.range(0)), static_cast<std::uint32_t>(state.range(1))));
}
BENCHMARK(routes_consecutive)->ArgNames({"rds", "per_rd"})->Args({10000, 100})->Args({100000, 100})->Args({1000000, 1})->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(routes_random_private)->ArgNames({"rds", "per_rd"})->Args({10000, 100})->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(routes_internet_like)->Arg(1000000)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(routes_sixes)->ArgNames({"rds", "per_rd"})->Args({10000, 100})->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

// Every insert alone. A new RD each makes the directory and the table array grow under it; one RD makes the tree grow.
template <class Item>
void longest_insert(benchmark::State& state, const std::vector<Item>& items) {
  for ([[maybe_unused]] auto _ : state) {
    Table<rib::Address4> t;
    std::vector<std::int64_t> spent;
    spent.reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      rib::NlriEntry<rib::Address4> e = t.entry(items[i]);
      if (i % 4096 == 0) t.seal_turn();
      ThreadClock::time_point begin = ThreadClock::now();
      t.rib.announce(PeerId{0}, t.attributes, std::span(&e, 1));
      spent.push_back((ThreadClock::now() - begin).count());
    }
    std::sort(spent.begin(), spent.end());
    state.SetIterationTime(1e-9 * static_cast<double>(spent.back()));
    state.counters["longest_us"] = static_cast<double>(spent.back()) / 1e3;
    state.counters["second_us"] = static_cast<double>(spent[spent.size() - 2]) / 1e3;
    state.counters["p99999_us"] = static_cast<double>(spent[spent.size() - spent.size() / 100000 - 1]) / 1e3;
    state.counters["p50_ns"] = static_cast<double>(spent[spent.size() / 2]);
  }
}
void stall_new_rds(benchmark::State& state) { longest_insert(state, consecutive(static_cast<std::uint32_t>(state.range(0)), 1)); }
void stall_one_rd(benchmark::State& state) { longest_insert(state, internet_like(static_cast<std::uint32_t>(state.range(0)))); }
BENCHMARK(stall_new_rds)->Arg(1000000)->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(stall_one_rd)->Arg(1000000)->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace helio::bench

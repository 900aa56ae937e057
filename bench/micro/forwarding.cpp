// Forwarding: longest-prefix match of one big VRF and of many small ones, beside rte_fib and rte_lpm of DPDK where they are
// installed, on the same routes and the same addresses; and packets through ingress, core and egress.
// `ns_per_lookup`, `bytes_per_route`: lower is better; `fib_ratio` of a DPDK row: its rate over ours (target: at most 2).
#include <benchmark/benchmark.h>
#include <time.h>

#include <memory>
#include <random>

#include "bench/micro/loads.hpp"
#include "rib/forwarding/forwarder.hpp"

#ifdef HELIO_HAVE_DPDK
#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_lpm.h>
#include <rte_malloc.h>
#endif

namespace helio::bench {
namespace {

using namespace forwarding;

constexpr std::size_t kProbes = 1 << 20;

double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct BigVrf {
  explicit BigVrf(std::uint32_t n) {
    NextHopId next_hop = 1;
    for (const Item4& item : internet_like(n)) routes.push_back({item.key, 1 + next_hop++ % 200});
    std::mt19937 random(7);
    for (std::size_t i = 0; i < kProbes; ++i) {
      const auto& key = routes[random() % routes.size()].prefix;
      std::uint32_t host = key.length == 32 ? 0 : static_cast<std::uint32_t>(random()) >> key.length;
      addresses.push_back(key.address | host);
    }
    out.resize(kProbes);
  }
  std::vector<Fib<Address4>::Route> routes;
  std::vector<Address4> addresses;
  std::vector<NextHopId> out;
};

// The best of `rounds` passes over all probes, ns of CPU per look-up.
template <class Pass>
double best_of(int rounds, Pass&& pass) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    double begin = thread_seconds();
    pass();
    best = std::min(best, (thread_seconds() - begin) * 1e9 / kProbes);
  }
  return best;
}

#ifdef HELIO_HAVE_DPDK
bool start_dpdk() {
  static bool started = [] {
    const char* arguments[] = {"helio-bench", "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf", "-m", "1500", "-l", "0", "--log-level", "1"};
    std::vector<char*> argv;
    for (const char* a : arguments) argv.push_back(const_cast<char*>(a));
    return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
  }();
  return started;
}
std::size_t dpdk_bytes() {
  rte_malloc_socket_stats stats{};
  rte_malloc_get_socket_stats(0, &stats);
  return stats.heap_allocsz_bytes;
}
#endif

// One VRF with range(0) routes of Internet-like lengths; look-ups in bulk, as a forwarder with batches makes them, and one by one.
void fib_one_vrf(benchmark::State& state) {
  BigVrf v(static_cast<std::uint32_t>(state.range(0)));
  auto count = static_cast<double>(v.routes.size());
  for ([[maybe_unused]] auto _ : state) {
    RcuDomain rcu;
    Fib<Address4> fib(rcu);
    double begin = thread_seconds();
    fib.apply(v.routes);
    state.counters["load_ns"] = (thread_seconds() - begin) * 1e9 / count;
    double bulk = best_of(5, [&] { fib.lookup_many(v.addresses, v.out); });
    std::vector<NextHopId> single(kProbes);
    double one = best_of(5, [&] {
      for (std::size_t i = 0; i < kProbes; ++i) single[i] = fib.lookup(v.addresses[i]);
    });
    if (single != v.out || std::count(v.out.begin(), v.out.end(), kNoRoute) != 0) state.SkipWithError("look-ups disagree");
    std::mt19937 random(9);
    begin = thread_seconds();
    for (int i = 0; i < 100000; ++i) {
      const auto& r = v.routes[random() % v.routes.size()];
      fib.insert(r.prefix, 1 + static_cast<NextHopId>(random() % 200));
    }
    state.counters["update_ns"] = (thread_seconds() - begin) * 1e4;
    state.counters["ns_per_lookup"] = bulk;
    state.counters["single_ns"] = one;
    const auto& account = rcu.account();
    state.counters["bytes_per_route"] = static_cast<double>(account.total_bytes()) / count;
    state.SetIterationTime(bulk * 1e-9);
#ifdef HELIO_HAVE_DPDK
    if (!start_dpdk()) continue;
    std::size_t before = dpdk_bytes();
    rte_fib_conf conf{};
    conf.type = RTE_FIB_DIR24_8;
    conf.default_nh = 0;
    conf.max_routes = static_cast<int>(v.routes.size()) + 1024;
    conf.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
    conf.dir24_8.num_tbl8 = 1 << 16;
    std::unique_ptr<rte_fib, void (*)(rte_fib*)> theirs(rte_fib_create("helio", 0, &conf), rte_fib_free);
    if (!theirs) {
      state.SkipWithError("rte_fib_create");
      continue;
    }
    bool all = true;
    for (const auto& r : v.routes) all = all && rte_fib_add(theirs.get(), r.prefix.address, r.prefix.length, r.next_hop) == 0;
    if (!all) state.SkipWithError("rte_fib_add");
    double dpdk_memory = static_cast<double>(dpdk_bytes() - before);
    RcuDomain rcu2;  // ours as loaded, before the updates above
    Fib<Address4> fresh(rcu2);
    fresh.apply(v.routes);
    fresh.lookup_many(v.addresses, v.out);
    std::vector<std::uint64_t> hops(kProbes);
    double their_ns = best_of(5, [&] {
      for (std::size_t i = 0; i < kProbes; i += 64) rte_fib_lookup_bulk(theirs.get(), v.addresses.data() + i, hops.data() + i, 64);
    });
    for (std::size_t i = 0; i < kProbes; ++i)
      if (hops[i] != v.out[i]) all = false;
    if (!all) state.SkipWithError("rte_fib gives other next hops");
    state.counters["rte_fib_ns"] = their_ns;
    state.counters["rte_fib_bytes_per_route"] = dpdk_memory / count;
    state.counters["rate_over_rte_fib"] = their_ns / bulk;
    state.counters["memory_over_rte_fib"] = static_cast<double>(rcu2.account().total_bytes()) / dpdk_memory;
    theirs.reset();

    before = dpdk_bytes();
    rte_lpm_config lpm_conf{};
    lpm_conf.max_rules = static_cast<std::uint32_t>(v.routes.size()) + 1024;
    lpm_conf.number_tbl8s = 1 << 16;
    std::unique_ptr<rte_lpm, void (*)(rte_lpm*)> lpm(rte_lpm_create("helio", 0, &lpm_conf), rte_lpm_free);
    if (!lpm || state.range(0) > 200000) continue;  // its rules are one list per length: adding is quadratic
    for (const auto& r : v.routes) rte_lpm_add(lpm.get(), r.prefix.address, r.prefix.length, r.next_hop);
    std::vector<std::uint32_t> lpm_hops(kProbes);
    state.counters["rte_lpm_ns"] = best_of(5, [&] {
      for (std::size_t i = 0; i < kProbes; i += 64) rte_lpm_lookup_bulk(lpm.get(), v.addresses.data() + i, lpm_hops.data() + i, 64);
    });
    state.counters["rte_lpm_bytes_per_route"] = static_cast<double>(dpdk_bytes() - before) / count;
#endif
  }
}
BENCHMARK(fib_one_vrf)->ArgName("routes")->Arg(100000)->Arg(1000000)->UseManualTime()->Iterations(1)->Unit(benchmark::kNanosecond);

#ifdef HELIO_HAVE_DPDK
// The same VRFs in DPDK's tables, one for each, as far as memory goes: 64 MiB per VRF in both.
constexpr std::uint32_t kMostDpdkVrfs = 16;
void dpdk_many_vrfs(benchmark::State& state, const std::vector<Item4>& items, const std::vector<std::size_t>& asked, const std::vector<Address4>& addresses, const std::vector<NextHopId>& out, double ours_ns) {
  if (!start_dpdk()) return;
  auto vrfs = items.size() / 10;
  bool all = true;
  {
    std::size_t before = dpdk_bytes();
    std::vector<std::unique_ptr<rte_fib, void (*)(rte_fib*)>> fibs;
    rte_fib_conf conf{};
    conf.type = RTE_FIB_DIR24_8;
    conf.max_routes = 64;
    conf.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
    conf.dir24_8.num_tbl8 = 64;
    for (std::size_t i = 0; i < vrfs && all; ++i) all = fibs.emplace_back(rte_fib_create(("vrf" + std::to_string(i)).c_str(), 0, &conf), rte_fib_free) != nullptr;
    for (std::size_t i = 0; i < items.size() && all; ++i) all = rte_fib_add(fibs[i / 10].get(), items[i].key.address, items[i].key.length, 1 + i % 10) == 0;
    if (!all) return state.SkipWithError("rte_fib");
    std::vector<std::uint64_t> hops(kProbes);
    double ns = best_of(3, [&] {
      for (std::size_t i = 0; i < kProbes; ++i) {
        std::uint32_t address = addresses[i];
        rte_fib_lookup_bulk(fibs[asked[i]].get(), &address, &hops[i], 1);
      }
    });
    if (!std::equal(hops.begin(), hops.end(), out.begin())) return state.SkipWithError("rte_fib gives other next hops");
    state.counters["rte_fib_ns"] = ns;
    state.counters["rate_over_rte_fib"] = ns / ours_ns;
    state.counters["rte_fib_bytes_per_route"] = static_cast<double>(dpdk_bytes() - before) / static_cast<double>(items.size());
  }
  std::size_t before = dpdk_bytes();
  std::vector<std::unique_ptr<rte_lpm, void (*)(rte_lpm*)>> lpms;
  rte_lpm_config conf{};
  conf.max_rules = 64;
  conf.number_tbl8s = 64;
  for (std::size_t i = 0; i < vrfs && all; ++i) all = lpms.emplace_back(rte_lpm_create(("lpm" + std::to_string(i)).c_str(), 0, &conf), rte_lpm_free) != nullptr;
  for (std::size_t i = 0; i < items.size() && all; ++i) all = rte_lpm_add(lpms[i / 10].get(), items[i].key.address, items[i].key.length, static_cast<std::uint32_t>(1 + i % 10)) == 0;
  if (!all) return state.SkipWithError("rte_lpm");
  std::uint32_t hop = 0, sum = 0;
  state.counters["rte_lpm_ns"] = best_of(3, [&] {
    for (std::size_t i = 0; i < kProbes; ++i) rte_lpm_lookup(lpms[asked[i]].get(), addresses[i], &hop), sum += hop;
  });
  benchmark::DoNotOptimize(sum);
  state.counters["rte_lpm_bytes_per_route"] = static_cast<double>(dpdk_bytes() - before) / static_cast<double>(items.size());
}
#endif

// range(0) VRFs of ten routes: what a large PE holds. rte_fib's smallest table is 64 MiB per VRF: beside it with a few only.
void fib_many_vrfs(benchmark::State& state) {
  auto vrfs = static_cast<std::uint32_t>(state.range(0));
  std::vector<Item4> items = random_private(vrfs, 10);
  for ([[maybe_unused]] auto _ : state) {
    RcuDomain rcu;
    std::vector<std::unique_ptr<Fib<Address4>>> fibs;
    for (std::uint32_t i = 0; i < vrfs; ++i) fibs.push_back(std::make_unique<Fib<Address4>>(rcu));
    double begin = thread_seconds();
    for (std::size_t i = 0; i < items.size(); ++i) fibs[i / 10]->insert(items[i].key, 1 + static_cast<NextHopId>(i % 10));
    state.counters["insert_ns"] = (thread_seconds() - begin) * 1e9 / static_cast<double>(items.size());
    std::mt19937 random(7);
    std::vector<const Fib<Address4>*> asked;
    std::vector<std::size_t> asked_vrf;
    std::vector<Address4> addresses;
    std::vector<NextHopId> out(kProbes);
    for (std::size_t i = 0; i < kProbes; ++i) {
      std::size_t at = random() % items.size();
      asked.push_back(fibs[at / 10].get());
      asked_vrf.push_back(at / 10);
      addresses.push_back(items[at].key.address | (random() & 255));
    }
    double bulk = best_of(5, [&] { Fib<Address4>::lookup_many(asked, addresses, out); });
    std::vector<NextHopId> single(kProbes);
    double one = best_of(3, [&] {
      for (std::size_t i = 0; i < kProbes; ++i) single[i] = asked[i]->lookup(addresses[i]);
    });
    if (single != out || std::count(out.begin(), out.end(), kNoRoute) != 0) state.SkipWithError("look-ups disagree");
    state.counters["ns_per_lookup"] = bulk;
    state.counters["single_ns"] = one;
    state.counters["bytes_per_route"] = static_cast<double>(rcu.account().total_bytes() + static_cast<std::int64_t>(vrfs * (sizeof(Fib<Address4>) + 8))) / static_cast<double>(items.size());
    state.SetIterationTime(bulk * 1e-9);
#ifdef HELIO_HAVE_DPDK
    if (vrfs <= kMostDpdkVrfs) dpdk_many_vrfs(state, items, asked_vrf, addresses, out, one);  // one by one, as theirs
#endif
  }
}
BENCHMARK(fib_many_vrfs)->ArgName("vrfs")->Arg(16)->Arg(100000)->UseManualTime()->Iterations(1)->Unit(benchmark::kNanosecond);

// A packet's whole way on one core: VRF look-up and two labels pushed, swapped by one router, popped by the next (PHP), VPN
// label popped and looked up in the egress VRF, delivered to the customer's interface. 1000 VRFs of 100 routes at both ends.
void forwarding_path(benchmark::State& state) {
  constexpr std::uint32_t kVrfs = 1000, kRoutes = 100;
  RcuDomain rcu;
  Tables ingress(rcu), swap(rcu), pop(rcu), egress(rcu);
  for (Tables* t : {&ingress, &swap, &pop, &egress})
    for (int i = 0; i < 2; ++i) t->add_interface({.is_labelled = true, .mtu = 9000});
  auto hop = [](Tables& t, std::vector<std::uint32_t> labels, InterfaceId out) {
    Way w;
    w.out = out;
    w.label_count = static_cast<std::uint8_t>(labels.size());
    std::copy(labels.begin(), labels.end(), w.labels.begin());
    return t.add_next_hop({.kind = NextHop::Kind::forward, .ways = {w}});
  };
  for (std::uint32_t v = 0; v < kVrfs; ++v) {
    VrfId in = ingress.add_vrf(), out = egress.add_vrf();
    ingress.add_interface({.vrf = in});
    InterfaceId customer = egress.add_interface({.vrf = out});
    NextHopId far = hop(ingress, {16003, 24000 + v}, 0), near = hop(egress, {}, customer);
    for (std::uint32_t r = 0; r < kRoutes; ++r) {
      ingress.vrf(in).v4.insert({0x0a000000 + (r << 8), 24}, far);
      egress.vrf(out).v4.insert({0x0a000000 + (r << 8), 24}, near);
    }
    egress.set_label(24000 + v, {LabelAction::Kind::look_up, out});
  }
  swap.set_label(16003, {LabelAction::Kind::forward, hop(swap, {17003}, 1)});
  pop.set_label(17003, {LabelAction::Kind::forward, hop(pop, {}, 1)});
  Forwarder routers[4] = {{ingress, rcu}, {swap, rcu}, {pop, rcu}, {egress, rcu}};
  std::vector<Packet> packets(256);
  std::vector<std::uint8_t> ip(64);
  std::mt19937 random(1);
  std::uint64_t done = 0;
  double spent = 0;
  std::vector<std::uint32_t> vrf_of(packets.size());
  for ([[maybe_unused]] auto _ : state) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      vrf_of[i] = static_cast<std::uint32_t>(random() % kVrfs);
      ipv4::write(ip.data(), 0x0a000001, 0x0a000001 + (static_cast<std::uint32_t>(random() % kRoutes) << 8), ip_protocol::udp, ip.size(), 64, true);
      packets[i].assign(ip, Protocol::ipv4);
    }
    double begin = thread_seconds();
    for (std::size_t i = 0; i < packets.size(); ++i) {
      Packet& p = packets[i];
      bool ok = routers[0].process(p, 2 + vrf_of[i]).kind == Verdict::Kind::transmit && routers[1].process(p, 0).kind == Verdict::Kind::transmit &&
                routers[2].process(p, 0).kind == Verdict::Kind::transmit;
      Verdict last = routers[3].process(p, 0);
      done += ok && last.kind == Verdict::Kind::transmit && last.out == 2 + vrf_of[i];
    }
    double took = thread_seconds() - begin;
    spent += took;
    state.SetIterationTime(took);
    for (Forwarder& f : routers) f.quiescent();
  }
  if (done != state.iterations() * packets.size()) state.SkipWithError("packets were lost");
  state.counters["packets_per_second"] = static_cast<double>(done) / spent;
  state.counters["ns_per_packet"] = spent * 1e9 / static_cast<double>(done);
}
BENCHMARK(forwarding_path)->UseManualTime()->Iterations(20000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace helio::bench

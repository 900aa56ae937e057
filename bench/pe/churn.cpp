#include "bench/pe/churn.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "bench/pe/scenario.hpp"

namespace helio::pe {

Churner::Churner(Runner& runner)
    : runner_(runner),
      plan_(runner.plan()),
      pack_(runner.options().churn_pack),
      random_(runner.options().plan.seed) {
  if (plan_.options().multihoming != 1) throw std::invalid_argument("churn works with --multihoming 1 only");
  if (pack_ == 0 || pack_ > 128) throw std::invalid_argument("churn-pack must be between 1 and 128");
  pack_ = std::min(pack_, plan_.v4_routes_per_slice());
  if (pack_ == 0) throw std::invalid_argument("churn needs IPv4 routes");
  std::uint32_t flights = std::max(1u, runner.options().window / pack_);
  flights_.resize(flights);
  for (std::uint32_t i = 0; i < flights; ++i) {
    flights_[i].seen.resize((std::size_t{pack_} * plan_.pes() + 63) / 64);
    free_.push_back(i);
  }
  // A slice is cut into blocks of `pack` routes; 0 = not in flight, else flight + 1.
  flight_of_block_.assign(plan_.slices() * ((plan_.routes_per_slice() + pack_ - 1) / pack_), 0);
  receivers_.assign(plan_.slices(), 0);
  runner_.checker().set_observer(this);
}

Churner::~Churner() { runner_.checker().set_observer(nullptr); }

std::uint32_t Churner::receivers(std::uint32_t vrf, std::uint32_t cycle) {
  std::uint32_t& cached = receivers_[std::uint64_t{vrf} * plan_.groups() + cycle];
  if (cached != 0) return cached - 1;
  std::uint32_t owner = plan_.owner(vrf, cycle), count = 0;
  for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) count += pe != owner && plan_.imports(pe, vrf, cycle);
  cached = count + 1;
  return count;
}

bool Churner::launch() {
  std::uint32_t blocks = plan_.v4_routes_per_slice() / pack_;
  std::uint32_t blocks_per_slice = (plan_.routes_per_slice() + pack_ - 1) / pack_;
  for (int attempt = 0; attempt < 20; ++attempt) {
    std::uint64_t r = random_();
    std::uint32_t pe = static_cast<std::uint32_t>((r & 0xffff) % plan_.options().announcers);
    std::uint32_t position = static_cast<std::uint32_t>((r >> 16 & 0xffffff) % plan_.options().vrfs_per_pe);
    std::uint32_t block = static_cast<std::uint32_t>((r >> 40) % blocks);
    std::uint32_t cycle;
    std::uint32_t vrf = plan_.vrf_at(pe, position, cycle);
    std::uint64_t slice = std::uint64_t{vrf} * plan_.groups() + plan_.group_of_cycle(cycle);
    std::uint32_t& owner = flight_of_block_[slice * blocks_per_slice + block];
    if (owner != 0 || receivers(vrf, cycle) == 0) continue;
    std::uint32_t id = free_.back();
    free_.pop_back();
    owner = id + 1;
    Flight& flight = flights_[id];
    flight.block = &owner;
    flight.version = ++runner_.last_version;
    flight.remaining = std::uint64_t{pack_} * receivers(vrf, cycle);
    std::fill(flight.seen.begin(), flight.seen.end(), 0);
    scratch_.clear();
    append_routes(scratch_, plan_, pe, {position, block * pack_, pack_}, {pack_, flight.version});
    flight.sent_at = now_ns();
    runner_.fleet().send(pe, scratch_);
    launched_ += pack_;
    in_flight_ += pack_;
    return true;
  }
  return false;
}

bool Churner::on_version(std::uint32_t pe, std::uint64_t route, std::uint32_t version) {
  std::uint64_t slice = route / plan_.routes_per_slice();
  std::uint32_t index = static_cast<std::uint32_t>(route % plan_.routes_per_slice()), block = index / pack_;
  std::uint32_t blocks_per_slice = (plan_.routes_per_slice() + pack_ - 1) / pack_;
  std::uint32_t owner = flight_of_block_[slice * blocks_per_slice + block];
  if (owner == 0) return false;
  Flight& flight = flights_[owner - 1];
  if (flight.version != version) return false;
  std::size_t bit = std::size_t{index - block * pack_} * plan_.pes() + pe;
  std::uint64_t mask = 1ull << (bit & 63);
  // Atomic: PEs of several threads share the words.
  if (std::atomic_ref(flight.seen[bit >> 6]).fetch_or(mask, std::memory_order_relaxed) & mask) return false;
  if (std::atomic_ref(flight.remaining).fetch_sub(1, std::memory_order_relaxed) == 1) {
    flight.done_at = now_ns();
    std::lock_guard lock(landed_mutex_);
    landed_.push_back(owner - 1);
  }
  return true;
}

void Churner::harvest() {
  for (std::uint32_t id : landed_) {
    latency_ns_.push_back(flights_[id].done_at - flights_[id].sent_at);
    *flights_[id].block = 0;
    free_.push_back(id);
    done_ += pack_;
    in_flight_ -= pack_;
  }
  landed_.clear();
}

bool Churner::run(std::uint64_t changes, double seconds, double rate) {
  Nanoseconds from = now_ns();
  std::uint64_t first = launched_;
  Nanoseconds deadline = seconds > 0 ? from + static_cast<Nanoseconds>(seconds * 1e9) : 0;
  Nanoseconds give_up = now_ns() + static_cast<Nanoseconds>(runner_.options().timeout * 1e9);
  std::uint64_t last_done = done_;
  auto is_over = [&](Nanoseconds now) {
    return (changes != 0 && launched_ - first >= changes) || (deadline != 0 && now >= deadline);
  };
  for (Nanoseconds now = now_ns();; now = now_ns()) {
    std::uint64_t allowed =
        rate > 0 ? static_cast<std::uint64_t>(rate * static_cast<double>(now - from) / 1e9) : ~0ull;
    while (!free_.empty() && !is_over(now) && launched_ - first < allowed) {
      if (!launch()) break;
    }
    if (is_over(now) && in_flight_ == 0) break;
    runner_.fleet().turn(rate > 0 ? 1 : 50);
    harvest();
    if (runner_.on_turn) runner_.on_turn();
    // Progress puts the end off: only a stop is a failure.
    if (done_ != last_done)
      last_done = done_, give_up = now + static_cast<Nanoseconds>(runner_.options().timeout * 1e9);
    if (now > give_up || runner_.fleet().established() == 0) break;  // the reflector is gone: say so, and let others start us again
  }
  elapsed_ = static_cast<double>(now_ns() - from) / 1e9;
  return in_flight_ == 0;
}

bool run_churn(Runner& runner, Report& report) {
  const Options& o = runner.options();
  Churner churner(runner);
  Meter from = Meter::read(runner);
  bool all = churner.run(o.duration > 0 ? 0 : o.changes, o.duration, o.churn_rate);
  Meter to = Meter::read(runner);
  double rate = static_cast<double>(churner.done()) / churner.elapsed_seconds();
  auto& latency = churner.latency_ns();
  double p50 = percentile(latency, 0.5) / 1e9, p99 = percentile(latency, 0.99) / 1e9;
  report.add("changes", static_cast<double>(churner.done()), "Changes seen by everybody");
  report.add("changes_per_second", std::round(rate), "  per second");
  report.add("latency_p50_seconds", p50, "  last receipt, p50");
  report.add("latency_p90_seconds", percentile(latency, 0.9) / 1e9, "  p90");
  report.add("latency_p99_seconds", p99, "  p99");
  report.add("latency_max_seconds", percentile(latency, 1) / 1e9, "  worst");
  if (from.reflector && to.reflector) {
    report.add("churn_rr_cpu_seconds",
               static_cast<double>(to.reflector->cpu_ns - from.reflector->cpu_ns) / 1e9,
               "Reflector CPU during churn");
    report.add("churn_rr_rss_bytes", static_cast<double>(to.reflector->rss_bytes),
               "Reflector memory after churn");
  }
  report.add("churn_generator_cpu_seconds", static_cast<double>(to.own_cpu_ns - from.own_cpu_ns) / 1e9,
             "Generator CPU during churn");
  report.latency_ns = latency;
  report.headline +=
      fmt::format(", {:.0f} changes/s, p50 {:.3f} ms, p99 {:.3f} ms", rate, p50 * 1e3, p99 * 1e3);
  if (runner.fleet().established() == 0) report.problems.push_back("every session was lost");
  if (!all)
    report.problems.push_back(fmt::format("{} changed routes did not reach everybody", churner.in_flight()));
  return all;
}

}  // namespace helio::pe

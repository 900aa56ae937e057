#include "bench/pe/canary.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "bench/pe/lib/checker.hpp"
#include "bench/pe/lib/fleet.hpp"

namespace helio::pe {
namespace {

constexpr Nanoseconds kInterval = 5'000'000;  // between two probes of a pair

Options canary_options(const Options& load) {
  Options o = load;
  o.plan = PlanOptions{};
  o.plan.pes = 2 * load.canaries;
  o.plan.vrfs = load.canaries;
  o.plan.vrfs_per_pe = 1;
  o.plan.routes_per_vrf = 1;
  o.plan.announcers = load.canaries;
  o.plan.rtc = load.plan.rtc == RtcMode::off ? RtcMode::off : RtcMode::on;
  o.plan.asn = load.plan.asn;
  o.plan.base_address = load.plan.base_address + load.plan.pes;
  if (load.plan.addresses != nullptr) {  // those that the load leaves over
    const auto& all = *load.plan.addresses;
    auto rest = all.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(load.plan.pes, all.size()));
    o.plan.addresses = std::make_shared<std::vector<std::uint32_t>>(rest, all.end());
  }
  o.plan.next_hop_base = load.plan.next_hop_base == 0 ? 0 : load.plan.next_hop_base + load.plan.pes;
  o.plan.number_base = kCanaryBase;
  return o;
}

class Probe final : public FleetListener, public RouteObserver {
 public:
  Probe(const Options& o, const Plan& plan, std::vector<std::int64_t>& latency_ns)
      : o_(o),
        plan_(plan),
        checker_(plan),
        fleet_(fleet_options(o), addresses(plan), *this),
        pairs_(o.canaries),
        latency_ns_(latency_ns) {
    checker_.set_observer(this);
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) fleet_.start(pe);
  }

  void turn() { fleet_.turn(1); }
  bool is_up() const { return fleet_.established() == plan_.pes(); }
  void send_due(Nanoseconds now) {
    for (std::uint32_t pe = 0; pe < pairs_.size(); ++pe) {
      Pair& pair = pairs_[pe];
      if (pair.is_waiting || now < pair.next_at || !fleet_.is_established(pe)) continue;
      ByteVector message;
      append_routes(message, plan_, pe, {0, 0, 1}, {1, ++pair.version});
      pair.is_waiting = true;
      pair.sent_at = now_ns();
      fleet_.send(pe, message);
    }
  }
  std::uint64_t waiting() const {
    std::uint64_t count = 0;
    for (const Pair& pair : pairs_) count += pair.is_waiting;
    return count;
  }

 private:
  struct Pair {
    std::uint32_t version = 0;
    bool is_waiting = false;
    Nanoseconds sent_at = 0, next_at = 0;
  };
  static FleetOptions fleet_options(const Options& o) {
    FleetOptions f;
    f.target_address = o.target_address;
    f.target_port = o.target_port;
    f.hold_time = o.hold_time;
    f.asn = o.plan.asn;
    f.rtc = o.plan.rtc != RtcMode::off;
    return f;
  }
  static std::vector<std::uint32_t> addresses(const Plan& plan) {
    std::vector<std::uint32_t> list;
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) list.push_back(plan.address(pe));
    return list;
  }

  void on_established(std::uint32_t pe) override {
    ByteVector out;
    if (o_.plan.rtc != RtcMode::off) {
      append_memberships(out, plan_, pe, plan_.import_rts(pe), true);
      append_end_of_rib(out, 1, 132);
    }
    append_end_of_rib(out, 1, 128);
    fleet_.send(pe, out);
  }
  void on_update(std::uint32_t pe, Bytes body) override { checker_.on_update(pe, body); }
  void after_read(std::uint32_t, std::size_t) override {}
  void on_closed(std::uint32_t pe, const std::string&, bool) override {
    checker_.forget(pe);
    if (pe < pairs_.size()) pairs_[pe].is_waiting = false;
    fleet_.start(pe);
  }
  bool on_version(std::uint32_t pe, std::uint64_t route, std::uint32_t version) override {
    // Sender i has VPN i in cycle 0; its partner is the owner in cycle 1.
    std::uint32_t vrf = static_cast<std::uint32_t>(route / plan_.groups());
    Pair& pair = pairs_[vrf];
    if (pe != plan_.owner(vrf, 1) || !pair.is_waiting || version != pair.version) return true;
    Nanoseconds now = now_ns();
    latency_ns_.push_back(now - pair.sent_at);
    pair.is_waiting = false;
    pair.next_at = now + kInterval;
    return true;
  }

  const Options& o_;
  const Plan& plan_;
  Checker checker_;
  Fleet fleet_;
  std::vector<Pair> pairs_;
  std::vector<std::int64_t>& latency_ns_;
};

}  // namespace

Canaries::Canaries(const Options& options) : options_(canary_options(options)), plan_(options_.plan) {
  thread_ = std::thread([this] { run(); });
  for (int i = 0; i < 1000 && !is_up_; ++i) usleep(10'000);
  if (is_up_) return;
  stop();
  throw std::runtime_error("the canaries' sessions did not come up");
}

Canaries::~Canaries() {
  if (thread_.joinable()) stop();
}

void Canaries::run() {
  Probe probe(options_, plan_, latency_ns_);
  while (!stopping_) {
    probe.turn();
    if (!is_up_ && probe.is_up()) is_up_ = true;
    if (is_up_) probe.send_due(now_ns());
  }
  lost_ = probe.waiting();
}

std::vector<std::int64_t> Canaries::stop() {
  stopping_ = true;
  thread_.join();
  return std::move(latency_ns_);
}

}  // namespace helio::pe

#include "bench/pe/raw.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <stdexcept>

#include "bench/pe/lib/fleet.hpp"
#include "bench/pe/lib/process_stats.hpp"
#include "bench/pe/lib/raw_routes.hpp"

namespace helio::pe {
namespace {

class Replay final : public FleetListener {
 public:
  Replay(const Options& o, const Plan& plan, const RawRoutes& raw)
      : o_(o),
        plan_(plan),
        raw_(raw),
        peers_(plan.pes()),
        fleet_(fleet_options(o, raw), addresses(plan), *this) {
    for (std::uint32_t pe = 1; pe < plan.pes(); ++pe) peers_[pe].held.resize(raw.size());
    waiting_ = plan.pes() - 1;
  }

  bool bring_up() {
    for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) fleet_.start(pe);
    return turn_until([this] { return fleet_.established() == plan_.pes(); });
  }
  bool converge() {
    for (std::uint32_t pe = 0; pe < plan_.pes() && plan_.announces(pe); ++pe)
      fleet_.send_shared(pe, raw_.bytes());
    return turn_until([this] { return waiting_ == 0; });
  }
  void settle() {
    Nanoseconds stop = now_ns() + static_cast<Nanoseconds>(o_.settle * 1e9);
    while (now_ns() < stop) fleet_.turn(20);
  }
  Nanoseconds last_done() const { return last_done_; }
  const Fleet& fleet() const { return fleet_; }
  std::uint64_t missing() const {
    std::uint64_t sum = 0;
    for (std::uint32_t pe = 1; pe < plan_.pes(); ++pe) sum += raw_.size() - peers_[pe].right;
    return sum;
  }

  std::uint64_t surplus() const {
    std::uint64_t sum = 0;
    for (const Peer& peer : peers_) sum += peer.surplus.size();
    return sum;
  }

  std::uint64_t received = 0, wrong = 0, unexpected = 0, malformed = 0, losses = 0;
  std::vector<std::string> samples;

 private:
  enum Held : std::uint8_t { kNothing, kAnothers, kRight };
  struct Peer {
    std::vector<Held> held;
    std::set<std::string> surplus;  // keys that the file does not leave announced
    std::uint32_t right = 0;
    bool is_done = false;
  };
  static FleetOptions fleet_options(const Options& o, const RawRoutes& raw) {
    FleetOptions f;
    f.target_address = o.target_address;
    f.target_port = o.target_port;
    f.hold_time = o.hold_time;
    f.connect_window = o.connect_window;
    f.ramp = o.ramp;
    f.asn = o.plan.asn;
    f.vpnv4 = raw.has_v4();
    f.vpnv6 = raw.has_v6();
    f.rtc = o.plan.rtc != RtcMode::off;
    return f;
  }
  static std::vector<std::uint32_t> addresses(const Plan& plan) {
    std::vector<std::uint32_t> list;
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) list.push_back(plan.address(pe));
    return list;
  }
  template <class F>
  bool turn_until(F&& condition) {
    Nanoseconds deadline = now_ns() + static_cast<Nanoseconds>(o_.timeout * 1e9);
    while (!condition() && now_ns() < deadline) fleet_.turn(100);
    return condition();
  }

  void on_established(std::uint32_t pe) override {
    if (o_.plan.rtc == RtcMode::off) return;
    ByteVector out;
    if (o_.plan.rtc == RtcMode::default_route)
      append_default_membership(out, plan_, pe);
    else
      append_memberships(out, plan_, pe, raw_.route_targets(), true);
    append_end_of_rib(out, 1, 132);
    fleet_.send(pe, out);
  }
  void on_update(std::uint32_t pe, Bytes body) override {
    if (!read_raw_update(body, update_)) {
      ++malformed;
      return note(pe, "malformed UPDATE");
    }
    for (const RawUpdate::Route& r : update_.withdrawn) {
      std::uint32_t n = raw_.find(r.key);
      if (n == RawRoutes::kNone)
        peers_[pe].surplus.erase(r.key);
      else
        hold(pe, n, kNothing);
    }
    for (const RawUpdate::Route& r : update_.announced) on_route(pe, r);
  }
  void on_route(std::uint32_t pe, const RawUpdate::Route& r) {
    ++received;
    std::uint32_t n = raw_.find(r.key);
    if (n == RawRoutes::kNone) {  // the file withdraws it later; then its withdrawal must follow
      peers_[pe].surplus.insert(r.key);
      return;
    }
    const RawRoutes::Route& expected = raw_.route(n);
    if (pe == 0 && update_.originator == plan_.address(0)) {
      ++unexpected;
      return note(pe, "the PE's own route came back");
    }
    bool is_last = r.labels == expected.labels && raw_.has_attributes(expected, update_.attributes);
    bool is_best = update_.originator == (expected.originator != 0 ? expected.originator : plan_.address(0));
    hold(pe, n, is_last && is_best ? kRight : kAnothers);
  }
  void hold(std::uint32_t pe, std::uint32_t n, Held held) {
    if (pe == 0 || n == RawRoutes::kNone)
      return;  // the first PE: other's versions come and go before its own wins
    Peer& peer = peers_[pe];
    peer.right -= peer.held[n] == kRight;
    peer.right += held == kRight;
    peer.held[n] = held;
  }
  void after_read(std::uint32_t pe, std::size_t) override {
    if (pe == 0) return;
    Peer& peer = peers_[pe];
    bool is_done = peer.right == raw_.size() && peer.surplus.empty();
    if (is_done == peer.is_done) return;
    peer.is_done = is_done;
    waiting_ += is_done ? -1u : 1u;
    last_done_ = now_ns();
  }
  void on_closed(std::uint32_t pe, const std::string& reason, bool) override {
    ++losses;
    note(pe, reason);
  }
  void note(std::uint32_t pe, const std::string& what) {
    if (samples.size() < 10)
      samples.push_back(
          fmt::format("PE {}: {}", wire::format_ip(wire::IpAddress::v4(plan_.address(pe))), what));
  }

 public:
  // What is held at the end and not right: another's version, or another label or attribute than announced.
  std::uint64_t count_wrong() {
    for (std::uint32_t pe = 1; pe < plan_.pes(); ++pe) {
      auto count = std::count(peers_[pe].held.begin(), peers_[pe].held.end(), kAnothers);
      if (count > 0) note(pe, fmt::format("{} routes are not as the file announces them", count));
      wrong += static_cast<std::uint64_t>(count);
    }
    return wrong;
  }

 private:
  const Options& o_;
  const Plan& plan_;
  const RawRoutes& raw_;
  std::vector<Peer> peers_;
  Fleet fleet_;
  RawUpdate update_;
  std::uint32_t waiting_ = 0;
  Nanoseconds last_done_ = 0;
};

}  // namespace

bool run_raw(const Options& o, const Plan& plan, Report& report) {
  RawRoutes raw = RawRoutes::load(o.raw_file);
  Replay replay(o, plan, raw);
  int pid = o.rr_pid != 0 ? o.rr_pid : find_listener(o.target_port).value_or(0);
  report.add("scenario", "raw", "Scenario");
  report.add("pes", plan.pes(), "PEs");
  report.add("paths", static_cast<double>(raw.size()) * plan.options().announcers,
             "Routes that the file leaves announced");
  report.add("deliveries", static_cast<double>(raw.size()) * (plan.pes() - 1), "Deliveries expected");
  Nanoseconds start = now_ns();
  bool is_up = replay.bring_up();
  if (!is_up) report.problems.push_back("sessions did not come up: " + replay.fleet().last_error());
  Nanoseconds from = now_ns();
  auto before = sample_process(pid);
  std::int64_t own = own_cpu_ns();
  bool converged = is_up && replay.converge();
  auto after = sample_process(pid);
  double elapsed = seconds(std::max(replay.last_done(), from) - from);
  report.add("sessions_seconds", seconds(from - start), "Sessions up after");
  report.add("convergence_seconds", elapsed, "Converged after all were Established");
  if (before && after) {
    report.add("rr_cpu_seconds", seconds(after->cpu_ns - before->cpu_ns), "Reflector CPU");
    report.add("rr_rss_bytes", static_cast<double>(after->rss_bytes), "Reflector memory");
    report.add("rr_peak_rss_bytes", static_cast<double>(after->peak_rss_bytes), "  at its peak");
  }
  report.add("generator_cpu_seconds", seconds(own_cpu_ns() - own), "Generator CPU");
  if (converged) replay.settle();
  replay.count_wrong();
  report.add("missing", static_cast<double>(replay.missing()), "Missing or wrong routes");
  report.add("wrong", static_cast<double>(replay.wrong), "  of them with wrong contents");
  report.add("surplus", static_cast<double>(replay.surplus()), "Routes that should be gone");
  report.add("unexpected", static_cast<double>(replay.unexpected), "Unexpected routes");
  report.add("malformed", static_cast<double>(replay.malformed), "Malformed messages");
  report.add("session_losses", static_cast<double>(replay.losses), "Sessions lost");
  report.add("nlri_received", static_cast<double>(replay.received), "NLRIs received");
  for (const std::string& sample : replay.samples) report.problems.push_back(sample);
  report.headline = fmt::format("{} in {:.3f} s", converged ? "converged" : "NOT converged", elapsed);
  bool exact = converged && replay.missing() + replay.surplus() == 0 && replay.unexpected == 0 &&
               replay.malformed == 0 && replay.losses == 0;
  report.verdict = exact ? "valid" : "failed";
  return exact;
}

void write_raw(const Options& o, const Plan& plan, const std::string& file) {
  ByteVector bytes = build_routes(plan, 0, {o.pack, 0});
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out.good()) throw std::runtime_error("cannot write " + file);
}

}  // namespace helio::pe

#include "bench/pe/runner.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace helio::pe {
namespace {

FleetOptions fleet_options(const Options& o, const Plan& plan) {
  FleetOptions f;
  f.target_address = o.target_address;
  f.target_port = o.target_port;
  f.hold_time = o.hold_time;
  f.connect_window = o.connect_window;
  f.ramp = o.ramp;
  f.asn = o.plan.asn;
  f.vpnv4 = plan.v4_routes_per_slice() > 0;
  f.vpnv6 = plan.has_v6();
  f.rtc = o.plan.rtc != RtcMode::off;
  f.add_path = o.plan.add_paths > 1;
  return f;
}

}  // namespace

Runner::Runner(const Options& options, const Plan& plan)
    : o_(options),
      plan_(plan),
      checker_(plan, options.threads),
      done_flags_(plan.pes()),
      ignored_(plan.pes()),
      done_at_(plan.pes()) {
  std::vector<std::uint32_t> addresses;
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) addresses.push_back(plan.address(pe));
  fleet_ = std::make_unique<FleetGroup>(fleet_options(options, plan), addresses, *this, options.threads);
  rr_pid_ = options.rr_pid;
  if (options.is_lenient) checker_.be_lenient();
}

void Runner::find_reflector() {
  if (o_.rr_pid == 0) rr_pid_ = find_listener(o_.target_port).value_or(0);
}

void Runner::await_idle_reflector() {
  constexpr int kTries = 50, kInterval_us = 100'000;
  for (int i = 0; i < kTries; ++i) {
    auto before = reflector();
    if (!before) return;
    usleep(kInterval_us);
    auto after = reflector();
    if (!after || after->cpu_ns - before->cpu_ns < kInterval_us * 1000 / 20) return;
  }
}

void Runner::prepare() {
  routes_.resize(plan_.pes());
  auto build = [this](std::uint32_t first) {
    for (std::uint32_t pe = first; pe < plan_.pes(); pe += o_.threads) {
      routes_[pe] = build_routes(plan_, pe, {o_.pack, 0});
      if (plan_.v4_routes_per_slice() > 0) append_end_of_rib(routes_[pe], 1, 128);
      if (plan_.has_v6()) append_end_of_rib(routes_[pe], 2, 128);
    }
  };
  std::vector<std::jthread> others;
  for (std::uint32_t t = 1; t < o_.threads; ++t) others.emplace_back(build, t);
  build(0);
}

bool Runner::bring_up() {
  started_at = now_ns();
  for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) fleet_->start(pe);
  bool all = wait_until([this] { return fleet_->established() == plan_.pes(); }, o_.timeout);
  established_at = now_ns();
  return all;
}

void Runner::announce(std::uint32_t pe) {
  if (o_.plan.rtc != RtcMode::off) {
    ByteVector out;
    if (o_.plan.rtc == RtcMode::default_route)
      append_default_membership(out, plan_, pe);
    else
      append_memberships(out, plan_, pe, plan_.import_rts(pe), true);
    append_end_of_rib(out, 1, 132);
    fleet_->send(pe, out);
  }
  if (routes_released_) fleet_->send_shared(pe, routes_[pe]);
}

void Runner::release_routes() {
  released_at = now_ns();
  routes_released_ = true;
  recount();
  for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) fleet_->send_shared(pe, routes_[pe]);
}

void Runner::recount() {
  done_ = required_ = 0;
  for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) {
    done_flags_[pe] = false;
    if (ignored_[pe]) continue;
    ++required_;
    update_done(pe);
  }
}

void Runner::set_ignored(std::uint32_t pe, bool ignored) { ignored_[pe] = ignored; }

void Runner::update_done(std::uint32_t pe) {
  bool is_done = checker_.holds_target(pe);
  if (is_done == (done_flags_[pe] != 0)) return;
  done_flags_[pe] = is_done;
  if (ignored_[pe]) return;
  if (is_done) {
    ++done_;
    last_done_ = done_at_[pe] = now_ns();
  } else {
    --done_;
  }
}

bool Runner::wait_until(const std::function<bool()>& condition, double seconds) {
  Nanoseconds deadline = now_ns() + static_cast<Nanoseconds>(seconds * 1e9);
  while (!condition()) {
    Nanoseconds left = deadline - now_ns();
    if (left <= 0) return false;
    fleet_->turn(static_cast<int>(std::min<Nanoseconds>(left / 1'000'000 + 1, 100)));
    if (on_turn) on_turn();
  }
  return true;
}

bool Runner::wait_converged() {
  return wait_until([this] { return is_converged(); }, o_.timeout);
}

void Runner::on_established(std::uint32_t pe) {
  checker_.set_reflector_id(fleet_->reflector_id(pe));
  announce(pe);
}

void Runner::on_update(std::uint32_t pe, Bytes body) {
  checker_.count_message(pe, body.size() + 19);
  checker_.on_update(pe, body);
}

void Runner::after_read(std::uint32_t pe, std::size_t) { update_done(pe); }

void Runner::on_closed(std::uint32_t pe, const std::string& reason, bool by_us) {
  checker_.forget(pe);
  update_done(pe);
  if (by_us) return;
  if (losses_expected_) {
    ++expected_losses_;
    return fleet_->start(pe);
  }
  if (++session_losses_ <= 3) {
    fmt::print(stderr, "helio-pe: session of {} lost: {}\n",
               wire::format_ip(wire::IpAddress::v4(plan_.address(pe))), reason);
  }
}

}  // namespace helio::pe

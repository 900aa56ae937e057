#include "bench/pe/floor.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <numeric>
#include <stdexcept>
#include <system_error>

#include "bench/pe/lib/fleet.hpp"
#include "bench/pe/lib/process_stats.hpp"
#include "bench/pe/relay.hpp"

namespace helio::pe {
namespace {

// Counts bytes: nothing of what arrives is looked at.
class Counter final : public FleetListener {
 public:
  explicit Counter(std::uint32_t pes) : left(pes) {}
  void on_established(std::uint32_t) override {}
  void on_update(std::uint32_t, Bytes) override {}
  void after_read(std::uint32_t pe, std::size_t bytes) override {
    if (left[pe] == 0) return;
    left[pe] -= std::min<std::uint64_t>(left[pe], bytes);
    if (left[pe] == 0) --waiting;
  }
  void on_closed(std::uint32_t, const std::string&, bool) override { ++losses; }

  std::vector<std::uint64_t> left;
  std::uint32_t waiting = 0, losses = 0;
};

}  // namespace

int listen_anywhere(std::uint16_t& port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) < 0 || listen(fd, 4096) < 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) {
    throw std::system_error(errno, std::generic_category(), "listen on the loopback");
  }
  port = ntohs(address.sin_port);
  return fd;
}

FloorResult measure_floor(const Options& o, const Plan& plan) {
  RelayPlan relay;
  std::vector<ByteVector> routes(plan.pes());
  relay.slice_ends.resize(plan.pes());
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe)
    routes[pe] = build_routes(plan, pe, {o.pack, 0}, &relay.slice_ends[pe]);
  Counter counter(plan.pes());
  if (o.plan.rtc == RtcMode::on) {
    relay.has_rtc = true;
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) {
      for (std::uint32_t position = 0; position < plan.import_positions(); ++position) {
        std::uint32_t vrf = plan.vrf_of_import(pe, position);
        for (std::uint32_t c = 0; vrf != Plan::kNone && c < plan.cycles(); ++c) {
          std::uint32_t owner = plan.owner(vrf, c);
          if (owner == Plan::kNone || owner == pe || !plan.announces(owner) || !plan.imports(pe, vrf, c))
            continue;
          std::uint32_t k = plan.position_of(owner, vrf);
          const auto& ends = relay.slice_ends[owner];
          counter.left[pe] += ends[k] - (k == 0 ? 0 : ends[k - 1]);
        }
      }
    }
  } else {
    std::uint64_t total = 0;
    for (const auto& bytes : routes) total += bytes.size();
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) counter.left[pe] = total - routes[pe].size();
  }
  FloorResult result;
  for (std::uint64_t n : counter.left) {
    counter.waiting += n > 0;
    result.delivered_bytes += n;
  }

  FleetOptions f;
  f.is_raw = true;
  int listener = listen_anywhere(f.target_port);
  pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    run_relay(listener, plan, relay);
    _exit(0);
  }
  ::close(listener);
  std::vector<std::uint32_t> addresses;
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) addresses.push_back(plan.address(pe));
  {
    Fleet fleet(f, std::move(addresses), counter);
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) fleet.start(pe);
    Nanoseconds deadline = now_ns() + static_cast<Nanoseconds>(o.timeout * 1e9);
    while (fleet.established() < plan.pes() && now_ns() < deadline) fleet.turn(10);
    usleep(100'000 + plan.pes() * 50);  // the relay accepts and prepares
    auto before = sample_process(child);
    std::int64_t own = own_cpu_ns();
    Nanoseconds from = now_ns();
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) fleet.send_shared(pe, routes[pe]);
    while (counter.waiting > 0 && counter.losses == 0 && now_ns() < deadline) fleet.turn(100);
    result.seconds = static_cast<double>(now_ns() - from) / 1e9;
    result.is_complete = counter.waiting == 0;
    result.generator_cpu_seconds = static_cast<double>(own_cpu_ns() - own) / 1e9;
    auto after = sample_process(child);
    if (before && after) {
      result.relay_cpu_seconds = static_cast<double>(after->cpu_ns - before->cpu_ns) / 1e9;
      result.relay_user_share = after->user_share;
      result.relay_peak_rss_bytes = after->peak_rss_bytes;
    }
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return result;
}

FloorResult measure_floor_median(const Options& options, const Plan& plan, int runs) {
  std::vector<FloorResult> results;
  for (int i = 0; i < runs; ++i) results.push_back(measure_floor(options, plan));
  std::sort(results.begin(), results.end(),
            [](const FloorResult& a, const FloorResult& b) { return a.seconds < b.seconds; });
  return results[results.size() / 2];
}

void add_floor(const FloorResult& floor, Report& report) {
  if (!floor.is_complete) report.problems.push_back("the floor's relay did not deliver everything");
  report.add("floor_seconds", floor.seconds, "Floor: the same bytes without BGP");
  report.add("floor_cpu_seconds", floor.relay_cpu_seconds, "  CPU of its relay");
  report.add("floor_generator_cpu_seconds", floor.generator_cpu_seconds,
             "  CPU of its generator, reading without looking");
  report.add("floor_delivered_bytes", static_cast<double>(floor.delivered_bytes), "  bytes delivered");
  const Report::Value* time = report.find("convergence_seconds");
  const Report::Value* cpu = report.find("rr_cpu_seconds");
  double time_ratio = time != nullptr ? time->number / floor.seconds : 0;
  double cpu_ratio =
      cpu != nullptr && floor.relay_cpu_seconds > 0 ? cpu->number / floor.relay_cpu_seconds : 0;
  if (time_ratio > 0) report.add("times_floor", time_ratio, "  convergence is so many times the floor");
  if (cpu_ratio > 0) report.add("cpu_times_floor", cpu_ratio, "  reflector CPU is so many times the relay's");
  if (time_ratio > 0)
    report.headline += fmt::format(" ({:.2f} x floor, CPU {:.2f} x floor)", time_ratio, cpu_ratio);
}

}  // namespace helio::pe

#include "bench/pe/sink.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "bench/pe/floor.hpp"
#include "bench/pe/lib/fleet.hpp"
#include "bench/pe/lib/process_stats.hpp"

namespace helio::pe {
namespace {

// The child: reads until it is killed. MSG_TRUNC lets the kernel drop the bytes without a copy.
void run_sink(int listener) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  auto watch = [epoll](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener);
  epoll_event events[256];
  for (;;) {
    int count = epoll_wait(epoll, events, std::size(events), -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener) {
        int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) watch(fd);
      } else if (recv(events[i].data.fd, nullptr, 1 << 24, MSG_TRUNC) == 0) {
        ::close(events[i].data.fd);
      }
    }
  }
}

class Nobody final : public FleetListener {
 public:
  void on_established(std::uint32_t) override {}
  void on_update(std::uint32_t, Bytes) override {}
  void after_read(std::uint32_t, std::size_t) override {}
  void on_closed(std::uint32_t, const std::string&, bool) override { ++losses; }
  std::uint32_t losses = 0;
};

double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

SinkResult measure_once(const Options& o, const Plan& plan) {
  FleetOptions f;
  f.is_raw = true;
  int listener = listen_anywhere(f.target_port);
  pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    run_sink(listener);
    _exit(0);
  }
  ::close(listener);
  SinkResult result;
  result.routes = plan.paths();
  {
    std::int64_t cpu = own_cpu_ns();
    std::vector<ByteVector> routes(plan.pes());
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) routes[pe] = build_routes(plan, pe, {o.pack, 0});
    result.build_cpu_seconds = seconds(own_cpu_ns() - cpu);
    std::vector<std::uint32_t> addresses;
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) addresses.push_back(plan.address(pe));
    Nobody nobody;
    Fleet fleet(f, std::move(addresses), nobody);
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) fleet.start(pe);
    Nanoseconds deadline = now_ns() + static_cast<Nanoseconds>(o.timeout * 1e9);
    while (fleet.established() < plan.pes() && now_ns() < deadline) fleet.turn(10);
    cpu = own_cpu_ns();
    Nanoseconds from = now_ns();
    for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) fleet.send_shared(pe, routes[pe]);
    while (fleet.has_output() && nobody.losses == 0 && now_ns() < deadline) fleet.turn(100);
    result.send_seconds = seconds(now_ns() - from);
    result.send_cpu_seconds = seconds(own_cpu_ns() - cpu);
    result.bytes = fleet.bytes_sent();
    std::uint64_t wanted = 0;
    for (const ByteVector& bytes : routes) wanted += bytes.size();
    result.is_complete = result.bytes == wanted;
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return result;
}

}  // namespace

SinkResult measure_sink(const Options& options, const Plan& plan, int runs) {
  SinkResult best = measure_once(options, plan);
  for (int i = 1; i < runs; ++i) {
    SinkResult next = measure_once(options, plan);
    if (next.is_complete && next.routes_per_core_second() > best.routes_per_core_second()) best = next;
  }
  return best;
}

void add_sink(const SinkResult& sink, Report& report) {
  if (!sink.is_complete) report.problems.push_back("not everything could be sent to the sink");
  report.add("offered_routes_per_core_second", sink.routes_per_core_second(),
             "Routes a core can offer per second");
  report.add("build_cpu_seconds", sink.build_cpu_seconds, "  CPU for building the UPDATEs");
  report.add("send_cpu_seconds", sink.send_cpu_seconds, "  CPU for sending them");
  report.add("send_seconds", sink.send_seconds, "  time for sending them");
  report.add("offered_routes", static_cast<double>(sink.routes), "  routes");
  report.add("offered_bytes", static_cast<double>(sink.bytes), "  bytes");
}

}  // namespace helio::pe

#include "bench/pe/progress.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace helio::pe {
namespace {

constexpr Nanoseconds kSample = 20'000'000;
constexpr Nanoseconds kDraw = 100'000'000;

std::string bar(const char* name, std::uint64_t done, std::uint64_t all) {
  constexpr std::uint64_t kWidth = 20;
  std::uint64_t filled = all == 0 ? kWidth : std::min(kWidth, done * kWidth / all);
  return fmt::format("{} [{}{}] {}/{}", name, std::string(filled, '#'), std::string(kWidth - filled, '.'),
                     done, all);
}

}  // namespace

Progress::Progress(Runner& runner, Report& report)
    : runner_(runner),
      report_(report),
      is_terminal_(isatty(STDERR_FILENO) == 1 && !runner.options().is_quiet) {
  runner_.on_turn = [this] { on_turn(); };
  if (runner.options().prometheus_port == 0) return;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(runner.options().prometheus_port));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || listen(listener, 8) < 0) {
    ::close(listener);
    throw std::system_error(errno, std::generic_category(), "listen on --prometheus-port");
  }
  server_ = std::thread([this, listener] { serve(listener); });
}

Progress::~Progress() {
  runner_.on_turn = nullptr;
  stopping_ = true;
  if (server_.joinable()) server_.join();
  if (is_terminal_) fmt::print(stderr, "\r\033[K");
}

void Progress::sample_held(Nanoseconds now) {
  next_held_at_ = now + (runner_.plan().pes() <= 200 ? kSample / 10 : kSample);
  shares_.clear();
  for (std::uint32_t pe = 0; pe < runner_.plan().pes(); ++pe) {
    std::uint64_t target = runner_.checker().target(pe);
    if (target > 0)
      shares_.push_back(static_cast<double>(runner_.checker().held(pe)) / static_cast<double>(target));
  }
  if (shares_.empty()) return;
  std::sort(shares_.begin(), shares_.end());
  auto at = [this](std::size_t tenths) { return shares_[(shares_.size() - 1) * tenths / 10]; };
  report_.held.push_back({static_cast<double>(now - runner_.released_at) / 1e9, at(1), at(5), at(9)});
}

void Progress::on_turn() {
  Nanoseconds now = now_ns();
  bool is_wanted = !runner_.options().out_folder.empty() && report_.convergence_seconds.empty();
  if (is_wanted && runner_.released_at != 0 && now >= next_held_at_) sample_held(now);
  if (now < next_at_) return;
  next_at_ = now + kSample;
  if (auto rr = runner_.reflector()) {
    rr_rss_ = rr->rss_bytes;
    report_.memory.emplace_back(static_cast<double>(now - runner_.started_at) / 1e9,
                                static_cast<double>(rr->rss_bytes));
  }
  const Counters c = runner_.checker().counters();
  sessions_ = runner_.fleet().established();
  delivered_ = c.reached;
  bytes_ = runner_.fleet().bytes_received();
  duplicates_ = c.duplicates;
  wrong_ = c.wrong + c.unexpected + c.malformed;
  if (expected_ == 0) expected_ = runner_.checker().total_target();
  if (is_terminal_ && now >= next_draw_at_) {
    next_draw_at_ = now + kDraw;
    draw();
  }
}

void Progress::draw() {
  std::uint32_t done = 0, all = runner_.plan().pes();
  for (std::uint32_t pe = 0; pe < all; ++pe) done += runner_.checker().holds_target(pe);
  fmt::print(stderr, "\r\033[K{}  {}  {}", bar("sessions", sessions_, all),
             bar("routes", delivered_, expected_), bar("PEs exact", done, all));
}

std::string Progress::metrics() const {
  std::string out;
  auto metric = [&](const char* name, const char* type, const char* help, std::uint64_t value) {
    out += fmt::format("# HELP helio_pe_{0} {1}\n# TYPE helio_pe_{0} {2}\nhelio_pe_{0} {3}\n", name, help,
                       type, value);
  };
  metric("sessions", "gauge", "Established sessions", sessions_);
  metric("routes_expected", "gauge", "Routes that the PEs must end up with", expected_);
  metric("routes_delivered_total", "counter", "Routes announced to the PEs", delivered_);
  metric("received_bytes_total", "counter", "Bytes received from the reflector", bytes_);
  metric("duplicates_total", "counter", "Routes announced again without a change", duplicates_);
  metric("errors_total", "counter", "Wrong, unexpected and malformed routes", wrong_);
  metric("reflector_resident_memory_bytes", "gauge", "Resident memory of the reflector", rr_rss_);
  return out;
}

void Progress::serve(int listener) {
  while (!stopping_) {
    pollfd waiting{listener, POLLIN, 0};
    if (poll(&waiting, 1, 100) <= 0) continue;
    int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    pollfd request{fd, POLLIN, 0};
    char buffer[4096];
    if (poll(&request, 1, 500) > 0 && recv(fd, buffer, sizeof buffer, 0) > 0) {
      std::string body = metrics();
      std::string answer = fmt::format(
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: "
          "close\r\n\r\n{}",
          body.size(), body);
      [[maybe_unused]] ssize_t n = ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    ::close(fd);
  }
  ::close(listener);
}

}  // namespace helio::pe

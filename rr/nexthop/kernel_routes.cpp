#include "rr/nexthop/kernel_routes.hpp"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "rr/base/log.hpp"
#include "rr/nexthop/netlink.hpp"

namespace helio::nexthop {
namespace {

constexpr std::size_t kBuffer = 64 << 10;
constexpr int kReceiveBuffer = 4 << 20;
constexpr int kReadsAtOnce = 256;
constexpr timeval kPatience{0, 200000};

int open_netlink() {
  int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -1;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

Result<std::unique_ptr<KernelRoutes>, std::string> KernelRoutes::open() {
  std::unique_ptr<KernelRoutes> routes(new KernelRoutes());
  routes->questions_ = open_netlink();
  routes->events_ = open_netlink();
  routes->stop_ = ::eventfd(0, EFD_CLOEXEC);
  if (routes->questions_ < 0 || routes->events_ < 0 || routes->stop_ < 0)
    return Unexpected(fmt::format("next-hop-tracking: no netlink socket: {}", std::strerror(errno)));
  ::setsockopt(routes->questions_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(routes->events_, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  for (int group : {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE,
                    RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP}) {
    bool may_be_missing = group == RTNLGRP_NEXTHOP;  // Linux 5.3
    if (::setsockopt(routes->events_, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0 && !may_be_missing)
      return Unexpected(fmt::format("next-hop-tracking: no notifications of netlink group {}: {}", group, std::strerror(errno)));
  }
  routes->answer_.resize(kBuffer);
  routes->buffer_.resize(kBuffer);
  return routes;
}

KernelRoutes::~KernelRoutes() {
  stop();
  for (int fd : {questions_, events_, stop_})
    if (fd >= 0) ::close(fd);
}

RouteAnswer KernelRoutes::look_up(const wire::IpAddress& address) {
  std::vector<std::uint8_t> question = encode_route_question(address, ++sequence_);
  RouteReply reply;
  if (::send(questions_, question.data(), question.size(), 0) != static_cast<ssize_t>(question.size())) reply.error = errno;
  while (!reply.complete && reply.error == 0) {
    ssize_t n = ::recv(questions_, answer_.data(), answer_.size(), 0);
    if (n > 0) reply = decode_route_reply(Bytes(answer_.data(), static_cast<std::size_t>(n)), sequence_);
    else if (n == 0 || errno != EINTR) reply.error = n == 0 ? EIO : errno;
  }
  if (reply.error == 0) return reply.answer;
  if (!std::exchange(has_complained_, true))
    log::error("next-hop-tracking: no answer about the route to {}: {}; such next hops count as unreachable", wire::format_ip(address),
               std::strerror(reply.error));
  return {};
}

void KernelRoutes::follow(NextHopTracker& tracker) {
  thread_ = std::thread([this, &tracker] { run(tracker); });
  pthread_setname_np(thread_.native_handle(), "helio-routes");
}

void KernelRoutes::stop() {
  if (!thread_.joinable()) return;
  std::uint64_t one = 1;
  while (::write(stop_, &one, sizeof one) < 0 && errno == EINTR) {}
  thread_.join();
}

bool KernelRoutes::receive(std::vector<RouteChange>& changes) {
  for (int reads = 0; reads < kReadsAtOnce; ++reads) {
    ssize_t n = ::recv(events_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n > 0) {
      if (!decode_notifications(Bytes(buffer_.data(), static_cast<std::size_t>(n)), changes)) has_lost_ = true;
    } else if (n < 0 && errno == ENOBUFS) {
      has_lost_ = true;
    } else if (n == 0 || errno != EINTR) {
      return true;
    }
  }
  return false;
}

void KernelRoutes::run(NextHopTracker& tracker) {
  std::vector<RouteChange> changes;
  for (;;) {
    TimePoint now = std::chrono::steady_clock::now();
    std::optional<TimePoint> due = tracker.run(now);
    int timeout = -1;
    if (due) timeout = static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(*due - now).count()));
    pollfd fds[2] = {{events_, POLLIN, 0}, {stop_, POLLIN, 0}};
    if (::poll(fds, 2, timeout) < 0 && errno != EINTR) {
      log::error("next-hop-tracking: poll: {}", std::strerror(errno));
      return;
    }
    if (fds[1].revents != 0) return;
    if (fds[0].revents == 0) continue;
    changes.clear();
    bool is_drained = receive(changes);
    now = std::chrono::steady_clock::now();
    if (has_lost_ && is_drained) {
      has_lost_ = false;
      log::warn("next-hop-tracking: notifications were lost, all next hops are looked up again");
      tracker.overrun(now);
    } else if (!changes.empty()) {
      tracker.look_again(changes, now);
    }
  }
}

}  // namespace helio::nexthop

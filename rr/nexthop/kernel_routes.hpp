// KernelRoutes: the routing of this machine (Linux, rtnetlink). One socket answers look_up; a thread of its own listens on
// another for what changes, routes, addresses, links and rules, and has the tracker look again. When the kernel says
// that notifications were lost (ENOBUFS), everything is looked up again.
#pragma once
#include <memory>
#include <thread>

#include "rr/base/result.hpp"
#include "rr/nexthop/tracker.hpp"

namespace helio::nexthop {

class KernelRoutes final : public RouteSource {
 public:
  // Opens the sockets. The error says which and why.
  static Result<std::unique_ptr<KernelRoutes>, std::string> open();
  ~KernelRoutes() override;

  RouteAnswer look_up(const wire::IpAddress& address) override;
  // Starts the thread; it ends with stop() or the destructor, before the tracker does.
  void follow(NextHopTracker& tracker);
  void stop();

 private:
  KernelRoutes() = default;
  void run(NextHopTracker& tracker);
  // What has arrived; notes whether some was lost. True: there is no more. Only then is what was lost looked up: from the
  // ENOBUFS on until the socket is empty the kernel drops what it has to say, and says ENOBUFS no second time.
  bool receive(std::vector<RouteChange>& changes);

  int questions_ = -1, events_ = -1, stop_ = -1;
  std::uint32_t sequence_ = 0;
  bool has_complained_ = false, has_lost_ = false;
  std::vector<std::uint8_t> answer_, buffer_;
  std::thread thread_;
};

}  // namespace helio::nexthop

// The CEs of a converged laboratory as network namespaces: each has a TUN device per uplink whose other end is this
// process, so that real ping, traceroute and iperf3 cross the emulated core. Needs root and /dev/net/tun.
//
//   ip netns exec helio-PID-CE ping …  ──► TUN ──► pump thread: PE, P, PE ──► TUN ──► another namespace
//
// Everything made is removed by the destructor; what a killed process left behind is removed at the next start. The routers
// of the laboratory belong to the pump thread between start() and stop(); a phase changes them in between.
#pragma once
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "bench/lab/lib/lab.hpp"
#include "bench/lab/lib/processes.hpp"

namespace helio::lab {

class Namespaces {
 public:
  // Throws std::runtime_error with the step that failed, or Interrupted; nothing is left then.
  Namespaces(Lab& lab, SignalGuard& signals);
  ~Namespaces();
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  std::string name_of(std::size_t ce) const;
  void start();
  void stop();
  // After a phase, before start(): default routes lead over the first uplink whose PE is there. Forgets what has arrived.
  void refresh();
  // Whether an echo request of one CE to that address came out at the other one.
  bool has_arrived(std::size_t from, const IpAddress& destination, std::size_t to);
  std::uint64_t carried() const { return carried_.load(std::memory_order_relaxed); }

 private:
  struct Tun {
    int fd = -1;
    std::size_t ce = 0, uplink = 0;
  };
  void must(const std::vector<std::string>& argv);
  void make(std::size_t ce);
  void set_default_route(std::size_t ce, bool is_new);
  void remove();
  void pump();
  std::size_t origin_of(std::size_t ce, const IpAddress& source) const;
  void carry(const Tun& from, forwarding::Packet& packet);
  // Across the routers from a port on; `origin` and `destination` of an echo request, as long as it is one.
  struct Request {
    bool is_one = false;
    std::size_t origin = 0;
    IpAddress destination;
  };
  void cross(const Port* port, forwarding::Packet& packet, Request request);

  Lab& lab_;
  SignalGuard& signals_;
  std::vector<Tun> tuns_;
  std::vector<std::string> made_;
  std::thread thread_;
  int stop_fd_ = -1;
  std::mutex mutex_;
  std::set<std::tuple<std::size_t, IpAddress, std::size_t>> arrived_;
  std::atomic<std::uint64_t> carried_{0};
};

}  // namespace helio::lab

// The CEs of a converged laboratory as network namespaces: each has a TUN device per uplink whose other end is this
// process, so that real ping, traceroute and iperf3 cross the emulated core. Needs root and /dev/net/tun.
//
//   ip netns exec helio-PID-CE ping …  ──► TUN ──► pump thread: PE, P, PE ──► TUN ──► another namespace
//
// Everything made is removed by the destructor; what a killed process left behind is removed at the next start. The
// laboratory belongs to the pump thread between start() and stop().
#pragma once
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "bench/lab/lib/lab.hpp"

namespace helio::lab {

// Runs a program without a shell, its output thrown away; the exit status, or -1.
int run_program(const std::vector<std::string>& argv);

// SIGINT, SIGTERM and SIGHUP are taken by asking, so that what was built can be removed first.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  bool is_pending();  // one has come
  bool wait_for(int seconds);  // true: one has come

 private:
  bool came_ = false;
};

class Namespaces {
 public:
  // Throws std::runtime_error with the step that failed; nothing is left then.
  Namespaces(Lab& lab, SignalGuard& signals);
  ~Namespaces();
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  std::string name_of(std::size_t ce) const;
  void start();
  void stop();
  // Whether an echo request of one CE to that address came out at the other one.
  bool has_arrived(std::size_t from, const IpAddress& destination, std::size_t to);
  std::uint64_t carried() const { return carried_.load(std::memory_order_relaxed); }

 private:
  struct Tun {
    int fd = -1;
    std::size_t ce = 0, uplink = 0;
  };
  void make(std::size_t ce, SignalGuard& signals);
  void remove();
  void pump();
  std::size_t origin_of(std::size_t ce, const IpAddress& source) const;
  void carry(const Tun& from, forwarding::Packet& packet);

  Lab& lab_;
  std::vector<Tun> tuns_;
  std::vector<std::string> made_;
  std::thread thread_;
  int stop_fd_ = -1;
  std::mutex mutex_;
  std::set<std::tuple<std::size_t, IpAddress, std::size_t>> arrived_;
  std::atomic<std::uint64_t> carried_{0};
};

struct PingVerdict {
  std::string text;  // the matrix and what is wrong
  bool is_good = true;
  bool was_interrupted = false;
};
// ping from every site to every other one: sites meant to reach each other must answer, nothing may come out elsewhere.
PingVerdict ping_all(Lab& lab, Namespaces& namespaces, SignalGuard& signals);

}  // namespace helio::lab

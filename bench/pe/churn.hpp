// Changes with a bounded number of routes in flight: a change (another MED) counts as done when every PE that
// holds the route has seen it, exactly once. Latency is from handing the UPDATE to the socket's queue to the
// last receipt.
#pragma once
#include <mutex>
#include <random>
#include <vector>

#include "bench/pe/runner.hpp"

namespace helio::pe {

class Churner final : public RouteObserver {
 public:
  explicit Churner(Runner& runner);
  ~Churner();

  // Makes changes until `changes` are done (0: no limit) or `seconds` have passed (0: no limit), then waits
  // for those in flight. False when some never arrived.
  bool run(std::uint64_t changes, double seconds, double rate);

  std::uint64_t done() const { return done_; }
  double elapsed_seconds() const { return elapsed_; }
  std::vector<std::int64_t>& latency_ns() { return latency_ns_; }
  std::uint64_t in_flight() const { return in_flight_; }

 private:
  // One UPDATE of `pack` routes of one slice.
  struct Flight {
    std::uint32_t* block = nullptr;  // in flight_of_block_
    std::uint32_t version = 0;
    std::uint64_t remaining = 0;  // receipts
    Nanoseconds sent_at = 0, done_at = 0;
    std::vector<std::uint64_t> seen;  // bit per (route of the pack, PE)
  };
  bool on_version(std::uint32_t pe, std::uint64_t route, std::uint32_t version) override;
  bool launch();   // false: no free route was found
  void harvest();  // takes the flights that everybody has seen
  std::uint32_t receivers(std::uint32_t vrf, std::uint32_t cycle);

  Runner& runner_;
  const Plan& plan_;
  std::uint32_t pack_;
  std::mt19937_64 random_;
  std::vector<Flight> flights_;
  std::vector<std::uint32_t> free_, flight_of_block_, receivers_;
  std::mutex landed_mutex_;
  std::vector<std::uint32_t> landed_;  // flights done in this turn; the threads of the PEs add to it
  std::uint64_t launched_ = 0, done_ = 0, in_flight_ = 0;  // routes
  double elapsed_ = 0;
  std::vector<std::int64_t> latency_ns_;
  ByteVector scratch_;
};

}  // namespace helio::pe

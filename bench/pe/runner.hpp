// One run: the PEs' byte streams, their sessions, the checker, and the clock that says when every PE holds
// its set. The scenarios drive it phase by phase, from one thread; with --threads the sessions' callbacks
// come from the threads of the PEs, each touching what belongs to its PE and atomics only.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "bench/pe/lib/checker.hpp"
#include "bench/pe/lib/fleet_group.hpp"
#include "bench/pe/lib/options.hpp"
#include "bench/pe/lib/process_stats.hpp"
#include "bench/pe/report.hpp"

namespace helio::pe {

class Runner final : public FleetListener {
 public:
  Runner(const Options& options, const Plan& plan);

  // Builds the streams, by all threads; before any session, so that it is in nobody's time.
  void prepare();
  // Waits some seconds for a reflector on this machine that is still busy: a run that follows another at once
  // would meet the other's routes while they are taken back.
  void await_idle_reflector();
  // All sessions Established and memberships sent; false at the timeout.
  bool bring_up();
  // Routes may flow: sends every PE's routes and End-of-RIB.
  void release_routes();
  // Turns the loop until every PE that counts holds its target, or the timeout.
  bool wait_converged();
  // Turns the loop until the condition holds or `seconds` have passed.
  bool wait_until(const std::function<bool()>& condition, double seconds);
  void run_for(double seconds) {
    wait_until([] { return false; }, seconds);
  }

  // After the targets changed: who is done already.
  void recount();
  // PEs that do not count for convergence (slow readers).
  void set_ignored(std::uint32_t pe, bool ignored);
  bool is_ignored(std::uint32_t pe) const { return ignored_[pe]; }
  bool is_converged() const { return done_ >= required_; }

  // Sends what a PE announces: memberships, then routes if they were released.
  void announce(std::uint32_t pe);

  const Options& options() const { return o_; }
  const Plan& plan() const { return plan_; }
  FleetGroup& fleet() { return *fleet_; }
  Checker& checker() { return checker_; }
  Nanoseconds last_done() const { return last_done_; }
  const std::vector<Nanoseconds>& done_at() const { return done_at_; }
  std::uint32_t session_losses() const { return session_losses_; }
  // While losses are expected, lost sessions are counted apart and brought up again.
  void expect_losses(bool expected) { losses_expected_ = expected; }
  std::uint32_t expected_losses() const { return expected_losses_; }

  std::optional<ProcessSample> reflector() const {
    return rr_pid_ > 0 ? sample_process(rr_pid_) : std::nullopt;
  }
  int rr_pid() const { return rr_pid_; }
  void find_reflector();

  // Called once per loop turn while waiting; progress, memory curve.
  std::function<void()> on_turn;

  std::uint32_t last_version = 0;  // MEDs of changes, never used twice

  Nanoseconds started_at = 0, established_at = 0, released_at = 0;

 private:
  void on_established(std::uint32_t pe) override;
  void on_update(std::uint32_t pe, Bytes body) override;
  void after_read(std::uint32_t pe, std::size_t bytes) override;
  void on_closed(std::uint32_t pe, const std::string& reason, bool by_us) override;
  void update_done(std::uint32_t pe);

  const Options& o_;
  const Plan& plan_;
  Checker checker_;
  std::unique_ptr<FleetGroup> fleet_;
  std::vector<ByteVector> routes_;  // per PE, with the End-of-RIBs
  bool routes_released_ = false;
  bool losses_expected_ = false;
  std::vector<std::uint8_t> done_flags_, ignored_;  // not vector<bool>: threads write their PEs' own
  std::vector<Nanoseconds> done_at_;
  std::uint32_t required_ = 0;
  std::atomic<std::uint32_t> done_ = 0, session_losses_ = 0, expected_losses_ = 0;
  std::atomic<Nanoseconds> last_done_ = 0;
  int rr_pid_ = 0;
};

}  // namespace helio::pe

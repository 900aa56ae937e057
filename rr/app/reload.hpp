// Reloads: the configuration in force, and the way to another one. All methods on the control thread.
//
//   file ─► load (every mistake at once) ─► diff ─► effective (what needs a restart stays) ─► policies, sessions, the rest
// Nothing is changed before everything that can fail has not; a reload that waits to be confirmed keeps what was in force.
#pragma once
#include "rr/app/metrics.hpp"
#include "rr/control/config_control.hpp"
#include "rr/policy/program.hpp"
#include "rr/reflector/reflector.hpp"
#include "rr/session/session_manager.hpp"

namespace helio::app {

class Reloads final : public control::ConfigControl {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `config` is in force, with `program` compiled from it (null: no policies).
  Reloads(const config::Config& config, std::shared_ptr<const policy::Program> program, session::SessionManager& sessions, reflector::Reflector& reflector)
      : sessions_(sessions), reflector_(reflector), running_(std::make_shared<const config::Config>(config)), program_(std::move(program)) {}
  void report_to(Metrics& metrics) { metrics_ = &metrics; }
  // Told of every configuration that comes into force later.
  void then(std::function<void(const config::Config&)> listener) { listener_ = std::move(listener); }

  std::shared_ptr<const config::Config> config() const { return running_; }

  control::ConfigReport diff(bool with_impact) override;
  control::ConfigReport reload(const control::ReloadRequest& request) override;
  control::ConfigReport confirm() override;
  control::ConfigReport rollback() override;
  // SIGHUP: a reload whose report goes to the log.
  void on_signal();
  // Rolls back what was not confirmed in time.
  void tick(TimePoint now);

 private:
  struct Loaded;
  control::ConfigReport read(Loaded& out);
  std::string apply(std::shared_ptr<const config::Config> next, const std::vector<config::Change>& changes, bool reset_sessions);
  std::vector<wire::IpAddress> sessions_with_old_settings();
  void log_report(const control::ConfigReport& report) const;

  session::SessionManager& sessions_;
  reflector::Reflector& reflector_;
  Metrics* metrics_ = nullptr;
  std::function<void(const config::Config&)> listener_;
  std::shared_ptr<const config::Config> running_;
  std::shared_ptr<const policy::Program> program_;
  struct Unconfirmed {
    std::shared_ptr<const config::Config> before;
    TimePoint until;
  };
  std::optional<Unconfirmed> unconfirmed_;
};

}  // namespace helio::app

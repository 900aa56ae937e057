#include "rr/app/reload.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rr/app/settings.hpp"
#include "rr/base/log.hpp"
#include "rr/control/config_impact.hpp"

namespace helio::app {

using config::Change;
using config::Reload;
using control::ConfigReport;
using Status = ConfigReport::Status;

namespace {

bool is_about_policies(const Change& change) {
  return change.path.starts_with("policy.") || change.path.ends_with(".import-policy") || change.path.ends_with(".export-policy") ||
         (change.path.starts_with("peer-groups[") && change.kind != Change::Kind::changed);
}

std::size_t count(const std::vector<control::ConfigChange>& changes, Reload reload) {
  return static_cast<std::size_t>(std::ranges::count_if(changes, [&](const control::ConfigChange& c) { return c.change.reload == reload; }));
}

std::string plural(std::size_t n, const char* one, const char* many) { return fmt::format("{} {}", n, n == 1 ? one : many); }

}  // namespace

// The file as it is now.
struct Reloads::Loaded {
  std::shared_ptr<const config::Config> next;  // what would be in force
  std::vector<Change> changes;                 // that it takes, with those that need a restart
};

ConfigReport Reloads::read(Loaded& out) {
  ConfigReport report;
  report.file = running_->file;
  config::LoadResult wanted = config::load_config(running_->file);
  config::LoadResult next = wanted ? config::effective(*running_, *wanted) : Unexpected(wanted.error());
  if (!next) {
    report.status = Status::invalid;
    report.problems = next.error();
    report.message = wanted ? "the file is valid, but not together with what needs a restart: nothing is changed" : "the file has mistakes: nothing is changed";
    report.hint = wanted ? "restart heliod to take all of it over" : "";
    return report;
  }
  report.hash = wanted->hash;
  report.problems = wanted->warnings;
  out.changes = config::diff(*running_, *wanted);
  out.next = std::make_shared<const config::Config>(std::move(*next));
  for (const Change& change : out.changes) report.changes.push_back({change, std::nullopt});
  return report;
}

ConfigReport Reloads::diff(bool with_impact) {
  Loaded loaded;
  ConfigReport report = read(loaded);
  if (report.status != Status::done) return report;
  report.needs_reset = sessions_with_old_settings();
  report.message = report.changes.empty() ? "the file is what is in force" : plural(report.changes.size(), "difference", "differences") + " between the file and what is in force";
  if (!report.changes.empty()) report.hint = "helioctl config reload takes them over";
  if (!with_impact || report.changes.empty()) return report;
  std::vector<reflector::PeerView> peers = reflector_.peers();
  for (control::ConfigChange& change : report.changes) change.impact = control::impact_of(change.change, *running_, *loaded.next, peers);
  return report;
}

// Empty, or why nothing was changed.
std::string Reloads::apply(std::shared_ptr<const config::Config> next, const std::vector<Change>& changes, bool reset_sessions) {
  bool policies = std::ranges::any_of(changes, is_about_policies);
  std::shared_ptr<const policy::Program> before = program_;
  // First, so that no session comes up in a new group before the group's policies are there.
  if (policies) {
    program_ = compile_policies(*next, before.get());
    if (program_) reflector_.set_policies(program_);
  }
  if (auto done = sessions_.reconfigure(session_settings(*next), reset_sessions); !done) {
    if (policies && (before || program_)) {
      program_ = compile_policies(*running_, program_.get());  // of nothing, where there was none before
      reflector_.set_policies(program_);
    }
    return done.error();
  }
  if (next->log.level != running_->log.level) log::set_level(next->log.level);
  if (next->global.graceful_shutdown != running_->global.graceful_shutdown) reflector_.set_maintenance(next->global.graceful_shutdown);
  running_ = std::move(next);
  if (listener_) listener_(*running_);
  return {};
}

std::vector<wire::IpAddress> Reloads::sessions_with_old_settings() {
  std::vector<wire::IpAddress> out;
  for (const session::PeerSnapshot& peer : sessions_.peers())
    if (peer.needs_reset) out.push_back(peer.address);
  std::ranges::sort(out);
  return out;
}

ConfigReport Reloads::reload(const control::ReloadRequest& request) {
  ConfigReport report;
  if (unconfirmed_) {
    report.status = Status::refused;
    report.file = running_->file;
    report.message = "the last reload waits to be confirmed";
    report.hint = "helioctl config confirm or helioctl config rollback first";
    if (metrics_ != nullptr) metrics_->on_reload(false);
    log_report(report);
    return report;
  }
  Loaded loaded;
  report = read(loaded);
  if (report.status == Status::done) {
    std::shared_ptr<const config::Config> before = running_;
    if (std::string error = apply(loaded.next, loaded.changes, request.reset_sessions); !error.empty()) {
      report.status = Status::refused;
      report.message = error + ": nothing is changed";
    } else {
      report.applied = true;
      report.needs_reset = sessions_with_old_settings();
      std::size_t restart = count(report.changes, Reload::restart), reset = count(report.changes, Reload::session_reset);
      report.message = report.changes.empty() ? "nothing has changed" : plural(report.changes.size() - restart, "change", "changes") + " applied";
      if (restart != 0) report.message += fmt::format(", {} for the next restart", restart);
      if (!report.needs_reset.empty()) {
        report.message += fmt::format("; {} with earlier settings until the next session", plural(report.needs_reset.size(), "session goes on", "sessions go on"));
        report.hint = "helioctl peer PEER clear for one of them, helioctl config reload --reset-sessions for all";
      } else if (reset != 0 && request.reset_sessions) {
        report.message += "; sessions that needed it were reset";
      }
      if (request.confirm && !report.changes.empty()) {
        unconfirmed_ = Unconfirmed{std::move(before), std::chrono::steady_clock::now() + *request.confirm};
        report.confirm_within = request.confirm;
        report.hint = fmt::format("helioctl config confirm within {} s, or it is rolled back", request.confirm->count());
      }
    }
  }
  if (metrics_ != nullptr) metrics_->on_reload(report.status == Status::done);
  log_report(report);
  return report;
}

ConfigReport Reloads::confirm() {
  ConfigReport report;
  report.file = running_->file;
  report.hash = running_->hash;
  if (!unconfirmed_) {
    report.status = Status::refused;
    report.message = "no reload waits to be confirmed";
    return report;
  }
  unconfirmed_.reset();
  report.applied = true;
  report.message = "the reload is confirmed";
  log_report(report);
  return report;
}

ConfigReport Reloads::rollback() {
  ConfigReport report;
  report.file = running_->file;
  if (!unconfirmed_) {
    report.status = Status::refused;
    report.message = "no reload waits to be confirmed";
    report.hint = "to go back later, put the old file in place and reload";
    return report;
  }
  std::shared_ptr<const config::Config> before = std::exchange(unconfirmed_, std::nullopt)->before;
  std::vector<Change> changes = config::diff(*running_, *before);
  for (const Change& change : changes) report.changes.push_back({change, std::nullopt});
  if (std::string error = apply(before, changes, false); !error.empty()) {
    report.status = Status::refused;
    report.message = "cannot be rolled back: " + error;
  } else {
    report.applied = true;
    report.needs_reset = sessions_with_old_settings();
    report.message = "rolled back to what was in force before the reload";
    report.hint = "the file still has the changes: helioctl config diff";
  }
  report.hash = running_->hash;
  if (metrics_ != nullptr) metrics_->on_reload(false);  // what the file says is not in force
  log_report(report);
  return report;
}

void Reloads::on_signal() { reload({}); }

void Reloads::tick(TimePoint now) {
  if (!unconfirmed_ || now < unconfirmed_->until) return;
  log::warn("config: the reload was not confirmed in time");
  rollback();
}

void Reloads::log_report(const ConfigReport& report) const {
  reflector_.note(rib::JournalEvent::config, "configuration: " + report.message);
  for (const config::ConfigProblem& problem : report.problems) {
    if (problem.severity == config::Severity::error) log::error("config: {}", config::format_problem(problem));
    else log::warn("config: {}", config::format_problem(problem));
  }
  for (const control::ConfigChange& c : report.changes) {
    const Change& change = c.change;
    if (change.kind == Change::Kind::changed) log::info("config: {} {} -> {} {}", change.path, change.before, change.after, config::reload_name(change.reload));
    else log::info("config: {} {} {}", change.path, change.kind == Change::Kind::added ? "added" : "removed", config::reload_name(change.reload));
  }
  if (report.status == Status::done) log::info("config: file={} {}", report.file, report.message);
  else log::error("config: file={} {}", report.file, report.message);
}

}  // namespace helio::app

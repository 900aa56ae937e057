// A daemon whose configuration can be reloaded, without the daemon.
#pragma once
#include <vector>

#include "rr/control/config_control.hpp"

namespace helio::control {

class FakeConfigControl : public ConfigControl {
 public:
  FakeConfigControl() {
    report.file = "/etc/heliograph/heliograph.toml";
    report.hash = "00112233445566ff";
    report.message = "2 changes applied, 1 for the next restart; 1 session goes on with earlier settings until the next session";
    report.hint = "helioctl peer PEER clear for one of them, helioctl config reload --reset-sessions for all";
    using Kind = config::Change::Kind;
    ChangeImpact reset{ChangeImpact::Effect::session_reset, 2000, 1998, 10'000'000, 40'000'000};
    ChangeImpact closed{ChangeImpact::Effect::session_closed, 1, 1, 50'112, 61'020};
    ChangeImpact all{ChangeImpact::Effect::restart, 2000, 1998, 10'000'000, 40'000'000};
    report.changes = {{{"runtime.shards", Kind::changed, config::Reload::restart, "0", "4"}, all},
                      {{"timers.hold-time", Kind::changed, config::Reload::session_reset, "90", "180"}, reset},
                      {{"neighbors[192.0.2.11]", Kind::removed, config::Reload::applied, "", ""}, closed}};
    report.needs_reset = {wire::IpAddress::v4(0xc000020c)};
    report.problems = {{config::Severity::warning, "heliograph.toml", {12, 3}, "peer-groups[1].name", "no neighbor and no listen range uses this group", ""}};
  }
  ConfigReport diff(bool with_impact) override {
    ConfigReport out = report;
    if (!with_impact)
      for (ConfigChange& change : out.changes) change.impact.reset();
    return out;
  }
  ConfigReport reload(const ReloadRequest& request) override {
    requests.push_back(request);
    ConfigReport out = diff(false);
    out.applied = out.status == ConfigReport::Status::done;
    out.confirm_within = request.confirm;
    return out;
  }
  ConfigReport confirm() override { return refusal(); }
  ConfigReport rollback() override { return refusal(); }

  ConfigReport report;
  std::vector<ReloadRequest> requests;

 private:
  static ConfigReport refusal() {
    ConfigReport out;
    out.status = ConfigReport::Status::refused;
    out.message = "no reload waits to be confirmed";
    return out;
  }
};

}  // namespace helio::control

// What the control API may do, carried out by the session manager.
#pragma once
#include "rr/control/actions.hpp"
#include "rr/reflector/reflector.hpp"
#include "rr/session/session_manager.hpp"

namespace helio::app {

class Actions final : public control::ControlActions {
 public:
  Actions(session::SessionManager& sessions, reflector::Reflector& reflector, control::ConfigControl& config)
      : sessions_(sessions), reflector_(reflector), config_(config) {}
  control::ActionResult peer(const wire::IpAddress& address, control::PeerAction action, const std::string& text) override;
  control::ActionResult maintenance(bool on, const std::string& text) override;
  control::ActionResult log_level(const std::string& level) override;
  control::ConfigControl* config() override { return &config_; }
  // Any time after the control server has ended.
  const std::string& farewell() const { return farewell_; }

 private:
  session::SessionManager& sessions_;
  reflector::Reflector& reflector_;
  control::ConfigControl& config_;
  std::string farewell_ = "heliod is stopping";
};

}  // namespace helio::app

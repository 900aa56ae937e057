// What the control API may do, carried out by the session manager.
#pragma once
#include "rr/control/actions.hpp"
#include "rr/session/session_manager.hpp"

namespace helio::app {

class Actions final : public control::ControlActions {
 public:
  explicit Actions(session::SessionManager& sessions) : sessions_(sessions) {}
  control::ActionResult peer(const wire::IpAddress& address, control::PeerAction action, const std::string& text) override;

 private:
  session::SessionManager& sessions_;
};

}  // namespace helio::app

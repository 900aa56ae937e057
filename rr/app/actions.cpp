#include "rr/app/actions.hpp"

#include "rr/base/log.hpp"
#include "rr/wire/route_refresh.hpp"

namespace helio::app {

using control::ActionResult;
using control::PeerAction;
using ActionStatus = control::ActionResult::Status;

ActionResult Actions::peer(const wire::IpAddress& address, PeerAction action, const std::string& text) {
  auto done = [&](bool known, const char* what) {
    return known ? ActionResult{ActionStatus::done, std::string(what) + " " + wire::format_ip(address)}
                 : ActionResult{ActionStatus::unknown_peer, "no neighbour " + wire::format_ip(address)};
  };
  switch (action) {
    case PeerAction::up: return done(sessions_.bring_up(address), "session allowed:");
    case PeerAction::down: return done(sessions_.take_down(address, text), "session taken down:");
    case PeerAction::clear: return done(sessions_.reset(address, text), "session reset:");
    case PeerAction::soft_in:
    case PeerAction::soft_out:
    case PeerAction::refresh: break;
  }
  for (const session::PeerSnapshot& s : sessions_.peers()) {
    if (!(s.address == address)) continue;
    if (s.families.empty()) return {ActionStatus::refused, "the session with " + wire::format_ip(address) + " is not Established"};
    session::ShardLoop& loop = sessions_.shard(ShardId(s.peer.value % sessions_.shards()));
    loop.call([&] {
      for (wire::Family family : {wire::Family::rtc, wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::evpn}) {
        if (!s.families.contains(family)) continue;
        if (action != PeerAction::soft_out) {
          std::vector<std::uint8_t> message;
          wire::encode_route_refresh(message, family, wire::RouteRefresh::Subtype::request);
          loop.send_message(s.peer, std::move(message));
        }
        if (action != PeerAction::soft_in) loop.engine().on_route_refresh(s.peer, {family, 0});
      }
      loop.wake();
      return 0;
    });
    return done(true, action == PeerAction::soft_in ? "asked to send again:" : action == PeerAction::soft_out ? "sending again to" : "refreshed:");
  }
  return done(false, "");
}

ActionResult Actions::maintenance(bool on, const std::string& text) {
  reflector_.set_maintenance(on);
  farewell_ = !on ? "heliod is stopping" : text.empty() ? "maintenance" : text;
  log::info("maintenance={} {}", on ? "on" : "off", on ? farewell_ : "");
  return {ActionStatus::done, on ? "maintenance is on: routes are sent with GRACEFUL_SHUTDOWN and LOCAL_PREF 0" : "maintenance is off: routes are sent as they are"};
}

ActionResult Actions::log_level(const std::string& level) {
  log::set_level("info");  // so that the change itself is told, whichever way it goes
  log::info("log level={} (helioctl)", level);
  log::set_level(level);
  return {ActionStatus::done, "log level is " + level + " until a reload changes log.level, or the daemon restarts"};
}

}  // namespace helio::app

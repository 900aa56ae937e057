#include "rr/session/open_exchange.hpp"

#include <algorithm>

namespace helio::session {
namespace {

constexpr std::uint8_t kOpenError = static_cast<std::uint8_t>(wire::ErrorCode::open_message);
constexpr std::uint8_t kBadPeerAs = 2, kBadIdentifier = 3, kUnsupportedCapability = 7;

template <class Function>
void for_each_family(wire::FamilySet families, Function function) {
  for (std::size_t i = 0; i < wire::kFamilyCount; ++i)
    if (auto family = static_cast<wire::Family>(i); families.contains(family)) function(family);
}

// RFC 5492 §5: the data of Unsupported Capability lists capabilities; ours are the families that we insist on.
wire::Notification no_common_family(const GroupSettings& group) {
  wire::Notification out{kOpenError, kUnsupportedCapability, {}};
  ByteWriter writer(out.data);
  for_each_family(group.families, [&](wire::Family family) {
    wire::AfiSafi value = wire::afi_safi(family);
    writer.u8(wire::capability::multiprotocol);
    writer.u8(4);
    writer.u16(value.afi);
    writer.u8(0);
    writer.u8(value.safi);
  });
  return out;
}

}  // namespace

Offer Offer::without_refused(const wire::Notification& notification) const {
  Offer out = *this;
  if (notification.subcode == kUnsupportedCapability) {
    ByteReader reader(notification.data);
    while (!reader.empty()) {
      std::uint8_t code = reader.u8();
      reader.take(reader.u8());
      if (!reader.ok()) break;
      if (code == wire::capability::extended_next_hop) out.extended_next_hop = false;
      if (code == wire::capability::extended_message) out.extended_message = false;
      if (code == wire::capability::graceful_restart || code == wire::capability::long_lived_graceful_restart)
        out.graceful_restart = false;
      if (code == wire::capability::enhanced_route_refresh) out.enhanced_route_refresh = false;
      if (code == wire::capability::fqdn) out.fqdn = false;
      if (code == wire::capability::add_path) out.add_path = false;
    }
  }
  if (out == *this) out = {false, false, false, false, false, false};
  return out;
}

namespace {

// RFC 4724 §3. A helper lists no families: it asks for nothing to be kept, helps, and sends End-of-RIB. With mode full
// all are listed with the F bit: a reflector forwards nothing that could be lost.
void offer_graceful_restart(const GroupSettings& group, bool restarting, wire::Capabilities& capabilities) {
  wire::GracefulRestart& restart = capabilities.graceful_restart.emplace();
  restart.notification = true;  // RFC 8538 §2
  restart.restart_time = static_cast<std::uint16_t>(std::min<std::int64_t>(group.restart_time.count(), 0xfff));
  if (group.graceful_restart_full) {
    restart.restarting = restarting;
    for_each_family(group.families, [&](wire::Family family) { restart.families.push_back({wire::afi_safi(family), true}); });
  }
  if (group.long_lived_stale_time.count() == 0) return;
  // RFC 9494 §3.1. Not for RT membership: a membership that old filters for nobody.
  auto& long_lived = capabilities.long_lived_graceful_restart.emplace();
  auto stale_time = static_cast<std::uint32_t>(std::min<std::int64_t>(group.long_lived_stale_time.count(), 0xffffff));
  for_each_family(group.families, [&](wire::Family family) {
    if (family == wire::Family::rtc) return;
    bool full = group.graceful_restart_full;
    long_lived.push_back({wire::afi_safi(family), full, full ? stale_time : 0});
  });
}

}  // namespace

wire::OpenMessage make_open(const GroupSettings& group, const Offer& offer, bool restarting) {
  wire::OpenMessage open;
  open.set_as(group.local_as);
  open.hold_time = static_cast<std::uint16_t>(std::min<std::int64_t>(group.hold_time.count(), 0xffff));
  open.bgp_identifier = group.router_id;
  wire::Capabilities& capabilities = open.capabilities;
  for_each_family(group.families, [&](wire::Family family) { capabilities.multiprotocol.push_back(wire::afi_safi(family)); });
  capabilities.route_refresh = true;
  capabilities.enhanced_route_refresh = offer.enhanced_route_refresh;
  capabilities.extended_message = group.extended_messages && offer.extended_message;
  // RFC 8950 §4 for VPN-IPv4 routes with an IPv6 next hop (wire 2.15).
  if (offer.extended_next_hop && group.families.contains(wire::Family::vpnv4))
    capabilities.extended_next_hop.push_back({wire::afi_safi(wire::Family::vpnv4), 2});
  if (group.graceful_restart_helper && offer.graceful_restart) offer_graceful_restart(group, restarting, capabilities);
  if (offer.add_path) {
    for_each_family(group.families, [&](wire::Family family) {  // RFC 7911 §4
      bool receive = group.add_path_receive.contains(family), send = group.add_path_send_max[wire::index(family)] > 1;
      if (receive || send) capabilities.add_path.push_back({wire::afi_safi(family), receive, send});
    });
  }
  if (offer.fqdn && !group.hostname.empty()) capabilities.fqdn = wire::Fqdn{group.hostname.substr(0, 64), ""};
  return open;
}

Result<Negotiated, wire::Notification> evaluate_open(Bytes body, const GroupSettings& group, const Offer& offer) {
  auto remote = wire::decode_open(body);
  if (!remote) return Unexpected(remote.error());
  Asn peer_as = remote->as();
  // RFC 4271 §6.2: "If the Autonomous System field of the OPEN message is unacceptable, ... Bad Peer AS".
  if (group.peer_as != 0 && peer_as != group.peer_as) return Unexpected(wire::Notification{kOpenError, kBadPeerAs, {}});
  // RFC 6286 §2.2: inside our AS the identifier must not be our own.
  if (peer_as == group.local_as && remote->bgp_identifier == group.router_id)
    return Unexpected(wire::Notification{kOpenError, kBadIdentifier, {}});
  Negotiated out;
  out.agreed = wire::negotiate(make_open(group, offer), *remote);
  if (out.agreed.families.empty()) return Unexpected(no_common_family(group));
  out.router_id = remote->bgp_identifier;
  out.peer_as = peer_as;
  out.hold_time = std::chrono::seconds(out.agreed.hold_time);
  if (out.agreed.hold_time != 0) {
    out.keepalive_interval = std::chrono::seconds(out.agreed.keepalive);
    if (group.keepalive_interval.count() > 0)
      out.keepalive_interval = std::min(out.keepalive_interval, group.keepalive_interval);
  }
  if (remote->capabilities.fqdn) out.hostname = remote->capabilities.fqdn->hostname;
  return out;
}

Result<std::optional<RefreshRequest>, wire::Notification> evaluate_route_refresh(const wire::Frame& frame,
                                                                                 const Negotiated& negotiated) {
  auto refresh = wire::decode_route_refresh(frame.message);
  if (!refresh) {
    // RFC 7313 §5 defines the error for speakers of the enhanced form; towards others a malformed one is ignored.
    if (negotiated.agreed.enhanced_route_refresh) return Unexpected(refresh.error());
    return std::nullopt;
  }
  auto family = wire::family_of(refresh->family);
  if (!family || !negotiated.agreed.families.contains(*family)) return std::nullopt;
  using Subtype = wire::RouteRefresh::Subtype;
  // RFC 2918: without the enhanced form the octet is reserved and "MUST be ignored by the receiver".
  std::uint8_t subtype = negotiated.agreed.enhanced_route_refresh ? refresh->subtype : 0;
  if (subtype > static_cast<std::uint8_t>(Subtype::end)) return std::nullopt;
  return RefreshRequest{*family, subtype};
}

}  // namespace helio::session

// The OPEN exchange as pure functions: what we offer, whether the neighbour's OPEN is acceptable (RFC 4271 §6.2, RFC 6286),
// and what a ROUTE-REFRESH means under what was agreed. No socket, no clock.
#pragma once
#include <chrono>
#include <optional>

#include "rr/session/engine.hpp"
#include "rr/wire/negotiate.hpp"
#include "rr/wire/route_refresh.hpp"

namespace helio::session {

// Capabilities that a session can do without. Those a neighbour refuses (NOTIFICATION 2/7, RFC 5492 §3) are left out of
// the next OPEN (wire 2.17).
struct Offer {
  bool extended_next_hop = true;
  bool extended_message = true;
  bool graceful_restart = true;            // and the long-lived form with it
  bool enhanced_route_refresh = true;
  bool fqdn = true;
  bool add_path = true;
  bool operator==(const Offer&) const = default;
  // Without the capabilities listed in the data of a NOTIFICATION 2/7; without all of these when none is named. 2/4
  // (Unsupported Optional Parameter) counts as "none named".
  Offer without_refused(const wire::Notification& notification) const;
};

// The outcome of an accepted OPEN.
struct Negotiated {
  wire::Negotiated agreed;
  std::uint32_t router_id = 0;
  Asn peer_as = 0;
  std::chrono::seconds hold_time{0};           // 0: neither hold nor keepalive timer
  std::chrono::seconds keepalive_interval{0};
  std::string hostname;                        // FQDN capability, as the neighbour says
};

// `restarting`: we have started a short while ago (R bit of RFC 4724 §3).
wire::OpenMessage make_open(const GroupSettings& group, const Offer& offer, bool restarting = false);
// `body`: OPEN without header. Errors: those of wire::decode_open, 2/2 for another AS than the configured one, 2/3 for our
// own identifier inside our AS, 2/7 with our families as data when there is no family in common.
Result<Negotiated, wire::Notification> evaluate_open(Bytes body, const GroupSettings& group, const Offer& offer);

// nullopt: to be ignored (RFC 2918 §4: a family that was not agreed; RFC 7313 §5: an unknown subtype).
Result<std::optional<RefreshRequest>, wire::Notification> evaluate_route_refresh(const wire::Frame& frame,
                                                                                 const Negotiated& negotiated);

}  // namespace helio::session

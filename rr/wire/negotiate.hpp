// What a session may do, from the two OPENs. Pure.
#pragma once
#include <array>

#include "rr/wire/open.hpp"
#include "rr/wire/update.hpp"

namespace helio::wire {

struct Negotiated {
  FamilySet families;
  FamilySet add_path_receive;  // the neighbour puts path ids into what it sends us (RFC 7911 §4)
  FamilySet add_path_send;
  FamilySet ipv6_next_hop;     // RFC 8950, both sides
  bool four_octet_as = false;
  std::size_t max_receive = kMaxMessage;  // RFC 8654 §3: extended when we said so
  std::size_t max_send = kMaxMessage;     // extended when both said so
  bool route_refresh = false;             // the neighbour takes requests
  bool enhanced_route_refresh = false;    // both: RFC 7313 §4
  std::uint16_t hold_time = 0;            // seconds; 0 = no keepalives
  std::uint16_t keepalive = 0;            // seconds, a third of it (RFC 4271 §10)

  // The neighbour's graceful restart (RFC 4724): empty unless both sides have the capability.
  bool restart_capable = false;           // both have the capability
  FamilySet graceful_restart;             // families it wants kept over a restart
  FamilySet forwarding_preserved;         // of these, those with the F bit
  bool remote_restarting = false;         // R bit
  bool restart_on_notification = false;   // N bit on both sides (RFC 8538 §2)
  std::uint16_t restart_time = 0;         // seconds
  bool long_lived_capable = false;        // both have the capability of RFC 9494: it may be sent long-lived stale routes
  FamilySet long_lived;                   // families it wants kept for long; listed by both sides
  std::array<std::uint32_t, kFamilyCount> stale_time{};  // seconds, for the families in long_lived
};

Negotiated negotiate(const OpenMessage& local, const OpenMessage& remote);

// How UPDATEs of this session are to be read.
UpdateContext make_update_context(const Negotiated& negotiated, bool is_external);

}  // namespace helio::wire

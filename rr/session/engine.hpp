// The border between sessions and the reflector: what a shard's loop calls (Engine) and what the engine may ask of
// the sessions (SessionControl). All calls for one shard happen on that shard's thread. The engine side has no
// socket, no clock and no thread in it; the simulation drives it through the same interface.
#pragma once
#include <sys/uio.h>

#include <array>
#include <chrono>
#include <optional>
#include <span>

#include "rr/session/close_reason.hpp"
#include "rr/session/settings.hpp"
#include "rr/wire/notification.hpp"
#include "rr/wire/types.hpp"

namespace helio::session {

using TimePoint = std::chrono::steady_clock::time_point;
inline constexpr TimePoint kStopped = TimePoint::max();  // a timer that does not run

// The OPENs of a session as they were on the wire, and its ports.
struct SessionOpens {
  std::vector<std::uint8_t> sent, received;
  std::uint16_t local_port = 0, remote_port = 0;
};

// What is known of a peer once the session is Established.
struct EstablishedPeer {
  PeerId peer;
  wire::IpAddress address;
  wire::IpAddress local_address;
  std::uint32_t router_id = 0;
  Asn peer_as = 0;
  wire::FamilySet families;              // negotiated
  wire::FamilySet add_path_receive;
  wire::FamilySet add_path_send;
  wire::FamilySet ipv6_next_hop;         // RFC 8950, towards the peer
  bool four_octet_as = true;
  bool route_refresh = false;            // the peer takes requests (RFC 2918)
  bool enhanced_refresh = false;
  bool extended_messages = false;        // we may send up to 65535 octets
  bool remote_restarting = false;        // R bit of its graceful restart capability
  bool restart_capable = false;          // both have the graceful restart capability
  wire::FamilySet graceful_restart;      // families it wants kept over its restart; empty unless both have the capability
  wire::FamilySet forwarding_preserved;  // of these (and of long_lived), those with the F bit
  bool restart_on_notification = false;  // N bit on both sides (RFC 8538)
  std::chrono::seconds restart_time{0};
  bool long_lived_capable = false;       // may be sent long-lived stale routes (RFC 9494 §4.3)
  wire::FamilySet long_lived;            // families it wants kept for long
  std::array<std::chrono::seconds, wire::kFamilyCount> long_lived_time{};
  std::shared_ptr<const GroupSettings> group;
  std::shared_ptr<const SessionOpens> opens;  // null in simulations
};

struct RefreshRequest {
  wire::Family family = wire::Family::vpnv4;
  std::uint8_t subtype = 0;              // 0 request, 1 BoRR, 2 EoRR (RFC 7313)
};

struct TurnResult {
  bool more_work = false;                // call run_turn again soon, after serving sockets and timers
  std::optional<TimePoint> wake_at;      // nothing to do until then (or until an event)
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual void on_established(const EstablishedPeer& peer, TimePoint now) = 0;
  // `body`: UPDATE without header. An error closes the session with that NOTIFICATION.
  virtual std::optional<wire::Notification> on_update(PeerId peer, Bytes body) = 0;
  virtual std::optional<wire::Notification> on_route_refresh(PeerId peer, const RefreshRequest& request) = 0;
  // The session is about to end with this NOTIFICATION; on_closed() follows.
  virtual void on_notification(PeerId, const wire::Notification&, bool /*is_sent*/) {}
  // The session is gone; its output is dropped and its routes are withdrawn (or kept stale).
  virtual void on_closed(PeerId peer, CloseReason reason) = 0;
  // An Established peer's settings changed in ways that need no new session (settings_under_session).
  virtual void on_settings(PeerId, const std::shared_ptr<const GroupSettings>&) {}
  // Nothing is to be kept of the peer any more: it was taken down or is no neighbour now.
  virtual void forget(PeerId) {}
  // True for a while after the start: OPENs carry the R bit (RFC 4724 §3).
  virtual bool is_restarting() const { return false; }

  // False: do not read from sockets now (downstream is behind). Re-asked after every turn.
  virtual bool may_read() const = 0;
  // Bytes of output staged in this turn so far; the loop ends its reading phase above a bound.
  virtual std::size_t staged_bytes() const = 0;
  // Ends the turn: packs and fans out what changed, runs a bounded slice (under 5 ms) of walks and purges.
  virtual TurnResult run_turn(TimePoint now) = 0;

  // Output of one peer: fills iovecs from the front of its queue, at most max_bytes; stays queued until consumed().
  // Returns how many iovecs it filled.
  virtual std::size_t gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) = 0;
  virtual void consumed(PeerId peer, std::size_t bytes) = 0;
  virtual bool has_output(PeerId peer) const = 0;
  // True when the next unsent byte is the first of a message: control messages may be sent now.
  virtual bool at_message_boundary(PeerId peer) const = 0;
  // The unsent rest of a message that was partly sent; empty at a boundary. For the last NOTIFICATION.
  virtual Bytes rest_of_message(PeerId peer) const = 0;
};

class SessionControl {
 public:
  virtual ~SessionControl() = default;
  // The peer's queue went from empty to non-empty.
  virtual void output_ready(PeerId peer) = 0;
  // The time, exact, for measuring; the engine decides nothing by it. A default one when there is no clock.
  virtual TimePoint clock() const { return {}; }
  // Close the session with a NOTIFICATION. Takes effect after the current engine call returns.
  virtual void close(PeerId peer, wire::Notification notification, CloseReason reason) = 0;
  // The peer's socket took less than it was offered and has not asked for more since. Who cannot tell says so of every peer.
  virtual bool is_blocked(PeerId) { return true; }
  // Something arrived from another shard: schedule a turn.
  virtual void wake() = 0;
  // Queue a whole control message (ROUTE-REFRESH, …) at the next message boundary.
  virtual void send_message(PeerId peer, std::vector<std::uint8_t> message) = 0;
};

}  // namespace helio::session

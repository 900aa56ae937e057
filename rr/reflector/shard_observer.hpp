// What somebody who watches a shard is told (BMP, MRT): sessions that live on the shard, and what the slices of the RIB here take in
// and select. Nobody watches by default: then it costs a comparison per message, per batch or per turn. Calls are made on the shard's
// thread, where things happen, so that for each prefix they come in the order in which the slice took the changes.
#pragma once
#include <sys/uio.h>

#include <optional>
#include <span>

#include "rib/family_rib.hpp"
#include "rr/reflector/messages.hpp"

namespace helio::reflector {

class RibShard;

// Walks with ids from here on are the observer's own (WalkRequest): what they bring is for it, not for peers.
inline constexpr std::uint32_t kObserverWalk = 0x8000'0000;

// How a session ended, beside the reason: the NOTIFICATION, if there was one.
struct SessionEnd {
  session::CloseReason reason = session::CloseReason::none;
  std::optional<wire::Notification> notification;
  bool is_sent = false;                  // by us
};

class ShardObserver {
 public:
  virtual ~ShardObserver() = default;

  // --- sessions of this shard; `session` counts those of a shard, the slices know it as PeerIdentity::session ---
  virtual void on_session_up(const session::EstablishedPeer& peer, std::uint32_t session) = 0;
  virtual void on_session_down(const session::EstablishedPeer& peer, std::uint32_t session, const SessionEnd& end) = 0;
  // An UPDATE as received, without header; before it is looked at.
  virtual void on_update(const session::EstablishedPeer& peer, Bytes body) = 0;
  virtual void on_end_of_rib(PeerId peer, std::uint32_t session, wire::Family family) = 0;
  // Whether on_sent is to be called: for octets of UPDATEs that the peer's socket took. `unsent`: of the message that the first
  // octet is in the middle of; 0: it begins one.
  virtual bool wants_output() const { return false; }
  virtual void on_sent(PeerId, std::span<const iovec>, std::size_t /*unsent*/) {}
  // What a slice of the RIB (as the distribution numbers them) says to a walk of the observer: Output, WalkArmed, WalkDone.
  virtual void on_walk(std::uint32_t /*source*/, Message&&) {}

  // --- slices of the RIB; a family has one of the two forms ---
  // `received`: before the import policy, which applies to the peer or not (RibPolicy::applies_to).
  virtual void on_announced(RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<rib::Address4>> entries) = 0;
  virtual void on_announced(RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<rib::Address6>> entries) = 0;
  // What a policy made of some of them.
  virtual void on_judged(RibShard& slice, PeerId peer, rib::AttributeId judged, std::span<const rib::NlriEntry<rib::Address4>> entries) = 0;
  virtual void on_judged(RibShard& slice, PeerId peer, rib::AttributeId judged, std::span<const rib::NlriEntry<rib::Address6>> entries) = 0;
  // By the peer, or swept after a refresh or a restart. Of the entries key and path id count.
  virtual void on_withdrawn(RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<rib::Address4>> entries) = 0;
  virtual void on_withdrawn(RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<rib::Address6>> entries) = 0;
  // Best paths that changed in a turn, sorted; runs for export classes only are among them.
  virtual void on_best_changes(RibShard& slice, wire::Family family, rib::ChangeLog& log) = 0;
  // Paths may look different behind the import policies now.
  virtual void on_policies_changed(RibShard& slice) = 0;

  // --- shard 0: RT membership routes, which are in the RIB as their import policy lets them ---
  virtual void on_memberships(const RtcUpdate& update) = 0;

  // The end of a turn, when its mail has been handed over. True: there is work left that need not wait.
  virtual bool on_turn() = 0;
};

}  // namespace helio::reflector

// RestartHelper: of which lost peers what is kept, and until when (RFC 4724 §4.2, RFC 9494 §4.2). Bookkeeping only: what
// follows from it is done by the Shard, where the peer lives. One per shard, its thread only.
//
//   lost ─► kept ─restart time─► long-lived (families that have it, others are dropped) ─its time─► dropped
//             │
//             └─ new session: what it does not list with the F bit is dropped at once, the rest family by family at its
//                End-of-RIB, or when stale-routes-time (long-lived: its own time) is over
#pragma once
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "rr/session/engine.hpp"

namespace helio::reflector {

class RestartHelper {
 public:
  using TimePoint = session::TimePoint;

  struct Loss {
    wire::FamilySet kept;        // stay, stale
    wire::FamilySet kept_older;  // of these, also what was stale before: its long-lived time goes on (RFC 9494 §4.2)
    wire::FamilySet long_lived;  // are long-lived stale at once
  };
  // The session ended and is expected back.
  Loss lost(const session::EstablishedPeer& info);
  // A new session. Returns the families whose stale routes go.
  wire::FamilySet established(const session::EstablishedPeer& info);
  // True when the family was stale and is not any more.
  bool end_of_rib(PeerId peer, wire::Family family);
  // Nothing is kept any more. Returns the families that were.
  wire::FamilySet forget(PeerId peer);

  struct Due {
    PeerId peer;
    wire::FamilySet dropped, long_lived;
  };
  // What is over by now. Deadlines count from the first call after the event.
  std::vector<Due> run(TimePoint now);
  std::optional<TimePoint> next_deadline() const { return next_; }

  // For views.
  struct State {
    wire::FamilySet stale, long_lived;  // long_lived: of stale
    bool is_back = false;               // its End-of-RIB is awaited
    std::optional<TimePoint> until;     // the next thing happens
  };
  State state(PeerId peer) const;
  bool is_empty() const { return peers_.empty(); }

 private:
  struct Peer {
    wire::IpAddress address;
    wire::FamilySet stale;
    wire::FamilySet marked;                                       // of these, long-lived stale
    wire::FamilySet may_be_long;                                  // the peer listed them
    std::array<std::chrono::seconds, wire::kFamilyCount> long_time{};
    std::chrono::seconds restart_time{0}, stale_time{0};
    bool is_back = false;
    std::optional<TimePoint> restart_until, stale_until;          // unset: counts from the next run
    std::array<std::optional<TimePoint>, wire::kFamilyCount> long_until;
  };
  TimePoint deadline(const Peer& peer) const;
  void erase_if_done(PeerId peer);

  std::map<PeerId, Peer> peers_;
  std::optional<TimePoint> next_;
  bool changed_ = false;
};

}  // namespace helio::reflector

// The reference model of DESIGN §4: what each established peer must hold once everything is quiet, computed afresh
// from all Adj-RIBs-In by the letter of RFC 4271 §9, RFC 4456 and RFC 4684. No increments, no caches, no bytes:
// slow and obvious. It is never told about turns, shards or queues.
#pragma once
#include <chrono>
#include <map>
#include <set>
#include <vector>

#include "rr/session/settings.hpp"
#include "rr/wire/rt_slice.hpp"
#include "tests/support/naive_codec.hpp"
#include "tests/support/naive_policy.hpp"
#include "tests/support/peer_spec.hpp"

namespace helio::test {

struct ReflectorSpec {
  Asn local_as = 65000;
  std::uint32_t router_id = 0, cluster_id = 0;
  bool always_compare_med = false, missing_med_is_worst = false, aigp = false;
  wire::RtSlice slice;  // of the route targets, that it holds
};

// How a session ends, as far as it matters for what is kept.
enum class Ending : std::uint8_t { connection_lost, hold_timer, notification, hard_reset, taken_down };
inline constexpr std::uint32_t kEndings = 5;

class Oracle {
 public:
  using Clock = std::chrono::steady_clock::time_point;
  enum class DefaultRoute : std::uint8_t { absent, present, either };

  // One announcement of one peer, as stored in its Adj-RIB-In.
  struct Path {
    const PeerSpec* from = nullptr;
    HeldRoute route;
    std::uint32_t path_id = 0;  // as received
    bool is_proxy = false;  // a membership that we advertise for the peer
    bool is_reachable = true;     // its next hop
    std::uint32_t metric = 0;     // to its next hop
  };

  Oracle(const ReflectorSpec& reflector, const std::vector<PeerSpec>& peers);

  // `preserved`: the families of the new session's F bits.
  void up(PeerId peer, Clock now, wire::FamilySet preserved = {});
  void down(PeerId peer, Ending ending = Ending::connection_lost);
  void forget(PeerId peer);
  // Ends what is over by then. Returns what it changed of anybody's routes.
  std::vector<std::pair<PeerId, PathKey>> set_time(Clock now);
  // The policies in force from now on; what was received is judged anew. Null: none.
  void set_policies(const policy::Definition* policies);
  const policy::Definition* policies() const { return policies_; }
  // Next hops are tracked from the first call on: those without a route are not reachable. Nothing: no route, or only the
  // default route.
  void track_next_hops() { tracks_next_hops_ = true; }
  void set_route(const wire::IpAddress& next_hop, std::optional<std::uint32_t> metric);
  // Announcements return true when the peer's Adj-RIB-In changed.
  bool announce(PeerId peer, const PathKey& prefix, const std::vector<std::uint32_t>& labels, const PathAttributes& attributes);
  bool withdraw(PeerId peer, const PathKey& prefix);
  bool announce_rtc(PeerId peer, const wire::RtMembership& membership, const PathAttributes& attributes);
  bool withdraw_rtc(PeerId peer, const wire::RtMembership& membership);
  void end_of_rib(PeerId peer, wire::Family family);

  bool is_up(PeerId peer) const { return state(peer).up; }
  // RFC 4684 §6: VPN routes wait for the peer's RTC End-of-RIB, at most rtc_initial_wait.
  bool holds_back(PeerId peer) const;
  bool wants(PeerId peer, const PathAttributes& attributes) const;
  std::vector<wire::RtMembership> memberships(PeerId peer) const;  // that count as filter
  // Path ids are the model's own: the reflector may choose others.
  std::map<PathKey, HeldRoute> expected_vpn(PeerId peer) const;
  std::map<wire::RtMembership, PathAttributes> expected_rtc(PeerId peer) const;  // without the default
  DefaultRoute expected_default(PeerId peer) const;
  // What `to` would be sent of a path if it were the best one; nullopt: nothing. Ignores memberships.
  // `with`: the policies to go by, the present ones if null.
  std::optional<HeldRoute> exported(const Path& path, PeerId to, const wire::VpnPrefix& prefix, const policy::Definition* with = nullptr) const;
  // The path of one peer for a prefix (loops excluded, after its import policy), for checks of what may be in flight; its next
  // hop may be out of reach.
  std::optional<Path> usable(PeerId peer, const PathKey& prefix, const policy::Definition* with = nullptr) const;
  // What is in the peer's Adj-RIB-In, before policy.
  std::optional<HeldRoute> received_from(PeerId peer, const PathKey& prefix) const;
  std::vector<PathKey> prefixes_of(PeerId peer) const;
  std::vector<wire::RtMembership> rtc_routes_of(PeerId peer) const;
  const PathAttributes& rtc_route(PeerId peer, const wire::RtMembership& membership) const { return state(peer).rtc.at(membership).attributes; }
  std::size_t stale_paths(PeerId peer, wire::Family family) const;

 private:
  struct PeerState {
    PeerSpec spec;
    bool up = false, end_of_rib = false;
    Clock since{};
    std::map<PathKey, HeldRoute> vpn;
    std::map<wire::RtMembership, HeldRoute> rtc;
    // Of these, what is from an earlier session.
    std::set<PathKey> stale_vpn;
    std::set<wire::RtMembership> stale_rtc;
    wire::FamilySet stale, long_lived;  // families that wait for End-of-RIB; long_lived: and are past the restart time
    Clock lost_at{};
    bool kept_filter = false;  // of stale_rtc, something was accepted
    std::set<std::uint32_t> clusters;  // of a client that reflects: its ids, as first ones of CLUSTER_LISTs it sent
    std::map<wire::Family, Clock> long_lived_since;
  };
  bool is_full(const PeerState& peer, wire::Family family) const;
  void note_cluster(PeerState& peer, const wire::RtMembership& membership);
  void drop_stale(PeerState& peer, wire::Family family);
  void mark_long_lived(PeerState& peer, wire::Family family, Clock since);
  std::set<std::uint64_t> targets_without_rtc(const PeerState& peer) const;
  bool is_marked(const PeerSpec& from, const PathAttributes& attributes) const;
  const PeerState& state(PeerId peer) const { return peers_.at(peer.value); }
  std::uint32_t cluster_of(const PeerSpec& peer) const { return peer.cluster_id != 0 ? peer.cluster_id : reflector_.cluster_id; }
  bool is_loop(const PeerSpec& from, const PathAttributes& attributes) const;
  bool is_of_another_plane(const PathAttributes& attributes) const;
  PathAttributes received(const PeerSpec& from, PathAttributes attributes) const;
  std::optional<Path> imported(const PeerState& from, const PathKey& prefix, const HeldRoute& route, const policy::Definition* with) const;
  std::optional<HeldRoute> reflected(const Path& path, const PeerSpec& to, wire::Family family, const NaiveVerdict* exported = nullptr) const;
  bool is_admitted(const PeerState& peer, const wire::RtMembership& membership) const;
  std::optional<HeldRoute> exported_rtc(const wire::RtMembership& membership, const std::vector<Path>& paths, const PeerSpec& to) const;
  bool accepts(const PeerState& from, const wire::RtMembership& membership) const;

  ReflectorSpec reflector_;
  std::vector<PeerState> peers_;
  Clock now_{};
  const policy::Definition* policies_ = nullptr;
  bool tracks_next_hops_ = false;
  std::map<wire::IpAddress, std::uint32_t> routes_;  // metric by next hop
  bool default_was_due_ = false;
};

// The next hop of a VPN route's attributes.
wire::IpAddress next_hop_of(const PathAttributes& attributes);

// RFC 4271 §9.1.2.2 with RFC 4456 §9; `paths` is not empty. The index of the best one.
std::size_t select_best(const std::vector<Oracle::Path>& paths, const ReflectorSpec& reflector = {});

}  // namespace helio::test

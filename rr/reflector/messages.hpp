// What shards say to each other. Every message is owned by its receiver; batches and attributes are shared, immutable.
//
//   session shard --PeerUp/PeerDown/Updates/WalkRequest/ClassUp/Ack--> RIB shard
//   session shard <--Defined/Retired/Output/WalkArmed/WalkDone-------- RIB shard        (one ordered stream per pair)
//   session shard --RtcUpdate/RtcJoin/RtcLeave-----------------------> shard 0 (RTC RIB)
//   session shard <--RtcOutput/RtcAdmission--------------------------- shard 0
#pragma once
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "rib/batch.hpp"
#include "rib/encoding_class.hpp"
#include "rr/reflector/quota.hpp"
#include "rr/reflector/route_policy.hpp"
#include "rr/session/engine.hpp"

namespace helio::reflector {

// Canonical attributes that cross a thread border.
struct OwnedAttributes {
  std::vector<std::uint8_t> next_hop, bytes;
  rib::DecisionKey key;
  std::uint8_t scope = 0;
  std::vector<std::uint64_t> targets;
  std::vector<wire::RouteTarget6> targets6;
  std::optional<rib::DecisionExtras> extras;

  explicit OwnedAttributes(const rib::CanonicalAttributes& a)
      : next_hop(a.next_hop.begin(), a.next_hop.end()), bytes(a.bytes.begin(), a.bytes.end()), key(a.key), scope(a.scope),
        targets(a.targets.begin(), a.targets.end()), targets6(a.targets6.begin(), a.targets6.end()) {
    if (a.extras != nullptr) extras = *a.extras;
  }
  rib::CanonicalAttributes view() const { return {next_hop, bytes, key, scope, 0, targets, targets6, extras ? &*extras : nullptr}; }
};

// --- to a RIB shard ---

// Who the paths of a peer come from, for those who watch.
struct PeerIdentity {
  std::uint32_t session = 0;                           // number on the peer's shard
  wire::IpAddress address;
  Asn as = 0;
  std::uint32_t router_id = 0;
  wire::FamilySet add_path_receive;
};

struct PeerUp {
  PeerId peer;
  wire::IpAddress address;
  session::PeerRole role;
  std::string group = {};
  std::uint32_t cluster_id = 0;
  std::shared_ptr<PeerQuota> quota = nullptr;          // null: no limits
  PeerIdentity identity = {};
};
// Other prefix limits for a peer that is up; null: none.
struct PeerLimits {
  PeerId peer;
  std::shared_ptr<PeerQuota> quota;
};
// `kept`: families whose paths stay, stale from now on, because the peer is expected back (RFC 4724 §4.2); of what was
// stale before only the families in `kept_older` stay.
struct PeerDown {
  PeerId peer;
  wire::FamilySet kept = {}, kept_older = {};
};
// Paths of the peer go: those that are stale, or all of them (the family is not to be used any more).
struct PeerPurge {
  PeerId peer;
  wire::FamilySet families;
  bool only_stale = true;
};
// The peer's stale paths become long-lived stale ones (RFC 9494 §4.2).
struct PeerStaleLong {
  PeerId peer;
  wire::FamilySet families;
};
// Enhanced route refresh from the peer (RFC 7313 §4): what it announced before the mark and not again between begin
// and end is gone.
struct PeerRefresh {
  PeerId peer;
  wire::Family family;
  bool begins;
};
// Announcements (attributes set) or withdrawals of one peer, entries in wire form, already checked.
struct Updates {
  PeerId peer;
  wire::Family family;
  bool has_path_id = false;
  std::uint64_t serial = 0;                            // attributes with the same serial of a peer are the same
  std::shared_ptr<const OwnedAttributes> attributes;   // null: withdrawals
  std::vector<std::uint8_t> nlri;
  std::uint64_t read_at_us = 0;                        // microseconds since start; 0: not measured
};
struct ClassUp {
  std::uint8_t id;
  std::uint32_t session_shard;
  rib::EncodingClass encoding;
};
struct ClassDown {
  std::uint8_t id;
};
// Other policies are in force once every session shard has said so; `moves`: its peers of the first class belong to the
// second one from then on.
struct PolicyChange {
  std::shared_ptr<const RoutePolicies> policies;
  std::uint32_t session_shard;
  std::vector<std::pair<std::uint8_t, std::uint8_t>> moves;
};
// Walk the tables and send what they hold through the stream, in slices.
struct WalkRequest {
  enum class Kind : std::uint8_t {
    announce,   // the best paths
    withdraw,   // withdrawals for them: a membership ended
    catch_up    // what changed since a stamp: announcements, and withdrawals of what is gone
  };
  std::uint32_t walk = 0;                    // id, never 0; unique per session shard
  std::uint32_t session_shard = 0;
  Kind kind = Kind::announce;
  bool universe = false;                     // all tables; otherwise those of rt_sets
  std::vector<rib::RtSetId> rt_sets;
  wire::FamilySet families;
  std::uint64_t classes = 0;                 // bit per encoding class that wants the images
  rib::Stamp routes_since = 0;               // catch_up: paths that changed later
  rib::Stamp withdrawn_since = 0;            // catch_up: prefixes that lost a best path later
  bool shared = false;                       // several peers wait for it: larger steps
  std::shared_ptr<rib::RetainedBytes> outstanding;  // image bytes of this walk not yet sent
};
struct WalkCancelled {
  std::uint32_t walk, session_shard;
};
// A session shard has peers that are behind since this stamp (nothing: none any more): tombstones are kept.
struct LagMark {
  std::uint32_t session_shard;
  std::optional<rib::Stamp> since;
};
// A session shard has forgotten these ids.
struct Ack {
  std::vector<rib::ProvenanceId> provenances;
  std::vector<rib::RtSetId> rt_sets;
};

// --- from a RIB shard ---

struct RtSetDefined {
  rib::RtSetId id;
  std::vector<std::uint64_t> targets;
  std::vector<wire::RouteTarget6> targets6;
};
struct ProvenanceDefined {
  rib::ProvenanceId id;
  PeerId source;
  session::PeerRole source_role;
  rib::RtSetId rt_set;
  std::uint8_t scope;
  std::uint16_t rejected_by;
  std::uint32_t source_cluster;
};
struct Retired {
  std::vector<rib::ProvenanceId> provenances;
  std::vector<rib::RtSetId> rt_sets;
};
// From here on in the stream, batches are there for the class too.
struct ClassReady {
  std::uint8_t id;
};
struct Output {
  rib::BatchRef batch;
};
// From here on in the stream, batches are made by the policies of the last PolicyChange.
struct PolicySwitched {};
// From here on in the stream, changes of what the walk is about belong to its peers.
struct WalkArmed {
  std::uint32_t walk;
};
struct WalkDone {
  std::uint32_t walk;
};
// Too many tombstones are kept for peers that are behind since `since` or earlier: close them.
struct TombstonesFull {
  rib::Stamp since;
};

// The peer's routes of the family came to the share of its prefix limit that is warned of, or exceed the limit.
struct LimitReached {
  PeerId peer;
  wire::Family family;
  bool exceeded = false;
};

// --- RT-Constrain ---

// Peers that are sent the same RT membership routes.
struct RtcGroup {
  session::PeerRole role = session::PeerRole::client;
  wire::IpAddress local_address;                       // next hop towards clients (RFC 4684 §3.2)
  session::GroupSettings::RtcAdvertise advertise = session::GroupSettings::RtcAdvertise::automatic;
  PeerId only;                                         // external: a group per peer
  Asn local_as = 0;
  bool four_octet_as = true;
  std::uint8_t export_policy = 0;                      // RoutePolicies number; 0: none
  bool operator==(const RtcGroup&) const = default;
};
struct RtcUpdate {
  PeerId peer;
  wire::IpAddress address;
  session::PeerRole role;
  std::shared_ptr<const OwnedAttributes> attributes;   // null: withdrawals
  std::vector<wire::RtMembership> memberships;
  bool is_proxy = false;                               // ours, for a peer that cannot say it
};
struct RtcJoin {
  PeerId peer;
  std::uint32_t incarnation;
  std::uint32_t session_shard;
  RtcGroup group;
  std::uint8_t external_paths = 0;                     // the peer's memberships wait for an RtcAdmission; 0: they do not
  std::string group_name = {};
};
struct RtcLeave {
  PeerId peer;
};
// The peer's memberships are complete; comes back behind what became of them.
struct RtcComplete {
  PeerId peer;
};
struct RtcRefresh {
  PeerId peer;
};
// An established VPN peer is not filtered by RTC: `advertise = "auto"` sends the default route (DESIGN §3).
struct RtcUnfilteredPeer {};
// What of the memberships of an external peer filters its VPN routes from now on (GroupSettings::rtc_external_paths).
struct RtcAdmission {
  PeerId peer;
  std::uint32_t incarnation;
  std::vector<wire::RtMembership> admitted, refused;
  bool complete = false;
};
// Messages for peers of this session shard: changes, or the whole table for a new peer or one that asked for a refresh.
struct RtcOutput {
  enum class Kind : std::uint8_t { changes, image, refresh };
  struct Recipient {
    PeerId peer;
    std::uint32_t incarnation;                         // of the session; another one must not get it (it gets an image)
  };
  Kind kind = Kind::changes;
  std::vector<Recipient> recipients;
  rib::BatchRef bytes;
};

// A marker of the canary, on its way to a RIB shard, and back with what came of it.
struct CanaryMark {
  std::uint32_t session_shard = 0;
  std::uint32_t number = 0;
  std::uint64_t sent_at_us = 0;                        // microseconds since start
  std::optional<std::vector<std::uint8_t>> update = std::nullopt;  // on its way back
};

// What follows in the mailbox, up to the next one, is to or from the shard's slice of EVPN.
struct EvpnMail {
  bool begins;
};

using Message = std::variant<PolicyChange, PeerUp, PeerLimits, PeerDown, PeerPurge, PeerStaleLong, PeerRefresh, Updates, ClassUp, ClassDown, WalkRequest, WalkCancelled,
                             LagMark, Ack, RtSetDefined, ProvenanceDefined, Retired, ClassReady, Output, PolicySwitched, WalkArmed, WalkDone, TombstonesFull,
                             RtcUpdate, RtcJoin, RtcLeave, RtcRefresh, RtcUnfilteredPeer, RtcComplete, RtcAdmission, RtcOutput, LimitReached, EvpnMail, CanaryMark>;

}  // namespace helio::reflector

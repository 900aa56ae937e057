// RtcRib: the RT membership routes (AFI 1, SAFI 132) of all peers, their best paths, and what each group of peers has
// been sent. Lives on shard 0; the filter towards a peer does not come from here but from that peer's own routes
// (Distribution). This table is small, so it has a real Adj-RIB-Out per group, with equality suppression: meshes of
// RRs loop without it (pitfall 1.6).
//
// RFC 4684 §3.1: of the paths of external peers for one membership (origin AS and target), `external-paths` of a peer says
// how many of the best ones carry VPN routes; the others wait. Which ones do is decided here and told to the session shard.
// Paths of internal peers all count (§3.2).
//
// RFC 4684 §3.2: towards a client ORIGINATOR_ID is our router-id and the next hop our session address, and the client
// a route came from is sent it too; towards a non-client a client's path is preferred over the best one.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <set>
#include <vector>

#include "rr/reflector/mailboxes.hpp"
#include "rr/wire/rt_slice.hpp"

namespace helio::reflector {

class RtcRib {
 public:
  // `slice`: only memberships that it may hold something for are passed on, and our own ask for no more; null: everything.
  RtcRib(ShardMailboxes& mailboxes, std::uint32_t own_router_id, Asn local_as, const rib::DecisionRules& rules, std::shared_ptr<const wire::RtSlice> slice);

  void handle(Message&& message);
  // Other export policies are in force from the next turn on.
  void set_policies(std::shared_ptr<const RoutePolicies> policies);
  // Works out what each group is owed and puts it into streams() (by session shard).
  void run_turn();
  std::vector<std::vector<Message>>& streams() { return streams_; }
  // After our own start: nothing is sent yet.
  void defer(bool deferred) { deferred_ = deferred; }
  // How many memberships were not sent to a group since the last call, because their attributes fit no message towards it.
  std::uint64_t take_oversize() { return std::exchange(oversize_, 0); }
  bool has_work() const {
    bool owes = !dirty_.empty() || !relearned_.empty() || !joining_.empty() || !refreshing_.empty() || default_changed_;
    return !unranked_.empty() || !complete_.empty() || (owes && !deferred_);
  }

  struct Path {
    PeerId peer;
    session::PeerRole role;
    wire::IpAddress address;
    std::shared_ptr<const OwnedAttributes> attributes;
    bool is_proxy = false;
  };
  // Paths of each membership, best first with the steps at which the others lost; for views.
  const std::map<wire::RtMembership, std::vector<Path>>& routes() const { return routes_; }
  std::vector<rib::DecisionStep> lost_at(const std::vector<Path>& paths) const;

 private:
  struct GroupMember {
    PeerId peer;
    std::uint32_t incarnation;
    std::uint32_t session_shard;
    std::string group_name;
  };
  // An external peer whose memberships wait for their rank.
  struct Limited {
    std::uint32_t incarnation = 0, session_shard = 0;
    std::uint8_t paths = 0;
    std::set<wire::RtMembership> admitted;
  };
  // What a group is to be sent for a membership.
  struct Advert {
    std::vector<std::uint8_t> next_hop, attributes;
    auto operator<=>(const Advert&) const = default;
  };
  struct Group {
    RtcGroup key;
    std::vector<GroupMember> members;
    std::map<wire::RtMembership, std::uint64_t> sent;  // hash of the advert
    rib::BatchRef image;                               // of `sent`; dropped when it changes
  };

  void update(RtcUpdate& update);
  void is_reflector(PeerId client, std::uint32_t cluster);
  void forget_reflector(PeerId client);
  const Path* for_reflector(const std::vector<Path>& paths, PeerId client) const;
  static rib::Candidate candidate_of(const Path& path);
  void select(std::vector<Path>& paths) const;
  bool advert(const Group& group, const wire::RtMembership& nlri, Advert& out) const;
  bool fits_message(const Advert& advert) const;
  bool own_advert(const Group& group, Advert& out) const;
  void flush_group(Group& group, const std::set<wire::RtMembership>& changed);
  void join(const RtcJoin& joining);
  rib::BatchRef image_of(Group& group);
  void rank_external();
  rib::BatchRef make_batch(const std::vector<std::uint8_t>& bytes) const;

  ShardMailboxes& mailboxes_;
  std::uint32_t own_router_id_;
  std::shared_ptr<const wire::RtSlice> slice_;
  std::vector<wire::RtMembership> own_;                // what we ask for ourselves, where we do: the default, or what makes up the slice; sorted
  rib::DecisionRules rules_;
  std::shared_ptr<const RoutePolicies> policies_;
  std::map<wire::RtMembership, std::vector<Path>> routes_;
  std::set<wire::RtMembership> dirty_;
  std::set<PeerId> relearned_;  // clients of which another cluster id is known: everything they are sent is looked at again
  std::vector<Group> groups_;
  std::vector<RtcJoin> joining_;
  std::map<PeerId, std::set<std::uint32_t>> reflectors_;  // clients with clients of their own, and their cluster ids; each is a group of its own
  mutable std::uint64_t oversize_ = 0;
  std::vector<PeerId> refreshing_;
  std::map<PeerId, Limited> limited_;
  std::set<wire::RtMembership> unranked_;  // paths of external peers changed, while somebody is limited
  std::vector<PeerId> complete_;           // limited peers whose memberships are complete
  std::vector<std::vector<Message>> streams_;
  bool unfiltered_peer_seen_ = false;  // stays: the default route does not flap with that peer
  bool default_changed_ = false;
  bool deferred_ = false;
  std::shared_ptr<rib::RetainedBytes> bytes_ = std::make_shared<rib::RetainedBytes>();
};

}  // namespace helio::reflector

#include "rr/reflector/rtc_rib.hpp"

#include <xxhash.h>

#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/reflector/reflection.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::reflector {

using session::PeerRole;
using wire::Family;
using wire::RtMembership;
using Advertise = session::GroupSettings::RtcAdvertise;

namespace {

// Canonical attribute bytes with ORIGINATOR_ID replaced.
void replace_originator(std::vector<std::uint8_t>& attributes, std::uint32_t router_id) {
  for (std::size_t at = 0; at < attributes.size();) {
    bool extended = (attributes[at] & wire::attr_flag::extended_length) != 0;
    std::size_t header = extended ? 4 : 3;
    std::size_t length = extended ? load_be16(&attributes[at + 2]) : attributes[at + 2];
    if (attributes[at + 1] == wire::attr::originator_id) {
      store_be32(&attributes[at + header], router_id);
      return;
    }
    if (attributes[at + 1] > wire::attr::originator_id) {
      std::vector<std::uint8_t> made;
      wire::encode_attribute_u32(made, wire::attr_flag::optional, wire::attr::originator_id, router_id);
      attributes.insert(attributes.begin() + static_cast<std::ptrdiff_t>(at), made.begin(), made.end());
      return;
    }
    at += header + length;
  }
  wire::encode_attribute_u32(attributes, wire::attr_flag::optional, wire::attr::originator_id, router_id);
}

std::vector<std::uint8_t> own_next_hop(const wire::IpAddress& address) {
  Bytes view = address.view();
  return {view.begin(), view.end()};
}

rib::EncodingClass class_of(const RtcGroup& key) {
  rib::EncodingClass encoding;
  encoding.is_external = key.role == PeerRole::external;
  encoding.four_octet_as = key.four_octet_as;
  encoding.local_as = key.local_as;
  return encoding;
}

}  // namespace

RtcRib::RtcRib(ShardMailboxes& mailboxes, std::uint32_t own_router_id, Asn local_as, const rib::DecisionRules& rules, std::shared_ptr<const wire::RtSlice> slice)
    : mailboxes_(mailboxes), own_router_id_(own_router_id), slice_(std::move(slice)), own_(slice_ != nullptr ? slice_->wanted(local_as) : std::vector{RtMembership{}}),
      rules_(rules), streams_(mailboxes.shards()) {
  std::ranges::sort(own_);
}

void RtcRib::handle(Message&& message) {
  if (auto* u = std::get_if<RtcUpdate>(&message)) {
    update(*u);
  } else if (auto* joined = std::get_if<RtcJoin>(&message)) {
    if (joined->external_paths != 0) {
      limited_[joined->peer] = {joined->incarnation, joined->session_shard, joined->external_paths, {}};
      for (const auto& [nlri, paths] : routes_)
        if (std::ranges::any_of(paths, [&](const Path& p) { return p.peer == joined->peer; })) unranked_.insert(nlri);
    }
    forget_reflector(joined->peer);
    if (joined->group.role == PeerRole::client && reflectors_.contains(joined->peer)) joined->group.only = joined->peer;
    joining_.push_back(std::move(*joined));
  } else if (auto* left = std::get_if<RtcLeave>(&message)) {
    std::erase_if(joining_, [&](const RtcJoin& j) { return j.peer == left->peer; });
    std::erase(refreshing_, left->peer);
    std::erase(complete_, left->peer);
    limited_.erase(left->peer);
    for (Group& group : groups_) std::erase_if(group.members, [&](const GroupMember& m) { return m.peer == left->peer; });
    std::erase_if(groups_, [](const Group& group) { return group.members.empty(); });
  } else if (auto* refresh = std::get_if<RtcRefresh>(&message)) {
    if (std::find(refreshing_.begin(), refreshing_.end(), refresh->peer) == refreshing_.end()) refreshing_.push_back(refresh->peer);
  } else if (auto* complete = std::get_if<RtcComplete>(&message)) {
    complete_.push_back(complete->peer);
  } else if (std::get_if<RtcUnfilteredPeer>(&message) != nullptr) {
    default_changed_ = default_changed_ || !unfiltered_peer_seen_;
    unfiltered_peer_seen_ = true;
  } else {
    HELIO_CHECK(false, "message is not for the RTC RIB");
  }
}

// A client with clients of its own drops what has its cluster id in the CLUSTER_LIST: what it sent us itself, from us or by way of
// our mesh. It is told of others' interest instead, so what it is sent is not what other clients are sent.
void RtcRib::is_reflector(PeerId client, std::uint32_t cluster) {
  constexpr std::size_t kMostClusters = 16;  // a client may name as many as it likes
  bool is_new = !reflectors_.contains(client);
  std::set<std::uint32_t>& clusters = reflectors_[client];
  if (clusters.size() >= kMostClusters || !clusters.insert(cluster).second) return;
  relearned_.insert(client);
  for (RtcJoin& joining : joining_)
    if (joining.peer == client) joining.group.only = client;
  for (std::size_t i = 0; i < groups_.size() && is_new; ++i) {
    std::vector<GroupMember>& members = groups_[i].members;
    auto at = std::ranges::find(members, client, &GroupMember::peer);
    if (at == members.end()) continue;
    Group apart{groups_[i].key, {*at}, groups_[i].sent, {}};
    apart.key.only = client;
    members.erase(at);
    if (members.empty()) groups_[i] = std::move(apart);
    else groups_.push_back(std::move(apart));
    break;
  }
}

// A new session begins without what an earlier one was, unless its routes were kept (RFC 4724).
void RtcRib::forget_reflector(PeerId client) {
  auto at = reflectors_.find(client);
  if (at == reflectors_.end()) return;
  bool has_paths = std::ranges::any_of(routes_, [&](const auto& route) {
    return std::ranges::any_of(route.second, [&](const Path& p) { return p.peer == client; });
  });
  if (!has_paths) reflectors_.erase(at);
}

// The best path that the client does not drop; null: it drops them all.
const RtcRib::Path* RtcRib::for_reflector(const std::vector<Path>& paths, PeerId client) const {
  auto at = reflectors_.find(client);
  if (at == reflectors_.end()) return &paths.front();
  std::vector<rib::Candidate> candidates;
  std::vector<const Path*> taken;
  for (const Path& p : paths) {
    Bytes clusters = wire::find_attribute(p.attributes->bytes, wire::attr::cluster_list);
    bool drops = false;
    for (std::size_t i = 0; i + 4 <= clusters.size(); i += 4) drops = drops || at->second.contains(load_be32(clusters.data() + i));
    if (drops) continue;
    candidates.push_back(candidate_of(p));
    taken.push_back(&p);
  }
  return taken.empty() ? nullptr : taken[rib::select_best(candidates, {}, rules_)];
}

void RtcRib::update(RtcUpdate& u) {
  bool ranks = u.role == PeerRole::external && !limited_.empty();
  if (u.role == PeerRole::client && u.attributes != nullptr && u.attributes->key.cluster_list_length != 0) {
    Bytes clusters = wire::find_attribute(u.attributes->bytes, wire::attr::cluster_list);  // ours, then the client's
    if (clusters.size() >= 8) is_reflector(u.peer, load_be32(clusters.data() + 4));
  }
  for (const RtMembership& nlri : u.memberships) {
    if (ranks) unranked_.insert(nlri);
    if (u.attributes == nullptr) {
      auto at = routes_.find(nlri);
      if (at == routes_.end()) continue;
      if (std::erase_if(at->second, [&](const Path& p) { return p.peer == u.peer; }) == 0) continue;
      if (at->second.empty()) routes_.erase(at);
      else select(at->second);
    } else {
      std::vector<Path>& paths = routes_[nlri];
      Path path{u.peer, u.role, u.address, u.attributes, u.is_proxy};
      auto same = std::find_if(paths.begin(), paths.end(), [&](const Path& p) { return p.peer == u.peer; });
      if (same != paths.end()) *same = std::move(path);
      else paths.push_back(std::move(path));
      select(paths);
    }
    dirty_.insert(nlri);
  }
}

rib::Candidate RtcRib::candidate_of(const Path& path) {
  return {&path.attributes->key, path.address, 0, path.attributes->extras ? &*path.attributes->extras : nullptr};
}

std::vector<rib::DecisionStep> RtcRib::lost_at(const std::vector<Path>& paths) const {
  std::vector<rib::Candidate> candidates;
  for (const Path& p : paths) candidates.push_back(candidate_of(p));
  std::vector<rib::DecisionStep> steps(paths.size(), rib::DecisionStep::none);
  rib::select_best(candidates, steps, rules_);
  return steps;
}

// Best first. The list is in order of preference against its old best only, so a new path is compared with that one
// unless MED may interfere.
void RtcRib::select(std::vector<Path>& paths) const {
  if (paths.size() < 2) return;
  std::vector<rib::Candidate> candidates;
  candidates.reserve(paths.size());
  for (const Path& p : paths) candidates.push_back(candidate_of(p));
  std::size_t best = rib::select_best(candidates, {}, rules_);
  std::swap(paths[0], paths[best]);
}

// Our own membership; false: this group is not asked for everything that we hold.
bool RtcRib::own_advert(const Group& group, Advert& out) const {
  Advertise mode = group.key.advertise;
  bool wanted = mode == Advertise::only_default || mode == Advertise::both || (mode == Advertise::automatic && unfiltered_peer_seen_);
  if (!wanted) return false;
  out = Advert{own_next_hop(group.key.local_address), {}};
  std::uint8_t igp = 0;
  wire::encode_attribute(out.attributes, wire::attr_flag::transitive, wire::attr::origin, Bytes(&igp, 1));
  wire::encode_attribute(out.attributes, wire::attr_flag::transitive, wire::attr::as_path, {});
  wire::encode_attribute_u32(out.attributes, wire::attr_flag::transitive, wire::attr::local_pref, 100);
  std::vector<std::uint8_t> scratch;
  Bytes outbound = rib::outbound_attributes(class_of(group.key), out.attributes, scratch);
  if (outbound.data() != out.attributes.data()) out.attributes.assign(outbound.begin(), outbound.end());
  return true;
}

// What the group is to hold for the membership; false: nothing.
bool RtcRib::advert(const Group& group, const RtMembership& nlri, Advert& out) const {
  if (std::ranges::binary_search(own_, nlri) && own_advert(group, out)) return true;
  // A received default is never passed on (DESIGN §3); our own is the only one.
  if (nlri.is_default() || (slice_ != nullptr && !slice_->may_hold(nlri))) return false;
  if (group.key.advertise == Advertise::only_default) return false;
  auto at = routes_.find(nlri);
  if (at == routes_.end()) return false;
  const Path* path = &at->second.front();
  if (!may_reflect(path->role, group.key.role)) {
    // RFC 4684 §3.2 ii: the best path is a non-client's; to non-clients a client's goes out in its place.
    std::vector<rib::Candidate> candidates;
    std::vector<const Path*> allowed;
    for (const Path& p : at->second) {
      if (p.role != PeerRole::client) continue;
      candidates.push_back(candidate_of(p));
      allowed.push_back(&p);
    }
    if (allowed.empty()) return false;
    path = allowed[rib::select_best(candidates, {}, rules_)];
  }
  if (group.key.only.valid() && group.key.role == PeerRole::client) {
    const Path* other = for_reflector(at->second, group.key.only);
    if (other != nullptr) path = other;
  } else if (group.key.only.valid() && path->peer == group.key.only) {
    return false;
  }
  if (group.key.export_policy != 0 && policies_ != nullptr && !policies_->sends_membership(group.key.export_policy, {path->address, path->role}, nlri))
    return false;
  const OwnedAttributes& a = *path->attributes;
  if ((a.scope & (rib::scope::no_advertise | rib::scope::extended_size)) != 0) return false;
  if (!group.key.four_octet_as && (a.scope & rib::scope::two_octet_size) != 0) return false;
  if (group.key.role == PeerRole::external && (a.scope & rib::scope::no_export) != 0) return false;
  std::vector<std::uint8_t> scratch;
  Bytes outbound = rib::outbound_attributes(class_of(group.key), a.bytes, scratch);
  out.attributes.assign(outbound.begin(), outbound.end());
  out.next_hop = a.next_hop;
  if (group.key.role == PeerRole::client) {
    // RFC 4684 §3.2 i.
    replace_originator(out.attributes, own_router_id_);
    out.next_hop = own_next_hop(group.key.local_address);
  } else if (group.key.role == PeerRole::external) {
    out.next_hop = own_next_hop(group.key.local_address);
  }
  return fits_message(out);
}

// The scope of a path says for whom it is too large; this is so that no mistake there becomes a message that cannot be.
bool RtcRib::fits_message(const Advert& advert) const {
  constexpr std::size_t kMostEntry = 1 + 12;
  std::size_t size = wire::kHeaderSize + 4 + 9 + advert.next_hop.size() + advert.attributes.size() + kMostEntry;
  if (size <= wire::kMaxMessage) return true;
  ++oversize_;
  return false;
}

// Members whose peer group has another export policy now go to a group of their own, with what they have been sent; then
// everything is looked at again.
void RtcRib::set_policies(std::shared_ptr<const RoutePolicies> policies) {
  policies_ = std::move(policies);
  auto number_of = [&](const std::string& name) { return policies_ == nullptr ? std::uint8_t{0} : policies_->export_of(name); };
  for (RtcJoin& joining : joining_) joining.group.export_policy = number_of(joining.group_name);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    std::map<std::uint8_t, std::vector<GroupMember>> members;
    for (GroupMember& m : groups_[i].members) members[number_of(m.group_name)].push_back(m);
    std::uint8_t first = members.begin()->first;
    groups_[i].key.export_policy = first;
    groups_[i].members = members.begin()->second;
    groups_[i].image = {};
    for (auto& [number, moved] : members) {
      if (number == first) continue;
      Group apart{groups_[i].key, std::move(moved), groups_[i].sent, {}};
      apart.key.export_policy = number;
      groups_.push_back(std::move(apart));
    }
    for (const auto& [nlri, hash] : groups_[i].sent) dirty_.insert(nlri);
  }
  if (groups_.empty()) return;
  for (const auto& [nlri, paths] : routes_) dirty_.insert(nlri);
}

rib::BatchRef RtcRib::make_batch(const std::vector<std::uint8_t>& bytes) const {
  rib::BatchRef batch(new rib::Batch(bytes.size(), bytes_));
  std::copy(bytes.begin(), bytes.end(), batch->mutable_data());
  batch->finish(bytes.size());
  batch->family = Family::rtc;
  return batch;
}

void RtcRib::flush_group(Group& group, const std::set<RtMembership>& changed) {
  std::map<Advert, std::vector<std::uint8_t>> announced;
  std::vector<std::uint8_t> withdrawn, bytes;
  Advert a;
  for (const RtMembership& nlri : changed) {
    auto sent = group.sent.find(nlri);
    if (!advert(group, nlri, a)) {
      if (sent == group.sent.end()) continue;
      group.sent.erase(sent);
      wire::encode_rtc_nlri(withdrawn, nlri);
      continue;
    }
    std::uint64_t hash = XXH3_64bits_withSeed(a.attributes.data(), a.attributes.size(), XXH3_64bits(a.next_hop.data(), a.next_hop.size()));
    if (sent != group.sent.end() && sent->second == hash) continue;
    group.sent[nlri] = hash;
    wire::encode_rtc_nlri(announced[a], nlri);
  }
  if (!withdrawn.empty()) wire::encode_withdrawals(bytes, Family::rtc, withdrawn);
  for (auto& [content, nlri] : announced) {
    bool fits = wire::encode_announcements(bytes, Family::rtc, content.next_hop, content.attributes, nlri);
    HELIO_CHECK(fits, "RT membership attributes beyond a message");
  }
  if (bytes.empty()) return;
  group.image = {};
  rib::BatchRef batch = make_batch(bytes);
  std::vector<std::vector<RtcOutput::Recipient>> by_shard(mailboxes_.shards());
  for (const GroupMember& m : group.members) by_shard[m.session_shard].push_back({m.peer, m.incarnation});
  for (std::uint32_t s = 0; s < by_shard.size(); ++s)
    if (!by_shard[s].empty()) streams_[s].push_back(RtcOutput{RtcOutput::Kind::changes, std::move(by_shard[s]), batch});
}

// Everything the group holds. A new peer gets End-of-RIB behind it, without graceful restart too (RFC 4684 §6).
rib::BatchRef RtcRib::image_of(Group& group) {
  if (group.image) return group.image;
  std::map<Advert, std::vector<std::uint8_t>> announced;
  Advert a;
  for (auto& [nlri, hash] : group.sent)
    if (advert(group, nlri, a)) wire::encode_rtc_nlri(announced[a], nlri);
  std::vector<std::uint8_t> bytes;
  for (auto& [content, nlri] : announced) {
    bool fits = wire::encode_announcements(bytes, Family::rtc, content.next_hop, content.attributes, nlri);
    HELIO_CHECK(fits, "RT membership attributes beyond a message");
  }
  group.image = make_batch(bytes);
  return group.image;
}

void RtcRib::join(const RtcJoin& joining) {
  auto at = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.key == joining.group; });
  if (at == groups_.end()) {
    at = groups_.insert(groups_.end(), Group{joining.group, {}, {}, {}});
    Advert a;
    auto note = [&](const RtMembership& nlri) {
      if (advert(*at, nlri, a))
        at->sent[nlri] = XXH3_64bits_withSeed(a.attributes.data(), a.attributes.size(), XXH3_64bits(a.next_hop.data(), a.next_hop.size()));
    };
    for (const RtMembership& nlri : own_) note(nlri);
    for (auto& [nlri, paths] : routes_) note(nlri);
  }
  at->members.push_back({joining.peer, joining.incarnation, joining.session_shard, joining.group_name});
  streams_[joining.session_shard].push_back(RtcOutput{RtcOutput::Kind::image, {{joining.peer, joining.incarnation}}, image_of(*at)});
}

// RFC 4684 §3.1: the rank of a path of an external peer is its place among all of them, by the decision process.
void RtcRib::rank_external() {
  std::map<PeerId, RtcAdmission> changes;
  std::vector<rib::Candidate> candidates;
  std::vector<const Path*> external;
  std::vector<std::uint32_t> order;
  for (const RtMembership& nlri : std::exchange(unranked_, {})) {
    candidates.clear();
    external.clear();
    if (auto at = routes_.find(nlri); at != routes_.end()) {
      for (const Path& p : at->second) {
        if (p.role != PeerRole::external || p.is_proxy) continue;
        external.push_back(&p);
        candidates.push_back(candidate_of(p));
      }
    }
    order.resize(candidates.size());
    if (!candidates.empty()) rib::rank_paths(candidates, order, rules_);
    for (auto& [peer, limited] : limited_) {
      auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(order.size(), limited.paths));
      bool admitted = std::any_of(order.begin(), end, [&, peer = peer](std::uint32_t i) { return external[i]->peer == peer; });
      if (admitted == limited.admitted.contains(nlri)) continue;
      if (admitted) limited.admitted.insert(nlri);
      else limited.admitted.erase(nlri);
      (admitted ? changes[peer].admitted : changes[peer].refused).push_back(nlri);
    }
  }
  for (PeerId peer : std::exchange(complete_, {}))
    if (limited_.contains(peer)) changes[peer].complete = true;
  for (auto& [peer, change] : changes) {
    const Limited& limited = limited_.at(peer);
    change.peer = peer;
    change.incarnation = limited.incarnation;
    streams_[limited.session_shard].push_back(std::move(change));
  }
}

void RtcRib::run_turn() {
  rank_external();
  if (deferred_) return;
  if (default_changed_) dirty_.insert(own_.begin(), own_.end());
  default_changed_ = false;
  for (Group& group : groups_) {
    if (!relearned_.contains(group.key.only)) {
      flush_group(group, dirty_);
      continue;
    }
    std::set<RtMembership> all = dirty_;
    for (const auto& [nlri, paths] : routes_) all.insert(nlri);
    flush_group(group, all);
  }
  dirty_.clear();
  relearned_.clear();
  for (PeerId peer : std::exchange(refreshing_, {}))
    for (Group& group : groups_)
      for (const GroupMember& m : group.members)
        if (m.peer == peer)
          streams_[m.session_shard].push_back(RtcOutput{RtcOutput::Kind::refresh, {{m.peer, m.incarnation}}, image_of(group)});
  for (const RtcJoin& j : std::exchange(joining_, {})) join(j);
}

}  // namespace helio::reflector

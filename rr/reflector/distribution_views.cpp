// Distribution: what explain, the journal and the counters ask of it.
#include "rr/reflector/distribution.hpp"

namespace helio::reflector {

using session::PeerRole;
using wire::Family;

bool Distribution::is_eligible(PeerId id, std::uint32_t r, rib::ProvenanceId provenance, Family family) const {
  const Peer* peer = find(id);
  if (peer == nullptr || !peer->info.families.contains(family) || provenance >= sources_[r].provenances.size()) return false;
  return has_now(*peer, r, sources_[r].provenances[provenance], family, MemberState::armed);
}

std::optional<Distribution::Delivery> Distribution::delivery(PeerId id, std::uint32_t r, rib::ProvenanceId provenance, Family family) const {
  const Peer* peer = find(id);
  if (peer == nullptr || provenance >= sources_[r].provenances.size()) return std::nullopt;
  const ProvenanceInfo& p = sources_[r].provenances[provenance];
  if (p.rt_set == rib::kNoId) return std::nullopt;  // not heard of yet
  const Link& link = peer->links[r];
  Delivery out;
  out.barrier = barrier(*peer, p, family);
  out.filtered = peer->filtered;
  out.matches = !peer->filtered || peer->membership.matches_everything() || peer->membership.matches(sources_[r].rt_sets[p.rt_set].targets);
  out.holding = peer->holding;
  out.deferred = deferred_;
  const Member* member = member_of(const_cast<RtSetInfo&>(sources_[r].rt_sets[p.rt_set]), id.value);
  out.armed = link.universe || (member != nullptr && member->state == MemberState::armed);
  out.lagging = link.lagging;
  out.catching_up = link.catching_up;
  out.export_policy = peer->export_policy;
  out.encoding_class = peer->encoding_class;
  PeerState now = state(id);
  out.queue_bytes = now.queue_bytes;
  out.oldest_ms = now.oldest_ms;
  return out;
}

std::vector<std::pair<PeerId, std::optional<wire::RtMembership>>> Distribution::importers(wire::RouteTarget rt) const {
  std::vector<std::pair<PeerId, std::optional<wire::RtMembership>>> out;
  for (const Peer* peer : up_) {
    if (!peer->has_vpn) continue;
    if (!peer->filtered) {
      out.emplace_back(peer->info.peer, std::nullopt);
    } else if (std::uint64_t target = rt.value; peer->membership.matches_everything() || peer->membership.matches(std::span(&target, 1))) {
      for (const wire::RtMembership& nlri : peer->membership.all())
        if (nlri.matches(rt)) {
          out.emplace_back(peer->info.peer, nlri);
          break;
        }
    }
  }
  return out;
}

Distribution::PeerState Distribution::state(PeerId id) const {
  PeerState state;
  const Peer* peer = find(id);
  if (peer == nullptr) return state;
  state.queue_bytes = peer->output.bytes();
  state.oldest_ms = oldest_ms(*peer);
  state.lagging = peer->is_lagging();
  state.holding = peer->holding;
  state.wants_everything = !peer->filtered || peer->membership.matches_everything();
  state.rt_interest = peer->membership.size();
  state.encoding_class = peer->encoding_class;
  state.end_of_rib_sent = peer->end_of_rib_sent;
  return state;
}

// The sum of an RT set goes to each of its members at once; what a member may not have (its own, for one) is taken off.
void Distribution::count_sent(std::uint32_t r, std::span<const RtSetCount> counts, std::vector<FamilyCounts>& sent) const {
  const std::array<Family, 2> families = {Family::vpnv4, r < mailboxes_.shards() ? Family::vpnv6 : Family::evpn};
  const Source& source = sources_[r];
  for (const RtSetCount& c : counts) {
    if (c.rt_set >= source.rt_sets.size() || !source.rt_sets[c.rt_set].defined) continue;
    std::array<std::uint64_t, 2> sum{};
    bool special = false;
    for (const BestCount& b : c.provenances) {
      if (b.provenance >= source.provenances.size()) continue;
      const ProvenanceInfo& p = source.provenances[b.provenance];
      special = special || p.scope != 0 || p.rejected_by != 0 || p.source_role == PeerRole::non_client;
      for (std::size_t f = 0; f < 2; ++f) sum[f] += b.best[f];
    }
    auto add = [&](const Peer& peer) {
      std::uint32_t number = peer.info.peer.value;
      if (sent.size() <= number) sent.resize(number + 1);
      for (std::size_t f = 0; f < 2; ++f) {
        Family family = families[f];
        if (sum[f] == 0 || !peer.info.families.contains(family)) continue;
        sent[number][wire::index(family)] += sum[f];
        if (!special) continue;
        for (const BestCount& b : c.provenances)
          if (b.provenance < source.provenances.size() && source.provenances[b.provenance].source != peer.info.peer &&
              !role_allows(peer, source.provenances[b.provenance], family))
            sent[number][wire::index(family)] -= b.best[f];
      }
    };
    for (const Peer* peer : source.universe) add(*peer);
    const auto& members = source.rt_sets[c.rt_set].members;
    for (const Member& m : members)
      if (m.state == MemberState::armed) add(*peers_[m.peer]);
    for (const BestCount& b : c.provenances) {
      const Peer* own = b.provenance < source.provenances.size() ? find(source.provenances[b.provenance].source) : nullptr;
      if (own == nullptr) continue;
      Member* m = member_of(const_cast<RtSetInfo&>(source.rt_sets[c.rt_set]), own->info.peer.value);
      if (!own->links[r].universe && (m == nullptr || m->state != MemberState::armed)) continue;
      for (std::size_t f = 0; f < 2; ++f)
        if (own->info.families.contains(families[f])) sent[own->info.peer.value][wire::index(families[f])] -= b.best[f];
    }
  }
}

const Membership* Distribution::membership(PeerId id) const {
  const Peer* peer = find(id);
  if (peer == nullptr) return nullptr;
  return peer->said != nullptr ? peer->said.get() : &peer->membership;
}

}  // namespace helio::reflector

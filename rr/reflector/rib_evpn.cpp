// RibShard: input of a slice of EVPN. Keys and payloads become ids, the rest is what VPN prefixes go through.
#include "rr/reflector/rib_shard.hpp"

namespace helio::reflector {

// Announcements with attributes, else withdrawals. The session shard has seen that the entries can be walked.
void RibShard::apply_evpn(PeerId peer, const rib::AttributeId* attributes, Bytes nlri) {
  constexpr std::size_t kBlock = 512;
  wire::EvpnNlriReader reader(nlri);
  wire::EvpnNlri one;
  PeerQuota* quota = peers_[peer.value].quota.get();
  bool guarded = attributes != nullptr && (quota != nullptr || admission_.has_quotas());
  std::vector<std::uint8_t> payload;
  std::vector<std::uint32_t> ids;  // each with a reference
  bool more = true;
  while (more) {
    entries6_.clear();
    ids.clear();
    std::optional<rib::NlriEntry<rib::Address6>> refused;  // the entry after the block, when its payload finds no room
    while (entries6_.size() < kBlock && !refused && (more = reader.next(one) == wire::NlriStatus::ok)) {
      std::uint32_t id;
      if (attributes != nullptr) {
        if (one.whole.size() > wire::kMaxEvpnEntry) {  // of a type not known here: all of it is key, so nothing held goes with it
          admission_.refuse_long();
          continue;
        }
        id = evpn_keys_.acquire(one);
      } else if (auto known = evpn_keys_.find(one)) {
        id = *known;
        evpn_keys_.add_ref(id);
      } else {
        ++shared_.counters.unknown_withdrawals;
        continue;
      }
      ids.push_back(id);
      rib::NlriEntry<rib::Address6>& e = entries6_.emplace_back();
      e.rd = one.rd.value;
      e.address = rib::EvpnKeys::tree_key(id).address;
      e.length = rib::EvpnKeys::tree_key(id).length;
      if (attributes == nullptr) continue;
      payload.assign(one.front.begin(), one.front.end());
      payload.insert(payload.end(), one.tail.begin(), one.tail.end());
      auto stack = shared_.label_stacks.acquire(payload);
      if (!stack) {
        refused = e;
        entries6_.pop_back();
        continue;
      }
      e.label = rib::kLabelStack | *stack;
      e.wire = one.whole.data();
      e.wire_length = static_cast<std::uint8_t>(one.whole.size());
    }
    if (guarded) {
      gone6_.clear();
      admission_.filter(rib6_, rib6_.family(), peer, quota, peers_[peer.value].counted[1], *attributes, entries6_, gone6_);
      if (observer_ != nullptr && !gone6_.empty()) observer_->on_withdrawn(*this, peer, gone6_);
      if (!gone6_.empty()) rib6_.withdraw(peer, gone6_);
    }
    if (observer_ != nullptr) {
      if (attributes == nullptr) observer_->on_withdrawn(*this, peer, entries6_);
      else observer_->on_announced(*this, peer, *attributes, entries6_);
    }
    if (attributes == nullptr) rib6_.withdraw(peer, entries6_);
    else if (policy_.applies_to(peer)) announce_by_policy<rib::Address6>(peer, *attributes, entries6_);
    else rib6_.announce(peer, *attributes, entries6_);
    if (refused) refuse_label_stack(peer, *refused);
    for (std::uint32_t id : ids) evpn_keys_.drop_ref(id);
  }
  if (quota != nullptr) settle_quota(peer);
}

}  // namespace helio::reflector

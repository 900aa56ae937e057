// Shard: EVPN routes of local peers on their way to the slices of the RIB that hold them.
#include <algorithm>
#include <set>

#include "rr/reflector/shard.hpp"

namespace helio::reflector {

using wire::EvpnNlri;
using wire::EvpnNlriReader;
using wire::Family;
using wire::NlriStatus;

namespace {

// By RD; a large MAC-VRF spreads by the last octet of its keys, unless one shard is to count all of an RD.
std::uint32_t shard_of(const EvpnNlri& nlri, bool spreads, std::uint32_t shards) {
  bool by_key = spreads && (nlri.type == wire::evpn_type::mac_ip || nlri.type == wire::evpn_type::ip_prefix);
  std::uint64_t spread = by_key ? nlri.key.back() & 0x0fu : 0;
  std::uint64_t h = (nlri.rd.value ^ spread << 56) * 0x9e3779b97f4a7c15;
  h ^= h >> 32;
  return static_cast<std::uint32_t>(((h & 0xffffffff) * shards) >> 32);
}

}  // namespace

// The attributes have been looked at: peer.serial, and last_owned or canonical_.
void Shard::announce_evpn(Peer& peer, const wire::ReachView& reach) {
  PeerId id = peer.record.info.peer;
  route_evpn(id, reach.nlri, peer.serial, peer.last_owned, [&](Bytes nlri) {
    evpn_->announce(id, Family::evpn, false, peer.serial, peer.last_owned != nullptr ? peer.last_owned->view() : canonical_, nlri);
  });
}

// Announcements and withdrawals have the same form, so both may be given.
void Shard::withdraw_evpn(Peer& peer, Bytes nlri, Bytes not_these) {
  PeerId id = peer.record.info.peer;
  std::vector<std::uint8_t> rest;
  if (!not_these.empty()) {
    // Without the routes that the same message announces (wire 2.6).
    std::set<std::tuple<std::uint8_t, std::uint64_t, std::vector<std::uint8_t>>> announced;
    auto key_of = [](const EvpnNlri& n) { return std::tuple(n.type, n.rd.value, std::vector<std::uint8_t>(n.key.begin(), n.key.end())); };
    EvpnNlri one;
    EvpnNlriReader reach(not_these);
    while (reach.next(one) == NlriStatus::ok) announced.insert(key_of(one));
    EvpnNlriReader reader(nlri);
    while (reader.next(one) == NlriStatus::ok)
      if (!announced.contains(key_of(one))) rest.insert(rest.end(), one.whole.begin(), one.whole.end());
    nlri = rest;
  }
  route_evpn(id, nlri, 0, nullptr, [&](Bytes mine) { evpn_->withdraw(id, Family::evpn, false, mine); });
}

template <class Local>
void Shard::route_evpn(PeerId peer, Bytes nlri, std::uint64_t serial, const std::shared_ptr<const OwnedAttributes>& attributes, Local&& local) {
  std::uint32_t shards = mailboxes_.shards();
  if (shards == 1) {
    local(nlri);
    return;
  }
  for (auto& part : parts_) part.clear();
  EvpnNlriReader reader(nlri);
  EvpnNlri one;
  while (reader.next(one) == NlriStatus::ok) {
    auto& part = parts_[shard_of(one, settings_.rib.quotas.max_paths_per_rd == 0, shards)];
    part.insert(part.end(), one.whole.begin(), one.whole.end());
  }
  for (std::uint32_t s = 0; s < shards; ++s) {
    if (parts_[s].empty()) continue;
    if (s == self_) {
      local(parts_[s]);
      continue;
    }
    sent_bytes_ += parts_[s].size();
    evpn_outbox_[s].push_back(Updates{peer, Family::evpn, false, serial, attributes, parts_[s], read_at_us_});
  }
}

}  // namespace helio::reflector

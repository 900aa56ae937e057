// RibShard: routes that come in. Entries are decoded a block at a time, admitted, judged by the import policies and applied; few at a time
// wait for one another, so that their cache misses overlap. EVPN: rib_evpn.cpp.
#include <algorithm>

#include "rr/reflector/rib_shard.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using wire::Family;

namespace {

template <class Address>
Address load_prefix(const std::uint8_t* p, unsigned octets) {
  if constexpr (sizeof(Address) == 4) {
    if (octets == 3) return load_be24(p) << 8;
    if (octets == 4) return load_be32(p);
  }
  Address a = 0;
  for (unsigned i = 0; i < octets; ++i) a |= static_cast<Address>(p[i]) << (sizeof(Address) * 8 - 8 - 8 * i);
  return a;
}

template <class Address>
Address mask_of(unsigned length) {
  return length == 0 ? Address{0} : static_cast<Address>(~Address{0} << (sizeof(Address) * 8 - length));
}

}  // namespace

template <>
RibShard::Waiting<Address4>& RibShard::waiting<Address4>() { return waiting4_; }
template <>
RibShard::Waiting<Address6>& RibShard::waiting<Address6>() { return waiting6_; }

rib::AttributeId RibShard::attributes_of(PeerId id, std::uint64_t serial, const rib::CanonicalAttributes& attributes) {
  Peer& peer = peers_[id.value];
  if (peer.serial == serial && serial != 0) return peer.attributes;
  rib::AttributeId interned = shared_.attributes.intern(id, shared_.peers[id.value].generation, attributes);
  forget_attributes(peer);
  peer.attributes = interned;
  peer.serial = serial;
  return interned;
}

void RibShard::announce(PeerId peer, Family family, bool has_path_id, std::uint64_t serial, const rib::CanonicalAttributes& attributes,
                        Bytes nlri) {
  rib::AttributeId id = attributes_of(peer, serial, attributes);
  if (next_hops_ != nullptr && !policy_.applies_to(peer)) id = next_hops_->fit(id);
  if (kind_ == Kind::evpn) apply_evpn(peer, &id, nlri);
  else if (family == Family::vpnv4) apply<Address4>(peer, &id, has_path_id, nlri);
  else apply<Address6>(peer, &id, has_path_id, nlri);
}

void RibShard::withdraw(PeerId peer, Family family, bool has_path_id, Bytes nlri) {
  if (kind_ == Kind::evpn) apply_evpn(peer, nullptr, nlri);
  else if (family == Family::vpnv4) apply<Address4>(peer, nullptr, has_path_id, nlri);
  else apply<Address6>(peer, nullptr, has_path_id, nlri);
}

// Decodes entries a block at a time, then applies the block: announcements with attributes, else withdrawals.
template <class Address>
void RibShard::apply(PeerId peer, const rib::AttributeId* attributes, bool has_path_id, Bytes nlri) {
  constexpr std::size_t kBlock = 512;
  PeerQuota* quota = peers_[peer.value].quota.get();
  bool guarded = attributes != nullptr && (quota != nullptr || admission_.has_quotas());
  auto& gone = gone_of<Address>();
  auto& entries = [this]() -> auto& {
    if constexpr (sizeof(Address) == 4) return entries4_;
    else return entries6_;
  }();
  wire::VpnNlriReader reader(nlri, sizeof(Address) == 16, attributes == nullptr, has_path_id);
  wire::VpnNlri one;
  bool more = true;
  while (more) {
    entries.clear();
    std::optional<rib::NlriEntry<Address>> refused;  // the entry after the block, when its labels find no room
    while (entries.size() < kBlock && !refused && (more = reader.next(one) == wire::NlriStatus::ok)) {
      rib::NlriEntry<Address>& e = entries.emplace_back();
      unsigned octets = (one.length + 7u) / 8;
      Address address = load_prefix<Address>(one.prefix, octets);
      e.rd = one.rd.value;
      e.address = address & mask_of<Address>(one.length);
      e.length = one.length;
      e.path_id = has_path_id ? one.path_id : 0;
      if (attributes == nullptr) continue;
      if (one.label_count == 1) {
        e.label = load_be24(one.labels);
      } else if (auto stack = shared_.label_stacks.acquire(Bytes(one.labels, one.label_count * 3u))) {
        e.label = rib::kLabelStack | *stack;
      } else {
        refused = e;
        entries.pop_back();
        continue;
      }
      e.wire = one.labels - 1;
      e.wire_length = static_cast<std::uint8_t>(1 + one.label_count * 3 + 8 + octets);
      if (address != e.address) {
        // Host bits set in the last octet: the canonical entry has them cleared.
        std::uint8_t* copy = fixups_.emplace_back().data();
        std::copy(e.wire, e.wire + e.wire_length, copy);
        copy[e.wire_length - 1] &= static_cast<std::uint8_t>(0xff << (octets * 8 - one.length));
        e.wire = copy;
      }
    }
    if (attributes == nullptr) {
      apply_waiting();
      if (observer_ != nullptr) observer_->on_withdrawn(*this, peer, entries);
      family<Address>().withdraw(peer, entries);
    } else if (guarded || policy_.applies_to(peer)) {
      apply_waiting();
      if (guarded) {
        gone.clear();
        admission_.filter(family<Address>(), family<Address>().family(), peer, quota, peers_[peer.value].counted[sizeof(Address) == 4 ? 0 : 1], *attributes,
                          entries, gone);
        if (!gone.empty()) {
          if (observer_ != nullptr) observer_->on_withdrawn(*this, peer, gone);
          family<Address>().withdraw(peer, gone);
        }
      }
      if (observer_ != nullptr) observer_->on_announced(*this, peer, *attributes, entries);
      if (policy_.applies_to(peer)) announce_by_policy<Address>(peer, *attributes, entries);
      else family<Address>().announce(peer, *attributes, entries);
    } else if (entries.size() <= kFewEntries &&
               std::ranges::all_of(entries, [](auto& e) { return e.wire_length <= Waiting<Address>::kWire; })) {
      if (observer_ != nullptr) observer_->on_announced(*this, peer, *attributes, entries);
      for (const auto& entry : entries) wait(peer, *attributes, entry);
    } else {
      apply_waiting();
      if (observer_ != nullptr) observer_->on_announced(*this, peer, *attributes, entries);
      family<Address>().announce(peer, *attributes, entries);
    }
    if (refused) {
      apply_waiting();
      refuse_label_stack(peer, *refused);
    }
    fixups_.clear();
  }
  if (quota != nullptr) settle_quota(peer);
}

// What cannot be held is treated as withdrawn (RFC 7606 §2), not left as it was.
template <class Address>
void RibShard::refuse_label_stack(PeerId peer, const rib::NlriEntry<Address>& entry) {
  rib::FamilyRib<Address>& rib = family<Address>();
  if (!admission_.refuse_label_stack(rib, rib.family(), peer, peers_[peer.value].quota.get(), entry)) return;
  auto& gone = gone_of<Address>();
  gone.assign(1, entry);
  if (observer_ != nullptr) observer_->on_withdrawn(*this, peer, gone);
  rib.withdraw(peer, gone);
}

// Brings the shared count of the peer's routes up to date and reports when a limit is reached.
void RibShard::settle_quota(PeerId id) {
  Peer& peer = peers_[id.value];
  if (peer.quota == nullptr) return;
  for (std::size_t i = 0; i < 2; ++i) {
    Family family = i == 0 ? rib4_.family() : rib6_.family();
    const auto& limit = peer.quota->limits[wire::index(family)];
    auto ours = static_cast<std::int64_t>(shared_.peers[id.value].paths[wire::index(family)]);
    std::int64_t delta = ours - std::exchange(peer.counted[i], ours);
    if (!limit) continue;
    std::int64_t before = peer.quota->routes[wire::index(family)].fetch_add(delta);
    std::int64_t most = limit->max_prefixes, warned = most * limit->warning_threshold_pct / 100;
    auto crosses = [&](std::int64_t bound) { return before < bound && before + delta >= bound; };
    auto& stream = streams_[id.value % mailboxes_.shards()];  // where the peer lives
    if (crosses(most + 1)) stream.push_back(LimitReached{id, family, true});
    else if (crosses(warned)) stream.push_back(LimitReached{id, family, false});
    if (limit->action == session::PrefixLimit::Action::discard_new) report_discards(id, family, *limit, *peer.quota);
  }
}

// Routes are counted one by one as they are let in, so that no step over the limit is ever seen.
void RibShard::report_discards(PeerId id, Family family, const session::PrefixLimit& limit, PeerQuota& quota) {
  PeerQuota::Told& told = quota.told[wire::index(family)];
  std::int64_t routes = quota.routes[wire::index(family)].load(), most = limit.max_prefixes, warned = most * limit.warning_threshold_pct / 100;
  std::uint64_t discarded = quota.discarded[wire::index(family)].load(std::memory_order_relaxed);
  bool more = discarded > told.discarded.exchange(discarded);
  auto& stream = streams_[id.value % mailboxes_.shards()];
  if (routes < most) told.full = false;
  else if (more && !told.full.exchange(true)) {
    told.near = true;  // who is full no longer comes near
    return stream.push_back(LimitReached{id, family, true});
  }
  if (routes < warned) told.near = false;
  else if (!told.near.exchange(true)) stream.push_back(LimitReached{id, family, false});
}

template <class Address>
void RibShard::wait(PeerId peer, rib::AttributeId attributes, const rib::NlriEntry<Address>& entry) {
  Waiting<Address>& waiting = this->waiting<Address>();
  auto& item = waiting.items[waiting.size++];
  item.peer = peer;
  item.attributes = attributes;
  shared_.attributes.add_refs(attributes, 1);
  item.entry = entry;
  std::copy(entry.wire, entry.wire + entry.wire_length, item.wire.begin());
  item.entry.wire = item.wire.data();
  item.approach = family<Address>().begin_approach(entry.rd, {entry.address, entry.length});
  if (waiting.size == Waiting<Address>::kRoom) apply_waiting_of<Address>();
}

template <class Address>
void RibShard::apply_waiting_of() {
  Waiting<Address>& waiting = this->waiting<Address>();
  std::span items(waiting.items.data(), std::exchange(waiting.size, 0));
  rib::FamilyRib<Address>& rib = family<Address>();
  std::uint32_t live = (std::uint32_t{1} << items.size()) - 1;
  for (int step = 0; live != 0 && step < 24; ++step)
    for (std::size_t i = 0; i < items.size(); ++i)
      if ((live >> i & 1) != 0 && !rib.advance(items[i].approach)) live &= ~(std::uint32_t{1} << i);
  for (auto& item : items) {
    rib.announce(item.peer, item.attributes, std::span(&item.entry, 1));
    shared_.attributes.drop_refs(item.attributes, 1);
  }
}

// What is announced is what the policies make of it; entries that pass the same tests go together.
template <class Address>
void RibShard::announce_by_policy(PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<Address>> entries) {
  PolicyTests tests = policy_.tests_of(peer);
  auto announce = [&](rib::AttributeId judged, std::span<const rib::NlriEntry<Address>> part) {
    if (observer_ != nullptr) observer_->on_judged(*this, peer, judged, part);
    family<Address>().announce(peer, judged, part);
  };
  if (tests == 0) {
    announce(fit(policy_.resolve(peer, received, 0)), entries);
    return;
  }
  auto passed = [&](const rib::NlriEntry<Address>& e) {
    return policy_.policies()->run_tests(tests, {family<Address>().family(), e.rd, static_cast<unsigned __int128>(e.address) << (128 - 8 * sizeof(Address)), e.length});
  };
  for (std::size_t i = 0; i < entries.size();) {
    PolicyTests mine = passed(entries[i]);
    std::size_t end = i + 1;
    while (end < entries.size() && passed(entries[end]) == mine) ++end;
    announce(fit(policy_.resolve(peer, received, mine)), entries.subspan(i, end - i));
    i = end;
  }
}

template void RibShard::apply_waiting_of<Address4>();
template void RibShard::apply_waiting_of<Address6>();
// For EVPN.
template void RibShard::refuse_label_stack<Address6>(PeerId, const rib::NlriEntry<Address6>&);
template void RibShard::announce_by_policy<Address6>(PeerId, rib::AttributeId, std::span<const rib::NlriEntry<Address6>>);

}  // namespace helio::reflector

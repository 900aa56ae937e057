// Shard: UPDATEs. Decoded, judged (RFC 7606), their attributes made canonical once, their routes sent to the shards that hold them.
#include <algorithm>
#include <set>
#include <tuple>

#include "rr/reflector/shard.hpp"
#include "rr/wire/attribute_table.hpp"

namespace helio::reflector {

using session::PeerRole;
using wire::Family;
using wire::is_vpn;
using wire::NlriStatus;

namespace {

// Which shard holds a prefix: by RD and first octet, so that one huge VRF spreads while a small one stays together.
std::uint32_t shard_of(std::uint64_t rd, std::uint8_t first_octet, std::uint32_t shards) {
  std::uint64_t h = (rd ^ std::uint64_t{first_octet} << 56) * 0x9e3779b97f4a7c15;
  h ^= h >> 32;
  return static_cast<std::uint32_t>(((h & 0xffffffff) * shards) >> 32);
}

}  // namespace

std::uint32_t Shard::owner_of(std::uint64_t rd, std::uint8_t first_octet) const {
  // With a limit per RD all of an RD is in one shard: it alone counts the paths.
  return mailboxes_.shards() == 1 ? 0 : shard_of(rd, settings_.rib.quotas.max_paths_per_rd != 0 ? std::uint8_t{0} : first_octet, mailboxes_.shards());
}

// --- Sessions -------------------------------------------------------------------------------------------------------

void Shard::note_trouble(PeerId id, std::string text, Bytes body) {
  constexpr std::size_t kMostKept = 4096;
  if (troubles_.size() <= id.value) troubles_.resize(id.value + 1);
  if (!troubles_[id.value]) troubles_[id.value] = std::make_unique<Trouble>();
  Trouble& trouble = *troubles_[id.value];
  trouble.text = std::move(text);
  trouble.message.assign(16, 0xff);
  ByteWriter out(trouble.message);
  out.u16(static_cast<std::uint16_t>(wire::kHeaderSize + body.size()));
  out.u8(static_cast<std::uint8_t>(wire::MessageType::update));
  out.bytes(body.first(std::min(body.size(), kMostKept - wire::kHeaderSize)));
}

// The family cannot be followed any more: what the peer sent of it goes, what it will send is ignored until the session
// restarts (RFC 4760 §7, RFC 7606 §2 "AFI/SAFI disable"). The other families, and what we send, go on.
// Deviation: an RT membership attribute that cannot be read is left out by itself, what is known stays: disabling the
// family would take all VPN routes from the peer (pitfall 1.14).
void Shard::disable_family(Peer& peer, Family family) {
  if (family == Family::rtc) {
    counters_.rtc_invalid.add();
    return;
  }
  PeerId id = peer.record.info.peer;
  peer.context.families.erase(family);
  peer.record.disabled.insert(family);
  peer.serial = 0;
  restarts_.end_of_rib(id, family);
  if (!start_is_over_) start_no_longer_waits_for(peer, wire::FamilySet::of(family));
  if (!wire::has_route_targets(family)) return;
  tell(rib::JournalEvent::routes_purged, id, wire::family_labels(wire::FamilySet::of(family)));
  to_all_ribs(PeerPurge{id, wire::FamilySet::of(family), false});
}

void Shard::note_errors(Peer& peer, const wire::UpdateView& view, Bytes body) {
  std::size_t noted = std::min(view.error_count, view.errors.size());
  for (std::size_t i = 0; i < noted; ++i) {
    const wire::UpdateError& e = view.errors[i];
    counters_.update_errors[static_cast<std::size_t>(e.action)][e.attribute].add();
  }
  if (noted > 0) {
    const wire::UpdateError& e = view.errors[0];
    note_trouble(peer.record.info.peer, std::string(wire::attribute_name(e.attribute)) + ": " + e.reason, body);
  }
}

std::optional<wire::Notification> Shard::on_update(PeerId id, Bytes body) {
  Peer* found = find(id);
  if (found == nullptr) return std::nullopt;
  Peer& peer = *found;
  counters_.updates_in.add();
  if (observer_ != nullptr) observer_->on_update(peer.record.info, body);
  if (read_at_us_ == 0) {
    read_at_us_ = microseconds();
    rib_.read_at(read_at_us_);
    if (evpn_ != nullptr) evpn_->read_at(read_at_us_);
  }
  auto decoded = wire::decode_update(body, peer.context);
  if (!decoded) {
    counters_.update_errors[static_cast<std::size_t>(wire::UpdateErrorAction::reset)][0].add();
    note_trouble(id, "session reset: " + wire::format_notification(decoded.error()), body);
    return std::move(decoded.error());
  }
  const wire::UpdateView& view = *decoded;
  if (view.error_count > 0) note_errors(peer, view, body);
  if (!view.disabled.empty())
    for (Family f : {Family::vpnv4, Family::vpnv6, Family::evpn, Family::rtc, Family::ipv4_unicast, Family::ipv6_unicast})
      if (view.disabled.contains(f)) disable_family(peer, f);
  if (view.end_of_rib) {
    receive_end_of_rib(peer, *view.end_of_rib);
    return std::nullopt;
  }
  // A prefix that is in both parts of one message is announced, not withdrawn (wire 2.6).
  if (view.unreach) {
    Bytes announced;
    if (view.reach && view.reach->family == view.unreach->family) announced = view.reach->nlri;
    if (view.unreach->family == Family::rtc) receive_memberships(peer, nullptr, nullptr, view.unreach->nlri);
    else if (view.unreach->family == Family::evpn) withdraw_evpn(peer, view.unreach->nlri, announced);
    else if (is_vpn(view.unreach->family)) {
      unmark(peer, view.unreach->family, view.unreach->nlri, true);
      withdraw(peer, view.unreach->family, view.unreach->nlri, announced, false);
    }
  }
  if (view.withdrawn_reach) {
    if (view.withdrawn_reach->family == Family::rtc) receive_memberships(peer, nullptr, nullptr, view.withdrawn_reach->nlri);
    else if (view.withdrawn_reach->family == Family::evpn) withdraw_evpn(peer, view.withdrawn_reach->nlri, {});
    if (is_vpn(view.withdrawn_reach->family)) {
      refuse(peer, Refusal::treated_as_withdraw, view.withdrawn_reach->family, view.withdrawn_reach->nlri);
      unmark(peer, view.withdrawn_reach->family, view.withdrawn_reach->nlri, false);
      withdraw(peer, view.withdrawn_reach->family, view.withdrawn_reach->nlri, {}, true);
    }
  }
  if (view.reach) {
    if (view.reach->family == Family::rtc) receive_memberships(peer, &view, &*view.reach, view.reach->nlri);
    else if (wire::has_route_targets(view.reach->family)) announce(peer, view, *view.reach);
  }
  return std::nullopt;
}

// The memo of the last attributes: family, next hop, then type, flags and value of each in the order received.
bool Shard::same_attributes(const Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach) {
  if (peer.serial == 0) return false;
  const std::uint8_t* p = peer.last_raw.data();
  const std::uint8_t* end = p + peer.last_raw.size();
  auto equal = [&](Bytes bytes) {
    if (static_cast<std::size_t>(end - p) < bytes.size() || std::memcmp(p, bytes.data(), bytes.size()) != 0) return false;
    p += bytes.size();
    return true;
  };
  std::uint8_t head[2] = {static_cast<std::uint8_t>(reach.family), static_cast<std::uint8_t>(reach.next_hop.size())};
  if (!equal(head) || !equal(reach.next_hop)) return false;
  for (std::size_t i = 0; i < view.attribute_count; ++i) {
    const wire::AttributeView& a = view.attributes[i];
    std::uint8_t h[4] = {a.flags, a.type, static_cast<std::uint8_t>(a.value.size() >> 8), static_cast<std::uint8_t>(a.value.size())};
    if (!equal(h) || !equal(a.value)) return false;
  }
  return p == end;
}

void Shard::remember_attributes(Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach) {
  auto& raw = peer.last_raw;
  raw.clear();
  auto add = [&](Bytes b) { raw.insert(raw.end(), b.begin(), b.end()); };
  std::uint8_t head[2] = {static_cast<std::uint8_t>(reach.family), static_cast<std::uint8_t>(reach.next_hop.size())};
  add(head);
  add(reach.next_hop);
  for (std::size_t i = 0; i < view.attribute_count; ++i) {
    const wire::AttributeView& a = view.attributes[i];
    std::uint8_t h[4] = {a.flags, a.type, static_cast<std::uint8_t>(a.value.size() >> 8), static_cast<std::uint8_t>(a.value.size())};
    add(h);
    add(a.value);
  }
  peer.serial = next_serial_++;
}

void Shard::announce(Peer& peer, const wire::UpdateView& view, const wire::ReachView& reach) {
  PeerId id = peer.record.info.peer;
  bool fresh = !same_attributes(peer, view, reach);
  if (fresh) {
    Exclusion exclusion = canonicaliser_.build(view, reach.next_hop, peer.source, canonical_);
    // By the route targets it came with: what a policy makes of them has no say in where a route is held.
    if (exclusion == Exclusion::none && settings_.slice != nullptr && !settings_.slice->holds_route(canonical_.targets)) exclusion = Exclusion::other_plane;
    peer.last_excluded = exclusion != Exclusion::none;
    if (!peer.last_excluded && settings_.attribute_bytes != 0 && canonical_.bytes.size() > settings_.attribute_bytes) {
      peer.last_excluded = true;
      counters_.discarded_by_size.add();
      exclusion = Exclusion::too_long;
      peer.last_refusal = Refusal::attribute_size;
    } else if (peer.last_excluded) {
      peer.last_refusal = static_cast<Refusal>(static_cast<std::size_t>(exclusion) - 1);
    }
    remember_attributes(peer, view, reach);
    peer.last_owned.reset();
    if (exclusion == Exclusion::too_long || (!peer.last_excluded && (canonical_.scope & rib::scope::extended_size) != 0)) note_oversize(peer);
    if (peer.last_excluded) counters_.excluded[static_cast<std::size_t>(exclusion)].add();
    else if (mailboxes_.shards() > 1) peer.last_owned = std::make_shared<const OwnedAttributes>(canonical_);
  }
  if (peer.last_excluded) {
    // A looped route is not used; what the peer announced before for these prefixes is gone (RFC 4271 §9).
    if (reach.family == Family::evpn) return withdraw_evpn(peer, reach.nlri, {});
    refuse(peer, peer.last_refusal, reach.family, reach.nlri);
    unmark(peer, reach.family, reach.nlri, false);
    withdraw(peer, reach.family, reach.nlri, {}, true);
    return;
  }
  if (reach.family == Family::evpn) return announce_evpn(peer, reach);
  if (peer.marked != nullptr && take_marked(peer, reach, fresh)) return;
  bool has_path_id = peer.context.add_path_receive.contains(reach.family);
  // With one shard the store still has the attributes of this serial, or canonical_ is of this very message.
  route(id, reach.family, has_path_id, false, reach.nlri, peer.serial, peer.last_owned, [&](Bytes nlri) {
    rib_.announce(id, reach.family, has_path_id, peer.serial, peer.last_owned != nullptr ? peer.last_owned->view() : canonical_, nlri);
  });
}

void Shard::refuse(const Peer& peer, Refusal refusal, Family family, Bytes nlri) {
  bool has_path_id = peer.context.add_path_receive.contains(family);
  rib_.refusals().note_all(peer.record.info.peer, refusal, family, nlri, has_path_id, static_cast<std::uint32_t>(now_ms_ / 1000));
}

void Shard::withdraw(Peer& peer, Family family, Bytes nlri, Bytes not_these, bool nlri_is_announcement) {
  PeerId id = peer.record.info.peer;
  bool has_path_id = peer.context.add_path_receive.contains(family);
  bool is_v6 = family == Family::vpnv6;
  if (!not_these.empty() || nlri_is_announcement) {
    // Rewritten as plain withdrawals, without the prefixes that the same message announces.
    struct Key {
      std::uint64_t rd;
      std::uint32_t path_id;
      std::uint8_t length;
      std::array<std::uint8_t, 16> prefix;
      bool operator==(const Key&) const = default;
    };
    struct Hash {
      std::size_t operator()(const Key& k) const { return boost::hash_range(k.prefix.begin(), k.prefix.end()) ^ k.rd ^ k.length ^ k.path_id; }
    };
    auto key_of = [](const wire::VpnNlri& n) {
      Key k{n.rd.value, n.path_id, n.length, {}};
      unsigned octets = (n.length + 7u) / 8;
      std::copy(n.prefix, n.prefix + octets, k.prefix.begin());
      if (n.length % 8 != 0) k.prefix[octets - 1] &= static_cast<std::uint8_t>(0xff << (8 - n.length % 8));
      return k;
    };
    boost::unordered_flat_set<Key, Hash> announced;
    wire::VpnNlri one;
    wire::VpnNlriReader reach(not_these, is_v6, false, has_path_id);
    while (reach.next(one) == NlriStatus::ok) announced.insert(key_of(one));
    filtered_.clear();
    ByteWriter out(filtered_);
    wire::VpnNlriReader reader(nlri, is_v6, !nlri_is_announcement, has_path_id);
    while (reader.next(one) == NlriStatus::ok) {
      Key k = key_of(one);
      if (announced.contains(k)) continue;
      if (has_path_id) out.u32(one.path_id);
      out.u8(static_cast<std::uint8_t>(88 + one.length));
      out.u24(0x800000);
      out.u64(one.rd.value);
      out.bytes(Bytes(k.prefix.data(), (one.length + 7u) / 8));
    }
    nlri = filtered_;
  }
  route(id, family, has_path_id, true, nlri, 0, nullptr, [&](Bytes mine) { rib_.withdraw(id, family, has_path_id, mine); });
}

// Sends each entry to the RIB shard it belongs to; `local` takes what belongs here.
template <class Local>
void Shard::route(PeerId peer, Family family, bool has_path_id, bool is_withdrawal, Bytes nlri, std::uint64_t serial,
                  const std::shared_ptr<const OwnedAttributes>& attributes, Local&& local) {
  std::uint32_t shards = mailboxes_.shards();
  if (shards == 1) {
    local(nlri);
    return;
  }
  wire::VpnNlriReader reader(nlri, family == Family::vpnv6, is_withdrawal, has_path_id);
  wire::VpnNlri one;
  const std::uint8_t* begin = nlri.data();
  for (auto& part : parts_) part.clear();
  while (reader.next(one) == NlriStatus::ok) {
    const std::uint8_t* end = one.prefix + (one.length + 7u) / 8;
    std::uint8_t first = one.length == 0 ? 0 : one.prefix[0];
    if (one.length > 0 && one.length < 8) first &= static_cast<std::uint8_t>(0xff << (8 - one.length));
    if (settings_.rib.quotas.max_paths_per_rd != 0) first = 0;  // all of an RD in one shard: it alone counts the paths
    auto& part = parts_[shard_of(one.rd.value, first, shards)];
    part.insert(part.end(), begin, end);
    begin = end;
  }
  for (std::uint32_t s = 0; s < shards; ++s) {
    if (parts_[s].empty()) continue;
    if (s == self_) {
      local(parts_[s]);
      continue;
    }
    sent_bytes_ += parts_[s].size();
    // Entries with the attributes of the message before join it.
    Updates* last = outbox_[s].empty() ? nullptr : std::get_if<Updates>(&outbox_[s].back());
    if (last != nullptr && last->peer == peer && last->family == family && last->serial == serial && last->attributes == attributes) {
      last->nlri.insert(last->nlri.end(), parts_[s].begin(), parts_[s].end());
    } else {
      outbox_[s].push_back(Updates{peer, family, has_path_id, serial, attributes, parts_[s], read_at_us_});
    }
  }
}

}  // namespace helio::reflector

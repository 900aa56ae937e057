#include "rr/export/shard_feed.hpp"

#include "rr/wire/update_encode.hpp"

namespace helio::exporter {

using reflector::RibShard;
using rib::Address4;
using rib::Address6;
using wire::Family;

namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;

}  // namespace

// --- Stations ---------------------------------------------------------------------------------------------------------

void ShardFeed::arm(unsigned slot, std::uint32_t epoch) {
  disarm(slot);
  // What was said before the station asked is not for it.
  for (auto& chunk : chunks_) flush(chunk);
  armed_[slot] = {true, epoch};
  std::uint8_t feeds = hub_.slot(slot).feeds;
  for (std::size_t f = 0; f < kFeeds; ++f)
    if ((feeds >> f & 1) != 0) wanting_[f] |= 1u << slot;
  walks_.push_back({.slot = slot, .epoch = epoch, .feeds = feeds, .at = {}, .last = {}});
  if ((feeds & bit_of(Feed::adj_rib_out)) != 0) walk_output(slot, epoch);
}

void ShardFeed::disarm(unsigned slot) {
  if (!armed_[slot].is_armed) return;
  for (auto& chunk : chunks_) flush(chunk);
  armed_[slot].is_armed = false;
  for (std::uint32_t& mask : wanting_) mask &= ~(1u << slot);
  std::erase_if(walks_, [&](const Walk& walk) { return walk.slot == slot; });
  end_output_walks(slot);
}

FeedChunk& ShardFeed::chunk_for(Feed feed) {
  auto& chunk = chunks_[static_cast<std::size_t>(feed)];
  if (chunk != nullptr && chunk->bytes.size() >= kChunkBytes) flush(chunk);
  if (chunk == nullptr) {
    chunk = std::make_unique<FeedChunk>();
    chunk->stations = wanting(feed);
  }
  return *chunk;
}

void ShardFeed::flush(std::unique_ptr<FeedChunk>& chunk) {
  if (chunk != nullptr && !chunk->bytes.empty()) {
    if (&chunk == &chunks_[static_cast<std::size_t>(Feed::adj_rib_out)]) hold_back(*chunk);
    if (chunk->stations != 0) hub_.push_chunk(std::move(chunk));
  }
  chunk.reset();
}

bool ShardFeed::on_turn() {
  for (auto& chunk : chunks_) flush(chunk);
  for (const ExportHub::EndOfRib& end : ends_) hub_.push(end);
  ends_.clear();
  for (std::uint64_t token : fences_) hub_.push(ExportHub::FenceReached{token});
  fences_.clear();
  bool more = !output_walks_.empty() && tell_images();
  return (!walks_.empty() && walk_some()) || more;
}

// --- Sessions ---------------------------------------------------------------------------------------------------------

void ShardFeed::on_session_up(const session::EstablishedPeer& peer, std::uint32_t session) {
  locals_[peer.peer] = {peer.peer, session, peer.address, peer.peer_as, peer.router_id};
  hub_.push(ExportHub::SessionUp{peer, session, bmp_now()});
}

void ShardFeed::on_session_down(const session::EstablishedPeer& peer, std::uint32_t session, const reflector::SessionEnd& end) {
  locals_.erase(peer.peer);
  partial_.erase(peer.peer);
  hub_.push(ExportHub::SessionDown{peer.peer, session, end, bmp_now()});
}

// Told at the end of the turn, when the routes before it are on their way to their slices.
void ShardFeed::on_end_of_rib(PeerId peer, std::uint32_t session, Family family) { ends_.push_back({peer, session, family}); }

// --- Messages ---------------------------------------------------------------------------------------------------------

// Wraps the UPDATEs in messages_.
void ShardFeed::append_messages(FeedChunk& chunk, const Statement& what) {
  BmpPeer peer;
  std::uint32_t session = 0;
  if (what.feed == Feed::loc_rib) {
    peer = {.type = BmpPeerType::loc_rib, .as = identity_.local_as, .router_id = identity_.router_id};
  } else {
    const reflector::PeerIdentity& identity = shard_.rib().identity_of(what.peer);
    session = identity.session;
    peer.address = identity.address;
    peer.as = identity.as;
    peer.router_id = identity.router_id;
    if (what.feed == Feed::post_policy) peer.flags = bmp_flag::post_policy;
  }
  peer.time = what.time;
  std::uint32_t count = 0;
  for (Bytes rest(messages_); !rest.empty(); ++count) {
    std::size_t size = load_be16(rest.data() + 16);
    encode_route_monitoring(chunk.bytes, peer, rest.first(size));
    rest = rest.subspan(size);
  }
  PeerId owner = what.feed == Feed::loc_rib ? PeerId() : what.peer;
  if (chunk.segments.empty() || chunk.segments.back().peer != owner || chunk.segments.back().session != session) chunk.segments.push_back({owner, session, 0, 0});
  chunk.segments.back().end = static_cast<std::uint32_t>(chunk.bytes.size());
  chunk.segments.back().messages += count;
}

void ShardFeed::announce(FeedChunk& chunk, const Statement& what, Bytes next_hop, Bytes canonical, const rib::DecisionKey& key, AttributeForm form, Bytes nlri) {
  attributes_.clear();
  append_attributes(attributes_, canonical, key, form);
  messages_.clear();
  bool fits = wire::encode_announcements(messages_, what.family, next_hop, attributes_, nlri, what.has_path_id) ||
              wire::encode_announcements(messages_, what.family, next_hop, attributes_, nlri, what.has_path_id, wire::kMaxExtendedMessage);
  if (fits) append_messages(chunk, what);
}

void ShardFeed::withdraw(FeedChunk& chunk, const Statement& what, Bytes nlri) {
  messages_.clear();
  wire::encode_withdrawals(messages_, what.family, nlri, what.has_path_id);
  append_messages(chunk, what);
}

// NLRIs with labels; in a withdrawal there is one, 0x800000 (RFC 8277 §2.4).
void ShardFeed::withdraw_announced(FeedChunk& chunk, const Statement& what, Bytes nlri) {
  if (!wire::is_vpn(what.family)) return withdraw(chunk, what, nlri);
  std::vector<std::uint8_t> bare;
  ByteWriter out(bare);
  wire::VpnNlriReader reader(nlri, what.family == Family::vpnv6, false, what.has_path_id);
  wire::VpnNlri one;
  while (reader.next(one) == wire::NlriStatus::ok) {
    if (what.has_path_id) out.u32(one.path_id);
    out.u8(static_cast<std::uint8_t>(88 + one.length));
    out.u24(wire::kWithdrawLabel);
    out.u64(one.rd.value);
    out.bytes(Bytes(one.prefix, (one.length + 7u) / 8));
  }
  withdraw(chunk, what, bare);
}

// --- Adj-RIB-In -------------------------------------------------------------------------------------------------------

template <class Address>
void ShardFeed::gather(std::span<const rib::NlriEntry<Address>> entries, bool has_path_id) {
  nlri_.clear();
  ByteWriter out(nlri_);
  for (const auto& entry : entries) {
    if (has_path_id) out.u32(entry.path_id);
    out.bytes(Bytes(entry.wire, entry.wire_length));
  }
}

namespace {

template <class Address>
Family family_of(RibShard& slice) {
  return sizeof(Address) == 4 ? Family::vpnv4 : slice.rib6().family();
}

}  // namespace

template <class Address>
void ShardFeed::announced(RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<Address>> entries) {
  bool post = wanting(Feed::post_policy) != 0 && !slice.policy().applies_to(peer);
  if (entries.empty() || (wanting(Feed::pre_policy) == 0 && !post)) return;
  Statement what{Feed::pre_policy, peer, family_of<Address>(slice), false, bmp_now()};
  what.has_path_id = slice.identity_of(peer).add_path_receive.contains(what.family);
  gather(entries, what.has_path_id);
  const rib::AttributeStore& store = std::as_const(slice).shared().attributes;
  const rib::AttributeSet& set = store[store.received_of(received)];
  if (wanting(Feed::pre_policy) != 0) announce(chunk_for(Feed::pre_policy), what, set.next_hop(), set.bytes(), set.key, AttributeForm::received, nlri_);
  if (!post) return;
  what.feed = Feed::post_policy;
  announce(chunk_for(Feed::post_policy), what, set.next_hop(), set.bytes(), set.key, AttributeForm::in_rib, nlri_);
}

template <class Address>
void ShardFeed::judged(RibShard& slice, PeerId peer, rib::AttributeId id, std::span<const rib::NlriEntry<Address>> entries) {
  if (entries.empty() || wanting(Feed::post_policy) == 0) return;
  Statement what{Feed::post_policy, peer, family_of<Address>(slice), false, bmp_now()};
  what.has_path_id = slice.identity_of(peer).add_path_receive.contains(what.family);
  gather(entries, what.has_path_id);
  const rib::AttributeStore& store = std::as_const(slice).shared().attributes;
  const rib::AttributeSet& set = store[store.found_of(id)];
  if (set.is_derived() && !set.key.is_eligible) withdraw_announced(chunk_for(Feed::post_policy), what, nlri_);
  else announce(chunk_for(Feed::post_policy), what, set.next_hop(), set.bytes(), set.key, AttributeForm::in_rib, nlri_);
}

template <class Address>
void ShardFeed::withdrawn(RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<Address>> entries) {
  if (entries.empty() || (wanting(Feed::pre_policy) | wanting(Feed::post_policy)) == 0) return;
  Statement what{Feed::pre_policy, peer, family_of<Address>(slice), false, bmp_now()};
  what.has_path_id = slice.identity_of(peer).add_path_receive.contains(what.family);
  nlri_.clear();
  for (const auto& entry : entries)
    append_withdrawn_nlri(nlri_, slice, entry.rd, rib::PrefixKey<Address>{entry.address, entry.length}, what.has_path_id ? &entry.path_id : nullptr);
  for (Feed feed : {Feed::pre_policy, Feed::post_policy}) {
    if (wanting(feed) == 0) continue;
    what.feed = feed;
    withdraw(chunk_for(feed), what, nlri_);
  }
}

void ShardFeed::on_announced(RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<Address4>> entries) { announced(slice, peer, received, entries); }
void ShardFeed::on_announced(RibShard& slice, PeerId peer, rib::AttributeId received, std::span<const rib::NlriEntry<Address6>> entries) { announced(slice, peer, received, entries); }
void ShardFeed::on_judged(RibShard& slice, PeerId peer, rib::AttributeId id, std::span<const rib::NlriEntry<Address4>> entries) { judged(slice, peer, id, entries); }
void ShardFeed::on_judged(RibShard& slice, PeerId peer, rib::AttributeId id, std::span<const rib::NlriEntry<Address6>> entries) { judged(slice, peer, id, entries); }
void ShardFeed::on_withdrawn(RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<Address4>> entries) { withdrawn(slice, peer, entries); }
void ShardFeed::on_withdrawn(RibShard& slice, PeerId peer, std::span<const rib::NlriEntry<Address6>> entries) { withdrawn(slice, peer, entries); }

void ShardFeed::on_memberships(const reflector::RtcUpdate& update) {
  if (update.memberships.empty() || (wanting(Feed::pre_policy) | wanting(Feed::post_policy)) == 0) return;
  Statement what{Feed::pre_policy, update.peer, Family::rtc, false, bmp_now()};
  nlri_.clear();
  for (const wire::RtMembership& membership : update.memberships) wire::encode_rtc_nlri(nlri_, membership);
  for (Feed feed : {Feed::pre_policy, Feed::post_policy}) {
    if (wanting(feed) == 0) continue;
    what.feed = feed;
    const reflector::OwnedAttributes* set = update.attributes.get();
    if (set == nullptr) withdraw(chunk_for(feed), what, nlri_);
    else announce(chunk_for(feed), what, set->next_hop, set->bytes, set->key, feed == Feed::pre_policy ? AttributeForm::received : AttributeForm::in_rib, nlri_);
  }
}

// --- Loc-RIB ----------------------------------------------------------------------------------------------------------

void ShardFeed::on_best_changes(RibShard& slice, Family family, rib::ChangeLog& log) {
  if (wanting(Feed::loc_rib) == 0) return;
  Statement what{Feed::loc_rib, PeerId(), family, false, bmp_now()};
  const rib::AttributeStore& store = std::as_const(slice).shared().attributes;
  // A prefix with another best path is announced again; here are those that have none.
  for (const rib::WithdrawRun& run : log.withdrawals())
    if (run.after == rib::kNoId) withdraw(chunk_for(Feed::loc_rib), what, Bytes(log.withdrawn_nlri() + run.begin, run.end - run.begin));
  const auto& runs = log.announcements();
  for (std::size_t i = 0; i < runs.size();) {
    std::size_t end = i;
    nlri_.clear();
    for (; end < runs.size() && runs[end].attributes == runs[i].attributes && runs[end].exports == runs[i].exports; ++end)
      nlri_.insert(nlri_.end(), log.announced_nlri() + runs[end].begin, log.announced_nlri() + runs[end].end);
    const rib::AttributeSet& set = store[runs[i].attributes];
    if (runs[i].exports == 0) {
      // Nothing usable is left of the prefix: there may be paths, but no best one.
      if (set.key.is_eligible) announce(chunk_for(Feed::loc_rib), what, set.next_hop(), set.bytes(), set.key, AttributeForm::in_rib, nlri_);
      else withdraw_announced(chunk_for(Feed::loc_rib), what, nlri_);
    }
    i = end;
  }
}

}  // namespace helio::exporter

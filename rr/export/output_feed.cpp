// ShardFeed, Adj-RIB-Out (RFC 8671): what the peers of this shard are sent. Changes are taken from the very octets that go to the
// peer, when they go. What was sent before a station came is walked for it: the slices of the RIB make the same images as for a peer,
// for the encoding classes of the peers here, and of each image a peer has what distribution would give it.
//
// Armed first, then walked, through the streams that changes come in: an image is of a moment before what comes from the octets later.
#include "rr/export/shard_feed.hpp"
#include "rr/wire/message.hpp"

namespace helio::exporter {

using wire::Family;

namespace {

constexpr std::size_t kItemsAtOnce = 8, kPiece = std::size_t{64} << 10;

// An UPDATE of ours begins with MP_REACH or MP_UNREACH. RT memberships are not told: what was sent of them before is not in any image.
bool is_about_memberships(Bytes update) {
  ByteReader in(update.subspan(wire::kHeaderSize));
  in.take(in.u16());
  in.u16();
  std::uint8_t flags = in.u8(), type = in.u8();
  if (type != wire::attr::mp_reach && type != wire::attr::mp_unreach) return false;
  if ((flags & wire::attr_flag::extended_length) != 0) in.u16();
  else in.u8();
  return in.u16() == 1 && in.u8() == 132;
}

}  // namespace

bool ShardFeed::wants_output() const { return wanting(Feed::adj_rib_out) != 0; }

// Wraps one UPDATE; marks of a route refresh (RFC 7313) stand among them.
void ShardFeed::append_output(FeedChunk& chunk, const Local& peer, Bytes update, BmpTime time) {
  if (update[18] != static_cast<std::uint8_t>(wire::MessageType::update) || is_about_memberships(update)) return;
  BmpPeer header;
  header.flags = bmp_flag::post_policy | bmp_flag::adj_rib_out;
  header.address = peer.address;
  header.as = peer.as;
  header.router_id = peer.router_id;
  header.time = time;
  encode_route_monitoring(chunk.bytes, header, update);
  if (chunk.segments.empty() || chunk.segments.back().peer != peer.id || chunk.segments.back().session != peer.session) chunk.segments.push_back({peer.id, peer.session, 0, 0});
  chunk.segments.back().end = static_cast<std::uint32_t>(chunk.bytes.size());
  ++chunk.segments.back().messages;
}

// `unsent`: octets of the message that the first one belongs to the middle of; 0: it begins one.
void ShardFeed::on_sent(PeerId id, std::span<const iovec> octets, std::size_t unsent) {
  auto local = locals_.find(id);
  if (local == locals_.end() || !wants_output()) return;
  auto [at, is_first] = partial_.try_emplace(id);
  Partial& partial = at->second;
  if (is_first) partial.skip = unsent;  // it was begun before anybody asked
  for (const iovec& part : octets) {
    Bytes bytes(static_cast<const std::uint8_t*>(part.iov_base), part.iov_len);
    std::size_t skipped = std::min(partial.skip, bytes.size());
    partial.skip -= skipped;
    partial.bytes.insert(partial.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(skipped), bytes.end());
  }
  Bytes rest(partial.bytes);
  while (rest.size() >= wire::kHeaderSize && rest.size() >= load_be16(rest.data() + 16)) {
    std::size_t size = load_be16(rest.data() + 16);
    append_output(chunk_for(Feed::adj_rib_out), local->second, rest.first(size), bmp_now());
    rest = rest.subspan(size);
  }
  partial.bytes.erase(partial.bytes.begin(), partial.bytes.end() - static_cast<std::ptrdiff_t>(rest.size()));
}

void ShardFeed::walk_output(unsigned slot, std::uint32_t epoch) {
  reflector::WalkRequest request;
  request.walk = reflector::kObserverWalk | (++next_walk_ & (reflector::kObserverWalk - 1));
  request.session_shard = identity_.shard;
  request.universe = true;
  for (Family family : {Family::vpnv4, Family::vpnv6, Family::evpn}) request.families.insert(family);
  const std::vector<std::uint32_t>& peers = shard_.distribution().class_peers();
  for (std::size_t c = 0; c < std::min<std::size_t>(peers.size(), 64); ++c)
    if (peers[c] != 0) request.classes |= std::uint64_t{1} << c;
  request.outstanding = std::make_shared<rib::RetainedBytes>();
  auto& requests = shard_.distribution().requests();
  for (auto& to : requests) to.push_back(request);
  output_walks_.push_back({.slot = slot, .epoch = epoch, .walk = request.walk, .missing = static_cast<std::uint32_t>(requests.size())});
  wake_();
}

void ShardFeed::end_output_walks(unsigned slot) {
  for (const OutputWalk& walk : output_walks_)
    if (walk.slot == slot)
      for (auto& to : shard_.distribution().requests()) to.push_back(reflector::WalkCancelled{walk.walk, identity_.shard});
  std::erase_if(output_walks_, [&](const OutputWalk& walk) { return walk.slot == slot; });
  if (!wants_output()) partial_.clear();
}

void ShardFeed::on_walk(std::uint32_t source, reflector::Message&& message) {
  auto find = [&](std::uint32_t id) { return std::ranges::find(output_walks_, id, &OutputWalk::walk); };
  if (auto* output = std::get_if<reflector::Output>(&message)) {
    if (auto walk = find(output->batch->walk); walk != output_walks_.end()) walk->items.push_back(portions_of(source, std::move(output->batch)));
  } else if (auto* done = std::get_if<reflector::WalkDone>(&message)) {
    if (auto walk = find(done->walk); walk != output_walks_.end()) --walk->missing;
  }
}

ShardFeed::OutputWalk::Item ShardFeed::portions_of(std::uint32_t source, rib::BatchRef batch) const {
  using Barrier = reflector::Distribution::Barrier;
  OutputWalk::Item item;
  for (const auto& [id, local] : locals_) {
    const reflector::Shard::PeerRecord* record = shard_.peer_record(id);
    if (record == nullptr || !record->info.families.contains(batch->family)) continue;
    for (std::uint32_t i = 0; i < batch->segments.size(); ++i) {
      const rib::Segment& segment = batch->segments[i];
      if (!segment.is_announcement()) continue;
      auto delivery = shard_.distribution().delivery(id, source, segment.after, batch->family);
      if (delivery && delivery->encoding_class == batch->encoding_class && delivery->barrier == Barrier::none && delivery->matches && delivery->armed && !delivery->holding && !delivery->deferred)
        item.portions.push_back({id, local.session, i});
    }
  }
  item.image = std::move(batch);
  return item;
}

// Changes for stations that are still being told of the past.
void ShardFeed::hold_back(FeedChunk& changes) {
  for (OutputWalk& walk : output_walks_) {
    if (walk.items.empty() || (changes.stations >> walk.slot & 1) == 0) continue;
    changes.stations &= ~(1u << walk.slot);
    StationSlot& slot = hub_.slot(walk.slot);
    walk.held_bytes += changes.bytes.size();
    if (walk.held_bytes > slot.limit) {  // it starts over
      slot.dropped.fetch_add(changes.messages(), std::memory_order_relaxed);
      slot.overflowed.store(true, std::memory_order_relaxed);
      hub_.push(ExportHub::FenceReached{0});  // nobody's, so that it is seen
      continue;
    }
    auto copy = std::make_unique<FeedChunk>(changes);
    copy->stations = 1u << walk.slot;
    walk.items.push_back({.changes = std::move(copy)});
  }
}

bool ShardFeed::tell_item(OutputWalk& walk) {
  OutputWalk::Item& item = walk.items.front();
  auto has_room = [&] {
    const StationSlot& slot = hub_.slot(walk.slot);
    return slot.queued.load(std::memory_order_relaxed) < slot.limit / 2;
  };
  if (!has_room()) return false;
  if (item.changes != nullptr) {
    walk.held_bytes -= item.changes->bytes.size();
    hub_.push_chunk(std::move(item.changes));
    return true;
  }
  while (item.told < item.portions.size() && has_room()) {
    auto chunk = std::make_unique<FeedChunk>();
    chunk->stations = 1u << walk.slot;
    for (; item.told < item.portions.size() && chunk->bytes.size() < kPiece; ++item.told) {
      const OutputWalk::Portion& portion = item.portions[item.told];
      auto local = locals_.find(portion.peer);
      if (local == locals_.end() || local->second.session != portion.session) continue;
      const rib::Segment& segment = item.image->segments[portion.segment];
      for (Bytes rest(item.image->data() + segment.begin, segment.end - segment.begin); !rest.empty();) {
        std::size_t size = load_be16(rest.data() + 16);
        append_output(*chunk, local->second, rest.first(size), {});
        rest = rest.subspan(size);
      }
    }
    flush(chunk);
  }
  return item.told == item.portions.size();
}

// Returns whether one could go on at once.
bool ShardFeed::tell_images() {
  bool runnable = false, told = false;
  for (OutputWalk& walk : output_walks_) {
    std::size_t n = 0;
    for (; n < kItemsAtOnce && !walk.items.empty() && tell_item(walk); ++n) walk.items.pop_front();
    told = told || n != 0;
    if (walk.missing == 0 && walk.items.empty()) hub_.push(ExportHub::WalkDone{walk.slot, walk.epoch});
    runnable = runnable || n == kItemsAtOnce;
  }
  std::erase_if(output_walks_, [](const OutputWalk& walk) { return walk.missing == 0 && walk.items.empty(); });
  if (told) wake_();  // slices of the RIB wait for images to be taken
  return runnable;
}

}  // namespace helio::exporter

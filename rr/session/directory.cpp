#include "rr/session/directory.hpp"

#include <algorithm>

namespace helio::session {
namespace {

constexpr std::uint32_t kMostDynamic = 65'536;  // for a range without max_peers

bool contains(const ListenRange& range, const wire::IpAddress& address) {
  if (range.prefix.is_v6 != address.is_v6) return false;
  for (unsigned bit = 0; bit < range.length; bit += 8) {
    unsigned left = range.length - bit;
    auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xff : 0xff << (8 - left));
    if ((range.prefix.bytes[bit / 8] ^ address.bytes[bit / 8]) & mask) return false;
  }
  return true;
}

Phase phase_of(const Directory::Entry& entry) { return entry.status->phase.load(std::memory_order_relaxed); }

std::uint32_t most_of(const ListenRange& range) { return range.max_peers == 0 ? kMostDynamic : range.max_peers; }

}  // namespace

Directory::Entry& Directory::insert(NeighborSettings settings, PeerId id) {
  wire::IpAddress address = settings.address;
  Entry& entry = entries_[address];
  entry = {id, std::move(settings), std::make_shared<PeerStatus>(), false};
  return entry;
}

PeerId Directory::next_id() {
  if (free_ids_.empty()) return PeerId(ids_++);
  PeerId id = free_ids_.back();
  free_ids_.pop_back();
  return id;
}

Directory::Entry& Directory::add(NeighborSettings settings) { return insert(std::move(settings), next_id()); }

void Directory::remove(const wire::IpAddress& address) {
  auto at = entries_.find(address);
  if (at == entries_.end()) return;
  free_ids_.push_back(at->second.id);
  if (at->second.settings.dynamic)
    for (auto& addresses : dynamic_) std::erase(addresses, address);
  if (at->second.in_pending) std::erase(pending_, address);
  entries_.erase(at);
}

void Directory::set_ranges(std::vector<ListenRange> ranges) {
  ranges_ = std::move(ranges);
  dynamic_.assign(ranges_.size(), {});
  for (auto& [address, entry] : entries_)
    if (const ListenRange* range = entry.settings.dynamic ? range_of(address) : nullptr)
      dynamic_of(*range).push_back(address);
}

Directory::Entry* Directory::find(const wire::IpAddress& address) {
  auto at = entries_.find(address);
  return at == entries_.end() ? nullptr : &at->second;
}

const ListenRange* Directory::range_of(const wire::IpAddress& address) const {
  const ListenRange* best = nullptr;
  for (const ListenRange& range : ranges_)
    if (contains(range, address) && (!best || range.length > best->length)) best = &range;
  return best;
}

Directory::Admission Directory::admit(const wire::IpAddress& address) {
  Entry* entry = find(address);
  if (entry) return {Verdict::known, entry, count_pending(*entry)};
  const ListenRange* range = range_of(address);
  if (!range) return {};
  auto& held = dynamic_of(*range);
  if (held.size() >= most_of(*range)) forget_one_down(*range);
  if (held.size() >= most_of(*range)) {
    PeerId oldest = oldest_pending_of(*range);
    return {oldest.valid() ? Verdict::make_room : Verdict::range_full, nullptr, oldest};
  }
  NeighborSettings settings;
  settings.address = address;
  settings.dynamic = true;
  settings.group = range->group;
  entry = &insert(std::move(settings), next_id());
  held.push_back(address);
  return {Verdict::created, entry, count_pending(*entry)};
}

// Remembers that the neighbour has a connection without a session; returns whom to drop when there are too many.
PeerId Directory::count_pending(Entry& entry) {
  if (phase_of(entry) == Phase::established) return {};
  entry.status->phase.store(Phase::pending, std::memory_order_relaxed);
  if (!entry.in_pending) {
    entry.in_pending = true;
    pending_.push_back(entry.settings.address);
  }
  if (pending_.size() <= max_pending_) return {};
  std::erase_if(pending_, [this](const wire::IpAddress& address) {
    Entry& other = entries_.at(address);
    if (phase_of(other) == Phase::pending) return false;
    other.in_pending = false;
    return true;
  });
  return pending_.size() > max_pending_ ? take_oldest_pending() : PeerId();
}

PeerId Directory::take_oldest_pending() {
  while (!pending_.empty()) {
    Entry& entry = entries_.at(pending_.front());
    pending_.pop_front();
    entry.in_pending = false;
    if (phase_of(entry) == Phase::pending) return entry.id;
  }
  return {};
}

PeerId Directory::oldest_pending_of(const ListenRange& range) {
  for (auto at = pending_.begin(); at != pending_.end(); ++at) {
    Entry& entry = entries_.at(*at);
    if (!entry.settings.dynamic || phase_of(entry) != Phase::pending || range_of(*at) != &range) continue;
    entry.in_pending = false;
    pending_.erase(at);
    return entry.id;
  }
  return {};
}

void Directory::forget_one_down(const ListenRange& range) {
  for (const wire::IpAddress& address : dynamic_of(range)) {
    if (phase_of(entries_.at(address)) != Phase::down) continue;
    remove(wire::IpAddress(address));
    return;
  }
}

}  // namespace helio::session

#include "rib/next_hops.hpp"

#include <algorithm>

#include "rr/wire/attributes.hpp"

namespace helio::rib {

std::optional<wire::IpAddress> tracked_address(Bytes next_hop) {
  std::size_t size = next_hop.size();
  wire::Family form = size == 12 ? wire::Family::vpnv4 : size == 24 || size == 48 ? wire::Family::vpnv6 : wire::Family::rtc;
  std::optional<wire::IpAddress> address = wire::next_hop_address(form, next_hop);
  if (!address || !address->is_v6) return address;
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(std::begin(kMapped), std::end(kMapped), address->bytes.begin())) return wire::IpAddress::v4(load_be32(address->bytes.data() + 12));
  return address;
}

NextHops::~NextHops() {
  for (const auto& [address, at] : by_address_) source_.unwatch(address);
}

void NextHops::set_added(AttributeId id, const AttributeSet& set) {
  if (places_.size() <= id) places_.resize(id + id / 4 + 1);
  std::optional<wire::IpAddress> address = tracked_address(set.next_hop());
  if (!address) {
    places_[id] = Place{};
    return;
  }
  auto [known, is_new] = by_address_.try_emplace(*address, 0);
  if (is_new) {
    if (free_.empty()) {
      known->second = static_cast<std::uint32_t>(next_hops_.size());
      next_hops_.emplace_back();
    } else {
      known->second = free_.back();
      free_.pop_back();
    }
    NextHop& made = next_hops_[known->second];
    made.address = *address;
    NextHopState state = source_.watch(*address);
    made.reachable = state.reachable;
    made.metric = made.metric_before = state.metric;
    account_.add(MemoryKind::attributes, kBytes, 1);
  }
  NextHop& next_hop = next_hops_[known->second];
  places_[id] = {known->second, static_cast<std::uint32_t>(next_hop.sets.size())};
  next_hop.sets.push_back(id);
  account_.add(MemoryKind::attributes, sizeof(Place) + sizeof(AttributeId), 0);
}

void NextHops::set_freed(AttributeId id) {
  Place place = std::exchange(places_[id], Place{});
  if (place.next_hop == kNoId) return;
  NextHop& next_hop = next_hops_[place.next_hop];
  AttributeId last = next_hop.sets.back();
  next_hop.sets[place.position] = last;
  next_hop.sets.pop_back();
  if (last != id) places_[last].position = place.position;
  account_.add(MemoryKind::attributes, -static_cast<std::int64_t>(sizeof(Place) + sizeof(AttributeId)), 0);
  if (!next_hop.sets.empty()) return;
  source_.unwatch(next_hop.address);
  by_address_.erase(next_hop.address);
  next_hop = NextHop{};
  free_.push_back(place.next_hop);
  account_.add(MemoryKind::attributes, -kBytes, -1);
}

// Sets that fit the state already, and those that no path can have, concern no table.
void NextHops::mark(const NextHop& next_hop, bool lost_sets, DirtyTables& tables) const {
  std::vector<ProvenanceId> concerned;
  for (AttributeId id : next_hop.sets) {
    const AttributeSet& set = attributes_[id];
    if (set.is_lost() == lost_sets && (lost_sets || set.key.is_eligible)) concerned.push_back(set.provenance);
  }
  std::ranges::sort(concerned);
  concerned.erase(std::unique(concerned.begin(), concerned.end()), concerned.end());
  for (ProvenanceId p : concerned)
    for (std::uint32_t ref : provenances_.tables_of(p)) tables.mark(ref);
}

bool NextHops::update(const wire::IpAddress& address, const NextHopState& state) {
  auto known = by_address_.find(address);
  if (known == by_address_.end()) return false;
  NextHop& next_hop = next_hops_[known->second];
  bool turned = std::exchange(next_hop.reachable, state.reachable) != state.reachable;
  if (turned) mark(next_hop, state.reachable, misfits_);
  if (!state.reachable) return turned;
  if (!next_hop.metric_wanted && next_hop.metric == state.metric) return turned;
  if (!next_hop.metric_wanted) waiting_.push_back(known->second);
  next_hop.metric_wanted = state.metric;
  return turned;
}

DirtyTables& NextHops::undecided() {
  if (!undecided_.empty() || (waiting_.empty() && round_.empty())) return undecided_;
  for (std::uint32_t i : round_) next_hops_[i].metric_before = next_hops_[i].metric;
  round_ = std::exchange(waiting_, {});
  for (std::uint32_t i : round_) {
    NextHop& next_hop = next_hops_[i];
    if (!next_hop.metric_wanted) continue;  // gone meanwhile, perhaps another one took its place
    next_hop.metric = *std::exchange(next_hop.metric_wanted, std::nullopt);
    if (next_hop.metric != next_hop.metric_before) mark(next_hop, false, undecided_);
  }
  return undecided_;
}

std::vector<NextHops::View> NextHops::view() const {
  std::vector<View> out;
  for (const auto& [address, at] : by_address_) out.push_back({address, next_hops_[at].reachable, next_hops_[at].metric, next_hops_[at].sets});
  return out;
}

}  // namespace helio::rib

#include "rr/reflector/admission.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using rib::kNoId;

namespace {

constexpr std::size_t kPublishedPerTurn = 4096;

// The attribute set of the peer's path for the prefix; kNoId when it has none.
template <class Address>
rib::AttributeId path_of(const rib::RibShared& shared, const rib::FamilyRib<Address>& rib, PeerId peer, const rib::NlriEntry<Address>& entry) {
  const rib::Slot* slot = rib.find(entry.rd, {entry.address, entry.length});
  if (slot == nullptr) return kNoId;
  if (!slot->has_list()) return entry.path_id == 0 && shared.attributes[slot->attributes()].peer == peer ? slot->attributes() : kNoId;
  for (std::uint32_t i = 0; i < slot->list_count(); ++i) {
    const rib::Path& p = slot->list()[i];
    if (p.path_id == entry.path_id && shared.attributes[p.attributes].peer == peer) return p.attributes;
  }
  return kNoId;
}

}  // namespace

std::int64_t Admission::refresh(rib::RtSetId set) {
  if (rt_sets_.size() <= set) rt_sets_.resize(set + 1);
  RtSetCount& count = rt_sets_[set];
  const rib::RtSet& info = shared_.provenances.rt_set(set);
  if (count.shared && (info.refs == 0 || count.hash != info.hash)) {
    count.shared->fetch_sub(count.published);
    count = {};
  }
  if (info.refs == 0) return 0;
  if (!count.shared) {
    count.shared = counts_.find(info.targets, info.targets6);
    count.hash = info.hash;
  }
  std::int64_t ours = 0;
  for (rib::ProvenanceId p : info.provenances) {
    const rib::Provenance& provenance = shared_.provenances.provenance(p);
    ours += provenance.best[0] + provenance.best[1];
  }
  std::int64_t delta = ours - std::exchange(count.published, ours);
  return count.shared->fetch_add(delta) + delta;
}

void Admission::publish(std::uint64_t now_ms) {
  if (quotas_.max_prefixes_per_rt_set == 0 || (next_ == 0 && now_ms < next_round_ms_)) return;
  if (next_ == 0) next_round_ms_ = now_ms + 1000;
  std::uint32_t limit = shared_.provenances.rt_set_limit();
  for (std::size_t n = 0; n < kPublishedPerTurn && next_ < limit; ++n, ++next_)
    if (shared_.provenances.rt_set(next_).refs != 0 || next_ < rt_sets_.size()) refresh(next_);
  if (next_ >= limit) next_ = 0;
}

// For explain, and for the peer's count.
template <class Address>
void Admission::note(wire::Family family, PeerId peer, PeerQuota* quota, Refusal refusal, const rib::NlriEntry<Address>& entry) {
  constexpr bool kIsV6 = sizeof(Address) == 16;
  unsigned __int128 address = static_cast<unsigned __int128>(entry.address) << (kIsV6 ? 0 : 96);
  refusals_.note(peer, refusal, RefusalLog::hash_prefix(entry.rd, kIsV6, address, entry.length), shared_.now_seconds);
  if (quota != nullptr) quota->discarded[wire::index(family)].fetch_add(1, std::memory_order_relaxed);
}

template <class Address>
bool Admission::refuse_label_stack(const rib::FamilyRib<Address>& rib, wire::Family family, PeerId peer, PeerQuota* quota,
                                   const rib::NlriEntry<Address>& entry) {
  ++discarded_.by_label_stacks;
  note(family, peer, quota, Refusal::label_stacks, entry);
  return path_of(shared_, rib, peer, entry) != kNoId;
}

template <class Address>
void Admission::filter(rib::FamilyRib<Address>& rib, wire::Family family, PeerId peer, PeerQuota* quota, std::int64_t& counted,
                       rib::AttributeId attributes, std::vector<rib::NlriEntry<Address>>& entries, std::vector<rib::NlriEntry<Address>>& gone) {
  const std::optional<session::PrefixLimit> none;
  const auto& limit = quota != nullptr ? quota->limits[wire::index(family)] : none;
  bool limited = limit && limit->action == session::PrefixLimit::Action::discard_new;
  rib::RtSetId rt_set = shared_.provenances.provenance(shared_.attributes[attributes].provenance).rt_set;
  std::int64_t in_rt_set = quotas_.max_prefixes_per_rt_set != 0 ? refresh(rt_set) : 0;
  std::uint64_t rd = 0, in_rd = 0;
  bool rd_is_known = false;
  std::size_t kept = 0;
  for (rib::NlriEntry<Address>& entry : entries) {
    rib::AttributeId present = path_of(shared_, rib, peer, entry);
    bool moves = present == kNoId || shared_.provenances.provenance(shared_.attributes[present].provenance).rt_set != rt_set;
    bool fits = true;
    Refusal refusal = Refusal::prefix_limit;
    if (moves && quotas_.max_prefixes_per_rt_set != 0 && in_rt_set >= quotas_.max_prefixes_per_rt_set) {
      fits = false;
      refusal = Refusal::rt_set_quota;
      ++discarded_.by_rt_set;
    }
    if (fits && present == kNoId && quotas_.max_paths_per_rd != 0) {
      if (!rd_is_known || rd != entry.rd) {
        rd = entry.rd;
        auto table = rib.find_table(rd);
        in_rd = table ? rib.paths_in(*table) : 0;
        rd_is_known = true;
      }
      if (in_rd >= quotas_.max_paths_per_rd) {
        fits = false;
        refusal = Refusal::rd_quota;
        ++discarded_.by_rd;
      }
    }
    if (fits && present == kNoId && limited) {
      // A place among the peer's routes in all shards is taken here; what is counted afterwards accounts for it.
      if (quota->routes[wire::index(family)].fetch_add(1) >= limit->max_prefixes) {
        quota->routes[wire::index(family)].fetch_sub(1);
        fits = false;
        ++discarded_.by_limit;
      } else {
        ++counted;
      }
    }
    if (fits) {
      if (moves) ++in_rt_set;
      if (present == kNoId) ++in_rd;
      entries[kept++] = entry;
      continue;
    }
    note(family, peer, quota, refusal, entry);
    if ((entry.label & rib::kLabelStack) != 0) shared_.label_stacks.drop_ref(entry.label & ~rib::kLabelStack);
    if (present != kNoId) gone.push_back(entry);
  }
  entries.resize(kept);
}

template bool Admission::refuse_label_stack<Address4>(const rib::FamilyRib<Address4>&, wire::Family, PeerId, PeerQuota*, const rib::NlriEntry<Address4>&);
template bool Admission::refuse_label_stack<Address6>(const rib::FamilyRib<Address6>&, wire::Family, PeerId, PeerQuota*, const rib::NlriEntry<Address6>&);
template void Admission::filter<Address4>(rib::FamilyRib<Address4>&, wire::Family, PeerId, PeerQuota*, std::int64_t&, rib::AttributeId,
                                          std::vector<rib::NlriEntry<Address4>>&, std::vector<rib::NlriEntry<Address4>>&);
template void Admission::filter<Address6>(rib::FamilyRib<Address6>&, wire::Family, PeerId, PeerQuota*, std::int64_t&, rib::AttributeId,
                                          std::vector<rib::NlriEntry<Address6>>&, std::vector<rib::NlriEntry<Address6>>&);

}  // namespace helio::reflector

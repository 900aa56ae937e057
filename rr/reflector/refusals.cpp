#include "rr/reflector/refusals.hpp"

#include <algorithm>

namespace helio::reflector {

std::string_view refusal_name(Refusal refusal) {
  static constexpr std::string_view kNames[] = {"originator-loop", "cluster-loop", "as-loop",      "too-long",           "other-plane", "attribute-size",
                                                "prefix-limit",    "rd-quota",     "rt-set-quota", "treated-as-withdraw",
                                                "label-stacks"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Refusal::count_));
  return kNames[static_cast<std::size_t>(refusal)];
}

std::string_view refusal_text(Refusal refusal) {
  switch (refusal) {
    case Refusal::originator_loop: return "has our router id as ORIGINATOR_ID: it is our own route coming back (RFC 4456)";
    case Refusal::cluster_loop: return "has a cluster id of ours in its CLUSTER_LIST: it has been here before (RFC 4456)";
    case Refusal::as_loop: return "has our AS in its AS_PATH (RFC 4271 section 9.1.2)";
    case Refusal::too_long: return "has attributes that fit no message any more";
    case Refusal::other_plane: return "has no route target of this reflector's slice ([partition]): another plane holds it";
    case Refusal::attribute_size: return "has more attributes than limits.max-attribute-size allows";
    case Refusal::prefix_limit: return "came when the peer had reached its prefix limit (action discard-new)";
    case Refusal::rd_quota: return "came when its RD had reached limits.max-paths-per-rd";
    case Refusal::rt_set_quota: return "came when its set of route targets had reached limits.max-prefixes-per-rt-set";
    case Refusal::treated_as_withdraw: return "had a bad attribute and was treated as a withdrawal (RFC 7606); see Last update error of the peer";
    case Refusal::label_stacks: return "came when its slice had 16,777,216 different label stacks (or EVPN payloads) and no room for another";
    case Refusal::count_: break;
  }
  return "was refused";
}

std::uint64_t RefusalLog::hash_prefix(std::uint64_t rd, bool is_v6, unsigned __int128 address, unsigned length) {
  constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15;
  std::uint64_t h = (rd ^ (is_v6 ? 0x5851f42d4c957f2d : 0)) * kMix;
  for (std::uint64_t part : {static_cast<std::uint64_t>(address >> 64), static_cast<std::uint64_t>(address), std::uint64_t{length}})
    h = (h ^ h >> 29 ^ part) * kMix;
  return h ^ h >> 32;
}

std::uint64_t RefusalLog::hash_prefix(const wire::VpnPrefix& prefix) {
  unsigned __int128 address = 0;
  for (std::uint8_t octet : prefix.address) address = address << 8 | octet;
  return hash_prefix(prefix.rd.value, prefix.is_v6, address, prefix.length);
}

void RefusalLog::note(PeerId peer, Refusal refusal, std::uint64_t prefix, std::uint32_t seconds) {
  if (ring_.empty()) ring_.resize(kEntries);
  ring_[next_] = {prefix, peer, seconds, refusal};
  next_ = (next_ + 1) % kEntries;
}

void RefusalLog::note_all(PeerId peer, Refusal refusal, wire::Family family, Bytes nlri, bool has_path_id, std::uint32_t seconds) {
  bool is_v6 = family == wire::Family::vpnv6;
  wire::VpnNlriReader reader(nlri, is_v6, false, has_path_id);
  wire::VpnNlri one;
  while (reader.next(one) == wire::NlriStatus::ok) {
    unsigned octets = (one.length + 7u) / 8;
    unsigned __int128 address = 0;
    for (unsigned i = 0; i < 16; ++i) address = address << 8 | (i < octets ? one.prefix[i] : 0);
    if (one.length != 0) address &= ~static_cast<unsigned __int128>(0) << (128u - one.length);
    note(peer, refusal, hash_prefix(one.rd.value, is_v6, one.length == 0 ? 0 : address, one.length), seconds);
  }
}

std::vector<RefusalLog::Entry> RefusalLog::find(std::uint64_t prefix) const {
  std::vector<Entry> out;
  for (std::size_t n = 0; n < ring_.size(); ++n) {
    const Entry& e = ring_[(next_ + kEntries - 1 - n) % kEntries];  // the newest first
    if (e.refusal == Refusal::count_ || e.prefix != prefix) continue;
    if (std::ranges::find(out, e.peer, &Entry::peer) == out.end()) out.push_back(e);
  }
  return out;
}

}  // namespace helio::reflector

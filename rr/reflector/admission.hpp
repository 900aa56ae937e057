// Admission: which announced routes a RIB shard takes in, where there are limits (prefix-limit with discard-new, quotas
// per RD and per RT set). A route that replaces one of the same peer is always taken, unless it moves to an RT set that
// is full: then the old one goes. Everything else of an UPDATE is unhurt. One per RIB shard, its thread only.
#pragma once
#include <vector>

#include "rib/family_rib.hpp"
#include "rr/reflector/quota.hpp"
#include "rr/reflector/refusals.hpp"

namespace helio::reflector {

class Admission {
 public:
  Admission(rib::RibShared& shared, const RibQuotas& quotas, RtSetCounts& counts, RefusalLog& refusals)
      : shared_(shared), quotas_(quotas), counts_(counts), refusals_(refusals) {}

  bool has_quotas() const { return quotas_.any(); }
  // Takes what may not come in out of `entries`, and puts what has to go because of it into `gone`. `quota` may be null.
  template <class Address>
  void filter(rib::FamilyRib<Address>& rib, wire::Family family, PeerId peer, PeerQuota* quota, std::int64_t& counted,
              rib::AttributeId attributes, std::vector<rib::NlriEntry<Address>>& entries, std::vector<rib::NlriEntry<Address>>& gone);
  // A route whose label stack found no room in the store. True: the peer has one for the prefix, which has to go.
  template <class Address>
  bool refuse_label_stack(const rib::FamilyRib<Address>& rib, wire::Family family, PeerId peer, PeerQuota* quota, const rib::NlriEntry<Address>& entry);
  // An EVPN route that is longer than what is reflected.
  void refuse_long() { ++discarded_.by_length; }
  // Tells the other shards how many prefixes some of our RT sets have; all of them within a second.
  void publish(std::uint64_t now_ms);

  struct Discarded {
    std::uint64_t by_limit = 0, by_rd = 0, by_rt_set = 0, by_label_stacks = 0, by_length = 0;
  };
  const Discarded& discarded() const { return discarded_; }

 private:
  template <class Address>
  void note(wire::Family family, PeerId peer, PeerQuota* quota, Refusal refusal, const rib::NlriEntry<Address>& entry);
  struct RtSetCount {
    RtSetCounts::Count shared;
    std::uint64_t hash = 0;  // of the set: its id may be another one's by now
    std::int64_t published = 0;
  };
  // Brings the shared count up to date with ours; returns it. Null count: the set is not in use.
  std::int64_t refresh(rib::RtSetId set);

  rib::RibShared& shared_;
  RibQuotas quotas_;
  RtSetCounts& counts_;
  RefusalLog& refusals_;
  std::vector<RtSetCount> rt_sets_;  // by RtSetId
  rib::RtSetId next_ = 0;
  std::uint64_t next_round_ms_ = 0;
  Discarded discarded_;
};

}  // namespace helio::reflector

// From the canonical attributes of a path, which are in the form in which iBGP peers are sent them, back to what monitoring wants to
// see: the path as its peer announced it (Adj-RIB-In), or as it stands in the Loc-RIB. What the reflector added is taken away.
//
// Not told apart: an ORIGINATOR_ID that came without a CLUSTER_LIST (no reflector sends that) from ours; the Partial bit of unknown
// attributes; LOCAL_PREF from before RFC 8326 lowered it. The order is by type, AS_PATH has four octets per AS.
#pragma once
#include <vector>

#include "rib/family_rib.hpp"
#include "rr/reflector/rib_shard.hpp"

namespace helio::exporter {

enum class AttributeForm : std::uint8_t {
  received,  // before the import policy: eBGP routes without the LOCAL_PREF that we gave them
  in_rib     // behind it
};

// Appends the attributes, without MP_REACH. `key` is that of the set whose bytes `canonical` are.
void append_attributes(std::vector<std::uint8_t>& out, Bytes canonical, const rib::DecisionKey& key, AttributeForm form);

// Appends the NLRI of a path, with the path id in front where there is one.
template <class Address>
void append_nlri(std::vector<std::uint8_t>& out, reflector::RibShard& slice, std::uint64_t rd, const rib::PrefixKey<Address>& key, std::uint32_t label,
                 const std::uint32_t* path_id);
// The same for a withdrawal, which has no label (RFC 8277 §2.4).
template <class Address>
void append_withdrawn_nlri(std::vector<std::uint8_t>& out, reflector::RibShard& slice, std::uint64_t rd, const rib::PrefixKey<Address>& key,
                           const std::uint32_t* path_id);

}  // namespace helio::exporter

// The whole RIB as MRT records (TABLE_DUMP_V2, RFC 6396): every path of every peer as it was received, before the import policy.
// First the table of peers, whose index is the PeerId; then a RIB_GENERIC record for each NLRI of each prefix, slice by slice; then RT
// memberships. Taken in portions on the shards' threads, none of which is held for more than a millisecond: a snapshot of each
// prefix, not of the whole. Any thread but the shards'.
#pragma once
#include <string>
#include <vector>

#include "rr/export/rib_walk.hpp"
#include "rr/reflector/reflector.hpp"

namespace helio::exporter {

class RibDump {
 public:
  // Times of routes are counted from `started`, the Unix time at which the daemon came up.
  RibDump(reflector::Reflector& reflector, std::uint32_t started);
  // Goes on where another one left off; false: that is no cursor.
  bool resume(const std::string& cursor);
  std::string cursor() const;

  // Appends whole records, about `most` octets of them. False: these were the last ones.
  bool next(std::vector<std::uint8_t>& out, std::size_t most = std::size_t{256} << 10);
  std::uint32_t records() const { return sequence_; }

 private:
  void write_peers(std::vector<std::uint8_t>& out);
  bool write_slice(std::vector<std::uint8_t>& out, reflector::RibShard& slice);
  bool write_memberships(std::vector<std::uint8_t>& out);
  template <class Address>
  void write_prefix(std::vector<std::uint8_t>& out, reflector::RibShard& slice, rib::FamilyRib<Address>& rib, std::uint64_t rd, const rib::PrefixKey<Address>& key,
                    const rib::Slot& slot);

  reflector::Reflector& reflector_;
  std::uint32_t started_;
  std::uint32_t time_;                 // of the dump
  std::uint32_t step_ = 0;             // 0: the peers; then the slices, the memberships, the end
  RibPosition at_;
  std::optional<wire::RtMembership> last_membership_;
  std::uint32_t sequence_ = 0;
  std::uint32_t peers_ = 0;            // in the table
  std::vector<rib::PathRef> paths_;    // scratch
};

}  // namespace helio::exporter

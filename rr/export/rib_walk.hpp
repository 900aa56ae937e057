// A walk over all prefixes of a slice of the RIB that can be interrupted anywhere: what came and went meanwhile is met or not, by
// where it stands. On the slice's thread.
#pragma once
#include "rr/reflector/rib_shard.hpp"

namespace helio::exporter {

struct RibPosition {
  bool is_v6 = false;              // the IPv4 family comes first
  std::uint32_t table = 0;
  rib::Address6 address = 0;       // next prefix in that table
  std::uint8_t length = 0;
};

// Calls visit(family rib, rd, key, slot) for at most `limit` prefixes from `at` on, and moves it. False: that was the end.
template <class Visit>
bool walk_prefixes(reflector::RibShard& slice, RibPosition& at, std::size_t limit, Visit&& visit) {
  auto one_family = [&]<class Address>(rib::FamilyRib<Address>& rib) {
    for (; at.table < rib.table_limit(); ++at.table, at.address = 0, at.length = 0) {
      if (limit == 0) return true;
      if (!rib.has_table(at.table)) {
        --limit;
        continue;
      }
      std::uint64_t rd = rib.rd_of(at.table);
      rib::PrefixKey<Address> from{static_cast<Address>(at.address), at.length};
      bool done = rib.walk_table(at.table, from, [&](const rib::PrefixKey<Address>& key, const rib::Slot& slot, const rib::PathRef&) {
        if (limit == 0) {
          at.address = key.address;
          at.length = key.length;
          return false;
        }
        --limit;
        visit(rib, rd, key, slot);
        return true;
      });
      if (!done) return true;
    }
    return false;
  };
  if (!at.is_v6) {
    if (one_family(slice.rib4())) return true;
    at = {.is_v6 = true};
  }
  return one_family(slice.rib6());
}

}  // namespace helio::exporter

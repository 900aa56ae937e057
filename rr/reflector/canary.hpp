// The canary ([telemetry] canary): a marker route that is sent through the reflector end to end, again and again, to measure how
// long a change takes when no peer announces one. A marker goes the way of an UPDATE: from a session shard by mail to a RIB shard,
// behind all that waits there; is decoded, interned, put into a tree, decided upon and packed; comes back by mail behind all that
// was packed before it; and must then say what it said at first.
//
// The RIB that it goes through is one of its own, with the code of the real one: no table, count, journal, BMP station, MRT file or
// peer ever has the route. One per shard, on the shard's thread; none when it is off.
#pragma once
#include <optional>

#include "rr/reflector/rib_shard.hpp"

namespace helio::reflector {

class Canary {
 public:
  Canary();
  // The marker as a peer would be sent it: UPDATE messages. Empty: it got lost.
  std::vector<std::uint8_t> reflect(std::uint32_t number);
  // The number of the marker in such messages; nothing: there is none, or it is not as it was sent.
  static std::optional<std::uint32_t> number_in(Bytes messages);

  const rib::RibShared& shared() const { return rib_.shared(); }

 private:
  static std::vector<std::uint8_t> update_of(std::uint32_t number);

  ShardMailboxes mailboxes_{1};
  RibShard rib_;
  Canonicaliser canonicaliser_;
  rib::CanonicalAttributes attributes_;
  std::uint64_t serial_ = 0;
};

}  // namespace helio::reflector

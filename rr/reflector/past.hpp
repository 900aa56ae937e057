// What was true at a past moment, from the journal: a route's best path from the records of its prefix, a peer's
// memberships backwards from what they are now, a session from the last record before or the first one after. Pure.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "rib/journal.hpp"

namespace helio::reflector {

// Records of one prefix, in order, cut at the moment that is asked about.
struct PastRoute {
  enum class State : std::uint8_t {
    known,     // `record` announced it
    absent,    // there was no path
    existed,   // there was a best path, of `peer`; it is older than the journal
    as_now     // no change since: what is there now was there then
  };
  State state = State::as_now;
  std::optional<std::size_t> record;   // of the records given, the announcement in force
  PeerId peer;
  wire::IpAddress address;
};
// `before`: how many of the records are no later than the moment. `complete`: the journal began with nothing.
PastRoute route_at(std::span<const rib::JournalRecord> records, std::size_t before, bool complete);

// The memberships `now`, with the records that are later than the moment taken back.
std::vector<wire::RtMembership> memberships_at(std::vector<wire::RtMembership> now, PeerId peer, std::span<const rib::JournalRecord> later);

// The peer's sessions: `before` as above.
bool was_up(std::span<const rib::JournalRecord> records, std::size_t before, PeerId peer, bool is_up_now);

}  // namespace helio::reflector

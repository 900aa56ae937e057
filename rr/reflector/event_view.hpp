// Events as they happen: what the journal gets, read from where a listener stood. A listener that is too slow for the ring
// learns how much it missed; nobody waits for it.
#pragma once
#include "rib/journal.hpp"
#include "rr/reflector/history_view.hpp"

namespace helio::reflector {

struct EventView : HistoryEntry {
  std::optional<wire::VpnPrefix> prefix;          // of route changes
  std::optional<wire::RtMembership> membership;   // kinds membership-added, membership-removed
};

struct EventQuery {
  bool routes = true, memberships = true, events = true;  // events: sessions, limits, next hops, policies, configuration
  std::optional<wire::IpAddress> peer;            // that announced, had announced, asked, came or went
  std::optional<wire::RouteDistinguisher> rd;
  std::optional<wire::RouteTarget> rt;            // of the route, or asked for
  std::optional<wire::VpnPrefix> prefix;
};

// Where a listener stands, by shard. Empty: at the end of what there is.
struct EventCursor {
  std::vector<rib::JournalCursor> shards;
};

struct EventBatch {
  bool kept = true;                               // false: there is no journal
  std::vector<EventView> events;                  // of each shard in order; all together by time
  std::uint64_t lost = 0;                         // changes and events that were dropped before they were looked at
  bool more = false;                              // there is more to read at once
};

}  // namespace helio::reflector

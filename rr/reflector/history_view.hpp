// What the journal tells, for views: the changes of a prefix in order, and what was true at a past moment.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rr/reflector/explain_view.hpp"
#include "rr/reflector/route_view.hpp"

namespace helio::reflector {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// How far back the journal reaches, of the shard or shards that were asked.
struct JournalReach {
  bool kept = false;                        // false: [journal] memory = 0
  bool complete = true;                     // nothing was dropped since the start
  std::optional<WallTime> since;            // of the oldest record; nothing: it is empty
  std::uint64_t changes = 0, events = 0;    // best-path changes; sessions, memberships and the like
  std::uint64_t bytes = 0, capacity = 0;
};

struct HistoryEntry {
  WallTime time;
  std::string kind;                         // announced, changed, moved, withdrawn; peer-up, peer-down, ...
  std::string cause;                        // update, purge, next-hop, policy; empty for events
  std::string text;                         // a sentence
  std::optional<wire::IpAddress> from;      // the best path's peer; of events: the peer
  std::optional<wire::IpAddress> previous;  // the best path's peer before
  std::uint32_t paths = 0;                  // of the prefix, after it
  std::optional<PathView> path;             // the best path, as announced then
};

struct HistoryView {
  wire::VpnPrefix prefix;
  JournalReach journal;
  std::vector<HistoryEntry> entries;        // in order of time
};

struct PastExplanation {
  wire::VpnPrefix prefix;
  WallTime at, now;
  JournalReach journal;
  bool known = false;                       // false: `text` says why not
  std::string text;                         // what the route was then
  std::string state;                        // best, unusable, absent, existed; empty when not known
  std::optional<wire::IpAddress> from;
  std::optional<WallTime> since;            // the best path was that from then on; nothing: from before the journal
  std::optional<PathView> path;
  std::uint32_t paths = 0;
  std::optional<wire::IpAddress> to;
  std::string verdict;                      // of `to`: to-be-sent, not-to-be-sent, unknown
  std::string reason;
  std::vector<ExplainStep> steps;
  std::vector<std::string> not_known;       // what the journal does not have
};

}  // namespace helio::reflector

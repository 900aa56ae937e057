// Counters that shards and sessions keep for themselves to the telemetry board, on the control thread: reads of relaxed
// atomics and of what the session manager tells anyway. The fields of the board that are written here have the control
// thread as their one writer.
#pragma once
#include "rr/reflector/counters.hpp"
#include "rr/session/session_manager.hpp"
#include "telemetry/counters.hpp"

namespace helio::control {

// update_errors, suppressed, rib_prefixes, rib_paths, best_changes, decisions, attribute_sets.
void carry_counters(const reflector::ShardCounters& from, telemetry::ShardCounters& to);

// Connections refused; of the whole daemon, so to one shard's counters.
void carry_refused(const session::AcceptCounters& from, telemetry::ShardCounters& to);
// Lines that the log does not have.
void carry_log(std::uint64_t limited, std::uint64_t overrun, telemetry::ShardCounters& to);
void carry_bfd(const session::BfdCounters& from, telemetry::ShardCounters& to);

}  // namespace helio::control

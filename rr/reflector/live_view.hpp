// What live views show: churn by route target, what RDs and shards hold.
#pragma once
#include <chrono>
#include <cstdint>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::reflector {

struct ChurnView {
  struct Target {
    wire::RouteTarget rt;
    std::uint64_t changes = 0;              // of best paths that carry it
  };
  bool kept = false;                        // there is a journal
  bool complete = true;                     // nothing was passed over
  std::vector<Target> route_targets;        // the busiest first
};

struct RdView {
  wire::RouteDistinguisher rd;
  wire::Family family = wire::Family::vpnv4;
  std::uint64_t paths = 0;
  std::uint32_t shards = 0;                 // that hold a part of it
};
struct RdPage {
  std::uint64_t total = 0;
  std::vector<RdView> rds;                  // by number
};

struct ShardView {
  std::uint64_t prefixes = 0, paths = 0, best_changes = 0, attribute_sets = 0, memory_bytes = 0, turns = 0, updates_in = 0, walks = 0;
  std::uint64_t mailbox_bytes = 0;          // from other shards, not yet taken
  std::uint64_t output_bytes = 0;           // made and not yet sent by all
  std::uint32_t peers = 0;                  // established
  std::chrono::nanoseconds busy{0};         // processor time of its thread
};

}  // namespace helio::reflector

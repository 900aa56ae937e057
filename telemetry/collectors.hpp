// From the board to metric families, at the moment of a scrape and on its thread; one collector per area. The names are
// those of ECOSYSTEM §1.2, held by tests/golden/metrics.txt.
#pragma once
#include <prometheus/collectable.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "telemetry/board.hpp"

namespace helio::telemetry {

enum class PerPeer : std::uint8_t { off, essential, full };

// The cardinality guard; may change while scrapes run.
struct PeerSeriesLimits {
  std::atomic<PerPeer> per_peer{PerPeer::essential};
  std::atomic<std::uint64_t> max_series{200'000};
};

struct Build {
  std::string version, commit, compiler, allocator;
};

// All of them keep the board alive.
using Collector = std::shared_ptr<prometheus::Collectable>;
// build_info, allocator_bytes, process_*.
Collector make_process_collector(Build build);
// ready, converged, config_*, peers, route_targets, encoding_classes, rib_memory_bytes.
Collector make_daemon_collector(std::shared_ptr<const Board> board);
// messages, bytes, notifications, closes, update errors, suppressed, refused, rib_*, loops.
Collector make_shard_collector(std::shared_ptr<const Board> board);
// peer_*, telemetry_series_dropped.
Collector make_peer_collector(std::shared_ptr<const Board> board, std::shared_ptr<const PeerSeriesLimits> limits);
// All of the above as one, and scrape_duration_seconds.
Collector make_collector(Build build, const std::shared_ptr<const Board>& board, std::shared_ptr<const PeerSeriesLimits> limits);

}  // namespace helio::telemetry

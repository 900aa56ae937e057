// The counters of the shards: summed over shards where the shard does not matter, per shard where it does.
#include <numeric>

#include "telemetry/collectors.hpp"
#include "telemetry/families.hpp"

namespace helio::telemetry {
namespace {

constexpr const char* kDirectionNames[kDirections] = {"in", "out"};
constexpr const char* kMessageNames[ShardCounters::kMessageTypes] = {"other",        "open",      "update",
                                                                     "notification", "keepalive", "route_refresh"};
constexpr std::size_t kUpdate = 2;
constexpr const char* kActionNames[ShardCounters::kUpdateActions] = {"discard", "withdraw", "disable_family", "reset"};
constexpr const char* kSuppressedNames[] = {"originator_loop", "cluster_loop", "as_loop", "other_plane"};
constexpr const char* kDiscardedNames[] = {"prefix_limit", "rd_quota", "rt_set_quota", "attribute_size", "message_size", "label_stacks"};
constexpr const char* kRefusedNames[] = {"stranger", "range_full", "rate", "memory", "wrong_address",
                                         "pending",  "superseded", "busy", "held", "ttl"};
constexpr const char* kLogLostNames[] = {"limited", "overrun"};

class ShardCollector : public prometheus::Collectable {
 public:
  explicit ShardCollector(std::shared_ptr<const Board> board) : board_(std::move(board)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    add_messages(out);
    add_errors(out);
    add_rib(out);
    add_loops(out);
    add_latency(out);
    add_canary(out);
    return out;
  }

 private:
  // Over all shards: pick(counters) is a Counter or Gauge.
  template <class Pick>
  double sum(Pick pick) const {
    std::uint64_t total = 0;
    for (std::size_t shard = 0; shard < board_->shards(); ++shard) total += pick(board_->counters(shard)).get();
    return static_cast<double>(total);
  }

  void add_messages(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder messages = counter("messages_total", "BGP messages by direction and type.");
    FamilyBuilder bytes = counter("bytes_total", "Octets of BGP messages by direction and type.");
    for (std::size_t d = 0; d < kDirections; ++d) {
      for (std::size_t type = 1; type < ShardCounters::kMessageTypes; ++type) {
        LabelList labels = {{"direction", kDirectionNames[d]}, {"type", kMessageNames[type]}};
        // UPDATEs sent are counted in octets only.
        if (d != static_cast<std::size_t>(Direction::out) || type != kUpdate)
          messages.add(labels, sum([&](const auto& c) -> const Counter& { return c.messages[d][type]; }));
        bytes.add(std::move(labels), sum([&](const auto& c) -> const Counter& { return c.bytes[d][type]; }));
      }
    }
    messages.finish(out);
    bytes.finish(out);
  }

  void add_errors(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder notifications = counter("notifications_total", "NOTIFICATION messages by direction, code and subcode.");
    for (std::size_t d = 0; d < kDirections; ++d)
      for (std::size_t code = 0; code < ShardCounters::kErrorCodes; ++code)
        for (std::size_t sub = 0; sub < ShardCounters::kErrorSubcodes; ++sub)
          if (double n = sum([&](const auto& c) -> const Counter& { return c.notifications[d][code][sub]; }); n > 0)
            notifications.add({{"direction", kDirectionNames[d]}, {"code", std::to_string(code)}, {"subcode", std::to_string(sub)}}, n);
    notifications.finish(out);

    FamilyBuilder closes = counter("session_closes_total", "Sessions, and sessions on their way up, that ended, by reason.");
    const auto& reasons = board_->labels().close_reasons;
    for (std::size_t i = 0; i < std::min(reasons.size(), ShardCounters::kReasons); ++i)
      closes.add({{"reason", reasons[i]}}, sum([&](const auto& c) -> const Counter& { return c.session_closes[i]; }));
    closes.finish(out);

    FamilyBuilder errors = counter("update_errors_total", "Errors in UPDATE messages by what was done about them (RFC 7606).");
    for (std::size_t action = 0; action < ShardCounters::kUpdateActions; ++action)
      for (std::size_t type = 0; type < ShardCounters::kAttributes; ++type)
        if (double n = sum([&](const auto& c) -> const Counter& { return c.update_errors[action][type]; }); n > 0)
          errors.add({{"action", kActionNames[action]}, {"attribute", attribute(static_cast<std::uint8_t>(type))}}, n);
    errors.finish(out);

    FamilyBuilder suppressed = counter("reflection_suppressed_total", "UPDATE messages whose routes were not taken in because they came back, by the loop check that told.");
    for (std::size_t i = 0; i < std::size(kSuppressedNames); ++i)
      suppressed.add({{"reason", kSuppressedNames[i]}}, sum([&](const auto& c) -> const Counter& { return c.suppressed[i]; }));
    suppressed.finish(out);

    FamilyBuilder unwanted = counter("routes_discarded_total", "Routes that were not taken in because a limit was reached, by limit.");
    for (std::size_t i = 0; i < std::size(kDiscardedNames); ++i)
      unwanted.add({{"reason", kDiscardedNames[i]}}, sum([&](const auto& c) -> const Counter& { return c.discarded[i]; }));
    unwanted.finish(out);
    FamilyBuilder oversize = counter("oversize_updates_total", "UPDATEs whose attributes fit no message of 4096 octets: their routes go to peers with extended messages alone (RFC 8654).");
    oversize.add({}, sum([](const auto& c) -> const Counter& { return c.oversize_updates; }));
    oversize.finish(out);

    FamilyBuilder refused = counter("connections_refused_total", "Connections that were not taken, by reason.");
    for (std::size_t i = 0; i < std::size(kRefusedNames); ++i)
      refused.add({{"reason", kRefusedNames[i]}}, sum([&](const auto& c) -> const Counter& { return c.refused[i]; }));
    refused.finish(out);
    FamilyBuilder exhausted = counter("descriptors_exhausted_total", "Times that there was no descriptor for a connection.");
    exhausted.add({}, sum([](const auto& c) -> const Counter& { return c.descriptors_exhausted; }));
    exhausted.finish(out);
    FamilyBuilder lines = counter("log_lost_lines_total", "Lines that are not in the log: too many of their cause, or its reader did not keep up.");
    for (std::size_t i = 0; i < std::size(kLogLostNames); ++i)
      lines.add({{"reason", kLogLostNames[i]}}, sum([&](const auto& c) -> const Counter& { return c.log_lost[i]; }));
    lines.finish(out);

    FamilyBuilder bfd = counter("bfd_packets_total", "BFD Control packets by direction.");
    for (std::size_t d = 0; d < kDirections; ++d)
      bfd.add({{"direction", kDirectionNames[d]}}, sum([&](const auto& c) -> const Counter& { return c.bfd_packets[d]; }));
    bfd.finish(out);
    FamilyBuilder refused_memberships = counter("memberships_refused_total", "RT membership routes that an import policy did not accept.");
    refused_memberships.add({}, sum([](const auto& c) -> const Counter& { return c.memberships_refused; }));
    refused_memberships.finish(out);
    FamilyBuilder discarded = counter("bfd_discarded_packets_total", "BFD Control packets received that were malformed or of no session.");
    discarded.add({}, sum([](const auto& c) -> const Counter& { return c.bfd_discarded; }));
    FamilyBuilder denied = counter("system_calls_denied_total", "System calls that the seccomp filter refused: a fault in heliod, or someone in it.");
    denied.add({}, sum([](const auto& c) -> const Counter& { return c.denied_system_calls; }));
    discarded.finish(out);
    denied.finish(out);
  }

  void add_rib(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder prefixes = gauge("rib_prefixes", "Prefixes in the RIB.");
    FamilyBuilder paths = gauge("rib_paths", "Paths in the RIB.");
    FamilyBuilder stale = gauge("rib_stale_paths", "Paths in the RIB that are kept over the restart of their peer (RFC 4724, RFC 9494).");
    FamilyBuilder changes = counter("rib_best_changes_total", "Best path transitions.");
    FamilyBuilder decisions = counter("rib_decisions_total", "Best path selections.");
    FamilyBuilder sets = gauge("rib_attribute_sets", "Attribute sets that are different from each other.");
    const Labels& names = board_->labels();
    for (std::size_t shard = 0; shard < board_->shards(); ++shard) {
      const ShardCounters& c = board_->counters(shard);
      std::string id = std::to_string(shard);
      for (std::size_t f = 0; f < std::min(names.families.size(), ShardCounters::kFamilies); ++f) {
        LabelList labels = {{"family", names.families[f]}, {"shard", id}};
        prefixes.add(labels, static_cast<double>(c.rib_prefixes[f].get()));
        paths.add(labels, static_cast<double>(c.rib_paths[f].get()));
        stale.add(labels, static_cast<double>(c.rib_stale_paths[f].get()));
        changes.add(labels, static_cast<double>(c.best_changes[f].get()));
      }
      sets.add({{"shard", id}}, static_cast<double>(c.attribute_sets.get()));
      decisions.add({{"shard", id}}, static_cast<double>(c.decisions.get()));
    }
    for (FamilyBuilder* family : {&prefixes, &paths, &stale, &changes, &decisions, &sets}) family->finish(out);
  }

  // Over all shards.
  void add_latency(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder latency = histogram("reflect_latency_seconds", "From an UPDATE read from a socket to its routes written to another, by stage; measured once per turn and write.");
    const Labels& names = board_->labels();
    for (std::size_t stage = 0; stage < std::min(names.latency_stages.size(), ShardCounters::kLatencyStages); ++stage) {
      std::vector<std::uint64_t> counts(names.latency_bounds.size() + 1);
      std::uint64_t sum_us = 0;
      for (std::size_t shard = 0; shard < board_->shards(); ++shard) {
        const ShardCounters& c = board_->counters(shard);
        for (std::size_t i = 0; i < std::min(counts.size(), ShardCounters::kLatencyBuckets); ++i) counts[i] += c.latency[stage][i].get();
        sum_us += c.latency_sum_us[stage].get();
      }
      latency.add_histogram({{"stage", names.latency_stages[stage]}}, names.latency_bounds, counts, static_cast<double>(sum_us) * 1e-6);
    }
    latency.finish(out);
  }

  void add_canary(std::vector<prometheus::MetricFamily>& out) const {
    const Labels& names = board_->labels();
    std::vector<std::uint64_t> counts(names.latency_bounds.size() + 1);
    std::uint64_t sum_us = 0;
    for (std::size_t shard = 0; shard < board_->shards(); ++shard) {
      const ShardCounters& c = board_->counters(shard);
      for (std::size_t i = 0; i < std::min(counts.size(), ShardCounters::kLatencyBuckets); ++i) counts[i] += c.canary[i].get();
      sum_us += c.canary_sum_us.get();
    }
    FamilyBuilder delay = histogram("canary_delay_seconds", "From the control thread through a shard, the RIB of the next one and back; empty without [telemetry] canary.");
    delay.add_histogram({}, names.latency_bounds, counts, static_cast<double>(sum_us) * 1e-6);
    delay.finish(out);
    FamilyBuilder markers = counter("canary_markers_total", "Markers of the canary: back before the next one, late, or back with something else in them.");
    markers.add({{"result", "in_time"}}, sum([](const auto& c) -> const Counter& { return c.canary_in_time; }));
    markers.add({{"result", "late"}}, sum([](const auto& c) -> const Counter& { return c.canary_late; }));
    markers.add({{"result", "wrong"}}, sum([](const auto& c) -> const Counter& { return c.canary_wrong; }));
    markers.finish(out);
  }

  void add_loops(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder busy = counter("loop_busy_seconds_total", "Processor time of a shard's thread.");
    for (std::size_t shard = 0; shard < board_->shards(); ++shard)
      busy.add({{"thread", "shard-" + std::to_string(shard)}}, static_cast<double>(board_->counters(shard).loop_busy_ns.get()) * 1e-9);
    busy.finish(out);
  }

  std::string attribute(std::uint8_t type) const {
    return board_->labels().attribute ? board_->labels().attribute(type) : std::to_string(type);
  }

  std::shared_ptr<const Board> board_;
};

}  // namespace

Collector make_shard_collector(std::shared_ptr<const Board> board) {
  return std::make_shared<ShardCollector>(std::move(board));
}

}  // namespace helio::telemetry

// The counters of the shards: summed over shards where the shard does not matter, per shard where it does.
#include <numeric>

#include "telemetry/collectors.hpp"
#include "telemetry/families.hpp"

namespace helio::telemetry {
namespace {

constexpr const char* kDirectionNames[kDirections] = {"in", "out"};
constexpr const char* kMessageNames[ShardCounters::kMessageTypes] = {"other",        "open",      "update",
                                                                     "notification", "keepalive", "route_refresh"};
constexpr const char* kActionNames[ShardCounters::kUpdateActions] = {"discard", "withdraw", "disable_family", "reset"};
constexpr const char* kSuppressedNames[] = {"originator_loop", "cluster_loop",   "as_loop",
                                               "non_client",      "no_rt_interest", "policy"};
constexpr const char* kStageNames[] = {"decode", "queue", "decide", "encode", "write", "total"};

class ShardCollector : public prometheus::Collectable {
 public:
  explicit ShardCollector(std::shared_ptr<const Board> board) : board_(std::move(board)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    add_messages(out);
    add_errors(out);
    add_rib(out);
    add_latencies(out);
    add_loops(out);
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

    FamilyBuilder closes = counter("session_closes_total", "Sessions that ended, by reason.");
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

    FamilyBuilder suppressed = counter("reflection_suppressed_total", "Routes not sent to a peer, by reason.");
    for (std::size_t i = 0; i < std::size(kSuppressedNames); ++i)
      suppressed.add({{"reason", kSuppressedNames[i]}}, sum([&](const auto& c) -> const Counter& { return c.suppressed[i]; }));
    suppressed.finish(out);
  }

  void add_rib(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder prefixes = gauge("rib_prefixes", "Prefixes in the RIB.");
    FamilyBuilder paths = gauge("rib_paths", "Paths in the RIB.");
    FamilyBuilder changes = counter("rib_best_changes_total", "Best path transitions.");
    FamilyBuilder decisions = counter("rib_decisions_total", "Best path selections by the step that decided.");
    FamilyBuilder sets = gauge("rib_attribute_sets", "Attribute sets that are different from each other.");
    FamilyBuilder refs = gauge("rib_attribute_refs", "Paths that use them; the ratio is how much sharing saves.");
    const Labels& names = board_->labels();
    for (std::size_t shard = 0; shard < board_->shards(); ++shard) {
      const ShardCounters& c = board_->counters(shard);
      std::string id = std::to_string(shard);
      for (std::size_t f = 0; f < std::min(names.families.size(), ShardCounters::kFamilies); ++f) {
        LabelList labels = {{"family", names.families[f]}, {"shard", id}};
        prefixes.add(labels, static_cast<double>(c.rib_prefixes[f].get()));
        paths.add(labels, static_cast<double>(c.rib_paths[f].get()));
        changes.add(labels, static_cast<double>(c.best_changes[f].get()));
        for (std::size_t i = 0; i < std::min(names.decision_reasons.size(), ShardCounters::kReasons); ++i) {
          std::uint64_t n = c.decisions[f][i].get();
          if (n == 0) continue;
          LabelList with_reason = labels;
          with_reason.push_back({"reason", names.decision_reasons[i]});
          decisions.add(std::move(with_reason), static_cast<double>(n));
        }
      }
      sets.add({{"shard", id}}, static_cast<double>(c.attribute_sets.get()));
      // Not every store counts its references; zero would be a wrong answer.
      if (std::uint64_t n = c.attribute_refs.get()) refs.add({{"shard", id}}, static_cast<double>(n));
    }
    for (FamilyBuilder* family : {&prefixes, &paths, &changes, &decisions, &sets, &refs}) family->finish(out);
  }

  // Sums a histogram over all shards.
  template <class Pick>
  void merge(FamilyBuilder& family, LabelList labels, Pick pick, double scale) const {
    using H = std::remove_cvref_t<decltype(pick(board_->counters(0)))>;
    std::array<std::uint64_t, H::kBuckets + 1> counts{};
    std::uint64_t total = 0;
    for (std::size_t shard = 0; shard < board_->shards(); ++shard) {
      const auto& h = pick(board_->counters(shard));
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += h.count(i);
      total += h.sum();
    }
    family.add_histogram(std::move(labels), H::bounds(), counts, total, scale);
  }

  void add_latencies(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder latency = histogram("reflect_latency_seconds", "From socket to socket, by stage.");
    for (std::size_t stage = 0; stage < std::size(kStageNames); ++stage)
      merge(latency, {{"stage", kStageNames[stage]}},
            [&](const auto& c) -> const LatencyHistogram& { return c.reflect_latency[stage]; }, 1e-9);
    latency.finish(out);
    FamilyBuilder packing = histogram("nlri_per_update", "Prefixes of an UPDATE message.");
    for (std::size_t d = 0; d < kDirections; ++d)
      merge(packing, {{"direction", kDirectionNames[d]}},
            [&](const auto& c) -> const PackingHistogram& { return c.nlri_per_update[d]; }, 1);
    packing.finish(out);
  }

  void add_loops(std::vector<prometheus::MetricFamily>& out) const {
    FamilyBuilder busy = counter("loop_busy_seconds_total", "Time a shard's thread was working.");
    FamilyBuilder lag = histogram("loop_lag_seconds", "Time between being ready to run and running.");
    FamilyBuilder depth = gauge("shard_queue_depth", "Messages waiting for a shard.");
    FamilyBuilder full = counter("shard_queue_full_total", "Times a queue to a shard was full and the sender waited.");
    for (std::size_t shard = 0; shard < board_->shards(); ++shard) {
      const ShardCounters& c = board_->counters(shard);
      std::string id = std::to_string(shard);
      busy.add({{"thread", "shard-" + id}}, static_cast<double>(c.loop_busy_ns.get()) * 1e-9);
      std::array<std::uint64_t, LatencyHistogram::kBuckets + 1> counts{};
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = c.loop_lag.count(i);
      lag.add_histogram({{"thread", "shard-" + id}}, LatencyHistogram::bounds(), counts, c.loop_lag.sum(), 1e-9);
      depth.add({{"shard", id}}, static_cast<double>(c.queue_depth.get()));
      full.add({{"shard", id}}, static_cast<double>(c.queue_full.get()));
    }
    for (FamilyBuilder* family : {&busy, &lag, &depth, &full}) family->finish(out);
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

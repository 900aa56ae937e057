#include "telemetry/collectors.hpp"

#include <chrono>
#include <iterator>

#include "telemetry/families.hpp"

namespace helio::telemetry {
namespace {

class AllCollectors : public prometheus::Collectable {
 public:
  explicit AllCollectors(std::vector<Collector> parts) : parts_(std::move(parts)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    auto start = std::chrono::steady_clock::now();
    std::vector<prometheus::MetricFamily> out;
    for (const Collector& part : parts_) {
      auto families = part->Collect();
      out.insert(out.end(), std::make_move_iterator(families.begin()), std::make_move_iterator(families.end()));
    }
    FamilyBuilder duration = gauge("scrape_duration_seconds", "Time it took to collect these metrics, without writing them.");
    duration.add({}, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    duration.finish(out);
    return out;
  }

 private:
  std::vector<Collector> parts_;
};

}  // namespace

Collector make_collector(Build build, const std::shared_ptr<const Board>& board, std::shared_ptr<const PeerSeriesLimits> limits) {
  return std::make_shared<AllCollectors>(std::vector<Collector>{
      make_process_collector(std::move(build)), make_daemon_collector(board), make_shard_collector(board),
      make_peer_collector(board, std::move(limits))});
}

}  // namespace helio::telemetry

// Building metric families by hand: what prometheus::Collectable wants, without copying label texts twice.
#pragma once
#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace helio::telemetry {

using LabelList = std::vector<prometheus::ClientMetric::Label>;

// One metric with all its series; the name is given without the prefix "heliograph_" unless it is a standard one.
class FamilyBuilder {
 public:
  enum class Type : std::uint8_t { counter, gauge, histogram };
  FamilyBuilder(std::string name, Type type, std::string help);

  void add(LabelList labels, double value);
  // `counts`: what fell into each bucket, one more than there are bounds.
  void add_histogram(LabelList labels, const std::vector<double>& bounds, const std::vector<std::uint64_t>& counts, double sum);
  std::size_t series() const { return family_.metric.size(); }
  // Moves the family out; a family without series is dropped.
  void finish(std::vector<prometheus::MetricFamily>& out);

 private:
  prometheus::MetricFamily family_;
};

inline FamilyBuilder counter(std::string name, std::string help) {
  return {"heliograph_" + std::move(name), FamilyBuilder::Type::counter, std::move(help)};
}
inline FamilyBuilder gauge(std::string name, std::string help) {
  return {"heliograph_" + std::move(name), FamilyBuilder::Type::gauge, std::move(help)};
}

inline FamilyBuilder histogram(std::string name, std::string help) {
  return {"heliograph_" + std::move(name), FamilyBuilder::Type::histogram, std::move(help)};
}

}  // namespace helio::telemetry

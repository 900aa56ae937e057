#include "telemetry/families.hpp"

#include <limits>

namespace helio::telemetry {

FamilyBuilder::FamilyBuilder(std::string name, Type type, std::string help) {
  family_.name = std::move(name);
  family_.help = std::move(help);
  switch (type) {
    case Type::counter: family_.type = prometheus::MetricType::Counter; break;
    case Type::gauge: family_.type = prometheus::MetricType::Gauge; break;
    case Type::histogram: family_.type = prometheus::MetricType::Histogram; break;
  }
}

void FamilyBuilder::add(LabelList labels, double value) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  metric.label = std::move(labels);
  metric.counter.value = metric.gauge.value = value;
}

void FamilyBuilder::add_histogram(LabelList labels, std::span<const std::uint64_t> bounds,
                                  std::span<const std::uint64_t> counts, std::uint64_t sum, double scale) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  metric.label = std::move(labels);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    double bound = i < bounds.size() ? static_cast<double>(bounds[i]) * scale : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({total, bound});
  }
  metric.histogram.sample_count = total;
  metric.histogram.sample_sum = static_cast<double>(sum) * scale;
}

void FamilyBuilder::finish(std::vector<prometheus::MetricFamily>& out) {
  if (!family_.metric.empty()) out.push_back(std::move(family_));
}

}  // namespace helio::telemetry

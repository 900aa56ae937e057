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

void FamilyBuilder::add_histogram(LabelList labels, const std::vector<double>& bounds, const std::vector<std::uint64_t>& counts, double sum) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  metric.label = std::move(labels);
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    up_to += counts[i];
    metric.histogram.bucket.push_back({up_to, i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity()});
  }
  metric.histogram.sample_count = up_to;
  metric.histogram.sample_sum = sum;
}

void FamilyBuilder::finish(std::vector<prometheus::MetricFamily>& out) {
  if (!family_.metric.empty()) out.push_back(std::move(family_));
}

}  // namespace helio::telemetry

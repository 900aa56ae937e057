#include "telemetry/families.hpp"

namespace helio::telemetry {

FamilyBuilder::FamilyBuilder(std::string name, Type type, std::string help) {
  family_.name = std::move(name);
  family_.help = std::move(help);
  switch (type) {
    case Type::counter: family_.type = prometheus::MetricType::Counter; break;
    case Type::gauge: family_.type = prometheus::MetricType::Gauge; break;
  }
}

void FamilyBuilder::add(LabelList labels, double value) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  metric.label = std::move(labels);
  metric.counter.value = metric.gauge.value = value;
}

void FamilyBuilder::finish(std::vector<prometheus::MetricFamily>& out) {
  if (!family_.metric.empty()) out.push_back(std::move(family_));
}

}  // namespace helio::telemetry

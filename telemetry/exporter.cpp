#include "telemetry/exporter.hpp"

#include <fmt/format.h>
#include <prometheus/exposer.h>

namespace helio::telemetry {

Result<std::unique_ptr<Exporter>, std::string> Exporter::start(const std::string& address, std::uint16_t port,
                                                               Collector collector) {
  bool is_v6 = address.find(':') != std::string::npos;
  std::string endpoint = fmt::format("{}{}{}:{}", is_v6 ? "[" : "", address, is_v6 ? "]" : "", port);
  try {
    // A connection that says nothing holds a thread for a second, and is not kept for another request.
    std::vector<std::string> options = {"listening_ports", endpoint, "num_threads", "8", "request_timeout_ms", "1000", "enable_keep_alive", "no"};
    auto exposer = std::make_unique<prometheus::Exposer>(std::move(options));
    return std::unique_ptr<Exporter>(new Exporter(std::move(exposer), std::move(collector)));
  } catch (const std::exception& error) {
    // The library says no more than that it failed; nearly always the port is taken.
    return Unexpected(fmt::format("metrics on {}: {} (is the port in use?)", endpoint, error.what()));
  }
}

Exporter::Exporter(std::unique_ptr<prometheus::Exposer> exposer, Collector collector)
    : collector_(std::move(collector)), exposer_(std::move(exposer)) {
  exposer_->RegisterCollectable(collector_);
}

Exporter::~Exporter() = default;

std::uint16_t Exporter::port() const {
  auto ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : static_cast<std::uint16_t>(ports[0]);
}

}  // namespace helio::telemetry

// The HTTP side of telemetry: /metrics for Prometheus, on threads of its own. Plain HTTP only: TLS of the library
// crashes with OpenSSL 3 on Debian 12, a reverse proxy does that better.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "rr/base/result.hpp"
#include "telemetry/collectors.hpp"

namespace prometheus {
class Exposer;
}

namespace helio::telemetry {

class Exporter {
 public:
  // `address`: IPv4, or IPv6 without brackets. The error is a sentence for the operator.
  static Result<std::unique_ptr<Exporter>, std::string> start(const std::string& address, std::uint16_t port, Collector collector);
  ~Exporter();
  std::uint16_t port() const;  // the real one, when 0 was asked for

 private:
  Exporter(std::unique_ptr<prometheus::Exposer> exposer, Collector collector);
  Collector collector_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace helio::telemetry

// All routes that a query selects, as lines of JSON: a slice of the RIB at a time, whatever their number.
#pragma once
#include "rr/control/api.hpp"

namespace helio::control {

class RouteStream final : public ApiStream {
 public:
  RouteStream(reflector::StateSource& state, reflector::RouteQuery query) : state_(state), query_(std::move(query)) { query_.limit = kSlice; }
  State next(std::string& out) override;

 private:
  static constexpr std::uint32_t kSlice = 200;
  reflector::StateSource& state_;
  reflector::RouteQuery query_;
};

}  // namespace helio::control

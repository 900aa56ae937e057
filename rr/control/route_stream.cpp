#include "rr/control/route_stream.hpp"

#include "rr/control/json_text.hpp"

namespace helio::control {

ApiStream::State RouteStream::next(std::string& out) {
  reflector::RoutePage page = state_.routes(query_);
  for (const reflector::RouteView& route : page.routes) out += to_text(route_json(route)) + "\n";
  query_.cursor = std::move(page.cursor);
  return query_.cursor.empty() ? State::end : State::more;
}

}  // namespace helio::control

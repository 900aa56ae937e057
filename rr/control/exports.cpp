#include "rr/control/exports.hpp"

#include <boost/json.hpp>

#include "rr/control/json_text.hpp"

namespace helio::control {

namespace json = boost::json;

json::value bmp_json(const std::vector<BmpStationView>& views) {
  json::array stations;
  for (const BmpStationView& view : views) {
    json::array policies;
    for (const std::string& policy : view.policies) policies.push_back(json::value(policy));
    stations.push_back({{"address", wire::format_ip(view.address)},
                        {"port", view.port},
                        {"policies", std::move(policies)},
                        {"state", view.state},
                        {"state_seconds", view.state_seconds},
                        {"sessions", view.sessions},
                        {"messages", view.messages},
                        {"bytes", view.bytes},
                        {"dropped_messages", view.dropped_messages},
                        {"overflows", view.overflows},
                        {"queue_bytes", view.queue_bytes},
                        {"queue_limit_bytes", view.queue_limit_bytes},
                        {"last_error", text_or_null(view.last_error)}});
  }
  return {{"stations", std::move(stations)}};
}

json::value mrt_json(const std::optional<MrtView>& view) {
  if (!view) return {{"configured", false}};
  return {{"configured", true},
          {"directory", view->directory},
          {"rib_dump_interval", view->rib_dump_interval},
          {"updates", view->updates},
          {"rib_dumps", view->rib_dumps},
          {"update_files", view->update_files},
          {"records", view->records},
          {"bytes", view->bytes},
          {"dropped_messages", view->dropped_messages},
          {"write_errors", view->write_errors},
          {"last_dump", text_or_null(view->last_dump)},
          {"last_dump_at", view->last_dump_at},
          {"last_dump_seconds", view->last_dump_seconds},
          {"error", text_or_null(view->error)}};
}

}  // namespace helio::control

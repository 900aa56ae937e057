// API answers to what a terminal shows: the columns of ECOSYSTEM §4.
#pragma once
#include <boost/json/value.hpp>
#include <string>

namespace helio::ctl {

struct RenderOptions {
  bool wide = false;
  bool headers = true;
  bool detail = false;
};

std::string render_summary(const boost::json::value& answer, const RenderOptions& options);
std::string render_peers(const boost::json::value& answer, const RenderOptions& options);
std::string render_peer(const boost::json::value& answer);
std::string render_routes(const boost::json::value& answer, const RenderOptions& options);
std::string render_explanation(const boost::json::value& answer, const RenderOptions& options);
std::string render_groups(const boost::json::value& answer, const RenderOptions& options);
std::string render_rds(const boost::json::value& answer, const RenderOptions& options);
std::string render_shards(const boost::json::value& answer, const RenderOptions& options);
std::string render_history(const boost::json::value& answer);
std::string render_past_explanation(const boost::json::value& answer);
std::string render_rt_explanation(const boost::json::value& answer);
std::string render_diagnosis(const boost::json::value& answer);
std::string render_route_targets(const boost::json::value& answer, const RenderOptions& options);
std::string render_memberships(const boost::json::value& answer, const RenderOptions& options);
std::string render_memory(const boost::json::value& answer, const RenderOptions& options);
std::string render_latency(const boost::json::value& answer, const RenderOptions& options);
std::string render_policies(const boost::json::value& answer, const RenderOptions& options);
std::string render_encoding_classes(const boost::json::value& answer, const RenderOptions& options);
std::string render_bmp(const boost::json::value& answer, const RenderOptions& options);
std::string render_mrt(const boost::json::value& answer);
std::string render_legacy_peers(const boost::json::value& answer, const RenderOptions& options);
std::string render_next_hops(const boost::json::value& answer, const RenderOptions& options);
std::string render_config_report(const boost::json::value& answer, const RenderOptions& options);
std::string render_config(const boost::json::value& answer);
std::string render_version(const boost::json::value& answer);
std::string render_health(const boost::json::value& answer);

}  // namespace helio::ctl

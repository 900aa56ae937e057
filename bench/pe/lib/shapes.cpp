// The shapes of the measurements, by name. bench/scenarios/ has the same as files.
#include <functional>
#include <utility>

#include "bench/pe/lib/options.hpp"

namespace helio::pe {
namespace {

struct Shape {
  const char* name;
  void (*apply)(Options&);
};

void mesh(Options& o, std::uint32_t pes, std::uint32_t vrfs, std::uint32_t per_pe, std::uint32_t routes,
          RtcMode rtc) {
  o.plan.pes = pes;
  o.plan.vrfs = vrfs;
  o.plan.vrfs_per_pe = per_pe;
  o.plan.routes_per_vrf = routes;
  o.plan.rtc = rtc;
}

void churn(Options& o, std::uint32_t pack, std::uint64_t changes) {
  o.scenario = Scenario::churn;
  o.window = 2000;
  o.churn_pack = pack;
  o.changes = changes;
}

const Shape kShapes[] = {
    {"S1", [](Options& o) { mesh(o, 10, 100, 100, 1000, RtcMode::off); }},
    {"S1a", [](Options& o) { mesh(o, 10, 100, 100, 1000, RtcMode::off), o.plan.attrs_per_vrf = 100; }},
    {"S2", [](Options& o) { mesh(o, 100, 1000, 100, 100, RtcMode::on); }},
    {"S2n", [](Options& o) { mesh(o, 100, 1000, 100, 100, RtcMode::off); }},
    {"S3", [](Options& o) { mesh(o, 1000, 1000, 10, 100, RtcMode::on); }},
    {"S3n", [](Options& o) { mesh(o, 1000, 1000, 10, 100, RtcMode::off); }},
    {"S4", [](Options& o) { mesh(o, 100, 1000, 100, 100, RtcMode::on), o.scenario = Scenario::peer_flap; }},
    {"S5", [](Options& o) { mesh(o, 4, 100, 100, 25000, RtcMode::off); }},
    {"S5r",
     [](Options& o) {
       mesh(o, 4, 25000, 25000, 100, RtcMode::off), o.plan.prefix_kind = PrefixKind::random;
     }},
    {"S5o", [](Options& o) { mesh(o, 4, 250000, 250000, 1, RtcMode::off), o.plan.vpns = 100; }},
    {"S6",
     [](Options& o) {
       mesh(o, 4, 100, 100, 10000, RtcMode::off);
       o.plan.announcers = 2;
       o.plan.multihoming = 2;
     }},
    {"S7",
     [](Options& o) {
       mesh(o, 201, 1, 1, 1, RtcMode::off);
       o.plan.announcers = 1;
       churn(o, 1, 300);
       o.window = 1;
       o.churn_rate = 50;  // idle in between
     }},
    {"S8", [](Options& o) { mesh(o, 10, 100, 100, 1000, RtcMode::off), churn(o, 1, 2000000); }},
    {"S8rtc", [](Options& o) { mesh(o, 100, 1000, 100, 100, RtcMode::on), churn(o, 1, 1000000); }},
    {"S8x64", [](Options& o) { mesh(o, 10, 100, 100, 1000, RtcMode::off), churn(o, 64, 10000000); }},
    {"S9", [](Options& o) { mesh(o, 1000, 1000, 10, 100, RtcMode::on), o.scenario = Scenario::slow_reader; }},
    {"S10", [](Options& o) { mesh(o, 4000, 20000, 200, 6, RtcMode::on); }},
    {"S11", [](Options& o) { mesh(o, 256, 100, 10, 40, RtcMode::off); }},
    {"S11rtc", [](Options& o) { mesh(o, 256, 100, 10, 40, RtcMode::on); }},
    {"S11k", [](Options& o) { mesh(o, 256, 1000, 100, 4, RtcMode::off); }},
    {"S11krtc", [](Options& o) { mesh(o, 256, 1000, 100, 4, RtcMode::on); }},
};

}  // namespace

bool apply_shape(const std::string& name, Options& options) {
  for (const Shape& shape : kShapes) {
    if (name != shape.name) continue;
    shape.apply(options);
    options.shape = name;
    return true;
  }
  return false;
}

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.push_back(shape.name);
  return names;
}

}  // namespace helio::pe

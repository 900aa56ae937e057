// A reflector that is not there: fixed views with a bit of everything, for the tests of the control API and the CLI.
#pragma once
#include "rr/control/exports.hpp"
#include "rr/reflector/state_source.hpp"

namespace helio::control {

class FakeState : public reflector::StateSource {
 public:
  FakeState();
  bool endless_routes = false;  // pages of a hundred, always one more
  reflector::SummaryView summary() override { return summary_; }
  std::vector<reflector::PeerView> peers() override { return peers_; }
  reflector::RoutePage routes(const reflector::RouteQuery& query) override {
    last_query_ = query;
    if (endless_routes && page_.routes.size() < 100) page_.routes.resize(100, page_.routes.front());
    return page_;
  }
  std::optional<reflector::Explanation> explain(const reflector::ExplainQuery& query) override {
    last_explain_ = query;
    if (query.to && *query.to == *wire::parse_ip("192.0.2.99")) return std::nullopt;
    return explanation_;
  }
  reflector::ChurnView churn(reflector::EventCursor&) override { return {true, true, {{*wire::parse_rt("65000:101"), 1204}, {*wire::parse_rt("65000:7"), 3}}}; }
  reflector::RdPage rds(std::uint32_t limit) override {
    return {1200, {{*wire::parse_rd("65000:101"), wire::Family::vpnv4, 50112, 2}, {*wire::parse_rd("65000:102"), wire::Family::vpnv6, limit, 1}}};
  }
  std::vector<reflector::ShardView> shards() override {
    return {{5000000, 10000000, 1204311, 206003, 1556925644, 81234567, 20000000, 0, 0, 1048576, 1000, std::chrono::milliseconds(71234)}, {.peers = 998}};
  }
  reflector::HistoryView history(const wire::VpnPrefix& prefix, std::uint32_t) override {
    history_.prefix = prefix;
    return history_;
  }
  std::optional<reflector::PastExplanation> explain_at(const reflector::ExplainQuery& query, reflector::WallTime at) override {
    last_explain_ = query;
    last_moment_ = at;
    if (query.to && *query.to == *wire::parse_ip("192.0.2.99")) return std::nullopt;
    return past_;
  }
  reflector::RtExplanation explain_rt(wire::RouteTarget rt) override {
    rt_explanation_.rt = rt;
    return rt_explanation_;
  }
  std::vector<reflector::RtView> route_targets() override { return route_targets_; }
  std::vector<reflector::RtcRouteView> rtc_routes() override { return rtc_; }
  std::vector<reflector::EncodingClassView> encoding_classes() override { return {{"ibgp", 7}, {"ebgp", 1}}; }
  std::vector<reflector::PolicyStatementView> policy_statements() override { return {{"drop-bogon-rts", 12}, {"prefer-nearby", 3}}; }
  std::vector<reflector::LegacyPeerView> legacy_peers() override {
    wire::RouteTarget one = *wire::parse_rt("65000:101"), two = *wire::parse_rt("65000:102");
    return {{wire::IpAddress::v4(0xc000020b), "pe-east", "everything", {}, 0, {one, two}, {}, "it is sent everything"},
            {wire::IpAddress::v4(0xc000020d), "pe-west", "marked-routes", {{96, 65000, one.value}}, 12, {one, two}, {two}, ""}};
  }
  reflector::NextHopsView next_hops() override {
    return {true, {{wire::IpAddress::v4(0xc000020b), true, false, 20, 12, 50112, 3, std::chrono::seconds(251)},
                   {wire::IpAddress::v4(0xc000020d), false, true, std::nullopt, 1, 7, 1, std::chrono::seconds(3)},
                   {*wire::parse_ip("2001:db8::1"), true, false, 0, 1, 9, 0, std::nullopt}}};
  }
  reflector::MemoryView memory() override { return {{{"paths", 4096, 128}, {"attribute_sets", 2048, 4}}}; }

  std::optional<reflector::CanaryView> canary() override {
    reflector::CanaryView view{.in_time = 1200, .late = 2, .wrong = 0};
    view.delay.buckets[2] = 1201;
    view.delay.sum_us = 216'180;
    return view;
  }
  reflector::Latencies latencies() override {
    reflector::Latencies out;
    out[0].buckets[1] = 90 * measured_, out[0].buckets[6] = 10 * measured_, out[0].sum_us = 40'000 * measured_;
    out[4].buckets[16] = measured_, out[4].sum_us = 31'000'000 * measured_;
    return out;
  }

  std::uint64_t measured_ = 1;
  reflector::SummaryView summary_;
  std::vector<reflector::PeerView> peers_;
  reflector::RoutePage page_;
  std::vector<reflector::RtView> route_targets_;
  std::vector<reflector::RtcRouteView> rtc_;
  reflector::RouteQuery last_query_;
  reflector::ExplainQuery last_explain_;
  reflector::Explanation explanation_;
  reflector::HistoryView history_;
  reflector::PastExplanation past_;
  reflector::WallTime last_moment_{};
  reflector::RtExplanation rt_explanation_;
};

// A station that keeps up and one that cannot be reached; a dump of three pages.
class FakeExports : public ExportSource {
 public:
  std::vector<BmpStationView> bmp_stations() override {
    BmpStationView up;
    up.address = wire::IpAddress::v4(0xc00002c8);
    up.port = 11019;
    up.policies = {"pre-policy", "loc-rib"};
    up.state = "up";
    up.state_seconds = 251;
    up.sessions = 2;
    up.messages = 1'204'331;
    up.bytes = 211'000'000;
    up.dropped_messages = 17;
    up.overflows = 1;
    up.queue_bytes = 4096;
    up.queue_limit_bytes = 64 << 20;
    BmpStationView away;
    away.address = *wire::parse_ip("2001:db8::200");
    away.port = 1790;
    away.policies = {"pre-policy"};
    away.state = "connecting";
    away.state_seconds = 7;
    away.queue_limit_bytes = 64 << 20;
    away.last_error = "connect: Connection refused";
    return {up, away};
  }
  std::optional<MrtView> mrt() override {
    return MrtView{.directory = "/var/lib/heliograph/mrt", .rib_dump_interval = 7200, .updates = true, .rib_dumps = 12, .update_files = 96, .records = 1'000'000,
                   .bytes = 123'000'000, .dropped_messages = 3, .write_errors = 1, .last_dump = "rib.20261122.180000.mrt", .last_dump_at = 1795370400, .last_dump_seconds = 1.25,
                   .error = "cannot write updates.20261122.194500.mrt: No space left on device"};
  }
  std::optional<MrtPage> dump(const std::string& cursor) override {
    if (cursor.empty()) return MrtPage{std::string("one\0", 4), "2.0"};
    if (cursor == "2.0") return MrtPage{"two", "3.0"};
    if (cursor == "3.0") return MrtPage{};
    return std::nullopt;
  }
};

}  // namespace helio::control

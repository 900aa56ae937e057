#include "tests/unit/control/fake_state.hpp"

namespace helio::control {
namespace {

using wire::IpAddress;
IpAddress v4(const char* text) { return *wire::parse_ip(text); }

reflector::PathView path(const char* from, std::uint32_t label) {
  reflector::PathView out;
  out.from = v4(from);
  out.next_hop = v4(from);
  out.labels = {label};
  out.local_pref = 100;
  out.originator_id = v4(from).v4_value();
  out.cluster_list = {v4("192.0.2.1").v4_value()};
  out.route_targets = {*wire::parse_rt("65000:101"), *wire::parse_rt("192.0.2.1:7")};
  out.communities = {"65000:666"};
  out.age = std::chrono::seconds(3 * 86400);
  return out;
}

}  // namespace

FakeState::FakeState() {
  summary_.router_id = summary_.cluster_id = v4("192.0.2.1").v4_value();
  summary_.local_as = 65000;
  summary_.shards = 2;
  summary_.uptime = std::chrono::seconds(12 * 86400 + 4 * 3600);
  summary_.converged = summary_.ready = true;
  summary_.converged_for = std::chrono::seconds(11 * 86400 + 23 * 3600);
  summary_.families = {{wire::Family::vpnv4, 10'000'000, 20'000'000, 5000}, {wire::Family::rtc, 48, 96, 100}};
  summary_.attribute_sets = 412'006;
  summary_.route_targets = 50'112;
  summary_.rt_sets = 1000;
  summary_.rib_memory_bytes = 3'113'851'289;
  summary_.peers_configured = 2000;
  summary_.peers_established = 1998;
  summary_.groups = 14;
  summary_.worst_lag_seconds = 0.4;
  summary_.worst_lag_peer = "192.0.2.77";

  reflector::PeerView up;
  up.address = v4("192.0.2.11");
  up.group = "pe-east";
  up.hostname = "pe11";
  up.description = "rack 7";
  up.import_policy = {"drop-bogon-rts", "prefer-nearby"};
  up.state = "Established";
  up.peer_as = 65000;
  up.router_id = v4("192.0.2.11").v4_value();
  up.since = std::chrono::seconds(9 * 86400 + 2 * 3600);
  up.families = {{wire::Family::vpnv4, true, 50'000, 61'000, true, true}, {wire::Family::rtc, true, 112, 20, true, true},
                 {wire::Family::vpnv6, false}};
  up.messages_in = 1000;
  up.messages_out = 2000;
  up.bytes_in = 100'000;
  up.bytes_out = 200'000;
  up.updates_in = 900;
  up.updates_out = 1900;
  up.rt_interest = 48;
  reflector::BfdSessionView& bfd = up.bfd.emplace();
  bfd.state = bfd.remote_state = "Up";
  bfd.diagnostic = bfd.remote_diagnostic = "No Diagnostic";
  bfd.discriminator = 4711;
  bfd.remote_discriminator = 1;
  bfd.transmit_interval = std::chrono::milliseconds(300);
  bfd.detection_time = std::chrono::milliseconds(900);
  bfd.packets_in = 10;
  bfd.packets_out = 11;
  reflector::PeerView down;
  down.address = v4("192.0.2.12");
  down.group = "pe-east";
  down.hostname = "pe12";
  down.state = "Active";
  down.peer_as = 65000;
  down.since = std::chrono::seconds(251);
  down.flaps = 3;
  down.last_close = "hold-timer-expired";
  down.last_notification = "sent: Hold Timer Expired";
  down.last_update_error = "";
  down.families = {{wire::Family::vpnv4, false, 1200, 0, false, false, false, 0, 1200, true, false, 2000, 7}};
  down.last_bad_message = "ffffffffffffffffffffffffffffffff001304";
  down.restart = "waiting for its session";
  down.restart_seconds = 75;
  peers_ = {down, up};

  reflector::RouteView route;
  route.prefix = *wire::parse_prefix("10.1.1.0/24");
  route.prefix.rd = *wire::parse_rd("65000:101");
  route.paths = {path("192.0.2.11", 1001), path("192.0.2.13", 2001)};
  route.paths[0].best = true;
  route.paths[1].local_pref = 90;
  route.paths[1].med = 5;
  route.paths[1].as_path = "65001 {65002}";
  route.paths[1].lost_at = "lower LOCAL_PREF";
  route.paths[1].policy = "changed";
  route.paths[1].policy_statements = {"prefer-nearby"};
  page_.routes = {route};
  page_.cursor = "MTA6MQ";

  route_targets_ = {{*wire::parse_rt("65000:101"), 12, 2, 3}, {*wire::parse_rt("65000:102"), 0, 0, 1}};
  reflector::RtcRouteView membership;
  membership.membership = {96, 65000, wire::parse_rt("65000:101")->value};
  membership.paths = {path("192.0.2.11", 0)};
  membership.paths[0].labels.clear();
  membership.paths[0].route_targets.clear();
  membership.paths[0].communities.clear();
  membership.paths[0].best = true;
  rtc_ = {membership};

  explanation_.route = route;
  explanation_.refusals = {{v4("192.0.2.15"), "as-loop", "has our AS in its AS_PATH (RFC 4271 section 9.1.2)", 184}};
  reflector::DeliveryView delivery;
  delivery.reason = "no-membership";
  delivery.text = "no RT interest (peer asked for 47 RTs, none of 65000:101 192.0.2.1:7)";
  delivery.from = v4("192.0.2.11");
  delivery.steps = {{"session", true, "Established"}, {"family", true, "vpnv4 is negotiated"}, {"route", true, "chosen for the peer: the path from 192.0.2.11"},
                    {"reflection", true, "may go to a client"}, {"membership", false, delivery.text}};
  delivery.hints = {"it asks for 65000:110, which is not 65000:101: one character off", "2 other peers ask for it: helioctl explain rt 65000:101"};
  explanation_.deliveries = {delivery};
  rt_explanation_.prefixes = 1200;
  rt_explanation_.exporters = {{v4("192.0.2.11"), 1200}};
  rt_explanation_.hints = {"an orphan: exported, but imported by nobody"};

  using std::chrono::milliseconds;
  reflector::WallTime noon{std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(12)};
  history_.journal = {true, false, noon - std::chrono::minutes(90), 1204311, 5120, 25165824, 67108864};
  reflector::PathView path = page_.routes[0].paths[0];
  reflector::HistoryEntry entry;
  entry = {noon, "announced", "update", "announced by 192.0.2.11: next hop 192.0.2.11 label 1001 lp 100 RT 65000:101", *wire::parse_ip("192.0.2.11"), {}, 1, path};
  history_.entries.push_back(entry);
  entry = {noon + milliseconds(1500), "peer-down", "", "session with 192.0.2.11 ended: hold_timer_expired", *wire::parse_ip("192.0.2.11"), {}, 0, {}};
  history_.entries.push_back(entry);
  entry = {noon + milliseconds(1500), "withdrawn", "purge", "gone: the last path, from 192.0.2.11, was removed with its session or as stale", {}, *wire::parse_ip("192.0.2.11"), 0, {}};
  history_.entries.push_back(entry);
  past_.prefix = page_.routes[0].prefix;
  past_.at = noon + milliseconds(700);
  past_.now = noon + std::chrono::minutes(5);
  past_.journal = history_.journal;
  past_.known = true;
  past_.state = "best";
  past_.text = "best path from 192.0.2.11: next hop 192.0.2.11 label 1001 lp 100 RT 65000:101";
  past_.from = *wire::parse_ip("192.0.2.11");
  past_.since = noon;
  past_.path = path;
  past_.paths = 1;
  past_.to = *wire::parse_ip("192.0.2.12");
  past_.verdict = "not-to-be-sent";
  past_.reason = "no-membership";
  past_.steps = {{"session", true, "the session was established"}, {"membership", false, "no RT interest: the peer asked for 47 RT memberships, none of which lets it through"}};
  past_.not_known = {"paths that were not the best one"};
}

}  // namespace helio::control

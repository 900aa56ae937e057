#include "rr/control/telemetry_bridge.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "rr/base/build_info.hpp"
#include "rr/base/utf8.hpp"
#include "rr/bfd/packet.hpp"
#include "rr/session/close_reason.hpp"
#include "rr/wire/attribute_table.hpp"

namespace helio::control {
namespace {

// RFC 4271 §8.2.2, in the words of PeerView.
std::uint8_t state_number(std::string_view state) {
  static constexpr std::string_view kStates[] = {"Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"};
  auto found = std::ranges::find(kStates, state);
  return static_cast<std::uint8_t>(found == std::end(kStates) ? 1 : found - std::begin(kStates) + 1);
}

std::int8_t bfd_state_number(std::string_view state) {
  for (std::uint8_t i = 0; i < 4; ++i)
    if (bfd::state_name(static_cast<bfd::State>(i)) == state) return static_cast<std::int8_t>(i);
  return -1;
}

// Numbers where there is no name: two attributes under one label would be two series of the same name.
std::string attribute_label(std::uint8_t type) {
  if (type == 0) return "none";
  return wire::find_attribute_rule(type) ? std::string(wire::attribute_name(type)) : std::to_string(type);
}

}  // namespace

telemetry::Labels make_labels() {
  telemetry::Labels labels;
  for (std::size_t i = 0; i < wire::kFamilyCount; ++i)
    labels.families.emplace_back(wire::family_label(static_cast<wire::Family>(i)));
  for (std::size_t i = 0; i < static_cast<std::size_t>(session::CloseReason::count_); ++i)
    labels.close_reasons.emplace_back(session::close_reason_name(static_cast<session::CloseReason>(i)));
  for (std::string_view stage : reflector::kLatencyStageNames) labels.latency_stages.emplace_back(stage);
  for (std::uint64_t us : reflector::kLatencyBounds) labels.latency_bounds.push_back(static_cast<double>(us) * 1e-6);
  labels.attribute = attribute_label;
  return labels;
}

telemetry::Build make_build() {
  const BuildInfo& info = build_info();
  return {std::string(info.version), std::string(info.commit), std::string(info.compiler), std::string(info.allocator)};
}

void apply_limits(const config::Telemetry& config, telemetry::PeerSeriesLimits& limits) {
  using From = config::Telemetry::PerPeer;
  limits.per_peer = config.per_peer == From::off    ? telemetry::PerPeer::off
                    : config.per_peer == From::full ? telemetry::PerPeer::full
                                                    : telemetry::PerPeer::essential;
  limits.max_series = config.max_peer_series;
}

TelemetryBridge::TelemetryBridge(reflector::StateSource& state, Api::ConfigSource config,
                                 std::shared_ptr<telemetry::Board> board)
    : state_(state), config_(std::move(config)), board_(std::move(board)) {}

void TelemetryBridge::on_reload(bool successful, double unix_now) {
  reload_successful_ = successful;
  ++(successful ? reloads_ok_ : reloads_failed_);
  if (successful) reload_timestamp_ = unix_now;
}

void TelemetryBridge::tick(const reflector::SummaryView& summary, double unix_now) {
  if (reload_timestamp_ == 0) reload_timestamp_ = unix_now;  // the first load
  auto sample = std::make_shared<telemetry::DaemonSample>();
  sample->converged = summary.converged;
  sample->ready = summary.ready;
  sample->maintenance = summary.maintenance;
  if (summary.ready && summary.converged && !initial_convergence_seconds_)
    initial_convergence_seconds_ = static_cast<double>((summary.uptime - summary.converged_for).count());
  sample->initial_convergence_seconds = initial_convergence_seconds_;
  sample->route_targets = summary.route_targets;
  for (const auto& item : state_.encoding_classes()) {
    ++sample->encoding_classes;
    sample->encoding_class_peers_max = std::max<std::uint64_t>(sample->encoding_class_peers_max, item.peers);
  }
  reflector::NextHopCounters next_hops = state_.next_hop_counters();
  sample->next_hops_reachable = next_hops.reachable;
  sample->next_hops_unreachable = next_hops.unreachable;
  sample->next_hops_lost = next_hops.lost;
  sample->next_hops_returned = next_hops.returned;
  sample->next_hop_metric_changes = next_hops.metric_changes;
  sample->next_hop_overruns = next_hops.overruns;
  if (exports_ != nullptr) {
    for (const BmpStationView& view : exports_->bmp_stations()) {
      std::string address = wire::format_ip(view.address);
      std::string station = view.address.is_v6 ? fmt::format("[{}]:{}", address, view.port) : fmt::format("{}:{}", address, view.port);
      sample->bmp_stations.push_back({std::move(station), view.state == "up", view.messages, view.dropped_messages, view.queue_bytes});
    }
    if (auto mrt = exports_->mrt()) sample->mrt = {mrt->records, mrt->dropped_messages, mrt->write_errors, static_cast<double>(mrt->last_dump_at)};
  }
  if (refused_ != nullptr) {
    sample->control_refused = {{{"unauthorized", refused_->unauthorized}, {"forbidden", refused_->forbidden}, {"malformed", refused_->malformed},
                                {"too-large", refused_->too_large}, {"too-slow", refused_->too_slow}, {"crowded", refused_->crowded}, {"stalled", refused_->stalled}}};
  }
  for (const auto& kind : state_.memory().kinds) sample->memory.push_back({kind.name, kind.bytes});

  auto config = config_();
  for (const config::PeerGroup& group : config->peer_groups) sample->groups.push_back(group.name);
  sample->config_hash = config->hash;
  sample->config_reload_successful = reload_successful_;
  sample->config_reload_timestamp = reload_timestamp_;
  sample->config_reloads_ok = reloads_ok_;
  sample->config_reloads_failed = reloads_failed_;

  ++round_;
  auto views = state_.peers();
  std::ranges::sort(views, {}, &reflector::PeerView::address);
  for (const reflector::PeerView& view : views) {
    sample->peers.push_back(sample_of(view, unix_now));
    bool is_pending = std::ranges::any_of(view.families, [](const reflector::PeerFamilyView& family) {
      return family.negotiated && (!family.eor_received || !family.eor_sent);
    });
    if (sample->peers.back().state == 6 && is_pending) ++sample->eor_pending_peers;
  }
  std::erase_if(known_, [this](const auto& item) { return item.second.round != round_; });
  board_->publish(std::move(sample));
}

telemetry::PeerSample TelemetryBridge::sample_of(const reflector::PeerView& view, double unix_now) {
  Known& known = known_[view.address];
  known.round = round_;
  telemetry::PeerIdentity identity{wire::format_ip(view.address), view.group, std::to_string(view.peer_as),
                                   view.router_id ? wire::format_ip(wire::IpAddress::v4(view.router_id)) : "",
                                   to_valid_utf8(view.hostname), to_valid_utf8(view.description), std::string(session::role_name(view.role))};
  if (!known.identity || *known.identity != identity)
    known.identity = std::make_shared<const telemetry::PeerIdentity>(std::move(identity));

  telemetry::PeerSample sample;
  sample.identity = known.identity;
  sample.state = state_number(view.state);
  if (sample.state == 6) {
    // The view tells whole seconds since: the timestamp would move about by one. It stays unless it really changed.
    double established = std::floor(unix_now) - static_cast<double>(view.since.count());
    if (std::abs(established - known.established) > 2) known.established = established;
  } else {
    known.established = 0;
  }
  sample.established_timestamp = known.established;
  sample.flaps = view.flaps;
  for (const reflector::PeerFamilyView& family : view.families) {
    if (!family.negotiated) continue;
    sample.families.push_back({static_cast<std::uint8_t>(wire::index(family.family)), family.received, family.sent, family.limit});
  }
  sample.output_queue_bytes = view.output_queue_bytes;
  sample.lag_seconds = view.lag_seconds;
  sample.rt_interest = view.rt_interest;
  sample.updates_in = view.updates_in;
  if (view.bfd) sample.bfd_state = bfd_state_number(view.bfd->state);
  return sample;
}

}  // namespace helio::control

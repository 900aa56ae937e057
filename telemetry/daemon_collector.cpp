// The daemon as a whole: is it safe to depend on, how many peers are in which state, how large is the RIB.
#include <array>
#include <map>

#include "telemetry/collectors.hpp"
#include "telemetry/families.hpp"

namespace helio::telemetry {
namespace {

constexpr const char* kStates[] = {"idle", "connect", "active", "opensent", "openconfirm", "established"};
constexpr const char* kBfdStates[] = {"admin_down", "down", "init", "up"};

class DaemonCollector : public prometheus::Collectable {
 public:
  explicit DaemonCollector(std::shared_ptr<const Board> board) : board_(std::move(board)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    auto sample = board_->sample();
    add_health(*sample, out);
    add_config(*sample, out);
    add_peers(*sample, out);
    add_single(gauge("route_targets", "Route targets known from routes and memberships."), sample->route_targets, out);
    add_single(gauge("encoding_classes", "Classes of peers that receive identical bytes."), sample->encoding_classes, out);
    add_single(gauge("encoding_class_peers_max", "Peers of the largest encoding class."), sample->encoding_class_peers_max, out);
    add_next_hops(*sample, out);
    add_exports(*sample, out);
    FamilyBuilder refused = counter("control_requests_refused_total", "Requests and connections that the control API refused: no token that is known, a change by somebody who may only look, no HTTP, too large, too slow, crowded out, or a stream whose client stopped reading.");
    if (sample->control_refused[0].reason == nullptr) refused.add({{"reason", "unauthorized"}}, 0);  // before the first sample
    for (const auto& [reason, requests] : sample->control_refused)
      if (reason != nullptr) refused.add({{"reason", reason}}, static_cast<double>(requests));
    refused.finish(out);
    FamilyBuilder memory = gauge("rib_memory_bytes", "Memory of the RIB by kind, exactly accounted.");
    for (const MemorySample& kind : sample->memory) memory.add({{"kind", kind.kind}}, static_cast<double>(kind.bytes));
    memory.finish(out);
    const MemoryGauges& guard = board_->memory();
    if (guard.limit.get() != 0) {
      add_single(gauge("memory_limit_bytes", "Memory the process may use, configured or of its control group; none: no limit."), guard.limit.get(), out);
      add_single(gauge("memory_used_bytes", "Memory that counts against the limit: at 90 % of it new sessions are refused, at 100 % the largest is closed."), guard.used.get(), out);
    }
    add_single(counter("sessions_shed_total", "Sessions closed because memory was used up."), guard.shed.get(), out);
    return out;
  }

 private:
  template <class T>
  static void add_single(FamilyBuilder family, T value, std::vector<prometheus::MetricFamily>& out) {
    family.add({}, static_cast<double>(value));
    family.finish(out);
  }

  static void add_health(const DaemonSample& sample, std::vector<prometheus::MetricFamily>& out) {
    add_single(gauge("ready", "1 when other systems may depend on this reflector."), sample.ready, out);
    add_single(gauge("converged", "1 when every established peer has sent and was sent its End-of-RIB."), sample.converged, out);
    add_single(gauge("maintenance", "1 while routes are sent with GRACEFUL_SHUTDOWN (RFC 8326)."), sample.maintenance, out);
    add_single(gauge("eor_pending_peers", "Established peers that still owe an End-of-RIB or are owed one."),
               sample.eor_pending_peers, out);
    if (sample.initial_convergence_seconds)
      add_single(gauge("initial_convergence_seconds", "Time from the start to the first convergence."),
                 *sample.initial_convergence_seconds, out);
  }

  static void add_config(const DaemonSample& sample, std::vector<prometheus::MetricFamily>& out) {
    FamilyBuilder info = gauge("config_info", "1; the hash of the configuration in force.");
    info.add({{"hash", sample.config_hash}}, 1);
    info.finish(out);
    add_single(gauge("config_last_reload_successful", "1 when the last reload was successful."),
               sample.config_reload_successful, out);
    add_single(gauge("config_last_reload_success_timestamp_seconds", "Time of the last successful (re)load, Unix time."),
               sample.config_reload_timestamp, out);
    FamilyBuilder reloads = counter("config_reloads_total", "Reloads of the configuration.");
    reloads.add({{"result", "success"}}, static_cast<double>(sample.config_reloads_ok));
    reloads.add({{"result", "failure"}}, static_cast<double>(sample.config_reloads_failed));
    reloads.finish(out);
  }

  static void add_next_hops(const DaemonSample& sample, std::vector<prometheus::MetricFamily>& out) {
    FamilyBuilder next_hops = gauge("next_hops", "Next hops of routes by state; 0 where they are not tracked.");
    next_hops.add({{"state", "reachable"}}, static_cast<double>(sample.next_hops_reachable));
    next_hops.add({{"state", "unreachable"}}, static_cast<double>(sample.next_hops_unreachable));
    next_hops.finish(out);
    FamilyBuilder changes = counter("next_hop_changes_total", "Changes of the way to next hops that routes were judged anew for.");
    changes.add({{"change", "lost"}}, static_cast<double>(sample.next_hops_lost));
    changes.add({{"change", "returned"}}, static_cast<double>(sample.next_hops_returned));
    changes.add({{"change", "metric"}}, static_cast<double>(sample.next_hop_metric_changes));
    changes.finish(out);
    add_single(counter("next_hop_overruns_total", "Times the kernel lost notifications and all next hops were looked up again."), sample.next_hop_overruns, out);
  }

  static void add_exports(const DaemonSample& sample, std::vector<prometheus::MetricFamily>& out) {
    FamilyBuilder up = gauge("bmp_station_up", "1 when the BMP station is connected and was told everything.");
    FamilyBuilder queue = gauge("bmp_queue_bytes", "What waits for the BMP station.");
    FamilyBuilder messages = counter("bmp_messages_total", "Messages sent to the BMP station.");
    FamilyBuilder dropped = counter("bmp_dropped_messages_total", "Messages dropped because the station's queue was full; it is told everything again.");
    for (const StationSample& station : sample.bmp_stations) {
      up.add({{"station", station.station}}, station.is_up);
      queue.add({{"station", station.station}}, static_cast<double>(station.queue_bytes));
      messages.add({{"station", station.station}}, static_cast<double>(station.messages));
      dropped.add({{"station", station.station}}, static_cast<double>(station.dropped));
    }
    for (FamilyBuilder* family : {&up, &queue, &messages, &dropped}) family->finish(out);
    add_single(counter("mrt_records_total", "Records of complete MRT files."), sample.mrt.records, out);
    add_single(counter("mrt_dropped_messages_total", "UPDATEs and state changes that are in no MRT file."), sample.mrt.dropped, out);
    add_single(counter("mrt_write_errors_total", "MRT files that could not be written."), sample.mrt.write_errors, out);
    add_single(gauge("mrt_last_dump_timestamp_seconds", "Time of the last complete dump of the RIB, Unix time; 0: none."), sample.mrt.last_dump_timestamp, out);
  }

  static void add_peers(const DaemonSample& sample, std::vector<prometheus::MetricFamily>& out) {
    std::map<std::string, std::array<std::uint64_t, std::size(kStates)>> by_group;
    for (const std::string& group : sample.groups) by_group[group];
    for (const PeerSample& peer : sample.peers)
      if (peer.state >= 1 && peer.state <= std::size(kStates)) ++by_group[peer.identity->group][peer.state - 1];
    FamilyBuilder family = gauge("peers", "Peers by state and peer group.");
    for (const auto& [group, counts] : by_group)
      for (std::size_t i = 0; i < counts.size(); ++i)
        family.add({{"state", kStates[i]}, {"group", group}}, static_cast<double>(counts[i]));
    family.finish(out);

    std::array<std::uint64_t, std::size(kBfdStates)> sessions{};
    for (const PeerSample& peer : sample.peers)
      if (auto state = static_cast<std::uint8_t>(peer.bfd_state); state < sessions.size()) ++sessions[state];  // -1, no BFD, is above all
    FamilyBuilder bfd = gauge("bfd_sessions", "BFD sessions of Established peers by state.");
    for (std::size_t i = 0; i < sessions.size(); ++i) bfd.add({{"state", kBfdStates[i]}}, static_cast<double>(sessions[i]));
    bfd.finish(out);
  }

  std::shared_ptr<const Board> board_;
};

}  // namespace

Collector make_daemon_collector(std::shared_ptr<const Board> board) {
  return std::make_shared<DaemonCollector>(std::move(board));
}

}  // namespace helio::telemetry

#include "rr/app/exports.hpp"

#include <unistd.h>

#include <chrono>

namespace helio::app {
namespace {

std::uint32_t unix_now() {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

Exports::Exports(const config::Config& config, reflector::Reflector& reflector) : reflector_(reflector), started_(unix_now()), watches_(reflector) { apply(config); }

void Exports::apply(const config::Config& config) {
  apply_mrt(config);
  apply_bmp(config);
}

void Exports::apply_mrt(const config::Config& config) {
  if (config.mrt == mrt_config_) return;
  mrt_config_ = config.mrt;
  mrt_.reset();
  if (!config.mrt) return;
  exporter::MrtSettings settings;
  settings.directory = config.mrt->directory;
  settings.rib_dump_interval = config.mrt->rib_dump_interval;
  settings.updates = config.mrt->updates;
  settings.updates_interval = config.mrt->updates_interval;
  settings.keep_files = config.mrt->keep_files;
  mrt_ = std::make_unique<exporter::MrtWriter>(std::move(settings), watches_, started_);
}

// Stations that stay as they are stay connected.
void Exports::apply_bmp(const config::Config& config) {
  std::vector<exporter::StationSettings> stations;
  for (const config::BmpStation& station : config.bmp_stations)
    stations.push_back({station.address, station.port, station.policies, station.queue_limit_bytes, station.stats_interval});
  if (stations == stations_) return;
  stations_ = stations;
  if (bmp_ != nullptr && !stations.empty() && bmp_->reconfigure(stations)) return;
  bmp_.reset();
  char hostname[256] = {};
  if (gethostname(hostname, sizeof hostname - 1) != 0) hostname[0] = 0;
  if (!stations.empty()) bmp_ = std::make_unique<exporter::BmpService>(std::move(stations), watches_, hostname, started_);
}

std::vector<control::BmpStationView> Exports::bmp_stations() {
  std::vector<control::BmpStationView> views;
  if (bmp_ == nullptr) return views;
  for (exporter::StationStatus& status : bmp_->status()) {
    control::BmpStationView& view = views.emplace_back();
    view.address = status.settings.address;
    view.port = status.settings.port;
    view.policies = status.settings.policies;
    view.state = status.state;
    view.state_seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - status.since).count();
    view.sessions = status.sessions;
    view.messages = status.messages;
    view.bytes = status.bytes;
    view.dropped_messages = status.dropped;
    view.overflows = status.overflows;
    view.queue_bytes = status.queued;
    view.queue_limit_bytes = status.settings.queue_limit;
    view.last_error = status.last_error;
  }
  return views;
}

std::optional<control::MrtView> Exports::mrt() {
  if (mrt_ == nullptr) return std::nullopt;
  exporter::MrtStatus status = mrt_->status();
  control::MrtView view;
  view.directory = status.settings.directory;
  view.rib_dump_interval = status.settings.rib_dump_interval.count();
  view.updates = status.settings.updates;
  view.rib_dumps = status.rib_dumps;
  view.update_files = status.update_files;
  view.dropped_messages = status.dropped;
  view.records = status.records;
  view.bytes = status.bytes;
  view.write_errors = status.write_errors;
  view.last_dump = status.last_dump;
  view.last_dump_at = status.last_dump_at;
  view.last_dump_seconds = status.last_dump_seconds;
  view.error = status.error;
  return view;
}

std::optional<control::MrtPage> Exports::dump(const std::string& cursor) {
  exporter::RibDump dump(reflector_, started_);
  if (!cursor.empty() && !dump.resume(cursor)) return std::nullopt;
  std::vector<std::uint8_t> bytes;
  bool more = dump.next(bytes);
  return control::MrtPage{std::string(bytes.begin(), bytes.end()), more ? dump.cursor() : std::string()};
}

}  // namespace helio::app

#include "rr/app/exports.hpp"

#include <chrono>

namespace helio::app {
namespace {

std::uint32_t unix_now() {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

Exports::Exports(const config::Config& config, reflector::Reflector& reflector) : reflector_(reflector), started_(unix_now()) { apply(config); }

void Exports::apply(const config::Config& config) {
  if (config.mrt == mrt_config_) return;
  mrt_config_ = config.mrt;
  mrt_.reset();
  if (!config.mrt) return;
  exporter::MrtSettings settings;
  settings.directory = config.mrt->directory;
  settings.rib_dump_interval = config.mrt->rib_dump_interval;
  mrt_ = std::make_unique<exporter::MrtWriter>(std::move(settings), reflector_, started_);
}

std::vector<control::BmpStationView> Exports::bmp_stations() { return {}; }

std::optional<control::MrtView> Exports::mrt() {
  if (mrt_ == nullptr) return std::nullopt;
  exporter::MrtStatus status = mrt_->status();
  control::MrtView view;
  view.directory = status.settings.directory;
  view.rib_dump_interval = status.settings.rib_dump_interval.count();
  view.rib_dumps = status.rib_dumps;
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

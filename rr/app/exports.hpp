// BMP and MRT as the application wires them: made from the configuration, shown to the control API.
#pragma once
#include <memory>

#include "rr/config/config.hpp"
#include "rr/control/exports.hpp"
#include "rr/export/bmp_service.hpp"
#include "rr/export/mrt_writer.hpp"
#include "rr/reflector/reflector.hpp"

namespace helio::app {

class Exports final : public control::ExportSource {
 public:
  // When the sessions are there to be asked. Ended before them.
  Exports(const config::Config& config, reflector::Reflector& reflector);
  // Another configuration is in force. On the control thread.
  void apply(const config::Config& config);

  std::vector<control::BmpStationView> bmp_stations() override;
  std::optional<control::MrtView> mrt() override;
  std::optional<control::MrtPage> dump(const std::string& cursor) override;

 private:
  void apply_mrt(const config::Config& config);
  void apply_bmp(const config::Config& config);

  reflector::Reflector& reflector_;
  std::uint32_t started_;                       // Unix time
  exporter::ShardWatches watches_;
  std::unique_ptr<exporter::MrtWriter> mrt_;    // null: not configured
  std::optional<config::Mrt> mrt_config_;
  std::unique_ptr<exporter::BmpService> bmp_;   // null: no stations
  std::vector<exporter::StationSettings> stations_;
};

}  // namespace helio::app

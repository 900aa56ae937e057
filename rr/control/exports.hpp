// What the control API shows of BMP and MRT, and the dump of the RIB that it hands out. The application implements ExportSource on
// top of the exporters; calls come from the control thread.
#pragma once
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::control {

struct BmpStationView {
  wire::IpAddress address;
  std::uint16_t port = 0;
  std::vector<std::string> policies;
  std::string state;                      // connecting, initial-dump, up
  std::int64_t state_seconds = 0;         // for how long
  std::uint64_t sessions = 0;             // times it was connected
  std::uint64_t messages = 0, bytes = 0;  // sent
  std::uint64_t dropped_messages = 0;     // with a queue that was full
  std::uint64_t overflows = 0;            // times that happened: the station is resynchronised
  std::uint64_t queue_bytes = 0, queue_limit_bytes = 0;
  std::string last_error;
};

struct MrtView {
  std::string directory;
  std::int64_t rib_dump_interval = 0;     // seconds; 0: none
  bool updates = false;
  std::uint64_t rib_dumps = 0, update_files = 0;
  std::uint64_t records = 0, bytes = 0;   // of complete files
  std::uint64_t dropped_messages = 0, write_errors = 0;
  std::string last_dump;                  // file name; empty: none yet
  std::int64_t last_dump_at = 0;          // Unix time
  double last_dump_seconds = 0;
  std::string error;                      // what is wrong now; empty: nothing
};

// A part of a dump: whole MRT records, and where it goes on (empty: the end).
struct MrtPage {
  std::string records;
  std::string cursor;
};

class ExportSource {
 public:
  virtual ~ExportSource() = default;
  virtual std::vector<BmpStationView> bmp_stations() = 0;
  // Nothing when MRT is not configured.
  virtual std::optional<MrtView> mrt() = 0;
  // Nothing when there is no such cursor; an empty one is the beginning.
  virtual std::optional<MrtPage> dump(const std::string& cursor) = 0;
};

boost::json::value bmp_json(const std::vector<BmpStationView>& views);
boost::json::value mrt_json(const std::optional<MrtView>& view);

}  // namespace helio::control

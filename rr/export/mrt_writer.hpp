// Writes MRT files on a thread of its own: the RIB at intervals, and what peers send and how their sessions change as it happens.
//
//   shards ─ RibDump, portion by portion ─► rib.TIME.mrt       at multiples of rib_dump_interval (UTC), 0: never
//   shards ─ UpdateQueue ─────────────────► updates.TIME.mrt   renamed at multiples of updates_interval
//
// A file has its name only when it is complete. When the disk is full (or whatever else write() says): counted, logged once per
// cause, tried again; an unfinished dump is removed, of an updates file what is whole stays. Shards never wait for any of it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "rr/export/mrt_file.hpp"
#include "rr/export/rib_dump.hpp"
#include "rr/export/shard_watch.hpp"
#include "rr/export/update_recorder.hpp"

namespace helio::exporter {

struct MrtSettings {
  std::string directory;
  std::chrono::seconds rib_dump_interval{7200};
  bool updates = false;
  std::chrono::seconds updates_interval{900};
  std::uint32_t keep_files = 0;          // of each kind; 0: all
  std::chrono::seconds retry{60};        // of a dump after an error, at most
  bool operator==(const MrtSettings&) const = default;
};

struct MrtStatus {
  MrtSettings settings;
  std::uint64_t rib_dumps = 0, update_files = 0;
  std::uint64_t records = 0;             // written, of all files that are complete
  std::uint64_t bytes = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t dropped = 0;             // records of updates that are in no file
  std::string last_dump;                 // file name
  std::int64_t last_dump_at = 0;         // Unix time; 0: none yet
  double last_dump_seconds = 0;          // how long it took
  std::string error;                     // of the last try; empty: it worked
};

class MrtWriter {
 public:
  // Starts the thread.
  MrtWriter(MrtSettings settings, ShardWatches& watches, std::uint32_t started);
  ~MrtWriter();

  MrtStatus status();

 private:
  using Clock = std::chrono::system_clock;
  void run();
  bool dump_rib();
  void failed(const char* what, const std::string& name, int error);
  void write_updates();
  void append_updates(const RecordedUpdates& part);
  void rotate_updates(Clock::time_point now);
  void publish_updates();

  MrtSettings settings_;
  ShardWatches& watches_;
  std::uint32_t started_;
  std::mutex mutex_;                     // status_ and ending_
  std::condition_variable changed_;
  MrtStatus status_;
  bool ending_ = false;
  UpdateQueue queue_{mutex_, changed_};
  std::vector<std::unique_ptr<UpdateRecorder>> recorders_;  // by shard; empty without updates
  MrtFile updates_;                      // open while there is something in it
  std::string updates_name_;
  std::uint64_t updates_records_ = 0;
  Clock::time_point rotate_at_{}, write_again_at_{};
  int logged_error_ = 0;
  std::thread thread_;
};

}  // namespace helio::exporter

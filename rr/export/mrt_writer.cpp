#include "rr/export/mrt_writer.hpp"

#include <pthread.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "rr/base/log.hpp"

namespace helio::exporter {
namespace {

using std::chrono::seconds;

std::int64_t unix_of(std::chrono::system_clock::time_point t) { return std::chrono::duration_cast<seconds>(t.time_since_epoch()).count(); }

// The first multiple of the interval that is later.
std::chrono::system_clock::time_point next_multiple(std::chrono::system_clock::time_point now, seconds interval) {
  return std::chrono::system_clock::time_point((unix_of(now) / interval.count() + 1) * interval);
}

}  // namespace

MrtWriter::MrtWriter(MrtSettings settings, ShardWatches& watches, std::uint32_t started)
    : settings_(std::move(settings)), watches_(watches), started_(started) {
  status_.settings = settings_;
  ::mkdir(settings_.directory.c_str(), 0755);
  remove_partial_files(settings_.directory);
  if (settings_.updates) {
    rotate_at_ = next_multiple(Clock::now(), settings_.updates_interval);
    for (std::uint32_t s = 0; s < watches_.shards(); ++s) {
      recorders_.push_back(std::make_unique<UpdateRecorder>(queue_));
      watches_.add(s, *recorders_[s], false);
    }
  }
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "helio-mrt");
}

MrtWriter::~MrtWriter() {  // NOLINT(bugprone-exception-escape): memory may be short here as anywhere, and ends heliod
  for (std::uint32_t s = 0; s < recorders_.size(); ++s) watches_.remove(s, *recorders_[s]);
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

MrtStatus MrtWriter::status() {
  std::lock_guard lock(mutex_);
  MrtStatus status = status_;
  status.dropped = queue_.dropped();
  return status;
}

void MrtWriter::run() {
  constexpr auto kNever = Clock::time_point::max();
  bool dumps = settings_.rib_dump_interval.count() != 0;
  Clock::time_point due = dumps ? next_multiple(Clock::now(), settings_.rib_dump_interval) : kNever;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      auto something = [this] { return ending_ || !queue_.is_empty(); };
      Clock::time_point until = std::min(due, settings_.updates ? rotate_at_ : kNever);
      if (until == kNever) changed_.wait(lock, something);
      else changed_.wait_until(lock, until, something);
      if (ending_ && queue_.is_empty()) break;
    }
    write_updates();
    if (Clock::now() < due) continue;
    Clock::time_point next = next_multiple(Clock::now(), settings_.rib_dump_interval);
    due = dump_rib() ? next : std::min(next, Clock::now() + settings_.retry);
  }
  publish_updates();
}

// --- Updates ----------------------------------------------------------------------------------------------------------

// What the shards have recorded so far.
void MrtWriter::write_updates() {
  if (!settings_.updates) return;
  std::vector<RecordedUpdates> parts;
  {
    std::lock_guard lock(mutex_);
    parts = queue_.take();
  }
  rotate_updates(Clock::now());
  for (const RecordedUpdates& part : parts) append_updates(part);
}

void MrtWriter::rotate_updates(Clock::time_point now) {
  if (now < rotate_at_) return;
  publish_updates();
  rotate_at_ = next_multiple(now, settings_.updates_interval);
}

void MrtWriter::append_updates(const RecordedUpdates& part) {
  constexpr auto kPause = seconds(5);
  Clock::time_point now = Clock::now();
  int error = 0;
  if (now < write_again_at_) {
    error = -1;  // just failed
  } else if (!updates_.is_open()) {
    updates_name_ = mrt_file_name("updates", unix_of(now));
    auto file = MrtFile::create(settings_.directory, updates_name_);
    if (file) updates_ = std::move(*file);
    else error = file.error();
  }
  if (error == 0) {
    auto written = updates_.append(part.bytes);
    if (written) {
      updates_records_ += part.records;
      return;
    }
    error = written.error();
  }
  {
    std::lock_guard lock(mutex_);
    queue_.count_dropped(part.records);
  }
  if (error < 0) return;
  failed("cannot write", updates_name_, error);
  write_again_at_ = now + kPause;
  publish_updates();  // what is whole
}

void MrtWriter::publish_updates() {
  if (!updates_.is_open()) return;
  std::uint64_t records = std::exchange(updates_records_, 0);
  std::size_t size = updates_.size();
  if (records == 0) return updates_.abandon();
  if (auto published = updates_.publish(); !published) return failed("cannot complete", updates_name_, published.error());
  keep_newest_files(settings_.directory, "updates", settings_.keep_files);
  bool works = Clock::now() >= write_again_at_;
  if (works && std::exchange(logged_error_, 0) != 0) log::info("mrt: written again");
  std::lock_guard lock(mutex_);
  ++status_.update_files;
  status_.records += records;
  status_.bytes += size;
  if (works) status_.error.clear();
}

// --- The RIB ----------------------------------------------------------------------------------------------------------

// An error is said once, until something else is wrong or it worked again.
void MrtWriter::failed(const char* what, const std::string& name, int error) {
  {
    std::lock_guard lock(mutex_);
    ++status_.write_errors;
    status_.error = std::string(what) + " " + name + ": " + std::strerror(error);
  }
  if (std::exchange(logged_error_, error) != error) log::error("mrt: {} {}: {}; tried again, not logged again", what, settings_.directory + "/" + name, std::strerror(error));
}

bool MrtWriter::dump_rib() {
  Clock::time_point begin = Clock::now();
  std::string name = mrt_file_name("rib", unix_of(begin));
  auto file = MrtFile::create(settings_.directory, name);
  if (!file) {
    failed("cannot create", name, file.error());
    return false;
  }
  RibDump dump(watches_.reflector(), started_);
  std::vector<std::uint8_t> bytes;
  for (bool more = true; more;) {
    bytes.clear();
    more = dump.next(bytes);
    write_updates();
    if (auto written = file->append(bytes); !written) {
      failed("cannot write", name, written.error());
      return false;
    }
    std::lock_guard lock(mutex_);
    if (ending_) return false;
  }
  std::size_t size = file->size();
  if (auto published = file->publish(); !published) {
    failed("cannot complete", name, published.error());
    return false;
  }
  keep_newest_files(settings_.directory, "rib", settings_.keep_files);
  double took = std::chrono::duration<double>(Clock::now() - begin).count();
  if (std::exchange(logged_error_, 0) != 0) log::info("mrt: written again");
  log::info("mrt file={} records={} bytes={} seconds={:.1f}", name, dump.records() + 1, size, took);
  std::lock_guard lock(mutex_);
  ++status_.rib_dumps;
  status_.records += dump.records() + 1;
  status_.bytes += size;
  status_.last_dump = name;
  status_.last_dump_at = unix_of(begin);
  status_.last_dump_seconds = took;
  status_.error.clear();
  return true;
}

}  // namespace helio::exporter

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

MrtWriter::MrtWriter(MrtSettings settings, reflector::Reflector& reflector, std::uint32_t started)
    : settings_(std::move(settings)), reflector_(reflector), started_(started) {
  status_.settings = settings_;
  ::mkdir(settings_.directory.c_str(), 0755);
  remove_partial_files(settings_.directory);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "helio-mrt");
}

MrtWriter::~MrtWriter() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

MrtStatus MrtWriter::status() {
  std::lock_guard lock(mutex_);
  return status_;
}

// False: the writer ends.
bool MrtWriter::wait_until(Clock::time_point at) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_until(lock, at, [this] { return ending_; });
}

void MrtWriter::run() {
  if (settings_.rib_dump_interval.count() == 0) return;
  Clock::time_point due = next_multiple(Clock::now(), settings_.rib_dump_interval);
  while (wait_until(due)) {
    Clock::time_point next = next_multiple(Clock::now(), settings_.rib_dump_interval);
    due = dump_rib() ? next : std::min(next, Clock::now() + settings_.retry);
  }
}

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
  RibDump dump(reflector_, started_);
  std::vector<std::uint8_t> bytes;
  for (bool more = true; more;) {
    bytes.clear();
    more = dump.next(bytes);
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

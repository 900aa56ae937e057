// A file that appears under its name only when it is complete: written beside as ".NAME.partial", then renamed. What is given up, or
// was left behind by a crash, is removed.
#pragma once
#include <string>

#include "rr/base/bytes.hpp"
#include "rr/base/result.hpp"

namespace helio::exporter {

class MrtFile {
 public:
  MrtFile() = default;
  MrtFile(MrtFile&& other) noexcept;
  MrtFile& operator=(MrtFile&& other) noexcept;
  ~MrtFile() { abandon(); }

  // Errors are errno values.
  static Result<MrtFile, int> create(const std::string& directory, const std::string& name);
  bool is_open() const { return fd_ >= 0; }
  std::size_t size() const { return size_; }
  // All or nothing: after an error the file is as it was before.
  Result<void, int> append(Bytes bytes);
  // Gives it its name. After an error it is gone.
  Result<void, int> publish();
  void abandon();

 private:
  std::string partial_, path_;
  int fd_ = -1;
  std::size_t size_ = 0;
};

// "rib.20261122.194500.mrt"; the time is UTC.
std::string mrt_file_name(const char* kind, std::int64_t unix_seconds);
// Of the complete files of a kind, as mrt_file_name() names them, the newest `count` stay; 0: all do. Other files are not touched.
void keep_newest_files(const std::string& directory, const std::string& kind, std::size_t count);
// Removes the partial files of an earlier run.
void remove_partial_files(const std::string& directory);

}  // namespace helio::exporter

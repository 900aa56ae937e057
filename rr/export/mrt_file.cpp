#include "rr/export/mrt_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

namespace helio::exporter {

MrtFile::MrtFile(MrtFile&& other) noexcept { *this = std::move(other); }

MrtFile& MrtFile::operator=(MrtFile&& other) noexcept {
  if (this == &other) return *this;
  abandon();
  partial_ = std::move(other.partial_);
  path_ = std::move(other.path_);
  fd_ = std::exchange(other.fd_, -1);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

Result<MrtFile, int> MrtFile::create(const std::string& directory, const std::string& name) {
  MrtFile file;
  file.path_ = directory + "/" + name;
  file.partial_ = directory + "/." + name + ".partial";
  file.fd_ = ::open(file.partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file.fd_ < 0) return Unexpected(errno);
  return file;
}

Result<void, int> MrtFile::append(Bytes bytes) {
  std::size_t before = size_;
  while (!bytes.empty()) {
    ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      int error = n < 0 ? errno : EIO;
      if (::ftruncate(fd_, static_cast<off_t>(before)) != 0 || ::lseek(fd_, static_cast<off_t>(before), SEEK_SET) < 0) abandon();
      size_ = before;
      return Unexpected(error);
    }
    size_ += static_cast<std::size_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void, int> MrtFile::publish() {
  if (fd_ < 0) return Unexpected(EBADF);
  // Written to disk before the name says that it is complete.
  int error = ::fsync(fd_) != 0 && errno != EINVAL ? errno : 0;
  if (::close(std::exchange(fd_, -1)) != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(partial_.c_str(), path_.c_str()) != 0) error = errno;
  if (error == 0) return {};
  ::unlink(partial_.c_str());
  return Unexpected(error);
}

void MrtFile::abandon() {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  ::unlink(partial_.c_str());
}

std::string mrt_file_name(const char* kind, std::int64_t unix_seconds) {
  std::time_t t = unix_seconds;
  std::tm utc{};
  gmtime_r(&t, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d.%H%M%S", &utc);
  return std::string(kind) + "." + text + ".mrt";
}

void keep_newest_files(const std::string& directory, const std::string& kind, std::size_t count) {
  if (count == 0) return;
  static constexpr std::string_view kTime = "20261122.194500";
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    std::string name = entry.path().filename().string();
    if (name.size() != kind.size() + 1 + kTime.size() + 4 || !name.starts_with(kind + ".") || !name.ends_with(".mrt")) continue;
    std::string_view time = std::string_view(name).substr(kind.size() + 1, kTime.size());
    bool ours = time[8] == '.' && std::ranges::count_if(time, [](char c) { return c >= '0' && c <= '9'; }) == kTime.size() - 1;
    if (ours) names.push_back(std::move(name));
  }
  std::ranges::sort(names);  // by time, so
  for (std::size_t i = 0; i + count < names.size(); ++i) std::filesystem::remove(std::filesystem::path(directory) / names[i], error);
}

void remove_partial_files(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    std::string name = entry.path().filename().string();
    bool ours = (name.starts_with(".rib.") || name.starts_with(".updates.")) && name.ends_with(".mrt.partial");
    if (ours) std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace helio::exporter

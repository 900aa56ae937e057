#include "rr/config/token_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace helio::config {

Result<std::string, std::string> read_token_file(const std::string& path) {
  static constexpr std::size_t kShortest = 16, kLongest = 1024;
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Unexpected(std::string(std::strerror(errno)));
  struct stat info {};
  char buffer[kLongest + 2];
  bool is_file = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  ssize_t n = is_file ? ::read(fd, buffer, sizeof(buffer)) : 0;
  ::close(fd);
  if (!is_file) return Unexpected(std::string("is not a file"));
  if (info.st_mode & 07) return Unexpected(fmt::format("everybody may read or write it (mode {:04o}): chmod 640 or 600", info.st_mode & 07777));
  std::string token(buffer, n < 0 ? 0 : static_cast<std::size_t>(n));
  token.resize(std::min(token.find('\n'), token.size()));
  if (token.ends_with('\r')) token.pop_back();
  if (token.size() < kShortest || token.size() > kLongest) return Unexpected(fmt::format("the first line has {} characters: {} to {} make a token", token.size(), kShortest, kLongest));
  if (!std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; })) return Unexpected(std::string("the first line has spaces, or characters that are no ASCII"));
  return token;
}

}  // namespace helio::config

#include "rr/config/token_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace helio::config {
namespace {

constexpr std::size_t kShortest = 16, kLongest = 1024;

Result<Secret, std::string> token_in(std::string_view text) {
  std::string_view token = text.substr(0, text.find('\n'));
  if (token.ends_with('\r')) token.remove_suffix(1);
  if (token.size() < kShortest || token.size() > kLongest) return Unexpected(fmt::format("the first line has {} characters: {} to {} make a token", token.size(), kShortest, kLongest));
  if (!std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; })) return Unexpected(std::string("the first line has spaces, or characters that are no ASCII"));
  return Secret(token);
}

}  // namespace

Result<Secret, std::string> read_token_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Unexpected(std::string(std::strerror(errno)));
  struct stat info {};
  char buffer[kLongest + 2];
  bool is_file = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  ssize_t n = is_file ? ::read(fd, buffer, sizeof(buffer)) : 0;
  ::close(fd);
  if (!is_file) return Unexpected(std::string("is not a file"));
  if (info.st_mode & 07) return Unexpected(fmt::format("everybody may read or write it (mode {:04o}): chmod 640 or 600", info.st_mode & 07777));
  auto token = token_in({buffer, n < 0 ? 0 : static_cast<std::size_t>(n)});
  explicit_bzero(buffer, sizeof(buffer));
  return token;
}

}  // namespace helio::config

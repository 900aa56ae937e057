#include "rr/base/secret.hpp"

#include <fcntl.h>
#include <unistd.h>


namespace helio {

std::optional<Secret> read_secret(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char line[4096];
  std::size_t size = 0;
  while (size < sizeof line) {
    ssize_t got = ::read(fd, line + size, sizeof line - size);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  ::close(fd);
  std::string_view text(line, size);
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  std::optional<Secret> secret;
  if (size != 0) secret.emplace(text);
  explicit_bzero(line, sizeof line);
  return secret;
}

}  // namespace helio

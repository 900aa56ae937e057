#include "rr/control/socket_file.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace helio::control {
namespace {

Unexpected<std::string> failure(std::string_view what, const std::string& path) {
  return Unexpected(fmt::format("control socket {}: {}: {}", path, what, std::strerror(errno)));
}

// Removes a socket nobody listens on. An empty result: the path is free.
std::string remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) return "exists and is not a socket";
  int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return std::strerror(errno);
  int result = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  int error = errno;
  ::close(probe);
  if (result == 0 || error == EAGAIN) return "another daemon listens on it";
  if (error != ECONNREFUSED) return std::strerror(error);
  if (::unlink(path.c_str()) != 0) return std::strerror(errno);
  return {};
}

}  // namespace

Result<int, std::string> listen_on_socket_file(const std::string& path, std::uint32_t mode, const std::string& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return Unexpected(fmt::format("control socket {}: name too long", path));
  std::memcpy(address.sun_path, path.data(), path.size());

  std::error_code code;
  auto directory = std::filesystem::path(path).parent_path();
  if (!directory.empty()) std::filesystem::create_directories(directory, code);
  if (code) return Unexpected(fmt::format("control socket {}: cannot make {}: {}", path, directory.string(), code.message()));
  if (std::string why = remove_stale(path, address); !why.empty())
    return Unexpected(fmt::format("control socket {}: {}", path, why));

  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failure("socket", path);
  auto give_up = [&](std::string_view what) {
    auto error = failure(what, path);
    ::close(fd);
    return error;
  };
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return give_up("bind");
  // Until listen() nobody can connect: mode and group are set in between.
  if (!group.empty()) {
    errno = 0;
    const ::group* entry = ::getgrnam(group.c_str());
    if (!entry) {
      ::close(fd);
      ::unlink(path.c_str());
      return Unexpected(fmt::format("control socket {}: there is no group \"{}\"", path, group));
    }
    if (::chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0) return give_up("chown");
  }
  if (::chmod(path.c_str(), mode) != 0) return give_up("chmod");
  if (::listen(fd, SOMAXCONN) != 0) return give_up("listen");
  return fd;
}

}  // namespace helio::control

// The listening Unix socket: a stale file of a dead daemon is replaced, that of a living one is not.
#pragma once
#include <cstdint>
#include <string>

#include "rr/base/result.hpp"

namespace helio::control {

// A listening descriptor with the file's mode and group set before the first connection can be made.
Result<int, std::string> listen_on_socket_file(const std::string& path, std::uint32_t mode, const std::string& group);

}  // namespace helio::control

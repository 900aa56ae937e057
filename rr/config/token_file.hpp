// Files with a secret token on their first line: read when the configuration is checked, and by the control server.
#pragma once
#include <string>

#include "rr/base/result.hpp"
#include "rr/base/secret.hpp"

namespace helio::config {

// The error says what is wrong with the file: missing, no file, readable by everybody, empty, too short, not printable.
Result<Secret, std::string> read_token_file(const std::string& path);

}  // namespace helio::config

// Text that came from a peer (host names, shutdown reasons) may be any octets. JSON, metrics and terminals want UTF-8.
#pragma once
#include <string>
#include <string_view>

namespace helio {

// `text` with every octet that is not part of well-formed UTF-8 (RFC 3629) replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

// The same, and control characters (what could steer a terminal) replaced by '?'.
std::string to_printable(std::string_view text);

}  // namespace helio

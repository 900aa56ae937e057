// Moments as text: RFC 3339 in and out, and relative ones such as "-5m" in.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "rr/reflector/history_view.hpp"

namespace helio::control {

std::string format_moment(reflector::WallTime time);  // "2026-11-22T19:50:01.123Z"
// "2026-11-22T19:50:01Z", with a fraction of a second and an offset such as +01:00 if wanted; "-90s", "-5m", "-1h30m",
// "-2d", "-500ms": that long before `now`.
std::optional<reflector::WallTime> parse_moment(std::string_view text, reflector::WallTime now);

}  // namespace helio::control

#include "rr/ctl/lib/format.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace helio::ctl {

std::string format_count(std::int64_t value) {
  std::string digits = fmt::format("{}", value);
  std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string format_age(std::int64_t seconds) {
  std::int64_t days = seconds / 86400, rest = seconds % 86400;
  if (days >= 100) return fmt::format("{}d", days);
  if (days > 0) return fmt::format("{}d{:02}h", days, rest / 3600);
  return fmt::format("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
}

std::string format_bytes(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  double value = static_cast<double>(bytes);
  // From 1023.95 on one decimal would be written as 1024.0.
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  return fmt::format("{:.{}f} {}", value, value < 10 ? 1 : 0, kUnits[unit]);
}

std::string format_seconds(double seconds) {
  return seconds < 100 ? fmt::format("{:.1f}s", seconds) : fmt::format("{:.0f}s", seconds);
}

std::string as_words(std::string text) {
  std::ranges::replace(text, '-', ' ');
  return text;
}

}  // namespace helio::ctl

#include "rr/control/moment.hpp"

#include <fmt/format.h>

#include <charconv>

namespace helio::control {

using namespace std::chrono;

namespace {

// Digits from the front of `text`, exactly `count` of them.
std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  const char *first = text.data(), *last = first + count;
  auto [end, error] = std::from_chars(first, last, value);
  if (error != std::errc() || end != last || text[0] == '-') return std::nullopt;
  text.remove_prefix(count);
  return value;
}
bool skip(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<milliseconds> parse_length(std::string_view text) {
  milliseconds sum{0};
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    std::uint32_t n = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::size_t unit = 0;
    while (unit < text.size() && (text[unit] < '0' || text[unit] > '9')) ++unit;
    std::string_view word = text.substr(0, unit);
    text.remove_prefix(unit);
    if (word == "ms") sum += milliseconds(n);
    else if (word == "s") sum += seconds(n);
    else if (word == "m") sum += minutes(n);
    else if (word == "h") sum += hours(n);
    else if (word == "d") sum += days(n);
    else return std::nullopt;
    if (sum > days(36525)) return std::nullopt;  // and no overflow
  }
  return sum;
}

}  // namespace

std::string format_moment(reflector::WallTime time) {
  auto day = floor<days>(time);
  year_month_day date{day};
  hh_mm_ss<milliseconds> of_day{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     of_day.hours().count(), of_day.minutes().count(), of_day.seconds().count(), of_day.subseconds().count());
}

std::optional<reflector::WallTime> parse_moment(std::string_view text, reflector::WallTime now) {
  if (text.starts_with('-')) {
    auto length = parse_length(text.substr(1));
    return length ? std::optional(now - *length) : std::nullopt;
  }
  auto y = digits(text, 4);
  if (!y || !skip(text, '-')) return std::nullopt;
  auto mo = digits(text, 2);
  if (!mo || !skip(text, '-')) return std::nullopt;
  auto d = digits(text, 2);
  if (!d || !(skip(text, 'T') || skip(text, 't') || skip(text, ' '))) return std::nullopt;
  auto h = digits(text, 2);
  if (!h || !skip(text, ':')) return std::nullopt;
  auto mi = digits(text, 2);
  if (!mi || !skip(text, ':')) return std::nullopt;
  auto s = digits(text, 2);
  if (!s) return std::nullopt;
  milliseconds fraction{0};
  if (skip(text, '.')) {
    int scale = 100;
    if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      fraction += milliseconds((text[0] - '0') * scale);
      scale /= 10;
      text.remove_prefix(1);
    }
  }
  minutes offset{0};
  if (text.starts_with('+') || text.starts_with('-')) {
    int sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    auto oh = digits(text, 2);
    if (!oh || !skip(text, ':')) return std::nullopt;
    auto om = digits(text, 2);
    if (!om || *oh > 23 || *om > 59) return std::nullopt;
    offset = minutes(sign * (*oh * 60 + *om));
  } else if (!skip(text, 'Z') && !skip(text, 'z')) {
    return std::nullopt;
  }
  year_month_day date{year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d))};
  if (!text.empty() || !date.ok() || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
  return time_point_cast<milliseconds>(sys_days(date)) + hours(*h) + minutes(*mi) + seconds(*s) + fraction - offset;
}

}  // namespace helio::control

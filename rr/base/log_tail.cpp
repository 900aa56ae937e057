#include "rr/base/log_tail.hpp"

#include <algorithm>

#include "rr/base/utf8.hpp"

namespace helio::log {

void LogTail::add(std::chrono::sys_time<std::chrono::milliseconds> time, std::string_view level, std::string_view message) {
  std::string text = to_printable(message.substr(0, kLongestLine));
  std::scoped_lock lock(mutex_);
  bytes_ += text.size();
  lines_.push_back({next_++, time, std::string(level), std::move(text)});
  while (lines_.size() > kMostLines || bytes_ > kMostBytes) {
    bytes_ -= lines_.front().message.size();
    lines_.pop_front();
  }
}

LogTail::Part LogTail::since(std::uint64_t after, std::size_t most) const {
  Part part;
  std::scoped_lock lock(mutex_);
  if (lines_.empty()) return part;
  if (after + 1 < lines_.front().number) part.lost = lines_.front().number - after - 1;
  std::size_t skip = after < lines_.front().number ? 0 : static_cast<std::size_t>(after + 1 - lines_.front().number);
  for (std::size_t i = skip; i < lines_.size() && part.lines.size() < most; ++i) part.lines.push_back(lines_[i]);
  return part;
}

std::vector<Line> LogTail::last(std::size_t most) const {
  std::scoped_lock lock(mutex_);
  return {lines_.end() - static_cast<std::ptrdiff_t>(std::min(most, lines_.size())), lines_.end()};
}

LogTail& tail() {
  static LogTail instance;
  return instance;
}

}  // namespace helio::log

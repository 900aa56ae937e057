// The last lines of the log, kept in memory for those who ask the daemon instead of the journal: a ring bounded by lines and octets.
// Any thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace helio::log {

struct Line {
  std::uint64_t number = 0;  // counted since the start, from 1
  std::chrono::sys_time<std::chrono::milliseconds> time;
  std::string level;
  std::string message;       // printable, one line
};

class LogTail {
 public:
  static constexpr std::size_t kMostLines = 1000, kMostBytes = 256 << 10, kLongestLine = 4096;

  void add(std::chrono::sys_time<std::chrono::milliseconds> time, std::string_view level, std::string_view message);

  struct Part {
    std::vector<Line> lines;
    std::uint64_t lost = 0;  // lines after `after` that are not there any more
  };
  // Lines with a number above `after`, the oldest first, at most `most`.
  Part since(std::uint64_t after, std::size_t most) const;
  // The last ones.
  std::vector<Line> last(std::size_t most) const;

 private:
  mutable std::mutex mutex_;
  std::deque<Line> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t next_ = 1;
};

// Of the process-wide logger.
LogTail& tail();

}  // namespace helio::log

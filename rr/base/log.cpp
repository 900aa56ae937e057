#include "rr/base/log.hpp"

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <memory>
#include <mutex>

#include "rr/base/log_limit.hpp"
#include "rr/base/log_tail.hpp"
#include "rr/base/utf8.hpp"

namespace helio::log {
namespace {

// The message on one line: what peers call themselves may hold anything, a line feed would be a line of theirs.
class TextMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& msg, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string text = to_printable({msg.payload.data(), msg.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<TextMessage>(); }
};

// The message as a JSON string body: quotes, backslashes and control characters escaped.
class JsonMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& msg, const std::tm&, spdlog::memory_buf_t& out) override {
    for (char c : to_valid_utf8({msg.payload.data(), msg.payload.size()})) {
      if (c == '"' || c == '\\') {
        out.push_back('\\');
        out.push_back(c);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
      } else {
        out.push_back(c);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonMessage>(); }
};

// Beside standard error: what helioctl log tail shows.
class TailSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    auto level = spdlog::level::to_string_view(msg.level);
    tail().add(std::chrono::time_point_cast<std::chrono::milliseconds>(msg.time), {level.data(), level.size()}, {msg.payload.data(), msg.payload.size()});
  }
  void flush_() override {}
};

// Standard error. A pipe or socket that nobody reads blocks the log's own thread, as long as the daemon runs; when that ends,
// for a second and no longer.
class StandardError : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  void begin_end() {
    gives_up_at_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    ending_.store(true, std::memory_order_release);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    write_all({line.data(), line.size()});
  }
  void flush_() override {}

  // poll(2) promises room for PIPE_BUF octets, so that no write blocks.
  void write_all(std::string_view text) {
    constexpr int kLook = 100;  // milliseconds after which the end is looked for
    while (!text.empty()) {
      pollfd wanted{STDERR_FILENO, POLLOUT, 0};
      int ready = ::poll(&wanted, 1, is_given_up() ? 0 : kLook);
      if (ready > 0) {
        ssize_t n = ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
        if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
        else if (errno != EAGAIN && errno != EINTR) return;  // closed, or its disk is full
      } else if (is_given_up()) {
        return;
      }
    }
  }
  bool is_given_up() const { return ending_.load(std::memory_order_acquire) && std::chrono::steady_clock::now() >= gives_up_at_; }

  std::chrono::steady_clock::time_point gives_up_at_{};  // written before ending_
  std::atomic<bool> ending_{false};
};

std::shared_ptr<StandardError> standard_error;

std::mutex limiter_mutex;
LogLimiter limiter;

}  // namespace

void start(const Options& options) {
  spdlog::init_thread_pool(8192, 1);
  standard_error = std::make_shared<StandardError>();
  spdlog::sinks_init_list sinks{std::make_shared<TailSink>(), standard_error};
  auto logger = std::make_shared<spdlog::async_logger>("heliograph", sinks, spdlog::thread_pool(),
                                                       spdlog::async_overflow_policy::overrun_oldest);
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (options.format == "json") {
    formatter->add_flag<JsonMessage>('*');
  } else {
    formatter->add_flag<TextMessage>('*');
  }
  formatter->set_pattern(options.format == "json"
                             ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%*"})"
                             : "%Y-%m-%dT%H:%M:%S.%e %-5l %*");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(options.level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void set_level(const std::string& level) { spdlog::set_level(spdlog::level::from_str(level)); }

void stop() {
  tell_suppressed();
  if (standard_error) standard_error->begin_end();
  spdlog::shutdown();
}

void write(spdlog::level::level_enum level, std::string_view text, fmt::format_args arguments) {
  std::uint64_t before = 0;
  {
    std::scoped_lock lock(limiter_mutex);
    auto admitted = limiter.admit(text, std::chrono::steady_clock::now());
    if (!admitted) return;
    before = *admitted;
  }
  std::string line = fmt::vformat(fmt::string_view(text.data(), text.size()), arguments);
  if (before != 0) line += fmt::format(" ({} more like this were not logged)", before);
  spdlog::default_logger_raw()->log(level, spdlog::string_view_t(line));
}

std::uint64_t suppressed_lines() {
  std::scoped_lock lock(limiter_mutex);
  return limiter.total();
}

void tell_suppressed() {
  std::vector<LogLimiter::Suppressed> told;
  {
    std::scoped_lock lock(limiter_mutex);
    told = limiter.take_suppressed();
  }
  for (const LogLimiter::Suppressed& s : told) spdlog::warn("{} lines were not logged: \"{}\"", s.lines, s.cause);
}

std::uint64_t dropped_lines() {
  auto pool = spdlog::thread_pool();
  return pool ? pool->overrun_counter() : 0;
}

}  // namespace helio::log

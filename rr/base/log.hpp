// The log facade: spdlog behind a name per area. Asynchronous in the daemon, so that a blocked reader of the
// log never blocks an engine thread; overflow drops the oldest line and counts it.
#pragma once
#include <spdlog/spdlog.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace helio::log {

struct Options {
  std::string level = "info";   // trace | debug | info | warn | error
  std::string format = "text";  // text | json
};

// Installs the process-wide logger (to standard error). Call once before threads start.
void start(const Options& options);
// Another level from now on, on any thread.
void set_level(const std::string& level);
// Writes what is left, for a second at most when nobody reads it, and ends the log thread.
void stop();
// Lines dropped because the reader of the log did not keep up.
std::uint64_t dropped_lines();

// Lines left out because too many of their cause came at once, ever; and says so for those not told of yet, every few seconds.
std::uint64_t suppressed_lines();
void tell_suppressed();

// Writes a line, unless too many of the same text came lately (log_limit.hpp); then the next one tells how many.
void write(spdlog::level::level_enum level, std::string_view text, fmt::format_args arguments);

// "key=value" in the message are its fields; the JSON format carries the message as "message".
template <class... T>
void at_level(spdlog::level::level_enum level, fmt::format_string<T...> text, T&&... arguments) {
  if (!spdlog::should_log(level)) return;
  fmt::string_view view = text;
  write(level, {view.data(), view.size()}, fmt::make_format_args(arguments...));
}
template <class... T>
void trace(fmt::format_string<T...> text, T&&... arguments) { at_level<T...>(spdlog::level::trace, text, std::forward<T>(arguments)...); }
template <class... T>
void debug(fmt::format_string<T...> text, T&&... arguments) { at_level<T...>(spdlog::level::debug, text, std::forward<T>(arguments)...); }
template <class... T>
void info(fmt::format_string<T...> text, T&&... arguments) { at_level<T...>(spdlog::level::info, text, std::forward<T>(arguments)...); }
template <class... T>
void warn(fmt::format_string<T...> text, T&&... arguments) { at_level<T...>(spdlog::level::warn, text, std::forward<T>(arguments)...); }
template <class... T>
void error(fmt::format_string<T...> text, T&&... arguments) { at_level<T...>(spdlog::level::err, text, std::forward<T>(arguments)...); }

}  // namespace helio::log

// The log facade: spdlog behind a name per area. Asynchronous in the daemon, so that a blocked reader of the
// log never blocks an engine thread; overflow drops the oldest line and counts it.
#pragma once
#include <spdlog/spdlog.h>

#include <cstdint>
#include <string>

namespace helio::log {

struct Options {
  std::string level = "info";   // trace | debug | info | warn | error
  std::string format = "text";  // text | json
};

// Installs the process-wide logger (to standard error). Call once before threads start.
void start(const Options& options);
// Another level from now on, on any thread.
void set_level(const std::string& level);
// Flushes and ends the log thread.
void stop();
// Lines dropped because the reader of the log did not keep up.
std::uint64_t dropped_lines();

// `fields` of a line are given as "key=value" in the message; the JSON format carries the message as "message".
using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::trace;
using spdlog::warn;

}  // namespace helio::log

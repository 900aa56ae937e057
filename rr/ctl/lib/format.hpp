// Numbers as people on call read them.
#pragma once
#include <cstdint>
#include <string>

namespace helio::ctl {

std::string format_count(std::int64_t value);        // 10,000,000
std::string format_age(std::int64_t seconds);        // 00:04:11 below a day, then 9d02h, from 100 days 412d
std::string format_bytes(std::uint64_t bytes);       // 0 B, 512 KiB, 2.9 GiB
std::string format_seconds(double seconds);          // 0.4s
// "hold-timer-expired" → "hold timer expired".
std::string as_words(std::string text);

}  // namespace helio::ctl

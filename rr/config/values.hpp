// Text of single configuration values to what they mean; shared by the check (is it one?) and the decoding.
#pragma once
#include <chrono>
#include <optional>
#include <string_view>

#include "rr/wire/types.hpp"

namespace helio::config {

struct Prefix {
  wire::IpAddress address;
  std::uint8_t length = 0;
  bool contains(const wire::IpAddress& other) const;
  bool overlaps(const Prefix& other) const;
};
// nullopt for anything but address/length; host bits are reported by has_host_bits.
std::optional<Prefix> parse_ip_prefix(std::string_view text);
bool has_host_bits(const Prefix& prefix);
std::string format_ip_prefix(const Prefix& prefix);

// "192.0.2.1" as a number; nullopt for 0.0.0.0 and other text.
std::optional<std::uint32_t> parse_router_id(std::string_view text);
// "20ms", "30s", "5m", "1h".
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// "64MiB", "24GiB", "512KiB", "1000000"; also MB, GB, kB.
std::optional<std::uint64_t> parse_size(std::string_view text);
// "0660": octal, at most 0777.
std::optional<std::uint32_t> parse_mode(std::string_view text);

}  // namespace helio::config

#include "rr/config/values.hpp"

#include <charconv>
#include <limits>

namespace helio::config {
namespace {

std::optional<std::uint64_t> number(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

// The digits in front, times the factor of the unit behind them.
std::optional<std::uint64_t> with_unit(std::string_view text, std::span<const Unit> units) {
  std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  auto value = number(text.substr(0, digits));
  if (!value) return std::nullopt;
  std::string_view suffix = text.substr(digits);
  while (suffix.starts_with(' ')) suffix.remove_prefix(1);
  for (const Unit& unit : units) {
    if (suffix != unit.suffix) continue;
    if (*value > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return *value * unit.factor;
  }
  return std::nullopt;
}

bool same_leading_bits(const wire::IpAddress& a, const wire::IpAddress& b, unsigned bits) {
  for (unsigned i = 0; i < bits; ++i)
    if ((a.bytes[i / 8] ^ b.bytes[i / 8]) >> (7 - i % 8) & 1) return false;
  return true;
}

}  // namespace

bool Prefix::contains(const wire::IpAddress& other) const {
  return address.is_v6 == other.is_v6 && same_leading_bits(address, other, length);
}
bool Prefix::overlaps(const Prefix& other) const {
  return address.is_v6 == other.address.is_v6 &&
         same_leading_bits(address, other.address, std::min(length, other.length));
}

std::optional<Prefix> parse_ip_prefix(std::string_view text) {
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto address = wire::parse_ip(text.substr(0, slash));
  auto length = number(text.substr(slash + 1));
  if (!address || !length || *length > (address->is_v6 ? 128 : 32)) return std::nullopt;
  return Prefix{*address, static_cast<std::uint8_t>(*length)};
}

bool has_host_bits(const Prefix& prefix) {
  unsigned bits = prefix.address.is_v6 ? 128 : 32;
  for (unsigned i = prefix.length; i < bits; ++i)
    if (prefix.address.bytes[i / 8] >> (7 - i % 8) & 1) return true;
  return false;
}

std::string format_ip_prefix(const Prefix& prefix) {
  return wire::format_ip(prefix.address) + "/" + std::to_string(prefix.length);
}

std::optional<std::uint32_t> parse_router_id(std::string_view text) {
  auto address = wire::parse_ip(text);
  if (!address || address->is_v6 || address->v4_value() == 0) return std::nullopt;
  return address->v4_value();
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  auto value = with_unit(text, kUnits);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(*value);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1},           {"B", 1},          {"KiB", 1ull << 10}, {"MiB", 1ull << 20},
                                    {"GiB", 1ull << 30}, {"TiB", 1ull << 40}, {"kB", 1000},       {"MB", 1'000'000},
                                    {"GB", 1'000'000'000}};
  return with_unit(text, kUnits);
}

std::optional<std::uint32_t> parse_mode(std::string_view text) {
  if (text.size() < 3 || text.size() > 4) return std::nullopt;
  auto value = number(text, 8);
  if (!value || *value > 0777) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

}  // namespace helio::config

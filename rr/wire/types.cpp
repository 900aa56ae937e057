// Text of the wire's value types, both ways. Called by configuration, CLI and logs, never on the hot path.
#include "rr/wire/types.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace helio::wire {
namespace {

struct FamilyRow {
  Family family;
  AfiSafi code;
  std::string_view name;
  std::string_view label;
};
constexpr FamilyRow kFamilies[kFamilyCount] = {
    {Family::vpnv4, {1, 128}, "l3vpn-ipv4-unicast", "vpnv4"},
    {Family::vpnv6, {2, 128}, "l3vpn-ipv6-unicast", "vpnv6"},
    {Family::rtc, {1, 132}, "rt-constrain", "rtc"},
    {Family::ipv4_unicast, {1, 1}, "ipv4-unicast", "ipv4"},
    {Family::ipv6_unicast, {2, 1}, "ipv6-unicast", "ipv6"},
    {Family::evpn, {25, 70}, "l2vpn-evpn", "evpn"},
};

// A decimal number of at most `max`, without sign, spaces or leftovers.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  auto address = parse_ip(text);
  if (!address || address->is_v6) return std::nullopt;
  return address->v4_value();
}

// "administrator:number" as the six octets after `type`: what route distinguishers (RFC 4364 §4.2) and the
// extended communities of RFC 4360 §3.1/3.2 and RFC 5668 have in common. `type` is 0, 1 or 2.
struct Administrator {
  unsigned type;
  std::uint64_t six_octets;
};
std::optional<Administrator> parse_administrator(std::string_view text) {
  std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view left = text.substr(0, colon);
  std::string_view right = text.substr(colon + 1);
  if (left.find('.') != std::string_view::npos) {
    auto address = parse_ipv4(left);
    auto number = parse_number(right, 0xffff);
    if (!address || !number) return std::nullopt;
    return Administrator{1, std::uint64_t{*address} << 16 | *number};
  }
  bool forced_four_octet = left.ends_with('L') || left.ends_with('l');
  if (forced_four_octet) left.remove_suffix(1);
  auto as = parse_number(left, 0xffffffff);
  if (!as) return std::nullopt;
  if (forced_four_octet || *as > 0xffff) {
    auto number = parse_number(right, 0xffff);
    if (!number) return std::nullopt;
    return Administrator{2, *as << 16 | *number};
  }
  auto number = parse_number(right, 0xffffffff);
  if (!number) return std::nullopt;
  return Administrator{0, *as << 32 | *number};
}

std::string format_administrator(unsigned type, std::uint64_t six_octets) {
  if (type == 0) return fmt::format("{}:{}", six_octets >> 32 & 0xffff, six_octets & 0xffffffff);
  std::uint32_t high = static_cast<std::uint32_t>(six_octets >> 16);
  unsigned number = six_octets & 0xffff;
  if (type == 1) return fmt::format("{}:{}", format_ip(IpAddress::v4(high)), number);
  return fmt::format("{}{}:{}", high, high > 0xffff ? "" : "L", number);
}

std::optional<std::uint64_t> parse_hex64(std::string_view text) {
  if (text.size() != 18 || !text.starts_with("0x")) return std::nullopt;
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr std::uint64_t kSixOctets = 0xffffffffffffULL;

}  // namespace

AfiSafi afi_safi(Family family) { return kFamilies[index(family)].code; }

std::optional<Family> family_of(AfiSafi value) {
  for (const FamilyRow& row : kFamilies)
    if (row.code == value) return row.family;
  return std::nullopt;
}

std::string_view family_name(Family family) { return kFamilies[index(family)].name; }

std::optional<Family> parse_family(std::string_view name) {
  for (const FamilyRow& row : kFamilies)
    if (row.name == name) return row.family;
  return std::nullopt;
}

std::string_view family_label(Family family) { return kFamilies[index(family)].label; }
std::string family_labels(FamilySet families) {
  std::string text;
  for (std::size_t f = 0; f < kFamilyCount; ++f)
    if (auto family = static_cast<Family>(f); families.contains(family)) text.append(text.empty() ? "" : " ").append(family_label(family));
  return text;
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress address;
  store_be32(address.bytes.data(), host_order);
  return address;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(buffer, text.size());
  buffer[text.size()] = '\0';
  IpAddress address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(address.is_v6 ? AF_INET6 : AF_INET, buffer, address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::string format_ip(const IpAddress& address) {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(address.is_v6 ? AF_INET6 : AF_INET, address.bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::string format_rd(RouteDistinguisher rd) {
  std::uint64_t type = rd.value >> 48;
  if (type <= 2) return format_administrator(static_cast<unsigned>(type), rd.value & kSixOctets);
  return fmt::format("0x{:016x}", rd.value);
}

std::optional<RouteDistinguisher> parse_rd(std::string_view text) {
  if (text.starts_with("0x")) {
    auto value = parse_hex64(text);
    if (!value) return std::nullopt;
    return RouteDistinguisher{*value};
  }
  auto parsed = parse_administrator(text);
  if (!parsed) return std::nullopt;
  return RouteDistinguisher{std::uint64_t{parsed->type} << 48 | parsed->six_octets};
}

std::string format_rt(RouteTarget rt) {
  if (is_route_target(rt.value)) return format_administrator(rt.value >> 56, rt.value & kSixOctets);
  return fmt::format("0x{:016x}", rt.value);
}

std::optional<RouteTarget> parse_rt(std::string_view text) {
  if (text.starts_with("0x")) {
    auto value = parse_hex64(text);
    if (!value) return std::nullopt;
    return RouteTarget{*value};
  }
  auto parsed = parse_administrator(text);
  if (!parsed) return std::nullopt;
  return RouteTarget{std::uint64_t{parsed->type} << 56 | std::uint64_t{0x02} << 48 | parsed->six_octets};
}

std::string format_prefix(const VpnPrefix& prefix) {
  return fmt::format("{}/{}", format_ip(IpAddress{prefix.address, prefix.is_v6}), prefix.length);
}

std::optional<VpnPrefix> parse_prefix(std::string_view text) {
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  auto length = parse_number(text.substr(slash + 1), address->is_v6 ? 128 : 32);
  if (!length) return std::nullopt;
  for (std::size_t bit = *length; bit < 128; ++bit)
    if (address->bytes[bit / 8] >> (7 - bit % 8) & 1) return std::nullopt;
  VpnPrefix prefix;
  prefix.address = address->bytes;
  prefix.length = static_cast<std::uint8_t>(*length);
  prefix.is_v6 = address->is_v6;
  return prefix;
}

std::string format_membership(const RtMembership& membership) {
  if (membership.is_default()) return "default";
  if (membership.length == 32) return fmt::format("{}:*", membership.origin_as);
  if (membership.length == 96) return fmt::format("{}:{}", membership.origin_as, format_rt({membership.target}));
  unsigned octets = (membership.length - 32u + 7) / 8;
  std::string digits = fmt::format("{:016x}", membership.target).substr(0, octets * 2);
  return fmt::format("{}:0x{}/{}", membership.origin_as, digits, membership.length);
}

}  // namespace helio::wire

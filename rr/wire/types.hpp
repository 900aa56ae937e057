// Value types of the wire: address families, RD, RT, IP addresses, VPN prefixes. Plain data, comparable,
// formatted and parsed as the field writes them (RFC 4364 §4.2 RDs, RFC 4360/5668 route targets).
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/bytes.hpp"
#include "rr/base/ids.hpp"

namespace helio::wire {

// The address families Heliograph can negotiate. The value is an index into per-family arrays.
enum class Family : std::uint8_t { vpnv4, vpnv6, rtc, ipv4_unicast, ipv6_unicast, evpn };
inline constexpr std::size_t kFamilyCount = 6;
inline constexpr std::size_t index(Family f) { return static_cast<std::size_t>(f); }
inline constexpr bool is_vpn(Family f) { return f == Family::vpnv4 || f == Family::vpnv6; }  // labelled VPN prefixes
// Routes that are reflected by their route targets.
inline constexpr bool has_route_targets(Family f) { return is_vpn(f) || f == Family::evpn; }

struct AfiSafi {
  std::uint16_t afi = 0;
  std::uint8_t safi = 0;
  auto operator<=>(const AfiSafi&) const = default;
};
AfiSafi afi_safi(Family family);
std::optional<Family> family_of(AfiSafi value);
// Configuration names: "l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rt-constrain", "ipv4-unicast", "ipv6-unicast", "l2vpn-evpn".
std::string_view family_name(Family family);
std::optional<Family> parse_family(std::string_view name);
// Short names of metrics and CLI: "vpnv4", "vpnv6", "rtc", "ipv4", "ipv6", "evpn".
std::string_view family_label(Family family);

// A set of families as a bit mask.
struct FamilySet {
  std::uint8_t bits = 0;
  constexpr bool contains(Family f) const { return bits >> index(f) & 1; }
  constexpr void insert(Family f) { bits = static_cast<std::uint8_t>(bits | 1u << index(f)); }
  constexpr void erase(Family f) { bits = static_cast<std::uint8_t>(bits & ~(1u << index(f))); }
  constexpr bool empty() const { return bits == 0; }
  static constexpr FamilySet of(Family f) { return FamilySet{static_cast<std::uint8_t>(1u << index(f))}; }
  constexpr auto operator<=>(const FamilySet&) const = default;
  friend constexpr FamilySet operator|(FamilySet a, FamilySet b) {
    return FamilySet{static_cast<std::uint8_t>(a.bits | b.bits)};
  }
  friend constexpr FamilySet operator-(FamilySet a, FamilySet b) {
    return FamilySet{static_cast<std::uint8_t>(a.bits & ~b.bits)};
  }
  friend constexpr FamilySet operator&(FamilySet a, FamilySet b) {
    return FamilySet{static_cast<std::uint8_t>(a.bits & b.bits)};
  }
};

// Their labels, with blanks between.
std::string family_labels(FamilySet families);

// IPv4 or IPv6 address; IPv4 occupies the first four bytes, the rest is zero.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool is_v6 = false;
  auto operator<=>(const IpAddress&) const = default;
  static IpAddress v4(std::uint32_t host_order);
  std::uint32_t v4_value() const { return load_be32(bytes.data()); }
  Bytes view() const { return Bytes(bytes.data(), is_v6 ? 16 : 4); }
};
std::optional<IpAddress> parse_ip(std::string_view text);
std::string format_ip(const IpAddress& address);

// Route distinguisher: the 8 octets as a big-endian number; equality and order are bytewise.
struct RouteDistinguisher {
  std::uint64_t value = 0;
  auto operator<=>(const RouteDistinguisher&) const = default;
};
// "65000:101" (type 0), "192.0.2.1:7" (type 1), "4200000000:5" and "65000L:5" (type 2; the L where the AS would
// fit two octets); types that have no such text: "0x" + 16 hex digits. Parsing takes all of these.
std::string format_rd(RouteDistinguisher rd);
std::optional<RouteDistinguisher> parse_rd(std::string_view text);

// Route target: the 8 octets of the extended community as a big-endian number. 65000:1 of type 0 and of type 2
// are different route targets (pitfall 1.24). Text: "65000:1" type 0, "192.0.2.1:1" type 1, "4200000000:1" and "65000L:1" type 2.
struct RouteTarget {
  std::uint64_t value = 0;
  auto operator<=>(const RouteTarget&) const = default;
};
std::string format_rt(RouteTarget rt);
std::optional<RouteTarget> parse_rt(std::string_view text);
// True when the extended community is a route target (type 0x00/0x01/0x02, subtype 0x02; transitive).
inline bool is_route_target(std::uint64_t extended_community) {
  std::uint64_t type = extended_community >> 48;
  return type == 0x0002 || type == 0x0102 || type == 0x0202;
}

// IPv6-address-specific route target (RFC 5701): 20 octets.
using RouteTarget6 = std::array<std::uint8_t, 20>;

// A customer prefix inside a VPN; bits beyond `length` are zero.
struct VpnPrefix {
  RouteDistinguisher rd;
  std::array<std::uint8_t, 16> address{};
  std::uint8_t length = 0;  // bits of the inner prefix: 0..32 or 0..128
  bool is_v6 = false;
  auto operator<=>(const VpnPrefix&) const = default;
};
std::string format_prefix(const VpnPrefix& prefix);  // "10.0.0.0/24", without the RD
std::optional<VpnPrefix> parse_prefix(std::string_view text);  // RD left zero; host bits must be zero

// RT membership NLRI (RFC 4684 §4), canonical: bits beyond `length` are zero. length is 0, or 32..96.
struct RtMembership {
  std::uint8_t length = 0;        // bits, including the 32 of the origin AS
  Asn origin_as = 0;
  std::uint64_t target = 0;       // masked route target prefix, left-aligned
  auto operator<=>(const RtMembership&) const = default;
  bool is_default() const { return length == 0; }
  bool matches_everything() const { return length <= 32; }
  bool matches(RouteTarget rt) const {
    if (length <= 32) return true;
    unsigned bits = length - 32u;
    return ((rt.value ^ target) >> (64u - bits)) == 0;
  }
};
// "default", "65000:*" for length 32, "65000:65000:101" (origin AS, then the RT) for length 96,
// "65000:0x0002fde8/64" (the target's leading octets in hex, then the NLRI length) for partial ones.
std::string format_membership(const RtMembership& membership);

}  // namespace helio::wire

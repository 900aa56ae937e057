// A second, deliberately plain UPDATE codec for the tests: whole messages to and from value structs with vectors. It
// shares nothing with rr/wire but the value types, so that a mistake there does not cancel out. The decoder is
// strict: whatever a picky PE could object to is listed as a defect. RFC 4271 §4.3, RFC 4760, RFC 4364, RFC 4684.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::test {

using Octets = std::vector<std::uint8_t>;

struct AsSegment {
  static constexpr std::uint8_t kSet = 1, kSequence = 2;
  std::uint8_t type = kSequence;
  std::vector<Asn> ases;
  auto operator<=>(const AsSegment&) const = default;
};

struct RawAttribute {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;  // without the extended-length bit
  Octets value;
  auto operator<=>(const RawAttribute&) const = default;
};

// Everything an UPDATE says about its routes, next hop included; equal structs are equal routes to a receiver.
struct PathAttributes {
  std::uint8_t origin = 0;
  std::vector<AsSegment> as_path;
  std::optional<std::uint32_t> med, local_pref, originator_id;
  std::vector<std::uint32_t> communities, cluster_list;
  std::vector<std::uint64_t> extended_communities;  // in order
  Octets next_hop;                                  // the whole MP_REACH field
  std::vector<RawAttribute> others;                 // by type
  auto operator<=>(const PathAttributes&) const = default;
};
// RFC 4271 §5.1.2: into the first sequence, unless it is full.
void prepend(std::vector<AsSegment>& path, Asn as);
std::string format_attributes(const PathAttributes& attributes);

// What a receiver holds for one prefix. Labels are 24-bit fields as sent, S bit included.
struct HeldRoute {
  std::vector<std::uint32_t> labels;
  PathAttributes attributes;
  auto operator<=>(const HeldRoute&) const = default;
};
std::string format_route(const HeldRoute& route);
std::string format_key(const wire::VpnPrefix& prefix);  // "65000:1 10.0.0.0/24"

// A prefix with the path id it came with; 0 without ADD-PATH (RFC 7911).
struct PathKey : wire::VpnPrefix {
  std::uint32_t path_id = 0;
  PathKey() = default;
  PathKey(const wire::VpnPrefix& prefix, std::uint32_t id = 0) : wire::VpnPrefix(prefix), path_id(id) {}
  auto operator<=>(const PathKey&) const = default;
};

// What is held of each prefix, whatever the path ids are (RFC 7911 §2: the sender's choice).
std::map<wire::VpnPrefix, std::multiset<HeldRoute>> without_ids(const std::map<PathKey, HeldRoute>& held);

struct LabelledPrefix {
  PathKey prefix;
  std::vector<std::uint32_t> labels;
};

struct NaiveUpdate {
  std::optional<wire::Family> reach, unreach;
  PathAttributes attributes;                        // meaningful when `reach` is set
  std::vector<LabelledPrefix> announced;            // VPN families
  std::vector<PathKey> withdrawn;
  std::vector<wire::RtMembership> announced_rtc;    // Family::rtc
  std::vector<wire::RtMembership> withdrawn_rtc;
  std::optional<wire::Family> end_of_rib;
  std::uint32_t withdraw_label = 0x800000;          // wire 2.4: 0x800000, 0x000000, 0x000001 or the announced one
  std::optional<std::uint8_t> broken_origin;        // encoded in place of ORIGIN: RFC 7606 §7.1, treat as withdraw
  std::vector<std::string> defects;                 // decode only
};

// The body (without the 19-octet header). `four_octet_as`: RFC 6793 negotiated; `add_path`: families whose NLRIs have path ids.
Octets encode_body(const NaiveUpdate& update, bool four_octet_as = true, wire::FamilySet add_path = {});
NaiveUpdate decode_body(Bytes body, bool four_octet_as = true, bool external = false, wire::FamilySet add_path = {});
// Header and body.
Octets with_header(std::uint8_t type, const Octets& body);

// Next hop fields: 8 octets of zero RD before the address (wire 2.2); RTC carries the bare address.
Octets vpn_next_hop(const wire::IpAddress& address);
Octets bare_next_hop(const wire::IpAddress& address);

}  // namespace helio::test

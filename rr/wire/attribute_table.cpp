#include "rr/wire/attribute_table.hpp"

#include <array>

#include "rr/wire/as_path.hpp"

namespace helio::wire {
namespace {

using Length = AttributeRule::Length;
using Action = UpdateErrorAction;

const char* check_origin(Bytes value, const UpdateContext&) {
  return value[0] <= 2 ? nullptr : "ORIGIN value is not 0, 1 or 2 (RFC 7606 7.1)";
}

const char* check_as_path(Bytes value, const UpdateContext& context) {
  AsPathReader reader(value, context.four_octet_as);
  AsPathSegment segment;
  while (reader.next(segment)) {
    // RFC 5065 §5: confederation segments stay inside the confederation.
    if (segment.is_confederation() && context.is_external) return "AS_PATH with a confederation segment from outside (RFC 5065 5)";
    for (unsigned i = 0; i < segment.count; ++i)
      if (segment.as(i) == 0) return "AS_PATH contains AS 0 (RFC 7607 2)";
  }
  return reader.malformed() ? "AS_PATH segment type or length is wrong (RFC 7606 7.2)" : nullptr;
}

// RFC 6793 §6: confederation segments are left out when the path is used, everything else malformed discards it.
const char* check_as4_path(Bytes value, const UpdateContext&) {
  if (value.size() < 6 || value.size() % 2 != 0) return "AS4_PATH length is odd or below 6 (RFC 6793 6)";
  AsPathReader reader(value, true);
  AsPathSegment segment;
  while (reader.next(segment))
    for (unsigned i = 0; i < segment.count; ++i)
      if (segment.as(i) == 0) return "AS4_PATH contains AS 0 (RFC 7607 2)";
  return reader.malformed() ? "AS4_PATH segment type or length is wrong (RFC 6793 6)" : nullptr;
}

const char* check_aggregator(Bytes value, const UpdateContext& context) {
  if (value.size() != (context.four_octet_as ? 8u : 6u)) return "AGGREGATOR length does not fit the AS number size (RFC 7606 7.7)";
  std::uint32_t as = context.four_octet_as ? load_be32(value.data()) : load_be16(value.data());
  return as == 0 ? "AGGREGATOR is AS 0 (RFC 7607 2)" : nullptr;
}

const char* check_as4_aggregator(Bytes value, const UpdateContext&) {
  return load_be32(value.data()) == 0 ? "AS4_AGGREGATOR is AS 0 (RFC 7607 2)" : nullptr;
}

// RFC 7311 §3: TLVs with a two-octet length that includes type and length; an AIGP TLV is 11 octets.
const char* check_aigp(Bytes value, const UpdateContext&) {
  ByteReader reader(value);
  while (!reader.empty()) {
    std::uint8_t type = reader.u8();
    std::uint16_t length = reader.u16();
    if (!reader.ok() || length < 3) return "AIGP TLV length below 3 (RFC 7311 3)";
    if (type == 1 && length != 11) return "AIGP TLV length is not 11 (RFC 7311 3)";
    reader.take(length - 3u);
    if (!reader.ok()) return "AIGP TLV beyond the attribute (RFC 7311 3)";
  }
  return nullptr;
}

// RFC 9012 §2: tunnel TLVs (type 2, length 2) of sub-TLVs (type 1; length 1 below type 128, else 2). §13: the last
// octet of a TLV is the last octet of its last sub-TLV, otherwise treat-as-withdraw; contents are nothing of ours.
const char* check_tunnel_encap(Bytes value, const UpdateContext&) {
  ByteReader reader(value);
  while (!reader.empty()) {
    reader.u16();
    ByteReader tunnel(reader.take(reader.u16()));
    if (!reader.ok()) return "TUNNEL_ENCAP TLV beyond the attribute (RFC 9012 13)";
    while (!tunnel.empty()) {
      std::uint8_t type = tunnel.u8();
      tunnel.take(type < 128 ? tunnel.u8() : tunnel.u16());
      if (!tunnel.ok()) return "TUNNEL_ENCAP sub-TLV beyond its TLV (RFC 9012 13)";
    }
  }
  return nullptr;
}

// A run of TLVs with a one-octet type and a two-octet length that fills `value` exactly.
bool tlvs_fit(Bytes value) {
  ByteReader reader(value);
  while (!reader.empty()) {
    reader.u8();
    reader.take(reader.u16());
    if (!reader.ok()) return false;
  }
  return true;
}

// RFC 9252 §2, §3: an SRv6 service TLV is a reserved octet and sub-TLVs; a SID information sub-TLV (type 1) is 21
// octets and sub-sub-TLVs.
bool srv6_service_fits(Bytes value) {
  if (value.empty() || !tlvs_fit(value.subspan(1))) return false;
  ByteReader reader(value.subspan(1));
  while (!reader.empty()) {
    std::uint8_t type = reader.u8();
    Bytes content = reader.take(reader.u16());
    if (type == 1 && (content.size() < 21 || !tlvs_fit(content.subspan(21)))) return false;
  }
  return true;
}

// RFC 8669 §3, §6: attribute discard whatever is wrong, and unknown TLVs pass. TLV type 0 is reserved: an attribute
// of zero octets was what reset sessions across the Internet in May 2025.
const char* check_prefix_sid(Bytes value, const UpdateContext&) {
  ByteReader reader(value);
  while (!reader.empty()) {
    std::uint8_t type = reader.u8();
    Bytes content = reader.take(reader.u16());
    if (!reader.ok()) return "PREFIX_SID TLV beyond the attribute (RFC 8669 6)";
    if (type == 0) return "PREFIX_SID TLV type 0 (RFC 8669 6)";
    if (type == 1 && content.size() != 7) return "PREFIX_SID label index length is not 7 (RFC 8669 3.1)";
    if (type == 3 && (content.size() < 8 || (content.size() - 2) % 6 != 0)) return "PREFIX_SID originator SRGB length (RFC 8669 3.2)";
    if ((type == 5 || type == 6) && !srv6_service_fits(content)) return "PREFIX_SID SRv6 service TLV is malformed (RFC 9252 7)";
  }
  return nullptr;
}

// RFC 6368 §5: origin AS, then path attributes.
const char* check_attr_set(Bytes value, const UpdateContext&) {
  ByteReader reader(value.subspan(4));
  while (!reader.empty()) {
    std::uint8_t flags = reader.u8();
    std::uint8_t type = reader.u8();
    reader.take(flags & attr_flag::extended_length ? reader.u16() : reader.u8());
    if (!reader.ok()) return "ATTR_SET attribute beyond the set (RFC 7606 7.16)";
    if (type == attr::mp_reach || type == attr::mp_unreach) return "ATTR_SET contains MP_REACH or MP_UNREACH (RFC 6368 5)";
  }
  return nullptr;
}

constexpr std::uint8_t kWellKnown = attr_flag::transitive;
constexpr std::uint8_t kTransitive = attr_flag::optional | attr_flag::transitive;
constexpr std::uint8_t kNonTransitive = attr_flag::optional;

// clang-format off
constexpr AttributeRule kRules[] = {
    // type                            name                        flags           on flags          on error       len val ibgp   length rule
    {attr::origin,                     "ORIGIN",                   kWellKnown,     Action::withdraw, Action::withdraw, 5, 6, false, Length::exactly, 1, "ORIGIN length is not 1 (RFC 7606 7.1)", check_origin},
    {attr::as_path,                    "AS_PATH",                  kWellKnown,     Action::withdraw, Action::withdraw, 11, 11, false, Length::any, 0, "", check_as_path},
    {attr::next_hop,                   "NEXT_HOP",                 kWellKnown,     Action::withdraw, Action::withdraw, 5, 8, false, Length::exactly, 4, "NEXT_HOP length is not 4 (RFC 7606 7.3)", nullptr},
    {attr::med,                        "MULTI_EXIT_DISC",          kNonTransitive, Action::withdraw, Action::withdraw, 5, 9, false, Length::exactly, 4, "MULTI_EXIT_DISC length is not 4 (RFC 7606 7.4)", nullptr},
    {attr::local_pref,                 "LOCAL_PREF",               kWellKnown,     Action::withdraw, Action::withdraw, 5, 9, true,  Length::exactly, 4, "LOCAL_PREF length is not 4 (RFC 7606 7.5)", nullptr},
    {attr::atomic_aggregate,           "ATOMIC_AGGREGATE",         kWellKnown,     Action::withdraw, Action::discard,  5, 9, false, Length::exactly, 0, "ATOMIC_AGGREGATE length is not 0 (RFC 7606 7.6)", nullptr},
    {attr::aggregator,                 "AGGREGATOR",               kTransitive,    Action::withdraw, Action::discard,  5, 9, false, Length::any, 0, "", check_aggregator},
    {attr::communities,                "COMMUNITIES",              kTransitive,    Action::withdraw, Action::withdraw, 5, 9, false, Length::nonzero_multiple, 4, "COMMUNITIES length is not a nonzero multiple of 4 (RFC 7606 7.8)", nullptr},
    {attr::originator_id,              "ORIGINATOR_ID",            kNonTransitive, Action::withdraw, Action::withdraw, 5, 9, true,  Length::exactly, 4, "ORIGINATOR_ID length is not 4 (RFC 7606 7.9)", nullptr},
    {attr::cluster_list,               "CLUSTER_LIST",             kNonTransitive, Action::withdraw, Action::withdraw, 5, 9, true,  Length::nonzero_multiple, 4, "CLUSTER_LIST length is not a nonzero multiple of 4 (RFC 7606 7.10)", nullptr},
    {attr::mp_reach,                   "MP_REACH_NLRI",            kNonTransitive, Action::withdraw, Action::reset,    9, 9, false, Length::any, 0, "", nullptr},
    {attr::mp_unreach,                 "MP_UNREACH_NLRI",          kNonTransitive, Action::withdraw, Action::reset,    9, 9, false, Length::any, 0, "", nullptr},
    {attr::extended_communities,       "EXTENDED_COMMUNITIES",     kTransitive,    Action::withdraw, Action::withdraw, 5, 9, false, Length::nonzero_multiple, 8, "EXTENDED_COMMUNITIES length is not a nonzero multiple of 8 (RFC 7606 7.14)", nullptr},
    {attr::as4_path,                   "AS4_PATH",                 kTransitive,    Action::withdraw, Action::discard,  5, 9, false, Length::any, 0, "", check_as4_path},
    {attr::as4_aggregator,             "AS4_AGGREGATOR",           kTransitive,    Action::withdraw, Action::discard,  5, 9, false, Length::exactly, 8, "AS4_AGGREGATOR length is not 8 (RFC 6793 6)", check_as4_aggregator},
    {attr::pmsi_tunnel,                "PMSI_TUNNEL",              kTransitive,    Action::withdraw, Action::withdraw, 5, 9, false, Length::at_least, 5, "PMSI_TUNNEL length is below 5 (RFC 6514 5)", nullptr},
    {attr::tunnel_encap,               "TUNNEL_ENCAP",             kTransitive,    Action::withdraw, Action::withdraw, 5, 9, false, Length::any, 0, "", check_tunnel_encap},
    {attr::ipv6_extended_communities,  "IPV6_EXTENDED_COMMUNITIES", kTransitive,   Action::withdraw, Action::withdraw, 5, 9, false, Length::nonzero_multiple, 20, "IPV6_EXTENDED_COMMUNITIES length is not a nonzero multiple of 20 (RFC 7606 7.15)", nullptr},
    {attr::aigp,                       "AIGP",                     kNonTransitive, Action::discard,  Action::discard,  5, 9, false, Length::any, 0, "", check_aigp},
    {attr::large_communities,          "LARGE_COMMUNITIES",        kTransitive,    Action::withdraw, Action::withdraw, 5, 9, false, Length::nonzero_multiple, 12, "LARGE_COMMUNITIES length is not a nonzero multiple of 12 (RFC 8092 6)", nullptr},
    {attr::otc,                        "ONLY_TO_CUSTOMER",         kTransitive,    Action::withdraw, Action::withdraw, 5, 9, false, Length::exactly, 4, "ONLY_TO_CUSTOMER length is not 4 (RFC 9234 5)", nullptr},
    {attr::prefix_sid,                 "PREFIX_SID",               kTransitive,    Action::withdraw, Action::discard,  5, 9, false, Length::at_least, 3, "PREFIX_SID has no TLV (RFC 8669 6)", check_prefix_sid},
    {attr::attr_set,                   "ATTR_SET",                 kTransitive,    Action::withdraw, Action::withdraw, 5, 9, false, Length::at_least, 4, "ATTR_SET length is below 4 (RFC 7606 7.16)", check_attr_set},
};
// clang-format on

constexpr std::uint8_t kNoRule = 0xff;
constexpr auto kRuleOfType = [] {
  std::array<std::uint8_t, 256> rules{};
  rules.fill(kNoRule);
  for (std::size_t i = 0; i < std::size(kRules); ++i) rules[kRules[i].type] = static_cast<std::uint8_t>(i);
  return rules;
}();

}  // namespace

const AttributeRule* find_attribute_rule(std::uint8_t type) {
  std::uint8_t at = kRuleOfType[type];
  return at == kNoRule ? nullptr : &kRules[at];
}

std::string_view attribute_name(std::uint8_t type) {
  const AttributeRule* rule = find_attribute_rule(type);
  return rule ? rule->name : "unknown";
}

}  // namespace helio::wire

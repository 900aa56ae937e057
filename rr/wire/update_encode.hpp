// Building UPDATE messages: attributes, NLRI entries and whole messages. Pure; used by the synthetic PEs, the tests
// and the slow paths of the reflector (the packer writes its own runs).
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "rr/wire/message.hpp"
#include "rr/wire/update.hpp"

namespace helio::wire {

inline constexpr std::uint32_t kWithdrawLabel = 0x800000;  // RFC 8277 §2.4

// The 24-bit field of a label as it stands in an NLRI: label 20, traffic class 3 (zero), bottom of stack 1.
constexpr std::uint32_t label_field(std::uint32_t label, bool is_bottom = true) { return label << 4 | (is_bottom ? 1 : 0); }

// One attribute; the extended-length flag is set exactly when the value needs it.
void encode_attribute(std::vector<std::uint8_t>& out, std::uint8_t flags, std::uint8_t type, Bytes value);
void encode_attribute_u32(std::vector<std::uint8_t>& out, std::uint8_t flags, std::uint8_t type, std::uint32_t value);

// `labels` are 24-bit fields; the caller sets S bits (label_field). The entry must not exceed 255 bits.
void encode_vpn_nlri(std::vector<std::uint8_t>& out, const VpnPrefix& prefix, std::span<const std::uint32_t> labels,
                     std::optional<std::uint32_t> path_id = std::nullopt);
void encode_vpn_withdraw(std::vector<std::uint8_t>& out, const VpnPrefix& prefix, std::optional<std::uint32_t> path_id = std::nullopt);
// A unicast prefix; the RD of `prefix` is not used.
void encode_unicast_nlri(std::vector<std::uint8_t>& out, const VpnPrefix& prefix, std::optional<std::uint32_t> path_id = std::nullopt);
// The next hop field of MP_REACH: with a zero RD in front for the VPN families. A VPNv6 route with an IPv4 next hop
// gets the IPv4-mapped address (RFC 4659 §3.2.1.2).
void encode_next_hop(std::vector<std::uint8_t>& out, Family family, const IpAddress& address);

// Whole UPDATE messages of at most `max_message` octets for all entries of `nlri`. MP_REACH stands first (RFC 7606
// §5.1), then `attributes` (encoded, without MP attributes). IPv4 unicast with a four-octet next hop uses the fields of
// RFC 4271: NEXT_HOP is then put in its place among `attributes`. False, and nothing appended, when one entry does not
// fit beside the attributes.
[[nodiscard]] bool encode_announcements(std::vector<std::uint8_t>& out, Family family, Bytes next_hop, Bytes attributes, Bytes nlri,
                                        bool has_path_id = false, std::size_t max_message = kMaxMessage);
void encode_withdrawals(std::vector<std::uint8_t>& out, Family family, Bytes nlri, bool has_path_id = false,
                        std::size_t max_message = kMaxMessage);
void encode_end_of_rib(std::vector<std::uint8_t>& out, Family family);

}  // namespace helio::wire

#include "rr/wire/update_encode.hpp"

#include <algorithm>

#include "rr/base/check.hpp"

namespace helio::wire {
namespace {

constexpr std::size_t kLengthFields = 4;  // withdrawn routes length and total path attribute length

std::size_t attribute_size(std::size_t value_size) { return value_size + (value_size > 255 ? 4 : 3); }

void encode_attribute_header(ByteWriter& writer, std::uint8_t flags, std::uint8_t type, std::size_t size) {
  HELIO_CHECK(size <= 0xffff, "attribute length");
  flags = static_cast<std::uint8_t>(flags & ~attr_flag::extended_length);
  if (size > 255) {
    writer.u8(static_cast<std::uint8_t>(flags | attr_flag::extended_length));
    writer.u8(type);
    writer.u16(static_cast<std::uint16_t>(size));
  } else {
    writer.u8(flags);
    writer.u8(type);
    writer.u8(static_cast<std::uint8_t>(size));
  }
}

void encode_prefix_bits(ByteWriter& writer, const VpnPrefix& prefix) {
  writer.bytes(Bytes(prefix.address.data(), (prefix.length + 7u) / 8));
}

// The entries at the front of `nlri` that fit `room` octets, in whole entries.
Bytes take_entries(Family family, Bytes nlri, std::size_t room, bool has_path_id) {
  std::size_t taken = 0;
  while (taken < nlri.size()) {
    std::size_t at = taken + (has_path_id ? 4 : 0);
    HELIO_CHECK(at < nlri.size() && (family != Family::evpn || at + 1 < nlri.size()), "NLRI entry");
    std::size_t next = family == Family::evpn ? at + 2 + nlri[at + 1] : at + 1 + (nlri[at] + 7u) / 8;
    HELIO_CHECK(next <= nlri.size(), "NLRI entry");
    if (next > room) break;
    taken = next;
  }
  return nlri.first(taken);
}

// Attributes in the order of their types: where an attribute of `type` belongs.
std::size_t position_of(Bytes attributes, std::uint8_t type) {
  std::size_t at = 0;
  while (at + 3 <= attributes.size() && attributes[at + 1] < type) {
    bool extended = attributes[at] & attr_flag::extended_length;
    at += extended && at + 4 <= attributes.size() ? 4u + load_be16(attributes.data() + at + 2) : 3u + attributes[at + 2];
  }
  return std::min(at, attributes.size());
}

bool uses_plain_fields(Family family, Bytes next_hop) { return family == Family::ipv4_unicast && next_hop.size() == 4; }

}  // namespace

void encode_attribute(std::vector<std::uint8_t>& out, std::uint8_t flags, std::uint8_t type, Bytes value) {
  ByteWriter writer(out);
  encode_attribute_header(writer, flags, type, value.size());
  writer.bytes(value);
}

void encode_attribute_u32(std::vector<std::uint8_t>& out, std::uint8_t flags, std::uint8_t type, std::uint32_t value) {
  std::uint8_t octets[4];
  store_be32(octets, value);
  encode_attribute(out, flags, type, octets);
}

void encode_vpn_nlri(std::vector<std::uint8_t>& out, const VpnPrefix& prefix, std::span<const std::uint32_t> labels,
                     std::optional<std::uint32_t> path_id) {
  std::size_t bits = labels.size() * 24 + 64 + prefix.length;
  HELIO_CHECK(!labels.empty() && bits <= 255, "VPN NLRI length");
  ByteWriter writer(out);
  if (path_id) writer.u32(*path_id);
  writer.u8(static_cast<std::uint8_t>(bits));
  for (std::uint32_t label : labels) writer.u24(label);
  writer.u64(prefix.rd.value);
  encode_prefix_bits(writer, prefix);
}

void encode_vpn_withdraw(std::vector<std::uint8_t>& out, const VpnPrefix& prefix, std::optional<std::uint32_t> path_id) {
  encode_vpn_nlri(out, prefix, std::span(&kWithdrawLabel, 1), path_id);
}

void encode_unicast_nlri(std::vector<std::uint8_t>& out, const VpnPrefix& prefix, std::optional<std::uint32_t> path_id) {
  ByteWriter writer(out);
  if (path_id) writer.u32(*path_id);
  writer.u8(prefix.length);
  encode_prefix_bits(writer, prefix);
}

void encode_next_hop(std::vector<std::uint8_t>& out, Family family, const IpAddress& address) {
  ByteWriter writer(out);
  if (family == Family::vpnv4 || family == Family::vpnv6) writer.u64(0);
  if (family == Family::vpnv6 && !address.is_v6) {
    writer.fill(10, 0);
    writer.fill(2, 0xff);
  }
  writer.bytes(address.view());
}

bool encode_announcements(std::vector<std::uint8_t>& out, Family family, Bytes next_hop, Bytes attributes, Bytes nlri, bool has_path_id,
                          std::size_t max_message) {
  bool plain = uses_plain_fields(family, next_hop);
  // AFI, SAFI, next hop length and reserved octet; the header is taken as extended when it may have to be.
  std::size_t fixed = plain ? attribute_size(4) : 4 + 5 + next_hop.size();
  std::size_t overhead = kHeaderSize + kLengthFields + attributes.size() + fixed;
  std::size_t room = overhead < max_message ? max_message - overhead : 0;
  std::size_t restore = out.size();
  ByteWriter writer(out);
  while (!nlri.empty()) {
    Bytes part = take_entries(family, nlri, room, has_path_id);
    if (part.empty()) {
      out.resize(restore);
      return false;
    }
    nlri = nlri.subspan(part.size());
    std::size_t start = begin_message(out, MessageType::update);
    writer.u16(0);
    std::size_t length_at = out.size();
    writer.u16(0);
    if (plain) {
      std::size_t at = position_of(attributes, attr::next_hop);
      writer.bytes(attributes.first(at));
      encode_attribute(out, attr_flag::transitive, attr::next_hop, next_hop);
      writer.bytes(attributes.subspan(at));
    } else {
      encode_attribute_header(writer, attr_flag::optional, attr::mp_reach, 5 + next_hop.size() + part.size());
      AfiSafi code = afi_safi(family);
      writer.u16(code.afi);
      writer.u8(code.safi);
      writer.u8(static_cast<std::uint8_t>(next_hop.size()));
      writer.bytes(next_hop);
      writer.u8(0);
      writer.bytes(part);
      writer.bytes(attributes);
    }
    writer.patch_u16(length_at, static_cast<std::uint16_t>(out.size() - length_at - 2));
    if (plain) writer.bytes(part);
    end_message(out, start);
  }
  return true;
}

void encode_withdrawals(std::vector<std::uint8_t>& out, Family family, Bytes nlri, bool has_path_id, std::size_t max_message) {
  bool plain = family == Family::ipv4_unicast;
  std::size_t room = max_message - kHeaderSize - kLengthFields - (plain ? 0 : 4 + 3);
  ByteWriter writer(out);
  while (!nlri.empty()) {
    Bytes part = take_entries(family, nlri, room, has_path_id);
    HELIO_CHECK(!part.empty(), "an entry fits every message");
    nlri = nlri.subspan(part.size());
    std::size_t start = begin_message(out, MessageType::update);
    if (plain) {
      writer.u16(static_cast<std::uint16_t>(part.size()));
      writer.bytes(part);
      writer.u16(0);
    } else {
      writer.u16(0);
      writer.u16(static_cast<std::uint16_t>(attribute_size(3 + part.size())));
      encode_attribute_header(writer, attr_flag::optional, attr::mp_unreach, 3 + part.size());
      AfiSafi code = afi_safi(family);
      writer.u16(code.afi);
      writer.u8(code.safi);
      writer.bytes(part);
    }
    end_message(out, start);
  }
}

void encode_end_of_rib(std::vector<std::uint8_t>& out, Family family) {
  std::size_t start = begin_message(out, MessageType::update);
  ByteWriter writer(out);
  writer.u16(0);
  if (family == Family::ipv4_unicast) {
    writer.u16(0);
  } else {
    writer.u16(6);
    encode_attribute_header(writer, attr_flag::optional, attr::mp_unreach, 3);
    AfiSafi code = afi_safi(family);
    writer.u16(code.afi);
    writer.u8(code.safi);
  }
  end_message(out, start);
}

}  // namespace helio::wire

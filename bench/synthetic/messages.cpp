#include "bench/synthetic/messages.hpp"

#include "bench/synthetic/codes.hpp"

namespace helio::synthetic {
namespace {

constexpr std::uint32_t kWithdrawn = 0x800000;  // RFC 8277 §2.4

// An UPDATE without withdrawn IPv4 routes, whose attributes are being written.
struct Update {
  explicit Update(ByteVector& to) : out(to), start(begin_message(to, MessageType::update)) {
    ByteWriter w(out);
    w.u16(0);
    attributes_at = out.size();
    w.u16(0);
  }
  void end_attributes() { store_be16(out.data() + attributes_at, static_cast<std::uint16_t>(out.size() - attributes_at - 2)); }
  ByteVector& out;
  std::size_t start, attributes_at = 0;
};

void append_octets(ByteWriter& w, const Prefix& prefix) { w.bytes(Bytes(prefix.address.data(), (prefix.length + 7u) / 8)); }

void append_vpn_nlri(ByteWriter& w, const Prefix& prefix, std::span<const std::uint32_t> label_fields) {
  w.u8(static_cast<std::uint8_t>(24 * label_fields.size() + 64 + prefix.length));
  for (std::uint32_t field : label_fields) w.u24(field);
  w.u64(prefix.rd.value);
  append_octets(w, prefix);
}
void append_next_hop(ByteWriter& w, const Prefix& prefix, const IpAddress& next_hop, bool is_vpn) {
  // RFC 4659 §3.2.1.2: an IPv4 next hop of an IPv6 route is an IPv4-mapped address; VPN next hops have RD 0 in front.
  bool is_long = prefix.is_v6 || next_hop.is_v6;
  w.u8(static_cast<std::uint8_t>((is_vpn ? 8 : 0) + (is_long ? 16 : 4)));
  if (is_vpn) w.u64(0);
  if (is_long && !next_hop.is_v6) w.u64(0), w.u32(0xffff);
  w.bytes(Bytes(next_hop.bytes.data(), next_hop.is_v6 ? 16 : 4));
}

}  // namespace

void append_open(ByteVector& out, const OpenOptions& o) {
  ByteVector capabilities;
  ByteWriter c(capabilities);
  auto multiprotocol = [&](std::uint16_t afi, std::uint8_t safi) { c.u8(1), c.u8(4), c.u16(afi), c.u8(0), c.u8(safi); };
  if (o.vpnv4) multiprotocol(kIp4, kVpn);
  if (o.vpnv6) multiprotocol(kIp6, kVpn);
  if (o.rtc) multiprotocol(kIp4, kRtc);
  if (o.add_path && (o.vpnv4 || o.vpnv6)) {
    constexpr std::uint8_t kReceive = 1;
    c.u8(69), c.u8(static_cast<std::uint8_t>(4 * (o.vpnv4 + o.vpnv6)));
    if (o.vpnv4) c.u16(kIp4), c.u8(kVpn), c.u8(kReceive);
    if (o.vpnv6) c.u16(kIp6), c.u8(kVpn), c.u8(kReceive);
  }
  c.u8(2), c.u8(0);                 // route refresh, RFC 2918
  c.u8(65), c.u8(4), c.u32(o.asn);  // 4-octet AS, RFC 6793
  std::size_t start = begin_message(out, MessageType::open);
  ByteWriter w(out);
  w.u8(4);
  w.u16(o.asn > 65535 ? 23456 : static_cast<std::uint16_t>(o.asn));
  w.u16(o.hold_time);
  w.u32(o.router_id);
  w.u8(static_cast<std::uint8_t>(capabilities.size() + 2));
  w.u8(2), w.u8(static_cast<std::uint8_t>(capabilities.size()));
  w.bytes(capabilities);
  end_message(out, start);
}

bool offers_paths(Bytes open, std::uint16_t afi, std::uint8_t safi) {
  constexpr std::uint8_t kSend = 2;  // 3 = both
  ByteReader r(open);
  r.take(9);  // version, AS, hold time, identifier
  std::size_t size = r.u8();
  ByteReader ahead = r;
  bool is_extended = size != 0 && ahead.u8() == 255;  // RFC 9072 §2
  if (is_extended) r.u8(), size = r.u16();
  ByteReader parameters(r.take(size));
  while (r.ok() && parameters.ok() && !parameters.empty()) {
    std::uint8_t type = parameters.u8();
    ByteReader capabilities(parameters.take(is_extended ? parameters.u16() : parameters.u8()));
    while (type == 2 && capabilities.ok() && !capabilities.empty()) {
      std::uint8_t code = capabilities.u8();
      ByteReader value(capabilities.take(capabilities.u8()));
      while (code == 69 && value.ok() && !value.empty()) {
        bool is_family = value.u16() == afi;
        is_family &= value.u8() == safi;
        bool sends = (value.u8() & kSend) != 0;
        if (is_family && sends && value.ok()) return true;
      }
    }
  }
  return false;
}

void append_keepalive(ByteVector& out) { end_message(out, begin_message(out, MessageType::keepalive)); }

void append_end_of_rib(ByteVector& out, std::uint16_t afi, std::uint8_t safi) {
  Update update(out);
  ByteWriter w(out);
  w.u8(0x80), w.u8(15), w.u8(3), w.u16(afi), w.u8(safi);
  update.end_attributes();
  end_message(out, update.start);
}

void append_route_refresh(ByteVector& out, std::uint16_t afi, std::uint8_t safi) {
  std::size_t start = begin_message(out, MessageType::route_refresh);
  ByteWriter w(out);
  w.u16(afi), w.u8(0), w.u8(safi);
  end_message(out, start);
}

void append_cease(ByteVector& out, std::uint8_t subcode) {
  std::size_t start = begin_message(out, MessageType::notification);
  ByteWriter w(out);
  w.u8(6), w.u8(subcode);
  end_message(out, start);
}

void append_memberships(ByteVector& out, const Speaker& speaker, std::span<const std::uint64_t> targets, bool announce) {
  constexpr std::size_t kNlri = 13;
  std::size_t at = 0;
  ByteWriter w(out);
  while (at < targets.size()) {
    Update update(out);
    if (announce) append_base_attributes(w, 0);
    w.u8(0x90), w.u8(announce ? 14 : 15);
    std::size_t body_at = out.size();
    w.u16(0);
    w.u16(kIp4), w.u8(kRtc);
    if (announce) w.u8(4), w.u32(speaker.address), w.u8(0);
    while (at < targets.size() && out.size() - update.start + kNlri <= kMaxMessage) w.u8(96), w.u32(speaker.asn), w.u64(targets[at++]);
    w.patch_u16(body_at, static_cast<std::uint16_t>(out.size() - body_at - 2));
    update.end_attributes();
    end_message(out, update.start);
  }
}

void append_default_membership(ByteVector& out, const Speaker& speaker, bool announce) {
  Update update(out);
  ByteWriter w(out);
  if (announce) {
    append_base_attributes(w, 0);
    w.u8(0x80), w.u8(14), w.u8(10), w.u16(kIp4), w.u8(kRtc), w.u8(4), w.u32(speaker.address), w.u8(0);
  } else {
    w.u8(0x80), w.u8(15), w.u8(4), w.u16(kIp4), w.u8(kRtc);
  }
  w.u8(0);
  update.end_attributes();
  end_message(out, update.start);
}

void append_route(ByteVector& out, const Prefix& prefix, const Path& path, bool is_vpn, bool is_external) {
  Update update(out);
  ByteWriter w(out);
  bool is_plain = !is_vpn && !prefix.is_v6;  // RFC 4271's own NLRI field
  w.u8(0x40), w.u8(1), w.u8(1), w.u8(path.origin);
  w.u8(0x50), w.u8(2), w.u16(static_cast<std::uint16_t>(path.as_path.empty() ? 0 : 2 + 4 * path.as_path.size()));
  if (!path.as_path.empty()) {
    w.u8(2), w.u8(static_cast<std::uint8_t>(path.as_path.size()));
    for (Asn as : path.as_path) w.u32(as);
  }
  if (is_plain) w.u8(0x40), w.u8(3), w.u8(4), w.u32(path.next_hop.v4_value());
  if (path.med != 0) w.u8(0x80), w.u8(4), w.u8(4), w.u32(path.med);
  if (!is_external) w.u8(0x40), w.u8(5), w.u8(4), w.u32(path.local_pref);
  if (!path.communities.empty()) {
    w.u8(0xd0), w.u8(8), w.u16(static_cast<std::uint16_t>(4 * path.communities.size()));
    for (std::uint32_t community : path.communities) w.u32(community);
  }
  if (!is_plain) {
    w.u8(0x90), w.u8(14);
    std::size_t reach_at = out.size();
    w.u16(0);
    w.u16(prefix.is_v6 ? kIp6 : kIp4), w.u8(is_vpn ? kVpn : kUnicast);
    append_next_hop(w, prefix, path.next_hop, is_vpn);
    w.u8(0);
    if (is_vpn) {
      std::vector<std::uint32_t> fields;
      for (std::size_t i = 0; i < path.labels.size(); ++i) fields.push_back(path.labels[i] << 4 | (i + 1 == path.labels.size()));
      append_vpn_nlri(w, prefix, fields);
    } else {
      w.u8(prefix.length);
      append_octets(w, prefix);
    }
    w.patch_u16(reach_at, static_cast<std::uint16_t>(out.size() - reach_at - 2));
  }
  if (!path.targets.empty()) {
    w.u8(0xd0), w.u8(16), w.u16(static_cast<std::uint16_t>(8 * path.targets.size()));
    for (std::uint64_t target : path.targets) w.u64(target);
  }
  update.end_attributes();
  if (is_plain) {
    w.u8(prefix.length);
    append_octets(w, prefix);
  }
  end_message(out, update.start);
}

void append_withdrawal(ByteVector& out, const Prefix& prefix, bool is_vpn) {
  ByteWriter w(out);
  if (!is_vpn && !prefix.is_v6) {
    std::size_t start = begin_message(out, MessageType::update);
    w.u16(static_cast<std::uint16_t>(1 + (prefix.length + 7u) / 8));
    w.u8(prefix.length);
    append_octets(w, prefix);
    w.u16(0);
    return end_message(out, start);
  }
  Update update(out);
  w.u8(0x90), w.u8(15);
  std::size_t unreach_at = out.size();
  w.u16(0);
  w.u16(prefix.is_v6 ? kIp6 : kIp4), w.u8(is_vpn ? kVpn : kUnicast);
  if (is_vpn) {
    const std::uint32_t field[] = {kWithdrawn};
    append_vpn_nlri(w, prefix, field);
  } else {
    w.u8(prefix.length);
    append_octets(w, prefix);
  }
  w.patch_u16(unreach_at, static_cast<std::uint16_t>(out.size() - unreach_at - 2));
  update.end_attributes();
  end_message(out, update.start);
}

}  // namespace helio::synthetic

#include "rib/forwarding/icmp.hpp"

namespace helio::forwarding::icmp {
namespace {

constexpr std::size_t kQuotedWithExtension = 128;  // RFC 4884 §3: at least 128 octets, zero padded
constexpr std::size_t kMostQuoted4 = 576 - ipv4::kHeader - 8;    // RFC 1812 §4.3.2.3
constexpr std::size_t kMostQuoted6 = 1280 - ipv6::kHeader - 8;   // RFC 4443 §2.4 (c)
constexpr std::uint8_t kMplsStackClass = 1, kIncomingStack = 1;  // RFC 4950 §3

bool is_error_message(Bytes ip, bool is_v6) {
  if (is_v6) return ip[6] == ip_protocol::icmpv6 && ip.size() > ipv6::kHeader && ip[ipv6::kHeader] < 128;
  std::size_t header = ipv4::header_size(ip.data());
  if (ip[9] != ip_protocol::icmp || ip.size() <= header) return false;
  std::uint8_t type = ip[header];
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool may_answer(Bytes ip, bool is_v6) {
  if (is_error_message(ip, is_v6)) return false;
  if (is_v6) return ip[8] != 0xff && ip[24] != 0xff && ipv6::source(ip.data()) > 1;
  std::uint32_t source = ipv4::source(ip.data());
  return !ipv4::is_later_fragment(ip.data()) && source != 0 && source >> 24 != 127 && source < 0xe0000000 && ipv4::destination(ip.data()) < 0xe0000000;
}

struct TypeAndCode {
  std::uint8_t type, code;
};
TypeAndCode code_of(Error error, bool is_v6) {
  switch (error) {
    case Error::time_exceeded: return is_v6 ? TypeAndCode{3, 0} : TypeAndCode{11, 0};
    case Error::unreachable: return is_v6 ? TypeAndCode{1, 0} : TypeAndCode{3, 0};
    case Error::too_big: return is_v6 ? TypeAndCode{2, 0} : TypeAndCode{3, 4};
  }
  return {0, 0};
}

}  // namespace

std::optional<std::vector<std::uint8_t>> make_error(Error error, Bytes datagram, Bytes labels, std::uint32_t source,
                                                    const std::array<std::uint8_t, 16>& source6, std::uint32_t mtu) {
  if (datagram.size() < ipv4::kHeader) return std::nullopt;
  bool is_v6 = datagram[0] >> 4 == 6;
  if (is_v6 ? datagram.size() < ipv6::kHeader : datagram[0] >> 4 != 4 || ipv4::header_size(datagram.data()) > datagram.size()) return std::nullopt;
  if (!may_answer(datagram, is_v6)) return std::nullopt;

  bool has_extension = !labels.empty() && !(is_v6 && error == Error::too_big);  // RFC 4884 §4: not in Packet Too Big
  std::size_t most = has_extension ? kQuotedWithExtension : is_v6 ? kMostQuoted6 : kMostQuoted4;
  std::size_t quoted = std::min(most, datagram.size());
  std::size_t header = is_v6 ? ipv6::kHeader : ipv4::kHeader;
  std::vector<std::uint8_t> out(header);
  ByteWriter w(out);
  TypeAndCode what = code_of(error, is_v6);
  w.u8(what.type);
  w.u8(what.code);
  w.u16(0);
  // RFC 4884 §4: the length of the quoted datagram, in 32-bit words for ICMP and 64-bit words for ICMPv6.
  if (is_v6 && error == Error::too_big) {
    w.u32(mtu);
  } else if (is_v6) {
    w.u8(has_extension ? kQuotedWithExtension / 8 : 0);
    w.u24(0);
  } else {
    w.u8(0);
    w.u8(has_extension ? kQuotedWithExtension / 4 : 0);
    w.u16(error == Error::too_big ? static_cast<std::uint16_t>(std::min<std::uint32_t>(mtu, 0xffff)) : 0);
  }
  w.bytes(datagram.first(quoted));
  if (has_extension) {
    w.fill(kQuotedWithExtension - quoted, 0);
    std::size_t extension = out.size();
    w.u8(2 << 4);  // version
    w.u8(0);
    w.u16(0);
    w.u16(static_cast<std::uint16_t>(4 + labels.size()));
    w.u8(kMplsStackClass);
    w.u8(kIncomingStack);
    w.bytes(labels);
    w.patch_u16(extension + 2, finish_checksum(add_checksum(Bytes(out).subspan(extension))));
  }
  if (is_v6) {
    ipv6::write(out.data(), source6.data(), datagram.data() + 8, ip_protocol::icmpv6, out.size() - header, 255);
    w.patch_u16(header + 2, checksum_v6(out.data(), ip_protocol::icmpv6, Bytes(out).subspan(header)));
  } else {
    ipv4::write(out.data(), source, ipv4::source(datagram.data()), ip_protocol::icmp, out.size(), 255, false, 48);
    w.patch_u16(header + 2, finish_checksum(add_checksum(Bytes(out).subspan(header))));
  }
  return out;
}

std::optional<ErrorView> read_error(Bytes packet) {
  if (packet.size() < ipv4::kHeader) return std::nullopt;
  bool is_v6 = packet[0] >> 4 == 6;
  if (packet.size() < (is_v6 ? ipv6::kHeader : ipv4::header_size(packet.data())) + 8 || !is_error_message(packet, is_v6)) return std::nullopt;
  Bytes body = packet.subspan(is_v6 ? ipv6::kHeader : ipv4::header_size(packet.data()));
  ErrorView out;
  std::size_t quoted = 0;
  if (is_v6) {
    if (body[0] == 3) out.error = Error::time_exceeded;
    else if (body[0] == 2) out.error = Error::too_big;
    else out.error = Error::unreachable;
    if (body[0] == 2) out.mtu = load_be32(body.data() + 4);
    else quoted = body[4] * 8u;
  } else {
    out.error = body[0] == 11 ? Error::time_exceeded : body[1] == 4 ? Error::too_big : Error::unreachable;
    if (out.error == Error::too_big) out.mtu = load_be16(body.data() + 6);
    quoted = body[5] * 4u;
  }
  body = body.subspan(8);
  out.datagram = quoted != 0 && quoted <= body.size() ? body.first(quoted) : body;
  if (quoted == 0 || quoted + 4 > body.size()) return out;
  ByteReader extension(body.subspan(quoted));
  if (extension.u8() >> 4 != 2) return out;
  extension.take(3);
  while (extension.remaining() >= 4) {
    std::uint16_t length = extension.u16();
    std::uint8_t object = extension.u8(), type = extension.u8();
    if (length < 4) break;
    ByteReader content(extension.take(length - 4u));
    if (!extension.ok()) break;
    while (object == kMplsStackClass && type == kIncomingStack && content.remaining() >= 4) out.labels.push_back({content.u32()});
  }
  return out;
}

std::vector<std::uint8_t> make_echo_request(const wire::IpAddress& source, const wire::IpAddress& destination, std::uint16_t id, std::uint16_t sequence,
                                            std::size_t size, std::uint8_t ttl, bool may_not_fragment) {
  bool is_v6 = destination.is_v6;
  std::size_t header = is_v6 ? ipv6::kHeader : ipv4::kHeader;
  std::vector<std::uint8_t> out(header);
  ByteWriter w(out);
  w.u8(is_v6 ? 128 : 8);
  w.u8(0);
  w.u16(0);
  w.u16(id);
  w.u16(sequence);
  for (std::size_t i = 0; i < size; ++i) w.u8(static_cast<std::uint8_t>(i));
  if (is_v6) {
    ipv6::write(out.data(), source.bytes.data(), destination.bytes.data(), ip_protocol::icmpv6, out.size() - header, ttl);
    w.patch_u16(header + 2, checksum_v6(out.data(), ip_protocol::icmpv6, Bytes(out).subspan(header)));
  } else {
    ipv4::write(out.data(), source.v4_value(), destination.v4_value(), ip_protocol::icmp, out.size(), ttl, may_not_fragment);
    w.patch_u16(header + 2, finish_checksum(add_checksum(Bytes(out).subspan(header))));
  }
  return out;
}

namespace {
bool has_echo_type(Bytes p, std::uint8_t type4, std::uint8_t type6) {
  if (p.size() >= ipv6::kHeader + 8 && p[0] >> 4 == 6) return p[6] == ip_protocol::icmpv6 && p[ipv6::kHeader] == type6;
  if (p.size() < ipv4::kHeader || p[0] >> 4 != 4) return false;
  std::size_t header = ipv4::header_size(p.data());
  return header >= ipv4::kHeader && p.size() >= header + 8 && p[9] == ip_protocol::icmp && !ipv4::is_later_fragment(p.data()) && p[header] == type4;
}
}  // namespace

bool is_echo_request(Bytes packet) { return has_echo_type(packet, 8, 128); }
bool is_echo_reply(Bytes packet) { return has_echo_type(packet, 0, 129); }

void answer_echo(Packet& packet) {
  std::uint8_t* p = packet.data();
  std::uint8_t swapped[16];
  if (p[0] >> 4 == 6) {
    std::memcpy(swapped, p + 8, 16);
    std::memcpy(p + 8, p + 24, 16);
    std::memcpy(p + 24, swapped, 16);
    p[7] = 64;
    p[ipv6::kHeader] = 129;
    store_be16(p + ipv6::kHeader + 2, 0);
    store_be16(p + ipv6::kHeader + 2, checksum_v6(p, ip_protocol::icmpv6, packet.view().subspan(ipv6::kHeader)));
    return;
  }
  std::memcpy(swapped, p + 12, 4);
  std::memcpy(p + 12, p + 16, 4);
  std::memcpy(p + 16, swapped, 4);
  p[8] = 64;
  std::size_t header = ipv4::header_size(p);
  p[header] = 0;
  store_be16(p + header + 2, 0);
  store_be16(p + header + 2, finish_checksum(add_checksum(packet.view().subspan(header))));
  ipv4::fill_checksum(p);
}

}  // namespace helio::forwarding::icmp

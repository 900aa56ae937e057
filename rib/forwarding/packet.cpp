#include "rib/forwarding/packet.hpp"

#include <fmt/format.h>

namespace helio::forwarding {

std::uint32_t add_checksum(Bytes octets, std::uint32_t sum) {
  std::uint64_t total = sum;
  std::size_t i = 0;
  for (; i + 4 <= octets.size(); i += 4) total += load_be32(octets.data() + i);
  if (i + 2 <= octets.size()) {
    total += load_be16(octets.data() + i);
    i += 2;
  }
  if (i < octets.size()) total += static_cast<std::uint32_t>(octets[i]) << 8;
  total = (total & 0xffffffff) + (total >> 32);
  total = (total & 0xffffffff) + (total >> 32);
  return static_cast<std::uint32_t>((total & 0xffff) + (total >> 16));
}

std::uint16_t checksum_v6(const std::uint8_t* header, std::uint8_t next_header, Bytes payload) {
  std::uint32_t sum = add_checksum(Bytes(header + 8, 32));
  sum += static_cast<std::uint32_t>(payload.size()) + next_header;
  return finish_checksum(add_checksum(payload, sum));
}

namespace ipv4 {

bool is_checksum_right(const std::uint8_t* p) {
  if (p[0] == 0x45) [[likely]] {
    std::uint64_t sum = std::uint64_t{load_be32(p)} + load_be32(p + 4) + load_be32(p + 8) + load_be32(p + 12) + load_be32(p + 16);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
  }
  return finish_checksum(add_checksum(Bytes(p, header_size(p)))) == 0;
}

namespace {
// One 16-bit word of the header goes from `before` to `after`.
void correct(std::uint8_t* p, std::uint16_t before, std::uint16_t after) {
  std::uint32_t sum = static_cast<std::uint16_t>(~load_be16(p + 10)) + std::uint32_t{static_cast<std::uint16_t>(~before)} + after;
  store_be16(p + 10, finish_checksum(sum));
}
}  // namespace

void set_ttl(std::uint8_t* p, std::uint8_t ttl) {
  std::uint16_t before = load_be16(p + 8);
  p[8] = ttl;
  correct(p, before, load_be16(p + 8));
}

void set_dscp(std::uint8_t* p, std::uint8_t dscp) {
  std::uint16_t before = load_be16(p);
  p[1] = static_cast<std::uint8_t>(dscp << 2 | (p[1] & 3));
  correct(p, before, load_be16(p));
}

void fill_checksum(std::uint8_t* p) {
  store_be16(p + 10, 0);
  store_be16(p + 10, finish_checksum(add_checksum(Bytes(p, header_size(p)))));
}

void write(std::uint8_t* p, std::uint32_t source, std::uint32_t destination, std::uint8_t protocol, std::size_t total, std::uint8_t ttl,
           bool may_not_fragment, std::uint8_t dscp) {
  p[0] = 0x45;
  p[1] = static_cast<std::uint8_t>(dscp << 2);
  store_be16(p + 2, static_cast<std::uint16_t>(total));
  store_be16(p + 4, 0);  // RFC 6864 §4.1: the identification of an atomic datagram means nothing
  store_be16(p + 6, may_not_fragment ? 0x4000 : 0);
  p[8] = ttl;
  p[9] = protocol;
  store_be32(p + 12, source);
  store_be32(p + 16, destination);
  fill_checksum(p);
}

}  // namespace ipv4

namespace ipv6 {

void set_dscp(std::uint8_t* p, std::uint8_t dscp) {
  p[0] = static_cast<std::uint8_t>((p[0] & 0xf0) | dscp >> 2);
  p[1] = static_cast<std::uint8_t>((p[1] & 0x3f) | (dscp & 3) << 6);
}

void write(std::uint8_t* p, const std::uint8_t* source, const std::uint8_t* destination, std::uint8_t next_header, std::size_t payload,
           std::uint8_t hop_limit, std::uint8_t dscp) {
  store_be32(p, 0x60000000);
  set_dscp(p, dscp);
  store_be16(p + 4, static_cast<std::uint16_t>(payload));
  p[6] = next_header;
  p[7] = hop_limit;
  std::memcpy(p + 8, source, 16);
  std::memcpy(p + 24, destination, 16);
}

}  // namespace ipv6

namespace {

std::uint32_t mix(std::uint32_t h, std::uint32_t v) {
  h ^= v;
  h *= 0x9e3779b1u;
  return h ^ h >> 15;
}

bool has_ports(std::uint8_t protocol) { return protocol == ip_protocol::tcp || protocol == ip_protocol::udp; }

std::uint32_t hash_ip(Bytes ip, std::uint32_t h) {
  if (ip.size() >= ipv4::kHeader && ip[0] >> 4 == 4) {
    const std::uint8_t* p = ip.data();
    h = mix(mix(mix(h, ipv4::source(p)), ipv4::destination(p)), p[9]);
    std::size_t header = ipv4::header_size(p);
    if (has_ports(p[9]) && !ipv4::is_later_fragment(p) && (p[6] & 0x20) == 0 && ip.size() >= header + 4) h = mix(h, load_be32(p + header));
  } else if (ip.size() >= ipv6::kHeader && ip[0] >> 4 == 6) {
    for (std::size_t i = 8; i < 40; i += 4) h = mix(h, load_be32(ip.data() + i));
    h = mix(h, load_be32(ip.data()) & 0xfffff);  // RFC 6438: the flow label
    h = mix(h, ip[6]);
    if (has_ports(ip[6]) && ip.size() >= 44) h = mix(h, load_be32(ip.data() + 40));
  }
  return h;
}

}  // namespace

std::uint32_t flow_hash(const Packet& packet) {
  Bytes rest = packet.view();
  std::uint32_t h = 0x811c9dc5;
  if (packet.protocol != Protocol::mpls) return hash_ip(rest, h);
  while (rest.size() >= 4) {
    LabelEntry entry = LabelEntry::load(rest.data());
    rest = rest.subspan(4);
    // RFC 6790 §4.3: "load balance using the entropy label and MUST NOT attempt to find anything below it".
    if (entry.label() == label::entropy_indicator && rest.size() >= 4) return mix(0x811c9dc5, LabelEntry::load(rest.data()).label());
    if (entry.label() >= label::first_unreserved) h = mix(h, entry.label());
    if (entry.is_bottom()) return hash_ip(rest, h);
  }
  return h;
}

std::string format_labels(Bytes packet, bool with_ttl) {
  std::string out;
  for (std::size_t at = 0; at + 4 <= packet.size(); at += 4) {
    LabelEntry entry = LabelEntry::load(packet.data() + at);
    if (!out.empty()) out += ' ';
    out += fmt::format("{}", entry.label());
    if (with_ttl) out += fmt::format("/{}", entry.ttl());
    if (entry.is_bottom()) return out + "(s)";
  }
  return out;
}

}  // namespace helio::forwarding

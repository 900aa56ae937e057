#include "rib/forwarding/fragment.hpp"

#include <array>

namespace helio::forwarding {
namespace {

constexpr std::uint16_t kMoreFragments = 0x2000, kOffset = 0x1fff;
constexpr std::size_t kUnit = 8;
constexpr std::uint8_t kEndOfOptions = 0, kNoOperation = 1, kCopied = 0x80;

// The header of all pieces but the first: RFC 791 §3.1, "the copied flag indicates that this option is copied into all
// fragments on fragmentation". Returns its size.
std::size_t make_later_header(const std::uint8_t* header, std::array<std::uint8_t, 60>& out) {
  std::size_t size = ipv4::header_size(header), used = ipv4::kHeader;
  std::memcpy(out.data(), header, ipv4::kHeader);
  for (std::size_t at = ipv4::kHeader; at < size && header[at] != kEndOfOptions;) {
    std::size_t length = header[at] == kNoOperation ? 1 : at + 1 < size ? header[at + 1] : 0;
    if (length == 0 || (length == 1 && header[at] != kNoOperation) || at + length > size) break;  // options that are none
    if ((header[at] & kCopied) != 0) {
      std::memcpy(out.data() + used, header + at, length);
      used += length;
    }
    at += length;
  }
  while (used % 4 != 0) out[used++] = kEndOfOptions;
  out[0] = static_cast<std::uint8_t>(0x40 | used / 4);
  return used;
}

void finish(std::uint8_t* ip, std::size_t total, std::uint16_t flags_and_offset) {
  store_be16(ip + 2, static_cast<std::uint16_t>(total));
  store_be16(ip + 6, flags_and_offset);
  ipv4::fill_checksum(ip);
}

}  // namespace

bool may_be_fragmented(Bytes ip, std::size_t room) {
  if (ip.size() < ipv4::kHeader || ip[0] >> 4 != 4) return false;
  std::size_t header = ipv4::header_size(ip.data()), total = ipv4::total_length(ip.data());
  if (header < ipv4::kHeader || total < header || total > ip.size() || !ipv4::is_checksum_right(ip.data())) return false;
  std::size_t offset = (load_be16(ip.data() + 6) & kOffset) * kUnit;
  return !ipv4::may_not_fragment(ip.data()) && room >= header + kUnit && offset + total - header <= 0xffff;
}

void fragment(Packet& packet, std::size_t above, std::size_t room, std::vector<Packet>& rest) {
  std::uint8_t* ip = packet.data() + above;
  const std::size_t header = ipv4::header_size(ip), total = ipv4::total_length(ip);
  if (total <= room) return packet.trim(above + total);  // link layer padding made it too big
  std::array<std::uint8_t, 60> later_header;
  const std::size_t later = make_later_header(ip, later_header);
  const std::uint16_t flags = load_be16(ip + 6);
  const std::uint16_t first_offset = flags & kOffset, last_flags = flags & kMoreFragments;
  const std::size_t first = (room - header) / kUnit * kUnit;
  std::vector<std::uint8_t> octets;
  for (std::size_t at = header + first; at < total;) {
    std::size_t size = std::min((room - later) / kUnit * kUnit, total - at);
    octets.assign(packet.data(), ip);
    octets.insert(octets.end(), later_header.begin(), later_header.begin() + static_cast<std::ptrdiff_t>(later));
    octets.insert(octets.end(), ip + at, ip + at + size);
    auto offset = static_cast<std::uint16_t>(first_offset + (at - header) / kUnit);
    at += size;
    finish(octets.data() + above, later + size, static_cast<std::uint16_t>(offset | (at < total ? kMoreFragments : last_flags)));
    rest.emplace_back(octets, packet.protocol);
  }
  packet.trim(above + header + first);
  finish(ip, header + first, static_cast<std::uint16_t>(first_offset | kMoreFragments));
}

}  // namespace helio::forwarding

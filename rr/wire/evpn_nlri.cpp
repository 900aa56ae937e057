#include "rr/wire/evpn_nlri.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "rr/base/check.hpp"

namespace helio::wire {
namespace {

constexpr std::size_t kRd = 8, kEsi = 10, kTag = 4, kLabel = 3;

bool is_address_length(unsigned bits) { return bits == 32 || bits == 128; }

// The octets of one multicast route (RFC 9251 §9) that are key: addresses with their lengths in bits, behind `at` octets;
// 0 when they do not fit.
std::size_t multicast_key(Bytes body, std::size_t at, std::size_t tail) {
  for (int address = 0; address < 3; ++address) {
    if (at >= body.size()) return 0;
    unsigned bits = body[at];
    bool is_wildcard = bits == 0 && address < 2;
    if (!is_wildcard && !is_address_length(bits)) return 0;
    at += 1 + bits / 8;
  }
  return at + tail == body.size() ? at : 0;
}

// Splits `body`, which follows the type and length octets; false: not what the type says.
bool split(Bytes body, EvpnNlri& out) {
  std::size_t size = body.size(), from = kRd, to = size;  // of the key
  out.front = out.tail = {};
  out.withdrawn_payload = 0;
  switch (out.type) {
    case evpn_type::ethernet_auto_discovery:  // §7.1: ESI, tag, label
      if (size != kRd + kEsi + kTag + kLabel) return false;
      to = size - kLabel;
      out.withdrawn_payload = kLabel;
      break;
    case evpn_type::mac_ip: {  // §7.2: ESI, tag, MAC length, MAC, IP length, IP, one label or two
      constexpr std::size_t kIp = kRd + kEsi + kTag + 1 + 6;
      if (size <= kIp || body[kRd + kEsi + kTag] != 48) return false;
      unsigned bits = body[kIp];
      if (bits != 0 && !is_address_length(bits)) return false;
      from = kRd + kEsi;
      to = kIp + 1 + bits / 8;
      if (size != to + kLabel && size != to + 2 * kLabel) return false;
      out.withdrawn_payload = kEsi + kLabel;
      break;
    }
    case evpn_type::inclusive_multicast:  // §7.3: tag, IP length, IP
      if (size <= kRd + kTag || !is_address_length(body[kRd + kTag]) || size != kRd + kTag + 1 + body[kRd + kTag] / 8u) return false;
      break;
    case evpn_type::ethernet_segment:  // §7.4: ESI, IP length, IP
      if (size <= kRd + kEsi || !is_address_length(body[kRd + kEsi]) || size != kRd + kEsi + 1 + body[kRd + kEsi] / 8u) return false;
      break;
    case evpn_type::ip_prefix: {  // RFC 9136 §3.1: ESI, tag, prefix length, prefix, gateway, label
      std::size_t ip = size == 34 ? 4 : 16;
      if (size != 34 && size != 58) return false;
      if (body[kRd + kEsi + kTag] > ip * 8) return false;
      from = kRd + kEsi;
      to = from + kTag + 1 + ip;
      out.withdrawn_payload = static_cast<std::uint8_t>(kEsi + ip + kLabel);
      break;
    }
    case evpn_type::selective_multicast:   // RFC 9251 §9.1: all but the flags
    case evpn_type::multicast_join_synch:  // §9.2
    case evpn_type::multicast_leave_synch: {  // §9.3: all but four reserved octets, response time and flags
      if (size < kRd) return false;
      std::size_t tail = out.type == evpn_type::multicast_leave_synch ? 6 : 1;
      std::size_t end = multicast_key(body, kRd + (out.type == evpn_type::selective_multicast ? 0 : kEsi) + kTag, tail);
      if (end == 0) break;  // of another make: all of it is key
      to = end;
      out.withdrawn_payload = static_cast<std::uint8_t>(tail);
      break;
    }
    default:
      out.has_rd = false;
      out.rd = {};
      out.key = body;
      return true;
  }
  out.has_rd = true;
  out.rd.value = load_be64(body.data());
  out.front = body.subspan(kRd, from - kRd);
  out.key = body.subspan(from, to - from);
  out.tail = body.subspan(to);
  return true;
}

std::string hex(Bytes octets) { return fmt::format("{:02x}", fmt::join(octets, "")); }
std::string with_colons(Bytes octets) { return fmt::format("{:02x}", fmt::join(octets, ":")); }

std::string ip_text(Bytes octets) {
  if (octets.empty()) return "";
  IpAddress address;
  address.is_v6 = octets.size() == 16;
  std::copy(octets.begin(), octets.end(), address.bytes.begin());
  return format_ip(address);
}

}  // namespace

NlriStatus EvpnNlriReader::next(EvpnNlri& out) {
  if (rest_.empty()) return NlriStatus::end;
  if (rest_.size() < 2 || rest_.size() - 2 < rest_[1]) return NlriStatus::malformed;
  out.type = rest_[0];
  out.whole = rest_.first(2u + rest_[1]);
  rest_ = rest_.subspan(out.whole.size());
  return split(out.whole.subspan(2), out) ? NlriStatus::ok : NlriStatus::malformed;
}

std::size_t evpn_entry_size(bool has_rd, std::size_t key, std::size_t payload) { return 2 + (has_rd ? kRd : 0) + key + payload; }

void write_evpn_nlri(std::uint8_t* to, std::uint8_t type, std::optional<RouteDistinguisher> rd, Bytes key, Bytes payload) {
  std::size_t front = std::min(evpn_front(type), payload.size());
  *to++ = type;
  *to++ = static_cast<std::uint8_t>(evpn_entry_size(rd.has_value(), key.size(), payload.size()) - 2);
  if (rd) {
    store_be64(to, rd->value);
    to += kRd;
  }
  to = std::copy_n(payload.begin(), front, to);
  to = std::copy(key.begin(), key.end(), to);
  std::copy(payload.begin() + static_cast<std::ptrdiff_t>(front), payload.end(), to);
}

// The key is what split() made of an entry, so its fields are there.
std::string format_evpn_key(std::uint8_t type, Bytes key) {
  auto tag = [&](std::size_t at) { return load_be32(key.data() + at); };
  switch (type) {
    case evpn_type::ethernet_auto_discovery: return fmt::format("[1]:[{}]:[{}]", tag(kEsi), with_colons(key.first(kEsi)));
    case evpn_type::mac_ip: {
      std::string out = fmt::format("[2]:[{}]:[48]:[{}]", tag(0), with_colons(key.subspan(5, 6)));
      if (key[11] != 0) out += fmt::format(":[{}]:[{}]", key[11], ip_text(key.subspan(12)));
      return out;
    }
    case evpn_type::inclusive_multicast: return fmt::format("[3]:[{}]:[{}]:[{}]", tag(0), key[4], ip_text(key.subspan(5)));
    case evpn_type::ethernet_segment: return fmt::format("[4]:[{}]:[{}]:[{}]", with_colons(key.first(kEsi)), key[kEsi], ip_text(key.subspan(kEsi + 1)));
    case evpn_type::ip_prefix: return fmt::format("[5]:[{}]:[{}]:[{}]", tag(0), key[4], ip_text(key.subspan(5)));
    default: return fmt::format("[{}]:[0x{}]", type, hex(key));
  }
}

std::string format_evpn_payload(std::uint8_t type, Bytes key, Bytes payload) {
  std::string out;
  std::size_t front = evpn_front(type);
  if (front != 0 && payload.size() >= front) out = "esi " + with_colons(payload.first(front));
  std::size_t ip = type == evpn_type::ip_prefix ? key.size() - 5 : 0;
  if (ip != 0 && payload.size() >= front + ip) out += " gateway " + ip_text(payload.subspan(front, ip));
  return out;
}

std::vector<std::uint32_t> evpn_labels(std::uint8_t type, Bytes payload) {
  std::vector<std::uint32_t> out;
  if (type != evpn_type::ethernet_auto_discovery && type != evpn_type::mac_ip && type != evpn_type::ip_prefix) return out;
  std::size_t at = type == evpn_type::ip_prefix ? payload.size() - kLabel : evpn_front(type);
  for (; at + kLabel <= payload.size(); at += kLabel) out.push_back(load_be24(payload.data() + at) >> 4);
  return out;
}

}  // namespace helio::wire

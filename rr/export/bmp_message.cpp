#include "rr/export/bmp_message.hpp"

#include <fmt/format.h>

#include "rr/wire/message.hpp"

namespace helio::exporter {
namespace {

// Writes the common header now and its length at the end of the scope.
class Message {
 public:
  Message(std::vector<std::uint8_t>& bytes, BmpType type) : bytes_(bytes), start_(bytes.size()), out(bytes) {
    out.u8(kBmpVersion);
    out.u32(0);
    out.u8(static_cast<std::uint8_t>(type));
  }
  ~Message() { store_be32(bytes_.data() + start_ + 1, static_cast<std::uint32_t>(bytes_.size() - start_)); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

 private:
  std::vector<std::uint8_t>& bytes_;
  std::size_t start_;

 public:
  ByteWriter out;
};

// RFC 7854 §4.2: "It is 4 bytes long if an IPv4 address is carried in this field (with the 12 most significant bytes
// zero-filled) and 16 bytes long if an IPv6 address is carried".
void encode_address(ByteWriter& out, const wire::IpAddress& address) {
  if (!address.is_v6) out.fill(12, 0);
  out.bytes(address.view());
}

wire::IpAddress read_address(ByteReader& in, bool is_v6) {
  wire::IpAddress address;
  address.is_v6 = is_v6;
  Bytes octets = in.take(16);
  if (octets.empty()) return address;
  if (is_v6) std::copy(octets.begin(), octets.end(), address.bytes.begin());
  else std::copy(octets.begin() + 12, octets.end(), address.bytes.begin());
  return address;
}

void encode_tlvs(ByteWriter& out, const std::vector<BmpTlv>& tlvs) {
  for (const BmpTlv& tlv : tlvs) {
    out.u16(tlv.type);
    out.u16(static_cast<std::uint16_t>(tlv.value.size()));
    out.bytes(tlv.value);
  }
}

bool read_tlvs(ByteReader& in, std::vector<BmpTlv>& out) {
  while (!in.empty() && in.ok()) {
    BmpTlv tlv;
    tlv.type = in.u16();
    Bytes value = in.take(in.u16());
    tlv.value.assign(value.begin(), value.end());
    if (in.ok()) out.push_back(std::move(tlv));
  }
  return in.ok();
}

bool is_ipv6(const BmpPeer& peer) { return peer.type != BmpPeerType::loc_rib && peer.address.is_v6; }

BmpPeer read_peer(ByteReader& in) {
  BmpPeer peer;
  peer.type = static_cast<BmpPeerType>(in.u8());
  peer.flags = in.u8();
  bool is_v6 = peer.type != BmpPeerType::loc_rib && (peer.flags & bmp_flag::ipv6) != 0;
  if (is_v6) peer.flags = static_cast<std::uint8_t>(peer.flags & ~bmp_flag::ipv6);
  peer.distinguisher = in.u64();
  peer.address = read_address(in, is_v6);
  peer.as = in.u32();
  peer.router_id = in.u32();
  peer.time = {in.u32(), in.u32()};
  return peer;
}

// A BGP message in the middle of a BMP message: as long as its own header says.
Bytes read_bgp_message(ByteReader& in, wire::MessageType type) {
  ByteReader look = in;
  look.take(16);
  std::uint16_t length = look.u16();
  if (!look.ok() || length < wire::kHeaderSize) {
    in.take(in.remaining() + 1);  // not ok from here on
    return {};
  }
  Bytes message = in.take(length);
  if (in.ok() && message[18] != static_cast<std::uint8_t>(type)) in.take(in.remaining() + 1);
  return in.ok() ? message : Bytes();
}

bool is_family_gauge(std::uint16_t type) {
  return type == bmp_stat::adj_rib_in_family || type == bmp_stat::loc_rib_family || type == bmp_stat::adj_rib_out_pre_family ||
         type == bmp_stat::adj_rib_out_post_family;
}
bool is_gauge(std::uint16_t type) {
  return type == bmp_stat::adj_rib_in || type == bmp_stat::loc_rib || type == bmp_stat::adj_rib_out_pre || type == bmp_stat::adj_rib_out_post;
}

bool read_statistics(ByteReader& in, std::vector<BmpStatistic>& out) {
  std::uint32_t count = in.u32();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    BmpStatistic s;
    s.type = in.u16();
    ByteReader value(in.take(in.u16()));
    if (!in.ok()) break;
    if (is_family_gauge(s.type)) {
      s.family.emplace();
      s.family->afi = value.u16();
      s.family->safi = value.u8();
    }
    // RFC 7854 §4.8: "implementations MUST ignore" types that they do not know; known ones have 4 or 8 octets of value.
    bool known = value.remaining() == 4 || value.remaining() == 8;
    s.value = value.remaining() == 8 ? value.u64() : value.remaining() == 4 ? value.u32() : 0;
    if ((is_gauge(s.type) || is_family_gauge(s.type)) && !value.ok()) return false;
    if (known) out.push_back(s);
  }
  return in.ok();
}

Result<BmpMessage, std::string> read_body(std::uint8_t type, Bytes body) {
  ByteReader in(body);
  auto cut = [&](const char* what) { return Unexpected(fmt::format("{} of {} octets is malformed", what, body.size())); };
  switch (static_cast<BmpType>(type)) {
    case BmpType::route_monitoring: {
      BmpRouteMonitoring m;
      m.peer = read_peer(in);
      m.update = read_bgp_message(in, wire::MessageType::update);
      if (!in.ok() || !in.empty()) return cut("Route Monitoring");
      return m;
    }
    case BmpType::statistics: {
      BmpStatistics m;
      m.peer = read_peer(in);
      if (!read_statistics(in, m.statistics)) return cut("Statistics Report");
      return m;
    }
    case BmpType::peer_down: {
      BmpPeerDown m;
      m.peer = read_peer(in);
      m.reason = static_cast<PeerDownReason>(in.u8());
      m.data = in.rest();
      if (!in.ok()) return cut("Peer Down");
      return m;
    }
    case BmpType::peer_up: {
      BmpPeerUp m;
      m.peer = read_peer(in);
      m.local_address = read_address(in, is_ipv6(m.peer));
      m.local_port = in.u16();
      m.remote_port = in.u16();
      m.sent_open = read_bgp_message(in, wire::MessageType::open);
      m.received_open = read_bgp_message(in, wire::MessageType::open);
      if (!read_tlvs(in, m.information)) return cut("Peer Up");
      return m;
    }
    case BmpType::initiation: {
      BmpInitiation m;
      if (!read_tlvs(in, m.information)) return cut("Initiation");
      return m;
    }
    case BmpType::termination: {
      BmpTermination m;
      if (!read_tlvs(in, m.information)) return cut("Termination");
      return m;
    }
    default: return BmpOther{type, body};
  }
}

}  // namespace

void encode_peer_header(std::vector<std::uint8_t>& bytes, const BmpPeer& peer) {
  ByteWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(peer.type));
  out.u8(static_cast<std::uint8_t>(peer.flags | (is_ipv6(peer) ? bmp_flag::ipv6 : 0)));
  out.u64(peer.distinguisher);
  encode_address(out, peer.address);
  out.u32(peer.as);
  out.u32(peer.router_id);
  out.u32(peer.time.seconds);
  out.u32(peer.time.microseconds);
}

void encode_route_monitoring(std::vector<std::uint8_t>& bytes, const BmpPeer& peer, Bytes update) {
  Message message(bytes, BmpType::route_monitoring);
  encode_peer_header(bytes, peer);
  message.out.bytes(update);
}

void encode_statistics(std::vector<std::uint8_t>& bytes, const BmpStatistics& m) {
  Message message(bytes, BmpType::statistics);
  encode_peer_header(bytes, m.peer);
  message.out.u32(static_cast<std::uint32_t>(m.statistics.size()));
  for (const BmpStatistic& s : m.statistics) {
    message.out.u16(s.type);
    bool wide = is_gauge(s.type) || is_family_gauge(s.type);
    message.out.u16(static_cast<std::uint16_t>((s.family ? 3 : 0) + (wide ? 8 : 4)));
    if (s.family) {
      message.out.u16(s.family->afi);
      message.out.u8(s.family->safi);
    }
    if (wide) message.out.u64(s.value);
    else message.out.u32(static_cast<std::uint32_t>(s.value));
  }
}

void encode_peer_down(std::vector<std::uint8_t>& bytes, const BmpPeerDown& m) {
  Message message(bytes, BmpType::peer_down);
  encode_peer_header(bytes, m.peer);
  message.out.u8(static_cast<std::uint8_t>(m.reason));
  message.out.bytes(m.data);
}

void encode_peer_up(std::vector<std::uint8_t>& bytes, const BmpPeerUp& m) {
  Message message(bytes, BmpType::peer_up);
  encode_peer_header(bytes, m.peer);
  encode_address(message.out, m.local_address);
  message.out.u16(m.local_port);
  message.out.u16(m.remote_port);
  message.out.bytes(m.sent_open);
  message.out.bytes(m.received_open);
  encode_tlvs(message.out, m.information);
}

void encode_initiation(std::vector<std::uint8_t>& bytes, const BmpInitiation& m) {
  Message message(bytes, BmpType::initiation);
  encode_tlvs(message.out, m.information);
}

void encode_termination(std::vector<std::uint8_t>& bytes, const BmpTermination& m) {
  Message message(bytes, BmpType::termination);
  encode_tlvs(message.out, m.information);
}

Result<std::optional<BmpMessage>, std::string> next_bmp_message(Bytes& buffer) {
  if (buffer.empty()) return std::nullopt;
  if (buffer[0] != kBmpVersion) return Unexpected(fmt::format("BMP version {}", buffer[0]));
  if (buffer.size() < kBmpHeaderSize) return std::nullopt;
  std::uint32_t length = load_be32(buffer.data() + 1);
  if (length < kBmpHeaderSize || length > kMaxBmpMessage) return Unexpected(fmt::format("BMP message of {} octets", length));
  if (buffer.size() < length) return std::nullopt;
  auto message = read_body(buffer[5], buffer.subspan(kBmpHeaderSize, length - kBmpHeaderSize));
  if (!message) return Unexpected(std::move(message.error()));
  buffer = buffer.subspan(length);
  return std::optional<BmpMessage>(std::move(*message));
}

}  // namespace helio::exporter

// BMP messages (RFC 7854 §4, RFC 8671, RFC 9069), both ways. Pure functions: the encoders append whole messages, the reader takes
// one message after the other from a byte stream. BMP is one-way, so only stations (the tests', here) read.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rr/base/result.hpp"
#include "rr/wire/types.hpp"

namespace helio::exporter {

inline constexpr std::uint8_t kBmpVersion = 3;
inline constexpr std::size_t kBmpHeaderSize = 6, kPeerHeaderSize = 42;
// What one of our messages may have: two OPENs of 4096 octets, or an UPDATE of 65535.
inline constexpr std::size_t kMaxBmpMessage = 65535 + 1024;

enum class BmpType : std::uint8_t { route_monitoring, statistics, peer_down, peer_up, initiation, termination, route_mirroring };

enum class BmpPeerType : std::uint8_t { global = 0, rd = 1, local = 2, loc_rib = 3 };

// Flags of the per-peer header (RFC 7854 §4.2, RFC 8671 §4). With peer type loc_rib 0x80 means "filtered" (RFC 9069 §4.2).
namespace bmp_flag {
inline constexpr std::uint8_t ipv6 = 0x80, post_policy = 0x40, two_octet_as = 0x20, adj_rib_out = 0x10;
}

struct BmpTime {
  std::uint32_t seconds = 0, microseconds = 0;  // 0: not known
  bool operator==(const BmpTime&) const = default;
};

struct BmpPeer {
  BmpPeerType type = BmpPeerType::global;
  std::uint8_t flags = 0;              // without ipv6, which follows from the address
  std::uint64_t distinguisher = 0;
  wire::IpAddress address;
  Asn as = 0;
  std::uint32_t router_id = 0;
  BmpTime time;
  bool operator==(const BmpPeer&) const = default;
};

// Information TLVs of Initiation (RFC 7854 §4.4), Peer Up (§4.10, RFC 9069 §4.4) and Termination (§4.5).
namespace bmp_tlv {
inline constexpr std::uint16_t text = 0, description = 1, name = 2, table_name = 3, reason = 1;
}
struct BmpTlv {
  std::uint16_t type = 0;
  std::vector<std::uint8_t> value;
  static BmpTlv of(std::uint16_t type, std::string_view text) { return {type, {text.begin(), text.end()}}; }
  bool operator==(const BmpTlv&) const = default;
};

// Statistics (RFC 7854 §4.8, RFC 8671 §6.2): 32-bit counters, 64-bit gauges, gauges per family.
namespace bmp_stat {
inline constexpr std::uint16_t adj_rib_in = 7, loc_rib = 8, adj_rib_in_family = 9, loc_rib_family = 10, adj_rib_out_pre = 14,
                               adj_rib_out_post = 15, adj_rib_out_pre_family = 16, adj_rib_out_post_family = 17;
}
struct BmpStatistic {
  std::uint16_t type = 0;
  std::optional<wire::AfiSafi> family;  // of the gauges per family
  std::uint64_t value = 0;
  bool operator==(const BmpStatistic&) const = default;
};

// RFC 7854 §4.9, RFC 9069 §4.5.
enum class PeerDownReason : std::uint8_t {
  local_notification = 1,   // data: the NOTIFICATION
  local_fsm_event = 2,      // data: two octets
  remote_notification = 3,  // data: the NOTIFICATION
  remote_no_data = 4,
  deconfigured = 5,
  local_tlv = 6             // Loc-RIB: TLVs
};

// A message as read; spans point into the buffer.
struct BmpRouteMonitoring {
  BmpPeer peer;
  Bytes update;             // with its header
};
struct BmpStatistics {
  BmpPeer peer;
  std::vector<BmpStatistic> statistics;
};
struct BmpPeerDown {
  BmpPeer peer;
  PeerDownReason reason = PeerDownReason::remote_no_data;
  Bytes data;
};
struct BmpPeerUp {
  BmpPeer peer;
  wire::IpAddress local_address;
  std::uint16_t local_port = 0, remote_port = 0;
  Bytes sent_open, received_open;  // with their headers
  std::vector<BmpTlv> information;
};
struct BmpInitiation {
  std::vector<BmpTlv> information;
};
struct BmpTermination {
  std::vector<BmpTlv> information;
};
// Of a type that is not read here: mirroring, and what is not known.
struct BmpOther {
  std::uint8_t type = 0;
  Bytes body;
};
using BmpMessage = std::variant<BmpRouteMonitoring, BmpStatistics, BmpPeerDown, BmpPeerUp, BmpInitiation, BmpTermination, BmpOther>;

void encode_peer_header(std::vector<std::uint8_t>& out, const BmpPeer& peer);
void encode_route_monitoring(std::vector<std::uint8_t>& out, const BmpPeer& peer, Bytes update);
void encode_statistics(std::vector<std::uint8_t>& out, const BmpStatistics& message);
void encode_peer_down(std::vector<std::uint8_t>& out, const BmpPeerDown& message);
void encode_peer_up(std::vector<std::uint8_t>& out, const BmpPeerUp& message);
void encode_initiation(std::vector<std::uint8_t>& out, const BmpInitiation& message);
void encode_termination(std::vector<std::uint8_t>& out, const BmpTermination& message);

// Takes the message at the front of `buffer` off it; nullopt: more octets are needed. The error is text: the stream cannot be
// followed any further.
Result<std::optional<BmpMessage>, std::string> next_bmp_message(Bytes& buffer);

}  // namespace helio::exporter

// The synthetic PE, shared by helio-pe and helio-lab: what both say to a reflector. Deliberately independent of rr/wire's
// codec, of which only value types are used: a second implementation to hold the reflector against. RFC 4271 §4, RFC 4760,
// RFC 4364 §4.3.4, RFC 4659, RFC 4684 §4, RFC 4724 §2, RFC 7911 §4, RFC 8277.
//
// Not shared, on purpose: routes by arithmetic and the checker that knows them by arithmetic (bench/pe/lib), because
// helio-pe must hold ten million routes in nothing; import, best path and label tables (bench/lab/lib), because packets
// follow them; and sessions, which are an epoll loop over thousands of sockets there and heliod's own FSM over memory here.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "bench/synthetic/path.hpp"
#include "rr/base/bytes.hpp"

namespace helio::synthetic {

using ByteVector = std::vector<std::uint8_t>;

inline constexpr std::size_t kHeader = 19, kMaxMessage = 4096;
enum class MessageType : std::uint8_t { open = 1, update = 2, notification = 3, keepalive = 4, route_refresh = 5 };

// A message whose length is filled in when it ends. Returns where it begins.
inline std::size_t begin_message(ByteVector& out, MessageType type) {
  std::size_t start = out.size();
  ByteWriter w(out);
  w.fill(16, 0xff);
  w.u16(0);
  w.u8(static_cast<std::uint8_t>(type));
  return start;
}
inline void end_message(ByteVector& out, std::size_t start) { store_be16(out.data() + start + 16, static_cast<std::uint16_t>(out.size() - start)); }
// The length of the message at the front; 0: not all of it is there; nullopt: no BGP message.
inline std::optional<std::size_t> message_size(const std::uint8_t* p, std::size_t size) {
  if (size < kHeader) return 0;
  std::size_t length = load_be16(p + 16);
  if (load_be64(p) != ~0ull || load_be64(p + 8) != ~0ull || length < kHeader || length > kMaxMessage) return std::nullopt;
  return length <= size ? length : 0;
}

struct OpenOptions {
  std::uint32_t asn = 65000;
  std::uint32_t router_id = 0;
  std::uint16_t hold_time = 90;
  bool vpnv4 = true;
  bool vpnv6 = false;
  bool rtc = false;
  bool add_path = false;  // able to receive several paths of the VPN families, RFC 7911 §4
};
void append_open(ByteVector& out, const OpenOptions& options);
// Whether the neighbour's OPEN (its body) says that it sends several paths of the family, RFC 7911 §4.
bool offers_paths(Bytes open, std::uint16_t afi, std::uint8_t safi);
void append_keepalive(ByteVector& out);
void append_end_of_rib(ByteVector& out, std::uint16_t afi, std::uint8_t safi);
void append_route_refresh(ByteVector& out, std::uint16_t afi, std::uint8_t safi);
void append_cease(ByteVector& out, std::uint8_t subcode);

// ORIGIN IGP, empty AS_PATH, [MED], LOCAL_PREF 100: what a PE's own routes carry before their other attributes.
inline void append_base_attributes(ByteWriter& w, std::uint32_t med) {
  w.u8(0x40), w.u8(1), w.u8(1), w.u8(0);
  w.u8(0x40), w.u8(2), w.u8(0);
  if (med != 0) w.u8(0x80), w.u8(4), w.u8(4), w.u32(med);
  w.u8(0x40), w.u8(5), w.u8(4), w.u32(100);
}

// Who says it: the origin AS of its memberships, and their next hop (an IPv4 address).
struct Speaker {
  std::uint32_t asn = 65000;
  std::uint32_t address = 0;
};
// Memberships of whole route targets, packed; withdrawn when `announce` is false.
void append_memberships(ByteVector& out, const Speaker& speaker, std::span<const std::uint64_t> targets, bool announce);
// Everything (RFC 4684 §4: length 0).
void append_default_membership(ByteVector& out, const Speaker& speaker, bool announce = true);

// One route with any attributes. LOCAL_PREF is left out towards external neighbours. The path's ORIGINATOR_ID and
// CLUSTER_LIST are a reflector's and not written.
void append_route(ByteVector& out, const Prefix& prefix, const Path& path, bool is_vpn, bool is_external);
void append_withdrawal(ByteVector& out, const Prefix& prefix, bool is_vpn);

}  // namespace helio::synthetic

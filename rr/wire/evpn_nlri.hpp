// EVPN NLRI (RFC 7432 §7, RFC 9136, RFC 9251) as a reflector sees them: a route type, a length and octets, of which some
// are the key and the rest is payload that goes with the path.
//
// One entry: [route type 1][length in octets 1][RD 8][front][key][tail]. Front and tail are what RFC 7432 §7 keeps out of
// the key (ESI, labels, gateway); entries of types that are not known here are all key, without RD.
#pragma once
#include <string>

#include "rr/wire/types.hpp"
#include "rr/wire/vpn_nlri.hpp"

namespace helio::wire {

namespace evpn_type {
inline constexpr std::uint8_t ethernet_auto_discovery = 1, mac_ip = 2, inclusive_multicast = 3, ethernet_segment = 4, ip_prefix = 5,
                              selective_multicast = 6, multicast_join_synch = 7, multicast_leave_synch = 8;
}

// No route type in use is longer, all in; longer entries are not reflected, so that every entry fits a message beside
// attributes of any size that is taken.
inline constexpr std::size_t kMaxEvpnEntry = 90;

// A decoded entry; spans refer into the message.
struct EvpnNlri {
  std::uint8_t type = 0;
  std::uint8_t withdrawn_payload = 0;  // octets of payload in a withdrawal, which nobody looks at: zeros
  RouteDistinguisher rd;               // 0 for unknown types
  bool has_rd = true;
  Bytes whole;                         // type and length included
  Bytes front, key, tail;
};

// Walks the entries of one MP_REACH or MP_UNREACH.
//
// Deviation: RFC 7606 §5.4 has unrecognised route types discarded. Reflected as they are, new types work between PEs
// that know them, which is what a reflector is for; those that do not know them discard them.
class EvpnNlriReader {
 public:
  explicit EvpnNlriReader(Bytes nlri) : rest_(nlri) {}
  // malformed: the rest cannot be located, or an entry of a known type is not what its type says (RFC 7606 §5.3).
  NlriStatus next(EvpnNlri& out);

 private:
  Bytes rest_;
};

// How many octets of the payload stand in front of the key.
constexpr std::size_t evpn_front(std::uint8_t type) {
  return type == evpn_type::mac_ip || type == evpn_type::ip_prefix ? 10 : 0;
}
// Octets of the entry that write_evpn_nlri makes.
std::size_t evpn_entry_size(bool has_rd, std::size_t key, std::size_t payload);
// Writes an entry; `payload` is front and tail in one.
void write_evpn_nlri(std::uint8_t* to, std::uint8_t type, std::optional<RouteDistinguisher> rd, Bytes key, Bytes payload);

// "[2]:[0]:[48]:[00:00:5e:00:53:01]:[32]:[192.0.2.1]" as FRR and others write them, without the RD; other types in hex.
std::string format_evpn_key(std::uint8_t type, Bytes key);
// What goes with the path: ESI, gateway and labels, where there are any.
std::string format_evpn_payload(std::uint8_t type, Bytes key, Bytes payload);
std::vector<std::uint32_t> evpn_labels(std::uint8_t type, Bytes payload);

}  // namespace helio::wire

// ICMP and ICMPv6 messages of a router: errors about a packet (RFC 792, RFC 4443) with the label stack it arrived with
// (RFC 4884, RFC 4950), and echo for the ends.
#pragma once
#include <optional>

#include "rib/forwarding/packet.hpp"

namespace helio::forwarding::icmp {

enum class Error : std::uint8_t { time_exceeded, unreachable, too_big };

// The message about `datagram` (an IP packet, whole or its beginning), sent by `source` or `source6`. `labels`: the stack as
// received, empty for none. `mtu` for too_big: of IP packets. nullopt where none may be sent (RFC 1812 §4.3.2.7, RFC 4443
// §2.4): about an ICMP error, a later fragment, or to an address that is not one host.
std::optional<std::vector<std::uint8_t>> make_error(Error error, Bytes datagram, Bytes labels, std::uint32_t source,
                                                    const std::array<std::uint8_t, 16>& source6, std::uint32_t mtu = 0);

// What a received ICMP error says.
struct ErrorView {
  Error error = Error::time_exceeded;
  Bytes datagram;                   // the quoted packet
  std::vector<LabelEntry> labels;   // RFC 4950
  std::uint32_t mtu = 0;
};
std::optional<ErrorView> read_error(Bytes packet);

// An echo request from one address to another of the same family, `size` octets of data.
std::vector<std::uint8_t> make_echo_request(const wire::IpAddress& source, const wire::IpAddress& destination, std::uint16_t id, std::uint16_t sequence,
                                            std::size_t size = 56, std::uint8_t ttl = 64, bool may_not_fragment = true);
bool is_echo_request(Bytes packet);
bool is_echo_reply(Bytes packet);
// Turns an echo request into its reply, in place.
void answer_echo(Packet& packet);

}  // namespace helio::forwarding::icmp

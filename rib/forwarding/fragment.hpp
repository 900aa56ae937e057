// IPv4 fragmentation (RFC 791 §3.2), also below a label stack (RFC 3032 §3.4: "if the DF bit is not set … fragment, and
// prepend each fragment with the same label header"). Pure; the slow side of forwarder.cpp.
#pragma once
#include <vector>

#include "rib/forwarding/packet.hpp"

namespace helio::forwarding {

// Whether `ip` is an IPv4 datagram that may be cut into pieces of `room` octets.
bool may_be_fragmented(Bytes ip, std::size_t room);
// Cuts the datagram that stands behind the first `above` octets of the packet. Each piece has at most `room` octets and the
// same octets above it; the packet keeps the first, `rest` gets the others in order. Only after may_be_fragmented().
void fragment(Packet& packet, std::size_t above, std::size_t room, std::vector<Packet>& rest);

}  // namespace helio::forwarding

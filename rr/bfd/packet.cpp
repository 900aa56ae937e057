#include "rr/bfd/packet.hpp"

namespace helio::bfd {
namespace {

constexpr std::uint8_t kPoll = 0x20, kFinal = 0x10, kIndependent = 0x08, kAuthentication = 0x04, kDemand = 0x02, kMultipoint = 0x01;

template <class Names, class Value>
std::string_view name_of(const Names& names, Value value) {
  auto at = static_cast<std::size_t>(value);
  return at < std::size(names) ? names[at] : "unknown";
}

std::chrono::microseconds load_interval(const std::uint8_t* at) { return std::chrono::microseconds(load_be32(at)); }

void store_interval(std::uint8_t* at, std::chrono::microseconds interval) {
  store_be32(at, static_cast<std::uint32_t>(interval.count()));
}

}  // namespace

std::string_view state_name(State state) {
  static constexpr std::string_view kNames[] = {"AdminDown", "Down", "Init", "Up"};
  return name_of(kNames, state);
}

std::string_view diagnostic_name(Diagnostic diagnostic) {
  static constexpr std::string_view kNames[] = {"No Diagnostic",
                                                "Control Detection Time Expired",
                                                "Echo Function Failed",
                                                "Neighbor Signaled Session Down",
                                                "Forwarding Plane Reset",
                                                "Path Down",
                                                "Concatenated Path Down",
                                                "Administratively Down",
                                                "Reverse Concatenated Path Down"};
  return name_of(kNames, diagnostic);
}

std::string_view discard_name(Discard discard) {
  static constexpr std::string_view kNames[] = {"too short",        "version",           "length",        "detect multiplier",
                                                "multipoint",       "my discriminator",  "your discriminator", "authentication"};
  return name_of(kNames, discard);
}

PacketBytes encode(const ControlPacket& packet) {
  PacketBytes out{};
  out[0] = static_cast<std::uint8_t>(kVersion << 5 | (static_cast<unsigned>(packet.diagnostic) & 0x1f));
  out[1] = static_cast<std::uint8_t>(static_cast<unsigned>(packet.state) << 6);
  if (packet.poll) out[1] |= kPoll;
  if (packet.final) out[1] |= kFinal;
  if (packet.control_plane_independent) out[1] |= kIndependent;
  if (packet.demand) out[1] |= kDemand;
  out[2] = packet.detect_multiplier;
  out[3] = kPacketSize;
  store_be32(&out[4], packet.my_discriminator);
  store_be32(&out[8], packet.your_discriminator);
  store_interval(&out[12], packet.desired_min_tx);
  store_interval(&out[16], packet.required_min_rx);
  store_interval(&out[20], packet.required_min_echo_rx);
  return out;
}

Result<ControlPacket, Discard> decode(Bytes datagram) {
  if (datagram.size() < kPacketSize) return Unexpected(Discard::too_short);
  if (datagram[0] >> 5 != kVersion) return Unexpected(Discard::version);
  std::uint8_t flags = datagram[1], length = datagram[3];
  // "If the Length field is less than the minimum correct value (24 if the A bit is clear, or 26 if the A bit is set), the
  // packet MUST be discarded"; the same "if the Length field is greater than the payload of the encapsulating protocol".
  if (length < (flags & kAuthentication ? kPacketSize + 2 : kPacketSize) || length > datagram.size()) return Unexpected(Discard::length);
  if (datagram[2] == 0) return Unexpected(Discard::multiplier);
  if (flags & kMultipoint) return Unexpected(Discard::multipoint);
  ControlPacket packet;
  packet.diagnostic = static_cast<Diagnostic>(datagram[0] & 0x1f);
  packet.state = static_cast<State>(flags >> 6);
  packet.poll = flags & kPoll;
  packet.final = flags & kFinal;
  packet.control_plane_independent = flags & kIndependent;
  packet.demand = flags & kDemand;
  packet.detect_multiplier = datagram[2];
  packet.my_discriminator = load_be32(&datagram[4]);
  packet.your_discriminator = load_be32(&datagram[8]);
  packet.desired_min_tx = load_interval(&datagram[12]);
  packet.required_min_rx = load_interval(&datagram[16]);
  packet.required_min_echo_rx = load_interval(&datagram[20]);
  if (packet.my_discriminator == 0) return Unexpected(Discard::my_discriminator);
  if (packet.your_discriminator == 0 && packet.state != State::down && packet.state != State::admin_down)
    return Unexpected(Discard::your_discriminator);
  if (flags & kAuthentication) return Unexpected(Discard::authentication);
  return packet;
}

}  // namespace helio::bfd

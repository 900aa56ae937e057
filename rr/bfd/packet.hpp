// The BFD Control packet (RFC 5880 §4.1) and the checks on reception that need no session (§6.8.6). Pure functions.
//
//   0                   1                   2                   3
//   |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//   |                       My Discriminator                        |
//   |                      Your Discriminator                       |
//   |                    Desired Min TX Interval                    |
//   |                   Required Min RX Interval                    |
//   |                 Required Min Echo RX Interval                 |
//
// Authentication is not used: a packet with the A bit is discarded, as §6.8.6 wants it where bfd.AuthType is zero.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "rr/base/bytes.hpp"
#include "rr/base/result.hpp"

namespace helio::bfd {

enum class State : std::uint8_t { admin_down, down, init, up };
std::string_view state_name(State state);  // "AdminDown"

// §4.1 Diag; values above are kept as they are.
enum class Diagnostic : std::uint8_t {
  none = 0,
  detection_time_expired = 1,
  echo_failed = 2,
  neighbor_signaled_down = 3,
  forwarding_reset = 4,
  path_down = 5,
  concatenated_path_down = 6,
  administratively_down = 7,
  reverse_concatenated_path_down = 8,
};
std::string_view diagnostic_name(Diagnostic diagnostic);  // the RFC's words

inline constexpr std::size_t kPacketSize = 24;
inline constexpr std::uint8_t kVersion = 1;

struct ControlPacket {
  Diagnostic diagnostic = Diagnostic::none;
  State state = State::down;
  bool poll = false;
  bool final = false;
  bool control_plane_independent = false;
  bool demand = false;
  std::uint8_t detect_multiplier = 3;
  std::uint32_t my_discriminator = 0;
  std::uint32_t your_discriminator = 0;
  std::chrono::microseconds desired_min_tx{0};
  std::chrono::microseconds required_min_rx{0};
  std::chrono::microseconds required_min_echo_rx{0};
  bool operator==(const ControlPacket&) const = default;
};

// Why a datagram is discarded.
enum class Discard : std::uint8_t {
  too_short, version, length, multiplier, multipoint, my_discriminator, your_discriminator, authentication, count_
};
std::string_view discard_name(Discard discard);

using PacketBytes = std::array<std::uint8_t, kPacketSize>;
PacketBytes encode(const ControlPacket& packet);
Result<ControlPacket, Discard> decode(Bytes datagram);

}  // namespace helio::bfd

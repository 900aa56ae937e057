// BFD Control packets: (octets, struct) both ways, and every discard of RFC 5880 §6.8.6 that needs no session.
#include "rr/bfd/packet.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace helio::bfd {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets hex(std::string_view text) {
  Octets out;
  std::string digits;
  for (char c : text)
    if (c != ' ') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) out.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return out;
}

constexpr const char* kUp = "20 c0 03 18 00001267 00000001 000493e0 000493e0 00000000";

TEST(BfdPacket, BothWays) {
  struct Row {
    const char* octets;
    ControlPacket packet;
  };
  auto us = [](int n) { return std::chrono::microseconds(n); };
  for (const Row& row : {
           Row{kUp, {.state = State::up, .detect_multiplier = 3, .my_discriminator = 0x1267, .your_discriminator = 1, .desired_min_tx = us(300000), .required_min_rx = us(300000)}},
           Row{"21 60 05 18 00000007 00000000 000f4240 00000001 00000000",
               {.diagnostic = Diagnostic::detection_time_expired, .state = State::down, .poll = true, .detect_multiplier = 5, .my_discriminator = 7, .desired_min_tx = us(1000000), .required_min_rx = us(1)}},
           Row{"27 1a 01 18 ffffffff fffffffe 00000000 00000000 00000032",
               {.diagnostic = Diagnostic::administratively_down, .state = State::admin_down, .final = true, .control_plane_independent = true, .demand = true, .detect_multiplier = 1,
                .my_discriminator = 0xffffffff, .your_discriminator = 0xfffffffe, .required_min_echo_rx = us(50)}},
           Row{"3f 80 ff 18 00000001 00000002 ffffffff ffffffff ffffffff",
               {.diagnostic = static_cast<Diagnostic>(31), .state = State::init, .detect_multiplier = 255, .my_discriminator = 1, .your_discriminator = 2,
                .desired_min_tx = std::chrono::microseconds(0xffffffffu), .required_min_rx = std::chrono::microseconds(0xffffffffu), .required_min_echo_rx = std::chrono::microseconds(0xffffffffu)}},
       }) {
    Octets octets = hex(row.octets);
    auto decoded = decode(octets);
    ASSERT_TRUE(decoded) << row.octets;
    EXPECT_TRUE(*decoded == row.packet) << row.octets;
    PacketBytes encoded = encode(row.packet);
    EXPECT_EQ(Octets(encoded.begin(), encoded.end()), octets) << row.octets;
  }
}

// §6.8.6, in its order. What follows the Length is not looked at.
TEST(BfdPacket, Discards) {
  struct Row {
    const char* octets;
    Discard why;
  };
  for (const Row& row : {
           Row{"", Discard::too_short},
           Row{"20 c0 03 18 00001267 00000001 000493e0 000493e0 000000", Discard::too_short},
           Row{"00 c0 03 18 00001267 00000001 000493e0 000493e0 00000000", Discard::version},
           Row{"40 c0 03 18 00001267 00000001 000493e0 000493e0 00000000", Discard::version},
           Row{"20 c0 03 17 00001267 00000001 000493e0 000493e0 00000000", Discard::length},
           Row{"20 c0 03 19 00001267 00000001 000493e0 000493e0 00000000", Discard::length},
           Row{"20 c4 03 18 00001267 00000001 000493e0 000493e0 00000000", Discard::length},
           Row{"20 c0 00 18 00001267 00000001 000493e0 000493e0 00000000", Discard::multiplier},
           Row{"20 c1 03 18 00001267 00000001 000493e0 000493e0 00000000", Discard::multipoint},
           Row{"20 c0 03 18 00000000 00000001 000493e0 000493e0 00000000", Discard::my_discriminator},
           Row{"20 c0 03 18 00001267 00000000 000493e0 000493e0 00000000", Discard::your_discriminator},
           Row{"20 80 03 18 00001267 00000000 000493e0 000493e0 00000000", Discard::your_discriminator},
           Row{"20 c4 03 1a 00001267 00000001 000493e0 000493e0 00000000 0102", Discard::authentication},
       }) {
    auto decoded = decode(hex(row.octets));
    ASSERT_FALSE(decoded) << row.octets;
    EXPECT_EQ(discard_name(decoded.error()), discard_name(row.why)) << row.octets;
  }
  EXPECT_TRUE(decode(hex(std::string(kUp) + "ffff")));
}

TEST(BfdPacket, Names) {
  EXPECT_EQ(state_name(State::admin_down), "AdminDown");
  EXPECT_EQ(diagnostic_name(Diagnostic::reverse_concatenated_path_down), "Reverse Concatenated Path Down");
  EXPECT_EQ(diagnostic_name(static_cast<Diagnostic>(30)), "unknown");
  for (int i = 0; i < static_cast<int>(Discard::count_); ++i) EXPECT_NE(discard_name(static_cast<Discard>(i)), "unknown");
}

}  // namespace
}  // namespace helio::bfd

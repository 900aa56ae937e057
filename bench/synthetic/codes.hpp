// The numbers of families and attributes as the load generator's own codec writes and reads them: it shares none with the
// reflector's, so that neither can hide the other's mistake.
#pragma once
#include <cstdint>

namespace helio::synthetic {

constexpr std::uint16_t kIp4 = 1, kIp6 = 2;                   // AFI
constexpr std::uint8_t kUnicast = 1, kVpn = 128, kRtc = 132;  // SAFI: RFC 4760, 4364, 4684

}  // namespace helio::synthetic

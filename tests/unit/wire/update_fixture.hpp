// UPDATE bodies for the tests: attributes as hex, put together with their lengths.
#pragma once
#include "rr/wire/update.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::wire::test {

// The attributes of an ordinary reflected VPN route, beside MP_REACH.
inline constexpr const char* kOrigin = "400101 00";
inline constexpr const char* kEmptyAsPath = "400200";
inline constexpr const char* kLocalPref = "400504 00000064";
inline constexpr const char* kRouteTarget = "c01008 0002fde800000065";
inline constexpr const char* kNextHop = "400304 0a000001";
// 10.0.0.0/24 of RD 65000:101 with label 100 by 10.0.0.1; and its withdrawal.
inline constexpr const char* kReach = "800e20 0001 80 0c 0000000000000000 0a000001 00 70 000641 0000fde800000065 0a0000";
inline constexpr const char* kUnreach = "800f12 0001 80 70 800000 0000fde800000065 0a0000";
inline constexpr const char* kReachRtc = "800e16 0001 84 04 0a000001 00 60 0000fde8 0002fde800000065";

inline Octets body(const Octets& attributes, const std::string& nlri = "", const std::string& withdrawn = "") {
  Octets w = hex(withdrawn);
  Octets out{static_cast<std::uint8_t>(w.size() >> 8), static_cast<std::uint8_t>(w.size())};
  out = out + w;
  out.push_back(static_cast<std::uint8_t>(attributes.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(attributes.size()));
  return out + attributes + hex(nlri);
}
inline Octets body(std::initializer_list<std::string> attributes, const std::string& nlri = "", const std::string& withdrawn = "") {
  Octets all;
  for (const std::string& attribute : attributes) all = all + hex(attribute);
  return body(all, nlri, withdrawn);
}
// MP_REACH and the mandatory attributes of an internal session, then `extra`.
inline Octets vpn_route(const std::string& extra = "") { return body({kReach, kOrigin, kEmptyAsPath, kLocalPref, kRouteTarget, extra}); }

inline UpdateContext internal() {
  UpdateContext context;
  for (Family family : {Family::vpnv4, Family::vpnv6, Family::rtc}) context.families.insert(family);
  return context;
}
inline UpdateContext external() {
  UpdateContext context = internal();
  context.is_external = true;
  return context;
}
inline UpdateContext with_ipv4(UpdateContext context = internal()) {
  context.families.insert(Family::ipv4_unicast);
  return context;
}

}  // namespace helio::wire::test

// VPN prefixes as one writes them.
#pragma once
#include "rr/wire/types.hpp"

namespace helio::wire::test {

inline VpnPrefix vpn(const char* rd, const char* prefix) {
  VpnPrefix out = parse_prefix(prefix).value();
  out.rd = parse_rd(rd).value();
  return out;
}

}  // namespace helio::wire::test

// VPNv6 routes dressed up as EVPN MAC/IP routes (RFC 7432 §7.2) and back, one to one: every random run that the model knows
// about VPNv6 becomes one about EVPN. Prefix length and address are in the key, labels in the label fields, which are not.
#pragma once
#include "tests/support/naive_codec.hpp"

namespace helio::test {

wire::Family disguised(wire::Family family);      // VPNv6 as EVPN, others as they are
wire::FamilySet disguised(wire::FamilySet families);
wire::FamilySet revealed(wire::FamilySet families);  // EVPN as VPNv6
// UPDATE or ROUTE-REFRESH bodies as the engine has them, and as the model has them.
Octets disguise_update(Bytes body);
Octets reveal_update(Bytes body, std::vector<std::string>& defects);
Octets reveal_refresh(Bytes body);

}  // namespace helio::test

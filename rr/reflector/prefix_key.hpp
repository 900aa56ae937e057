// A VPN prefix as the tree of its RD keys it, and back.
#pragma once
#include <cstdint>

#include "rib/prefix_tree.hpp"
#include "rr/wire/types.hpp"

namespace helio::reflector {

template <class Address>
rib::PrefixKey<Address> key_of(const wire::VpnPrefix& prefix) {
  rib::PrefixKey<Address> key{0, prefix.length};
  for (unsigned i = 0; i < sizeof(Address); ++i) key.address = static_cast<Address>(key.address << 8) | prefix.address[i];
  return key;
}

template <class Address>
wire::VpnPrefix prefix_of(std::uint64_t rd, const rib::PrefixKey<Address>& key) {
  wire::VpnPrefix p;
  p.rd.value = rd;
  p.length = key.length;
  p.is_v6 = sizeof(Address) == 16;
  for (unsigned i = 0; i < sizeof(Address); ++i) p.address[i] = static_cast<std::uint8_t>(key.address >> (sizeof(Address) * 8 - 8 - 8 * i));
  return p;
}

}  // namespace helio::reflector

#include "bench/micro/loads.hpp"

#include <algorithm>
#include <random>
#include <unordered_set>

#include "rr/wire/update_encode.hpp"

namespace helio::bench {
namespace {

using wire::attr_flag::optional, wire::attr_flag::transitive;

Octets as_body(const Octets& attributes) {
  Octets out;
  ByteWriter w(out);
  w.u16(0);
  w.u16(static_cast<std::uint16_t>(attributes.size()));
  w.bytes(attributes);
  return out;
}
Octets reach(wire::Family family, std::uint32_t next_hop, const Octets& nlri) {
  Octets value, hop, out;
  wire::encode_next_hop(hop, family, wire::IpAddress::v4(next_hop));
  ByteWriter w(value);
  w.u16(wire::afi_safi(family).afi);
  w.u8(wire::afi_safi(family).safi);
  w.u8(static_cast<std::uint8_t>(hop.size()));
  w.bytes(hop);
  w.u8(0);
  w.bytes(nlri);
  wire::encode_attribute(out, optional, wire::attr::mp_reach, value);
  return out;
}

}  // namespace

Octets attributes_of(std::uint64_t route_target, std::uint32_t med) {
  Octets out;
  wire::encode_attribute(out, transitive, wire::attr::origin, Octets{0});
  wire::encode_attribute(out, transitive, wire::attr::as_path, Octets{2, 1, 0, 0, 0xfd, 0xe9});
  wire::encode_attribute_u32(out, optional, wire::attr::med, med);
  wire::encode_attribute_u32(out, transitive, wire::attr::local_pref, 100);
  Octets target(8);
  store_be64(target.data(), route_target);
  wire::encode_attribute(out, optional | transitive, wire::attr::extended_communities, target);
  return out;
}

Octets update_body(std::uint64_t rd, std::uint32_t first, std::uint32_t count, std::uint32_t next_hop, const Octets& attributes) {
  Octets nlri;
  for (std::uint32_t i = 0; i < count; ++i) {
    wire::VpnPrefix prefix{{rd}, {}, 24, false};
    store_be32(prefix.address.data(), 0x0a000000 + ((first + i) << 8));
    wire::encode_vpn_nlri(nlri, prefix, std::vector{wire::label_field(16 + static_cast<std::uint32_t>(rd & 0xffff))});
  }
  Octets all = reach(wire::Family::vpnv4, next_hop, nlri);
  all.insert(all.end(), attributes.begin(), attributes.end());
  return as_body(all);
}

Octets membership_body(const std::vector<std::uint64_t>& targets, std::uint32_t next_hop) {
  Octets nlri;
  for (std::uint64_t target : targets) wire::encode_rtc_nlri(nlri, {96, 65000, target});
  Octets all = reach(wire::Family::rtc, next_hop, nlri);
  wire::encode_attribute(all, transitive, wire::attr::origin, Octets{0});
  wire::encode_attribute(all, transitive, wire::attr::as_path, Octets{});
  wire::encode_attribute_u32(all, transitive, wire::attr::local_pref, 100);
  return as_body(all);
}

Octets rtc_end_of_rib_body() {
  Octets message;
  wire::encode_end_of_rib(message, wire::Family::rtc);
  return Octets(message.begin() + wire::kHeaderSize, message.end());
}

std::vector<Item4> consecutive(std::uint32_t rds, std::uint32_t per_rd) {
  std::vector<Item4> out;
  out.reserve(std::size_t{rds} * per_rd);
  for (std::uint32_t r = 0; r < rds; ++r)
    for (std::uint32_t i = 0; i < per_rd; ++i) out.push_back({kFirstRd + r, {0x0a000000 + (i << 8), 24}});
  return out;
}

std::vector<Item4> random_private(std::uint32_t rds, std::uint32_t per_rd) {
  std::vector<Item4> out;
  out.reserve(std::size_t{rds} * per_rd);
  std::mt19937 random(1918);
  std::unordered_set<std::uint32_t> used;
  for (std::uint32_t r = 0; r < rds; ++r) {
    used.clear();
    while (used.size() < per_rd) {
      // 10/8 has 65536 /24, 172.16/12 has 4096, 192.168/16 has 256.
      std::uint32_t n = random() % (65536 + 4096 + 256);
      std::uint32_t address = n < 65536 ? 0x0a000000 + (n << 8) : n < 69632 ? 0xac100000 + ((n - 65536) << 8) : 0xc0a80000 + ((n - 69632) << 8);
      if (used.insert(address).second) out.push_back({kFirstRd + r, {address, 24}});
    }
  }
  return out;
}

std::vector<Item4> internet_like(std::uint32_t n) {
  struct {
    std::uint8_t length;
    unsigned share;  // of 100
  } constexpr kLengths[] = {{24, 59}, {22, 12}, {23, 10}, {20, 5}, {21, 5}, {19, 3}, {18, 2}, {17, 1}, {16, 3}};
  std::vector<Item4> out;
  out.reserve(n);
  std::mt19937 random(4);
  std::unordered_set<std::uint64_t> used;
  while (out.size() < n) {
    unsigned pick = random() % 100;
    std::size_t i = 0;
    while (pick >= kLengths[i].share) pick -= kLengths[i++].share;
    std::uint8_t length = kLengths[i].length;
    std::uint32_t address = (0x01000000 + static_cast<std::uint32_t>(random() % 0xde000000)) & ~std::uint32_t{0} << (32 - length);
    if (used.insert(std::uint64_t{address} << 8 | length).second) out.push_back({kFirstRd, {address, length}});
  }
  return out;
}

std::vector<Item6> sixes(std::uint32_t rds, std::uint32_t per_rd) {
  std::vector<Item6> out;
  out.reserve(std::size_t{rds} * per_rd);
  for (std::uint32_t r = 0; r < rds; ++r)
    for (std::uint32_t i = 0; i < per_rd; ++i) {
      rib::Address6 address = static_cast<rib::Address6>(0x20010db800000000 + (std::uint64_t{r} << 16) + i) << 64;
      out.push_back({kFirstRd + r, {address, 64}});
    }
  return out;
}

}  // namespace helio::bench

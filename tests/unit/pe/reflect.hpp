// What a correct reflector does with a PE's stream, for tests of the checker: adds ORIGINATOR_ID and
// CLUSTER_LIST to every announcement and sends each slice to those who import it. The slow and obvious way.
#pragma once
#include <functional>

#include "bench/pe/lib/checker.hpp"
#include "bench/pe/lib/stream.hpp"

namespace helio::pe {

inline constexpr std::uint32_t kClusterId = 0x0aff0001;

using Body = std::vector<std::uint8_t>;

// The bodies of the messages in a stream.
inline std::vector<Body> split(const ByteVector& stream) {
  std::vector<Body> bodies;
  for (std::size_t at = 0; at < stream.size();) {
    std::size_t length = load_be16(stream.data() + at + 16);
    bodies.emplace_back(stream.begin() + static_cast<std::ptrdiff_t>(at + 19),
                        stream.begin() + static_cast<std::ptrdiff_t>(at + length));
    at += length;
  }
  return bodies;
}

// The body with ORIGINATOR_ID and CLUSTER_LIST put in front of its other attributes.
inline Body reflected(const Body& body, std::uint32_t originator) {
  Body out;
  ByteWriter w(out);
  w.u16(0);
  w.u16(static_cast<std::uint16_t>(load_be16(body.data() + 2) + 14));
  w.u8(0x80), w.u8(9), w.u8(4), w.u32(originator);
  w.u8(0x80), w.u8(10), w.u8(4), w.u32(kClusterId);
  w.bytes(Bytes(body).subspan(4));
  return out;
}

// Delivers the whole cold start, one slice at a time, to everybody who must have it.
inline void deliver_everything(const Plan& plan, Checker& checker) {
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) {
    for (std::uint32_t k = 0; plan.announces(pe) && k < plan.options().vrfs_per_pe; ++k) {
      std::uint32_t cycle;
      std::uint32_t vrf = plan.vrf_at(pe, k, cycle);
      // Only the best of several owners is passed on.
      if (cycle % plan.options().multihoming != 0) continue;
      ByteVector stream;
      append_routes(stream, plan, pe, {k, 0, plan.routes_per_slice()}, {});
      for (const Body& body : split(stream)) {
        for (std::uint32_t to = 0; to < plan.pes(); ++to) {
          if (to != pe && plan.imports(to, vrf, cycle))
            checker.on_update(to, reflected(body, plan.address(pe)));
        }
      }
    }
  }
}

}  // namespace helio::pe

// Strong ids: distinct types for numbers that must not be mixed up. Value 0xffffffff means "none".
#pragma once
#include <compare>
#include <cstdint>
#include <functional>

namespace helio {

template <class Tag>
struct StrongId {
  std::uint32_t value = 0xffffffff;
  constexpr StrongId() = default;
  constexpr explicit StrongId(std::uint32_t v) : value(v) {}
  constexpr bool valid() const { return value != 0xffffffff; }
  constexpr auto operator<=>(const StrongId&) const = default;
};

using PeerId = StrongId<struct PeerTag>;    // one configured or dynamic neighbour address; reused after removal
using ShardId = StrongId<struct ShardTag>;  // 0..shards-1

using Asn = std::uint32_t;  // 4-octet AS number (RFC 6793)

}  // namespace helio

template <class Tag>
struct std::hash<helio::StrongId<Tag>> {
  std::size_t operator()(helio::StrongId<Tag> id) const noexcept { return id.value; }
};

#include "rr/wire/attributes.hpp"

#include <algorithm>

#include "rr/wire/update_encode.hpp"

namespace helio::wire {
namespace {

struct Encoded {
  std::uint8_t flags, type;
  Bytes value, whole;
};

// The first attribute of bytes that are well formed.
Encoded first_attribute(Bytes attributes) {
  bool extended = (attributes[0] & attr_flag::extended_length) != 0;
  std::size_t header = extended ? 4 : 3;
  std::size_t length = extended ? load_be16(attributes.data() + 2) : attributes[2];
  return {attributes[0], attributes[1], attributes.subspan(header, length), attributes.first(header + length)};
}

}  // namespace

Bytes find_attribute(Bytes attributes, std::uint8_t type) {
  for (Bytes rest = attributes; !rest.empty();) {
    Encoded a = first_attribute(rest);
    if (a.type == type) return a.value;
    rest = rest.subspan(a.whole.size());
  }
  return {};
}

void add_community(std::vector<std::uint8_t>& out, Bytes attributes, std::uint32_t community) {
  constexpr std::uint8_t kFlags = attr_flag::optional | attr_flag::transitive;
  std::vector<std::uint8_t> value;
  bool done = false;
  auto put = [&](Bytes present, std::uint8_t flags) {
    value.assign(present.begin(), present.end());
    value.resize(value.size() + 4);
    store_be32(value.data() + value.size() - 4, community);
    encode_attribute(out, flags, attr::communities, value);
    done = true;
  };
  for (Bytes rest = attributes; !rest.empty();) {
    Encoded a = first_attribute(rest);
    rest = rest.subspan(a.whole.size());
    if (!done && a.type > attr::communities) put({}, kFlags);
    if (a.type == attr::communities) put(a.value, a.flags & 0xe0);
    else out.insert(out.end(), a.whole.begin(), a.whole.end());
  }
  if (!done) put({}, kFlags);
}

void collect_route_targets(Bytes extended_communities, std::vector<RouteTarget>& out) {
  for (std::size_t at = 0; at + 8 <= extended_communities.size(); at += 8) {
    std::uint64_t value = load_be64(extended_communities.data() + at);
    if (is_route_target(value)) out.push_back({value});
  }
}

bool contains_community(Bytes communities, std::uint32_t community) {
  for (std::size_t at = 0; at + 4 <= communities.size(); at += 4)
    if (load_be32(communities.data() + at) == community) return true;
  return false;
}

std::optional<std::uint64_t> find_aigp(Bytes aigp) {
  ByteReader reader(aigp);
  while (!reader.empty()) {
    std::uint8_t type = reader.u8();
    std::uint16_t length = reader.u16();
    if (!reader.ok() || length < 3) return std::nullopt;
    Bytes content = reader.take(length - 3u);
    if (!reader.ok()) return std::nullopt;
    if (type == 1 && content.size() == 8) return load_be64(content.data());
  }
  return std::nullopt;
}

std::optional<IpAddress> next_hop_address(Family family, Bytes next_hop) {
  bool has_rd = family == Family::vpnv4 || family == Family::vpnv6;
  std::size_t rd = has_rd ? 8 : 0;
  std::size_t size = next_hop.size();
  IpAddress address;
  if (size == rd + 16 || size == 2 * (rd + 16)) {
    address.is_v6 = true;
  } else if (size != rd + 4) {
    return std::nullopt;
  }
  std::copy_n(next_hop.begin() + static_cast<std::ptrdiff_t>(rd), address.is_v6 ? 16 : 4, address.bytes.begin());
  return address;
}

}  // namespace helio::wire

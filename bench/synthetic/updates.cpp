#include "bench/synthetic/updates.hpp"

#include "bench/synthetic/codes.hpp"

namespace helio::synthetic {
namespace {

constexpr std::uint8_t kAsSet = 1, kAsSequence = 2;

struct Reach {
  bool is_there = false;
  std::uint16_t afi = 0;
  std::uint8_t safi = 0;
  Bytes next_hop, nlri;
};

std::optional<Reach> read_reach(Bytes value, bool has_next_hop) {
  ByteReader r(value);
  Reach out{true, r.u16(), r.u8(), {}, {}};
  if (has_next_hop) {
    out.next_hop = r.take(r.u8());
    r.u8();
  }
  out.nlri = r.rest();
  return r.ok() ? std::optional(out) : std::nullopt;
}

bool read_as_path(Bytes value, std::vector<Asn>& out) {
  ByteReader r(value);
  while (!r.empty()) {
    std::uint8_t type = r.u8(), count = r.u8();
    if ((type != kAsSet && type != kAsSequence) || r.remaining() < count * 4u) return false;
    for (unsigned i = 0; i < count; ++i) {
      Asn as = r.u32();
      if (type == kAsSequence || i == 0) out.push_back(as);  // a set counts once
    }
  }
  return r.ok();
}

std::optional<IpAddress> read_next_hop(Bytes field, bool is_vpn) {
  if (is_vpn && field.size() >= 8) field = field.subspan(8);  // RD 0
  if (field.size() == 4) return IpAddress::v4(load_be32(field.data()));
  if (field.size() != 16 && field.size() != 32 && field.size() != 40) return std::nullopt;  // with a link-local address behind
  // RFC 4659 §3.2.1.2: an IPv4 core behind an IPv4-mapped next hop.
  if (load_be64(field.data()) == 0 && load_be32(field.data() + 8) == 0xffff) return IpAddress::v4(load_be32(field.data() + 12));
  IpAddress out;
  out.is_v6 = true;
  std::copy_n(field.data(), 16, out.bytes.begin());
  return out;
}

bool copy_prefix(Bytes octets, std::size_t bits, bool is_v6, Prefix& out) {
  if (bits > (is_v6 ? 128u : 32u) || octets.size() != (bits + 7) / 8) return false;
  out.is_v6 = is_v6;
  out.length = static_cast<std::uint8_t>(bits);
  std::copy(octets.begin(), octets.end(), out.address.begin());
  if (bits % 8 != 0) out.address[bits / 8] &= static_cast<std::uint8_t>(0xff00 >> bits % 8);
  return true;
}

// Calls f(key, labels).
template <class Function>
bool each_route(const Reach& reach, bool is_withdrawal, wire::FamilySet with_path_ids, Function&& f) {
  bool is_v6 = reach.afi == 2, is_vpn = reach.safi == kVpn;
  Prefix of_family;
  of_family.is_v6 = is_v6;
  bool has_path_id = with_path_ids.contains(family_of(of_family, is_vpn));
  std::vector<std::uint32_t> labels;
  if (is_vpn) {
    bool is_right = true;
    return each_vpn_nlri(reach.nlri, is_withdrawal, has_path_id, [&](std::uint32_t path_id, Bytes fields, Bytes rest, std::size_t bits) {
      PathKey key;
      key.path_id = path_id;
      key.prefix.rd.value = load_be64(rest.data());
      is_right &= copy_prefix(rest.subspan(8), bits, is_v6, key.prefix);
      labels.clear();
      for (std::size_t at = 0; at < fields.size(); at += 3) labels.push_back(load_be24(fields.data() + at) >> 4);
      if (is_right) f(key, labels);
    }) && is_right;
  }
  ByteReader r(reach.nlri);
  while (!r.empty()) {
    PathKey key;
    if (has_path_id) key.path_id = r.u32();
    std::size_t bits = r.u8();
    Bytes octets = r.take((bits + 7) / 8);
    if (!r.ok() || !copy_prefix(octets, bits, is_v6, key.prefix)) return false;
    f(key, labels);
  }
  return true;
}

bool read_memberships(Bytes nlri, std::vector<wire::RtMembership>& out) {
  ByteReader r(nlri);
  while (!r.empty()) {
    wire::RtMembership m;
    m.length = r.u8();
    if (m.length > 96 || (m.length > 0 && m.length < 32)) return false;
    Bytes octets = r.take((m.length + 7u) / 8);
    if (!r.ok()) return false;
    std::array<std::uint8_t, 12> whole{};
    std::copy(octets.begin(), octets.end(), whole.begin());
    if (m.length % 8 != 0) whole[m.length / 8u] &= static_cast<std::uint8_t>(0xff00 >> m.length % 8);
    m.origin_as = load_be32(whole.data());
    m.target = load_be64(whole.data() + 4);
    out.push_back(m);
  }
  return true;
}

struct Attributes {
  Path path;
  Reach reach, unreach;
  bool take(std::uint8_t type, Bytes value) {
    auto is_word = [&] { return value.size() == 4; };
    switch (type) {
      case 1:
        if (value.size() != 1) return false;
        path.origin = value[0];
        return true;
      case 2: return read_as_path(value, path.as_path);
      case 3: return is_word() && (path.next_hop = IpAddress::v4(load_be32(value.data())), true);
      case 4: return is_word() && (path.med = load_be32(value.data()), true);
      case 5: return is_word() && (path.local_pref = load_be32(value.data()), true);
      case 8:
        for (std::size_t at = 0; at + 4 <= value.size(); at += 4) path.communities.push_back(load_be32(value.data() + at));
        return value.size() % 4 == 0;
      case 9: return is_word() && (path.originator = load_be32(value.data()), true);
      case 10: path.cluster_list_length = static_cast<std::uint32_t>(value.size() / 4); return value.size() % 4 == 0;
      case 14:
      case 15: {
        auto read = read_reach(value, type == 14);
        if (read) (type == 14 ? reach : unreach) = *read;
        return read.has_value();
      }
      case 16:  // route targets: types 0, 1 and 2, subtype 2
        for (std::size_t at = 0; at + 8 <= value.size(); at += 8)
          if (value[at] <= 2 && value[at + 1] == 2) path.targets.push_back(load_be64(value.data() + at));
        return value.size() % 8 == 0;
      default: return true;
    }
  }
};

}  // namespace

std::optional<RouteChanges> read_update(Bytes body, wire::FamilySet with_path_ids) {
  auto parts = split_update(body);
  Attributes a;
  if (!parts || !each_attribute(parts->attributes, [&](std::uint8_t type, Bytes value) { return a.take(type, value); })) return std::nullopt;
  RouteChanges out;
  auto withdraw = [&](const PathKey& key, const auto&) { out.withdrawn.push_back(key); };
  auto announce = [&](const PathKey& key, const std::vector<std::uint32_t>& labels) {
    out.announced.emplace_back(key, a.path);
    out.announced.back().second.labels = labels;
  };
  const Reach plain_withdrawn{true, 1, kUnicast, {}, parts->withdrawn}, plain{true, 1, kUnicast, {}, parts->nlri};
  bool good = each_route(plain_withdrawn, true, with_path_ids, withdraw);
  if (a.unreach.is_there) good &= a.unreach.safi == kRtc ? read_memberships(a.unreach.nlri, out.left) : each_route(a.unreach, true, with_path_ids, withdraw);
  if (!parts->nlri.empty()) good &= each_route(plain, false, with_path_ids, announce);
  if (a.reach.is_there && a.reach.safi == kRtc) {
    good &= read_memberships(a.reach.nlri, out.joined);
  } else if (a.reach.is_there) {
    auto next_hop = read_next_hop(a.reach.next_hop, a.reach.safi == kVpn);
    if (!next_hop) return std::nullopt;
    a.path.next_hop = *next_hop;
    good &= each_route(a.reach, false, with_path_ids, announce);
  }
  return good ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace helio::synthetic

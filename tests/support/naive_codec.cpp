#include "tests/support/naive_codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace helio::test {
namespace {

constexpr std::uint8_t kOptional = 0x80, kTransitive = 0x40, kExtendedLength = 0x10;
constexpr Asn kAsTrans = 23456;

void put16(Octets& out, std::uint32_t v) {
  out.push_back(static_cast<std::uint8_t>(v >> 8));
  out.push_back(static_cast<std::uint8_t>(v));
}
void put24(Octets& out, std::uint32_t v) {
  out.push_back(static_cast<std::uint8_t>(v >> 16));
  put16(out, v);
}
void put32(Octets& out, std::uint32_t v) {
  put16(out, v >> 16);
  put16(out, v);
}
void put64(Octets& out, std::uint64_t v) {
  put32(out, static_cast<std::uint32_t>(v >> 32));
  put32(out, static_cast<std::uint32_t>(v));
}
void append(Octets& out, const Octets& more) { out.insert(out.end(), more.begin(), more.end()); }

void put_attribute(Octets& out, std::uint8_t flags, std::uint8_t type, const Octets& value) {
  out.push_back(value.size() > 255 ? flags | kExtendedLength : flags);
  out.push_back(type);
  if (value.size() > 255)
    put16(out, static_cast<std::uint32_t>(value.size()));
  else
    out.push_back(static_cast<std::uint8_t>(value.size()));
  append(out, value);
}

void put_vpn(Octets& out, const wire::VpnPrefix& prefix, const std::vector<std::uint32_t>& labels) {
  out.push_back(static_cast<std::uint8_t>(labels.size() * 24 + 64 + prefix.length));
  for (std::uint32_t label : labels) put24(out, label);
  put64(out, prefix.rd.value);
  out.insert(out.end(), prefix.address.begin(), prefix.address.begin() + (prefix.length + 7) / 8);
}

void put_rtc(Octets& out, const wire::RtMembership& membership) {
  out.push_back(membership.length);
  Octets all;
  put32(all, membership.origin_as);
  put64(all, membership.target);
  out.insert(out.end(), all.begin(), all.begin() + (membership.length + 7) / 8);
}

Octets as_path_value(const std::vector<AsSegment>& path, bool four_octet) {
  Octets out;
  for (const AsSegment& segment : path) {
    out.push_back(segment.type);
    out.push_back(static_cast<std::uint8_t>(segment.ases.size()));
    for (Asn as : segment.ases) four_octet ? put32(out, as) : put16(out, as > 0xffff ? kAsTrans : as);
  }
  return out;
}

bool has_large_as(const std::vector<AsSegment>& path) {
  for (const AsSegment& segment : path)
    for (Asn as : segment.ases)
      if (as > 0xffff) return true;
  return false;
}

void put_afi_safi(Octets& out, wire::Family family) {
  put16(out, wire::afi_safi(family).afi);
  out.push_back(wire::afi_safi(family).safi);
}

std::vector<std::uint32_t> words(Bytes value) {
  std::vector<std::uint32_t> out;
  for (ByteReader in(value); in.remaining() >= 4;) out.push_back(in.u32());
  return out;
}

// Decoding state of one message.
struct Decoder {
  NaiveUpdate out;
  bool four_octet_as;
  bool external;
  wire::FamilySet add_path = {};

  template <class... Args>
  void defect(fmt::format_string<Args...> text, Args&&... args) {
    out.defects.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  std::optional<wire::Family> family(ByteReader& in) {
    std::uint16_t afi = in.u16();
    std::uint8_t safi = in.u8();
    auto found = wire::family_of({afi, safi});
    if (!found) defect("unknown AFI/SAFI {}/{}", afi, safi);
    return found;
  }

  // RFC 8277 §2.2: without the capability there is one label, and its S bit is ignored; others send stacks all the same. Where both
  // readings fit, the one behind which there is a route distinguisher of a known type; 0: neither fits.
  static unsigned labels_of(ByteReader in, unsigned bits, bool is_v6) {
    const unsigned most = is_v6 ? 128 : 32;
    auto fits = [&](unsigned n) { return bits >= 24 * n + 64 && bits - 24 * n - 64 <= most; };
    auto has_rd = [](ByteReader at) { return at.u16() <= 2 && at.ok(); };
    unsigned n = 1;
    ByteReader behind_one = in;
    behind_one.u24();
    bool is_bottom = (in.u24() & 1) != 0;
    while (!is_bottom && n < 8 && bits >= 24 * (n + 1) + 64 && in.ok()) {
      is_bottom = (in.u24() & 1) != 0;
      ++n;
    }
    bool stack = n > 1 && is_bottom && fits(n);
    if (stack && fits(1)) return has_rd(behind_one) && !has_rd(in) ? 1 : n;
    return stack ? n : fits(1) ? 1 : 0;
  }

  // One VPN NLRI. Announced stacks end at the S bit; a withdrawal from us carries the one field 0x800000.
  bool vpn(ByteReader& in, bool is_v6, bool withdrawal) {
    LabelledPrefix entry;
    entry.prefix.is_v6 = is_v6;
    if (add_path.contains(is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4)) entry.prefix.path_id = in.u32();
    unsigned bits = in.u8();
    for (unsigned n = withdrawal ? 1 : labels_of(in, bits, is_v6); n > 0; --n) {
      if (bits < 24) return false;
      entry.labels.push_back(in.u24());
      bits -= 24;
    }
    if (entry.labels.empty()) return false;
    if (bits < 64 || bits - 64 > (is_v6 ? 128u : 32u)) return false;
    entry.prefix.rd.value = in.u64();
    entry.prefix.length = static_cast<std::uint8_t>(bits - 64);
    Bytes address = in.take((entry.prefix.length + 7u) / 8);
    if (!in.ok()) return false;
    std::copy(address.begin(), address.end(), entry.prefix.address.begin());
    if (entry.prefix.length % 8 != 0 && (address.back() & (0xff >> entry.prefix.length % 8)) != 0)
      defect("host bits set in {}", format_key(entry.prefix));
    if (withdrawal) {
      out.withdraw_label = entry.labels.front();
      out.withdrawn.push_back(entry.prefix);
    } else {
      out.announced.push_back(entry);
    }
    return true;
  }

  bool rtc(ByteReader& in, bool withdrawal) {
    wire::RtMembership m;
    m.length = in.u8();
    if (m.length > 96) return false;
    Octets all(12, 0);
    Bytes value = in.take((m.length + 7u) / 8);
    if (!in.ok()) return false;
    std::copy(value.begin(), value.end(), all.begin());
    if (m.length != 0 && m.length < 32) {
      defect("RTC NLRI of length {}", m.length);
      return true;
    }
    m.origin_as = load_be32(all.data());
    m.target = load_be64(all.data() + 4);
    unsigned target_bits = m.length > 32 ? m.length - 32u : 0;
    std::uint64_t mask = target_bits == 0 ? 0 : ~std::uint64_t{0} << (64 - target_bits);
    if ((m.target & ~mask) != 0) defect("RTC NLRI with bits beyond its length");
    m.target &= mask;
    (withdrawal ? out.withdrawn_rtc : out.announced_rtc).push_back(m);
    return true;
  }

  void nlri(ByteReader& in, wire::Family family, bool withdrawal) {
    while (!in.empty()) {
      bool ok = family == wire::Family::rtc ? rtc(in, withdrawal) : vpn(in, family == wire::Family::vpnv6, withdrawal);
      if (ok) continue;
      defect("malformed NLRI");
      return;
    }
  }

  void mp_reach(Bytes value) {
    ByteReader in(value);
    auto f = family(in);
    Bytes next_hop = in.take(in.u8());
    if (in.u8() != 0) defect("MP_REACH reserved octet set");
    if (!in.ok() || !f) return defect("malformed MP_REACH");
    out.reach = f;
    out.attributes.next_hop.assign(next_hop.begin(), next_hop.end());
    std::size_t n = next_hop.size();
    // wire 2.2, pitfall 1.20
    if (*f == wire::Family::rtc ? n != 4 && n != 16 : n != 12 && n != 24 && n != 48) defect("next hop of {} octets", n);
    if (*f != wire::Family::rtc && n >= 8 && load_be64(next_hop.data()) != 0) defect("next hop with an RD");
    if (in.empty()) defect("MP_REACH without routes");
    nlri(in, *f, false);
  }

  void mp_unreach(Bytes value) {
    ByteReader in(value);
    auto f = family(in);
    if (!in.ok() || !f) return defect("malformed MP_UNREACH");
    out.unreach = f;
    nlri(in, *f, true);
  }

  std::vector<AsSegment> as_path(Bytes value, bool four_octet) {
    std::vector<AsSegment> path;
    for (ByteReader in(value); !in.empty();) {
      AsSegment segment;
      segment.type = in.u8();
      unsigned count = in.u8();
      if (segment.type < 1 || segment.type > 4 || count == 0) defect("AS_PATH segment type {} count {}", segment.type, count);
      for (unsigned i = 0; i < count && in.ok(); ++i) segment.ases.push_back(four_octet ? in.u32() : in.u16());
      if (!in.ok()) {
        defect("malformed AS_PATH");
        break;
      }
      path.push_back(segment);
    }
    return path;
  }

  void expect(Bytes value, std::size_t length, std::uint8_t type) {
    if (value.size() != length) defect("attribute {} of {} octets", type, value.size());
  }

  void attribute(std::uint8_t flags, std::uint8_t type, Bytes value, std::vector<AsSegment>& as4_path) {
    static const std::map<std::uint8_t, std::uint8_t> kFlags = {
        {1, kTransitive},  {2, kTransitive},  {3, kTransitive},  {4, kOptional},  {5, kTransitive},
        {6, kTransitive},  {9, kOptional},    {10, kOptional},   {14, kOptional}, {15, kOptional},
        {8, kOptional | kTransitive}, {16, kOptional | kTransitive}, {17, kOptional | kTransitive}, {32, kOptional | kTransitive}};
    std::uint8_t plain = flags & static_cast<std::uint8_t>(~kExtendedLength);
    if (auto at = kFlags.find(type); at != kFlags.end() && plain != at->second) defect("attribute {} with flags {:#x}", type, flags);
    if ((flags & kExtendedLength) != 0 && value.size() <= 255 && type != 14 && type != 15) defect("attribute {} needlessly extended", type);
    PathAttributes& a = out.attributes;
    ByteReader in(value);
    switch (type) {
      case 1: expect(value, 1, type); a.origin = in.u8(); break;
      case 2: a.as_path = as_path(value, four_octet_as); break;
      case 3: defect("NEXT_HOP attribute (wire 2.3)"); break;
      case 4: expect(value, 4, type); a.med = in.u32(); break;
      case 5: expect(value, 4, type); a.local_pref = in.u32(); break;
      case 8: a.communities = words(value); break;
      case 9: expect(value, 4, type); a.originator_id = in.u32(); break;
      case 10: a.cluster_list = words(value); break;
      case 14: mp_reach(value); break;
      case 15: mp_unreach(value); break;
      case 16:
        if (value.size() % 8 != 0 || value.empty()) defect("extended communities of {} octets", value.size());
        while (in.remaining() >= 8) a.extended_communities.push_back(in.u64());
        break;
      case 17: as4_path = as_path(value, true); break;
      default: a.others.push_back({type, plain, Octets(value.begin(), value.end())});
    }
  }

  // RFC 6793 §4.2.3, for paths of plain sequences.
  void merge_as4(const std::vector<AsSegment>& as4_path) {
    if (as4_path.empty()) return;
    if (four_octet_as) return defect("AS4_PATH to a speaker of four octets");
    std::vector<Asn> old_ases, new_ases;
    for (const AsSegment& s : out.attributes.as_path) old_ases.insert(old_ases.end(), s.ases.begin(), s.ases.end());
    for (const AsSegment& s : as4_path) new_ases.insert(new_ases.end(), s.ases.begin(), s.ases.end());
    if (new_ases.size() > old_ases.size()) return;
    std::copy(new_ases.begin(), new_ases.end(), old_ases.end() - static_cast<std::ptrdiff_t>(new_ases.size()));
    std::size_t at = 0;
    for (AsSegment& s : out.attributes.as_path)
      for (Asn& as : s.ases) as = old_ases[at++];
  }

  void check_complete(const std::map<std::uint8_t, int>& seen) {
    if (!out.reach) {
      for (auto [type, n] : seen)
        if (type != 15) defect("attribute {} without reachable routes", type);
      return;
    }
    for (std::uint8_t type : {1, 2})
      if (!seen.contains(type)) defect("no attribute {}", type);
    if (!external && !seen.contains(5)) defect("no LOCAL_PREF on iBGP (wire 2.3)");
    for (std::uint8_t type : {5, 9, 10})
      if (external && seen.contains(type)) defect("attribute {} on eBGP", type);
  }

  // RFC 4271 §4.3: "SHOULD NOT include the same address prefix in the WITHDRAWN ROUTES and Network Layer Reachability
  // Information fields".
  void check_disjoint() {
    std::set<wire::VpnPrefix> withdrawn(out.withdrawn.begin(), out.withdrawn.end());
    for (const LabelledPrefix& route : out.announced)
      if (withdrawn.contains(route.prefix)) defect("a prefix both announced and withdrawn");
  }

  void message(Bytes body) {
    ByteReader in(body);
    std::size_t withdrawn = in.u16();
    in.take(withdrawn);
    if (withdrawn != 0) defect("plain IPv4 withdrawals");
    ByteReader attributes(in.take(in.u16()));
    if (!in.ok()) return defect("lengths beyond the message");
    if (!in.empty()) defect("plain IPv4 routes");
    if (body.size() == 4) {
      out.end_of_rib = wire::Family::ipv4_unicast;
      return;
    }
    std::map<std::uint8_t, int> seen;
    std::vector<AsSegment> as4_path;
    unsigned previous = 0;
    while (!attributes.empty()) {
      std::uint8_t flags = attributes.u8(), type = attributes.u8();
      std::size_t length = (flags & kExtendedLength) != 0 ? attributes.u16() : attributes.u8();
      Bytes value = attributes.take(length);
      if (!attributes.ok()) return defect("attribute beyond the message");
      if (++seen[type] > 1) defect("attribute {} twice", type);
      if (type == 14 && previous != 0 && previous != 15) defect("MP_REACH not first");
      if (type != 14 && type != 15) {
        if (type < previous) defect("attributes not sorted by type");
        previous = type;
      }
      attribute(flags, type, value, as4_path);
    }
    std::sort(out.attributes.others.begin(), out.attributes.others.end());
    merge_as4(as4_path);
    check_complete(seen);
    if (out.reach == out.unreach && out.announced.size() * out.withdrawn.size() > 0) check_disjoint();
    if (out.unreach && seen.size() == 1 && out.withdrawn.empty() && out.withdrawn_rtc.empty()) {
      out.end_of_rib = out.unreach;
      out.unreach.reset();
    }
  }
};

}  // namespace

void prepend(std::vector<AsSegment>& path, Asn as) {
  if (path.empty() || path.front().type != AsSegment::kSequence || path.front().ases.size() == 255) path.insert(path.begin(), AsSegment{});
  path.front().ases.insert(path.front().ases.begin(), as);
}

std::map<wire::VpnPrefix, std::multiset<HeldRoute>> without_ids(const std::map<PathKey, HeldRoute>& held) {
  std::map<wire::VpnPrefix, std::multiset<HeldRoute>> out;
  for (const auto& [prefix, route] : held) out[prefix].insert(route);
  return out;
}

Octets encode_body(const NaiveUpdate& update, bool four_octet_as, wire::FamilySet add_path) {
  Octets attributes;
  auto unreach = update.end_of_rib ? update.end_of_rib : update.unreach;
  if (unreach) {
    Octets value;
    put_afi_safi(value, *unreach);
    for (const PathKey& prefix : update.withdrawn) {
      if (add_path.contains(*unreach)) put32(value, prefix.path_id);
      put_vpn(value, prefix, {update.withdraw_label});
    }
    for (const wire::RtMembership& m : update.withdrawn_rtc) put_rtc(value, m);
    put_attribute(attributes, kOptional, 15, value);
  }
  if (update.reach) {
    const PathAttributes& a = update.attributes;
    Octets value;
    put_afi_safi(value, *update.reach);
    value.push_back(static_cast<std::uint8_t>(a.next_hop.size()));
    append(value, a.next_hop);
    value.push_back(0);
    for (const LabelledPrefix& entry : update.announced) {
      if (add_path.contains(*update.reach)) put32(value, entry.prefix.path_id);
      put_vpn(value, entry.prefix, entry.labels);
    }
    for (const wire::RtMembership& m : update.announced_rtc) put_rtc(value, m);
    put_attribute(attributes, kOptional, 14, value);

    std::map<std::uint8_t, RawAttribute> sorted;
    auto add = [&](std::uint8_t type, std::uint8_t flags, Octets octets) { sorted[type] = {type, flags, std::move(octets)}; };
    auto number = [](std::uint32_t v) { Octets o; put32(o, v); return o; };
    add(1, kTransitive, {update.broken_origin.value_or(a.origin)});
    add(2, kTransitive, as_path_value(a.as_path, four_octet_as));
    if (!four_octet_as && has_large_as(a.as_path)) add(17, kOptional | kTransitive, as_path_value(a.as_path, true));
    if (a.med) add(4, kOptional, number(*a.med));
    if (a.local_pref) add(5, kTransitive, number(*a.local_pref));
    if (a.originator_id) add(9, kOptional, number(*a.originator_id));
    Octets list;
    for (std::uint32_t c : a.communities) put32(list, c);
    if (!list.empty()) add(8, kOptional | kTransitive, list);
    list.clear();
    for (std::uint32_t c : a.cluster_list) put32(list, c);
    if (!list.empty()) add(10, kOptional, list);
    list.clear();
    for (std::uint64_t c : a.extended_communities) put64(list, c);
    if (!list.empty()) add(16, kOptional | kTransitive, list);
    for (const RawAttribute& other : a.others) sorted[other.type] = other;
    for (auto& [type, attribute] : sorted) put_attribute(attributes, attribute.flags, type, attribute.value);
  }
  Octets body;
  put16(body, 0);
  put16(body, static_cast<std::uint32_t>(attributes.size()));
  append(body, attributes);
  return body;
}

NaiveUpdate decode_body(Bytes body, bool four_octet_as, bool external, wire::FamilySet add_path) {
  Decoder decoder{.out = {}, .four_octet_as = four_octet_as, .external = external, .add_path = add_path};
  decoder.message(body);
  return decoder.out;
}

Octets with_header(std::uint8_t type, const Octets& body) {
  Octets out(16, 0xff);
  put16(out, static_cast<std::uint32_t>(body.size() + 19));
  out.push_back(type);
  append(out, body);
  return out;
}

Octets bare_next_hop(const wire::IpAddress& address) {
  Bytes view = address.view();
  return Octets(view.begin(), view.end());
}

Octets vpn_next_hop(const wire::IpAddress& address) {
  Octets out(8, 0);
  append(out, bare_next_hop(address));
  return out;
}

}  // namespace helio::test

#include "bench/pe/lib/stream.hpp"

#include <algorithm>

namespace helio::pe {
namespace {

constexpr std::size_t kHeader = 19;
constexpr std::size_t kMaxMessage = 4096;

std::size_t begin(ByteVector& out, std::uint8_t type) {
  std::size_t start = out.size();
  ByteWriter w(out);
  w.fill(16, 0xff);
  w.u16(0);
  w.u8(type);
  return start;
}

void end(ByteVector& out, std::size_t start) {
  store_be16(out.data() + start + 16, static_cast<std::uint16_t>(out.size() - start));
}

// ORIGIN IGP, empty AS_PATH, [MED], LOCAL_PREF 100: what every iBGP route carries before its own attributes.
void append_base_attributes(ByteWriter& w, std::uint32_t med) {
  w.u8(0x40), w.u8(1), w.u8(1), w.u8(0);
  w.u8(0x40), w.u8(2), w.u8(0);
  if (med != 0) w.u8(0x80), w.u8(4), w.u8(4), w.u32(med);
  w.u8(0x40), w.u8(5), w.u8(4), w.u32(100);
}

struct SliceOf {
  std::uint32_t vrf, cycle, group;
  std::uint64_t rd;
  std::uint32_t offset;
};

SliceOf slice_of(const Plan& plan, std::uint32_t pe, std::uint32_t position) {
  SliceOf s{};
  s.vrf = plan.vrf_at(pe, position, s.cycle);
  s.group = plan.group_of_cycle(s.cycle);
  s.rd = plan.rd(s.vrf, s.group);
  s.offset = plan.prefix_offset(s.vrf, s.group);
  return s;
}

void append_nlri(ByteWriter& w, const Plan& plan, const SliceOf& s, std::uint32_t index,
                 std::uint32_t label_field) {
  if (index < plan.v4_routes_per_slice()) {
    Prefix4 p = plan.prefixes().at(s.offset + index);
    w.u8(static_cast<std::uint8_t>(88 + p.length));
    w.u24(label_field);
    w.u64(s.rd);
    std::uint8_t address[4];
    store_be32(address, p.address);
    w.bytes(Bytes(address, (p.length + 7u) / 8));
  } else {
    w.u8(88 + 64);
    w.u24(label_field);
    w.u64(s.rd);
    w.u64(PrefixPlan::kFirstV6 + s.offset + index - plan.v4_routes_per_slice());
  }
}

std::size_t nlri_size(const Plan& plan, const SliceOf& s, std::uint32_t index) {
  if (index >= plan.v4_routes_per_slice()) return 1 + 3 + 8 + 8;
  return 1 + 3 + 8 + (plan.prefixes().at(s.offset + index).length + 7u) / 8;
}

// Routes of one family and attribute set: index, index+step, ... below `stop` of the slice at hand, then the
// same of the next `more` VRFs of the PE, `stride` positions apart, which export the same route target.
struct Cursor {
  SliceOf slice;
  std::uint32_t first, stop, step;
  std::uint32_t position = 0, stride = 0, more = 0;
  std::uint32_t index = first;

  bool is_done() const { return index >= stop; }
  void advance(const Plan& plan, std::uint32_t pe) {
    index += step;
    if (index < stop || more == 0) return;
    --more;
    position += stride;
    slice = slice_of(plan, pe, position);
    index = first;
  }
};

void append_run(ByteVector& out, const Plan& plan, std::uint32_t pe, Cursor at, std::uint32_t variant,
                const Announcement& how) {
  const PlanOptions& o = plan.options();
  const SliceOf s = at.slice;  // for what all routes share
  bool v6 = at.index >= plan.v4_routes_per_slice();
  ByteWriter w(out);
  while (!at.is_done()) {
    std::size_t start = begin(out, 2);
    w.u16(0);
    std::size_t attributes_at = out.size();
    w.u16(0);
    append_base_attributes(w, how.med);
    if (o.attrs_per_vrf > 1) w.u8(0xc0), w.u8(8), w.u8(4), w.u32(variant_community(variant));
    w.u8(0x90), w.u8(14);
    std::size_t reach_at = out.size();
    w.u16(0);
    w.u16(v6 ? 2 : 1), w.u8(128);
    if (v6) {  // RFC 4659 §3.2.1.2: an IPv4 next hop as IPv4-mapped address, RD 0
      w.u8(24), w.u64(0), w.u64(0), w.u32(0x0000ffff), w.u32(plan.next_hop(pe));
    } else {
      w.u8(12), w.u64(0), w.u32(plan.next_hop(pe));
    }
    w.u8(0);
    std::size_t tail = 3 + 8u * o.rts_per_route;
    std::uint32_t packed = 0;
    while (!at.is_done() && (how.pack == 0 || packed < how.pack) &&
           out.size() - start + nlri_size(plan, at.slice, at.index) + tail <= kMaxMessage) {
      append_nlri(w, plan, at.slice, at.index, plan.label(at.slice.vrf, pe, at.index) << 4 | 1);
      at.advance(plan, pe);
      ++packed;
    }
    w.patch_u16(reach_at, static_cast<std::uint16_t>(out.size() - reach_at - 2));
    w.u8(0xc0), w.u8(16), w.u8(static_cast<std::uint8_t>(8 * o.rts_per_route));
    w.u64(plan.export_rt(s.vrf, s.cycle));
    for (std::uint32_t n = 1; n < o.rts_per_route; ++n) w.u64(plan.idle_rt(s.vrf, n));
    w.patch_u16(attributes_at, static_cast<std::uint16_t>(out.size() - attributes_at - 2));
    end(out, start);
  }
}

}  // namespace

void append_open(ByteVector& out, const OpenOptions& o) {
  ByteVector capabilities;
  ByteWriter c(capabilities);
  auto multiprotocol = [&](std::uint16_t afi, std::uint8_t safi) {
    c.u8(1), c.u8(4), c.u16(afi), c.u8(0), c.u8(safi);
  };
  if (o.vpnv4) multiprotocol(1, 128);
  if (o.vpnv6) multiprotocol(2, 128);
  if (o.rtc) multiprotocol(1, 132);
  if (o.add_path && (o.vpnv4 || o.vpnv6)) {
    constexpr std::uint8_t kReceive = 1;
    c.u8(69), c.u8(static_cast<std::uint8_t>(4 * (o.vpnv4 + o.vpnv6)));
    if (o.vpnv4) c.u16(1), c.u8(128), c.u8(kReceive);
    if (o.vpnv6) c.u16(2), c.u8(128), c.u8(kReceive);
  }
  c.u8(2), c.u8(0);                 // route refresh, RFC 2918
  c.u8(65), c.u8(4), c.u32(o.asn);  // 4-octet AS, RFC 6793
  std::size_t start = begin(out, 1);
  ByteWriter w(out);
  w.u8(4);
  w.u16(o.asn > 65535 ? 23456 : static_cast<std::uint16_t>(o.asn));
  w.u16(o.hold_time);
  w.u32(o.router_id);
  w.u8(static_cast<std::uint8_t>(capabilities.size() + 2));
  w.u8(2), w.u8(static_cast<std::uint8_t>(capabilities.size()));
  w.bytes(capabilities);
  end(out, start);
}

bool offers_paths(Bytes open, std::uint16_t afi, std::uint8_t safi) {
  constexpr std::uint8_t kSend = 2;  // 3 = both
  ByteReader r(open);
  r.take(9);  // version, AS, hold time, identifier
  std::size_t size = r.u8();
  ByteReader ahead = r;
  bool is_extended = size != 0 && ahead.u8() == 255;  // RFC 9072 §2
  if (is_extended) r.u8(), size = r.u16();
  ByteReader parameters(r.take(size));
  while (r.ok() && parameters.ok() && !parameters.empty()) {
    std::uint8_t type = parameters.u8();
    ByteReader capabilities(parameters.take(is_extended ? parameters.u16() : parameters.u8()));
    while (type == 2 && capabilities.ok() && !capabilities.empty()) {
      std::uint8_t code = capabilities.u8();
      ByteReader value(capabilities.take(capabilities.u8()));
      while (code == 69 && value.ok() && !value.empty()) {
        bool is_family = value.u16() == afi;
        is_family &= value.u8() == safi;
        bool sends = (value.u8() & kSend) != 0;
        if (is_family && sends && value.ok()) return true;
      }
    }
  }
  return false;
}

void append_keepalive(ByteVector& out) { end(out, begin(out, 4)); }

void append_end_of_rib(ByteVector& out, std::uint16_t afi, std::uint8_t safi) {
  std::size_t start = begin(out, 2);
  ByteWriter w(out);
  w.u16(0), w.u16(6);
  w.u8(0x80), w.u8(15), w.u8(3), w.u16(afi), w.u8(safi);
  end(out, start);
}

void append_route_refresh(ByteVector& out, std::uint16_t afi, std::uint8_t safi) {
  std::size_t start = begin(out, 5);
  ByteWriter w(out);
  w.u16(afi), w.u8(0), w.u8(safi);
  end(out, start);
}

void append_cease(ByteVector& out, std::uint8_t subcode) {
  std::size_t start = begin(out, 3);
  ByteWriter w(out);
  w.u8(6), w.u8(subcode);
  end(out, start);
}

void append_routes(ByteVector& out, const Plan& plan, std::uint32_t pe, const RouteRange& range,
                   const Announcement& how) {
  SliceOf s = slice_of(plan, pe, range.position);
  std::uint32_t stop = range.first + range.count, v4 = plan.v4_routes_per_slice();
  std::uint32_t step = plan.options().attrs_per_vrf;
  for (std::uint32_t variant = 0; variant < step; ++variant) {
    // The first index of this variant at or after `from`.
    auto first = [&](std::uint32_t from) { return from + (variant + step - from % step) % step; };
    append_run(out, plan, pe, {s, first(range.first), std::min(stop, v4), step}, variant, how);
    if (stop > v4) append_run(out, plan, pe, {s, first(std::max(range.first, v4)), stop, step}, variant, how);
  }
}

void append_withdrawals(ByteVector& out, const Plan& plan, std::uint32_t pe, const RouteRange& range,
                        std::uint32_t pack) {
  SliceOf s = slice_of(plan, pe, range.position);
  std::uint32_t index = range.first, stop = range.first + range.count, v4 = plan.v4_routes_per_slice();
  ByteWriter w(out);
  while (index < stop) {
    bool v6 = index >= v4;
    std::uint32_t family_stop = v6 ? stop : std::min(stop, v4);
    std::size_t start = begin(out, 2);
    w.u16(0);
    std::size_t attributes_at = out.size();
    w.u16(0);
    w.u8(0x90), w.u8(15);
    std::size_t unreach_at = out.size();
    w.u16(0);
    w.u16(v6 ? 2 : 1), w.u8(128);
    std::uint32_t packed = 0;
    while (index < family_stop && (pack == 0 || packed < pack) &&
           out.size() - start + nlri_size(plan, s, index) <= kMaxMessage) {
      append_nlri(w, plan, s, index, 0x800000);  // RFC 8277 §2.4
      ++index;
      ++packed;
    }
    w.patch_u16(unreach_at, static_cast<std::uint16_t>(out.size() - unreach_at - 2));
    w.patch_u16(attributes_at, static_cast<std::uint16_t>(out.size() - attributes_at - 2));
    end(out, start);
  }
}

ByteVector build_routes(const Plan& plan, std::uint32_t pe, const Announcement& how,
                        std::vector<std::size_t>* slice_ends) {
  ByteVector out;
  if (!plan.announces(pe)) return out;
  std::uint64_t routes = std::uint64_t{plan.options().vrfs_per_pe} * plan.routes_per_slice();
  out.reserve(routes * 16 + routes / 200 * 80 + plan.options().vrfs_per_pe * 90ull + 4096);
  const PlanOptions& o = plan.options();
  if (o.vpns < o.vrfs && o.vrfs_per_pe == o.vrfs && o.attrs_per_vrf == 1 && !plan.has_v6()) {
    // A PE with all VRFs in order: every vpns-th has the same route target, and a PE packs by attributes, not
    // by RD.
    for (std::uint32_t rt = 0; rt < o.vpns; ++rt) {
      std::uint32_t more = (o.vrfs - 1 - rt) / o.vpns;
      append_run(out, plan, pe, {slice_of(plan, pe, rt), 0, plan.routes_per_slice(), 1, rt, o.vpns, more}, 0,
                 how);
    }
    if (slice_ends != nullptr) slice_ends->assign(o.vrfs_per_pe, out.size());
    return out;
  }
  for (std::uint32_t k = 0; k < o.vrfs_per_pe; ++k) {
    append_routes(out, plan, pe, {k, 0, plan.routes_per_slice()}, how);
    if (slice_ends != nullptr) slice_ends->push_back(out.size());
  }
  return out;
}

void append_memberships(ByteVector& out, const Plan& plan, std::uint32_t pe,
                        const std::vector<std::uint64_t>& rts, bool announce) {
  constexpr std::size_t kNlri = 13;
  std::size_t at = 0;
  ByteWriter w(out);
  while (at < rts.size()) {
    std::size_t start = begin(out, 2);
    w.u16(0);
    std::size_t attributes_at = out.size();
    w.u16(0);
    if (announce) append_base_attributes(w, 0);
    w.u8(0x90), w.u8(announce ? 14 : 15);
    std::size_t body_at = out.size();
    w.u16(0);
    w.u16(1), w.u8(132);
    if (announce) w.u8(4), w.u32(plan.address(pe)), w.u8(0);
    while (at < rts.size() && out.size() - start + kNlri <= kMaxMessage) {
      w.u8(96), w.u32(plan.options().asn), w.u64(rts[at++]);
    }
    w.patch_u16(body_at, static_cast<std::uint16_t>(out.size() - body_at - 2));
    w.patch_u16(attributes_at, static_cast<std::uint16_t>(out.size() - attributes_at - 2));
    end(out, start);
  }
}

void append_default_membership(ByteVector& out, const Plan& plan, std::uint32_t pe) {
  std::size_t start = begin(out, 2);
  ByteWriter w(out);
  w.u16(0);
  std::size_t attributes_at = out.size();
  w.u16(0);
  append_base_attributes(w, 0);
  w.u8(0x80), w.u8(14), w.u8(10), w.u16(1), w.u8(132), w.u8(4), w.u32(plan.address(pe)), w.u8(0);
  w.u8(0);
  w.patch_u16(attributes_at, static_cast<std::uint16_t>(out.size() - attributes_at - 2));
  end(out, start);
}

}  // namespace helio::pe

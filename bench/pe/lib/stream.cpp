#include "bench/pe/lib/stream.hpp"

#include <algorithm>

namespace helio::pe {
namespace {

using synthetic::append_base_attributes;
using synthetic::begin_message;
using synthetic::end_message;
using synthetic::kMaxMessage;
using synthetic::MessageType;

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
    std::size_t start = begin_message(out, MessageType::update);
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
    end_message(out, start);
  }
}

}  // namespace

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
    std::size_t start = begin_message(out, MessageType::update);
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
    end_message(out, start);
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
  synthetic::append_memberships(out, {plan.options().asn, plan.address(pe)}, rts, announce);
}

void append_default_membership(ByteVector& out, const Plan& plan, std::uint32_t pe) {
  synthetic::append_default_membership(out, {plan.options().asn, plan.address(pe)});
}

}  // namespace helio::pe

// The checker's own UPDATE decoder and the comparison of every received route with the plan.
#include <fmt/format.h>

#include <algorithm>

#include "bench/pe/lib/checker.hpp"
#include "bench/pe/lib/stream.hpp"
#include "bench/synthetic/updates.hpp"

namespace helio::pe {

bool Checker::parse_attributes(Bytes body, Attributes& a) {
  const std::uint8_t* p = body.data();
  if (body.size() < 4 || load_be16(p) != 0) return false;  // no IPv4 unicast was negotiated
  if (load_be16(p + 2) + 4u != body.size()) return false;
  return synthetic::each_attribute(body.subspan(4), [&a](std::uint8_t type, Bytes value) {
    const std::uint8_t* v = value.data();
    switch (type) {
      case 1:
        if (value.size() != 1) return false;
        a.origin = v[0];
        return true;
      case 2:
        a.has_empty_as_path = value.empty();
        return true;
      case 4:
        if (value.size() != 4) return false;
        a.med = load_be32(v);
        return true;
      case 5:
        if (value.size() != 4) return false;
        a.local_pref = load_be32(v);
        return true;
      case 8:
        if (value.size() == 4) a.community = load_be32(v);
        return true;
      case 9:
        if (value.size() != 4) return false;
        a.originator = load_be32(v);
        return true;
      case 10:
        a.cluster_list = value;
        return true;
      case 14:
        a.has_reach = true;
        a.reach = value;
        return true;
      case 15:
        a.has_unreach = true;
        a.unreach = value;
        return true;
      case 16:
        a.route_targets = value;
        return true;
      default:
        ++a.others;
        return true;
    }
  });
}

void Checker::on_update(std::uint32_t pe, Bytes body) {
  Counters& counters = *peers_[pe].counters;
  ++counters.updates;
  Attributes a;
  if (!parse_attributes(body, a)) {
    ++counters.malformed;
    return note(pe, "malformed UPDATE", 0, fmt::format("{} octets", body.size()));
  }
  if (a.has_unreach) on_unreach(pe, a);
  if (a.has_reach) on_reach(pe, a);
  if (!a.has_unreach && !a.has_reach) ++(body.size() == 4 ? counters.end_of_ribs : counters.malformed);
}

void Checker::on_reach(std::uint32_t pe, const Attributes& received) {
  Counters& counters = *peers_[pe].counters;
  Attributes a = received;
  ByteReader r(a.reach);
  std::uint16_t afi = r.u16();
  std::uint8_t safi = r.u8();
  Bytes next_hop = r.take(r.u8());
  r.u8();
  Bytes nlris = r.rest();
  if (!r.ok()) {
    ++counters.malformed;
    return note(pe, "malformed MP_REACH_NLRI", 0, "");
  }
  if (safi == 132) return on_memberships(pe, a, nlris, true);
  // 12 octets: RD 0 and the IPv4 address; 24: RD 0 and (for our PEs) an IPv4-mapped address.
  static constexpr std::uint8_t kMapped[20] = {0, 0, 0, 0, 0, 0, 0, 0, 0,    0,
                                               0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (next_hop.size() == 12 && load_be64(next_hop.data()) == 0) a.next_hop = load_be32(next_hop.data() + 8);
  if (next_hop.size() == 24 && std::equal(kMapped, kMapped + 20, next_hop.data())) {
    a.next_hop = load_be32(next_hop.data() + 20);
  }
  if (afi == 1 && safi == 128) {
    if (is_simple_ && !has_versions_) return reach_v4<true>(pe, a, nlris);
    return reach_v4<false>(pe, a, nlris);
  }
  if (afi == 2 && safi == 128) return reach_v6(pe, a, nlris);
  ++counters.malformed;
  note(pe, "family not negotiated", 0, fmt::format("{}/{}", afi, safi));
}

const char* Checker::attribute_problem(const Attributes& a, const Run& run, std::uint32_t cycle) const {
  const PlanOptions& o = plan_.options();
  if (a.originator != plan_.address(run.owner)) return "ORIGINATOR_ID";
  if (a.next_hop != plan_.next_hop(run.owner)) return "next hop";
  if (a.cluster_list.size() != 4 || load_be32(a.cluster_list.data()) != cluster_id_) return "CLUSTER_LIST";
  if (a.origin != 0 || !a.has_empty_as_path || a.local_pref != 100) return "ORIGIN, AS_PATH or LOCAL_PREF";
  if (a.others != 0) return "attribute that was not announced";
  if (a.route_targets.size() != 8u * o.rts_per_route) return "number of route targets";
  std::uint64_t first = plan_.export_rt(run.vrf, cycle);
  if (o.rts_per_route == 1) return load_be64(a.route_targets.data()) == first ? nullptr : "route target";
  for (std::uint32_t n = 0; n < o.rts_per_route; ++n) {  // in any order
    std::uint64_t wanted = n == 0 ? first : plan_.idle_rt(run.vrf, n);
    bool found = false;
    for (std::size_t at = 0; at < a.route_targets.size(); at += 8)
      found |= load_be64(a.route_targets.data() + at) == wanted;
    if (!found) return "route targets";
  }
  return nullptr;
}

// `n` is the number of the prefix in its space; it tells the group when owners share an RD.
void Checker::open_run(std::uint32_t pe, const Attributes& a, std::uint64_t raw_rd, std::uint32_t n,
                       Run& run) {
  const PlanOptions& o = plan_.options();
  run = Run{.raw_rd = raw_rd, .is_open = true, .is_unexpected = true};
  if (!plan_.decode_rd(__builtin_bswap64(raw_rd), run.vrf, run.group)) {
    run.problem = "unknown RD";
    run.is_canary = static_cast<std::uint32_t>(__builtin_bswap64(raw_rd)) > kCanaryBase;
    return;
  }
  if (o.rd_mode == RdMode::per_vrf) run.group = std::min(n / plan_.routes_per_slice(), plan_.groups() - 1);
  run.first = plan_.prefix_offset(run.vrf, run.group);
  // The owner announced it: of several owners the one that ORIGINATOR_ID names.
  const std::uint32_t first_cycle = run.group * o.multihoming;
  std::uint32_t cycle = first_cycle, best_cycle = 0;
  run.owner = plan_.owner(run.vrf, cycle);
  for (std::uint32_t c = first_cycle + 1; c < first_cycle + o.multihoming; ++c) {
    std::uint32_t pe_of_cycle = plan_.owner(run.vrf, c);
    if (pe_of_cycle != Plan::kNone && plan_.address(pe_of_cycle) == a.originator)
      run.owner = pe_of_cycle, cycle = c;
  }
  if (run.owner == Plan::kNone || !plan_.announces(run.owner)) {
    run.problem = "route that nobody announced";
    return;
  }
  if (run.owner == pe) {
    run.problem = "the PE's own route came back";
    run.is_echo = is_lenient_ && a.originator == plan_.address(pe);
    return;
  }
  std::uint32_t position = plan_.import_position(pe, run.vrf, cycle);
  if (position == Plan::kNone) {
    run.problem = "route target that the PE did not ask for";
    return;
  }
  run.is_unexpected = false;
  if (std::uint32_t none = 0; cluster_id_ == 0 && a.cluster_list.size() == 4)
    cluster_id_.compare_exchange_strong(none, load_be32(a.cluster_list.data()));
  run.problem = attribute_problem(a, run, cycle);
  if (has_add_path_)
    run.is_other = !expects_lane(pe, run.vrf, cycle);
  else if (o.multihoming > 1)
    run.is_other = best_owner(run.vrf, run.group, best_cycle) != run.owner;
  run.position = position;
  run.first_bit = bit_of(position, lane_of(run.group, cycle), 0);
  run.raw_head = __builtin_bswap32(112u << 24 | plan_.label(run.vrf, run.owner, 0) << 4 | 1);
}

bool Checker::claim_path_id(Peer& peer, const Run& run, std::uint32_t index, std::uint32_t path_id) {
  auto is_there = [&](std::uint64_t bit) {
    return ((peer.held[bit >> 6] | (peer.other.empty() ? 0 : peer.other[bit >> 6])) >> (bit & 63) & 1) != 0;
  };
  std::uint64_t own = run.first_bit + index;
  if (is_there(own)) return peer.path_ids[own] == path_id;
  // RFC 7911 §3: an announcement replaces what was announced with the same prefix and path id.
  std::uint32_t owners = plan_.options().multihoming;
  for (std::uint32_t lane = run.group * owners; lane < (run.group + 1) * owners; ++lane) {
    std::uint64_t bit = bit_of(run.position, lane, index), mask = 1ull << (bit & 63);
    if (bit == own || !is_there(bit) || peer.path_ids[bit] != path_id) continue;
    if (peer.held[bit >> 6] & mask) peer.held[bit >> 6] &= ~mask, --peer.held_count;
    if (peer.other[bit >> 6] & mask) peer.other[bit >> 6] &= ~mask, --peer.other_count;
  }
  peer.path_ids[own] = path_id;
  return true;
}

void Checker::reach_one(std::uint32_t pe, const Attributes& a, const Run& run, std::uint32_t index,
                        std::uint32_t label_field, std::uint32_t path_id) {
  const PlanOptions& o = plan_.options();
  Counters& counters = *peers_[pe].counters;
  if (run.is_echo) {
    ++counters.echoes, --counters.reached;
    return;
  }
  if (run.problem != nullptr) {
    ++(run.is_unexpected ? counters.unexpected : counters.wrong);
    return note_route(pe, run.problem, run, index);
  }
  if (((label_field ^ (plan_.label(run.vrf, run.owner, index) << 4 | 1)) & (is_lenient_ ? ~0xeu : ~0u)) !=
      0) {
    ++counters.wrong;
    if (samples_are_full_) return;
    return note_route(pe,
                      fmt::format("label {:#08x} instead of {:#08x}", label_field,
                                  plan_.label(run.vrf, run.owner, index) << 4 | 1),
                      run, index);
  }
  if (o.attrs_per_vrf > 1 && a.community != variant_community(index % o.attrs_per_vrf)) {
    ++counters.wrong;
    return note_route(pe, "attribute set", run, index);
  }
  if (a.med != 0 && !has_versions_) {
    ++counters.wrong;
    return note_route(pe, "MED", run, index);
  }
  Peer& peer = peers_[pe];
  if (has_add_path_ && !claim_path_id(peer, run, index, path_id)) {
    ++counters.wrong;
    return note_route(pe, "the same path under two path ids", run, index);
  }
  std::uint64_t bit = run.first_bit + index, mask = 1ull << (bit & 63);
  std::uint64_t& held = peer.held[bit >> 6];
  if (run.is_other) {
    std::uint64_t& other = peer.other[bit >> 6];
    if (other & mask)
      ++counters.duplicates;
    else
      other |= mask, ++peer.other_count;
    if (held & mask) held &= ~mask, --peer.held_count;
    return;
  }
  if (!peer.other.empty() && peer.other[bit >> 6] & mask) peer.other[bit >> 6] &= ~mask, --peer.other_count;
  if (held & mask) {
    bool is_news = a.med != 0 && observer_ != nullptr &&
                   observer_->on_version(pe, route_id(run.vrf, run.group, index), a.med);
    counters.duplicates += !is_news;
  } else {
    held |= mask;
    ++peer.held_count;
    if (a.med != 0 && observer_ != nullptr)
      observer_->on_version(pe, route_id(run.vrf, run.group, index), a.med);
  }
}

template <bool kSimple>
void Checker::reach_v4(std::uint32_t pe, const Attributes& a, Bytes nlris) {
  const std::uint8_t* p = nlris.data();
  const std::uint8_t* stop = p + nlris.size();
  Peer& peer = peers_[pe];
  Counters& counters = *peer.counters;
  const std::uint32_t routes = plan_.v4_routes_per_slice();
  Run run;
  while (p < stop) {
    if constexpr (kSimple) {
      // Why: this loop is where a delivered route costs its time. One slice, /24s, one label: two compares
      // and a bit.
      if (run.is_open && run.problem == nullptr && a.med == 0) {
        const std::uint32_t first = PrefixPlan::kFirst24 + run.first;
        std::uint64_t fresh = 0, seen = 0;
        while (stop - p >= 15) {
          std::uint32_t head;
          std::uint64_t rd;
          std::memcpy(&head, p, 4);
          std::memcpy(&rd, p + 4, 8);
          if (head != run.raw_head || rd != run.raw_rd) break;
          std::uint32_t index = load_be24(p + 12) - first;
          if (index >= routes) break;
          std::uint64_t bit = run.first_bit + index, mask = 1ull << (bit & 63);
          std::uint64_t& held = peer.held[bit >> 6];
          fresh += (held & mask) == 0;
          held |= mask;
          ++seen;
          p += 15;
        }
        peer.held_count += fresh;
        counters.duplicates += seen - fresh;
        counters.reached += seen;
        if (p == stop) return;
      }
    }
    std::uint32_t path_id = 0;
    if (has_add_path_) {
      if (stop - p < 5) {
        ++counters.malformed;
        return note(pe, "malformed VPNv4 NLRI", 0, "path id cut off");
      }
      path_id = load_be32(p);
      p += 4;
    }
    std::size_t left = static_cast<std::size_t>(stop - p);
    unsigned bits = p[0];
    std::size_t size = 1 + (bits + 7) / 8;
    if (bits < 88 || bits > 120 || left < size || (p[3] & 1) == 0) {
      ++counters.malformed;
      return note(pe, "malformed VPNv4 NLRI", 0, fmt::format("{} bits, {} octets left", bits, left));
    }
    ++counters.reached;
    std::uint64_t rd;
    std::memcpy(&rd, p + 4, 8);
    std::uint8_t address[4] = {};
    std::memcpy(address, p + 12, size - 12);
    std::uint32_t n = plan_.prefixes().index_of(load_be32(address), static_cast<std::uint8_t>(bits - 88));
    std::uint32_t label_field = load_be24(p + 1);
    p += size;
    if (!run.is_open || run.raw_rd != rd || (n != PrefixPlan::kNone && n - run.first >= routes)) {
      open_run(pe, a, rd, n, run);
    }
    if (run.is_canary) {
      ++counters.canaries, --counters.reached;
      continue;
    }
    std::uint32_t index = n - run.first;
    if (n == PrefixPlan::kNone || index >= routes) {
      ++counters.unexpected;
      note(pe, run.problem != nullptr ? run.problem : "no such prefix", __builtin_bswap64(rd),
           fmt::format("{}/{}", wire::format_ip(wire::IpAddress::v4(load_be32(address))), bits - 88));
      continue;
    }
    reach_one(pe, a, run, index, label_field, path_id);
  }
}

void Checker::reach_v6(std::uint32_t pe, const Attributes& a, Bytes nlris) {
  Counters& counters = *peers_[pe].counters;
  ByteReader r(nlris);
  const std::uint32_t v4 = plan_.v4_routes_per_slice(), v6 = plan_.routes_per_slice() - v4;
  Run run;
  while (!r.empty()) {
    std::uint32_t path_id = has_add_path_ ? r.u32() : 0;
    std::uint8_t bits = r.u8();
    std::uint32_t label_field = r.u24();
    std::uint64_t rd = __builtin_bswap64(r.u64());
    std::uint64_t address = r.u64();
    if (!r.ok() || bits != 88 + 64) {
      ++counters.malformed;
      return note(pe, "malformed or foreign VPNv6 NLRI", 0, fmt::format("{} bits", bits));
    }
    ++counters.reached;
    std::uint64_t n64 = address - PrefixPlan::kFirstV6;
    std::uint32_t n = n64 < 0x7fffffff ? static_cast<std::uint32_t>(n64) : PrefixPlan::kNone;
    if (!run.is_open || run.raw_rd != rd || n - run.first >= v6) open_run(pe, a, rd, n, run);
    std::uint32_t index = n - run.first;
    if (index >= v6) {
      ++counters.unexpected;
      note(pe, "no such IPv6 prefix", __builtin_bswap64(rd), fmt::format("{:x}::/64", address));
      continue;
    }
    reach_one(pe, a, run, v4 + index, label_field, path_id);
  }
}

void Checker::on_unreach(std::uint32_t pe, const Attributes& a) {
  Counters& counters = *peers_[pe].counters;
  ByteReader r(a.unreach);
  std::uint16_t afi = r.u16();
  std::uint8_t safi = r.u8();
  if (!r.ok()) {
    ++counters.malformed;
    return;
  }
  if (r.empty()) {
    ++counters.end_of_ribs;
    ++peers_[pe].end_of_ribs;
    return;
  }
  if (safi == 132) return on_memberships(pe, a, r.rest(), false);
  while (!r.empty()) {
    std::uint32_t path_id = has_add_path_ ? r.u32() : 0;
    unsigned bits = r.u8();
    r.u24();
    std::uint64_t rd = r.u64();
    unsigned length = bits - 88;
    Bytes address = r.take(bits < 88 ? 0 : (length + 7) / 8);
    if (!r.ok() || bits < 88 || length > (afi == 2 ? 128u : 32u)) {
      ++counters.malformed;
      return note(pe, "malformed MP_UNREACH_NLRI", 0, fmt::format("{} bits", bits));
    }
    if (static_cast<std::uint32_t>(rd) > kCanaryBase && plan_.options().number_base == 0) {
      ++counters.canaries;
      continue;
    }
    ++counters.withdrawn;
    std::uint8_t padded[16] = {};
    std::copy(address.begin(), address.end(), padded);
    if (afi == 2) {
      std::uint64_t n = load_be64(padded) - PrefixPlan::kFirstV6;
      withdraw_one(pe, rd, length == 64 && n < 0x7fffffff ? static_cast<std::uint32_t>(n) : PrefixPlan::kNone,
                   true, path_id);
    } else {
      withdraw_one(pe, rd, plan_.prefixes().index_of(load_be32(padded), static_cast<std::uint8_t>(length)),
                   false, path_id);
    }
  }
}

void Checker::withdraw_one(std::uint32_t pe, std::uint64_t rd, std::uint32_t n, bool is_v6,
                           std::uint32_t path_id) {
  std::uint32_t vrf, group, v4 = plan_.v4_routes_per_slice(), owners = plan_.options().multihoming;
  std::uint32_t routes = is_v6 ? plan_.routes_per_slice() - v4 : v4;
  Peer& peer = peers_[pe];
  bool known = n != PrefixPlan::kNone && plan_.decode_rd(rd, vrf, group);
  if (known && plan_.options().rd_mode == RdMode::per_vrf) {
    group = std::min(n / plan_.routes_per_slice(), plan_.groups() - 1);
  }
  std::uint32_t index = known ? n - plan_.prefix_offset(vrf, group) : 0;
  // Any owner's cycle tells the position; a hub's spokes sit at the same one.
  std::uint32_t position = Plan::kNone;
  for (std::uint32_t c = 0; known && c < owners && position == Plan::kNone; ++c) {
    position = plan_.import_position(pe, vrf, group * owners + c);
  }
  if (!known || index >= routes || position == Plan::kNone) {
    ++peer.counters->unknown_withdrawals;
    return note(pe, "withdrawal of a route it cannot have", rd, "");
  }
  if (is_lenient_ && owners == 1 && plan_.owner(vrf, group) == pe) return;
  index += is_v6 ? v4 : 0;
  for (std::uint32_t lane = lane_of(group, group * owners), stop = lane + (has_add_path_ ? owners : 1);
       lane < stop; ++lane) {
    std::uint64_t bit = bit_of(position, lane, index), mask = 1ull << (bit & 63);
    if (has_add_path_ && peer.path_ids[bit] != path_id) continue;
    if (peer.held[bit >> 6] & mask) {
      peer.held[bit >> 6] &= ~mask;
      --peer.held_count;
      return;
    }
    if (!peer.other.empty() && peer.other[bit >> 6] & mask) {
      peer.other[bit >> 6] &= ~mask;
      --peer.other_count;
      return;
    }
  }
  ++peer.counters->unknown_withdrawals;
  note(pe, "withdrawal of a route it does not have", rd, fmt::format("route {} of the slice", index));
}

void Checker::on_memberships(std::uint32_t pe, const Attributes& a, Bytes nlris, bool announced) {
  Counters& counters = *peers_[pe].counters;
  ByteReader r(nlris);
  while (!r.empty()) {
    unsigned bits = r.u8();
    r.take((bits + 7) / 8);
    if (!r.ok() || (bits != 0 && bits < 32) || bits > 96) {
      ++counters.malformed;
      return note(pe, "malformed RT membership", 0, fmt::format("{} bits", bits));
    }
    ++(announced ? counters.rtc_reached : counters.rtc_withdrawn);
    // RFC 4684 §3.2 i: to a client with the reflector's own ORIGINATOR_ID; what it originates itself has
    // none.
    if (announced && a.originator != 0 && a.originator != reflector_id_) ++counters.rtc_wrong;
  }
}

}  // namespace helio::pe

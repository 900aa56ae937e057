#include "bench/pe/lib/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace helio::pe {
namespace {

std::string prefix_text(const Plan& plan, std::uint32_t first, std::uint32_t index) {
  if (index >= plan.v4_routes_per_slice()) {
    return fmt::format("fd00::{:x}:0:0:0:0/64", first + index - plan.v4_routes_per_slice());
  }
  Prefix4 p = plan.prefixes().at(first + index);
  return fmt::format("{}/{}", wire::format_ip(wire::IpAddress::v4(p.address)), p.length);
}

}  // namespace

Counters& Counters::operator+=(const Counters& other) {
  for (auto field :
       {&Counters::messages, &Counters::updates, &Counters::bytes, &Counters::reached, &Counters::withdrawn,
        &Counters::duplicates, &Counters::unknown_withdrawals, &Counters::unexpected, &Counters::wrong,
        &Counters::malformed, &Counters::rtc_reached, &Counters::rtc_withdrawn, &Counters::rtc_wrong,
        &Counters::end_of_ribs, &Counters::canaries, &Counters::echoes}) {
    this->*field += other.*field;
  }
  return *this;
}

Checker::Checker(const Plan& plan, std::uint32_t threads)
    : plan_(plan),
      paths_(plan.options().add_paths),
      has_add_path_(paths_ > 1),
      lanes_(has_add_path_ ? plan.groups() * plan.options().multihoming : plan.groups()),
      counters_(threads),
      peers_(plan.pes()),
      present_(plan.pes(), true),
      announcing_(plan.pes(), true) {
  const PlanOptions& o = plan.options();
  is_simple_ = plan.prefixes().is_linear() && o.label_mode == LabelMode::per_vrf && o.multihoming == 1 &&
               o.attrs_per_vrf == 1 && o.rd_mode == RdMode::per_pe && !has_add_path_;
  std::uint64_t bits = std::uint64_t{plan.import_positions()} * lanes_ * plan.routes_per_slice();
  for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) {
    Peer& peer = peers_[pe];
    peer.counters = &counters_[pe % threads];
    peer.held.assign((bits + 63) / 64, 0);
    if (o.multihoming > 1) peer.other.assign((bits + 63) / 64, 0);
    if (has_add_path_) peer.path_ids.assign(bits, 0);
  }
  refresh_targets();
}

Counters Checker::counters() const {
  Counters sum;
  for (const Counters& c : counters_) sum += c;
  return sum;
}

std::uint32_t Checker::best_owner(std::uint32_t vrf, std::uint32_t group, std::uint32_t& cycle) const {
  std::uint32_t owners = plan_.options().multihoming;
  // All owners announce equal attributes: the lowest ORIGINATOR_ID wins (RFC 4456 §9), which is the lowest
  // PE.
  for (std::uint32_t c = group * owners; c < (group + 1) * owners; ++c) {
    std::uint32_t pe = plan_.owner(vrf, c);
    if (pe != Plan::kNone && announces(pe)) {
      cycle = c;
      return pe;
    }
  }
  return Plan::kNone;
}

bool Checker::expects_lane(std::uint32_t pe, std::uint32_t vrf, std::uint32_t lane) const {
  if (!has_add_path_) {
    std::uint32_t cycle = 0;
    std::uint32_t best = best_owner(vrf, lane, cycle);
    return best != Plan::kNone && best != pe && plan_.imports(pe, vrf, cycle);
  }
  std::uint32_t owner = plan_.owner(vrf, lane);
  if (owner == Plan::kNone || owner == pe || !announces(owner) || !plan_.imports(pe, vrf, lane)) return false;
  // The best of all in the decision's order (see best_owner); its own is one of them that is not sent.
  std::uint32_t better = 0;
  for (std::uint32_t c = plan_.group_of_cycle(lane) * plan_.options().multihoming; c < lane; ++c) {
    std::uint32_t other = plan_.owner(vrf, c);
    better += other != Plan::kNone && announces(other);
  }
  return better < paths_;
}

template <class F>
void Checker::for_each_slice(std::uint32_t pe, F&& f) const {
  auto visit = [&](std::uint32_t position, std::uint32_t vrf) {
    bool is_active = peers_[pe].inactive.empty() || !peers_[pe].inactive[position];
    for (std::uint32_t lane = 0; lane < lanes_; ++lane)
      f(position, vrf, lane, is_active && expects_lane(pe, vrf, lane));
  };
  if (plan_.options().rtc != RtcMode::on) {
    for (std::uint32_t vrf = 0; vrf < plan_.vrfs(); ++vrf) visit(vrf, vrf);
    return;
  }
  for (std::uint32_t position = 0; position < plan_.import_positions(); ++position) {
    std::uint32_t vrf = plan_.vrf_of_import(pe, position);
    if (vrf != Plan::kNone) visit(position, vrf);
  }
}

void Checker::refresh_targets() {
  // Everybody gets everything from single owners: no need to visit every slice for every PE.
  if (plan_.options().rtc != RtcMode::on && plan_.options().multihoming == 1) {
    std::uint64_t each = std::uint64_t{plan_.options().vrfs_per_pe} * plan_.routes_per_slice(), total = 0;
    for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) total += announces(pe) ? each : 0;
    for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) {
      peers_[pe].target = present_[pe] ? total - (announces(pe) ? each : 0) : 0;
    }
    return;
  }
  for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) {
    std::uint64_t target = 0;
    if (present_[pe]) {
      for_each_slice(pe,
                     [&](std::uint32_t, std::uint32_t, std::uint32_t, bool expected) { target += expected; });
    }
    peers_[pe].target = target * plan_.routes_per_slice();
  }
  sort_versions();
}

void Checker::move_bits(std::uint64_t first, std::vector<std::uint64_t>& from, std::uint64_t& from_count,
                        std::vector<std::uint64_t>& to, std::uint64_t& to_count) {
  for (std::uint64_t bit = first; bit < first + plan_.routes_per_slice(); ++bit) {
    std::uint64_t mask = 1ull << (bit & 63);
    if ((from[bit >> 6] & mask) == 0) continue;
    from[bit >> 6] &= ~mask, --from_count;
    to[bit >> 6] |= mask, ++to_count;
  }
}

void Checker::sort_versions() {
  if (plan_.options().multihoming == 1) return;
  if (has_add_path_) {
    for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) {
      Peer& peer = peers_[pe];
      if (peer.held_count + peer.other_count == 0) continue;
      for_each_slice(pe, [&](std::uint32_t position, std::uint32_t, std::uint32_t lane, bool expected) {
        std::uint64_t first = bit_of(position, lane, 0);
        if (expected)
          move_bits(first, peer.other, peer.other_count, peer.held, peer.held_count);
        else
          move_bits(first, peer.held, peer.held_count, peer.other, peer.other_count);
      });
    }
    return;
  }
  // What was the best owner's version is another's now, and must be replaced.
  std::vector<std::uint32_t> before = std::move(best_);
  best_.resize(plan_.slices());
  for (std::uint64_t slice = 0; slice < plan_.slices(); ++slice) {
    std::uint32_t cycle;
    best_[slice] = best_owner(static_cast<std::uint32_t>(slice / plan_.groups()),
                              static_cast<std::uint32_t>(slice % plan_.groups()), cycle);
  }
  if (before.empty()) return;
  for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) {
    Peer& peer = peers_[pe];
    if (peer.held_count == 0) continue;
    for_each_slice(pe, [&](std::uint32_t position, std::uint32_t vrf, std::uint32_t lane, bool) {
      std::uint64_t slice = std::uint64_t{vrf} * plan_.groups() + lane;
      if (best_[slice] != before[slice])
        move_bits(bit_of(position, lane, 0), peer.held, peer.held_count, peer.other, peer.other_count);
    });
  }
}

void Checker::set_position_active(std::uint32_t pe, std::uint32_t position, bool active) {
  Peer& peer = peers_[pe];
  if (peer.inactive.empty()) peer.inactive.assign(plan_.import_positions(), false);
  peer.inactive[position] = !active;
}

void Checker::forget(std::uint32_t pe) {
  Peer& peer = peers_[pe];
  std::fill(peer.held.begin(), peer.held.end(), 0);
  std::fill(peer.other.begin(), peer.other.end(), 0);
  peer.held_count = peer.other_count = 0;
}

std::uint64_t Checker::total_target() const {
  std::uint64_t total = 0;
  for (const Peer& peer : peers_) total += peer.target;
  return total;
}

std::uint64_t Checker::memory_bytes() const {
  std::uint64_t total = 0;
  for (const Peer& peer : peers_)
    total += (peer.held.size() + peer.other.size()) * 8 + peer.path_ids.size() * 4;
  return total;
}

Checker::Difference Checker::compare() {
  Difference d;
  for (std::uint32_t pe = 0; pe < plan_.pes(); ++pe) {
    if (!present_[pe]) continue;
    Peer& peer = peers_[pe];
    std::uint64_t missing = 0, surplus = peer.other_count;
    for_each_slice(pe, [&](std::uint32_t position, std::uint32_t vrf, std::uint32_t lane, bool expected) {
      std::uint32_t group = group_of_lane(lane);
      std::uint64_t first = bit_of(position, lane, 0), count = 0;
      for (std::uint64_t b = first, stop = first + plan_.routes_per_slice(); b < stop;) {
        std::uint64_t n = std::min<std::uint64_t>(64 - (b & 63), stop - b);
        std::uint64_t mask = (n == 64 ? ~0ull : (1ull << n) - 1) << (b & 63);
        count += static_cast<std::uint64_t>(std::popcount(peer.held[b >> 6] & mask));
        b += n;
      }
      if (expected && count < plan_.routes_per_slice()) {
        missing += plan_.routes_per_slice() - count;
        note(pe, "missing", plan_.rd(vrf, group),
             fmt::format("{} of {} routes", plan_.routes_per_slice() - count, plan_.routes_per_slice()));
      }
      if (!expected && count > 0) {
        surplus += count;
        note(pe, "not withdrawn", plan_.rd(vrf, group), fmt::format("{} routes", count));
      }
    });
    if (peer.other_count > 0)
      note(pe, "not replaced by the best path", 0, fmt::format("{} routes", peer.other_count));
    d.missing += missing;
    d.surplus += surplus;
    d.pes += missing + surplus != 0;
  }
  return d;
}

void Checker::note(std::uint32_t pe, std::string_view what, std::uint64_t rd, const std::string& prefix) {
  if (samples_are_full_) return;
  std::lock_guard lock(samples_mutex_);
  if (samples_.size() >= kMaxSamples) return;
  samples_.push_back(fmt::format("PE {}: {}: {} {}", wire::format_ip(wire::IpAddress::v4(plan_.address(pe))),
                                 what, rd == 0 ? "" : wire::format_rd({rd}), prefix));
  samples_are_full_ = samples_.size() >= kMaxSamples;
}

void Checker::note_route(std::uint32_t pe, std::string_view what, const Run& run, std::uint32_t index) {
  if (samples_are_full_) return;
  note(pe, what, __builtin_bswap64(run.raw_rd), prefix_text(plan_, run.first, index));
}

}  // namespace helio::pe

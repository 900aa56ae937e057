// The comparisons a simulation makes once nothing moves any more: invariants 1 and 5, End-of-RIB counts.
#include <fmt/format.h>

#include "tests/support/simulation.hpp"

namespace helio::test {

using wire::Family;

void Simulation::check_quiet() {
  settle();
  bool everybody_reads = true;
  for (std::uint32_t i = 0; i < peers_.size() && !has_failed(); ++i) {
    if (!peers_[i].end->is_up()) continue;
    if (peers_[i].is_paused)
      everybody_reads = false;
    else
      compare(i);
  }
  if (!everybody_reads || has_failed()) return;
  if (!world_.evpn) engines_->remember(oracle_);
  for (Peer& peer : peers_) peer.end->clear_refreshes();
  auditor_.settled();
  auditor_.set_tolerant(world_.tiny_limits);
}

void Simulation::compare(std::uint32_t index) {
  const ScriptedPeer& peer = *peers_[index].end;
  PeerId id = world_.peers[index].id;
  auto expected = oracle_.expected_vpn(id);
  compare_paths(index, expected);
  for (const auto& [prefix, route] : expected) {
    if (peer.spec().add_path_send.contains(prefix.is_v6 ? Family::vpnv6 : Family::vpnv4)) continue;
    auto held = peer.vpn().find(prefix);
    if (held == peer.vpn().end()) return fail(fmt::format("peer {} lacks {}\n    expected {}", index, format_key(prefix), format_route(route)));
    if (held->second != route)
      return fail(fmt::format("peer {} has another {}\n    expected {}\n    holds    {}", index, format_key(prefix), format_route(route), format_route(held->second)));
  }
  for (const auto& [prefix, route] : peer.vpn())
    if (!peer.spec().add_path_send.contains(prefix.is_v6 ? Family::vpnv6 : Family::vpnv4) && !expected.contains(prefix)) return fail(fmt::format("peer {} must not hold {}\n    holds    {}", index, format_key(prefix), format_route(route)));
  compare_rtc(index);

  for (Family family : {Family::vpnv4, Family::vpnv6, Family::rtc}) {  // wire 2.7, pitfall 1.7
    unsigned due = peer.spec().has(family) && (family == Family::rtc || !oracle_.holds_back(id)) ? 1 : 0;
    if (peer.end_of_ribs(family) != due)
      return fail(fmt::format("peer {} got {} End-of-RIB of {}, expected {}", index, peer.end_of_ribs(family), wire::family_label(family), due));
  }
  for (const std::string& key : auditor_.missing_after_refresh(peer))  // wire 2.12
    return fail(fmt::format("peer {} was not sent {} again after its route refresh", index, key));
}

// With ADD-PATH the ids are the reflector's choice: the same routes, whatever they are called.
void Simulation::compare_paths(std::uint32_t index, const std::map<PathKey, HeldRoute>& expected) {
  const ScriptedPeer& peer = *peers_[index].end;
  if (peer.spec().add_path_send.empty()) return;
  auto due = without_ids(expected), held = without_ids(peer.vpn());
  for (const auto& [prefix, routes] : held) due[prefix];
  for (const auto& [prefix, routes] : due) {
    if (!peer.spec().add_path_send.contains(prefix.is_v6 ? Family::vpnv6 : Family::vpnv4) || routes == held[prefix]) continue;
    std::string text = fmt::format("peer {} has other paths of {}", index, format_key(prefix));
    for (const HeldRoute& route : routes) text += "\n    expected " + format_route(route);
    for (const HeldRoute& route : held[prefix]) text += "\n    holds    " + format_route(route);
    return fail(text);
  }
}

void Simulation::compare_rtc(std::uint32_t index) {
  const ScriptedPeer& peer = *peers_[index].end;
  PeerId id = world_.peers[index].id;
  auto expected = oracle_.expected_rtc(id);
  for (const auto& [membership, attributes] : expected) {
    auto held = peer.rtc().find(membership);
    std::string name = wire::format_membership(membership);
    if (held == peer.rtc().end()) return fail(fmt::format("peer {} lacks RTC {}\n    expected {}", index, name, format_attributes(attributes)));
    if (held->second != attributes)
      return fail(fmt::format("peer {} has another RTC {}\n    expected {}\n    holds    {}", index, name, format_attributes(attributes), format_attributes(held->second)));
  }
  for (const auto& [membership, attributes] : peer.rtc()) {
    if (membership.is_default() || expected.contains(membership)) continue;
    return fail(fmt::format("peer {} must not hold RTC {}\n    holds    {}", index, wire::format_membership(membership), format_attributes(attributes)));
  }
  auto due = oracle_.expected_default(id);
  auto held = peer.rtc().find(wire::RtMembership{});
  if ((due == Oracle::DefaultRoute::present && held == peer.rtc().end()) || (due == Oracle::DefaultRoute::absent && held != peer.rtc().end()))
    return fail(fmt::format("peer {} {} the default RTC route", index, held == peer.rtc().end() ? "lacks" : "must not hold"));
  if (held == peer.rtc().end()) return;
  // Pitfall 1.20. A self-originated route may or may not name its originator; it can only be the reflector.
  PathAttributes a = held->second;
  if (!peer.spec().is_external() && a.originator_id == world_.reflector.router_id) a.originator_id.reset();
  PathAttributes own;
  own.next_hop = bare_next_hop(peer.spec().local_address);
  if (peer.spec().is_external())
    own.as_path = {{AsSegment::kSequence, {world_.reflector.local_as}}};
  else
    own.local_pref = 100;
  if (a != own) fail(fmt::format("peer {}: default RTC route\n    expected {}\n    holds    {}", index, format_attributes(own), format_attributes(a)));
}

void Simulation::check_empty(bool by_withdrawal) {
  check_quiet();
  if (has_failed()) return;
  if (std::string wrong = engines_->check_past(); !wrong.empty()) return fail("the journal: " + wrong);
  for (std::uint32_t i = 0; i < peers_.size(); ++i)
    if (!peers_[i].end->is_up()) down(i, Ending::taken_down);
  for (std::uint32_t i = 0; i < peers_.size() && by_withdrawal; ++i) {
    resume(i);
    for (const PathKey& prefix : oracle_.prefixes_of(world_.peers[i].id)) {
      NaiveUpdate update;
      update.unreach = prefix.is_v6 ? Family::vpnv6 : Family::vpnv4;
      update.withdrawn = {prefix};
      send(i, update);
    }
    for (const wire::RtMembership& membership : oracle_.rtc_routes_of(world_.peers[i].id)) {
      NaiveUpdate update;
      update.unreach = Family::rtc;
      update.withdrawn_rtc = {membership};
      send(i, update);
    }
  }
  if (by_withdrawal) check_quiet();
  for (std::uint32_t i = 0; i < peers_.size(); ++i) down(i, Ending::taken_down);
  settle();
  if (has_failed()) return;
  if (std::string left = engines_->leftovers(); !left.empty()) fail("memory that is not given back: " + left);
}

}  // namespace helio::test

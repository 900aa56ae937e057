#include "bench/lab/lib/ce.hpp"

namespace helio::lab {

using forwarding::NextHop;

Ce::Uplink& Ce::add_uplink(InterfaceId port, const LinkAddresses& addresses, const AttachmentSpec& attachment, Asn pe_as) {
  auto up = std::make_unique<Uplink>();
  up->port = port;
  up->addresses = addresses;
  up->is_default = attachment.is_uplink && !attachment.has_bgp;
  up->prefixes = attachment.prefixes;
  if (attachment.has_bgp) {
    wire::FamilySet families;
    families.insert(wire::Family::ipv4_unicast);
    families.insert(wire::Family::ipv6_unicast);
    up->session = std::make_unique<SessionEnd>(own_group(spec_.as, addresses.own, pe_as, families), *this);
  }
  uplinks_.push_back(std::move(up));
  return *uplinks_.back();
}

void Ce::set_prefixes(std::size_t uplink, std::vector<Prefix> prefixes) {
  uplinks_[uplink]->prefixes = std::move(prefixes);
  is_changed_ = true;
}

std::optional<wire::Notification> Ce::on_update(SessionEnd& end, Bytes body) {
  auto changes = synthetic::read_update(body, end.negotiated().agreed.add_path_receive);
  if (!changes) return malformed_update();
  is_changed_ = true;
  for (auto& up : uplinks_) {
    if (up->session.get() != &end) continue;
    for (const PathKey& key : changes->withdrawn) up->learned.erase(key);
    for (const auto& [key, path] : changes->announced) {
      if (has_as(path, spec_.as)) up->learned.erase(key);
      else up->learned[key] = path;
    }
  }
  return std::nullopt;
}

void Ce::on_closed(SessionEnd& end) {
  is_changed_ = true;
  for (auto& up : uplinks_) {
    if (up->session.get() != &end) continue;
    up->learned.clear();
    up->sent.clear();
  }
}

void Ce::send(Uplink& up) {
  std::map<Prefix, Path> wanted;
  for (const Prefix& prefix : up.prefixes) {
    Path path;
    path.as_path = {spec_.as};
    path.next_hop = prefix.is_v6 ? up.addresses.own6 : up.addresses.own;
    wanted[prefix] = path;
  }
  std::vector<std::uint8_t> out;
  for (const auto& [prefix, path] : up.sent)
    if (!wanted.contains(prefix)) synthetic::append_withdrawal(out, prefix, false);
  for (const auto& [prefix, path] : wanted)
    if (auto at = up.sent.find(prefix); at == up.sent.end() || at->second != path) synthetic::append_route(out, prefix, path, false, true);
  up.sent = std::move(wanted);
  up.session->send(out);
}

bool Ce::turn() {
  if (!is_changed_) return false;
  is_changed_ = false;
  wishes_ = {};
  auto& routes = wishes_.routes[forwarding::kGlobal];
  std::map<Prefix, std::pair<std::size_t, InterfaceId>> best;
  NextHopSpec by_default{.kind = NextHop::Kind::forward};
  for (auto& up : uplinks_) {
    if (up->session && up->session->is_established()) send(*up);
    if (!router_.ports[up->port].is_up) continue;
    for (const auto& [key, path] : up->learned) {
      auto [at, is_new] = best.try_emplace(key.prefix, path.as_path.size(), up->port);
      if (!is_new && path.as_path.size() < at->second.first) at->second = {path.as_path.size(), up->port};
    }
    forwarding::Way way;
    way.out = up->port;
    if (up->is_default) by_default.ways.push_back(way);
  }
  for (const auto& [prefix, way] : best) {
    forwarding::Way w;
    w.out = way.second;
    routes[prefix] = {.kind = NextHop::Kind::forward, .ways = {w}};
  }
  if (!by_default.ways.empty()) {
    Prefix all;
    routes[all] = by_default;
    all.is_v6 = true;
    routes[all] = by_default;
  }
  for (auto& up : uplinks_)
    for (const IpAddress& own : {up->addresses.own, up->addresses.own6}) routes[host_prefix(own)] = {.kind = NextHop::Kind::deliver};
  for (const Prefix& prefix : spec_.prefixes) routes[prefix] = {.kind = NextHop::Kind::deliver};
  return true;
}

}  // namespace helio::lab

// Reflector::legacy_peers: peers without RT-Constrain beside what they export. A PE mostly imports what it exports, so the
// comparison tells where its membership may be too wide or too narrow (pitfall 1.25 d): advice, nothing acts on it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "rr/reflector/reflector.hpp"

namespace helio::reflector {
namespace {

constexpr std::size_t kMostNamed = 32;

std::string quoted(const std::vector<wire::RouteTarget>& targets) {
  std::string out;
  for (std::size_t i = 0; i < std::min(targets.size(), kMostNamed); ++i) out += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", wire::format_rt(targets[i]));
  return targets.size() > kMostNamed ? out + ", ..." : out;
}

std::string suggestion_for(const LegacyPeerView& view) {
  if (view.exports.empty()) return "";
  if (view.membership_from == "everything")
    return fmt::format("it is sent everything and exports {} route targets: if it imports no others, without-rtc = \"configured\" and route-targets = [{}]",
                       view.exports.size(), quoted(view.exports));
  if (view.missing.empty()) return "";
  return fmt::format("it exports {} route targets that it is not sent: if it imports them too, {} [{}]", view.missing.size(),
                     view.membership_from == "marked-routes" ? "its marked routes lack" : "route-targets lacks", quoted(view.missing));
}

}  // namespace

std::vector<LegacyPeerView> Reflector::legacy_peers() {
  std::map<PeerId, LegacyPeerView> views;
  std::map<PeerId, std::set<std::uint64_t>> exports;
  auto limit = static_cast<std::uint32_t>(sessions_.peers().size());
  for (const session::PeerSnapshot& s : sessions_.peers()) limit = std::max(limit, s.peer.value + 1);
  auto shards = static_cast<std::uint32_t>(shards_.size());
  for (std::uint32_t i = 0; i < shards; ++i) {
    on_shard(i, [&] {
      Shard& shard = *shards_[i];
      for (std::uint32_t p = i; p < limit; p += shards) {
        const Shard::PeerRecord* record = shard.peer_record(PeerId(p));
        if (record == nullptr || record->info.families.contains(wire::Family::rtc)) continue;
        LegacyPeerView& view = views[PeerId(p)];
        view.address = record->info.address;
        view.group = record->info.group->name;
        if (const Membership* m = shard.distribution().membership(PeerId(p))) view.memberships = m->all();
        view.marked_routes = shard.marked_routes(PeerId(p));
        view.membership_from = !record->info.group->filters_without_rtc() ? "everything"
                               : record->info.group->marker_community     ? "marked-routes"
                               : view.memberships.empty()                 ? "nothing"
                                                                          : "configured";
      }
      return 0;
    });
  }
  for (std::uint32_t i = 0; i < shards; ++i) {
    on_shard(i, [&] {
      const rib::ProvenanceStore& store = shards_[i]->rib().shared().provenances;
      for (const auto& [peer, view] : views)
        for (rib::ProvenanceId p : store.provenances_of(peer)) {
          if (store.provenance(p).live_tables == 0) continue;
          const auto& targets = store.rt_set(store.provenance(p).rt_set).targets;
          exports[peer].insert(targets.begin(), targets.end());
        }
      return 0;
    });
  }
  std::vector<LegacyPeerView> out;
  for (auto& [peer, view] : views) {
    for (std::uint64_t target : exports[peer]) {
      view.exports.push_back({target});
      bool is_sent = view.membership_from == "everything" ||
                     std::ranges::any_of(view.memberships, [&](const wire::RtMembership& m) { return m.matches({target}); });
      if (!is_sent) view.missing.push_back({target});
    }
    view.suggestion = suggestion_for(view);
    out.push_back(std::move(view));
  }
  std::ranges::sort(out, {}, &LegacyPeerView::address);
  return out;
}

}  // namespace helio::reflector

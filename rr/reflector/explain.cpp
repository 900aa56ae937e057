// Reflector::explain: follows a route from the RIB to a peer, link by link, with the very predicates that distribution uses.
#include <fmt/format.h>

#include <algorithm>

#include "rr/reflector/near_miss.hpp"
#include "rr/reflector/prefix_key.hpp"
#include "rr/reflector/reflector.hpp"

namespace helio::reflector {

using rib::Address4;
using rib::Address6;
using wire::Family;
using Barrier = Distribution::Barrier;

namespace {

// What a RIB shard knows of a path that may go to the peer.
struct Fact {
  std::uint32_t shard = 0;
  wire::IpAddress from;
  std::uint32_t path_id = 0;
  rib::ProvenanceId provenance = rib::kNoId;
  bool eligible = false;
  std::vector<wire::RouteTarget> targets;
  std::vector<std::uint8_t> update;
};

struct ToPeer {
  bool established = false;
  wire::FamilySet families, configured, disabled;
  session::PeerRole role = session::PeerRole::client;
  bool has_configured_targets = false;
  std::chrono::seconds initial_wait{0};
  std::uint8_t encoding_class = 0;
  std::uint64_t now_ms = 0;
  std::vector<wire::RtMembership> memberships;
  std::vector<std::optional<Distribution::Delivery>> deliveries;  // by fact
};

template <class Address>
void collect(Shard& shard, rib::FamilyRib<Address>& rib, std::uint32_t number, const wire::VpnPrefix& prefix, const rib::Selection& selection,
             std::uint8_t encoding_class, std::vector<Fact>& out) {
  rib::PrefixKey<Address> key = key_of<Address>(prefix);
  const rib::Slot* slot = rib.find(prefix.rd.value, key);
  if (slot == nullptr) return;
  const rib::RibShared& shared = shard.rib().shared();
  auto add = [&](const rib::PathRef& path, bool eligible, const std::uint32_t* sent_id) {
    const rib::AttributeSet& set = shared.attributes[path.attributes];
    Fact& fact = out.emplace_back();
    fact.shard = number;
    fact.from = shared.peers[set.peer.value].address;
    fact.path_id = path.path_id;
    fact.provenance = set.provenance;
    fact.eligible = eligible;
    for (std::uint64_t target : shared.provenances.rt_set(shared.provenances.provenance(set.provenance).rt_set).targets)
      fact.targets.push_back(wire::RouteTarget{target});
    if (eligible) fact.update = shard.rib().encode<Address>(encoding_class, prefix.rd.value, key, path, sent_id);
  };
  std::vector<rib::SelectedPath> selected;
  rib.selected_paths(*slot, selection, selected);
  for (const rib::SelectedPath& s : selected) add(s.path, true, selection.with_path_ids ? &s.sent_id : nullptr);
  if (!selected.empty()) return;
  std::vector<rib::PathRef> paths;
  rib.paths_of(*slot, paths);
  add(paths.front(), false, nullptr);
}

std::string list_of(std::span<const wire::RouteTarget> targets) {
  std::string out;
  for (wire::RouteTarget rt : targets) out += (out.empty() ? "" : " ") + wire::format_rt(rt);
  return out.empty() ? "none" : out;
}

std::string_view role_phrase(session::PeerRole role) {
  return role == session::PeerRole::client ? "a client" : role == session::PeerRole::external ? "an external peer" : "a non-client";
}

std::string membership_text(const wire::RtMembership& nlri) {
  return nlri.is_default() ? "the default membership (all route targets)" : "membership " + wire::format_membership(nlri);
}

// The chain for one path. `path` is how the RIB shows it; null when it has gone meanwhile.
class Chain {
 public:
  explicit Chain(DeliveryView& view) : view_(view) {}
  void pass(std::string name, std::string text) { view_.steps.push_back({std::move(name), true, std::move(text)}); }
  bool stop(std::string name, std::string reason, std::string text) {
    view_.steps.push_back({std::move(name), false, text});
    view_.reason = std::move(reason);
    view_.text = std::move(text);
    return false;
  }
  void hint(std::string text) { view_.hints.push_back(std::move(text)); }
  DeliveryView& view() { return view_; }

 private:
  DeliveryView& view_;
};

bool session_is_up(Chain& chain, const session::PeerSnapshot& peer, const ToPeer& facts) {
  if (facts.established) {
    chain.pass("session", "Established");
    return true;
  }
  std::string text = fmt::format("the session is not Established ({}", peer.admin_down ? "Idle, shut down here" : session::fsm::state_name(peer.state));
  if (peer.last_close != session::CloseReason::none) text += fmt::format("; last closed: {}", session::close_reason_name(peer.last_close));
  text += ")";
  chain.hint(fmt::format("helioctl explain peer {}", wire::format_ip(peer.address)));
  return chain.stop("session", "session-down", text);
}

bool family_is_used(Chain& chain, const session::PeerSnapshot& peer, const ToPeer& facts, Family family) {
  std::string_view name = wire::family_label(family);
  if (!facts.configured.contains(family)) {
    chain.hint(fmt::format("add the family to [[families]] or to the families of group {}, then clear the session", peer.group));
    return chain.stop("family", "family-not-configured", fmt::format("{} is not configured here for the peer", name));
  }
  if (!facts.families.contains(family)) {
    chain.hint(fmt::format("activate {} for this neighbour on the peer (its OPEN did not offer it)", name));
    return chain.stop("family", "family-not-negotiated", fmt::format("{} was not negotiated: the peer did not offer it in its OPEN", name));
  }
  if (facts.disabled.contains(family)) {
    chain.hint(fmt::format("helioctl show peer {} shows the message; clear the session when the peer is repaired", wire::format_ip(peer.address)));
    return chain.stop("family", "family-disabled", fmt::format("{} is ignored since the peer sent an unreadable attribute (RFC 7606 section 2)", name));
  }
  chain.pass("family", fmt::format("{} is negotiated", name));
  return true;
}

bool route_is_usable(Chain& chain, const Fact& fact, const PathView* path) {
  if (fact.eligible) {
    chain.pass("route", fmt::format("chosen for the peer: the path from {}", wire::format_ip(fact.from)));
    return true;
  }
  if (path != nullptr && path->policy == "rejected") {
    std::string statements;
    for (const std::string& s : path->policy_statements) statements += (statements.empty() ? "" : ", ") + s;
    chain.hint(fmt::format("helioctl show routes --rib adj-in --from {} shows it as received", wire::format_ip(fact.from)));
    return chain.stop("route", "import-policy", fmt::format("the import policy for {} rejects it{}", wire::format_ip(fact.from),
                                                           statements.empty() ? "" : fmt::format(" (statement {})", statements)));
  }
  return chain.stop("route", "not-eligible", fmt::format("no path can be used: {}", path != nullptr && !path->lost_at.empty() ? path->lost_at : "next hop not reachable"));
}

bool may_pass(Chain& chain, const Distribution::Delivery& d, const ToPeer& facts, const Fact& fact, std::span<const std::string> export_policy) {
  switch (d.barrier) {
    case Barrier::none: break;
    case Barrier::own_route:
      return chain.stop("reflection", "own-route", "the best path is the peer's own: nothing goes back to where it came from (RFC 4456 section 6)");
    case Barrier::non_client_mesh:
      return chain.stop("reflection", "non-client-mesh", fmt::format("{} and the peer are both non-clients: they are meshed (RFC 4456 section 6)", wire::format_ip(fact.from)));
    case Barrier::meshed_cluster:
      return chain.stop("reflection", "meshed-cluster", "both are clients of a cluster with client-to-client reflection off (RFC 4456 section 6)");
    case Barrier::no_advertise: return chain.stop("reflection", "no-advertise", "the route carries NO_ADVERTISE (RFC 1997)");
    case Barrier::no_export: return chain.stop("reflection", "no-export", "the route carries NO_EXPORT or NO_EXPORT_SUBCONFED and the peer is external (RFC 1997)");
    case Barrier::llgr_stale:
      return chain.stop("reflection", "llgr-stale", "the path is long-lived stale and the peer does not have the capability (RFC 9494 section 4.3)");
    case Barrier::ipv6_next_hop:
      return chain.stop("reflection", "ipv6-next-hop", "the next hop is IPv6 and the peer did not negotiate it for VPN-IPv4 (RFC 8950)");
    case Barrier::too_large:
      return chain.stop("reflection", "too-large", "its attributes need a message of more than 4096 octets, which the peer did not negotiate (RFC 8654)");
    case Barrier::export_policy: {
      std::string statements;
      for (const std::string& s : export_policy) statements += (statements.empty() ? "" : ", ") + s;
      return chain.stop("policy", "export-policy", fmt::format("the export policy of the peer's group rejects it (statements in force: {})", statements));
    }
    case Barrier::ineligible: return chain.stop("route", "not-eligible", "the path cannot be used");
  }
  chain.pass("reflection", fmt::format("may go to {}", role_phrase(facts.role)));
  if (!export_policy.empty()) chain.pass("policy", "accepted by the export policy");
  return true;
}

bool is_wanted(Chain& chain, const Distribution::Delivery& d, const ToPeer& facts, const Fact& fact) {
  if (!d.filtered) {
    chain.pass("membership", "the peer did not negotiate RT-Constrain and is sent everything");
    return true;
  }
  bool has_rtc = facts.families.contains(Family::rtc);
  if (d.matches) {
    std::string by;
    for (const wire::RtMembership& nlri : facts.memberships) {
      bool passes = nlri.matches_everything() || std::ranges::any_of(fact.targets, [&](wire::RouteTarget rt) { return nlri.matches(rt); });
      if (passes && (by.empty() || nlri.is_default())) by = membership_text(nlri);
    }
    if (!has_rtc) by = "its import route targets are configured here";
    chain.pass("membership", by.empty() ? "let through" : "let through by " + by);
    return true;
  }
  if (!has_rtc && !facts.has_configured_targets)
    return chain.stop("membership", "send-none", "the peer did not negotiate RT-Constrain, and its group is sent nothing without it (without-rtc = \"send-none\")");
  if (d.holding && !d.deferred) {
    chain.hint("it must send an End-of-RIB for AFI 1, SAFI 132; after rt-constrain.initial-wait the routes are sent all the same");
    return chain.stop("membership", "waiting-for-memberships", fmt::format("its RT membership is not complete yet: the End-of-RIB is awaited, for at most {} s", facts.initial_wait.count()));
  }
  std::vector<wire::RouteTarget> asked;
  for (const wire::RtMembership& nlri : facts.memberships)
    if (nlri.length == 96) asked.push_back(wire::RouteTarget{nlri.target});
  std::sort(asked.begin(), asked.end());
  asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
  for (std::string& hint : near_miss_hints(fact.targets, asked, has_rtc ? "it asks for" : "configured for it is")) chain.hint(std::move(hint));
  std::size_t others = std::ranges::count_if(facts.memberships, [](const wire::RtMembership& m) { return m.length != 96; });
  std::string count = fmt::format("{} RT{}", asked.size(), asked.size() == 1 ? "" : "s") + (others == 0 ? "" : fmt::format(" and {} shorter prefixes", others));
  return chain.stop("membership", "no-membership", fmt::format("no RT interest (peer asked for {}, none of {})", count, list_of(fact.targets)));
}

bool is_on_its_way(Chain& chain, const Distribution::Delivery& d, const ToPeer& facts) {
  if (d.deferred) return chain.stop("queue", "waiting-for-start", "nothing is advertised yet after our own start: the peers' End-of-RIB are awaited (RFC 4724 section 4.1)");
  if (d.holding) {
    chain.hint("after rt-constrain.initial-wait the routes are sent all the same");
    return chain.stop("queue", "waiting-for-memberships", fmt::format("its RT membership is not complete yet: the End-of-RIB is awaited, for at most {} s", facts.initial_wait.count()));
  }
  double waits = d.oldest_ms != 0 && facts.now_ms > d.oldest_ms ? static_cast<double>(facts.now_ms - d.oldest_ms) / 1000 : 0;
  std::string queue = fmt::format("{} octets wait in its queue, the oldest for {:.1f} s", d.queue_bytes, waits);
  if (d.lagging || d.catching_up) {
    chain.hint("the peer does not read: look at its CPU, its TCP window and the path to it");
    return chain.stop("queue", "lagging", "the peer is left behind because it reads too slowly; it is brought up to date when it reads again (" + queue + ")");
  }
  if (!d.armed) return chain.stop("queue", "waiting-for-walk", "it is being gathered for the peer: ask again in a moment");
  if (waits >= 1) {
    chain.hint("the peer reads slowly: look at its CPU, its TCP window and the path to it");
    chain.view().sent = true;
    chain.view().reason = "queued";
    chain.view().text = "it is sent, or among what waits: " + queue;
    chain.pass("queue", queue);
    return true;
  }
  chain.view().sent = true;
  chain.view().reason = "sent";
  chain.view().text = "sent";
  chain.pass("queue", d.queue_bytes == 0 ? "written" : queue);
  return true;
}

// What the peer is likely to make of it.
void foresee(Chain& chain, const session::PeerSnapshot& peer, const PathView* path) {
  if (path == nullptr || !chain.view().sent) return;
  if (path->originator_id != 0 && path->originator_id == peer.router_id) chain.hint("the peer ignores it: the ORIGINATOR_ID is its own router id (RFC 4456 section 8)");
  if (std::ranges::find(path->cluster_list, peer.router_id) != path->cluster_list.end())
    chain.hint("the peer may ignore it: its router id is in the CLUSTER_LIST (RFC 4456 section 8)");
  std::string as = fmt::format(" {} ", peer.peer_as), text = " " + path->as_path + " ";
  std::ranges::replace_if(text, [](char c) { return c == '{' || c == '}' || c == ','; }, ' ');
  if (text.find(as) != std::string::npos) chain.hint(fmt::format("the peer may ignore it: its AS {} is in the AS_PATH (RFC 4271 section 9.1.2)", peer.peer_as));
}

}  // namespace

std::optional<Explanation> Reflector::explain(const ExplainQuery& query) {
  std::vector<session::PeerSnapshot> snapshots = sessions_.peers();
  const session::PeerSnapshot* to = nullptr;
  for (const session::PeerSnapshot& s : snapshots)
    if (query.to && s.address == *query.to) to = &s;
  if (query.to && to == nullptr) return std::nullopt;
  Explanation out;
  Family family = query.prefix.is_v6 ? Family::vpnv6 : Family::vpnv4;
  RouteQuery route_query;
  route_query.family = family;
  route_query.rd = query.prefix.rd;
  route_query.prefix = query.prefix;
  route_query.limit = 1;
  for (RouteView& view : routes(route_query).routes) out.route = std::move(view);
  out.route.prefix = query.prefix;
  auto has_path = [&](const wire::IpAddress& from) { return std::ranges::any_of(out.route.paths, [&](const PathView& p) { return p.from == from; }); };
  std::uint64_t hash = RefusalLog::hash_prefix(query.prefix);
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    auto entries = on_shard(i, [&] { return shards_[i]->rib().refusals().find(hash); });
    auto now = static_cast<std::uint32_t>(on_shard(i, [&] { return shards_[i]->milliseconds_since_start(); }) / 1000);
    for (const RefusalLog::Entry& e : entries) {
      auto peer = std::ranges::find(snapshots, e.peer, &session::PeerSnapshot::peer);
      if (peer == snapshots.end() || has_path(peer->address)) continue;
      out.refusals.push_back({peer->address, std::string(refusal_name(e.refusal)), std::string(refusal_text(e.refusal)), now > e.seconds ? now - e.seconds : 0});
    }
  }
  if (out.route.paths.empty() && out.refusals.empty()) {
    // Where else is it?
    RouteQuery elsewhere = route_query;
    elsewhere.rd.reset();
    elsewhere.limit = 4;
    for (const RouteView& other : routes(elsewhere).routes)
      if (!other.paths.empty()) out.hints.push_back(fmt::format("{} is there with RD {} (from {})", wire::format_prefix(query.prefix), wire::format_rd(other.prefix.rd), wire::format_ip(other.paths[0].from)));
    RouteQuery of_rd = route_query;
    of_rd.prefix.reset();
    if (routes(of_rd).routes.empty()) out.hints.push_back(fmt::format("no {} route has RD {}: is the VRF exported?", wire::family_label(family), wire::format_rd(query.prefix.rd)));
    else if (out.hints.empty()) out.hints.push_back(fmt::format("RD {} has other {} routes: is this prefix in the VRF of its PE, and redistributed into BGP?", wire::format_rd(query.prefix.rd), wire::family_label(family)));
  }
  if (to == nullptr) return out;

  std::uint32_t home = to->peer.value % static_cast<std::uint32_t>(shards_.size());
  ToPeer facts;
  on_shard(home, [&] {
    const Shard::PeerRecord* record = shards_[home]->peer_record(to->peer);
    if (record == nullptr) return 0;
    facts.established = true;
    facts.families = record->info.families;
    facts.configured = record->info.group->families;
    facts.disabled = record->disabled;
    facts.role = record->info.group->role;
    facts.has_configured_targets = record->info.group->marker_community || !record->info.group->memberships_without_rtc().empty();
    facts.initial_wait = record->info.group->rtc_initial_wait;
    facts.encoding_class = shards_[home]->distribution().state(to->peer).encoding_class;
    facts.now_ms = shards_[home]->milliseconds_since_start();
    if (const Membership* m = shards_[home]->distribution().membership(to->peer)) facts.memberships = m->all();
    return 0;
  });
  rib::Selection selection;
  std::vector<rib::EncodingClass> classes = mailboxes_.classes();
  if (facts.encoding_class < classes.size()) selection = classes[facts.encoding_class].selection_of(family);
  std::vector<Fact> paths;
  for (std::uint32_t i = 0; i < shards_.size() && paths.empty(); ++i) {
    on_shard(i, [&] {
      Shard& shard = *shards_[i];
      if (family == Family::vpnv6) collect<Address6>(shard, shard.rib().rib6(), i, query.prefix, selection, facts.encoding_class, paths);
      else collect<Address4>(shard, shard.rib().rib4(), i, query.prefix, selection, facts.encoding_class, paths);
      return 0;
    });
  }
  on_shard(home, [&] {
    for (const Fact& fact : paths) facts.deliveries.push_back(shards_[home]->distribution().delivery(to->peer, fact.shard, fact.provenance, family));
    return 0;
  });
  std::vector<std::string> export_policy;
  if (settings_.policies != nullptr) export_policy = settings_.policies->export_names(to->group);

  for (std::size_t i = 0; i < std::max<std::size_t>(paths.size(), 1); ++i) {
    Chain chain(out.deliveries.emplace_back());
    if (!session_is_up(chain, *to, facts) || !family_is_used(chain, *to, facts, family)) return out;
    if (paths.empty()) {
      if (!out.refusals.empty()) chain.stop("route", "refused", fmt::format("what {} announced was refused: {}", wire::format_ip(out.refusals[0].from), out.refusals[0].reason));
      else chain.stop("route", "no-such-route", "there is no such route: nobody announces it");
      return out;
    }
    Fact& fact = paths[i];
    chain.view().from = fact.from;
    chain.view().path_id = fact.path_id;
    const PathView* path = nullptr;
    for (const PathView& p : out.route.paths)
      if (p.from == fact.from && p.path_id == fact.path_id) path = &p;
    if (!route_is_usable(chain, fact, path)) continue;
    if (!facts.deliveries[i]) {
      chain.stop("queue", "waiting-for-walk", "it has just come: ask again in a moment");
      continue;
    }
    const Distribution::Delivery& d = *facts.deliveries[i];
    if (!may_pass(chain, d, facts, fact, export_policy)) continue;
    if (!is_wanted(chain, d, facts, fact)) {
      if (chain.view().reason != "no-membership") continue;
      std::size_t importers = 0;
      for (wire::RouteTarget rt : fact.targets)
        for (std::uint32_t s = 0; s < shards_.size(); ++s)
          importers += on_shard(s, [&] {
            auto at = shards_[s]->distribution().wanted_by().find(rt.value);
            return at == shards_[s]->distribution().wanted_by().end() ? std::size_t{0} : at->second.size();
          });
      chain.hint(importers == 0 ? "no other peer asks for it either: is it imported anywhere?" : fmt::format("{} other peer{} for it: helioctl explain rt {}", importers, importers == 1 ? " asks" : "s ask", wire::format_rt(fact.targets[0])));
      continue;
    }
    if (is_on_its_way(chain, d, facts)) chain.view().update = std::move(fact.update);
    foresee(chain, *to, path);
  }
  return out;
}

RtExplanation Reflector::explain_rt(wire::RouteTarget rt) {
  RtExplanation out;
  out.rt = rt;
  std::map<wire::IpAddress, std::uint64_t> exporters;
  std::map<PeerId, std::string> importers;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      const rib::RibShared& shared = shards_[i]->rib().shared();
      for (rib::RtSetId id = 0; id < shared.provenances.rt_set_limit(); ++id) {
        const rib::RtSet& set = shared.provenances.rt_set(id);
        if (set.refs == 0 || !std::binary_search(set.targets.begin(), set.targets.end(), rt.value)) continue;
        for (rib::ProvenanceId p : set.provenances) {
          const rib::Provenance& provenance = shared.provenances.provenance(p);
          std::uint64_t best = std::uint64_t{provenance.best[0]} + provenance.best[1];
          out.prefixes += best;
          exporters[shared.peers[provenance.peer.value].address] += best;
        }
      }
      return 0;
    });
    on_shard(i, [&] {
      for (auto& [peer, nlri] : shards_[i]->distribution().importers(rt)) importers[peer] = nlri ? membership_text(*nlri) : "no RT-Constrain: sent everything";
      return 0;
    });
  }
  for (auto& [address, prefixes] : exporters) out.exporters.push_back({address, prefixes});
  for (const session::PeerSnapshot& s : sessions_.peers())
    if (auto at = importers.find(s.peer); at != importers.end()) out.importers.push_back({s.address, at->second});
  std::ranges::sort(out.importers, {}, &RtExplanation::Importer::peer);
  std::vector<wire::RouteTarget> missing{rt}, exported, imported;
  for (const RtView& view : route_targets()) {
    if (view.exporters != 0) exported.push_back(view.rt);
    if (view.importers != 0) imported.push_back(view.rt);
  }
  bool is_held = settings_.slice == nullptr || settings_.slice->holds(rt.value);
  if (!is_held && settings_.slice->count() > 1)
    out.hints.push_back(fmt::format("belongs to plane {} of {}, and this reflector is plane {}", wire::plane_of(rt, settings_.slice->count()), settings_.slice->count(), settings_.slice->index()));
  else if (!is_held)
    out.hints.push_back(fmt::format("belongs to another plane: this reflector holds {}", settings_.slice->text()));
  if (out.exporters.empty() && out.importers.empty()) out.hints.push_back("nobody exports it and nobody imports it");
  else if (out.importers.empty()) out.hints.push_back("an orphan: exported, but imported by nobody");
  else if (out.exporters.empty()) out.hints.push_back("an orphan: imported, but exported by nobody");
  if (out.importers.empty())
    for (std::string& hint : near_miss_hints(missing, imported, "somebody imports")) out.hints.push_back(std::move(hint));
  if (out.exporters.empty())
    for (std::string& hint : near_miss_hints(missing, exported, "somebody exports")) out.hints.push_back(std::move(hint));
  return out;
}

}  // namespace helio::reflector

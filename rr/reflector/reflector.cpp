#include "rr/reflector/reflector.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "rr/wire/as_path.hpp"
#include "rr/reflector/path_view.hpp"

namespace helio::reflector {

using wire::Family;

namespace {

session::TimePoint steady_now() { return std::chrono::steady_clock::now(); }

BfdSessionView view_of_bfd(const session::BfdView& from) {
  BfdSessionView view;
  view.state = bfd::state_name(from.state);
  view.remote_state = bfd::state_name(from.remote_state);
  view.diagnostic = bfd::diagnostic_name(from.diagnostic);
  view.remote_diagnostic = bfd::diagnostic_name(from.remote_diagnostic);
  view.discriminator = from.discriminator;
  view.remote_discriminator = from.remote_discriminator;
  view.transmit_interval = from.transmit_interval;
  view.detection_time = from.detection_time;
  view.packets_in = from.packets_in;
  view.packets_out = from.packets_out;
  view.error = from.error;
  return view;
}

std::chrono::seconds seconds_since(session::TimePoint t) {
  return std::chrono::duration_cast<std::chrono::seconds>(steady_now() - t);
}

}  // namespace

struct Reflector::PeerFacts {
  Distribution::PeerState state;
  wire::FamilySet families, eor_received, add_path_receive;
  std::array<std::uint32_t, wire::kFamilyCount> add_path_send{};
  std::string last_update_error;
  std::vector<std::uint8_t> last_bad_message;
  RestartHelper::State restart;
  std::int64_t restart_seconds = 0;
  wire::FamilySet disabled;
  std::shared_ptr<PeerQuota> quota;
  std::uint64_t now_ms = 0;
  std::size_t memberships = 0;
};

Reflector::Reflector(const EngineSettings& settings, session::SessionManager& sessions)
    : settings_(settings), sessions_(sessions), mailboxes_(sessions.shards(), settings.evpn), started_(steady_now()) {
  settings_.shards = sessions.shards();
  mailboxes_.wake = [&sessions](std::uint32_t s) { sessions.control(ShardId(s)).wake(); };
  for (std::uint32_t i = 0; i < sessions.shards(); ++i)
    shards_.push_back(std::make_unique<Shard>(ShardId(i), settings_, mailboxes_, sessions.control(ShardId(i))));
}

Reflector::~Reflector() = default;

std::vector<session::Engine*> Reflector::engines() {
  std::vector<session::Engine*> out;
  for (auto& s : shards_) out.push_back(s.get());
  return out;
}

void Reflector::set_maintenance(bool on) {
  if (std::exchange(maintenance_, on) == on) return;
  // First all RIB shards, then the peers: none may be sent the old form behind the new one.
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      shards_[i]->rib().set_graceful_shutdown(on);
      if (shards_[i]->evpn() != nullptr) shards_[i]->evpn()->set_graceful_shutdown(on);
      return 0;
    });
  }
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      shards_[i]->send_again();
      return 0;
    });
    sessions_.control(ShardId(i)).wake();
  }
}

SummaryView Reflector::summary() {
  SummaryView view;
  view.maintenance = maintenance_;
  if (settings_.slice != nullptr) view.slice = settings_.slice->text();
  view.router_id = settings_.router_id;
  view.cluster_id = settings_.cluster_id;
  view.local_as = settings_.local_as;
  view.shards = static_cast<std::uint32_t>(shards_.size());
  view.uptime = seconds_since(started_);
  std::vector<FamilyCounters> families(settings_.evpn ? 4 : 3);
  families[0].family = Family::vpnv4;
  families[1].family = Family::vpnv6;
  families[2].family = Family::rtc;
  if (settings_.evpn) families[3].family = Family::evpn;
  for (auto& shard : shards_) {
    const ShardCounters& c = shard->counters();
    for (FamilyCounters& family : families) {
      std::size_t f = wire::index(family.family);
      family.prefixes += c.prefixes[f].get();
      family.paths += c.paths[f].get();
      family.best_changes += c.best_changes[f].get();
    }
    view.attribute_sets += c.attribute_sets.get();
    view.rt_sets += c.rt_sets.get();
    view.rib_memory_bytes += c.memory_bytes.get();
  }
  on_shard(0, [&] {
    for (auto& [nlri, paths] : shards_[0]->rtc()->routes()) {
      ++families[2].prefixes;
      families[2].paths += paths.size();
    }
    return 0;
  });
  view.families = std::move(families);
  std::set<std::uint64_t> targets;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      for (RibShard* rib : {&shards_[i]->rib(), shards_[i]->evpn()}) {
        if (rib == nullptr) continue;
        const rib::ProvenanceStore& store = rib->shared().provenances;
        for (rib::RtSetId id = 0; id < store.rt_set_limit(); ++id)
          if (store.rt_set(id).refs > 0) targets.insert(store.rt_set(id).targets.begin(), store.rt_set(id).targets.end());
      }
      return 0;
    });
  }
  view.route_targets = targets.size();
  Readiness::Facts facts{.ranges = sessions_.has_listen_ranges(), .youngest = std::chrono::seconds::max()};
  std::set<std::string> groups;
  for (const PeerView& peer : peers()) {
    ++view.peers_configured;
    groups.insert(peer.group);
    bool up = peer.state == "Established";
    if (!peer.dynamic && peer.state != kAdminDown) {
      ++facts.neighbors;
      facts.neighbors_up += up ? 1 : 0;
    }
    if (!up) continue;
    ++facts.up;
    facts.youngest = std::min(facts.youngest, peer.since);
    bool complete = std::ranges::all_of(peer.families, [&](const PeerFamilyView& f) {
      return !f.negotiated || !wire::has_route_targets(f.family) || (f.eor_sent && (f.eor_received || peer.since > std::chrono::seconds(60)));
    });
    facts.incomplete += complete ? 0 : 1;
    if (peer.lag_seconds > view.worst_lag_seconds) {
      view.worst_lag_seconds = peer.lag_seconds;
      view.worst_lag_peer = wire::format_ip(peer.address);
    }
  }
  view.groups = static_cast<std::uint32_t>(groups.size());
  view.peers_established = facts.up;
  view.converged = facts.incomplete == 0 && facts.up > 0;
  if (!view.converged) converged_since_.reset();
  else if (!converged_since_) converged_since_ = steady_now();
  if (converged_since_) view.converged_for = seconds_since(*converged_since_);
  readiness_.update(facts, steady_now());
  view.ready = readiness_.ready();
  view.waiting_for = readiness_.waiting_for();
  return view;
}

// What each peer has been sent, family by family: RT sets of each RIB shard in portions, each added up on every session
// shard, so that none of them is held for long.
std::vector<Distribution::FamilyCounts> Reflector::sent_counts(std::uint32_t peers) {
  constexpr rib::RtSetId kPortion = 512;
  std::vector<Distribution::FamilyCounts> sent(peers);
  std::vector<Distribution::RtSetCount> counts;
  auto shards = static_cast<std::uint32_t>(shards_.size());
  for (std::uint32_t r = 0; r < mailboxes_.sources(); ++r) {
    for (rib::RtSetId from = 0, limit = 1; from < limit; from += kPortion) {
      counts.clear();
      limit = on_shard(r % shards, [&] {
        const rib::ProvenanceStore& store = (r < shards ? shards_[r]->rib() : *shards_[r - shards]->evpn()).shared().provenances;
        for (rib::RtSetId id = from; id < std::min(from + kPortion, store.rt_set_limit()); ++id) {
          if (store.rt_set(id).refs == 0) continue;
          Distribution::RtSetCount& c = counts.emplace_back();
          c.rt_set = id;
          for (rib::ProvenanceId p : store.rt_set(id).provenances) c.provenances.push_back({p, store.provenance(p).best});
        }
        return store.rt_set_limit();
      });
      for (std::uint32_t s = 0; s < shards_.size() && !counts.empty(); ++s) {
        on_shard(s, [&] {
          shards_[s]->distribution().count_sent(r, counts, sent);
          return 0;
        });
      }
    }
  }
  sent.resize(peers);
  return sent;
}

std::vector<PeerView> Reflector::peers() {
  std::vector<session::PeerSnapshot> snapshots = sessions_.peers();
  std::uint32_t limit = 0;
  for (const auto& s : snapshots) limit = std::max(limit, s.peer.value + 1);
  std::vector<PeerFacts> facts(limit);
  std::vector<Distribution::FamilyCounts> received(limit), stale(limit), sent = sent_counts(limit);
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      Shard& shard = *shards_[i];
      for (RibShard* rib : {&shard.rib(), shard.evpn()}) {
        if (rib == nullptr) continue;
        const auto& peers = rib->shared().peers;
        for (std::uint32_t p = 0; p < peers.size() && p < limit; ++p)
          for (std::size_t f = 0; f < wire::kFamilyCount; ++f) {
            received[p][f] += peers[p].paths[f];
            stale[p][f] += peers[p].stale[f];
          }
      }
      for (std::uint32_t p = i; p < limit; p += static_cast<std::uint32_t>(shards_.size())) {
        if (const Shard::Trouble* trouble = shard.trouble(PeerId(p))) {
          facts[p].last_update_error = trouble->text;
          facts[p].last_bad_message = trouble->message;
        }
        facts[p].restart = shard.restarts().state(PeerId(p));
        if (facts[p].restart.until)
          facts[p].restart_seconds = std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::seconds>(*facts[p].restart.until - steady_now()).count());
        const Shard::PeerRecord* record = shard.peer_record(PeerId(p));
        if (record == nullptr) continue;
        facts[p].disabled = record->disabled;
        facts[p].quota = record->quota;
        facts[p].state = shard.distribution().state(PeerId(p));
        facts[p].families = record->info.families;
        facts[p].eor_received = record->end_of_rib_received;
        facts[p].add_path_receive = record->info.add_path_receive;
        for (Family f : {Family::vpnv4, Family::vpnv6})
          if (record->info.add_path_send.contains(f)) facts[p].add_path_send[wire::index(f)] = record->info.group->add_path_send_max[wire::index(f)];
        facts[p].now_ms = shard.milliseconds_since_start();
        if (const Membership* m = shard.distribution().membership(PeerId(p))) facts[p].memberships = m->size();
      }
      return 0;
    });
  }
  std::vector<PeerView> views;
  for (const session::PeerSnapshot& s : snapshots) {
    PeerView v;
    const PeerFacts& fact = facts[s.peer.value];
    v.address = s.address;
    v.group = s.group;
    v.description = s.description;
    v.hostname = s.hostname;
    v.state = s.admin_down ? kAdminDown : session::fsm::state_name(s.state);
    v.role = s.role;
    v.dynamic = s.dynamic;
    v.peer_as = s.peer_as;
    v.router_id = s.router_id;
    v.since = seconds_since(s.state_since);
    for (Family f : {Family::vpnv4, Family::vpnv6, Family::evpn, Family::rtc}) {
      PeerFamilyView fv;
      fv.family = f;
      fv.negotiated = fact.families.contains(f);
      fv.long_lived = fact.restart.long_lived.contains(f);
      if (!fv.negotiated && !fact.restart.stale.contains(f)) continue;
      fv.disabled = fact.disabled.contains(f);
      if (fact.quota) {
        if (const auto& own = fact.quota->limits[wire::index(f)]) fv.limit = own->max_prefixes;
        fv.discarded = fact.quota->discarded[wire::index(f)].load(std::memory_order_relaxed);
      }
      if (f == Family::rtc) {
        fv.received = fact.memberships;
        fv.eor_sent = fv.negotiated;
      } else {
        fv.received = received[s.peer.value][wire::index(f)];
        fv.stale = stale[s.peer.value][wire::index(f)];
        fv.sent = sent[s.peer.value][wire::index(f)];
        fv.eor_sent = fact.state.end_of_rib_sent.contains(f);
      }
      fv.eor_received = fact.eor_received.contains(f);
      fv.add_path_receive = fact.add_path_receive.contains(f);
      fv.add_path_send = fact.add_path_send[wire::index(f)];
      v.families.push_back(fv);
    }
    for (std::uint64_t n : s.messages_in) v.messages_in += n;
    for (std::uint64_t n : s.messages_out) v.messages_out += n;
    v.bytes_in = s.bytes_in;
    v.bytes_out = s.bytes_out;
    v.updates_in = s.messages_in[static_cast<std::size_t>(wire::MessageType::update)];
    v.updates_out = s.messages_out[static_cast<std::size_t>(wire::MessageType::update)];
    v.output_queue_bytes = fact.state.queue_bytes;
    if (fact.state.oldest_ms != 0 && fact.now_ms > fact.state.oldest_ms)
      v.lag_seconds = static_cast<double>(fact.now_ms - fact.state.oldest_ms) / 1000;
    v.flaps = s.flaps;
    v.rt_interest = fact.state.wants_everything ? -1 : static_cast<std::int64_t>(fact.state.rt_interest);
    if (s.last_close != session::CloseReason::none) v.last_close = session::close_reason_name(s.last_close);
    v.last_notification = s.last_notification;
    v.last_update_error = fact.last_update_error;
    v.last_error = s.last_error;
    if (settings_.policies != nullptr) {
      v.import_policy = settings_.policies->import_names(s.group);
      v.export_policy = settings_.policies->export_names(s.group);
    }
    if (s.bfd) v.bfd = view_of_bfd(*s.bfd);
    const std::vector<std::uint8_t>& bad = fact.last_bad_message.empty() ? s.last_bad_message : fact.last_bad_message;
    v.last_bad_message = fmt::format("{:02x}", fmt::join(bad, ""));
    v.needs_reset = s.needs_reset;
    v.restart_seconds = fact.restart_seconds;
    if (!fact.restart.stale.empty()) {
      v.restart = fact.restart.is_back ? "back, its End-of-RIB is awaited" : fact.restart.long_lived.empty() ? "its session is awaited" : "long-lived stale";
    } else if (s.held.count() != 0) {
      v.restart = s.held == std::chrono::seconds::max() ? "held after its prefix limit until cleared" : "held after its prefix limit";
      v.restart_seconds = s.held == std::chrono::seconds::max() ? 0 : s.held.count();
    }
    views.push_back(std::move(v));
  }
  std::sort(views.begin(), views.end(), [](const PeerView& a, const PeerView& b) { return a.address < b.address; });
  return views;
}

std::vector<RtView> Reflector::route_targets() {
  struct Tally {
    std::uint64_t prefixes = 0;
    std::set<std::uint32_t> exporters;
    std::uint32_t importers = 0;
  };
  std::map<std::uint64_t, Tally> tallies;
  auto add = [&](const rib::ProvenanceStore& store) {
    for (rib::RtSetId id = 0; id < store.rt_set_limit(); ++id) {
      if (store.rt_set(id).refs == 0) continue;
      for (std::uint64_t target : store.rt_set(id).targets) {
        Tally& t = tallies[target];
        for (rib::ProvenanceId p : store.rt_set(id).provenances) {
          t.prefixes += store.provenance(p).best[0] + store.provenance(p).best[1];
          t.exporters.insert(store.provenance(p).peer.value);
        }
      }
    }
  };
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      add(shards_[i]->rib().shared().provenances);
      if (shards_[i]->evpn() != nullptr) add(shards_[i]->evpn()->shared().provenances);
      for (auto& [target, peers] : shards_[i]->distribution().wanted_by())
        tallies[target].importers += static_cast<std::uint32_t>(peers.size());
      return 0;
    });
  }
  std::vector<RtView> views;
  for (auto& [target, t] : tallies)
    views.push_back({wire::RouteTarget{target}, t.prefixes, static_cast<std::uint32_t>(t.exporters.size()), t.importers});
  return views;
}

std::vector<RtcRouteView> Reflector::rtc_routes() {
  return on_shard(0, [&] {
    std::vector<RtcRouteView> views;
    const RtcRib& rtc = *shards_[0]->rtc();
    for (auto& [nlri, paths] : rtc.routes()) {
      RtcRouteView view;
      view.membership = nlri;
      std::vector<rib::DecisionStep> steps = rtc.lost_at(paths);
      for (std::size_t i = 0; i < paths.size(); ++i) {
        PathView path = view_of_attributes(Family::rtc, paths[i].attributes->bytes, paths[i].attributes->next_hop,
                                           paths[i].role == session::PeerRole::external);
        path.from = paths[i].address;
        path.best = i == 0;
        if (i != 0) path.lost_at = rib::decision_step_name(steps[i]);
        view.paths.push_back(std::move(path));
      }
      views.push_back(std::move(view));
    }
    return views;
  });
}

std::vector<EncodingClassView> Reflector::encoding_classes() {
  std::vector<std::uint32_t> peers;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      const auto& local = shards_[i]->distribution().class_peers();
      if (peers.size() < local.size()) peers.resize(local.size());
      for (std::size_t c = 0; c < local.size(); ++c) peers[c] += local[c];
      return 0;
    });
  }
  std::vector<EncodingClassView> views;
  std::vector<rib::EncodingClass> classes = mailboxes_.classes();
  for (std::size_t c = 0; c < peers.size(); ++c) {
    std::string name = classes[c].is_external ? "ebgp" : "ibgp";
    if (!classes[c].four_octet_as) name += ",2-octet-as";
    for (std::size_t f = 0; f < 2; ++f) {
      const rib::Selection& selection = classes[c].selection[f];
      if (selection.is_plain()) continue;
      name += f == 0 ? ",vpnv4 " : ",vpnv6 ";
      if (selection.with_path_ids) name += "add-path " + (selection.count == rib::Selection::kAll ? "all" : std::to_string(selection.count));
      else name += "best-external";
    }
    if (classes[c].next_hop_self) name += ",next-hop-self " + wire::format_ip(*classes[c].next_hop_self);
    views.push_back({name, peers[c]});
  }
  return views;
}

std::vector<PolicyStatementView> Reflector::policy_statements() {
  std::vector<PolicyStatementView> views;
  if (settings_.policies != nullptr)
    for (RoutePolicies::Hits& h : settings_.policies->hits()) views.push_back({std::move(h.name), h.sets});
  return views;
}

void Reflector::set_policies(std::shared_ptr<const RoutePolicies> policies) {
  settings_.policies = policies;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    on_shard(i, [&] {
      shards_[i]->set_policies(policies);
      return 0;
    });
    sessions_.control(ShardId(i)).wake();
  }
  note(rib::JournalEvent::policies, "");
}

Latencies Reflector::latencies() {
  Latencies sum;
  for (const auto& shard : shards_)
    for (std::size_t stage = 0; stage < sum.size(); ++stage) sum[stage] += shard->counters().latency[stage].counts();
  return sum;
}

std::optional<CanaryView> Reflector::canary() {
  if (!settings_.canary) return std::nullopt;
  CanaryView view;
  for (const auto& shard : shards_) {
    const ShardCounters& counters = shard->counters();
    view.delay += counters.canary.counts();
    view.in_time += counters.canary_in_time.get();
    view.late += counters.canary_late.get();
    view.wrong += counters.canary_wrong.get();
  }
  return view;
}

void Reflector::send_canaries() {
  if (!settings_.canary) return;
  for (std::uint32_t i = 0; i < shards_.size(); ++i)
    sessions_.shard(ShardId(i)).post([shard = shards_[i].get(), now = std::chrono::steady_clock::now()] { shard->send_canary(now); });
}

MemoryView Reflector::memory() {
  rib::MemoryAccount sum;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    rib::MemoryAccount one = on_shard(i, [&] { return shards_[i]->memory(); });
    for (std::size_t k = 0; k < rib::kMemoryKinds; ++k) {
      sum.bytes[k] += one.bytes[k];
      sum.objects[k] += one.objects[k];
    }
  }
  MemoryView view;
  for (std::size_t k = 0; k < rib::kMemoryKinds; ++k)
    view.kinds.push_back({std::string(rib::kMemoryKindNames[k]), static_cast<std::uint64_t>(sum.bytes[k]),
                          static_cast<std::uint64_t>(sum.objects[k])});
  std::int64_t changes = 0, images = 0;
  std::uint64_t journal_bytes = 0, journal_records = 0;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    JournalReach reach = journal_reach(i);
    journal_bytes += reach.bytes;
    journal_records += reach.changes + reach.events;
    changes += mailboxes_.retained(i).changes->bytes.load(std::memory_order_relaxed);
    images += mailboxes_.retained(i).images->bytes.load(std::memory_order_relaxed);
  }
  view.kinds.push_back({"journal", journal_bytes, journal_records});
  view.kinds.push_back({"output_changes", static_cast<std::uint64_t>(changes), 0});
  view.kinds.push_back({"output_images", static_cast<std::uint64_t>(images), 0});
  return view;
}

}  // namespace helio::reflector

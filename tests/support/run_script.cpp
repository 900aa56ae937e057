// Execution of whole scripts, and the search for the smallest one that still fails.
#include <fmt/format.h>

#include <algorithm>

#include "tests/support/run_script.hpp"

namespace helio::test {

using wire::Family;
using Kind = Action::Kind;

namespace {

constexpr std::size_t kPerUpdate = 100;  // so that a message stays within 4096 octets

std::vector<std::uint32_t> of_family(const World& world, const PeerSpec& peer, const std::vector<std::uint32_t>& items, bool is_v6) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t item : items)
    if (world.prefixes[item].is_v6 == is_v6 && peer.has(is_v6 ? Family::vpnv6 : Family::vpnv4)) out.push_back(item);
  return out;
}

// `items` of one family; the first message also withdraws `more`.
void add_vpn_updates(const World& world, const Action& action, Family family, const std::vector<std::uint32_t>& items, const std::vector<std::uint32_t>& more,
                     std::vector<NaiveUpdate>& out) {
  static const std::uint32_t kLabels[] = {0x800000, 0, 1, 100 << 4 | 1};  // wire 2.4
  const PeerSpec& peer = world.peers[action.peer];
  bool is_announcement = action.kind != Kind::withdraw;
  PathAttributes attributes = is_announcement ? make_attributes(world, peer, action.variant, family) : PathAttributes{};
  bool is_bulky = !attributes.others.empty() && attributes.others.back().type == kBulkyAttribute;
  std::size_t per_update = is_bulky ? 1 : kPerUpdate;
  std::uint32_t id = peer.add_path_receive.contains(family) ? action.path_id : 0;
  for (std::size_t at = 0; at < items.size(); at += per_update) {
    NaiveUpdate update;
    std::size_t end = std::min(at + per_update, items.size());
    if (!is_announcement) {
      update.unreach = family;
      update.withdraw_label = kLabels[action.label % 4];
      for (std::size_t i = at; i < end; ++i) update.withdrawn.push_back({world.prefixes[items[i]], id});
    } else {
      update.reach = family;
      update.attributes = attributes;
      if (action.kind == Kind::announce_broken) update.broken_origin = 7;
      for (std::size_t i = at; i < end; ++i) update.announced.push_back({{world.prefixes[items[i]], id}, make_labels(action.label)});
      if (at == 0 && !more.empty() && !is_bulky) {
        update.unreach = family;
        for (std::uint32_t item : more)
          if (update.withdrawn.size() < kPerUpdate) update.withdrawn.push_back({world.prefixes[item], id});
      }
    }
    out.push_back(update);
  }
}

}  // namespace

std::vector<NaiveUpdate> updates_of(const World& world, const Action& action) {
  const PeerSpec& peer = world.peers[action.peer];
  std::vector<NaiveUpdate> out;
  NaiveUpdate update;
  switch (action.kind) {
    case Kind::announce:
    case Kind::withdraw:
    case Kind::announce_and_withdraw:
    case Kind::announce_broken:
      for (bool is_v6 : {false, true})
        add_vpn_updates(world, action, is_v6 ? Family::vpnv6 : Family::vpnv4, of_family(world, peer, action.items, is_v6), of_family(world, peer, action.more, is_v6), out);
      break;
    case Kind::rtc_announce:
    case Kind::rtc_withdraw: {
      if (!peer.has(Family::rtc)) break;
      auto& list = action.kind == Kind::rtc_announce ? update.announced_rtc : update.withdrawn_rtc;
      (action.kind == Kind::rtc_announce ? update.reach : update.unreach) = Family::rtc;
      update.attributes = make_attributes(world, peer, action.variant, Family::rtc);
      for (std::uint32_t item : action.items) list.push_back(world.memberships[item]);
      out.push_back(update);
      break;
    }
    case Kind::rtc_end_of_rib:
    case Kind::vpn_end_of_rib:
      update.end_of_rib = action.kind == Kind::rtc_end_of_rib ? Family::rtc : action.family;
      if (peer.has(*update.end_of_rib)) out.push_back(update);
      break;
    default: break;
  }
  return out;
}

void Simulation::execute(const Action& action) {
  random_ = Random(world_.seed * 7919 + action.serial);
  bool is_up = peers_[action.peer].end->is_up();
  switch (action.kind) {
    case Kind::up: up(action.peer, action.variant == 0); break;
    case Kind::down: down(action.peer, static_cast<Ending>(action.variant)); break;
    case Kind::announce:
    case Kind::withdraw:
    case Kind::announce_and_withdraw:
    case Kind::announce_broken:
    case Kind::rtc_announce:
    case Kind::rtc_withdraw:
    case Kind::rtc_end_of_rib:
    case Kind::vpn_end_of_rib:
      if (!is_up) break;
      for (const NaiveUpdate& update : updates_of(world_, action)) {
        send(action.peer, update);
        if (random_.percent(10)) rounds(1);
      }
      break;
    case Kind::pause:
      // One that does not read does not answer the ROUTE-REFRESH that a change of policies for memberships asks for.
      if (is_up && (world_.policies.empty() || !world_.peers[action.peer].has(Family::rtc))) {
        pause(action.peer);
        auditor_.set_tolerant(true);
      }
      break;
    case Kind::resume: resume(action.peer); break;
    case Kind::refresh: refresh(action.peer, action.family); break;
    case Kind::advance: 
      // Ranking takes a turn of two shards, not the seconds that pass here: the wait for End-of-RIB must not end meanwhile.
      if (std::ranges::any_of(world_.peers, [](const PeerSpec& p) { return p.external_paths != 0; }))
        for (int i = 0; i < 3; ++i) settle_turns();
      advance(std::chrono::seconds{action.turns});
      if (world_.limits) finish_removals();
      return;
    case Kind::turns: break;
    case Kind::quiet: check_quiet(); break;
    case Kind::policy: set_policies(action.variant); break;
    case Kind::route: set_route(next_hop_pool()[action.variant], action.label == 0 ? std::nullopt : std::optional(action.label)); break;
  }
  // What is being removed counts against limits until it is gone; in the model it is gone at once.
  bool removes = action.kind == Kind::up || action.kind == Kind::down || action.kind == Kind::rtc_end_of_rib || action.kind == Kind::vpn_end_of_rib;
  if (world_.limits && removes) finish_removals();
  rounds(action.turns);
}

Outcome run_script(const Script& script, const EngineFactory& factory) {
  Simulation simulation(script.world, factory);
  std::size_t at = 0;
  for (; at < script.actions.size() && !simulation.failure(); ++at) simulation.execute(script.actions[at]);
  if (!simulation.failure()) {
    for (std::uint32_t i = 0; i < script.world.peers.size(); ++i) simulation.resume(i);
    simulation.check_quiet();
  }
  Outcome outcome = simulation.outcome();
  if (!outcome.failure) {
    simulation.check_empty(script.world.seed % 2 == 0);
    outcome.failure = simulation.failure();
    outcome.digests = simulation.outcome().digests;
  }
  outcome.failed_at = at;
  return outcome;
}

// What kind of failure it is: the words of its first line, without numbers and names of routes.
static std::string kind_of(const std::string& failure) {
  std::string out;
  for (char c : failure.substr(0, failure.find('\n')))
    if (std::isalpha(static_cast<unsigned char>(c)) && out.size() < 28) out += c;
  return out;
}

Script shrink(const Script& script, const EngineFactory& factory, std::uint32_t max_runs) {
  Script best = script;
  std::uint32_t runs = 0;
  Outcome first = run_script(best, factory);
  if (!first.failure) return best;
  if (first.failed_at < best.actions.size()) best.actions.resize(first.failed_at);
  auto still_fails = [&, kind = kind_of(*first.failure)](const Script& candidate) {
    if (++runs > max_runs) return false;
    Outcome outcome = run_script(candidate, factory);
    return outcome.failure && kind_of(*outcome.failure) == kind;
  };
  for (std::size_t chunk = std::max<std::size_t>(1, best.actions.size() / 2); runs < max_runs;) {
    bool did_shrink = false;
    for (std::size_t at = 0; at < best.actions.size() && runs < max_runs;) {
      Script candidate = best;
      auto from = candidate.actions.begin() + static_cast<std::ptrdiff_t>(at);
      candidate.actions.erase(from, from + static_cast<std::ptrdiff_t>(std::min(chunk, best.actions.size() - at)));
      if (still_fails(candidate)) {
        best = candidate;
        did_shrink = true;
      } else {
        at += chunk;
      }
    }
    if (chunk > 1)
      chunk /= 2;
    else if (!did_shrink)
      break;
  }
  // Within the actions that are left: halve or thin out the lists, drop the turns.
  for (std::size_t i = 0; i < best.actions.size(); ++i) {
    auto attempt = [&](auto&& change) {
      Script candidate = best;
      change(candidate.actions[i]);
      if (!still_fails(candidate)) return false;
      best = candidate;
      return true;
    };
    if (best.actions[i].kind != Kind::advance && best.actions[i].turns != 0) attempt([](Action& a) { a.turns = 0; });
    if (!best.actions[i].more.empty()) attempt([](Action& a) { a.more.clear(); });
    while (best.actions[i].items.size() > 8 && runs < max_runs) {
      if (attempt([](Action& a) { a.items.resize(a.items.size() / 2); })) continue;
      if (!attempt([](Action& a) { a.items.erase(a.items.begin(), a.items.begin() + static_cast<std::ptrdiff_t>(a.items.size() / 2)); })) break;
    }
    for (std::size_t n = 0; n < best.actions[i].items.size() && best.actions[i].items.size() > 1 && best.actions[i].items.size() <= 8;)
      if (!attempt([&](Action& a) { a.items.erase(a.items.begin() + static_cast<std::ptrdiff_t>(n)); })) ++n;
  }
  return best;
}

std::string check_seed(std::uint64_t seed, const ScriptOptions& options, const EngineFactory& factory) {
  Script script = make_script(seed, options);
  Outcome outcome = run_script(script, factory);
  if (!outcome.failure) return "";
  Script minimal = shrink(script, factory, options.bulk ? 400 : 1500);
  Outcome again = run_script(minimal, factory);
  return fmt::format("{}\nminimal script: {}\nfound as: {} (action {} of {})\nreplay: HELIO_SEED={} helio-test-property --gtest_filter=<this test>\n", again.failure.value_or("(not reproduced)"),
                     format_script(minimal), *outcome.failure, outcome.failed_at, script.actions.size(), seed);
}

}  // namespace helio::test

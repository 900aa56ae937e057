#include "rr/control/config_impact.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <string>

namespace helio::control {
namespace {

using Effect = ChangeImpact::Effect;
using reflector::PeerView;

// "peer-groups[pe-east].role": root, entry, key.
struct Place {
  std::string_view root, entry, key;
};
Place place_of(std::string_view path) {
  Place place;
  std::size_t bracket = path.find('['), dot = path.find('.');
  if (bracket == std::string_view::npos || bracket > dot) {
    place.root = path.substr(0, dot);
    if (dot == std::string_view::npos) return place;
    // "policy.sets[x].prefixes"
    std::size_t second = path.find('[', dot);
    if (second == std::string_view::npos) {
      place.key = path.substr(dot + 1);
      return place;
    }
    place.root = path.substr(0, second);
    bracket = second;
  } else {
    place.root = path.substr(0, bracket);
  }
  std::size_t end = path.find(']', bracket);
  place.entry = path.substr(bracket + 1, end - bracket - 1);
  if (end + 1 < path.size()) place.key = path.substr(end + 2);
  return place;
}

struct Users {
  std::set<std::string> importing, exporting;  // peer groups
};

// Groups whose policies contain one of the statements.
void add_users(const config::Config& config, const std::set<std::string>& statements, Users& users) {
  auto uses = [&](const std::vector<std::string>& names) { return std::ranges::any_of(names, [&](const std::string& n) { return statements.contains(n); }); };
  for (const config::PeerGroup& group : config.peer_groups) {
    if (uses(group.import_policy)) users.importing.insert(group.name);
    if (uses(group.export_policy)) users.exporting.insert(group.name);
  }
}

std::set<std::string> statements_with_set(const config::Config& config, std::string_view set) {
  std::set<std::string> out;
  const config::Node* statements = config.tree.find("policy.statements");
  if (statements == nullptr || statements->array() == nullptr) return out;
  for (const config::Node& statement : *statements->array()) {
    const config::Node* name = statement.find("name");
    const config::Node* match = statement.find("match");
    if (name == nullptr || name->text() == nullptr || match == nullptr || match->table() == nullptr) continue;
    for (const config::TableEntry& entry : *match->table())
      if (entry.node.text() != nullptr && *entry.node.text() == set) out.insert(*name->text());
  }
  return out;
}

Users policy_users(const Place& place, const config::Config& running, const config::Config& wanted) {
  Users users;
  for (const config::Config* config : {&running, &wanted}) {
    std::set<std::string> statements;
    if (place.root == "policy.sets") statements = statements_with_set(*config, place.entry);
    else statements.insert(std::string(place.entry));
    add_users(*config, statements, users);
  }
  return users;
}

void count(ChangeImpact& impact, const PeerView& peer, bool received, bool sent) {
  ++impact.peers;
  if (peer.state != "Established") return;
  ++impact.sessions;
  for (const reflector::PeerFamilyView& family : peer.families) {
    if (!wire::has_route_targets(family.family)) continue;
    if (received) impact.routes_received += family.received;
    if (sent) impact.routes_sent += family.sent;
  }
}

}  // namespace

std::string_view effect_name(Effect effect) {
  switch (effect) {
    case Effect::none: return "none";
    case Effect::settings: return "settings";
    case Effect::judged_again: return "judged-again";
    case Effect::session_reset: return "session-reset";
    case Effect::session_closed: return "session-closed";
    case Effect::restart: return "restart";
  }
  return {};
}

ChangeImpact impact_of(const config::Change& change, const config::Config& running, const config::Config& wanted, const std::vector<PeerView>& peers) {
  ChangeImpact impact;
  Place place = place_of(change.path);
  auto all_of = [&](Effect effect, const std::function<bool(const PeerView&)>& concerned) {
    impact.effect = effect;
    for (const PeerView& peer : peers)
      if (concerned(peer)) count(impact, peer, true, true);
  };
  auto everybody = [](const PeerView&) { return true; };
  if (change.reload == config::Reload::restart) {
    all_of(Effect::restart, everybody);
    return impact;
  }
  Effect effect = change.reload == config::Reload::session_reset ? Effect::session_reset : Effect::settings;
  if (place.root == "policy.sets" || place.root == "policy.statements" || place.key == "import-policy" || place.key == "export-policy") {
    impact.effect = Effect::judged_again;
    Users users;
    if (place.key == "import-policy") users.importing.emplace(place.entry);
    else if (place.key == "export-policy") users.exporting.emplace(place.entry);
    else users = policy_users(place, running, wanted);
    for (const PeerView& peer : peers) {
      bool in = users.importing.contains(peer.group), out = users.exporting.contains(peer.group);
      if (in || out) count(impact, peer, in, out);
    }
    if (impact.peers == 0) impact.effect = Effect::none;
  } else if (place.root == "peer-groups") {
    if (change.kind == config::Change::Kind::changed) all_of(effect, [&](const PeerView& peer) { return peer.group == place.entry; });
  } else if (place.root == "neighbors") {
    auto address = wire::parse_ip(place.entry);
    if (change.kind == config::Change::Kind::removed) effect = Effect::session_closed;
    if (change.kind == config::Change::Kind::removed || place.key != "description")
      all_of(effect, [&](const PeerView& peer) { return address && peer.address == *address; });
    // One that comes may be known as a dynamic one already.
    if (change.kind == config::Change::Kind::added && impact.peers == 0) impact.peers = 1;
  } else if (place.root == "listen-ranges") {
    auto prefix = config::parse_ip_prefix(place.entry);
    if (change.kind == config::Change::Kind::removed) effect = Effect::session_closed;
    if (prefix && (change.kind != config::Change::Kind::added)) all_of(effect, [&](const PeerView& peer) { return peer.dynamic && prefix->contains(peer.address); });
  } else if (place.root == "timers" || place.root == "families" || place.root == "rt-constrain" || place.root == "slow-peer" || place.root == "graceful-restart") {
    all_of(effect, everybody);
  } else if (place.root == "global") {
    all_of(Effect::judged_again, everybody);  // graceful-shutdown: what is sent changes
  }
  return impact;
}

}  // namespace helio::control

// Policies as written: names and texts, before anything is looked up or parsed. The configuration makes this;
// compile.hpp turns it into what the engine runs.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "rr/base/ids.hpp"
#include "rr/session/settings.hpp"

namespace helio::policy {

struct SetDefinition {
  std::string name;
  std::vector<std::string> route_targets, route_distinguishers, prefixes, communities, extended_communities, large_communities, as_paths,
      next_hops, peers;
};

enum class Action : std::uint8_t { accept, reject, go_on };

struct StatementDefinition {
  std::string name;
  // Conditions: names of sets, "" for none. All must hold.
  std::string any_route_target_in, any_membership_in, route_distinguisher_in, prefix_in, any_community_in, any_extended_community_in,
      any_large_community_in, as_path_in, next_hop_in, peer_in;
  std::optional<session::PeerRole> source_role;
  std::optional<wire::FamilySet> families;
  Action action = Action::accept;
  // What a route that matches is given.
  std::optional<std::uint32_t> local_preference, med;
  std::optional<std::uint64_t> aigp;
  std::string next_hop;
  std::vector<std::string> communities_add, communities_remove, extended_communities_add, extended_communities_remove, large_communities_add,
      large_communities_remove, route_targets_add, route_targets_remove;
  Asn prepend_as = 0;  // 0: the reflector's
  std::uint32_t prepend_repeat = 0;
};

struct GroupDefinition {
  std::string name;
  std::vector<std::string> import_policy, export_policy;  // statements in order
};

struct Definition {
  Asn local_as = 0;
  std::vector<SetDefinition> sets;
  std::vector<StatementDefinition> statements;
  std::vector<GroupDefinition> groups;
};

// A mistake, by the key of the configuration it stands in: "policy.sets[1].prefixes[3]".
struct DefinitionError {
  std::string key;
  std::string message;
  std::string hint;
  std::string word;                     // for "did you mean": what was written, and what would have been known
  std::vector<std::string> candidates;
};

}  // namespace helio::policy

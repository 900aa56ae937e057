#include "rr/policy/imported_targets.hpp"

#include <algorithm>
#include <bit>

#include "rr/policy/patterns.hpp"

namespace helio::policy {
namespace {

template <class Items>
auto* named(Items& items, std::string_view name) {
  auto at = std::ranges::find_if(items, [&](const auto& item) { return item.name == name; });
  return at == items.end() ? nullptr : &*at;
}

// It says nothing but the route target.
bool is_by_target_alone(const StatementDefinition& s) {
  return s.any_membership_in.empty() && s.route_distinguisher_in.empty() && s.prefix_in.empty() && s.any_community_in.empty() &&
         s.any_extended_community_in.empty() && s.any_large_community_in.empty() && s.as_path_in.empty() && s.next_hop_in.empty() && s.peer_in.empty() &&
         !s.source_role && !s.families;
}

}  // namespace

std::vector<wire::RtMembership> imported_targets(const Definition& definition, std::string_view group_name) {
  std::vector<wire::RtMembership> out;
  std::vector<ExtendedPattern> rejected;
  const GroupDefinition* group = named(definition.groups, group_name);
  if (group == nullptr) return out;
  for (const std::string& name : group->import_policy) {
    const StatementDefinition* statement = named(definition.statements, name);
    if (statement == nullptr || statement->any_route_target_in.empty() || statement->action == Action::go_on) continue;
    const SetDefinition* set = named(definition.sets, statement->any_route_target_in);
    if (set == nullptr) continue;
    for (const std::string& text : set->route_targets) {
      for (const ExtendedPattern& pattern : parse_route_target_pattern(text)) {
        if (statement->action == Action::reject) {
          if (is_by_target_alone(*statement)) rejected.push_back(pattern);
          continue;
        }
        bool is_rejected = std::ranges::any_of(rejected, [&](const ExtendedPattern& r) { return (pattern.mask & r.mask) == r.mask && (pattern.value & r.mask) == r.value; });
        // Masks of route target patterns are leading bits.
        if (!is_rejected) out.push_back({static_cast<std::uint8_t>(32 + std::popcount(pattern.mask)), definition.local_as, pattern.value});
      }
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace helio::policy

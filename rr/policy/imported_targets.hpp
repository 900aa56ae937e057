// What a PE imports, as far as the import policy of its group tells (pitfall 1.25 b): RT membership routes for a PE that cannot
// say them itself.
#pragma once
#include <string_view>
#include <vector>

#include "rr/policy/definition.hpp"

namespace helio::policy {

// The route targets that the group's import policy accepts by name, as memberships of our AS, sorted: a VPN that a PE may export
// to is one that it takes part in. Patterns such as "65000:*" become memberships that are as short. What a statement
// rejects by its route target alone is left out of the statements behind it. Sets that do not exist give nothing.
std::vector<wire::RtMembership> imported_targets(const Definition& definition, std::string_view group);

}  // namespace helio::policy

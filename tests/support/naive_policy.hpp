// A second, deliberately plain reading of policy definitions, over the oracle's route structs: texts are compared as
// texts, nothing is compiled or remembered. It knows what random runs use: exact values and "A:*" patterns, AS path
// expressions of the form "_N_".
#pragma once
#include "rr/policy/definition.hpp"
#include "tests/support/naive_codec.hpp"
#include "tests/support/peer_spec.hpp"

namespace helio::test {

struct NaiveVerdict {
  bool accepted = true;
  bool sets_med = false;
  PathAttributes attributes;
};
// What the import or export policy of `group` makes of a route that came from `from`.
NaiveVerdict apply_policy(const policy::Definition& definition, const std::string& group, bool is_import, const PeerSpec& from,
                          const wire::VpnPrefix& prefix, const PathAttributes& attributes);
bool membership_allowed(const policy::Definition& definition, const std::string& group, bool is_import, const PeerSpec& from,
                        const wire::RtMembership& membership);

}  // namespace helio::test

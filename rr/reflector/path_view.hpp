// From canonical attribute bytes to what a person reads of a path.
#pragma once
#include "rr/reflector/state_source.hpp"

namespace helio::reflector {

// Fills everything that follows from the attributes. For paths of iBGP peers the CLUSTER_LIST is shown as received: our own id,
// which stands first in the canonical form, is left out.
PathView view_of_attributes(wire::Family family, Bytes canonical, Bytes next_hop, bool is_external);

}  // namespace helio::reflector

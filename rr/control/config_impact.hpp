// How many peers and routes a change of the configuration touches, from what the peers have now.
#pragma once
#include <vector>

#include "rr/config/config.hpp"
#include "rr/control/config_control.hpp"
#include "rr/reflector/state_source.hpp"

namespace helio::control {

// Upper bounds: of a policy all routes count that its groups receive or are sent, whatever it makes of them.
ChangeImpact impact_of(const config::Change& change, const config::Config& running, const config::Config& wanted, const std::vector<reflector::PeerView>& peers);

}  // namespace helio::control

// The topology as an SVG picture; with a walk, the way of the packet and the label stack on each link of it.
#pragma once
#include <string>

#include "bench/lab/lib/lab.hpp"

namespace helio::lab {

std::string draw_topology(Lab& lab, const Walk* walk, const std::string& title);

}  // namespace helio::lab

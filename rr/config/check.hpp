// The structural check: a configuration tree against the schema. Reports unknown keys, wrong types, values out of
// range, missing keys and what this version cannot do yet. What keys mean together is validate.hpp's.
#pragma once
#include "rr/config/node.hpp"
#include "rr/config/problem.hpp"

namespace helio::config {

void check_structure(const Node& root, Problems& problems);

}  // namespace helio::config

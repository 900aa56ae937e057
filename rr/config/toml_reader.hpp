// TOML text to the tree of node.hpp. The only place that knows toml++.
#pragma once
#include <optional>
#include <string_view>

#include "rr/config/node.hpp"
#include "rr/config/problem.hpp"

namespace helio::config {

// The root table, or nothing when the text is not TOML (the problem says where). Never throws.
std::optional<Node> read_toml(std::string_view text, Problems& problems);

}  // namespace helio::config

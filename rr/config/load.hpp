// From a file to a checked configuration, or to everything that is wrong with it:
//   text → toml_reader → check (structure) → decode (typed values) → validate (meaning)
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.hpp"
#include "rr/config/config.hpp"

namespace helio::config {

using LoadResult = Result<Config, std::vector<ConfigProblem>>;

// On failure all problems, warnings too, in the order of the file; on success the warnings are in Config::warnings.
LoadResult load_config(const std::string& path);

// The same for text; `file` names it in messages, relative file names are relative to `directory`.
LoadResult parse_config(std::string_view text, const std::string& file, const std::string& directory);

// The same for a tree that was read before. Its `hash` is left empty.
LoadResult config_from_tree(const Node& tree, const std::string& file);

}  // namespace helio::config

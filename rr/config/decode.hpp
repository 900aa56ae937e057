// A configuration tree to typed values. Runs after the structural check, also when that found errors, so that
// validate.hpp can report what else is wrong: a value that cannot be decoded keeps its default.
#pragma once
#include <string>

#include "rr/config/config.hpp"

namespace helio::config {

// `directory` is what relative file names are relative to. Arrays keep the order and length of the tree; neighbours
// and listen ranges whose group does not exist have group kNoGroup.
inline constexpr std::size_t kNoGroup = static_cast<std::size_t>(-1);
Config decode(const Node& root, const std::string& directory);

// An absolute path for a file name of the configuration.
std::string resolve_path(const std::string& name, const std::string& directory);

}  // namespace helio::config

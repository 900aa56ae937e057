// What the values of a configuration mean together: references, duplicates, overlaps, contradictions, secrets.
#pragma once
#include <string>

#include "rr/config/config.hpp"

namespace helio::config {

// `config` was decoded from config.tree. Reads the password files into it.
void validate(Config& config, const std::string& directory, Problems& problems);

}  // namespace helio::config

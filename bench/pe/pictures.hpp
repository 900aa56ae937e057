// The pictures of a run as SVG files: convergence curve, latency histogram, memory over time.
#pragma once
#include "bench/pe/report.hpp"

namespace helio::pe {

// Writes results.json and the pictures that the report has data for; makes the folder.
void write_pictures(const Report& report, const std::string& folder);

}  // namespace helio::pe

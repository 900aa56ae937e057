// --raw: the announcing PEs replay a file of BGP messages as it is, at the same time, and every PE must end
// with exactly the routes that the file leaves announced. All announce the same, so that the path of the
// first PE is the best of them (RFC 4456 §9: lowest ORIGINATOR_ID), and the first PE itself is sent nothing.
#pragma once
#include "bench/pe/lib/options.hpp"
#include "bench/pe/report.hpp"

namespace helio::pe {

// True when everything was right.
bool run_raw(const Options& options, const Plan& plan, Report& report);
// Writes what the first PE of the plan announces at a cold start, as such a file.
void write_raw(const Options& options, const Plan& plan, const std::string& file);

}  // namespace helio::pe

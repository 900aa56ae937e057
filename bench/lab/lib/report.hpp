// Verdicts for people (tables) and for programs (JSON), and the path of one packet.
#pragma once
#include <string>

#include "bench/lab/lib/verdict.hpp"

namespace helio::lab {

// Both matrices of a phase, causes and notes. `with_paths`: also every packet's way with its labels.
std::string format_phase(Lab& lab, const PhaseVerdict& verdict, bool with_paths);
// "two-customers: 12 of 12 pairs reach each other, …: good".
std::string format_summary(const Topology& topology, const std::vector<PhaseVerdict>& phases);
// {"topology":…, "good":…, "phases":[{"pairs":[{"from":…, "path":[{"node":…,"labels":[…]}]}], "causes":[…]}]}
std::string to_json(Lab& lab, const std::vector<PhaseVerdict>& phases);
// "acme-chicago → chicago → [16003 24001] p1 → …".
std::string format_path(Lab& lab, const Walk& walk);
// Hop by hop with labels and TTLs, fragments as well, and what traceroute would show (RFC 4950).
std::string format_trace(Lab& lab, std::size_t from, const IpAddress& source, const IpAddress& destination, std::size_t size = 32, bool may_not_fragment = false);

}  // namespace helio::lab

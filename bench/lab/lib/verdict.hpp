// The judgement: for every ordered pair of sites, what is meant (customers and allowances), what the RT plan says
// (expectation.hpp) and what a packet did (lab.hpp); and for what is wrong, the cause and the helioctl command that shows it.
#pragma once
#include "bench/lab/lib/expectation.hpp"
#include "bench/lab/lib/lab.hpp"

namespace helio::lab {

// One CE to one prefix of another CE.
struct SitePair {
  std::size_t from = 0, to = 0;  // CEs
  Prefix prefix;
  IpAddress source, destination;
  bool is_intended = false;
};
// All that can be sent as the laboratory stands: both sites are up, the prefix is announced, the sender has an address of
// its family.
std::vector<SitePair> site_pairs(const Lab& lab);

struct PairResult : SitePair {
  bool is_planned = false;       // the RTs allow it
  bool arrived = false;
  bool is_as_planned = false;    // it went where the RTs lead, or nowhere when they lead nowhere
  Walk walk;
  enum class Grade : std::uint8_t { reached, isolated, unreached, leaked } grade = Grade::isolated;
};

struct Cause {
  std::string text;
  std::string command;           // helioctl …
  std::vector<std::size_t> pairs;
  std::vector<std::pair<std::string, std::string>> answers;  // of reflectors that are processes, to the command
};

struct PhaseVerdict {
  std::string phase;
  bool is_at_rest = true;        // BGP converged
  std::vector<PairResult> pairs;
  std::vector<Cause> causes;
  std::vector<std::string> notes;  // sessions that are down without hurting anybody
  bool is_good() const { return is_at_rest && causes.empty(); }
};

// Sends a packet for every pair.
PhaseVerdict judge(Lab& lab, const std::string& phase);
// All phases of the topology in turn.
std::vector<PhaseVerdict> run_phases(Lab& lab);

// How a walk ended, in words: "dropped at dallas: no-route".
std::string describe_end(Lab& lab, const Walk& walk);

}  // namespace helio::lab

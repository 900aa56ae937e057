// Real programs between the sites of a laboratory in namespaces: ping from every site to every other one, and iperf3 between
// two sites of each customer while all who are not meant to reach them try as well.
#pragma once
#include "bench/lab/lib/namespaces.hpp"
#include "bench/lab/lib/verdict.hpp"

namespace helio::lab {

struct PingResult : SitePair {
  bool arrived = false;   // at `to`, as the pump saw it
  bool answered = false;  // ping's exit status
  bool is_good() const { return is_intended ? arrived && answered : !arrived; }
};
struct StreamResult : SitePair {
  bool was_carried = false;  // iperf3 reports octets received at the other end
  std::uint64_t bytes = 0;
  double bits_per_second = 0;
  std::string error;         // what iperf3 says instead
  bool is_good() const { return is_intended == was_carried; }
};

// What happened in one phase of the topology.
struct SitesVerdict {
  std::string phase;
  bool is_at_rest = true;  // BGP converged
  std::vector<PingResult> pings;
  std::vector<StreamResult> streams;
  bool is_good() const;
};

// Throw Interrupted when a signal came; what they started is over then.
std::vector<PingResult> ping_all(Lab& lab, Namespaces& namespaces, SignalGuard& signals);
std::vector<StreamResult> stream_all(Lab& lab, Namespaces& namespaces, SignalGuard& signals);

// All phases in turn, each printed by `report` when it is over.
std::vector<SitesVerdict> run_site_phases(Lab& lab, Namespaces& namespaces, SignalGuard& signals, bool with_streams, const std::function<void(const SitesVerdict&)>& report);

std::string format_sites(const Topology& topology, const SitesVerdict& verdict);
std::string format_sites_summary(const std::vector<SitesVerdict>& phases);
std::string sites_to_json(const Topology& topology, const std::vector<SitesVerdict>& phases);

}  // namespace helio::lab

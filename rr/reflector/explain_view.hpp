// What explain tells: why a path is or is not the best one, why a peer is or is not sent it, who exports and who imports a
// route target. Reasons are stable words for scripts and tests; texts are sentences for people.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rr/wire/types.hpp"

namespace helio::reflector {

struct RouteView;

struct ExplainQuery {
  wire::VpnPrefix prefix;                   // with its RD
  std::optional<wire::IpAddress> to;        // a peer
};

// A link of the chain from the route to the peer, in the order in which they are gone through.
struct ExplainStep {
  std::string name;                         // session, family, route, reflection, policy, membership, queue
  bool passed = false;
  std::string text;
};

// One path and the peer that was asked about.
struct DeliveryView {
  bool sent = false;
  std::string reason;                       // "sent", or what stands in the way
  std::string text;
  std::optional<wire::IpAddress> from;      // the path; nothing when no path gets so far
  std::uint32_t path_id = 0;
  std::vector<ExplainStep> steps;
  std::vector<std::string> hints;           // what is likely meant, what to do next
  std::vector<std::uint8_t> update;         // as the peer is sent it, encoded now
};

// An announcement that was lately not taken in.
struct RefusalView {
  wire::IpAddress from;
  std::string reason, text;
  std::uint32_t seconds_ago = 0;
};

struct RtExplanation {
  struct Exporter {
    wire::IpAddress peer;
    std::uint64_t prefixes = 0;             // best paths
  };
  struct Importer {
    wire::IpAddress peer;
    std::string by;                         // the membership that lets it through, or why there is no filter
  };
  wire::RouteTarget rt;
  std::uint64_t prefixes = 0;               // best paths that carry it
  std::vector<Exporter> exporters;
  std::vector<Importer> importers;
  std::vector<std::string> hints;           // orphans, near misses
};

}  // namespace helio::reflector

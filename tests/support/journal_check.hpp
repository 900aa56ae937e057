// Holds the journal against the oracle: what was true at quiet moments is written down, and later the journal has to give
// the same, forwards (best paths) and backwards (memberships).
#pragma once
#include <map>
#include <vector>

#include "rr/reflector/shard.hpp"
#include "tests/support/simulation.hpp"

namespace helio::test {

class JournalCheck {
 public:
  using Shards = std::vector<std::unique_ptr<reflector::Shard>>;
  void remember(const Oracle& oracle, const World& world, const Shards& shards);
  // "" or what the journal got wrong. Nothing has happened since the last moment.
  std::string check(const World& world, const Shards& shards) const;

 private:
  struct Best {
    PeerId from;
    wire::IpAddress next_hop;
    std::vector<std::uint32_t> labels;
  };
  struct Moment {
    std::map<wire::VpnPrefix, Best> best;
    std::map<std::uint32_t, std::vector<wire::RtMembership>> memberships;  // of those that are up, sorted
    std::vector<std::uint64_t> numbers;                                    // by shard: written in its journal by then
  };
  static std::string compare_route(const Moment& then, const Moment& now, const wire::VpnPrefix& prefix, std::span<const rib::JournalRecord> records,
                                   const std::vector<rib::JournalAttributes>& attributes, std::size_t before, bool complete);
  std::vector<Moment> moments_;
};

}  // namespace helio::test

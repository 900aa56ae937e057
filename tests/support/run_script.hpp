// What an action of a script means on the wire, for those who do not run it through a Simulation.
#pragma once
#include "tests/support/simulation.hpp"

namespace helio::test {

// The UPDATEs of an announcing, withdrawing, membership or End-of-RIB action; none for the other kinds.
std::vector<NaiveUpdate> updates_of(const World& world, const Action& action);
// What the session tells the engine of a peer.
session::EstablishedPeer established_peer(const World& world, std::uint32_t peer, bool preserves = true);

}  // namespace helio::test

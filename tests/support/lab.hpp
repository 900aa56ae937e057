// Scenario tests in a few words: peers by role and family, routes by text, and a quiet point after each step. The oracle
// checks along; what a scenario is about is asserted by the scenario itself.
#pragma once
#include <gtest/gtest.h>

#include "tests/support/simulation.hpp"

namespace helio::test {

inline constexpr std::uint32_t kRrRouterId = 0x0aff0001, kRrClusterId = 0x0aff0001;
inline constexpr Asn kRrAs = 65000;

// A client with VPNv4, with or without RTC; address 127.0.0.(10 + n).
PeerSpec client_with_rtc();
PeerSpec client_without_rtc();
PeerSpec non_client_with_rtc();
PeerSpec external_peer(Asn as);

struct RouteText {
  std::string rd = "65000:1";
  std::string prefix = "10.0.0.0/24";
  std::vector<std::string> rts = {"65000:1"};
  std::uint32_t label = 100;
  std::optional<std::uint32_t> med = std::nullopt;
  std::vector<Asn> as_path = {};
  std::uint32_t local_pref = 100;
  std::uint32_t path_id = 0;  // of peers with add_path_receive
};

class Lab {
 public:
  // Peer ids follow the order; all are brought up and settled unless `start` is false.
  Lab(const EngineFactory& factory, std::vector<PeerSpec> peers, std::uint32_t shards = 1, bool start = true, bool tiny_limits = false,
      std::vector<policy::Definition> policies = {});

  static wire::VpnPrefix key(const std::string& rd, const std::string& prefix);
  static PathAttributes attributes(const RouteText& route);
  static wire::RtMembership membership(const std::string& rt, Asn origin_as = kRrAs, unsigned length = 96);  // "" with 0: the default

  void announce(std::uint32_t peer, const RouteText& route);
  void announce(std::uint32_t peer, const RouteText& route, const PathAttributes& attributes);
  void withdraw(std::uint32_t peer, const std::string& rd, const std::string& prefix, std::uint32_t label = 0x800000, std::uint32_t path_id = 0);
  void join(std::uint32_t peer, const wire::RtMembership& m);
  void leave(std::uint32_t peer, const wire::RtMembership& m);
  void join(std::uint32_t peer, const std::string& rt) { join(peer, membership(rt)); }
  void leave(std::uint32_t peer, const std::string& rt) { leave(peer, membership(rt)); }
  void end_of_rib(std::uint32_t peer) { sim.send_rtc_end_of_rib(peer); }
  // Runs until quiet and checks everything; a failure is reported once.
  void quiet();

  const HeldRoute* held(std::uint32_t peer, const std::string& rd, const std::string& prefix) const;
  bool holds(std::uint32_t peer, const std::string& prefix, const std::string& rd = "65000:1") const { return held(peer, rd, prefix) != nullptr; }
  // All paths of a prefix by path id.
  std::map<std::uint32_t, HeldRoute> paths(std::uint32_t peer, const std::string& prefix, const std::string& rd = "65000:1") const;
  const PathAttributes* rtc_held(std::uint32_t peer, const wire::RtMembership& m) const;
  // Routes (announced and withdrawn, VPN and RTC) that a peer was sent since the last call for it.
  std::uint64_t sent_since(std::uint32_t peer);

  World world;
  Simulation sim;

 private:
  std::vector<std::uint64_t> marks_;
};

}  // namespace helio::test

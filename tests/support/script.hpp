// What a simulated run is made of: a world (reflector, peers, pools of small size so that things collide) and a list of
// actions. Both follow from a seed alone; actions are plain data, so that a failing run can be printed and shrunk.
#pragma once
#include <string>
#include <vector>

#include "tests/support/oracle.hpp"

namespace helio::test {

// SplitMix64: the same numbers on every platform.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(next() % n); }
  bool percent(unsigned p) { return below(100) < p; }
  template <class T>
  const T& pick(const std::vector<T>& from) { return from[below(static_cast<std::uint32_t>(from.size()))]; }

 private:
  std::uint64_t state_;
};

// Attribute type that fills a message by itself; such routes are announced one by one.
inline constexpr std::uint8_t kBulkyAttribute = 203;

struct World {
  std::uint64_t seed = 0;
  std::uint32_t shards = 1;
  bool tiny_limits = false;  // queues of a few KB: the slow-reader path all the time
  bool bulk = false;         // hundreds of prefixes per action
  bool long_lived = false;   // RFC 9494 is turned on
  bool limits = false;       // peers have prefix limits
  bool evpn = false;         // VPNv6 routes are EVPN routes on the wire (evpn_disguise.hpp); the real engine only
  ReflectorSpec reflector;
  std::vector<PeerSpec> peers;
  std::vector<wire::VpnPrefix> prefixes;
  std::vector<wire::RtMembership> memberships;
  std::vector<std::vector<std::uint64_t>> rt_sets;  // extended communities, in the order sent
  std::vector<policy::Definition> policies;         // the first is in force at first; empty: none
  bool tracks_next_hops = false;
  std::map<wire::IpAddress, std::uint32_t> routes;  // to next hops, with their metric, at first
};

struct Action {
  enum class Kind : std::uint8_t {
    up, down, announce, withdraw, announce_and_withdraw, announce_broken, rtc_announce, rtc_withdraw, rtc_end_of_rib,
    vpn_end_of_rib, pause, resume, refresh, turns, advance, quiet, policy, route
  };
  Kind kind = Kind::quiet;
  std::uint32_t serial = 0;              // seeds everything random in the execution of this action
  std::uint32_t peer = 0;
  std::vector<std::uint32_t> items;      // indexes of prefixes or memberships
  std::vector<std::uint32_t> more;       // announce_and_withdraw: the withdrawn ones
  std::uint32_t variant = 0;             // attributes; `down`: the Ending; `up`: 1 = without F bits
  std::uint32_t label = 0;
  std::uint32_t path_id = 0;             // of announcements and withdrawals, where the peer sends ids
  wire::Family family = wire::Family::vpnv4;
  std::uint32_t turns = 0;               // rounds to run afterwards; `advance`: seconds
};

struct Script {
  World world;
  std::vector<Action> actions;
};

struct ScriptOptions {
  std::uint32_t shards = 0;  // 0: by the seed
  std::uint32_t actions = 80;
  bool tiny_limits = false;
  bool bulk = false;
  bool policies = false;
  bool limits = false;       // prefix limits with discard-new; one shard: with more, order between them decides who fits
  bool next_hops = false;    // tracked; their routes come and go
  bool evpn = false;
  bool slice = false;        // the reflector is one plane of several
};

Script make_script(std::uint64_t seed, const ScriptOptions& options);

// The attributes an announcement of `peer` with this variant carries, as put on the wire.
PathAttributes make_attributes(const World& world, const PeerSpec& peer, std::uint32_t variant, wire::Family family);
std::vector<std::uint32_t> make_labels(std::uint32_t label);
// The next hops that announcements and policies use, for `route` actions (by variant; label 0: no route, else its metric).
const std::vector<wire::IpAddress>& next_hop_pool();

std::string format_action(const World& world, const Action& action);
std::string format_script(const Script& script);

}  // namespace helio::test

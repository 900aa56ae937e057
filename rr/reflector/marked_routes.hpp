// MarkedRoutes: the memberships that one PE without RT-Constrain says by marked routes (pitfall 1.25 c): a VPN route with the
// agreed community carries the PE's import targets as its route targets. Such a route is a message to the reflector and
// is never reflected. A membership lasts as long as a marked route names it. On its session's shard, its thread only.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "rr/wire/vpn_nlri.hpp"

namespace helio::reflector {

class MarkedRoutes {
 public:
  // Targets that are memberships whatever the routes say.
  explicit MarkedRoutes(std::span<const std::uint64_t> always);

  // Route targets that became memberships, and those that ceased to be.
  struct Changes {
    std::vector<std::uint64_t> began, ended;
  };
  // Announced with the mark: entries in wire form, already checked.
  void mark(wire::Family family, bool has_path_id, Bytes nlri, std::span<const std::uint64_t> targets, Changes& out);
  // Withdrawn, or announced without the mark.
  void unmark(wire::Family family, bool has_path_id, bool is_withdrawal, Bytes nlri, Changes& out);
  // Enhanced route refresh (RFC 7313): what is not announced again between begin and end is gone.
  void refresh_begins(wire::Family family);
  void refresh_ends(wire::Family family, Changes& out);

  std::size_t routes() const { return routes_.size(); }
  // All memberships, sorted.
  std::vector<std::uint64_t> targets() const;

 private:
  struct Key {
    wire::Family family;
    std::uint64_t rd = 0;
    std::uint32_t path_id = 0;
    std::uint8_t length = 0;
    std::array<std::uint8_t, 16> prefix{};
    auto operator<=>(const Key&) const = default;
  };
  static Key key_of(wire::Family family, bool has_path_id, const wire::VpnNlri& nlri);
  void add(std::span<const std::uint64_t> targets, Changes& out);
  void remove(std::span<const std::uint64_t> targets, Changes& out);

  std::map<Key, std::vector<std::uint64_t>> routes_;
  std::map<std::uint64_t, std::uint32_t> users_;  // routes that name the target
  std::set<Key> unsaid_;                          // since a BoRR
  std::set<wire::Family> refreshing_;
};

}  // namespace helio::reflector

// A file of raw BGP messages, as BNG Blaster's bgpupdate writes and replays them: loaded once, shared by all
// sessions. Read for what a PE holds after them: per VPN prefix the labels, next hop and attributes of its
// last announcement. RFC 4271 §4.1, RFC 4760, RFC 4364 §4.3.4.
#pragma once
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/pe/lib/stream.hpp"

namespace helio::pe {

// An UPDATE's VPN routes with everything about them that a reflector must not change.
struct RawUpdate {
  struct Route {
    std::string key;     // AFI, RD, prefix length, prefix
    std::string labels;  // empty in a withdrawal
  };
  std::vector<Route> announced, withdrawn;
  // Next hop and attributes in a canonical form, but for ORIGINATOR_ID and CLUSTER_LIST.
  std::string attributes;
  std::uint32_t originator = 0;  // 0 = none
  std::vector<std::uint64_t> route_targets;
  bool has_v6 = false;
};
// The body of an UPDATE; false when it is malformed. Other families than VPNv4 and VPNv6 are passed over.
bool read_raw_update(Bytes body, RawUpdate& update);

class RawRoutes {
 public:
  struct Route {
    std::string key, labels;
    std::uint32_t attributes = 0;  // number of the attribute set
    std::uint32_t originator = 0;
  };
  // Throws std::runtime_error when the bytes are no BGP messages or hold no VPN route.
  explicit RawRoutes(ByteVector bytes);
  static RawRoutes load(const std::string& file);

  Bytes bytes() const { return bytes_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(routes_.size()); }
  const Route& route(std::uint32_t n) const { return routes_[n]; }
  std::uint32_t find(const std::string& key) const;  // kNone when the file does not leave it announced
  bool has_attributes(const Route& route, const std::string& attributes) const {
    return attributes_[route.attributes] == attributes;
  }
  const std::vector<std::uint64_t>& route_targets() const { return route_targets_; }
  bool has_v4() const { return has_v4_; }
  bool has_v6() const { return has_v6_; }

  static constexpr std::uint32_t kNone = 0xffffffff;

 private:
  ByteVector bytes_;
  std::vector<Route> routes_;
  std::vector<std::string> attributes_;
  boost::unordered_flat_map<std::string, std::uint32_t> index_;
  std::vector<std::uint64_t> route_targets_;
  bool has_v4_ = false, has_v6_ = false;
};

}  // namespace helio::pe

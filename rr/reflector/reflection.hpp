// Reflection rules (RFC 4456, RFC 4271 §5 and §9.1): from the attributes of a received UPDATE to the canonical form in
// which they leave to iBGP peers, with everything computed that the RIB wants to know. Pure; scratch is reused.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "rib/attribute_store.hpp"
#include "rr/session/settings.hpp"
#include "rr/wire/update.hpp"

namespace helio::reflector {

// Where the UPDATE came from.
struct Source {
  session::PeerRole role = session::PeerRole::client;
  std::uint32_t router_id = 0;        // of the peer
  bool four_octet_as = true;
  std::uint32_t own_router_id = 0;
  std::uint32_t own_cluster_id = 0;   // of the peer's cluster: prepended to CLUSTER_LIST and looked for in it
  Asn own_as = 0;
  bool heeds_graceful_shutdown = false;  // RFC 8326: LOCAL_PREF 0 for what carries the community
  std::span<const std::uint32_t> other_cluster_ids;  // further ones of this reflector, looked for too
  bool is_meshed = false;             // its cluster reflects among clients by itself
  bool long_lived_stale = false;      // LLGR_STALE means what RFC 9494 says
};

// What of the attributes the decision looks at beyond RFC 4271, and how large they may become.
struct DecisionOptions {
  bool aigp = false;                  // RFC 7311
  bool cost_communities = true;       // draft-ietf-idr-custom-decision
  bool missing_med_is_worst = false;
  Asn own_as = 0;                     // in front of AS_PATH towards external neighbours
};

// Why the routes of an UPDATE are not used (and withdrawn if they were). too_long: fits no message any more. other_plane: none
// of their route targets is in this reflector's slice (found by Shard, not here).
enum class Exclusion : std::uint8_t { none, originator_loop, cluster_loop, as_loop, too_long, other_plane, count_ };
std::string_view exclusion_name(Exclusion exclusion);

// By how many octets the attributes with this AS_PATH grow at most towards a two-octet neighbour, external or not: AS4_PATH
// stands beside AS_PATH with what does not fit there, our own AS perhaps, and AS4_AGGREGATOR (RFC 6793 §4.2.2).
std::size_t as4_growth(Bytes as_path4, Asn own_as);

class Canonicaliser {
 public:
  explicit Canonicaliser(const DecisionOptions& options = {}) : options_(options) {}

  // Fills `out`, whose spans point into this object and into the message, until the next call. An excluded route's
  // attributes are not filled.
  Exclusion build(const wire::UpdateView& update, Bytes next_hop, const Source& source, rib::CanonicalAttributes& out);

  // The same for attributes that are in canonical form already, after a policy changed them. `like` has what does not
  // follow from them: originator, cluster list length, where the route came from.
  Exclusion describe(Bytes next_hop, Bytes canonical, const rib::DecisionKey& like, rib::CanonicalAttributes& out);

 private:
  void start(rib::CanonicalAttributes& out);
  // Takes what the RIB wants to know out of one attribute, AS_PATH in four-octet form.
  void note(std::uint8_t type, Bytes value, rib::CanonicalAttributes& out);
  Exclusion finish(Bytes next_hop, Bytes bytes, rib::CanonicalAttributes& out);
  void add(const wire::AttributeView& attribute);
  void add_reflection_attributes(const wire::UpdateView& update, const Source& source, std::uint8_t type);

  std::vector<std::uint8_t> bytes_, value_;
  std::vector<std::uint64_t> targets_;
  std::vector<wire::RouteTarget> found_;
  std::vector<wire::RouteTarget6> targets6_;
  std::size_t growth_ = 0;  // towards two-octet neighbours
  DecisionOptions options_;
  rib::DecisionExtras extras_;
};

// May a path learned from a peer of role `from` be sent to a peer of role `to` (RFC 4456 §6, RFC 4271 §9.2)?
constexpr bool may_reflect(session::PeerRole from, session::PeerRole to) {
  return from != session::PeerRole::non_client || to != session::PeerRole::non_client;
}

}  // namespace helio::reflector

#include "rr/reflector/reflection.hpp"

#include <algorithm>
#include <array>

#include "rib/encoding_class.hpp"
#include "rr/base/vectors.hpp"
#include "rr/wire/attribute_table.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/evpn_nlri.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/update_encode.hpp"
#include "rr/wire/vpn_nlri.hpp"

namespace helio::reflector {

namespace attr = wire::attr;
using session::PeerRole;

namespace {

// Beside the attributes: an NLRI of the largest kind, and what else may be added: a next hop of our own that is longer, our AS in
// front of AS_PATH in a segment of its own, an extended length for that.
constexpr std::size_t kAdded = 12 + 6 + 1, kRoomForVpn = 96, kRoomForEvpn = 128;
static_assert(kRoomForVpn >= 1 + 4 + 3 * wire::kMaxLabels + 8 + 16 + kAdded && kRoomForEvpn >= wire::kMaxEvpnEntry + kAdded);

// The next hops of the VPN families have an RD in front, those of EVPN and RT-Constrain have none.
std::size_t room_for_one_route(Bytes next_hop) { return next_hop.size() % 12 == 0 ? kRoomForVpn : kRoomForEvpn; }

bool contains_cluster(Bytes list, std::uint32_t cluster) {
  for (std::size_t i = 0; i + 4 <= list.size(); i += 4)
    if (load_be32(list.data() + i) == cluster) return true;
  return false;
}


// The points of insertion that are known (custom-decision §3, as IOS uses them): 128 before everything else, 129 after
// the IGP metric. A cost community is a non-transitive opaque one: type 0x43, subtype 1, point, id, cost.
constexpr std::uint8_t kCostType = 0x43, kCostSubtype = 0x01, kFirstPoint = 128, kIgpPoint = 129;

void collect_costs(Bytes communities, rib::DecisionExtras& extras) {
  for (std::size_t at = 0; at + 8 <= communities.size(); at += 8) {
    const std::uint8_t* c = communities.data() + at;
    if (c[0] != kCostType || c[1] != kCostSubtype || (c[2] != kFirstPoint && c[2] != kIgpPoint)) continue;
    auto& costs = c[2] == kFirstPoint ? extras.first_costs : extras.igp_costs;
    rib::DecisionExtras::Cost cost{c[3], load_be32(c + 4)};
    auto place = std::find_if(costs.begin(), costs.end(), [&](const auto& other) { return other.id >= cost.id; });
    if (place != costs.end() && place->id == cost.id) place->value = std::min(place->value, cost.value);
    else costs.insert(place, cost);
  }
}

}  // namespace

std::size_t as4_growth(Bytes as_path4, Asn own_as) {
  constexpr std::size_t kShort = 64, kHeaders = 4 + 1, kAggregator = 3 + 8 - 2;
  // Nearly all paths are short: twice as long is no matter there, and nothing has to be built.
  if (as_path4.size() <= kShort) return as_path4.size() + 2 * 6 + kHeaders + kAggregator;
  std::vector<std::uint8_t> path, narrow, wide;
  wire::prepend_as(path, as_path4, own_as, 1);
  wire::split_as_path(narrow, wide, path);
  std::size_t both = narrow.size() + (wide.empty() ? 0 : wide.size() + kHeaders);
  return kAggregator + (both > as_path4.size() ? both - as_path4.size() : 0);
}

std::string_view exclusion_name(Exclusion exclusion) {
  constexpr std::array<std::string_view, 6> kNames = {"none", "originator_loop", "cluster_loop", "as_loop", "too_long", "other_plane"};
  return kNames[static_cast<std::size_t>(exclusion)];
}

void Canonicaliser::add(const wire::AttributeView& a) {
  std::uint8_t flags = a.flags & 0xe0;
  // RFC 4271 §9: an unrecognised transitive attribute is passed on with the Partial bit set.
  if (wire::find_attribute_rule(a.type) == nullptr) flags |= wire::attr_flag::partial;
  // RFC 4271 §4.3: "For well-known attributes and for optional non-transitive attributes, the Partial bit MUST be set to 0."
  // Whoever set it is not told: RFC 7606 §3.c is about the other two bits.
  constexpr std::uint8_t kMayBePartial = wire::attr_flag::optional | wire::attr_flag::transitive;
  if ((flags & kMayBePartial) != kMayBePartial) flags &= kMayBePartial;
  wire::encode_attribute(bytes_, flags, a.type, a.value);
}

// ORIGINATOR_ID is made when absent and never overwritten; CLUSTER_LIST gets our id in front on every reflection
// (RFC 4456 §8). Routes from eBGP are not reflected and carry neither.
void Canonicaliser::add_reflection_attributes(const wire::UpdateView& update, const Source& source, std::uint8_t type) {
  if (type == attr::originator_id) {
    const wire::AttributeView* present = update.find(attr::originator_id);
    std::uint32_t id = present != nullptr ? load_be32(present->value.data()) : source.router_id;
    wire::encode_attribute_u32(bytes_, wire::attr_flag::optional, attr::originator_id, id);
  } else {
    const wire::AttributeView* present = update.find(attr::cluster_list);
    value_.resize(4);
    store_be32(value_.data(), source.own_cluster_id);
    if (present != nullptr) value_.insert(value_.end(), present->value.begin(), present->value.end());
    wire::encode_attribute(bytes_, wire::attr_flag::optional, attr::cluster_list, value_);
  }
}

Exclusion Canonicaliser::build(const wire::UpdateView& update, Bytes next_hop, const Source& source, rib::CanonicalAttributes& out) {
  bool external = source.role == PeerRole::external;
  const wire::AttributeView* originator = update.find(attr::originator_id);
  const wire::AttributeView* clusters = update.find(attr::cluster_list);
  if (!external) {
    if (originator != nullptr && load_be32(originator->value.data()) == source.own_router_id) return Exclusion::originator_loop;
    if (clusters != nullptr) {
      if (contains_cluster(clusters->value, source.own_cluster_id)) return Exclusion::cluster_loop;
      for (std::uint32_t id : source.other_cluster_ids)
        if (contains_cluster(clusters->value, id)) return Exclusion::cluster_loop;
    }
  }

  // Attribute order is by type: the indices sorted, with the attributes that are made here merged in.
  std::array<std::uint8_t, wire::UpdateView::kMaxAttributes> order;
  for (std::size_t i = 0; i < update.attribute_count; ++i) order[i] = static_cast<std::uint8_t>(i);
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(update.attribute_count),
            [&](std::uint8_t a, std::uint8_t b) { return update.attributes[a].type < update.attributes[b].type; });

  bytes_.clear();
  start(out);
  out.key.originator_id = originator != nullptr && !external ? load_be32(originator->value.data()) : source.router_id;
  out.key.cluster_list_length = clusters != nullptr && !external ? static_cast<std::uint8_t>(std::min<std::size_t>(clusters->value.size() / 4, 255)) : 0;
  out.key.is_external = external;
  out.key.is_reflectable = source.role != PeerRole::non_client;
  if (source.is_meshed && source.role == PeerRole::client) out.scope |= rib::scope::meshed;

  // RFC 8326 §4: "set the LOCAL_PREF attribute of the paths ... to a low value", of which 0 is recommended.
  const wire::AttributeView* communities = source.heeds_graceful_shutdown ? update.find(attr::communities) : nullptr;
  bool shut = communities != nullptr && wire::contains_community(communities->value, wire::community::graceful_shutdown);
  if (shut) out.key.local_pref = 0;
  bool have_local_pref = false, have_originator = external, have_clusters = external;
  auto before = [&](std::uint8_t type) {  // what is made here and sorts before `type`
    if (!have_local_pref && type > attr::local_pref) {
      // RFC 4271 §5.1.5: LOCAL_PREF is in every UPDATE to internal peers; 100 for what came from outside.
      wire::encode_attribute_u32(bytes_, wire::attr_flag::transitive, attr::local_pref, out.key.local_pref);
      have_local_pref = true;
    }
    if (!have_originator && type > attr::originator_id) {
      add_reflection_attributes(update, source, attr::originator_id);
      have_originator = true;
    }
    if (!have_clusters && type > attr::cluster_list) {
      add_reflection_attributes(update, source, attr::cluster_list);
      have_clusters = true;
    }
  };
  for (std::size_t i = 0; i < update.attribute_count; ++i) {
    const wire::AttributeView& a = update.attributes[order[i]];
    before(a.type);
    switch (a.type) {
      case attr::origin:
        note(a.type, a.value, out);
        add(a);
        break;
      case attr::as_path: {
        value_.clear();
        wire::normalise_as_path(value_, update, source.four_octet_as);
        wire::AsPathInfo info = wire::inspect_as_path(value_, true);
        if (external && info.contains(source.own_as)) return Exclusion::as_loop;  // RFC 4271 §9.1.2
        if (value_.size() + kRoomForEvpn > wire::kMaxExtendedMessage) return Exclusion::too_long;
        note(a.type, value_, out);
        wire::encode_attribute(bytes_, wire::attr_flag::transitive, attr::as_path, value_);
        break;
      }
      case attr::next_hop:  // beside MP_REACH of a VPN family it says nothing (field note 3.8)
      case attr::as4_path:
      case attr::as4_aggregator:
        break;
      case attr::med:
        note(a.type, a.value, out);
        add(a);
        break;
      case attr::local_pref:
        if (external || shut) break;
        note(a.type, a.value, out);
        have_local_pref = true;
        add(a);
        break;
      case attr::aggregator:
        value_.clear();
        wire::normalise_aggregator(value_, update, source.four_octet_as);
        if (!value_.empty()) wire::encode_attribute(bytes_, a.flags & 0xe0, attr::aggregator, value_);
        break;
      case attr::communities:
        if (source.long_lived_stale && wire::contains_community(a.value, wire::community::llgr_stale)) {
          out.scope |= rib::scope::llgr_stale;
          out.key.llgr_stale = true;
        }
        note(a.type, a.value, out);
        add(a);
        break;
      case attr::originator_id:
      case attr::cluster_list:
        if (!external) {
          add_reflection_attributes(update, source, a.type);
          (a.type == attr::originator_id ? have_originator : have_clusters) = true;
        }
        break;
      default:
        note(a.type, a.value, out);
        add(a);
    }
  }
  before(255);
  return finish(next_hop, bytes_, out);
}

void Canonicaliser::start(rib::CanonicalAttributes& out) {
  targets_.clear();
  found_.clear();
  targets6_.clear();
  growth_ = 0;
  out = rib::CanonicalAttributes{};
  if (options_.missing_med_is_worst) out.key.med = 0xffffffff;
  extras_.first_costs.clear();
  extras_.igp_costs.clear();
  extras_.has_aigp = false;
}

void Canonicaliser::note(std::uint8_t type, Bytes value, rib::CanonicalAttributes& out) {
  switch (type) {
    case attr::origin: out.key.origin = value[0]; break;
    case attr::as_path: {
      wire::AsPathInfo info = wire::inspect_as_path(value, true);
      growth_ = as4_growth(value, options_.own_as);
      out.key.as_path_length = static_cast<std::uint16_t>(std::min(info.length_for_decision, 65535u));
      out.key.neighbor_as = info.neighbor_as;
      break;
    }
    case attr::med: out.key.med = load_be32(value.data()); break;
    case attr::local_pref: out.key.local_pref = load_be32(value.data()); break;
    case attr::communities:
      if (wire::contains_community(value, wire::community::no_advertise)) out.scope |= rib::scope::no_advertise;
      if (wire::contains_community(value, wire::community::no_export) ||
          wire::contains_community(value, wire::community::no_export_subconfed))
        out.scope |= rib::scope::no_export;
      break;
    case attr::extended_communities:
      wire::collect_route_targets(value, found_);
      if (options_.cost_communities) collect_costs(value, extras_);
      break;
    case attr::aigp:
      if (!options_.aigp) break;
      if (auto metric = wire::find_aigp(value)) {
        extras_.has_aigp = true;
        extras_.aigp = *metric;
      }
      break;
    case attr::ipv6_extended_communities:
      for (std::size_t at = 0; at + 20 <= value.size(); at += 20) {
        const std::uint8_t* c = value.data() + at;
        if (c[0] != 0x00 || c[1] != 0x02) continue;  // RFC 5701 §2: transitive, route target
        std::copy(c, c + 20, targets6_.emplace_back().begin());
      }
      break;
    default: break;
  }
}

Exclusion Canonicaliser::describe(Bytes next_hop, Bytes canonical, const rib::DecisionKey& like, rib::CanonicalAttributes& out) {
  start(out);
  rib::DecisionKey fresh = out.key;
  out.key = like;
  if (like.llgr_stale) out.scope |= rib::scope::llgr_stale;
  out.key.local_pref = fresh.local_pref;
  out.key.med = fresh.med;
  for (Bytes rest = canonical; !rest.empty();) {
    rib::StoredAttribute a = rib::take_attribute(rest);
    note(a.type, a.value, out);
  }
  return finish(next_hop, canonical, out);
}

Exclusion Canonicaliser::finish(Bytes next_hop, Bytes bytes, rib::CanonicalAttributes& out) {
  for (wire::RouteTarget rt : found_) targets_.push_back(rt.value);
  sort_unique(targets_);
  sort_unique(targets6_);
  if (next_hop.size() > 16) out.scope |= rib::scope::ipv6_next_hop;
  std::size_t message = wire::kHeaderSize + 4 + 9 + next_hop.size() + bytes.size() + room_for_one_route(next_hop);
  if (message + growth_ > wire::kMaxExtendedMessage) return Exclusion::too_long;
  if (message > wire::kMaxMessage) out.scope |= rib::scope::extended_size;
  else if (message + growth_ > wire::kMaxMessage) out.scope |= rib::scope::two_octet_size;
  out.key.has_extras = extras_.has_aigp || !extras_.first_costs.empty() || !extras_.igp_costs.empty();
  if (out.key.has_extras) out.extras = &extras_;
  out.next_hop = next_hop;
  out.bytes = bytes;
  out.targets = targets_;
  out.targets6 = targets6_;
  return Exclusion::none;
}

}  // namespace helio::reflector

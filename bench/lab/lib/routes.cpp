#include "bench/lab/lib/routes.hpp"

#include "rr/wire/as_path.hpp"
#include "rr/wire/attributes.hpp"

namespace helio::lab {

using wire::Family;

unsigned as_path_length(const Path& path) { return wire::inspect_as_path(path.as_path, true).length_for_decision; }
bool has_as(const Path& path, Asn as) { return wire::inspect_as_path(path.as_path, true).contains(as); }

wire::Family family_of(const Prefix& prefix, bool is_vpn) {
  if (is_vpn) return prefix.is_v6 ? Family::vpnv6 : Family::vpnv4;
  return prefix.is_v6 ? Family::ipv6_unicast : Family::ipv4_unicast;
}

namespace {

Path read_attributes(const wire::UpdateView& view, const wire::UpdateContext& context) {
  namespace attr = wire::attr;
  Path path;
  if (auto* a = view.find(attr::origin)) path.origin = a->value[0];
  wire::normalise_as_path(path.as_path, view, context.four_octet_as);
  if (auto* a = view.find(attr::med)) path.med = load_be32(a->value.data());
  if (auto* a = view.find(attr::local_pref)) path.local_pref = load_be32(a->value.data());
  if (auto* a = view.find(attr::originator_id)) path.originator = load_be32(a->value.data());
  if (auto* a = view.find(attr::cluster_list)) path.cluster_list_length = static_cast<std::uint32_t>(a->value.size() / 4);
  if (auto* a = view.find(attr::extended_communities)) {
    std::vector<wire::RouteTarget> targets;
    wire::collect_route_targets(a->value, targets);
    for (wire::RouteTarget rt : targets) path.targets.push_back(rt.value);
  }
  if (auto* a = view.find(attr::next_hop)) path.next_hop = IpAddress::v4(load_be32(a->value.data()));
  return path;
}

// Entries of a plain family: [path id][length][prefix].
template <class Function>
void each_unicast(Bytes nlri, bool is_v6, bool has_path_id, Function function) {
  ByteReader r(nlri);
  while (!r.empty()) {
    PathKey key;
    if (has_path_id) key.path_id = r.u32();
    key.prefix.length = r.u8();
    key.prefix.is_v6 = is_v6;
    Bytes octets = r.take((key.prefix.length + 7u) / 8);
    if (!r.ok() || octets.size() > 16) return;
    std::copy(octets.begin(), octets.end(), key.prefix.address.begin());
    function(key);
  }
}

template <class Function>
void each_entry(Family family, Bytes nlri, bool is_withdrawal, const wire::UpdateContext& context, Function function) {
  bool has_path_id = context.add_path_receive.contains(family);
  if (!wire::is_vpn(family)) return each_unicast(nlri, family == Family::ipv6_unicast, has_path_id, [&](const PathKey& key) { function(key, std::vector<std::uint32_t>{}); });
  wire::VpnNlriReader reader(nlri, family == Family::vpnv6, is_withdrawal, has_path_id);
  wire::VpnNlri entry;
  while (reader.next(entry) == wire::NlriStatus::ok) {
    PathKey key;
    key.path_id = has_path_id ? entry.path_id : 0;
    key.prefix.rd = entry.rd;
    key.prefix.length = entry.length;
    key.prefix.is_v6 = family == Family::vpnv6;
    std::copy(entry.prefix, entry.prefix + (entry.length + 7) / 8, key.prefix.address.begin());
    if (entry.length % 8 != 0) key.prefix.address[entry.length / 8] &= static_cast<std::uint8_t>(0xff00 >> entry.length % 8);
    std::vector<std::uint32_t> labels;
    for (unsigned i = 0; i < entry.label_count; ++i) labels.push_back(load_be24(entry.labels + i * 3) >> 4);
    function(key, labels);
  }
}

void read_memberships(Bytes nlri, std::vector<wire::RtMembership>& out) {
  wire::RtcNlriReader reader(nlri, false);
  wire::RtMembership membership;
  std::uint32_t path_id = 0;
  for (;;) {
    auto status = reader.next(membership, path_id);
    if (status == wire::RtcNlriReader::Status::ok) out.push_back(membership);
    else if (status != wire::RtcNlriReader::Status::invalid) return;
  }
}

}  // namespace

Result<RouteChanges, wire::Notification> read_update(Bytes body, const wire::UpdateContext& context) {
  auto view = wire::decode_update(body, context);
  if (!view) return Unexpected(view.error());
  RouteChanges out;
  out.end_of_rib = view->end_of_rib;
  out.errors = view->error_count;
  auto withdraw = [&](const PathKey& key, const auto&) { out.withdrawn.push_back(key); };
  if (view->unreach) {
    if (view->unreach->family == Family::rtc) read_memberships(view->unreach->nlri, out.left);
    else each_entry(view->unreach->family, view->unreach->nlri, true, context, withdraw);
  }
  if (view->withdrawn_reach) each_entry(view->withdrawn_reach->family, view->withdrawn_reach->nlri, false, context, withdraw);
  each_entry(Family::ipv4_unicast, view->ipv4_withdrawn, true, context, withdraw);
  Path path = read_attributes(*view, context);
  if (view->reach && view->reach->family == Family::rtc) {
    read_memberships(view->reach->nlri, out.joined);
  } else if (view->reach) {
    if (auto nh = wire::next_hop_address(view->reach->family, view->reach->next_hop)) path.next_hop = *nh;
    // RFC 4659 §3.2.1.2: an IPv4 core behind an IPv4-mapped next hop.
    if (path.next_hop.is_v6 && load_be64(path.next_hop.bytes.data()) == 0 && load_be32(path.next_hop.bytes.data() + 8) == 0xffff)
      path.next_hop = IpAddress::v4(load_be32(path.next_hop.bytes.data() + 12));
    each_entry(view->reach->family, view->reach->nlri, false, context, [&](const PathKey& key, const std::vector<std::uint32_t>& labels) {
      path.labels = labels;
      out.announced.emplace_back(key, path);
    });
  }
  each_entry(Family::ipv4_unicast, view->ipv4_nlri, false, context, [&](const PathKey& key, const auto&) { out.announced.emplace_back(key, path); });
  return out;
}

void write_route(std::vector<std::uint8_t>& out, const Prefix& prefix, const Path& path, bool is_vpn, bool is_external) {
  namespace attr = wire::attr;
  namespace flag = wire::attr_flag;
  std::vector<std::uint8_t> attributes, next_hop, nlri, targets;
  wire::encode_attribute(attributes, flag::transitive, attr::origin, Bytes(&path.origin, 1));
  wire::encode_attribute(attributes, flag::transitive, attr::as_path, path.as_path);
  if (path.med != 0) wire::encode_attribute_u32(attributes, flag::optional, attr::med, path.med);
  if (!is_external) wire::encode_attribute_u32(attributes, flag::transitive, attr::local_pref, path.local_pref);
  ByteWriter w(targets);
  for (std::uint64_t rt : path.targets) w.u64(rt);
  if (!targets.empty()) wire::encode_attribute(attributes, flag::optional | flag::transitive, attr::extended_communities, targets);
  Family family = family_of(prefix, is_vpn);
  wire::encode_next_hop(next_hop, family, path.next_hop);
  if (is_vpn) {
    std::vector<std::uint32_t> labels;
    for (std::size_t i = 0; i < path.labels.size(); ++i) labels.push_back(wire::label_field(path.labels[i], i + 1 == path.labels.size()));
    wire::encode_vpn_nlri(nlri, prefix, labels);
  } else {
    wire::encode_unicast_nlri(nlri, prefix);
  }
  if (!wire::encode_announcements(out, family, next_hop, attributes, nlri)) return;
}

void write_withdrawal(std::vector<std::uint8_t>& out, const Prefix& prefix, bool is_vpn) {
  std::vector<std::uint8_t> nlri;
  if (is_vpn) wire::encode_vpn_withdraw(nlri, prefix);
  else wire::encode_unicast_nlri(nlri, prefix);
  wire::encode_withdrawals(out, family_of(prefix, is_vpn), nlri);
}

void write_membership(std::vector<std::uint8_t>& out, const wire::RtMembership& membership, const IpAddress& next_hop, bool announce) {
  namespace attr = wire::attr;
  namespace flag = wire::attr_flag;
  std::vector<std::uint8_t> nlri, attributes, field;
  wire::encode_rtc_nlri(nlri, membership);
  if (!announce) return wire::encode_withdrawals(out, Family::rtc, nlri);
  std::uint8_t igp = 0;
  wire::encode_attribute(attributes, flag::transitive, attr::origin, Bytes(&igp, 1));
  wire::encode_attribute(attributes, flag::transitive, attr::as_path, {});
  wire::encode_attribute_u32(attributes, flag::transitive, attr::local_pref, 100);
  wire::encode_next_hop(field, Family::rtc, next_hop);
  if (!wire::encode_announcements(out, Family::rtc, field, attributes, nlri)) return;
}

}  // namespace helio::lab

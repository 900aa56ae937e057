// UPDATE: what the view says lies inside the message, obeys the attribute table and can be walked; a route taken from
// it and encoded anew decodes to the same without an error.
// First octet: bit 0 two-octet AS, 1 external, 2 ADD-PATH, 3 IPv6 next hops, 4 unicast families, 5 family disable.
#include "rr/wire/attribute_table.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/evpn_nlri.hpp"
#include "rr/wire/update_encode.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace helio::fuzz {
namespace {

using namespace wire;

UpdateContext context_of(const Input& input) {
  FamilySet vpn, all;
  for (Family family : {Family::vpnv4, Family::vpnv6, Family::rtc, Family::evpn}) vpn.insert(family);
  all = vpn;
  all.insert(Family::ipv4_unicast);
  all.insert(Family::ipv6_unicast);
  UpdateContext context;
  context.four_octet_as = !input.option(0);
  context.is_external = input.option(1);
  if (input.option(2)) context.add_path_receive = all;
  context.add_path_receive.erase(Family::evpn);  // never negotiated
  if (input.option(3)) context.ipv6_next_hop = all;
  context.families = input.option(4) ? all : vpn;
  context.disable_family_on_error = input.option(5);
  return context;
}

void check_attributes(const UpdateView& view, Bytes body, const UpdateContext& context) {
  bool seen[256] = {};
  for (std::size_t i = 0; i < view.attribute_count; ++i) {
    const AttributeView& attribute = view.attributes[i];
    HELIO_CHECK(inside(attribute.value, body), "attribute in the message");
    HELIO_CHECK(!seen[attribute.type], "attributes do not repeat");
    seen[attribute.type] = true;
    const AttributeRule* rule = find_attribute_rule(attribute.type);
    if (!rule) {
      HELIO_CHECK((attribute.flags & 0xc0) == 0xc0, "unknown attributes are optional transitive");
      continue;
    }
    HELIO_CHECK((attribute.flags & 0xc0) == rule->flags && length_obeys(*rule, attribute.value.size()), "attribute obeys its row");
    HELIO_CHECK(!rule->check || !rule->check(attribute.value, context), "attribute is good");
    HELIO_CHECK(!(rule->internal_only && context.is_external), "internal attributes stay inside");
  }
}

std::size_t count_entries(Family family, Bytes nlri, bool is_withdrawal, const UpdateContext& context) {
  bool has_path_id = context.add_path_receive.contains(family);
  std::size_t count = 0;
  if (family == Family::vpnv4 || family == Family::vpnv6) {
    VpnNlriReader reader(nlri, family == Family::vpnv6, is_withdrawal, has_path_id);
    VpnNlri entry;
    NlriStatus status;
    while ((status = reader.next(entry)) == NlriStatus::ok) ++count;
    HELIO_CHECK(status == NlriStatus::end, "NLRI can be walked");
  } else if (family == Family::evpn) {
    EvpnNlriReader reader(nlri);
    EvpnNlri entry;
    NlriStatus status;
    while ((status = reader.next(entry)) == NlriStatus::ok) ++count;
    HELIO_CHECK(status == NlriStatus::end, "EVPN routes can be walked");
  } else if (family == Family::rtc) {
    RtcNlriReader reader(nlri, has_path_id);
    RtMembership membership;
    std::uint32_t path_id;
    RtcNlriReader::Status status;
    while ((status = reader.next(membership, path_id)) <= RtcNlriReader::Status::invalid) ++count;
    HELIO_CHECK(status == RtcNlriReader::Status::end, "memberships can be walked");
  }
  return count;
}

void encode_again(const UpdateView& view, const UpdateContext& context) {
  Family family = view.reach->family;
  std::vector<std::uint8_t> attributes, out;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < view.attribute_count; ++i) {
    if (view.attributes[i].type == attr::next_hop) continue;
    encode_attribute(attributes, view.attributes[i].flags, view.attributes[i].type, view.attributes[i].value);
    ++kept;
  }
  bool has_path_id = context.add_path_receive.contains(family);
  if (!encode_announcements(out, family, view.reach->next_hop, attributes, view.reach->nlri, has_path_id, kMaxExtendedMessage) || out.empty()) return;
  auto frame = next_frame(out, kMaxExtendedMessage);
  HELIO_CHECK(frame && *frame, "framed");
  if ((*frame)->message.size() != out.size()) return;  // more than one message: nothing left to compare one to one
  UpdateContext strict = context;
  strict.disable_family_on_error = false;
  auto again = decode_update((*frame)->body(), strict);
  HELIO_CHECK(again, "decodes again");
  Bytes nlri = again->reach ? again->reach->nlri : again->ipv4_nlri;
  HELIO_CHECK(same(nlri, view.reach->nlri), "NLRI both ways");
  if (family != Family::rtc) HELIO_CHECK(again->error_count == 0, "no errors the second time");
  if (!again->reach) return;  // IPv4 unicast in its plain fields has a NEXT_HOP attribute
  HELIO_CHECK(again->attribute_count == kept, "attributes both ways");
  std::size_t at = 0;
  for (std::size_t i = 0; i < view.attribute_count; ++i) {
    if (view.attributes[i].type == attr::next_hop) continue;
    const AttributeView& copy = again->attributes[at++];
    HELIO_CHECK(copy.type == view.attributes[i].type && same(copy.value, view.attributes[i].value) &&
                    ((copy.flags ^ view.attributes[i].flags) & ~attr_flag::extended_length) == 0,
                "attribute both ways");
  }
}

}  // namespace
}  // namespace helio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::fuzz;
  Input input(data, size);
  UpdateContext context = context_of(input);
  auto view = decode_update(input.rest, context);
  if (!view) {
    HELIO_CHECK(view.error().code == 3 && view.error().subcode != 0, "an UPDATE error");
    return 0;
  }
  check_attributes(*view, input.rest, context);
  HELIO_CHECK(!(view->reach && view->withdrawn_reach), "a route is announced or withdrawn");
  for (const auto& reach : {view->reach, view->withdrawn_reach}) {
    if (!reach) continue;
    HELIO_CHECK(context.families.contains(reach->family) && inside(reach->nlri, input.rest), "MP_REACH");
    HELIO_CHECK(next_hop_address(reach->family, reach->next_hop), "next hop");
    count_entries(reach->family, reach->nlri, false, context);
  }
  if (view->unreach) {
    HELIO_CHECK(context.families.contains(view->unreach->family) && inside(view->unreach->nlri, input.rest), "MP_UNREACH");
    count_entries(view->unreach->family, view->unreach->nlri, true, context);
  }
  if (!input.option(4)) HELIO_CHECK(view->ipv4_nlri.empty() && view->ipv4_withdrawn.empty() && view->withdrawn_ipv4_nlri.empty(), "not negotiated");
  if (view->end_of_rib)
    HELIO_CHECK(view->attribute_count == 0 && view->error_count == 0 && !view->reach && (!view->unreach || view->unreach->nlri.empty()), "End-of-RIB");
  bool resets = false;
  for (std::size_t i = 0; i < std::min(view->error_count, view->errors.size()); ++i) {
    HELIO_CHECK(view->errors[i].reason && *view->errors[i].reason, "reason");
    resets |= view->errors[i].action == UpdateErrorAction::reset;
  }
  HELIO_CHECK(!resets, "a reset is no view");
  if (view->reach) encode_again(*view, context);
  return 0;
}

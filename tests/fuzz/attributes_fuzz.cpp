// Single attributes: whatever its table row accepts can be read by everything that reads such values; AS paths survive
// the way through a two-octet neighbour. First octet: the attribute type, second: bit 0 four-octet AS, bit 1 external.
#include "rr/wire/attribute_table.hpp"
#include "rr/wire/attributes.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace helio::fuzz {
namespace {

using namespace wire;

void read_as_path(Bytes value, bool four_octet) {
  AsPathInfo info = inspect_as_path(value, four_octet);
  unsigned ases = 0;
  bool confederation = false;
  AsPathReader reader(value, four_octet);
  AsPathSegment segment;
  while (reader.next(segment)) {
    ases += segment.count;
    confederation |= segment.is_confederation();
    for (unsigned i = 0; i < segment.count; ++i) HELIO_CHECK(info.contains(segment.as(i)), "contains");
  }
  HELIO_CHECK(!reader.malformed() && info.length_for_decision <= ases, "length");

  UpdateView view;
  view.attributes[view.attribute_count++] = {0x40, attr::as_path, value};
  std::vector<std::uint8_t> normal;
  normalise_as_path(normal, view, four_octet);
  HELIO_CHECK(format_as_path(normal) == format_as_path(value, four_octet), "normal form says the same");

  std::vector<std::uint8_t> longer;
  prepend_as(longer, normal, 65000, 3);
  AsPathInfo prepended = inspect_as_path(longer, true);
  HELIO_CHECK(prepended.length_for_decision == info.length_for_decision + 3 && prepended.neighbor_as == 65000, "prepended");

  if (confederation) return;
  std::vector<std::uint8_t> old_path, as4_path, back;
  split_as_path(old_path, as4_path, normal);
  UpdateView old_view;
  old_view.attributes[old_view.attribute_count++] = {0x40, attr::as_path, old_path};
  if (!as4_path.empty()) old_view.attributes[old_view.attribute_count++] = {0xc0, attr::as4_path, as4_path};
  normalise_as_path(back, old_view, false);
  HELIO_CHECK(format_as_path(back) == format_as_path(normal), "through a two-octet neighbour (RFC 6793 4.2.3)");
}

// Any AS_PATH with any AS4_PATH: the merge keeps the length the decision sees.
void merge(Bytes as_path, Bytes as4_path) {
  UpdateView view;
  view.attributes[view.attribute_count++] = {0x40, attr::as_path, as_path};
  view.attributes[view.attribute_count++] = {0xc0, attr::as4_path, as4_path};
  std::vector<std::uint8_t> merged;
  normalise_as_path(merged, view, false);
  AsPathReader reader(merged, true);
  AsPathSegment segment;
  while (reader.next(segment)) {
  }
  HELIO_CHECK(!reader.malformed(), "merged path");
  HELIO_CHECK(inspect_as_path(merged, true).length_for_decision == inspect_as_path(as_path, false).length_for_decision, "merged length");
}

void read_value(std::uint8_t type, Bytes value, const UpdateContext& context) {
  switch (type) {
    case attr::as_path: read_as_path(value, context.four_octet_as); break;
    case attr::as4_path: merge({}, value); break;
    case attr::aggregator: {
      UpdateView view;
      view.attributes[view.attribute_count++] = {0xc0, type, value};
      std::vector<std::uint8_t> normal, old_value, as4_value;
      normalise_aggregator(normal, view, context.four_octet_as);
      HELIO_CHECK(normal.size() == 8, "AGGREGATOR");
      split_aggregator(old_value, as4_value, normal);
      HELIO_CHECK(old_value.size() == 6 && (as4_value.empty() || same(as4_value, normal)), "AGGREGATOR");
      break;
    }
    case attr::extended_communities: {
      std::vector<RouteTarget> targets;
      collect_route_targets(value, targets);
      HELIO_CHECK(targets.size() <= value.size() / 8, "route targets");
      for (RouteTarget target : targets) HELIO_CHECK(parse_rt(format_rt(target)) == target, "route target text");
      break;
    }
    case attr::communities: contains_community(value, community::no_export); break;
    case attr::aigp: find_aigp(value); break;
    default: break;
  }
}

}  // namespace
}  // namespace helio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::fuzz;
  if (size < 2) return 0;
  std::uint8_t type = data[0];
  UpdateContext context;
  context.four_octet_as = data[1] & 1;
  context.is_external = data[1] & 2;
  helio::Bytes value(data + 2, size - 2);

  // An AS_PATH of 2-octet ASes, its length in front, and an AS4_PATH.
  if (type == 0 && !value.empty()) {
    std::size_t split = std::min<std::size_t>(value[0], value.size() - 1);
    helio::Bytes as_path = value.subspan(1, split), as4_path = value.subspan(1 + split);
    context.four_octet_as = false;
    if (!find_attribute_rule(attr::as_path)->check(as_path, context) && !find_attribute_rule(attr::as4_path)->check(as4_path, context))
      merge(as_path, as4_path);
    return 0;
  }
  const AttributeRule* rule = find_attribute_rule(type);
  if (!rule || type == attr::mp_reach || type == attr::mp_unreach) return 0;
  if (!length_obeys(*rule, value.size()) || (rule->check && rule->check(value, context))) return 0;
  read_value(type, value, context);
  return 0;
}

#include "rib/encoding_class.hpp"

#include "rr/wire/as_path.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::rib {
namespace {

namespace attr = wire::attr;

struct StoredAttribute {
  std::uint8_t flags, type;
  Bytes value;
  Bytes whole;
};

// The next attribute of canonical bytes, which are well formed by construction.
StoredAttribute take_attribute(Bytes& rest) {
  bool extended = (rest[0] & wire::attr_flag::extended_length) != 0;
  std::size_t length = extended ? load_be16(rest.data() + 2) : rest[2];
  std::size_t header = extended ? 4 : 3;
  StoredAttribute a{rest[0], rest[1], rest.subspan(header, length), rest.first(header + length)};
  rest = rest.subspan(header + length);
  return a;
}

bool internal_only(std::uint8_t type) {
  return type == attr::local_pref || type == attr::originator_id || type == attr::cluster_list || type == attr::med;
}

}  // namespace

Bytes outbound_attributes(const EncodingClass& encoding, Bytes canonical, std::vector<std::uint8_t>& scratch) {
  if (encoding.is_plain()) return canonical;
  scratch.clear();
  std::vector<std::uint8_t> path, narrow, wide;
  for (Bytes rest = canonical; !rest.empty();) {
    StoredAttribute a = take_attribute(rest);
    // RFC 4271 §5.1.4: a MED received from another AS is not sent on to a third one; §5.1.5: LOCAL_PREF never to
    // external peers; RFC 4456 §8: ORIGINATOR_ID and CLUSTER_LIST are non-transitive across ASes.
    if (encoding.is_external && internal_only(a.type)) continue;
    if (a.type == attr::as_path) {
      path.clear();
      if (encoding.is_external) wire::prepend_as(path, a.value, encoding.local_as, 1);
      else path.assign(a.value.begin(), a.value.end());
      if (encoding.four_octet_as) {
        wire::encode_attribute(scratch, wire::attr_flag::transitive, attr::as_path, path);
      } else {
        narrow.clear();
        wire::split_as_path(narrow, wide, path);
        wire::encode_attribute(scratch, wire::attr_flag::transitive, attr::as_path, narrow);
      }
    } else if (a.type == attr::aggregator && !encoding.four_octet_as) {
      std::vector<std::uint8_t> aggregator, as4;
      wire::split_aggregator(aggregator, as4, a.value);
      wire::encode_attribute(scratch, a.flags & 0xe0, attr::aggregator, aggregator);
      if (!as4.empty()) wire::encode_attribute(scratch, wire::attr_flag::optional | wire::attr_flag::transitive, attr::as4_aggregator, as4);
    } else {
      scratch.insert(scratch.end(), a.whole.begin(), a.whole.end());
    }
  }
  if (!wide.empty()) wire::encode_attribute(scratch, wire::attr_flag::optional | wire::attr_flag::transitive, attr::as4_path, wide);
  return scratch;
}

Bytes outbound_next_hop(const EncodingClass& encoding, wire::Family family, const AttributeSet& set, std::vector<std::uint8_t>& scratch) {
  if (!encoding.next_hop_self) return set.next_hop();
  scratch.clear();
  wire::encode_next_hop(scratch, family, *encoding.next_hop_self);
  return scratch;
}

}  // namespace helio::rib

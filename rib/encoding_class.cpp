#include "rib/encoding_class.hpp"

#include "rr/wire/as_path.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::rib {
namespace {

namespace attr = wire::attr;

bool internal_only(std::uint8_t type) {
  return type == attr::local_pref || type == attr::originator_id || type == attr::cluster_list || type == attr::med || type == attr::aigp;
}

}  // namespace

namespace {

// The least and the most that a message holds beside attributes: header, lengths, MP_REACH_NLRI, one route.
constexpr std::size_t kLeastBeside = 23 + 9 + 12 + 16, kMostBeside = 23 + 9 + 48 + 33;

// The community must not make a message that fitted a neighbour's size one that does not.
bool outgrows(std::size_t before, std::size_t after) {
  for (std::size_t most : {wire::kMaxMessage, wire::kMaxExtendedMessage})
    if (before + kLeastBeside <= most && after + kMostBeside > most) return true;
  return false;
}

void mark_graceful_shutdown(std::vector<std::uint8_t>& bytes, bool is_external) {
  constexpr std::uint8_t kFlags = wire::attr_flag::optional | wire::attr_flag::transitive;
  constexpr std::size_t kGrowth = 8;  // a header, or the extended length of one; the community
  bool adds = !outgrows(bytes.size(), bytes.size() + kGrowth), has_communities = false;
  std::vector<std::uint8_t> out, communities;
  auto put = [&](std::uint8_t flags, Bytes present) {
    communities.assign(present.begin(), present.end());
    if (adds && !wire::contains_community(present, wire::community::graceful_shutdown)) {
      communities.resize(present.size() + 4);
      store_be32(communities.data() + present.size(), wire::community::graceful_shutdown);
    }
    if (!communities.empty()) wire::encode_attribute(out, flags, attr::communities, communities);
    has_communities = true;
  };
  for (Bytes rest = bytes; !rest.empty();) {
    StoredAttribute a = take_attribute(rest);
    if (!has_communities && a.type > attr::communities) put(kFlags, {});
    if (a.type == attr::communities) {
      put(a.flags & 0xe0, a.value);
    } else if (a.type == attr::local_pref && !is_external) {
      wire::encode_attribute_u32(out, wire::attr_flag::transitive, attr::local_pref, 0);
    } else {
      out.insert(out.end(), a.whole.begin(), a.whole.end());
    }
  }
  if (!has_communities) put(kFlags, {});
  bytes.swap(out);
}

}  // namespace

StoredAttribute take_attribute(Bytes& rest) {
  bool extended = (rest[0] & wire::attr_flag::extended_length) != 0;
  std::size_t length = extended ? load_be16(rest.data() + 2) : rest[2];
  std::size_t header = extended ? 4 : 3;
  StoredAttribute a{rest[0], rest[1], rest.subspan(header, length), rest.first(header + length)};
  rest = rest.subspan(header + length);
  return a;
}

Bytes outbound_attributes(const EncodingClass& encoding, Bytes canonical, std::vector<std::uint8_t>& scratch, bool keeps_med) {
  if (encoding.is_plain()) return canonical;
  scratch.clear();
  std::vector<std::uint8_t> path, narrow, wide, wide_aggregator, kept;
  auto put_wide = [&](std::uint8_t before) {  // AS4_PATH and AS4_AGGREGATOR at their places by type
    constexpr std::uint8_t kFlags = wire::attr_flag::optional | wire::attr_flag::transitive;
    if (!wide.empty() && before > attr::as4_path) wire::encode_attribute(scratch, kFlags, attr::as4_path, std::exchange(wide, {}));
    if (!wide_aggregator.empty() && before > attr::as4_aggregator)
      wire::encode_attribute(scratch, kFlags, attr::as4_aggregator, std::exchange(wide_aggregator, {}));
  };
  for (Bytes rest = canonical; !rest.empty();) {
    StoredAttribute a = take_attribute(rest);
    put_wide(a.type);
    // RFC 4271 §5.1.4: a MED received from another AS is not sent on to a third one; §5.1.5: LOCAL_PREF never to
    // external peers; RFC 4456 §8: ORIGINATOR_ID and CLUSTER_LIST are non-transitive across ASes; RFC 7311 §3.1: AIGP
    // only where AIGP_SESSION is on.
    if (encoding.is_external && internal_only(a.type) && !(keeps_med && a.type == attr::med)) continue;
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
      kept.clear();
      wire::split_aggregator(kept, wide_aggregator, a.value);
      wire::encode_attribute(scratch, a.flags & 0xe0, attr::aggregator, kept);
    } else if (encoding.is_external && (a.type == attr::extended_communities || a.type == attr::ipv6_extended_communities)) {
      // RFC 4360 §6: non-transitive ones do not leave the AS.
      std::size_t size = a.type == attr::extended_communities ? 8 : 20;
      kept.clear();
      for (std::size_t i = 0; i + size <= a.value.size(); i += size)
        if ((a.value[i] & 0x40) == 0) kept.insert(kept.end(), a.value.begin() + static_cast<std::ptrdiff_t>(i), a.value.begin() + static_cast<std::ptrdiff_t>(i + size));
      if (!kept.empty()) wire::encode_attribute(scratch, a.flags & 0xe0, a.type, kept);
    } else {
      scratch.insert(scratch.end(), a.whole.begin(), a.whole.end());
    }
  }
  put_wide(255);
  if (encoding.graceful_shutdown) mark_graceful_shutdown(scratch, encoding.is_external);
  return scratch;
}

Bytes outbound_next_hop(const EncodingClass& encoding, wire::Family family, Bytes next_hop, std::vector<std::uint8_t>& scratch) {
  if (!encoding.next_hop_self) return next_hop;
  scratch.clear();
  wire::encode_next_hop(scratch, family, *encoding.next_hop_self);
  return scratch;
}

}  // namespace helio::rib

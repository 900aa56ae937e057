// decode_update: one walk over the attributes under the rules of attribute_table.cpp, one walk over each NLRI field,
// then the verdict of RFC 7606 on the whole message. Hot: no allocation unless the session is reset.
#include "rr/wire/update.hpp"

#include <bit>

#include "rr/wire/attribute_table.hpp"
#include "rr/wire/evpn_nlri.hpp"

namespace helio::wire {
namespace {

constexpr std::uint8_t kOptionalTransitive = attr_flag::optional | attr_flag::transitive;

// Subcodes of RFC 4271 §6.3.
constexpr std::uint8_t kMalformedAttributeList = 1, kUnrecognizedWellKnown = 2, kMissingWellKnown = 3, kAttributeFlags = 4,
                       kOptionalAttribute = 9, kInvalidNetworkField = 10;

class AttributeSeen {
 public:
  // True when the type was there before.
  bool test_and_set(std::uint8_t type) {
    std::uint64_t bit = std::uint64_t{1} << (type & 63);
    bool before = words_[type >> 6] & bit;
    words_[type >> 6] |= bit;
    return before;
  }
  bool contains(std::uint8_t type) const { return words_[type >> 6] >> (type & 63) & 1; }
  unsigned count() const {
    unsigned n = 0;
    for (std::uint64_t word : words_) n += static_cast<unsigned>(std::popcount(word));
    return n;
  }

 private:
  std::array<std::uint64_t, 4> words_{};
};

bool next_hop_fits(Family family, std::size_t size, const UpdateContext& context) {
  bool v6_allowed = context.ipv6_next_hop.contains(family);
  switch (family) {
    case Family::vpnv4: return size == 12 || ((size == 24 || size == 48) && v6_allowed);  // RFC 4364 §4.3.2, RFC 8950 §3
    case Family::vpnv6: return size == 24 || size == 48;                                  // RFC 4659 §3.2.1
    case Family::rtc: return size == 4 || size == 16;                                     // RFC 4684 §5
    case Family::ipv4_unicast: return size == 4 || ((size == 16 || size == 32) && v6_allowed);
    case Family::ipv6_unicast: return size == 16 || size == 32;  // RFC 2545 §3
    case Family::evpn: return size == 4 || size == 16;           // RFC 7432 §7.1: an IPv4 or IPv6 address
  }
  return false;
}

// Plain prefixes (RFC 4271 §4.3, RFC 7911 §3).
bool prefixes_fit(Bytes nlri, unsigned max_length, bool has_path_id) {
  ByteReader reader(nlri);
  while (!reader.empty()) {
    if (has_path_id) reader.u32();
    unsigned length = reader.u8();
    reader.take((length + 7) / 8);
    if (!reader.ok() || length > max_length) return false;
  }
  return true;
}

bool vpn_prefixes_fit(Bytes nlri, bool is_v6, bool is_withdrawal, bool has_path_id) {
  VpnNlriReader reader(nlri, is_v6, is_withdrawal, has_path_id);
  VpnNlri entry;
  NlriStatus status;
  while ((status = reader.next(entry)) == NlriStatus::ok) {
  }
  return status == NlriStatus::end;
}

bool evpn_routes_fit(Bytes nlri) {
  EvpnNlriReader reader(nlri);
  EvpnNlri entry;
  NlriStatus status;
  while ((status = reader.next(entry)) == NlriStatus::ok) {
  }
  return status == NlriStatus::end;
}

class Decoder {
 public:
  Decoder(UpdateView& view, const UpdateContext& context) : view_(view), context_(context) {}

  bool run(Bytes body);
  Notification take_fatal() { return std::move(fatal_); }

 private:
  bool decode_attributes(Bytes attributes);
  bool decode_attribute(AttributeView attribute, Bytes whole);
  bool decode_reach(Bytes value, Bytes whole);
  bool decode_unreach(Bytes value, Bytes whole);
  bool nlri_fits(Family family, Bytes nlri, bool is_withdrawal, std::uint8_t attribute);
  bool decode_ipv4(Bytes withdrawn, Bytes nlri);
  bool judge(bool has_ipv4_fields);
  void require_mandatory();
  void drop_next_hop();

  void record(UpdateErrorAction action, std::uint8_t attribute, const char* reason) {
    if (view_.error_count < view_.errors.size()) view_.errors[view_.error_count] = {action, attribute, reason};
    ++view_.error_count;
  }
  // An error that discards or withdraws; `subcode` and `whole` are for the reset that RFC 7606 §5.2 may make of it.
  void report(UpdateErrorAction action, std::uint8_t attribute, const char* reason, std::uint8_t subcode, Bytes whole) {
    record(action, attribute, reason);
    if (action != UpdateErrorAction::withdraw || treat_as_withdraw_) return;
    treat_as_withdraw_ = true;
    withdraw_subcode_ = subcode;
    withdraw_data_ = whole;
  }
  bool reset(std::uint8_t subcode, Bytes data = {}) {
    fatal_ = {static_cast<std::uint8_t>(ErrorCode::update_message), subcode, {data.begin(), data.end()}};
    return false;
  }
  // RFC 7606 §5.3, §7.11: the family of an MP attribute cannot be read any more. See decode_update in update.hpp.
  bool family_error(Family family, std::uint8_t attribute, const char* reason, Bytes whole) {
    if (!context_.disable_family_on_error && family != Family::rtc) return reset(kOptionalAttribute, whole);
    record(UpdateErrorAction::disable_family, attribute, reason);
    view_.disabled.insert(family);
    return true;
  }

  UpdateView& view_;
  const UpdateContext& context_;
  Notification fatal_;
  AttributeSeen seen_;
  bool has_reachable_nlri_ = false;
  bool treat_as_withdraw_ = false;
  bool list_is_cut_ = false;  // attributes after some point were not seen
  std::uint8_t withdraw_subcode_ = 0;
  Bytes withdraw_data_;
  const char* next_hop_reason_ = nullptr;  // NEXT_HOP is malformed: matters only when IPv4 NLRI need it
  std::uint8_t next_hop_subcode_ = 0;
  Bytes next_hop_whole_;
};

bool Decoder::run(Bytes body) {
  // RFC 7606 §4, RFC 4271 §6.3: what delimits the fields must be right, or nothing can be located.
  if (body.size() < 4) return reset(kMalformedAttributeList);
  std::size_t withdrawn_length = load_be16(body.data());
  if (withdrawn_length > body.size() - 4) return reset(kMalformedAttributeList);
  Bytes withdrawn = body.subspan(2, withdrawn_length);
  std::size_t attributes_length = load_be16(body.data() + 2 + withdrawn_length);
  if (attributes_length > body.size() - 4 - withdrawn_length) return reset(kMalformedAttributeList);
  Bytes attributes = body.subspan(4 + withdrawn_length, attributes_length);
  Bytes nlri = body.subspan(4 + withdrawn_length + attributes_length);

  has_reachable_nlri_ = !nlri.empty();
  if (!decode_ipv4(withdrawn, nlri) || !decode_attributes(attributes)) return false;
  bool has_ipv4_fields = !withdrawn.empty() || !nlri.empty();
  if (attributes.empty() && !has_ipv4_fields && context_.families.contains(Family::ipv4_unicast))
    view_.end_of_rib = Family::ipv4_unicast;
  return judge(has_ipv4_fields);
}

bool Decoder::decode_ipv4(Bytes withdrawn, Bytes nlri) {
  if ((withdrawn.empty() && nlri.empty()) || !context_.families.contains(Family::ipv4_unicast)) return true;
  bool has_path_id = context_.add_path_receive.contains(Family::ipv4_unicast);
  if (!prefixes_fit(withdrawn, 32, has_path_id) || !prefixes_fit(nlri, 32, has_path_id)) {
    if (!context_.disable_family_on_error) return reset(kInvalidNetworkField);
    record(UpdateErrorAction::disable_family, 0, "IPv4 prefix length or end of field (RFC 7606 5.3)");
    view_.disabled.insert(Family::ipv4_unicast);
    return true;
  }
  view_.ipv4_withdrawn = withdrawn;
  view_.ipv4_nlri = nlri;
  return true;
}

bool Decoder::decode_attributes(Bytes attributes) {
  const std::uint8_t* p = attributes.data();
  const std::uint8_t* end = p + attributes.size();
  while (p != end) {
    std::size_t left = static_cast<std::size_t>(end - p);
    std::size_t header = p[0] & attr_flag::extended_length ? 4 : 3;
    std::size_t length = left < header ? 0 : header == 4 ? load_be16(p + 2) : p[2];
    if (left < header || length > left - header) {
      // RFC 7606 §4: treat-as-withdraw, the NLRI field is where the Total Path Attribute Length says. What an
      // MP_REACH further on would have said is unknown: judge() resets unless NLRI were seen (§5.2).
      list_is_cut_ = true;
      report(UpdateErrorAction::withdraw, left < 2 ? 0 : p[1], "attribute beyond the attribute list (RFC 7606 4)", kMalformedAttributeList, {});
      return true;
    }
    Bytes whole(p, header + length);
    if (!decode_attribute({p[0], p[1], whole.subspan(header)}, whole)) return false;
    p += whole.size();
  }
  return true;
}

bool Decoder::decode_attribute(AttributeView attribute, Bytes whole) {
  std::uint8_t type = attribute.type;
  bool is_mp = type == attr::mp_reach || type == attr::mp_unreach;
  if (seen_.test_and_set(type)) {
    if (is_mp) return reset(kMalformedAttributeList);  // RFC 7606 §3.g
    record(UpdateErrorAction::discard, type, "attribute repeated, the first one counts (RFC 7606 3.g)");
    return true;
  }

  const AttributeRule* rule = find_attribute_rule(type);
  if (!rule) {
    if (!(attribute.flags & attr_flag::optional)) return reset(kUnrecognizedWellKnown, whole);  // RFC 4271 §6.3
    if (!(attribute.flags & attr_flag::transitive)) return true;                                // RFC 4271 §9: ignored
  } else {
    if (type == attr::aigp && context_.is_external && !context_.accept_external_aigp) return true;  // RFC 7311 §3.1
    if (rule->internal_only && context_.is_external) {
      record(UpdateErrorAction::discard, type, "attribute is not for external neighbours (RFC 7606 7.5, 7.9, 7.10)");
      return true;
    }
    const char* reason = nullptr;
    std::uint8_t subcode = kAttributeFlags;
    UpdateErrorAction action = rule->on_flags;
    if ((attribute.flags & kOptionalTransitive) != rule->flags) {
      reason = "Optional or Transitive flag conflicts with the attribute (RFC 7606 3.c)";
    } else if (!length_obeys(*rule, attribute.value.size())) {
      reason = rule->length_reason;
      subcode = rule->length_subcode;
      action = rule->on_error;
    } else if (rule->check) {
      reason = rule->check(attribute.value, context_);
      if (reason) {
        subcode = rule->value_subcode;
        action = rule->on_error;
      }
    }
    if (type == attr::next_hop && reason) {
      next_hop_reason_ = reason;
      next_hop_subcode_ = subcode;
      next_hop_whole_ = whole;
      return true;
    }
    if (reason) report(action, type, reason, subcode, whole);
    if (type == attr::mp_reach) return decode_reach(attribute.value, whole);
    if (type == attr::mp_unreach) return decode_unreach(attribute.value, whole);
    if (reason) return true;
    if (context_.four_octet_as && (type == attr::as4_path || type == attr::as4_aggregator)) {
      record(UpdateErrorAction::discard, type, "AS4 attribute from a four-octet neighbour (RFC 6793 4.1)");
      return true;
    }
  }
  if (view_.attribute_count == UpdateView::kMaxAttributes) {
    report(UpdateErrorAction::withdraw, type, "too many attributes", kMalformedAttributeList, {});
    return true;
  }
  view_.attributes[view_.attribute_count++] = attribute;
  return true;
}

bool Decoder::decode_reach(Bytes value, Bytes whole) {
  // AFI 2, SAFI 1, next hop length 1, next hop, reserved 1 (ignored, RFC 4760 §3), NLRI.
  if (value.size() < 3) return reset(kOptionalAttribute, whole);
  auto family = family_of({load_be16(value.data()), value[2]});
  if (!family || !context_.families.contains(*family)) {
    has_reachable_nlri_ = true;  // not ours to read
    return true;
  }
  // Without its fixed fields it is no MP_REACH at all: nothing tells what else it would have said.
  if (value.size() < 5 && *family != Family::rtc) return reset(kOptionalAttribute, whole);
  if (value.size() < 5 || value.size() - 5 < value[3])
    return family_error(*family, attr::mp_reach, "MP_REACH_NLRI is shorter than its next hop (RFC 7606 7.11)", whole);
  Bytes next_hop = value.subspan(4, value[3]);
  Bytes nlri = value.subspan(5u + value[3]);
  has_reachable_nlri_ |= !nlri.empty();
  if (!next_hop_fits(*family, next_hop.size(), context_))
    return family_error(*family, attr::mp_reach, "MP_REACH_NLRI next hop length does not fit the family (RFC 7606 7.11)", whole);
  if (!nlri_fits(*family, nlri, false, attr::mp_reach))
    return family_error(*family, attr::mp_reach, "MP_REACH_NLRI has an NLRI that cannot be read (RFC 7606 5.3)", whole);
  view_.reach = ReachView{*family, next_hop, nlri};
  return true;
}

bool Decoder::decode_unreach(Bytes value, Bytes whole) {
  if (value.size() < 3) return reset(kOptionalAttribute, whole);
  auto family = family_of({load_be16(value.data()), value[2]});
  if (!family || !context_.families.contains(*family)) return true;
  Bytes nlri = value.subspan(3);
  if (!nlri_fits(*family, nlri, true, attr::mp_unreach))
    return family_error(*family, attr::mp_unreach, "MP_UNREACH_NLRI has an NLRI that cannot be read (RFC 7606 5.3)", whole);
  view_.unreach = UnreachView{*family, nlri};
  return true;
}

bool Decoder::nlri_fits(Family family, Bytes nlri, bool is_withdrawal, std::uint8_t attribute) {
  bool has_path_id = context_.add_path_receive.contains(family);
  switch (family) {
    case Family::vpnv4: return vpn_prefixes_fit(nlri, false, is_withdrawal, has_path_id);
    case Family::vpnv6: return vpn_prefixes_fit(nlri, true, is_withdrawal, has_path_id);
    case Family::ipv4_unicast: return prefixes_fit(nlri, 32, has_path_id);
    case Family::ipv6_unicast: return prefixes_fit(nlri, 128, has_path_id);
    case Family::evpn: return evpn_routes_fit(nlri);
    case Family::rtc: break;
  }
  RtcNlriReader reader(nlri, has_path_id);
  RtMembership membership;
  std::uint32_t path_id = 0;
  for (;;) {
    switch (reader.next(membership, path_id)) {
      case RtcNlriReader::Status::ok: break;
      case RtcNlriReader::Status::invalid:
        // This one alone is treated as withdrawn, by whoever walks the NLRI.
        record(UpdateErrorAction::withdraw, attribute, "RT membership length 1..31 (RFC 4684 4)");
        break;
      case RtcNlriReader::Status::end: return true;
      case RtcNlriReader::Status::malformed: return false;
    }
  }
}

// RFC 7606 §3.d: a missing mandatory attribute is treat-as-withdraw. LOCAL_PREF counts as one on internal sessions
// (RFC 4271 §5.1.5). An attribute that was there but malformed has had its say.
void Decoder::require_mandatory() {
  bool has_ipv4_nlri = !view_.ipv4_nlri.empty();
  bool has_mp_nlri = view_.reach && !view_.reach->nlri.empty();
  if (!has_ipv4_nlri && !has_mp_nlri) return;
  auto require = [this](std::uint8_t type, const char* reason) {
    if (!seen_.contains(type)) report(UpdateErrorAction::withdraw, type, reason, kMissingWellKnown, {});
  };
  require(attr::origin, "ORIGIN is missing (RFC 7606 3.d)");
  require(attr::as_path, "AS_PATH is missing (RFC 7606 3.d)");
  if (!context_.is_external) require(attr::local_pref, "LOCAL_PREF is missing (RFC 7606 3.d)");
  if (has_ipv4_nlri) require(attr::next_hop, "NEXT_HOP is missing (RFC 7606 3.d)");
}

void Decoder::drop_next_hop() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < view_.attribute_count; ++i)
    if (view_.attributes[i].type != attr::next_hop) view_.attributes[kept++] = view_.attributes[i];
  view_.attribute_count = kept;
}

bool Decoder::judge(bool has_ipv4_fields) {
  if (seen_.contains(attr::next_hop) && view_.ipv4_nlri.empty()) {
    // RFC 4760 §3, wire 3.8: beside MP_REACH it is ignored, even a malformed one.
    if (seen_.contains(attr::mp_reach))
      drop_next_hop();
    else if (next_hop_reason_)
      report(UpdateErrorAction::withdraw, attr::next_hop, next_hop_reason_, next_hop_subcode_, next_hop_whole_);
  } else if (next_hop_reason_) {
    report(UpdateErrorAction::withdraw, attr::next_hop, next_hop_reason_, next_hop_subcode_, next_hop_whole_);
  }
  require_mandatory();

  if (treat_as_withdraw_) {
    // RFC 7606 §5.2: attributes other than MP_UNREACH and no reachable NLRI: whether the NLRI were all found is
    // uncertain, and an error beyond attribute discard has to reset the session.
    bool only_unreach = seen_.count() == 1 && seen_.contains(attr::mp_unreach) && !list_is_cut_;
    if (!has_reachable_nlri_ && !only_unreach) return reset(withdraw_subcode_, withdraw_data_);
    if (view_.reach) {
      view_.withdrawn_reach = view_.reach;
      view_.reach.reset();
    }
    view_.withdrawn_ipv4_nlri = view_.ipv4_nlri;
    view_.ipv4_nlri = {};
  }
  // RFC 4724 §2: MP_UNREACH alone and empty. With anything beside it, or malformed, it is none.
  if (view_.unreach && view_.unreach->nlri.empty() && seen_.count() == 1 && view_.error_count == 0 && !has_ipv4_fields)
    view_.end_of_rib = view_.unreach->family;
  return true;
}

}  // namespace

Result<UpdateView, Notification> decode_update(Bytes body, const UpdateContext& context) {
  Result<UpdateView, Notification> result;
  Decoder decoder(*result, context);
  if (!decoder.run(body)) result = Unexpected<Notification>(decoder.take_fatal());
  return result;
}

RtcNlriReader::Status RtcNlriReader::next(RtMembership& out, std::uint32_t& path_id) {
  if (reader_.empty()) return Status::end;
  if (path_id_) path_id = reader_.u32();
  unsigned length = reader_.u8();
  Bytes octets = reader_.take((length + 7) / 8);
  if (!reader_.ok() || length > 96) return Status::malformed;
  if (length != 0 && length < 32) return Status::invalid;
  out = {};
  out.length = static_cast<std::uint8_t>(length);
  if (length == 0) return Status::ok;
  out.origin_as = load_be32(octets.data());
  std::uint8_t target[8] = {};
  std::memcpy(target, octets.data() + 4, octets.size() - 4);
  unsigned bits = length - 32;
  // Bits beyond the length are cleared: equal memberships compare equal (pitfall 1.23).
  out.target = bits == 0 ? 0 : load_be64(target) & ~std::uint64_t{0} << (64 - bits);
  return Status::ok;
}

void encode_rtc_nlri(std::vector<std::uint8_t>& out, const RtMembership& membership) {
  ByteWriter writer(out);
  writer.u8(membership.length);
  if (membership.length == 0) return;
  std::uint8_t octets[12];
  store_be32(octets, membership.origin_as);
  store_be64(octets + 4, membership.target);
  writer.bytes(Bytes(octets, (membership.length + 7u) / 8));
}

}  // namespace helio::wire

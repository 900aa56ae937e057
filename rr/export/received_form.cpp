#include "rr/export/received_form.hpp"

#include "rib/encoding_class.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::exporter {

using rib::Address4;
using rib::Address6;
namespace attr = wire::attr;

void append_attributes(std::vector<std::uint8_t>& out, Bytes canonical, const rib::DecisionKey& key, AttributeForm form) {
  for (Bytes rest = canonical; !rest.empty();) {
    rib::StoredAttribute a = rib::take_attribute(rest);
    if (key.is_external) {
      if (a.type == attr::local_pref && form == AttributeForm::received) continue;
    } else if (a.type == attr::originator_id) {
      if (key.cluster_list_length == 0) continue;
    } else if (a.type == attr::cluster_list) {
      if (a.value.size() > 4) wire::encode_attribute(out, a.flags & 0xe0, a.type, a.value.subspan(4));
      continue;
    }
    out.insert(out.end(), a.whole.begin(), a.whole.end());
  }
}

namespace {

void put_path_id(std::vector<std::uint8_t>& out, const std::uint32_t* path_id) {
  if (path_id != nullptr) ByteWriter(out).u32(*path_id);
}

void put_evpn(std::vector<std::uint8_t>& out, const rib::EvpnKeys& keys, std::uint32_t id, std::uint64_t rd, Bytes payload) {
  std::optional<wire::RouteDistinguisher> with_rd;
  if (keys.has_rd(id)) with_rd = wire::RouteDistinguisher{rd};
  std::size_t at = out.size();
  out.resize(at + wire::evpn_entry_size(keys.has_rd(id), keys.key(id).size(), payload.size()));
  wire::write_evpn_nlri(out.data() + at, keys.type(id), with_rd, keys.key(id), payload);
}

template <class Address>
void put_prefix(ByteWriter& out, std::uint64_t rd, const rib::PrefixKey<Address>& key) {
  out.u64(rd);
  for (unsigned i = 0; i < (key.length + 7u) / 8; ++i) out.u8(static_cast<std::uint8_t>(key.address >> (sizeof(Address) * 8 - 8 - 8 * i)));
}

}  // namespace

template <class Address>
void append_nlri(std::vector<std::uint8_t>& bytes, reflector::RibShard& slice, std::uint64_t rd, const rib::PrefixKey<Address>& key, std::uint32_t label,
                 const std::uint32_t* path_id) {
  const rib::LabelStackStore& stacks = slice.shared().label_stacks;
  put_path_id(bytes, path_id);
  if constexpr (sizeof(Address) == 16)
    if (slice.rib6().family() == wire::Family::evpn)
      return put_evpn(bytes, slice.evpn_keys(), rib::EvpnKeys::id_of(key.address), rd, stacks[label & ~rib::kLabelStack]);
  ByteWriter out(bytes);
  std::uint8_t one[3];
  Bytes labels(one, 3);
  if ((label & rib::kLabelStack) != 0) labels = stacks[label & ~rib::kLabelStack];
  else store_be24(one, label);
  out.u8(static_cast<std::uint8_t>(labels.size() * 8 + 64 + key.length));
  out.bytes(labels);
  put_prefix(out, rd, key);
}

template <class Address>
void append_withdrawn_nlri(std::vector<std::uint8_t>& bytes, reflector::RibShard& slice, std::uint64_t rd, const rib::PrefixKey<Address>& key,
                           const std::uint32_t* path_id) {
  put_path_id(bytes, path_id);
  if constexpr (sizeof(Address) == 16) {
    if (slice.rib6().family() == wire::Family::evpn) {
      std::uint32_t id = rib::EvpnKeys::id_of(key.address);
      std::vector<std::uint8_t> payload(slice.evpn_keys().withdrawn_payload(id));
      return put_evpn(bytes, slice.evpn_keys(), id, rd, payload);
    }
  }
  ByteWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(24 + 64 + key.length));
  out.u24(wire::kWithdrawLabel);
  put_prefix(out, rd, key);
}

template void append_nlri<Address4>(std::vector<std::uint8_t>&, reflector::RibShard&, std::uint64_t, const rib::PrefixKey<Address4>&, std::uint32_t, const std::uint32_t*);
template void append_nlri<Address6>(std::vector<std::uint8_t>&, reflector::RibShard&, std::uint64_t, const rib::PrefixKey<Address6>&, std::uint32_t, const std::uint32_t*);
template void append_withdrawn_nlri<Address4>(std::vector<std::uint8_t>&, reflector::RibShard&, std::uint64_t, const rib::PrefixKey<Address4>&, const std::uint32_t*);
template void append_withdrawn_nlri<Address6>(std::vector<std::uint8_t>&, reflector::RibShard&, std::uint64_t, const rib::PrefixKey<Address6>&, const std::uint32_t*);

}  // namespace helio::exporter

#include "rr/reflector/canary.hpp"

#include "rr/wire/update_encode.hpp"

namespace helio::reflector {

using wire::Family;

namespace {

// RD 0:0 and 0.0.0.0/32: nobody's, were it ever seen.
constexpr std::uint64_t kRouteTarget = 0x0002000000000000;
constexpr std::uint32_t kLabels = 1u << 20;
constexpr std::uint32_t kSourceId = 0x00000001;

wire::VpnPrefix prefix() {
  wire::VpnPrefix out;
  out.length = 32;
  return out;
}

wire::UpdateContext context() {
  wire::UpdateContext out;
  out.families.insert(Family::vpnv4);
  return out;
}

}  // namespace

Canary::Canary() : rib_(0, mailboxes_, RibLimits{}, nullptr) {
  rib_.handle(PeerUp{.peer = PeerId(0), .address = wire::IpAddress::v4(kSourceId), .role = session::PeerRole::client});
  rib_.handle(ClassUp{.id = 0, .session_shard = 0, .encoding = {}});
}

// The number stands twice: as label and as MED.
std::vector<std::uint8_t> Canary::update_of(std::uint32_t number) {
  std::vector<std::uint8_t> attributes, target(8), nlri, next_hop, out;
  const std::uint8_t igp = 0;
  const std::uint32_t label = wire::label_field(number % kLabels);
  wire::encode_attribute(attributes, 0x40, wire::attr::origin, Bytes(&igp, 1));
  wire::encode_attribute(attributes, 0x40, wire::attr::as_path, {});
  wire::encode_attribute_u32(attributes, 0x80, wire::attr::med, number);
  wire::encode_attribute_u32(attributes, 0x40, wire::attr::local_pref, 100);
  store_be64(target.data(), kRouteTarget);
  wire::encode_attribute(attributes, 0xc0, wire::attr::extended_communities, target);
  wire::encode_vpn_nlri(nlri, prefix(), std::span(&label, 1));
  wire::encode_next_hop(next_hop, Family::vpnv4, wire::IpAddress::v4(kSourceId));
  if (!wire::encode_announcements(out, Family::vpnv4, next_hop, attributes, nlri)) out.clear();
  return out;
}

std::vector<std::uint8_t> Canary::reflect(std::uint32_t number) {
  std::vector<std::uint8_t> received = update_of(number), sent;
  auto view = received.empty() ? Unexpected(wire::Notification{}) : wire::decode_update(Bytes(received).subspan(wire::kHeaderSize), context());
  Source source{.router_id = kSourceId, .own_router_id = kSourceId + 1, .own_cluster_id = kSourceId + 1};
  if (!view || !view->reach || canonicaliser_.build(*view, view->reach->next_hop, source, attributes_) != Exclusion::none) return sent;
  rib_.announce(PeerId(0), Family::vpnv4, false, ++serial_, attributes_, view->reach->nlri);
  rib_.seal_turn();
  rib_.run_turn(1);
  for (Message& message : std::exchange(rib_.streams()[0], {})) {
    if (auto* output = std::get_if<Output>(&message)) {
      const rib::Batch& batch = *output->batch.get();
      for (const rib::Segment& segment : batch.segments)
        if (segment.is_announcement()) sent.insert(sent.end(), batch.data() + segment.begin, batch.data() + segment.end);
    } else if (auto* retired = std::get_if<Retired>(&message)) {
      rib_.handle(Ack{std::move(retired->provenances), std::move(retired->rt_sets)});
    }
  }
  return sent;
}

std::optional<std::uint32_t> Canary::number_in(Bytes messages) {
  if (messages.size() < wire::kHeaderSize || load_be16(messages.data() + 16) != messages.size()) return std::nullopt;  // one message
  auto view = wire::decode_update(messages.subspan(wire::kHeaderSize), context());
  if (!view || !view->reach) return std::nullopt;
  wire::VpnNlriReader reader(view->reach->nlri, false, false, false);
  wire::VpnNlri one, another;
  if (reader.next(one) != wire::NlriStatus::ok || reader.next(another) != wire::NlriStatus::end || one.rd.value != 0 || one.length != 32) return std::nullopt;
  for (std::size_t i = 0; i < view->attribute_count; ++i) {
    const wire::AttributeView& a = view->attributes[i];
    if (a.type != wire::attr::med || a.value.size() != 4) continue;
    std::uint32_t number = load_be32(a.value.data());
    if (load_be24(one.labels) == wire::label_field(number % kLabels)) return number;
  }
  return std::nullopt;
}

}  // namespace helio::reflector

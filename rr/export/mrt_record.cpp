#include "rr/export/mrt_record.hpp"

#include <fmt/format.h>

#include "rr/wire/message.hpp"
#include "rr/wire/update.hpp"

namespace helio::exporter {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::size_t kMaxRecord = std::size_t{16} << 20;
constexpr std::uint8_t kPeerIsV6 = 0x01, kPeerHasAs4 = 0x02;  // peer types (RFC 6396 §4.3.1)

// The header now, the length at the end of the scope.
class Record {
 public:
  Record(std::vector<std::uint8_t>& bytes, MrtTime time, std::uint16_t type, std::uint16_t subtype) : bytes_(bytes), start_(bytes.size()), out(bytes) {
    out.u32(time.seconds);
    out.u16(type);
    out.u16(subtype);
    out.u32(0);
    if (type == mrt_type::bgp4mp_et) out.u32(time.microseconds);
  }
  ~Record() { store_be32(bytes_.data() + start_ + 8, static_cast<std::uint32_t>(bytes_.size() - start_ - kHeader)); }
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;

 private:
  std::vector<std::uint8_t>& bytes_;
  std::size_t start_;

 public:
  ByteWriter out;
};

Unexpected<std::string> malformed(const char* what) { return Unexpected(std::string(what) + " is malformed"); }

wire::IpAddress read_mrt_address(ByteReader& in, bool is_v6) {
  wire::IpAddress address;
  address.is_v6 = is_v6;
  Bytes octets = in.take(is_v6 ? 16 : 4);
  std::copy(octets.begin(), octets.end(), address.bytes.begin());
  return address;
}

// Octets of the NLRI at the front; 0: cannot be told.
std::size_t nlri_size(wire::AfiSafi family, Bytes rest) {
  auto known = wire::family_of(family);
  if (!known || rest.empty()) return 0;
  if (*known == wire::Family::evpn) return rest.size() < 2 ? 0 : 2u + rest[1];
  return 1 + (rest[0] + 7u) / 8;
}

// RFC 6396 §4.3.4: of MP_REACH "only the Next Hop Address Length and Next Hop Address fields are included".
void encode_entry(ByteWriter& out, const RibEntry& entry) {
  out.u16(entry.peer);
  out.u32(entry.originated);
  out.u16(static_cast<std::uint16_t>(4 + entry.next_hop.size() + entry.attributes.size()));
  out.u8(wire::attr_flag::optional);
  out.u8(wire::attr::mp_reach);
  out.u8(static_cast<std::uint8_t>(1 + entry.next_hop.size()));
  out.u8(static_cast<std::uint8_t>(entry.next_hop.size()));
  out.bytes(entry.next_hop);
  out.bytes(entry.attributes);
}

// The attributes of an entry as we write them: MP_REACH first. Others may have it anywhere.
bool read_entry(ByteReader& in, RibEntry& entry) {
  entry.peer = in.u16();
  entry.originated = in.u32();
  Bytes all = in.take(in.u16());
  if (!in.ok()) return false;
  ByteReader first(all);
  std::uint8_t flags = first.u8(), type = first.u8();
  std::size_t length = (flags & wire::attr_flag::extended_length) != 0 ? first.u16() : first.u8();
  if (first.ok() && type == wire::attr::mp_reach) {
    ByteReader value(first.take(length));
    entry.next_hop = value.take(value.u8());
    if (!first.ok() || !value.ok()) return false;
    entry.attributes = first.rest();
  } else {
    entry.attributes = all;
  }
  return true;
}

void encode_bgp4mp_peer(ByteWriter& out, const Bgp4mpPeer& peer, bool four_octet_as = true) {
  auto as = [&](Asn value) {
    constexpr Asn kAsTrans = 23456;
    if (four_octet_as) out.u32(value);
    else out.u16(static_cast<std::uint16_t>(value > 0xffff ? kAsTrans : value));
  };
  as(peer.peer_as);
  as(peer.local_as);
  out.u16(0);  // interface
  out.u16(peer.peer_address.is_v6 ? 2 : 1);
  out.bytes(peer.peer_address.view());
  wire::IpAddress local = peer.local_address;
  local.is_v6 = peer.peer_address.is_v6;
  out.bytes(local.view());
}

bool read_bgp4mp_peer(ByteReader& in, Bgp4mpPeer& peer, bool four_octet_as = true) {
  peer.peer_as = four_octet_as ? in.u32() : in.u16();
  peer.local_as = four_octet_as ? in.u32() : in.u16();
  in.u16();
  std::uint16_t afi = in.u16();
  if (afi != 1 && afi != 2) return false;
  peer.peer_address = read_mrt_address(in, afi == 2);
  peer.local_address = read_mrt_address(in, afi == 2);
  return in.ok();
}

bool is_bgp4mp(const MrtRecord& record) { return record.type == mrt_type::bgp4mp || record.type == mrt_type::bgp4mp_et; }

}  // namespace

Result<std::optional<MrtRecord>, std::string> next_mrt_record(Bytes& buffer) {
  if (buffer.empty()) return std::nullopt;
  ByteReader in(buffer);
  MrtRecord record;
  record.time.seconds = in.u32();
  record.type = in.u16();
  record.subtype = in.u16();
  std::uint32_t length = in.u32();
  if (!in.ok()) return Unexpected(fmt::format("cut off within a header: {} octets", buffer.size()));
  if (length > kMaxRecord) return Unexpected(fmt::format("a record of {} octets", length));
  record.body = in.take(length);
  if (!in.ok()) return Unexpected(fmt::format("cut off: a record of {} octets, {} are there", length, buffer.size() - kHeader));
  if (record.type == mrt_type::bgp4mp_et) {
    if (record.body.size() < 4) return malformed("the extended timestamp");
    record.time.microseconds = load_be32(record.body.data());
    record.body = record.body.subspan(4);
  }
  buffer = in.rest();
  return std::optional<MrtRecord>(record);
}

void encode_peer_index_table(std::vector<std::uint8_t>& bytes, std::uint32_t seconds, const PeerIndexTable& table) {
  Record record(bytes, {seconds, 0}, mrt_type::table_dump_v2, mrt_subtype::peer_index_table);
  record.out.u32(table.collector_id);
  record.out.u16(static_cast<std::uint16_t>(table.view.size()));
  record.out.text(table.view);
  record.out.u16(static_cast<std::uint16_t>(table.peers.size()));
  for (const MrtPeer& peer : table.peers) {
    record.out.u8(static_cast<std::uint8_t>(kPeerHasAs4 | (peer.address.is_v6 ? kPeerIsV6 : 0)));
    record.out.u32(peer.router_id);
    record.out.bytes(peer.address.view());
    record.out.u32(peer.as);
  }
}

Result<PeerIndexTable, std::string> decode_peer_index_table(Bytes body) {
  ByteReader in(body);
  PeerIndexTable table;
  table.collector_id = in.u32();
  Bytes view = in.take(in.u16());
  table.view.assign(view.begin(), view.end());
  std::uint16_t count = in.u16();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    MrtPeer peer;
    std::uint8_t type = in.u8();
    peer.router_id = in.u32();
    peer.address = read_mrt_address(in, (type & kPeerIsV6) != 0);
    peer.as = (type & kPeerHasAs4) != 0 ? in.u32() : in.u16();
    if (in.ok()) table.peers.push_back(peer);
  }
  if (!in.ok() || !in.empty()) return malformed("PEER_INDEX_TABLE");
  return table;
}

void encode_rib_generic(std::vector<std::uint8_t>& bytes, std::uint32_t seconds, const RibGeneric& rib) {
  Record record(bytes, {seconds, 0}, mrt_type::table_dump_v2, rib.path_id ? mrt_subtype::rib_generic_addpath : mrt_subtype::rib_generic);
  record.out.u32(rib.sequence);
  record.out.u16(rib.family.afi);
  record.out.u8(rib.family.safi);
  if (rib.path_id) record.out.u32(*rib.path_id);
  record.out.bytes(rib.nlri);
  record.out.u16(static_cast<std::uint16_t>(rib.entries.size()));
  for (const RibEntry& entry : rib.entries) encode_entry(record.out, entry);
}

Result<RibGeneric, std::string> decode_rib_generic(const MrtRecord& record) {
  bool add_path = record.subtype == mrt_subtype::rib_generic_addpath;
  if (record.type != mrt_type::table_dump_v2 || (record.subtype != mrt_subtype::rib_generic && !add_path))
    return Unexpected(fmt::format("a record of type {}, subtype {} is no RIB_GENERIC", record.type, record.subtype));
  ByteReader in(record.body);
  RibGeneric rib;
  rib.sequence = in.u32();
  rib.family.afi = in.u16();
  rib.family.safi = in.u8();
  if (add_path) rib.path_id = in.u32();
  ByteReader look = in;
  std::size_t size = nlri_size(rib.family, look.rest());
  if (size == 0) return Unexpected(fmt::format("an NLRI of AFI {}, SAFI {} cannot be read", rib.family.afi, rib.family.safi));
  rib.nlri = in.take(size);
  std::uint16_t count = in.u16();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i)
    if (!read_entry(in, rib.entries.emplace_back())) return malformed("an entry of RIB_GENERIC");
  if (!in.ok() || !in.empty()) return malformed("RIB_GENERIC");
  return rib;
}

void encode_bgp4mp_message(std::vector<std::uint8_t>& bytes, MrtTime time, const Bgp4mpMessage& m) {
  std::uint16_t subtype = m.four_octet_as ? (m.add_path ? mrt_subtype::message_as4_addpath : mrt_subtype::message_as4)
                                          : (m.add_path ? mrt_subtype::message_addpath : mrt_subtype::message);
  Record record(bytes, time, mrt_type::bgp4mp_et, subtype);
  encode_bgp4mp_peer(record.out, m.peer, m.four_octet_as);
  record.out.bytes(m.message);
}

void encode_bgp4mp_state_change(std::vector<std::uint8_t>& bytes, MrtTime time, const Bgp4mpStateChange& change) {
  Record record(bytes, time, mrt_type::bgp4mp_et, mrt_subtype::state_change_as4);
  encode_bgp4mp_peer(record.out, change.peer);
  record.out.u16(change.before);
  record.out.u16(change.after);
}

Result<Bgp4mpMessage, std::string> decode_bgp4mp_message(const MrtRecord& record) {
  Bgp4mpMessage m;
  m.add_path = record.subtype == mrt_subtype::message_as4_addpath || record.subtype == mrt_subtype::message_addpath;
  m.four_octet_as = record.subtype == mrt_subtype::message_as4 || record.subtype == mrt_subtype::message_as4_addpath;
  if (!is_bgp4mp(record) || (!m.add_path && !m.four_octet_as && record.subtype != mrt_subtype::message))
    return Unexpected(fmt::format("a record of type {}, subtype {} is no BGP4MP message", record.type, record.subtype));
  ByteReader in(record.body);
  if (!read_bgp4mp_peer(in, m.peer, m.four_octet_as)) return malformed("the head of a BGP4MP message");
  m.message = in.rest();
  if (m.message.size() < wire::kHeaderSize || load_be16(m.message.data() + 16) != m.message.size()) return malformed("the message of a BGP4MP record");
  return m;
}

Result<Bgp4mpStateChange, std::string> decode_bgp4mp_state_change(const MrtRecord& record) {
  if (!is_bgp4mp(record) || record.subtype != mrt_subtype::state_change_as4)
    return Unexpected(fmt::format("a record of type {}, subtype {} is no BGP4MP state change", record.type, record.subtype));
  ByteReader in(record.body);
  Bgp4mpStateChange change;
  if (!read_bgp4mp_peer(in, change.peer)) return malformed("the head of a BGP4MP state change");
  change.before = in.u16();
  change.after = in.u16();
  if (!in.ok() || !in.empty()) return malformed("a BGP4MP state change");
  return change;
}

}  // namespace helio::exporter

// MRT records (RFC 6396, RFC 8050), both ways: TABLE_DUMP_V2 with RIB_GENERIC entries, since VPN families have no subtype of
// their own, and BGP4MP_ET messages and state changes. Pure functions.
//
// RIB_GENERIC_ADDPATH has the path id in front of the NLRI (RFC 8050 §4.2); GoBGP and OpenBGPD put it into each entry instead.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "rr/base/result.hpp"
#include "rr/wire/types.hpp"

namespace helio::exporter {

namespace mrt_type {
inline constexpr std::uint16_t table_dump_v2 = 13, bgp4mp = 16, bgp4mp_et = 17;
}
namespace mrt_subtype {
inline constexpr std::uint16_t peer_index_table = 1, rib_generic = 6, rib_generic_addpath = 12;               // TABLE_DUMP_V2
inline constexpr std::uint16_t message_as4 = 4, state_change_as4 = 5, message_as4_addpath = 9;                // BGP4MP, BGP4MP_ET
inline constexpr std::uint16_t message = 1, message_addpath = 8;                                              // two-octet ASes
}

struct MrtTime {
  std::uint32_t seconds = 0, microseconds = 0;
  bool operator==(const MrtTime&) const = default;
};

// A record as read; the body without the microseconds of the extended types.
struct MrtRecord {
  MrtTime time;
  std::uint16_t type = 0, subtype = 0;
  Bytes body;
};
// Takes the record at the front of `buffer` off it; nullopt: the end. The error is text: cut off or malformed.
Result<std::optional<MrtRecord>, std::string> next_mrt_record(Bytes& buffer);

struct MrtPeer {
  std::uint32_t router_id = 0;
  wire::IpAddress address;
  Asn as = 0;
  bool operator==(const MrtPeer&) const = default;
};
struct PeerIndexTable {
  std::uint32_t collector_id = 0;
  std::string view;
  std::vector<MrtPeer> peers;  // at most 65535
  bool operator==(const PeerIndexTable&) const = default;
};
void encode_peer_index_table(std::vector<std::uint8_t>& out, std::uint32_t seconds, const PeerIndexTable& table);
Result<PeerIndexTable, std::string> decode_peer_index_table(Bytes body);

struct RibEntry {
  std::uint16_t peer = 0;             // index in the table
  std::uint32_t originated = 0;       // Unix time
  Bytes next_hop;                     // the field of MP_REACH
  Bytes attributes;                   // without MP_REACH; AS_PATH in four-octet form
};
struct RibGeneric {
  std::uint32_t sequence = 0;
  wire::AfiSafi family;
  std::optional<std::uint32_t> path_id;
  Bytes nlri;                         // one, without the path id
  std::vector<RibEntry> entries;
};
void encode_rib_generic(std::vector<std::uint8_t>& out, std::uint32_t seconds, const RibGeneric& rib);
// Families that are not known here cannot be read: the length of their NLRIs is not known.
Result<RibGeneric, std::string> decode_rib_generic(const MrtRecord& record);

// Who is meant by a BGP4MP record.
struct Bgp4mpPeer {
  Asn peer_as = 0, local_as = 0;
  wire::IpAddress peer_address, local_address;
  bool operator==(const Bgp4mpPeer&) const = default;
};
struct Bgp4mpMessage {
  Bgp4mpPeer peer;
  Bytes message;                      // with its header
  bool add_path = false;
  bool four_octet_as = true;          // of the AS_PATH in the message
};
struct Bgp4mpStateChange {
  Bgp4mpPeer peer;
  std::uint16_t before = 1, after = 1;  // RFC 4271: 1 Idle … 6 Established
};
void encode_bgp4mp_message(std::vector<std::uint8_t>& out, MrtTime time, const Bgp4mpMessage& message);
void encode_bgp4mp_state_change(std::vector<std::uint8_t>& out, MrtTime time, const Bgp4mpStateChange& change);
Result<Bgp4mpMessage, std::string> decode_bgp4mp_message(const MrtRecord& record);
Result<Bgp4mpStateChange, std::string> decode_bgp4mp_state_change(const MrtRecord& record);

}  // namespace helio::exporter

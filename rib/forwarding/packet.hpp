// A packet in memory and its headers: IPv4 (RFC 791), IPv6 (RFC 8200), MPLS label stack entries (RFC 3032). Room is kept
// in front so that pushing labels and tunnel headers copies nothing.
#pragma once
#include <memory>

#include "rr/base/bytes.hpp"
#include "rr/wire/types.hpp"

namespace helio::forwarding {

enum class Protocol : std::uint8_t { ipv4, ipv6, mpls };

// Reserved labels (IANA "Special-Purpose MPLS Label Values").
namespace label {
inline constexpr std::uint32_t explicit_null_v4 = 0, router_alert = 1, explicit_null_v6 = 2, implicit_null = 3, entropy_indicator = 7,
                               first_unreserved = 16, most = 0xfffff;
}

namespace ip_protocol {
inline constexpr std::uint8_t icmp = 1, tcp = 6, udp = 17, gre = 47, icmpv6 = 58, mpls_in_ip = 137;
}

// One label stack entry: label 20, traffic class 3, bottom of stack 1, TTL 8.
struct LabelEntry {
  std::uint32_t word = 0;
  static LabelEntry make(std::uint32_t label, std::uint8_t traffic_class, bool is_bottom, std::uint8_t ttl) {
    return {label << 12 | static_cast<std::uint32_t>(traffic_class & 7) << 9 | (is_bottom ? 0x100u : 0u) | ttl};
  }
  std::uint32_t label() const { return word >> 12; }
  std::uint8_t traffic_class() const { return word >> 9 & 7; }
  bool is_bottom() const { return (word & 0x100) != 0; }
  std::uint8_t ttl() const { return static_cast<std::uint8_t>(word); }
  void set_ttl(std::uint8_t ttl) { word = (word & ~0xffu) | ttl; }
  void set_traffic_class(std::uint8_t tc) { word = (word & ~0xe00u) | static_cast<std::uint32_t>(tc & 7) << 9; }
  static LabelEntry load(const std::uint8_t* p) { return {load_be32(p)}; }
  void store(std::uint8_t* p) const { store_be32(p, word); }
};

class Packet {
 public:
  static constexpr std::size_t kHeadroom = 128;
  explicit Packet(std::size_t capacity = 2048) : storage_(new std::uint8_t[kHeadroom + capacity]), capacity_(capacity) {}
  Packet(Bytes octets, Protocol what) : Packet(std::max<std::size_t>(2048, octets.size())) { assign(octets, what); }

  // At most the capacity given at construction.
  void assign(Bytes octets, Protocol what) {
    at_ = kHeadroom;
    size_ = octets.size();
    if (size_ != 0) std::memcpy(storage_.get() + at_, octets.data(), size_);
    protocol = what;
  }
  std::uint8_t* data() { return storage_.get() + at_; }
  const std::uint8_t* data() const { return storage_.get() + at_; }
  std::size_t size() const { return size_; }
  Bytes view() const { return Bytes(data(), size_); }
  std::size_t capacity() const { return capacity_; }
  // n octets in front, to be filled in by the caller; null when there is no room.
  std::uint8_t* push(std::size_t n) {
    if (n > at_) return nullptr;
    at_ -= n;
    size_ += n;
    return data();
  }
  void pull(std::size_t n) {
    at_ += n;
    size_ -= n;
  }
  void trim(std::size_t size) { size_ = size; }

  Protocol protocol = Protocol::ipv4;

 private:
  std::unique_ptr<std::uint8_t[]> storage_;
  std::size_t capacity_;
  std::size_t at_ = kHeadroom, size_ = 0;
};

// The Internet checksum (RFC 1071) over `octets`, added to a partial sum.
std::uint32_t add_checksum(Bytes octets, std::uint32_t sum = 0);
inline std::uint16_t finish_checksum(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}
// Of TCP, UDP and ICMPv6 over IPv6 (RFC 8200 §8.1). `header` is the IPv6 header.
std::uint16_t checksum_v6(const std::uint8_t* header, std::uint8_t next_header, Bytes payload);

namespace ipv4 {
inline constexpr std::size_t kHeader = 20;
inline std::size_t header_size(const std::uint8_t* p) { return (p[0] & 15) * 4u; }
inline std::uint16_t total_length(const std::uint8_t* p) { return load_be16(p + 2); }
inline std::uint8_t ttl(const std::uint8_t* p) { return p[8]; }
inline std::uint8_t dscp(const std::uint8_t* p) { return p[1] >> 2; }
inline bool may_not_fragment(const std::uint8_t* p) { return (p[6] & 0x40) != 0; }
inline bool is_later_fragment(const std::uint8_t* p) { return (load_be16(p + 6) & 0x1fff) != 0; }
inline std::uint32_t source(const std::uint8_t* p) { return load_be32(p + 12); }
inline std::uint32_t destination(const std::uint8_t* p) { return load_be32(p + 16); }
bool is_checksum_right(const std::uint8_t* p);
// Sets the TTL and corrects the checksum (RFC 1624 eqn. 3).
void set_ttl(std::uint8_t* p, std::uint8_t ttl);
void set_dscp(std::uint8_t* p, std::uint8_t dscp);
void fill_checksum(std::uint8_t* p);
// A header of 20 octets without options, checksum filled in.
void write(std::uint8_t* p, std::uint32_t source, std::uint32_t destination, std::uint8_t protocol, std::size_t total, std::uint8_t ttl,
           bool may_not_fragment, std::uint8_t dscp = 0);
}  // namespace ipv4

namespace ipv6 {
inline constexpr std::size_t kHeader = 40;
inline std::uint8_t hop_limit(const std::uint8_t* p) { return p[7]; }
inline void set_hop_limit(std::uint8_t* p, std::uint8_t v) { p[7] = v; }
inline std::uint8_t dscp(const std::uint8_t* p) { return static_cast<std::uint8_t>((p[0] & 15) << 2 | p[1] >> 6); }
void set_dscp(std::uint8_t* p, std::uint8_t dscp);
inline unsigned __int128 load(const std::uint8_t* p) { return static_cast<unsigned __int128>(load_be64(p)) << 64 | load_be64(p + 8); }
inline unsigned __int128 source(const std::uint8_t* p) { return load(p + 8); }
inline unsigned __int128 destination(const std::uint8_t* p) { return load(p + 24); }
void write(std::uint8_t* p, const std::uint8_t* source, const std::uint8_t* destination, std::uint8_t next_header, std::size_t payload,
           std::uint8_t hop_limit, std::uint8_t dscp = 0);
}  // namespace ipv6

// Hash of addresses, protocol and ports, so that a flow keeps its way (RFC 2992). For labelled packets: the entropy label
// where there is one (RFC 6790 §4.3), else the labels and what can be seen of the IP header below them.
std::uint32_t flow_hash(const Packet& packet);

// The label stack for people, the top first: "16003 24001(s)"; with TTLs "16003/254 24001/64(s)".
std::string format_labels(Bytes packet, bool with_ttl = false);

}  // namespace helio::forwarding

// OPEN (RFC 4271 §4.2) and its capabilities (RFC 5492), both ways, with the extended optional parameters of RFC 9072.
// Capabilities keeps everything the neighbour said, also families and codes that Heliograph does not know: operators
// look at it. What both sides agree on is negotiate.hpp.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "rr/base/result.hpp"
#include "rr/wire/as_path.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/notification.hpp"
#include "rr/wire/types.hpp"

namespace helio::wire {

namespace capability {  // IANA capability codes
inline constexpr std::uint8_t multiprotocol = 1, route_refresh = 2, extended_next_hop = 5, extended_message = 6, role = 9,
                              graceful_restart = 64, four_octet_as = 65, add_path = 69, enhanced_route_refresh = 70,
                              long_lived_graceful_restart = 71, fqdn = 73, software_version = 75;
}

// RFC 8950 §4: routes of `family` may have a next hop of `next_hop_afi`.
struct ExtendedNextHop {
  AfiSafi family;
  std::uint16_t next_hop_afi = 2;
  bool operator==(const ExtendedNextHop&) const = default;
};

struct GracefulRestart {  // RFC 4724 §3, RFC 8538 §2
  struct FamilyEntry {
    AfiSafi family;
    bool forwarding_preserved = false;  // F bit
    bool operator==(const FamilyEntry&) const = default;
  };
  bool restarting = false;         // R bit
  bool notification = false;       // N bit
  std::uint16_t restart_time = 0;  // seconds, 12 bits
  std::vector<FamilyEntry> families;
  bool operator==(const GracefulRestart&) const = default;
};

struct LongLivedGracefulRestart {  // RFC 9494 §3.1
  AfiSafi family;
  bool forwarding_preserved = false;
  std::uint32_t stale_time = 0;  // seconds, 24 bits
  bool operator==(const LongLivedGracefulRestart&) const = default;
};

struct AddPath {  // RFC 7911 §4
  AfiSafi family;
  bool receive = false;
  bool send = false;
  bool operator==(const AddPath&) const = default;
};

struct Fqdn {
  std::string hostname;
  std::string domain;
  bool operator==(const Fqdn&) const = default;
};

struct UnknownCapability {
  std::uint8_t code = 0;
  std::vector<std::uint8_t> value;
  bool operator==(const UnknownCapability&) const = default;
};

struct Capabilities {
  std::vector<AfiSafi> multiprotocol;
  bool route_refresh = false;
  bool enhanced_route_refresh = false;
  bool extended_message = false;
  std::optional<Asn> four_octet_as;
  std::vector<ExtendedNextHop> extended_next_hop;
  std::optional<GracefulRestart> graceful_restart;
  // Present without families: the speaker understands long-lived stale routes, but asks for none to be kept.
  std::optional<std::vector<LongLivedGracefulRestart>> long_lived_graceful_restart;
  std::vector<AddPath> add_path;
  std::optional<std::uint8_t> role;  // RFC 9234 §4.1
  std::optional<Fqdn> fqdn;
  std::string software_version;
  std::vector<UnknownCapability> unknown;
  bool operator==(const Capabilities&) const = default;
};

struct OpenMessage {
  std::uint16_t my_as = 0;  // the two-octet field: AS_TRANS for an AS that needs four
  std::uint16_t hold_time = 0;
  std::uint32_t bgp_identifier = 0;
  Capabilities capabilities;
  bool extended_parameters = false;  // RFC 9072: received so, or the neighbour is known to read it

  Asn as() const { return capabilities.four_octet_as.value_or(my_as); }
  void set_as(Asn as) {
    my_as = static_cast<std::uint16_t>(as <= 0xffff ? as : kAsTrans);
    capabilities.four_octet_as = as;
  }
  bool operator==(const OpenMessage&) const = default;
};

// `body` is the message without its header. Errors: 2/1 (data: version 4), 2/2 (AS 0), 2/3, 2/4, 2/6, and 2/0 for
// lengths that do not fit. Whether the AS is the expected one and the identifier another than ours is the session's.
// Informational capabilities (FQDN, software version) that are malformed are ignored.
Result<OpenMessage, Notification> decode_open(Bytes body);

// The whole message. Optional parameters over 255 octets: where `extended_parameters` is not set, FQDN and software
// version are left out first (old speakers drop the session over RFC 9072, wire 2.17); what is still too long goes
// out in the extended form.
void encode_open(std::vector<std::uint8_t>& out, const OpenMessage& open);

// "graceful-restart", "four-octet-as", ...; "unknown" for a code not in this file.
std::string_view capability_name(std::uint8_t code);

}  // namespace helio::wire

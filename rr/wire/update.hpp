// UPDATE (RFC 4271 §4.3, RFC 4760, RFC 7606): from bytes to a checked view, without copying.
//
// decode_update applies RFC 7606 to the whole message: what must be discarded is gone from the view, what must be
// treated as withdrawn says so, and only what the RFCs demand resets the session (the error is the NOTIFICATION).
#pragma once
#include <array>
#include <optional>

#include "rr/base/result.hpp"
#include "rr/wire/notification.hpp"
#include "rr/wire/types.hpp"
#include "rr/wire/vpn_nlri.hpp"

namespace helio::wire {

namespace attr {  // attribute type codes (IANA)
inline constexpr std::uint8_t origin = 1, as_path = 2, next_hop = 3, med = 4, local_pref = 5, atomic_aggregate = 6,
                              aggregator = 7, communities = 8, originator_id = 9, cluster_list = 10, mp_reach = 14,
                              mp_unreach = 15, extended_communities = 16, as4_path = 17, as4_aggregator = 18,
                              pmsi_tunnel = 22, tunnel_encap = 23, ipv6_extended_communities = 25, aigp = 26,
                              large_communities = 32, otc = 35, prefix_sid = 40, attr_set = 128;
}
namespace attr_flag {
inline constexpr std::uint8_t optional = 0x80, transitive = 0x40, partial = 0x20, extended_length = 0x10;
}

// What the session negotiated, as far as decoding depends on it.
struct UpdateContext {
  bool four_octet_as = true;
  bool is_external = false;          // eBGP session
  FamilySet families;                // negotiated; others in MP_REACH/MP_UNREACH are ignored
  FamilySet add_path_receive;        // families whose NLRIs carry a path id in our direction
  FamilySet ipv6_next_hop;           // RFC 8950 negotiated for the family
  bool accept_external_aigp = false; // RFC 7311 §3.1: AIGP_SESSION is off on eBGP by default
  bool disable_family_on_error = false;  // RFC 4760 §7 instead of a session reset, see decode_update
};

struct AttributeView {
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  Bytes value;
};

// Why an attribute was discarded or the routes withdrawn; for counters and logs.
enum class UpdateErrorAction : std::uint8_t { discard, withdraw, disable_family, reset };
struct UpdateError {
  UpdateErrorAction action = UpdateErrorAction::discard;
  std::uint8_t attribute = 0;  // 0: not about one attribute
  const char* reason = "";     // static text, e.g. "ORIGIN length 2, expected 1 (RFC 7606 7.1)"
};

struct ReachView {
  Family family = Family::vpnv4;
  Bytes next_hop;  // the whole field: 12, 24 or 48 octets for VPN, 4 or 16 for rtc and evpn; checked
  Bytes nlri;      // checked: every entry can be walked
};
struct UnreachView {
  Family family = Family::vpnv4;
  Bytes nlri;
};

// The checked view; spans refer into the message.
struct UpdateView {
  static constexpr std::size_t kMaxAttributes = 64;
  // In the order received, without MP_REACH/MP_UNREACH, NEXT_HOP that no IPv4 NLRI needs, and discarded ones.
  std::array<AttributeView, kMaxAttributes> attributes;
  std::size_t attribute_count = 0;
  std::optional<ReachView> reach;      // nullopt when treat_as_withdraw moved it to `withdrawn_reach`
  std::optional<UnreachView> unreach;
  std::optional<ReachView> withdrawn_reach;  // MP_REACH routes to be treated as withdrawn (RFC 7606 §2)
  Bytes ipv4_withdrawn;                // plain IPv4 unicast, only when negotiated
  Bytes ipv4_nlri;
  Bytes withdrawn_ipv4_nlri;           // ipv4_nlri to be treated as withdrawn
  FamilySet disabled;                  // families an error with action disable_family is about
  std::optional<Family> end_of_rib;    // RFC 4724 §2
  std::array<UpdateError, 8> errors;   // the first eight
  std::size_t error_count = 0;         // all of them

  const AttributeView* find(std::uint8_t type) const {
    for (std::size_t i = 0; i < attribute_count; ++i)
      if (attributes[i].type == type) return &attributes[i];
    return nullptr;
  }
};

// `body` is the message without its 19-octet header. Errors: the NOTIFICATION to send (3/x). An attribute count
// beyond kMaxAttributes is treated as withdrawn.
//
// MP_REACH or MP_UNREACH of a negotiated family that cannot be read (next hop length, NLRI): RFC 7606 §3.j, §5.3 and
// §7.11 leave "session reset" (3/9 with the attribute as data, RFC 4760 §7) or "AFI/SAFI disable". The default is the
// reset, which always ends in a consistent state. With `disable_family_on_error` the error has the action
// disable_family, the family is in `disabled`, its routes are not in the view and the caller owes RFC 4760 §7: drop
// what the neighbour sent of that family and ignore what follows. RT membership is always handled that second way:
// a bad membership must not cost the VPN service of the session (pitfall 1.14).
Result<UpdateView, Notification> decode_update(Bytes body, const UpdateContext& context);

// Walks RT membership NLRIs (RFC 4684 §4). Length 1..31 is reported as `invalid` (treated as withdrawn alone) and the
// walk goes on; a length over 96 or beyond the end is malformed.
class RtcNlriReader {
 public:
  RtcNlriReader(Bytes nlri, bool has_path_id) : reader_(nlri), path_id_(has_path_id) {}
  enum class Status : std::uint8_t { ok, invalid, end, malformed };
  Status next(RtMembership& out, std::uint32_t& path_id);

 private:
  ByteReader reader_;
  bool path_id_;
};
void encode_rtc_nlri(std::vector<std::uint8_t>& out, const RtMembership& membership);

}  // namespace helio::wire

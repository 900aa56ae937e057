// Encoding classes: peers that receive identical bytes. What an attribute set looks like for each of them.
// RT membership never makes a class (DESIGN §2).
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "rib/attribute_store.hpp"
#include "rib/selection.hpp"
#include "rr/wire/types.hpp"

namespace helio::rib {

struct EncodingClass {
  bool is_external = false;      // eBGP: AS_PATH prepended, iBGP-only attributes left out (RFC 4271 §5.1, RFC 4456 §8)
  bool four_octet_as = true;     // false: AS_TRANS and AS4_PATH (RFC 6793)
  Asn local_as = 0;              // external only
  std::optional<wire::IpAddress> next_hop_self;  // external only, where configured
  // RFC 8326 §4, while the reflector is in maintenance: GRACEFUL_SHUTDOWN for everybody, LOCAL_PREF 0 inside the AS.
  bool graceful_shutdown = false;
  std::uint8_t export_policy = 0;  // number of the policy whose result is sent; 0: none
  std::array<Selection, 2> selection{};          // by family: VPNv4, VPNv6; EVPN has best paths
  bool operator==(const EncodingClass&) const = default;
  // The canonical bytes go out as they are.
  bool is_plain() const { return !is_external && four_octet_as && !graceful_shutdown; }
  const Selection& selection_of(wire::Family family) const {
    static constexpr Selection kBest{};
    return family == wire::Family::evpn ? kBest : selection[family == wire::Family::vpnv6 ? 1 : 0];
  }
};

// One attribute of canonical bytes; `whole` includes its header.
struct StoredAttribute {
  std::uint8_t flags, type;
  Bytes value;
  Bytes whole;
};
// The next attribute of canonical bytes, which are well formed by construction.
StoredAttribute take_attribute(Bytes& rest);

// Canonical attribute bytes as this class gets them; `scratch` holds them when they differ.
// `keeps_med`: the MED is an export policy's word, so eBGP peers get it too.
Bytes outbound_attributes(const EncodingClass& encoding, Bytes canonical, std::vector<std::uint8_t>& scratch, bool keeps_med = false);
Bytes outbound_next_hop(const EncodingClass& encoding, wire::Family family, Bytes next_hop, std::vector<std::uint8_t>& scratch);

// What an export policy makes of an attribute set; implemented above the RIB, asked once per run of equal attributes.
class ExportTransform {
 public:
  struct Result {
    Bytes next_hop, attributes;  // good until the next call
    bool keeps_med = false;
  };
  virtual ~ExportTransform() = default;
  // False: not sent.
  virtual bool apply(const AttributeSet& set, Result& out) = 0;
};

}  // namespace helio::rib

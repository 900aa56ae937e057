// What a reflector says to a synthetic PE: UPDATEs taken apart without rr/wire's codec (see messages.hpp). helio-pe walks
// attributes in its checker's hot loop and NLRIs in its own; helio-lab wants routes.
#pragma once
#include <optional>
#include <utility>

#include "bench/synthetic/path.hpp"
#include "rr/base/bytes.hpp"

namespace helio::synthetic {

// The parts of an UPDATE's body (RFC 4271 §4.3); nullopt when the lengths do not fit.
struct UpdateParts {
  Bytes withdrawn, attributes, nlri;
};
inline std::optional<UpdateParts> split_update(Bytes body) {
  ByteReader r(body);
  UpdateParts parts;
  parts.withdrawn = r.take(r.u16());
  parts.attributes = r.take(r.u16());
  if (!r.ok()) return std::nullopt;
  parts.nlri = r.rest();
  return parts;
}

// Calls f(type, value) for each attribute until it returns false. False: f said so, or the lengths do not fit.
template <class Function>
inline bool each_attribute(Bytes attributes, Function&& f) {
  const std::uint8_t *p = attributes.data(), *stop = p + attributes.size();
  while (p < stop) {
    if (stop - p < 3) return false;
    std::uint8_t flags = p[0], type = p[1];
    std::size_t head = flags & 0x10 ? 4 : 3;
    if (static_cast<std::size_t>(stop - p) < head) return false;
    std::size_t size = head == 4 ? load_be16(p + 2) : p[2];
    p += head;
    if (static_cast<std::size_t>(stop - p) < size) return false;
    if (!f(type, Bytes(p, size))) return false;
    p += size;
  }
  return true;
}

// Calls f(path id, labels, rest, bits) for each NLRI of a VPN family: `labels` are whole fields of 3 octets, of a withdrawal
// the one that says nothing (RFC 8277 §2.4); `rest` is RD and prefix, of which `bits` belong to the prefix. False: malformed.
template <class Function>
bool each_vpn_nlri(Bytes nlris, bool is_withdrawal, bool has_path_id, Function&& f) {
  constexpr std::size_t kRd = 8, kLabel = 3;
  ByteReader r(nlris);
  while (!r.empty()) {
    std::uint32_t path_id = has_path_id ? r.u32() : 0;
    std::size_t bits = r.u8();
    Bytes value = r.take((bits + 7) / 8);
    if (!r.ok()) return false;
    // RFC 8277 §2: labels up to the one with the bottom of stack bit.
    std::size_t labels = kLabel;
    while (!is_withdrawal && labels <= value.size() && (value[labels - 1] & 1) == 0) labels += kLabel;
    if (value.size() < labels + kRd || bits < 8 * (labels + kRd)) return false;
    f(path_id, value.first(labels), value.subspan(labels), bits - 8 * (labels + kRd));
  }
  return true;
}

// What an UPDATE says, for PEs that keep routes.
struct RouteChanges {
  std::vector<std::pair<PathKey, Path>> announced;
  std::vector<PathKey> withdrawn;
  std::vector<wire::RtMembership> joined, left;
};
// `with_path_ids`: families in which NLRIs have path ids (RFC 7911). AS numbers have four octets (RFC 6793), next hops are
// those of RFC 4364 and RFC 4659. nullopt: malformed.
std::optional<RouteChanges> read_update(Bytes body, wire::FamilySet with_path_ids);

}  // namespace helio::synthetic

#include "tests/support/evpn_disguise.hpp"

namespace helio::test {
namespace {

constexpr std::uint8_t kVpn6[3] = {0, 2, 128}, kEvpn[3] = {0, 25, 70};
constexpr std::size_t kMacIp = 8 + 10 + 4 + 1 + 6 + 1 + 16;  // up to the labels

void append(Octets& out, Bytes more) { out.insert(out.end(), more.begin(), more.end()); }

// One VPNv6 entry: length in bits, labels, RD, prefix.
void disguise_entries(Bytes nlri, bool is_withdrawal, Octets& out) {
  while (!nlri.empty()) {
    unsigned bits = nlri[0], octets = (bits + 7) / 8;
    Bytes entry = nlri.subspan(1, octets);
    nlri = nlri.subspan(1 + octets);
    std::size_t labels = 3;
    while (!is_withdrawal && (entry[labels - 1] & 1) == 0) labels += 3;
    unsigned length = bits - static_cast<unsigned>(labels) * 8 - 64;
    std::array<std::uint8_t, 16> address{};
    std::copy(entry.begin() + static_cast<std::ptrdiff_t>(labels) + 8, entry.end(), address.begin());
    if (length % 8 != 0) address[length / 8] &= static_cast<std::uint8_t>(0xff << (8 - length % 8));
    Octets body(entry.begin() + static_cast<std::ptrdiff_t>(labels), entry.begin() + static_cast<std::ptrdiff_t>(labels) + 8);
    body.resize(body.size() + 10, is_withdrawal ? 0x77 : 0x11);  // ESI: nobody looks at it in a withdrawal
    append(body, Octets{0, 0, 0, static_cast<std::uint8_t>(length), 48, 2, 0, 0, 0, 0, 1, 128});
    append(body, address);
    append(body, entry.first(labels));
    out.push_back(2);
    out.push_back(static_cast<std::uint8_t>(body.size()));
    append(out, body);
  }
}

void reveal_entries(Bytes nlri, bool is_withdrawal, Octets& out, std::vector<std::string>& defects) {
  while (!nlri.empty()) {
    if (nlri.size() < 2 || nlri[0] != 2 || nlri.size() < 2u + nlri[1] || (nlri[1] != kMacIp + 3 && nlri[1] != kMacIp + 6)) {
      defects.push_back("not an EVPN route that was announced");
      return;
    }
    Bytes body = nlri.subspan(2, nlri[1]);
    nlri = nlri.subspan(2u + nlri[1]);
    for (std::uint8_t octet : body.subspan(8, 10))
      if (octet != (is_withdrawal ? 0x00 : 0x11)) defects.push_back("ESI is not what was announced, or not zero in a withdrawal");
    unsigned length = body[8 + 10 + 3];
    Bytes labels = body.subspan(kMacIp);
    static constexpr std::uint8_t kWithdrawn[3] = {0x80, 0, 0};
    if (is_withdrawal && (labels.size() != 3 || labels[0] != 0 || labels[1] != 0 || labels[2] != 0)) defects.push_back("label in a withdrawal");
    if (is_withdrawal) labels = kWithdrawn;
    out.push_back(static_cast<std::uint8_t>(labels.size() * 8 + 64 + length));
    append(out, labels);
    append(out, body.first(8));
    append(out, body.subspan(kMacIp - 16, (length + 7) / 8));
  }
}

// Rewrites the MP attributes of one family to another; the values are made by the functions.
template <class Reach, class Unreach>
Octets rewrite(Bytes body, const std::uint8_t (&from)[3], Reach&& reach, Unreach&& unreach) {
  std::size_t withdrawn = load_be16(body.data());
  Octets out(body.begin(), body.begin() + 2 + static_cast<std::ptrdiff_t>(withdrawn));
  Bytes attributes = body.subspan(4 + withdrawn, load_be16(body.data() + 2 + withdrawn));
  Bytes rest = body.subspan(4 + withdrawn + attributes.size());
  Octets made;
  while (!attributes.empty()) {
    bool extended = (attributes[0] & 0x10) != 0;
    std::size_t header = extended ? 4 : 3, size = extended ? load_be16(attributes.data() + 2) : attributes[2];
    Bytes whole = attributes.first(std::min(header + size, attributes.size())), value = whole.subspan(header);
    std::uint8_t type = attributes[1];
    attributes = attributes.subspan(whole.size());
    if ((type != 14 && type != 15) || value.size() < 3 || !std::equal(from, from + 3, value.begin())) {
      append(made, whole);
      continue;
    }
    Octets changed = type == 14 ? reach(value) : unreach(value);
    append(made, Octets{static_cast<std::uint8_t>(whole[0] | 0x10), type, static_cast<std::uint8_t>(changed.size() >> 8), static_cast<std::uint8_t>(changed.size())});
    append(made, changed);
  }
  append(out, Octets{static_cast<std::uint8_t>(made.size() >> 8), static_cast<std::uint8_t>(made.size())});
  append(out, made);
  append(out, rest);
  return out;
}

}  // namespace

wire::Family disguised(wire::Family family) { return family == wire::Family::vpnv6 ? wire::Family::evpn : family; }

wire::FamilySet disguised(wire::FamilySet families) {
  if (!families.contains(wire::Family::vpnv6)) return families;
  families.erase(wire::Family::vpnv6);
  families.insert(wire::Family::evpn);
  return families;
}

wire::FamilySet revealed(wire::FamilySet families) {
  if (!families.contains(wire::Family::evpn)) return families;
  families.erase(wire::Family::evpn);
  families.insert(wire::Family::vpnv6);
  return families;
}

// A next hop of the VPN family has an RD in front, one of EVPN has not (RFC 7432 §7).
Octets disguise_update(Bytes body) {
  return rewrite(
      body, kVpn6,
      [](Bytes value) {
        Octets out(kEvpn, kEvpn + 3);
        append(out, Octets{16});
        append(out, value.subspan(4 + 8, 16));
        out.push_back(0);
        disguise_entries(value.subspan(5u + value[3]), false, out);
        return out;
      },
      [](Bytes value) {
        Octets out(kEvpn, kEvpn + 3);
        disguise_entries(value.subspan(3), true, out);
        return out;
      });
}

Octets reveal_update(Bytes body, std::vector<std::string>& defects) {
  return rewrite(
      body, kEvpn,
      [&](Bytes value) {
        Octets out(kVpn6, kVpn6 + 3);
        append(out, Octets{24, 0, 0, 0, 0, 0, 0, 0, 0});
        Bytes next_hop = value.subspan(4, value[3]);
        if (next_hop.size() == 4) append(out, Octets{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
        else if (next_hop.size() != 16) defects.push_back("next hop of an EVPN route");
        append(out, next_hop);
        out.push_back(0);
        reveal_entries(value.subspan(5u + value[3]), false, out, defects);
        return out;
      },
      [&](Bytes value) {
        Octets out(kVpn6, kVpn6 + 3);
        reveal_entries(value.subspan(3), true, out, defects);
        return out;
      });
}

Octets reveal_refresh(Bytes body) {
  Octets out(body.begin(), body.end());
  if (out.size() != 4 || out[0] != kEvpn[0] || out[1] != kEvpn[1] || out[3] != kEvpn[2]) return out;
  out[1] = kVpn6[1];
  out[3] = kVpn6[2];
  return out;
}

}  // namespace helio::test

// EVPN NLRI against a naive decoder that knows fields by their offsets (RFC 7432 §7, RFC 9136 §3.1, RFC 9251 §9), and each
// entry written back to the octets it came from.
#include "rr/wire/evpn_nlri.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace helio::fuzz {
namespace {

using namespace wire;

struct Parts {
  std::vector<std::uint8_t> front, key, tail;
  bool has_rd = true;
};

// Fields of a type: a number is that many octets, -1 an address with its length in bits in front.
struct Field {
  enum Kind { octets, mac, address, wildcard, labels } kind;
  std::size_t size;
  enum Place { front, key, tail } place;
};

std::vector<Field> fields_of(unsigned type, std::size_t size) {
  using F = Field;
  std::size_t ip = size == 34 ? 4 : 16;
  switch (type) {
    case 1: return {{F::octets, 10, F::key}, {F::octets, 4, F::key}, {F::octets, 3, F::tail}};
    case 2: return {{F::octets, 10, F::front}, {F::octets, 4, F::key}, {F::mac, 0, F::key}, {F::wildcard, 0, F::key}, {F::labels, 0, F::tail}};
    case 3: return {{F::octets, 4, F::key}, {F::address, 0, F::key}};
    case 4: return {{F::octets, 10, F::key}, {F::address, 0, F::key}};
    case 5: return {{F::octets, 10, F::front}, {F::octets, 4, F::key}, {F::octets, 1 + ip, F::key}, {F::octets, ip + 3, F::tail}};
    case 6: return {{F::octets, 4, F::key}, {F::wildcard, 0, F::key}, {F::wildcard, 0, F::key}, {F::address, 0, F::key}, {F::octets, 1, F::tail}};
    case 7: return {{F::octets, 14, F::key}, {F::wildcard, 0, F::key}, {F::wildcard, 0, F::key}, {F::address, 0, F::key}, {F::octets, 1, F::tail}};
    default: return {{F::octets, 14, F::key}, {F::wildcard, 0, F::key}, {F::wildcard, 0, F::key}, {F::address, 0, F::key}, {F::octets, 6, F::tail}};
  }
}

bool take(Bytes body, std::size_t& at, std::size_t n, std::vector<std::uint8_t>& out) {
  if (body.size() - at < n) return false;
  out.insert(out.end(), body.begin() + static_cast<std::ptrdiff_t>(at), body.begin() + static_cast<std::ptrdiff_t>(at + n));
  at += n;
  return true;
}

bool by_fields(unsigned type, Bytes body, Parts& parts) {
  if (type == 5 && (body.size() != 34 && body.size() != 58)) return false;
  if (type == 5 && body[22] > (body.size() == 34 ? 32 : 128)) return false;
  std::size_t at = 8;
  if (body.size() < at) return false;
  for (const Field& f : fields_of(type, body.size())) {
    std::vector<std::uint8_t>& out = f.place == Field::front ? parts.front : f.place == Field::key ? parts.key : parts.tail;
    std::size_t n = f.size;
    if (f.kind == Field::labels) n = body.size() - at == 6 ? 6 : 3;
    if (f.kind == Field::mac || f.kind == Field::address || f.kind == Field::wildcard) {
      if (at >= body.size()) return false;
      unsigned bits = body[at];
      bool good = f.kind == Field::mac ? bits == 48 : bits == 32 || bits == 128 || (f.kind == Field::wildcard && bits == 0);
      if (!good) return false;
      n = 1 + bits / 8;
    }
    if (!take(body, at, n, out)) return false;
  }
  return at == body.size();
}

bool naive(unsigned type, Bytes body, Parts& parts) {
  if (type == 0 || type > 8) {
    parts.key.assign(body.begin(), body.end());
    parts.has_rd = false;
    return true;
  }
  if (by_fields(type, body, parts)) return true;
  if (type < 6 || body.size() < 8) return false;
  parts = {{}, {body.begin() + 8, body.end()}, {}, true};
  return true;
}

}  // namespace
}  // namespace helio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::fuzz;
  helio::Bytes rest(data, size);
  EvpnNlriReader reader(rest);
  EvpnNlri entry;
  NlriStatus status;
  while ((status = reader.next(entry)) == NlriStatus::ok) {
    HELIO_CHECK(rest.size() >= 2 && rest.size() - 2 >= rest[1], "an entry beyond the end");
    helio::Bytes whole = rest.first(2u + rest[1]);
    Parts parts;
    HELIO_CHECK(naive(whole[0], whole.subspan(2), parts), "a malformed entry");
    HELIO_CHECK(entry.type == whole[0] && same(entry.whole, whole) && entry.has_rd == parts.has_rd, "entry");
    HELIO_CHECK(same(entry.front, parts.front) && same(entry.key, parts.key) && same(entry.tail, parts.tail), "parts");
    std::vector<std::uint8_t> payload = parts.front;
    payload.insert(payload.end(), parts.tail.begin(), parts.tail.end());
    std::optional<RouteDistinguisher> rd;
    if (entry.has_rd) rd = entry.rd;
    std::vector<std::uint8_t> again(evpn_entry_size(entry.has_rd, entry.key.size(), payload.size()));
    write_evpn_nlri(again.data(), entry.type, rd, entry.key, payload);
    HELIO_CHECK(same(again, whole), "both ways");
    HELIO_CHECK(!format_evpn_key(entry.type, entry.key).empty(), "text");
    format_evpn_payload(entry.type, entry.key, payload);
    evpn_labels(entry.type, payload);
    rest = rest.subspan(whole.size());
  }
  if (status == NlriStatus::end) {
    HELIO_CHECK(rest.empty(), "end of the walk");
  } else if (rest.size() >= 2 && rest.size() - 2 >= rest[1]) {
    Parts parts;
    HELIO_CHECK(!naive(rest[0], rest.subspan(2, rest[1]), parts), "a good entry refused");
  }
  return 0;
}

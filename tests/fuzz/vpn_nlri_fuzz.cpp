// VPN NLRI against a naive decoder, and each entry encoded back to the octets it came from.
// First octet: bit 0 VPNv6, bit 1 withdrawal, bit 2 path ids.
#include "rr/wire/update_encode.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace helio::fuzz {
namespace {

using namespace wire;

struct Entry {
  std::uint32_t path_id = 0;
  std::vector<std::uint8_t> labels;
  std::uint64_t rd = 0;
  unsigned length = 0;
  std::vector<std::uint8_t> prefix;
};

// How many labels: all counts that leave room for an RD and a legal prefix, then the rules in their order.
unsigned naive_label_count(Bytes body, unsigned bits, unsigned max_prefix, bool is_withdrawal) {
  auto fits = [&](unsigned k) { return k * 24 + 64 <= bits && bits - k * 24 - 64 <= max_prefix; };
  auto has_s_bit = [&](unsigned label) { return (body[label * 3 + 2] & 1) != 0; };
  if (has_s_bit(0)) return fits(1) ? 1 : 0;
  std::uint32_t first = body[0] * 65536u + body[1] * 256u + body[2];
  if (is_withdrawal && (first == 0 || first == 0x800000)) return fits(1) ? 1 : 0;
  unsigned stack = 0;
  for (unsigned k = 2; k <= kMaxLabels && k * 24 + 64 <= bits; ++k)
    if (has_s_bit(k - 1)) {
      stack = fits(k) ? k : 0;
      break;
    }
  if (stack == 0) return fits(1) ? 1 : 0;
  if (!fits(1)) return stack;
  auto rd_type = [&](unsigned k) { return body[k * 3] * 256u + body[k * 3 + 1]; };
  return rd_type(1) <= 2 && rd_type(stack) > 2 ? 1 : stack;
}

bool naive(Bytes nlri, bool is_v6, bool is_withdrawal, bool has_path_id, std::vector<Entry>& out) {
  std::size_t at = 0;
  while (at < nlri.size()) {
    Entry entry;
    if (has_path_id) {
      if (nlri.size() - at < 4) return false;
      for (int i = 0; i < 4; ++i) entry.path_id = entry.path_id << 8 | nlri[at++];
      if (at == nlri.size()) return false;
    }
    unsigned bits = nlri[at++];
    std::size_t octets = bits / 8 + (bits % 8 != 0);
    if (octets > nlri.size() - at || bits < 88) return false;
    Bytes body = nlri.subspan(at, octets);
    unsigned labels = naive_label_count(body, bits, is_v6 ? 128 : 32, is_withdrawal);
    if (labels == 0) return false;
    entry.labels.assign(body.begin(), body.begin() + labels * 3);
    for (unsigned i = 0; i < 8; ++i) entry.rd = entry.rd << 8 | body[labels * 3 + i];
    entry.length = bits - labels * 24 - 64;
    entry.prefix.assign(body.begin() + labels * 3 + 8, body.end());
    out.push_back(entry);
    at += octets;
  }
  return true;
}

}  // namespace
}  // namespace helio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::fuzz;
  Input input(data, size);
  bool is_v6 = input.option(0), is_withdrawal = input.option(1), has_path_id = input.option(2);
  std::vector<Entry> expected;
  bool good = naive(input.rest, is_v6, is_withdrawal, has_path_id, expected);

  VpnNlriReader reader(input.rest, is_v6, is_withdrawal, has_path_id);
  VpnNlri entry;
  NlriStatus status;
  std::size_t count = 0;
  std::vector<std::uint8_t> again;
  while ((status = reader.next(entry)) == NlriStatus::ok) {
    HELIO_CHECK(count < expected.size(), "an entry too many");
    const Entry& want = expected[count++];
    helio::Bytes labels(entry.labels, entry.label_count * 3u);
    helio::Bytes prefix(entry.prefix, (entry.length + 7u) / 8);
    HELIO_CHECK(!has_path_id || entry.path_id == want.path_id, "path id");
    HELIO_CHECK(same(labels, want.labels) && entry.rd.value == want.rd && entry.length == want.length && same(prefix, want.prefix), "entry");
    VpnPrefix value{entry.rd, {}, entry.length, is_v6};
    std::copy(prefix.begin(), prefix.end(), value.address.begin());
    std::vector<std::uint32_t> fields;
    for (unsigned i = 0; i < entry.label_count; ++i) fields.push_back(helio::load_be24(entry.labels + i * 3));
    encode_vpn_nlri(again, value, fields, has_path_id ? std::optional(entry.path_id) : std::nullopt);
  }
  HELIO_CHECK(count == expected.size() && (status == NlriStatus::end) == good, "end of the walk");
  HELIO_CHECK(same(again, input.rest.first(again.size())) && (!good || again.size() == input.rest.size()), "both ways");
  return 0;
}

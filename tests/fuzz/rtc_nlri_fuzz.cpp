// RT membership NLRI: every entry is canonical, means what its octets say and survives encoding.
// First octet: bit 0 path ids.
#include "rr/wire/update.hpp"
#include "tests/fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::wire;
  using Status = RtcNlriReader::Status;
  helio::fuzz::Input input(data, size);
  bool has_path_id = input.option(0);
  RtcNlriReader reader(input.rest, has_path_id);
  std::size_t at = 0;
  for (;;) {
    RtMembership membership;
    std::uint32_t path_id = 0;
    Status status = reader.next(membership, path_id);
    if (status == Status::end) {
      HELIO_CHECK(at == input.rest.size(), "end");
      return 0;
    }
    std::size_t head = at + (has_path_id ? 4 : 0);
    bool complete = head < input.rest.size() && input.rest.size() - head - 1 >= (input.rest[head] + 7u) / 8;
    unsigned length = complete ? input.rest[head] : 0;
    if (status == Status::malformed) {
      HELIO_CHECK(!complete || length > 96, "malformed");
      return 0;
    }
    HELIO_CHECK(complete && length <= 96, "complete");
    helio::Bytes octets = input.rest.subspan(head + 1, (length + 7) / 8);
    at = head + 1 + octets.size();
    HELIO_CHECK((status == Status::invalid) == (length > 0 && length < 32), "invalid");
    if (status == Status::invalid) continue;

    HELIO_CHECK(membership.length == length, "length");
    // Bit by bit: the first `length` bits of (origin AS, target) are the octets', the rest is zero.
    for (unsigned bit = 0; bit < 96; ++bit) {
      bool want = bit < length && (octets[bit / 8] >> (7 - bit % 8) & 1);
      bool have = bit < 32 ? membership.origin_as >> (31 - bit) & 1 : membership.target >> (95 - bit) & 1;
      HELIO_CHECK(want == have, "bit");
    }
    HELIO_CHECK(!format_membership(membership).empty() && membership.matches({membership.target}), "text and match");
    std::vector<std::uint8_t> out;
    encode_rtc_nlri(out, membership);
    RtMembership again;
    HELIO_CHECK(RtcNlriReader(out, false).next(again, path_id) == Status::ok && again == membership, "both ways");
  }
}

// OPEN: what was decoded is encoded and decoded to the same value; negotiation never yields more than both offered.
#include "rr/wire/negotiate.hpp"
#include "tests/fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::wire;
  auto open = decode_open(helio::Bytes(data, size));
  if (!open) {
    HELIO_CHECK(open.error().code == 2, "an OPEN error");
    return 0;
  }
  HELIO_CHECK(open->as() != 0 && open->bgp_identifier != 0 && open->hold_time != 1 && open->hold_time != 2, "RFC 4271 6.2");

  std::vector<std::uint8_t> out;
  encode_open(out, *open);
  auto frame = next_frame(out, kMaxMessage);
  if (size <= kMaxMessage - kHeaderSize) HELIO_CHECK(frame && *frame, "framed");
  auto again = decode_open(helio::Bytes(out).subspan(kHeaderSize));
  HELIO_CHECK(again, "decodes again");
  // The extended form is used where it is needed only.
  again->extended_parameters = open->extended_parameters;
  HELIO_CHECK(*again == *open, "OPEN both ways");

  OpenMessage local;
  local.set_as(65000);
  local.hold_time = 90;
  local.bgp_identifier = 1;
  local.capabilities.multiprotocol = {{1, 128}, {2, 128}, {1, 132}};
  local.capabilities.add_path = {{{1, 128}, true, true}};
  local.capabilities.extended_next_hop = {{{1, 128}, 2}};
  local.capabilities.graceful_restart = GracefulRestart{};
  local.capabilities.long_lived_graceful_restart = {{{{1, 128}, false, 10}}};
  Negotiated result = negotiate(local, *open);
  HELIO_CHECK((result.families.bits & ~0x07) == 0, "families");
  for (FamilySet set : {result.add_path_receive, result.add_path_send, result.ipv6_next_hop, result.graceful_restart, result.long_lived,
                        result.forwarding_preserved})
    HELIO_CHECK((set & result.families) == set, "only negotiated families");
  HELIO_CHECK(result.hold_time <= 90 && result.keepalive <= result.hold_time, "timers");
  return 0;
}

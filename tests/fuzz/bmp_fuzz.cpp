// The reader of BMP streams: whatever it takes, it takes whole, and what the encoders make of it reads the same.
#include "rr/export/bmp_message.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace helio;
using namespace helio::exporter;

// The same message, encoded by us; nothing for types that are not written.
bool encode(const BmpMessage& message, std::vector<std::uint8_t>& out) {
  if (auto* m = std::get_if<BmpRouteMonitoring>(&message)) encode_route_monitoring(out, m->peer, m->update);
  else if (auto* s = std::get_if<BmpStatistics>(&message)) encode_statistics(out, *s);
  else if (auto* d = std::get_if<BmpPeerDown>(&message)) encode_peer_down(out, *d);
  else if (auto* u = std::get_if<BmpPeerUp>(&message)) encode_peer_up(out, *u);
  else if (auto* i = std::get_if<BmpInitiation>(&message)) encode_initiation(out, *i);
  else if (auto* t = std::get_if<BmpTermination>(&message)) encode_termination(out, *t);
  else return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes rest(data, size);
  for (;;) {
    Bytes before = rest;
    auto message = next_bmp_message(rest);
    if (!message || !*message) {
      HELIO_CHECK(rest.size() == before.size(), "nothing is taken of what is not a message");
      break;
    }
    std::size_t taken = before.size() - rest.size();
    HELIO_CHECK(taken >= kBmpHeaderSize && taken == load_be32(before.data() + 1), "a message is taken whole");
    std::vector<std::uint8_t> again;
    if (!encode(**message, again)) continue;
    // Statistics that are skipped, and addresses whose leading octets are to be ignored, read differently the first time only.
    Bytes second(again);
    auto read = next_bmp_message(second);
    HELIO_CHECK(read && *read && second.empty(), "what is written can be read");
    std::vector<std::uint8_t> third;
    encode(**read, third);
    HELIO_CHECK(fuzz::same(again, third), "both ways");
  }
  return 0;
}

// A session pair and a third one beside it, on the whole engine: two PEs exchange routes by the rules, the third sends whatever
// the input says, comes and goes. Once it is gone, both must hold what the oracle says, octet for octet, as if it had never
// been there; and when all are gone, the engine must account for nothing (DESIGN §4, invariants 1 to 5).
//
// Input: records of an operation (low nibble; the high one is its argument), for octets of the third peer followed by their number in
// two octets and the octets themselves.
#include <cstdio>

#include "tests/fuzz/fuzz_input.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/reflector_engine.hpp"

namespace {

using namespace helio;
using namespace helio::test;

enum Operation : std::uint8_t { update, announce, withdraw, join, leave, restart, refresh, rounds, time_passes, end_of_rib, stop_reading, count_ };
constexpr std::uint32_t kFirst = 0, kSecond = 1, kThird = 2;

std::string number(const char* format, unsigned n) {
  char text[32];
  std::snprintf(text, sizeof text, format, n);
  return text;
}

PeerSpec third_peer(unsigned kind) {
  PeerSpec spec = kind % 3 == 0 ? client_with_rtc() : kind % 3 == 1 ? non_client_with_rtc() : external_peer(65100);
  spec.enhanced_refresh = true;
  spec.extended_messages = (kind & 4) != 0;
  if ((kind & 8) != 0) spec.add_path_receive.insert(wire::Family::vpnv4);
  spec.four_octet_as = (kind & 16) == 0;
  return spec;
}

void check(const Lab& lab) {
  if (!lab.sim.failure()) return;
  std::fprintf(stderr, "%s\n", lab.sim.failure()->c_str());
  HELIO_CHECK(false, "the surviving peers are as the oracle says");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  unsigned kind = data[0];
  Lab lab(reflector_engine(), {client_with_rtc(), client_with_rtc(), third_peer(kind)}, 1 + (kind >> 5) % 2, false);
  Simulation& sim = lab.sim;
  for (std::uint32_t peer : {kFirst, kSecond}) {
    sim.up(peer);
    for (const char* rt : {"65000:1", "65000:2"}) lab.join(peer, rt);
    sim.send_rtc_end_of_rib(peer);
  }
  for (unsigned i = 0; i < 4; ++i) {
    std::string prefix = number("10.0.%u.0/24", i);
    lab.announce(kFirst, {.prefix = prefix, .rts = {i % 2 == 0 ? "65000:1" : "65000:2"}});
  }
  sim.let_in(kThird);
  for (int operations = 0; !input.empty() && operations < 64; ++operations) {
    unsigned argument = input[0] >> 4;
    auto operation = static_cast<Operation>(input[0] % 16 % count_);
    input = input.subspan(1);
    std::uint32_t peer = argument & 1;
    switch (operation) {
      case update: {
        if (input.size() < 2) break;
        std::size_t length = std::min<std::size_t>(load_be16(input.data()), input.size() - 2);
        sim.send_unknown(kThird, Octets(input.begin() + 2, input.begin() + 2 + static_cast<std::ptrdiff_t>(length)));
        input = input.subspan(2 + length);
        break;
      }
      case announce:
        lab.announce(peer, {.prefix = number("10.0.%u.0/24", argument / 2), .rts = {number("65000:%u", 1 + argument % 3)}, .label = 100 + argument});
        break;
      case withdraw: lab.withdraw(peer, "65000:1", number("10.0.%u.0/24", argument / 2)); break;
      case join: lab.join(peer, number("65000:%u", 1 + argument / 2 % 4)); break;
      case leave: lab.leave(peer, number("65000:%u", 1 + argument / 2 % 4)); break;
      case restart:
        if (sim.peer(kThird).is_up()) sim.down(kThird, static_cast<Ending>(argument % kEndings));
        else sim.up(kThird);
        break;
      case refresh: {
        constexpr wire::Family kFamilies[] = {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc};
        sim.refresh_unknown(kThird, {.family = kFamilies[argument % 3], .subtype = static_cast<std::uint8_t>(argument / 3 % 3)});
        break;
      }
      case rounds: sim.rounds(1 + argument); break;
      case time_passes: sim.advance(std::chrono::seconds(1 << argument % 8)); break;
      case end_of_rib: sim.send_unknown(kThird, argument % 2 == 0 ? Octets{0, 0, 0, 6, 0x90, 15, 0, 3, 0, 1} : Octets{0, 0, 0, 0}); break;
      case stop_reading:
        if (argument % 2 == 0) sim.pause(kThird);
        else sim.resume(kThird);
        break;
      case count_: break;
    }
    check(lab);
  }
  // What the others hold is known only as far as their decoder, which is stricter than a PE, could read it.
  if (sim.auditor().was_unreadable()) return 0;
  sim.resume(kThird);
  sim.throw_out(kThird, Ending::taken_down);
  check(lab);
  sim.check_empty(false);
  check(lab);
  return 0;
}

// BFD: what decode() takes is what encode() writes; a session fed with anything keeps its promises. Input: datagrams of a
// length octet each, the octet before it says how much time passes (10 ms steps).
#include "rr/bfd/session.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace helio::bfd;
using namespace std::chrono_literals;

void check_sent(const Session& session, const std::vector<ControlPacket>& packets) {
  for (const ControlPacket& packet : packets) {
    PacketBytes bytes = encode(packet);
    auto read = decode(bytes);
    bool knows_nobody = packet.your_discriminator == 0 && packet.state >= State::init;
    HELIO_CHECK(!knows_nobody, "Init and Up name the neighbour");
    HELIO_CHECK(read && *read == packet, "our packets both ways");
    HELIO_CHECK(!(packet.poll && packet.final), "RFC 5880 6.5");
    HELIO_CHECK(!packet.demand, "never Demand mode");
    HELIO_CHECK(packet.state == State::up || packet.desired_min_tx >= 1s, "RFC 5880 6.8.3");
    HELIO_CHECK(packet.my_discriminator == session.discriminator(), "one discriminator");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (auto packet = decode(helio::Bytes(data, size))) {
    PacketBytes bytes = encode(*packet);
    bool same = std::equal(bytes.begin(), bytes.end(), data, [&, i = 0](std::uint8_t ours, std::uint8_t theirs) mutable {
      return i++ == 3 || ours == theirs;  // the length may name more than we write
    });
    HELIO_CHECK(same, "both ways");
  }
  TimePoint now{1000s};
  Session session({300ms, 3}, 7, 1, now);
  for (std::size_t at = 0; at + 2 <= size;) {
    now += data[at] * 10ms;
    std::size_t length = std::min<std::size_t>(data[at + 1], size - at - 2);
    session.run(now);
    HELIO_CHECK(session.deadline() > now, "run() does all that is due");
    check_sent(session, session.take_packets());
    State before = session.state();
    if (auto packet = decode(helio::Bytes(data + at + 2, length))) {
      session.on_packet(*packet, now);
      auto sent = session.take_packets();
      HELIO_CHECK(session.state() == before || !sent.empty() || packet->required_min_rx.count() == 0, "a change is told");
      check_sent(session, sent);
    }
    if (session.take_event() == Event::failed) HELIO_CHECK(session.state() != State::up, "a failure is not Up");
    HELIO_CHECK(session.state() != State::admin_down, "nobody takes us AdminDown");
    at += 2 + length;
  }
  return 0;
}

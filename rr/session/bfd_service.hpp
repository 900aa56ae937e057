// BFD for the neighbours that ask for it: the sockets, the clock and the thread of bfd::Session (RFC 5880, RFC 5883).
//
//   Peer ─start/configure/stop─► BfdService (one thread, made with the first session) ─► bfd::Session of the neighbour
//   BfdService ─failed─► SessionManager ─post─► Peer: Cease/BFD Down (RFC 9384)
//
// A session begins when the BGP session is Established, between the addresses of its TCP connection, and ends with it. One
// receiving socket per local address on UDP port 4784, one sending socket per session (RFC 5881 §4: a source port of its
// own). A thread of its own, so that detection times do not depend on RIB work.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rr/base/ids.hpp"
#include "rr/bfd/session.hpp"
#include "rr/wire/types.hpp"

namespace helio::session {

inline constexpr std::uint16_t kBfdMultihopPort = 4784;  // RFC 5883 §5

struct BfdRequest {
  PeerId peer;
  std::uint32_t generation = 0;  // of the BGP session: told with a failure
  wire::IpAddress remote, local;
  bfd::Parameters parameters;
  std::uint8_t ttl_min = 0;      // packets with a lower TTL are discarded
};

// What operators see of a session.
struct BfdView {
  PeerId peer;
  bfd::State state = bfd::State::down, remote_state = bfd::State::down;
  bfd::Diagnostic diagnostic = bfd::Diagnostic::none, remote_diagnostic = bfd::Diagnostic::none;
  std::uint32_t discriminator = 0, remote_discriminator = 0;
  std::chrono::milliseconds transmit_interval{0}, detection_time{0};
  std::uint64_t packets_in = 0, packets_out = 0;
  std::string error;             // why there is no socket
};

struct BfdCounters {
  std::uint64_t packets_in = 0, packets_out = 0, discarded = 0, failures = 0;
};

class BfdService {
 public:
  // Called on the service's thread when a session that was Up is Down, but not because the neighbour went AdminDown.
  using Failed = std::function<void(PeerId peer, std::uint32_t generation, bfd::Diagnostic diagnostic)>;
  explicit BfdService(Failed failed, std::uint16_t port = kBfdMultihopPort);
  ~BfdService();

  // Any thread; each takes effect soon. start() replaces a session that the neighbour has.
  void start(BfdRequest request);
  void configure(PeerId peer, bfd::Parameters parameters, std::uint8_t ttl_min);
  void stop(PeerId peer);
  // Any thread but the service's own.
  std::vector<BfdView> views();
  BfdCounters counters();
  // The neighbours are told AdminDown; the thread has ended.
  void shut_down();

 private:
  class Loop;
  std::shared_ptr<Loop> loop();

  Failed failed_;
  std::uint16_t port_;
  std::mutex mutex_;  // making and ending the loop
  std::shared_ptr<Loop> loop_;
  bool is_over_ = false;
};

}  // namespace helio::session

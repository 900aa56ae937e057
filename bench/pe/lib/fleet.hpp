// Thousands of BGP client sessions on one epoll loop: connect from an address each, OPEN, keepalives, large
// reads, large writes, round-robin. Knows sessions and framing, not what UPDATEs mean: that is the listener's
// part. One thread. RFC 4271 §8 as far as an always-active speaker needs it.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "bench/pe/lib/stream.hpp"

namespace helio::pe {

using Nanoseconds = std::int64_t;
Nanoseconds now_ns();  // CLOCK_MONOTONIC
constexpr double seconds(Nanoseconds ns) { return static_cast<double>(ns) / 1e9; }

class FleetListener {
 public:
  virtual void on_established(std::uint32_t pe) = 0;
  virtual void on_update(std::uint32_t pe, Bytes body) = 0;
  virtual void on_route_refresh(std::uint32_t /*pe*/, Bytes /*body*/) {}
  virtual void after_read(std::uint32_t pe, std::size_t bytes) = 0;
  // The session is gone, by the other side's doing unless `by_us`.
  virtual void on_closed(std::uint32_t pe, const std::string& reason, bool by_us) = 0;

 protected:
  ~FleetListener() = default;
};

struct FleetOptions {
  std::uint32_t target_address = 0x7f000001;
  std::uint16_t target_port = 179;
  std::uint16_t hold_time = 90;
  std::uint32_t connect_window = 256;  // sessions on their way up at a time
  double ramp = 0;                     // new sessions per second; 0 = as fast as they come up
  std::size_t io_bytes = 256 * 1024;   // per read and per write call
  bool is_raw = false;  // no BGP at all: connected is established, bytes are counted only (--floor)
  bool vpnv4 = true;
  bool vpnv6 = false;
  bool rtc = false;
  bool add_path =
      false;  // several paths per VPN prefix are wanted; a reflector that sends one only is an error
  std::uint32_t asn = 65000;
};

class Fleet {
 public:
  Fleet(const FleetOptions& options, std::vector<std::uint32_t> addresses, FleetListener& listener);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Asks for the session to be brought up; again and again until it is.
  void start(std::uint32_t pe);
  void stop(std::uint32_t pe, bool with_cease = true);
  void pause_reading(std::uint32_t pe, bool paused);
  // Bytes to send: whole messages. `send_shared` keeps only the span, which must outlive the session's
  // output.
  void send(std::uint32_t pe, Bytes messages);
  void send_shared(std::uint32_t pe, Bytes messages);

  // One turn of the loop: waits at most `timeout_ms` when there is nothing to do.
  void turn(int timeout_ms);
  // How long turn() would wait at most; 0 = there is something to write.
  int wait_ms(int timeout_ms) const;
  int epoll_fd() const { return epoll_; }  // readable when a socket has something for turn()

  std::uint32_t established() const { return established_; }
  bool is_established(std::uint32_t pe) const { return sessions_[pe].state == State::established; }
  bool has_output() const { return !writers_.empty() || blocked_ > 0; }
  bool has_output(std::uint32_t pe) const { return !sessions_[pe].out.empty(); }
  std::uint32_t reflector_id() const { return reflector_id_; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  std::uint64_t bytes_received() const { return bytes_received_; }
  std::uint32_t failed_connects() const { return failed_connects_; }
  // Why sessions do not come up; what the reflector lacks comes before what TCP said afterwards.
  const std::string& last_error() const { return refusal_.empty() ? last_error_ : refusal_; }

 private:
  enum class State : std::uint8_t { idle, waiting, connecting, open_sent, open_confirm, established };
  struct Piece {
    ByteVector own;
    Bytes view;  // what is still to be sent
  };
  struct Session {
    int fd = -1;
    State state = State::idle;
    bool is_writer = false;   // in writers_
    bool is_blocked = false;  // waits for EPOLLOUT
    bool is_paused = false;
    std::uint32_t generation = 0;
    std::uint16_t hold_time = 0;
    std::deque<Piece> out;
    ByteVector partial;  // the beginning of a message whose end has not come yet
    Nanoseconds last_sent = 0, last_received = 0, retry_at = 0;
  };

  void connect_some(Nanoseconds now);
  void connect(std::uint32_t pe);
  void on_connected(std::uint32_t pe);
  void read(std::uint32_t pe);
  // Handles the whole messages in [p, p + size); returns the octets used. Stops when the session closes.
  std::size_t take_messages(std::uint32_t pe, const std::uint8_t* p, std::size_t size);
  void on_message(std::uint32_t pe, std::uint8_t type, Bytes body);
  void on_open(std::uint32_t pe, Bytes body);
  void write(std::uint32_t pe);
  void want_write(std::uint32_t pe);
  void update_interest(std::uint32_t pe);
  void close_session(std::uint32_t pe, const std::string& reason, bool by_us);
  void on_timer(Nanoseconds now);

  FleetOptions o_;
  std::vector<std::uint32_t> addresses_;
  FleetListener& listener_;
  std::vector<Session> sessions_;
  std::deque<std::uint32_t> to_connect_;
  std::vector<std::uint32_t> writers_, writers_now_;
  ByteVector buffer_;
  int epoll_ = -1;
  std::uint32_t established_ = 0, coming_up_ = 0, blocked_ = 0, failed_connects_ = 0;
  std::uint32_t reflector_id_ = 0;
  std::uint64_t bytes_sent_ = 0, bytes_received_ = 0;
  Nanoseconds next_timer_ = 0, ramp_start_ = 0;
  std::uint64_t ramp_started_ = 0;
  std::string last_error_, refusal_;
};

}  // namespace helio::pe

// One TCP connection of a session: framing in, ordered bytes out. Asio tells readiness only; the reads and writes are
// our own, made when the shard's turn comes (MEASUREMENTS §6). Lives on its shard's thread.
//
//   socket ─readable─► shard's read queue ─read()─► frames ─► ConnectionUser (Attempt)
//   control messages, engine output ─write()─► sendmsg, when the shard's write queue comes to it
//
// Bytes: about 250 per idle connection. Reading goes through the shard's scratch buffer; only the octets of an
// incomplete message are kept here.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>

#include "rr/session/engine.hpp"
#include "rr/wire/message.hpp"
#include "telemetry/counters.hpp"

namespace helio::session {

class Connection;
using ConnectionPtr = std::shared_ptr<Connection>;

// What a read or a write came to. drained: nothing left, readiness is awaited; more: call again; blocked: TCP takes no
// more now, the queue gets the connection back when it does; closed: the connection is over.
enum class ConnectionOutcome : std::uint8_t { drained, more, blocked, closed };

// Upcalls, all from within read(), write() or a readiness handler. The user may close or finish the connection in any.
class ConnectionUser {
 public:
  virtual ~ConnectionUser() = default;
  virtual bool is_established() const = 0;  // its messages go to the engine
  // The shard's write queue has come to this connection: call write() with the engine or without.
  virtual ConnectionOutcome on_write_turn(Connection& connection, std::size_t max_bytes) = 0;
  virtual void on_connected(int error) = 0;  // outgoing: 0 or the errno of connect()
  virtual void on_message(const wire::Frame& frame) = 0;
  virtual void on_frame_error(const wire::Notification& notification) = 0;
  virtual void on_end(CloseReason reason, int error) = 0;  // closed by the peer, or a socket error
};

// The shard's queues: a connection enters when it is ready and it is its turn to be served.
class ConnectionQueues {
 public:
  virtual ~ConnectionQueues() = default;
  virtual void ready_to_read(ConnectionPtr connection) = 0;
  virtual void ready_to_write(ConnectionPtr connection) = 0;
  virtual TimePoint now() const = 0;  // of this turn
  virtual telemetry::ShardCounters& counters() = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Outcome = ConnectionOutcome;

  // Takes over `fd`, non-blocking. Call start() next.
  Connection(boost::asio::io_context& io, ConnectionQueues& queues, ConnectionUser& user, int fd);
  ~Connection();
  // `connecting`: connect() is under way; on_connected() follows. Otherwise reading starts.
  void start(bool connecting);

  // Reads once, at most max_bytes, through `scratch` (which has kMaxExtendedMessage octets more than max_bytes) and
  // hands out every whole message.
  Outcome read(std::span<std::uint8_t> scratch, std::size_t max_bytes);
  // Sends once: control messages and, when `engine` is given, the output of `peer`, at most max_bytes of it.
  Outcome write(Engine* engine, PeerId peer, std::size_t max_bytes);

  // The write queue's turn of this connection.
  Outcome serve_write(std::size_t max_bytes) { return user_ ? user_->on_write_turn(*this, max_bytes) : Outcome::closed; }

  // Appends whole messages and asks for the shard's write queue. Never between the halves of another message.
  void queue_control(Bytes messages);
  bool has_control() const { return !control_.empty(); }
  bool is_write_blocked() const { return write_waiting_; }

  // The last message: best effort, never blocking. `rest` is the unsent part of the engine's message that was begun.
  // The user hears nothing any more. What the peer still sends is thrown away until it closes, so that the kernel
  // does not answer it with a reset that would overtake the NOTIFICATION.
  void finish(Bytes rest, const wire::Notification& notification);
  void close();
  bool is_open() const { return descriptor_.is_open(); }
  bool is_finishing() const { return finishing_; }
  bool is_established() const { return user_ && user_->is_established(); }

  void set_max_message(std::size_t octets) { max_message_ = static_cast<std::uint32_t>(octets); }
  int fd() { return descriptor_.native_handle(); }
  wire::IpAddress local_address();
  std::pair<std::uint16_t, std::uint16_t> ports();  // local, remote
  bool has_bytes_waiting();
  std::uint64_t bytes_in() const { return bytes_in_; }
  std::uint64_t bytes_out() const { return bytes_out_; }
  TimePoint last_sent() const { return last_sent_; }
  // Since when output has been waiting without any octet accepted by TCP; max() when none waits (RFC 9687).
  TimePoint blocked_since() const { return blocked_since_; }

  bool in_read_queue = false;   // owned by the shard loop
  bool in_write_queue = false;  // owned by the shard loop

 private:
  void wait_readable();
  void wait_writable();
  Outcome discard(std::span<std::uint8_t> scratch);
  Outcome deliver(Bytes buffer);
  void fail(CloseReason reason, int error);
  void account_sent(std::size_t sent);

  boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type> descriptor_;
  ConnectionQueues& queues_;
  ConnectionUser* user_;
  std::vector<std::uint8_t> partial_;  // octets of an incomplete message
  std::vector<std::uint8_t> control_;  // whole messages of our own, control_sent_ octets of it are out
  std::uint32_t control_sent_ = 0;
  std::uint32_t max_message_ = wire::kMaxMessage;
  std::uint32_t discarded_ = 0;
  bool read_waiting_ = false;
  bool write_waiting_ = false;
  bool connecting_ = false;
  bool finishing_ = false;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  TimePoint last_sent_{};
  TimePoint blocked_since_ = TimePoint::max();
};

}  // namespace helio::session

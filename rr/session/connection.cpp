#include "rr/session/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "rr/base/check.hpp"
#include "rr/session/sockets.hpp"

namespace helio::session {
namespace {

constexpr std::size_t kIovecs = 64;
constexpr std::uint32_t kMostDiscarded = 4u << 20;  // after our last message; a peer that sends more gets a reset
constexpr std::size_t kPartialKept = 512;           // an emptied buffer larger than this goes back to the heap

}  // namespace

Connection::Connection(boost::asio::io_context& io, ConnectionQueues& queues, ConnectionUser& user, int fd)
    : descriptor_(io.get_executor(), fd), queues_(queues), user_(&user) {}

Connection::~Connection() { close(); }

void Connection::start(bool connecting) {
  connecting_ = connecting;
  last_sent_ = queues_.now();
  if (connecting) {
    wait_writable();
  } else {
    wait_readable();
  }
}

void Connection::wait_readable() {
  if (read_waiting_ || !descriptor_.is_open()) return;
  read_waiting_ = true;
  descriptor_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->read_waiting_ = false;
                           if (!error && self->is_open()) self->queues_.ready_to_read(self);
                         });
}

void Connection::wait_writable() {
  if (write_waiting_ || !descriptor_.is_open()) return;
  write_waiting_ = true;
  descriptor_.async_wait(boost::asio::posix::descriptor_base::wait_write,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->write_waiting_ = false;
                           if (error || !self->is_open()) return;
                           if (!self->connecting_) {
                             self->queues_.ready_to_write(self);
                             return;
                           }
                           self->connecting_ = false;
                           int result = 0;
                           socklen_t length = sizeof result;
                           ::getsockopt(self->fd(), SOL_SOCKET, SO_ERROR, &result, &length);
                           if (result == 0) self->wait_readable();
                           if (self->user_) self->user_->on_connected(result);
                         });
}

void Connection::fail(CloseReason reason, int error) {
  ConnectionUser* user = std::exchange(user_, nullptr);
  close();
  if (user) user->on_end(reason, error);
}

Connection::Outcome Connection::read(std::span<std::uint8_t> scratch, std::size_t max_bytes) {
  if (!is_open()) return Outcome::closed;
  if (finishing_) return discard(scratch);
  HELIO_DCHECK(scratch.size() >= max_bytes + wire::kMaxExtendedMessage, "read scratch too small");
  std::copy(partial_.begin(), partial_.end(), scratch.begin());
  std::size_t kept = partial_.size();
  ssize_t got = ::recv(fd(), scratch.data() + kept, max_bytes, 0);
  if (got == 0) {
    fail(CloseReason::tcp_closed, 0);
    return Outcome::closed;
  }
  if (got < 0) {
    if (errno == EINTR) return Outcome::more;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_readable();
      return Outcome::drained;
    }
    fail(CloseReason::tcp_error, errno);
    return Outcome::closed;
  }
  auto count = static_cast<std::size_t>(got);
  bytes_in_ += count;
  if (deliver(Bytes(scratch.data(), kept + count)) == Outcome::closed) return Outcome::closed;
  if (count == max_bytes) return Outcome::more;
  wait_readable();
  return Outcome::drained;
}

Connection::Outcome Connection::deliver(Bytes buffer) {
  ConnectionPtr self = shared_from_this();
  while (true) {
    auto frame = wire::next_frame(buffer, max_message_);
    if (!frame) {
      if (user_) user_->on_frame_error(frame.error());
      return Outcome::closed;
    }
    if (!*frame) break;
    buffer = buffer.subspan((*frame)->message.size());
    user_->on_message(**frame);
    if (!is_open() || finishing_) return Outcome::closed;
  }
  if (buffer.empty() && partial_.capacity() > kPartialKept) {
    partial_ = {};
  } else {
    partial_.assign(buffer.begin(), buffer.end());
  }
  return Outcome::drained;
}

Connection::Outcome Connection::discard(std::span<std::uint8_t> scratch) {
  ssize_t got = ::recv(fd(), scratch.data(), scratch.size(), 0);
  if (got > 0 && discarded_ < kMostDiscarded) {
    discarded_ += static_cast<std::uint32_t>(got);
    wait_readable();
    return Outcome::drained;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    wait_readable();
    return Outcome::drained;
  }
  close();
  return Outcome::closed;
}

void Connection::queue_control(Bytes messages) {
  if (!is_open() || finishing_) return;
  if (control_.empty() && blocked_since_ == TimePoint::max()) blocked_since_ = queues_.now();
  control_.insert(control_.end(), messages.begin(), messages.end());
  if (!write_waiting_) queues_.ready_to_write(shared_from_this());
}

void Connection::account_sent(std::size_t sent) {
  bytes_out_ += sent;
  last_sent_ = queues_.now();
  blocked_since_ = last_sent_;
}

Connection::Outcome Connection::write(Engine* engine, PeerId peer, std::size_t max_bytes) {
  if (!is_open() || finishing_) return Outcome::closed;
  std::array<iovec, kIovecs> vectors;
  std::size_t used = 0;
  std::size_t rest_bytes = 0, control_bytes = control_.size() - control_sent_, total = 0;
  auto add = [&](Bytes bytes) {
    vectors[used++] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    total += bytes.size();
  };
  bool at_boundary = engine == nullptr || engine->at_message_boundary(peer);
  if (control_bytes != 0) {
    // A control message goes between two messages of the engine: finish the begun one first.
    if (!at_boundary) {
      Bytes rest = engine->rest_of_message(peer);
      rest_bytes = rest.size();
      add(rest);
    }
    add(Bytes(control_).subspan(control_sent_));
  }
  if (engine != nullptr && (control_bytes == 0 || at_boundary)) {
    std::size_t gathered = engine->gather(peer, std::span(vectors).subspan(used), max_bytes);
    for (std::size_t i = 0; i < gathered; ++i) total += vectors[used + i].iov_len;
    used += gathered;
  }
  if (total == 0) {
    blocked_since_ = TimePoint::max();
    return Outcome::drained;
  }
  if (blocked_since_ == TimePoint::max()) blocked_since_ = queues_.now();

  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = used;
  ssize_t result = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (result < 0) {
    if (errno == EINTR) return Outcome::more;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      fail(CloseReason::tcp_error, errno);
      return Outcome::closed;
    }
    wait_writable();
    return Outcome::blocked;
  }
  auto sent = static_cast<std::size_t>(result);
  account_sent(sent);
  std::size_t of_rest = std::min(sent, rest_bytes);
  std::size_t of_control = std::min(sent - of_rest, control_bytes);
  std::size_t of_engine = sent - of_control;
  if (of_engine != 0) {
    engine->consumed(peer, of_engine);
    queues_.counters().count_updates_sent(of_engine);
  }
  control_sent_ += static_cast<std::uint32_t>(of_control);
  if (control_sent_ == control_.size()) {
    control_ = {};
    control_sent_ = 0;
  }
  if (sent < total) {
    wait_writable();
    return Outcome::blocked;
  }
  if (!control_.empty() || (engine != nullptr && engine->has_output(peer))) return Outcome::more;
  blocked_since_ = TimePoint::max();
  return Outcome::drained;
}

void Connection::finish(Bytes rest, const wire::Notification& notification) {
  if (!is_open() || finishing_) return;
  user_ = nullptr;
  if (connecting_) {
    close();
    return;
  }
  std::vector<std::uint8_t> last(rest.begin(), rest.end());
  // A control message that was begun ends first; those not begun are moot, unless nothing of ours is out yet.
  bool control_is_first = control_sent_ != 0 || bytes_out_ == 0;
  if (control_is_first) last.insert(last.end(), control_.begin() + control_sent_, control_.end());
  wire::encode_notification(last, notification);
  ssize_t sent = ::send(fd(), last.data(), last.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) account_sent(static_cast<std::size_t>(sent));
  if (sent != static_cast<ssize_t>(last.size()) || ::shutdown(fd(), SHUT_WR) != 0) {
    close();
    return;
  }
  finishing_ = true;
  partial_ = {};
  control_ = {};
  wait_readable();
}

void Connection::close() {
  user_ = nullptr;
  if (!descriptor_.is_open()) return;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

std::pair<std::uint16_t, std::uint16_t> Connection::ports() { return ports_of(fd()); }

wire::IpAddress Connection::local_address() { return local_address_of(fd()); }

bool Connection::has_bytes_waiting() { return is_open() && bytes_waiting(fd()) > 0; }

}  // namespace helio::session

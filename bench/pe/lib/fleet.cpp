#include "bench/pe/lib/fleet.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace helio::pe {
namespace {

constexpr std::size_t kMaxPartial = 65535;
constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr Nanoseconds kOpenTimeout = 15 * kSecond;

sockaddr_in make_address(std::uint32_t address, std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(address);
  a.sin_port = htons(port);
  return a;
}

}  // namespace

Nanoseconds now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

Fleet::Fleet(const FleetOptions& options, std::vector<std::uint32_t> addresses, FleetListener& listener)
    : o_(options),
      addresses_(std::move(addresses)),
      listener_(listener),
      sessions_(addresses_.size()),
      buffer_(options.io_bytes + kMaxPartial),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Fleet::~Fleet() {
  for (Session& s : sessions_) {
    if (s.fd >= 0) ::close(s.fd);
  }
  ::close(epoll_);
}

void Fleet::start(std::uint32_t pe) {
  Session& s = sessions_[pe];
  if (s.state != State::idle) return;
  s.state = State::waiting;
  s.retry_at = 0;
  to_connect_.push_back(pe);
}

void Fleet::stop(std::uint32_t pe, bool with_cease) {
  Session& s = sessions_[pe];
  if (s.state == State::waiting) {
    std::erase(to_connect_, pe);
    s.state = State::idle;
    return;
  }
  if (s.state == State::idle) return;
  if (with_cease && s.out.empty() && !o_.is_raw) {
    ByteVector cease;
    append_cease(cease, 2);  // Administrative Shutdown, RFC 4486
    [[maybe_unused]] ssize_t n = ::send(s.fd, cease.data(), cease.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  close_session(pe, "stopped", true);
}

void Fleet::connect_some(Nanoseconds now) {
  if (ramp_start_ == 0) ramp_start_ = now;
  while (!to_connect_.empty() && coming_up_ < o_.connect_window) {
    std::uint32_t pe = to_connect_.front();
    if (sessions_[pe].retry_at > now) return;
    if (o_.ramp > 0 &&
        static_cast<double>(ramp_started_) > o_.ramp * static_cast<double>(now - ramp_start_) / 1e9)
      return;
    ++ramp_started_;
    to_connect_.pop_front();
    connect(pe);
  }
}

void Fleet::connect(std::uint32_t pe) {
  Session& s = sessions_[pe];
  s.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s.fd < 0)
    throw std::system_error(errno, std::generic_category(), "socket (raise the limit of open files?)");
  int one = 1;
  setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(s.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  sockaddr_in local = make_address(addresses_[pe], 0);
  if (::bind(s.fd, reinterpret_cast<sockaddr*>(&local), sizeof local) < 0) {
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &local.sin_addr, text, sizeof text);
    throw std::system_error(errno, std::generic_category(), fmt::format("bind to {}", text));
  }
  s.state = State::connecting;
  ++coming_up_;
  sockaddr_in remote = make_address(o_.target_address, o_.target_port);
  int rc = ::connect(s.fd, reinterpret_cast<sockaddr*>(&remote), sizeof remote);
  int error = errno;
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u64 = pe | std::uint64_t{s.generation} << 32;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, s.fd, &event);
  if (rc < 0 && error != EINPROGRESS) close_session(pe, std::strerror(error), false);
}

void Fleet::on_connected(std::uint32_t pe) {
  Session& s = sessions_[pe];
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(s.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return close_session(pe, std::strerror(error), false);
  s.last_received = s.last_sent = now_ns();
  if (o_.is_raw) {
    s.state = State::established;
    ++established_;
    --coming_up_;
    update_interest(pe);
    return listener_.on_established(pe);
  }
  s.state = State::open_sent;
  update_interest(pe);
  ByteVector open;
  append_open(open, {o_.asn, addresses_[pe], o_.hold_time, o_.vpnv4, o_.vpnv6, o_.rtc, o_.add_path});
  send(pe, open);
}

void Fleet::close_session(std::uint32_t pe, const std::string& reason, bool by_us) {
  Session& s = sessions_[pe];
  bool was_established = s.state == State::established;
  if (was_established)
    --established_;
  else
    --coming_up_;
  if (s.is_blocked) --blocked_;
  ::close(s.fd);
  std::uint32_t generation = s.generation + 1;
  bool is_writer = s.is_writer;
  s = Session{};
  s.generation = generation;
  s.is_writer = is_writer;  // writers_ still names it; write() finds nothing to send
  if (!by_us) last_error_ = reason;
  if (!was_established && !by_us) {  // try again: the reflector may be starting
    ++failed_connects_;
    s.state = State::waiting;
    s.retry_at = now_ns() + kSecond / 5;
    to_connect_.push_back(pe);
    return;
  }
  listener_.on_closed(pe, reason, by_us);
}

void Fleet::update_interest(std::uint32_t pe) {
  Session& s = sessions_[pe];
  epoll_event event{};
  event.events = (s.is_paused ? 0u : unsigned{EPOLLIN}) | (s.is_blocked ? unsigned{EPOLLOUT} : 0u);
  event.data.u64 = pe | std::uint64_t{s.generation} << 32;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, s.fd, &event);
}

void Fleet::pause_reading(std::uint32_t pe, bool paused) {
  sessions_[pe].is_paused = paused;
  if (sessions_[pe].fd >= 0) update_interest(pe);
}

void Fleet::want_write(std::uint32_t pe) {
  Session& s = sessions_[pe];
  if (s.is_writer || s.is_blocked) return;
  s.is_writer = true;
  writers_.push_back(pe);
}

void Fleet::send(std::uint32_t pe, Bytes messages) {
  Session& s = sessions_[pe];
  if (s.fd < 0 || messages.empty()) return;
  // Small messages are collected in the last own piece while nothing of it has been sent.
  if (!s.out.empty() && !s.out.back().own.empty() && s.out.back().view.size() == s.out.back().own.size()) {
    Piece& last = s.out.back();
    last.own.insert(last.own.end(), messages.begin(), messages.end());
    last.view = last.own;
  } else {
    Piece& piece = s.out.emplace_back();
    piece.own.assign(messages.begin(), messages.end());
    piece.view = piece.own;
  }
  want_write(pe);
}

void Fleet::send_shared(std::uint32_t pe, Bytes messages) {
  Session& s = sessions_[pe];
  if (s.fd < 0 || messages.empty()) return;
  s.out.emplace_back().view = messages;
  want_write(pe);
}

void Fleet::write(std::uint32_t pe) {
  Session& s = sessions_[pe];
  s.is_writer = false;
  if (s.fd < 0 || s.out.empty()) return;
  iovec iov[16];
  std::size_t count = 0, total = 0;
  for (Piece& piece : s.out) {
    std::size_t n = std::min(piece.view.size(), o_.io_bytes - total);
    if (n == 0 || count == std::size(iov)) break;
    iov[count++] = {const_cast<std::uint8_t*>(piece.view.data()), n};
    total += n;
  }
  msghdr message{};
  message.msg_iov = iov;
  message.msg_iovlen = count;
  ssize_t sent = ::sendmsg(s.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN) return close_session(pe, std::strerror(errno), false);
  std::size_t left = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  bytes_sent_ += left;
  if (left > 0) s.last_sent = now_ns();
  bool is_full = left < total;
  while (left > 0) {
    Piece& piece = s.out.front();
    std::size_t n = std::min(left, piece.view.size());
    piece.view = piece.view.subspan(n);
    left -= n;
    if (piece.view.empty()) s.out.pop_front();
  }
  if (is_full && !s.is_blocked) {
    s.is_blocked = true;
    ++blocked_;
    update_interest(pe);
  } else if (!s.out.empty()) {
    want_write(pe);
  }
}

void Fleet::read(std::uint32_t pe) {
  Session& s = sessions_[pe];
  if (o_.is_raw) {
    ssize_t n = ::recv(s.fd, buffer_.data(), o_.io_bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return close_session(pe, n == 0 ? "closed by the other side" : std::strerror(errno), false);
    bytes_received_ += static_cast<std::size_t>(n);
    return listener_.after_read(pe, static_cast<std::size_t>(n));
  }
  std::size_t kept = s.partial.size();
  if (kept > 0) std::memcpy(buffer_.data(), s.partial.data(), kept);
  ssize_t n = ::recv(s.fd, buffer_.data() + kept, o_.io_bytes, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return close_session(pe, n == 0 ? "closed by the other side" : std::strerror(errno), false);
  bytes_received_ += static_cast<std::size_t>(n);
  s.last_received = now_ns();
  std::size_t size = kept + static_cast<std::size_t>(n);
  std::uint32_t generation = s.generation;
  std::size_t used = take_messages(pe, buffer_.data(), size);
  if (s.generation != generation) return;
  s.partial.assign(buffer_.data() + used, buffer_.data() + size);
  listener_.after_read(pe, static_cast<std::size_t>(n));
}

std::size_t Fleet::take_messages(std::uint32_t pe, const std::uint8_t* p, std::size_t size) {
  std::size_t at = 0;
  std::uint32_t generation = sessions_[pe].generation;
  for (;;) {
    const std::uint8_t* m = p + at;
    auto length = synthetic::message_size(m, size - at);
    if (!length) {
      close_session(pe, "malformed message header received", false);
      return at;
    }
    if (*length == 0) return at;
    on_message(pe, m[18], Bytes(m + synthetic::kHeader, *length - synthetic::kHeader));
    if (sessions_[pe].generation != generation) return at;
    at += *length;
  }
}

void Fleet::on_message(std::uint32_t pe, std::uint8_t type, Bytes body) {
  Session& s = sessions_[pe];
  switch (type) {
    case 2:
      if (s.state == State::established) return listener_.on_update(pe, body);
      return close_session(pe, "UPDATE before Established", false);
    case 4:
      if (s.state == State::open_confirm) {
        s.state = State::established;
        ++established_;
        --coming_up_;
        listener_.on_established(pe);
      }
      return;
    case 1:
      if (s.state == State::open_sent) return on_open(pe, body);
      return close_session(pe, "second OPEN", false);
    case 3:
      return close_session(pe,
                           body.size() >= 2 ? fmt::format("NOTIFICATION {}/{} received", body[0], body[1])
                                            : "malformed NOTIFICATION received",
                           false);
    case 5:
      return listener_.on_route_refresh(pe, body);
    default:
      return close_session(pe, fmt::format("message of type {} received", type), false);
  }
}

void Fleet::on_open(std::uint32_t pe, Bytes body) {
  Session& s = sessions_[pe];
  ByteReader r(body);
  std::uint8_t version = r.u8();
  r.u16();  // AS_TRANS or the AS; the reflector is of our AS by configuration
  std::uint16_t hold_time = r.u16();
  std::uint32_t id = r.u32();
  if (!r.ok() || version != 4) return close_session(pe, "malformed OPEN received", false);
  if (o_.add_path &&
      ((o_.vpnv4 && !offers_paths(body, 1, 128)) || (o_.vpnv6 && !offers_paths(body, 2, 128)))) {
    refusal_ = "the reflector does not offer to send several paths (ADD-PATH)";
    return close_session(pe, refusal_, false);
  }
  s.hold_time = std::min(o_.hold_time, hold_time);
  reflector_id_ = id;
  s.state = State::open_confirm;
  ByteVector keepalive;
  append_keepalive(keepalive);
  send(pe, keepalive);
  write(pe);  // Why: the other side's Established waits for this one message
}

void Fleet::on_timer(Nanoseconds now) {
  if (o_.is_raw) return;
  ByteVector keepalive;
  append_keepalive(keepalive);
  for (std::uint32_t pe = 0; pe < sessions_.size(); ++pe) {
    Session& s = sessions_[pe];
    if (s.state == State::open_sent || s.state == State::open_confirm) {
      // Why: a reflector that still tidies up our last session may accept and then never answer.
      if (now - s.last_sent > kOpenTimeout) close_session(pe, "no answer to OPEN", false);
      continue;
    }
    if (s.state != State::established || s.hold_time == 0) continue;
    // Output that is under way or stuck stands for itself: nothing can be put between its messages.
    if (s.out.empty() && now - s.last_sent > s.hold_time * kSecond / 3) send(pe, keepalive);
    if (!s.is_paused && now - s.last_received > s.hold_time * kSecond)
      close_session(pe, "hold timer expired", false);
  }
}

int Fleet::wait_ms(int timeout_ms) const {
  if (!writers_.empty()) return 0;
  return std::min(timeout_ms, to_connect_.empty() ? 250 : 5);
}

void Fleet::turn(int timeout_ms) {
  Nanoseconds now = now_ns();
  if (now >= next_timer_) {
    next_timer_ = now + kSecond / 4;
    on_timer(now);
  }
  if (!to_connect_.empty()) connect_some(now);
  epoll_event events[512];
  int count = epoll_wait(epoll_, events, std::size(events), wait_ms(timeout_ms));
  for (int i = 0; i < count; ++i) {
    std::uint32_t pe = static_cast<std::uint32_t>(events[i].data.u64);
    Session& s = sessions_[pe];
    std::uint32_t generation = static_cast<std::uint32_t>(events[i].data.u64 >> 32);
    if (s.generation != generation || s.fd < 0) continue;
    if (s.state == State::connecting) {
      on_connected(pe);
      continue;
    }
    if (events[i].events & EPOLLOUT && s.is_blocked) {
      s.is_blocked = false;
      --blocked_;
      update_interest(pe);
      want_write(pe);
    }
    if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
      if (s.is_paused && !(events[i].events & (EPOLLHUP | EPOLLERR))) continue;
      read(pe);
    }
  }
  writers_now_.swap(writers_);
  for (std::uint32_t pe : writers_now_) write(pe);
  writers_now_.clear();
}

}  // namespace helio::pe

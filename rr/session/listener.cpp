#include "rr/session/listener.hpp"

#include <pthread.h>
#include <sys/socket.h>

#include <cerrno>

namespace helio::session {
namespace {

constexpr auto kExhaustedPause = std::chrono::milliseconds(50);
constexpr int kAcceptsAtOnce = 256;

}  // namespace

Listener::Listener(Accepted on_accepted, std::function<void()> on_exhausted)
    : on_accepted_(std::move(on_accepted)), on_exhausted_(std::move(on_exhausted)) {}

Listener::~Listener() { stop(); }

Result<void, SocketError> Listener::open(const ListenEndpoint& endpoint) {
  auto fd = open_listener(endpoint);
  if (!fd) return Unexpected(fd.error());
  sockets_.push_back(std::make_unique<Descriptor>(io_.get_executor(), *fd));
  return {};
}

template <class Function>
Result<void, SocketError> Listener::on_each(bool is_v6, Function function) {
  for (auto& socket : sockets_) {
    int fd = socket->native_handle();
    if (local_address_of(fd).is_v6 != is_v6) continue;
    if (auto done = function(fd); !done) return done;
  }
  return {};
}

Result<void, SocketError> Listener::set_key(const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key) {
  return on_each(address.is_v6, [&](int fd) { return set_session_key(fd, address, prefix_length, key); });
}

Result<void, SocketError> Listener::remove_key(const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key) {
  return on_each(address.is_v6, [&](int fd) { return remove_session_key(fd, address, prefix_length, key); });
}

Result<void, SocketError> Listener::set_minimum_ttl(bool is_v6, std::uint8_t ttl) {
  return on_each(is_v6, [&](int fd) { return session::set_minimum_ttl(fd, is_v6, ttl); });
}

std::vector<ListenEndpoint> Listener::endpoints() const {
  std::vector<ListenEndpoint> out;
  for (const auto& socket : sockets_) {
    int fd = socket->native_handle();
    out.push_back({local_address_of(fd), local_port_of(fd)});
  }
  return out;
}

void Listener::start() {
  for (auto& socket : sockets_) wait(*socket);
  thread_ = std::thread([this] { io_.run(); });
  pthread_setname_np(thread_.native_handle(), "helio-accept");
}

void Listener::stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
  sockets_.clear();
}

void Listener::wait(Descriptor& descriptor) {
  descriptor.async_wait(Descriptor::wait_read, [this, &descriptor](const boost::system::error_code& error) {
    if (!error) accept_all(descriptor);
  });
}

void Listener::accept_all(Descriptor& descriptor) {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    int fd = ::accept4(descriptor.native_handle(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      on_accepted_(fd, from_socket_address(from));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      on_exhausted_();
      pause_.expires_after(kExhaustedPause);
      pause_.async_wait([this, &descriptor](const boost::system::error_code& error) {
        if (!error) accept_all(descriptor);
      });
      return;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    // ECONNABORTED and the network errors of accept(2) concern one connection: go on with the next.
  }
  wait(descriptor);
}

}  // namespace helio::session

// The accepting side: listening sockets on a thread of their own. Every accepted descriptor goes to one callback, with the
// address it came from; nothing is ever sent here. A thread of its own, so that a flood of connections costs the shards
// nothing but those that a neighbour's address lets through.
#pragma once
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <thread>

#include "rr/session/sockets.hpp"

namespace helio::session {

class Listener {
 public:
  using Accepted = std::function<void(int fd, const wire::IpAddress& from)>;
  // `on_exhausted`: the process is out of descriptors; whoever can shall give some back.
  Listener(Accepted on_accepted, std::function<void()> on_exhausted);
  ~Listener();

  // Binds; nothing is accepted before start(). Before start() only.
  Result<void, SocketError> open(const ListenEndpoint& endpoint);
  // Any thread. A key on every listening socket of the address family.
  Result<void, SocketError> set_key(const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key);
  Result<void, SocketError> remove_key(const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key);
  // Any thread. On every listening socket of the address family: see session::set_minimum_ttl.
  Result<void, SocketError> set_minimum_ttl(bool is_v6, std::uint8_t ttl);
  std::vector<ListenEndpoint> endpoints() const;  // with the real ports
  void start();
  void stop();

 private:
  using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  template <class Function>
  Result<void, SocketError> on_each(bool is_v6, Function function);
  void wait(Descriptor& descriptor);
  void accept_all(Descriptor& descriptor);

  Accepted on_accepted_;
  std::function<void()> on_exhausted_;
  boost::asio::io_context io_{1};
  std::vector<std::unique_ptr<Descriptor>> sockets_;
  boost::asio::steady_timer pause_{io_};
  std::thread thread_;
};

}  // namespace helio::session

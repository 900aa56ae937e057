// The control API's transport: HTTP/1.1 on a Unix socket, in a thread of its own; if wanted also over TCP on loopback. Who may
// do what is said in access.hpp.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "rr/base/result.hpp"
#include "rr/control/access.hpp"
#include "rr/control/api.hpp"

namespace helio::control {

struct ServerOptions {
  std::string socket;           // absolute path; its directory is made if it is missing
  std::uint32_t mode = 0660;
  std::string group;            // name; empty: leave as it is
  AccessRules access;
  wire::IpAddress address;      // of TCP
  std::uint16_t port = 0;       // 0: no TCP
  // Half of them over TCP, at most. When all are taken, the next one takes the place of the one that has waited longest for a
  // whole request; those that are being answered keep theirs.
  std::size_t max_connections = 64;
  std::size_t max_header_bytes = 8 << 10;
  std::size_t max_body_bytes = 64 << 10;
  std::chrono::seconds idle_timeout{30};  // for a whole request, an answer, or the pause between two
  // How long a stream waits for a client that takes nothing. On the Unix socket that may be an operator's pager.
  std::chrono::seconds stall_timeout{600}, stall_timeout_tcp{60};
  // Of Api::tick and on_tick, at least; longer when they take long, so that they take no more than 2 % of the time. But
  // no longer than the second: one in which the process stood still (SIGSTOP, a virtual machine that is moved) took as long as that.
  std::chrono::milliseconds tick_interval{2000}, longest_tick_interval{10000};
  std::function<void(const reflector::SummaryView&)> on_tick;  // on the control thread; may be empty
};

class Server {
 public:
  // Listens and starts the thread. The error is a sentence for the operator. `api` outlives the server.
  static Result<std::unique_ptr<Server>, std::string> start(const ServerOptions& options, Api& api);
  // Closes connections, ends the thread, removes the socket file.
  ~Server();
  // Runs it on the control thread, soon. From any thread.
  void post(std::function<void()> function);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace helio::control

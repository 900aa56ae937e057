// Asks the daemon: one HTTP request over its Unix socket. The only file of helioctl that sees Beast is client.cpp.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "rr/base/result.hpp"

namespace helio::ctl {

struct Answer {
  unsigned status = 0;
  std::string body;
  std::string cursor;  // of an answer that is not JSON: where the next page begins
};

class Client {
 public:
  explicit Client(std::string socket);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Connects on first use and keeps the connection. The error says what to do about it. Waits at most 30 seconds.
  Result<Answer, std::string> ask(std::string_view method, const std::string& target, const std::string& body = {});

 private:
  struct Impl;
  std::string socket_;
  std::unique_ptr<Impl> impl_;
};

// One value of a query string.
std::string percent_encode(std::string_view text);

}  // namespace helio::ctl

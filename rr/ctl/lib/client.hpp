// Asks the daemon: one HTTP request over its Unix socket, or over TCP with a token. The only file of helioctl that sees Beast is client.cpp.
#pragma once
#include <functional>
#include <memory>
#include <optional>
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
  // `url` ("http://127.0.0.1:9180") takes the place of the socket; the first line of `token_file` is the token.
  explicit Client(std::string socket, std::string url = {}, std::string token_file = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Connects on first use and keeps the connection. The error says what to do about it. Waits at most 30 seconds.
  Result<Answer, std::string> ask(std::string_view method, const std::string& target, const std::string& body = {});

  // A stream of lines (NDJSON): each goes to `on_line`, without its end, until that returns false or the stream ends. Any
  // other status than 200 comes with its answer. Waits for the first octets at most 30 seconds, then without an end.
  Result<Answer, std::string> listen(const std::string& target, const std::function<bool(std::string_view)>& on_line);

 private:
  struct Impl;
  std::optional<std::string> connect();
  std::string socket_, url_, token_file_, token_;
  std::unique_ptr<Impl> impl_;
};

// One value of a query string.
std::string percent_encode(std::string_view text);

}  // namespace helio::ctl

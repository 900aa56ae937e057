// Who may do what over the control API. On the Unix socket the kernel says who is there (SO_PEERCRED, SO_PEERGROUPS); over TCP,
// on loopback, a token does. One thread (the control thread).
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rr/base/result.hpp"

namespace helio::control {

enum class Access : std::uint8_t {
  none,    // 401
  reader,  // GET
  full     // GET and POST
};

// Requests that were refused since the start.
struct AccessCounters {
  std::uint64_t unauthorized = 0;  // no token that this daemon knows
  std::uint64_t forbidden = 0;     // changes, from somebody who may look only
  // What the transport refuses (server.cpp).
  std::uint64_t malformed = 0;  // no HTTP/1.1
  std::uint64_t too_large = 0;  // header or body
  std::uint64_t too_slow = 0;   // a request that began and did not end in time
  std::uint64_t crowded = 0;    // a connection without a whole request, closed to make room for the next one
  std::uint64_t stalled = 0;    // a stream of which the client took nothing for long
};

struct AccessRules {
  std::optional<gid_t> operators;  // who is in this group may change things, beside root and the daemon's own user; nothing: all
  std::string operator_group;      // its name
  // Files with a token on the first line; empty: there is none. They are read for each request: a new token counts at once.
  std::string token_file, read_token_file;
};

// `operator_group` may be empty. The error is a sentence for the operator.
Result<AccessRules, std::string> make_access_rules(const std::string& operator_group, const std::string& token_file, const std::string& read_token_file);

// Of the process at the other end of a connected Unix socket.
Access access_of_socket(const AccessRules& rules, int fd);
// Of a request with this Authorization header: "Bearer TOKEN".
Access access_of_token(const AccessRules& rules, std::string_view authorization);

// What somebody who may only look has to do to change something.
std::string how_to_change(const AccessRules& rules, bool over_tcp);

// Takes as long whatever the token is.
bool is_same_token(std::string_view given, std::string_view token);

}  // namespace helio::control

#include "rr/control/access.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "rr/base/log.hpp"
#include "rr/config/token_file.hpp"

namespace helio::control {
namespace {

bool is_in_group(int fd, const ucred& peer, gid_t group) {
  if (peer.gid == group) return true;
  std::vector<gid_t> groups(64);
  while (true) {
    socklen_t size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      return std::ranges::find(groups, group) != groups.end();
    }
    if (errno != ERANGE || groups.size() * sizeof(gid_t) >= size) return false;
    groups.resize(size / sizeof(gid_t));
  }
}

bool has_token(const std::string& file, std::string_view given) {
  if (file.empty()) return false;
  auto token = config::read_token_file(file);
  if (!token) log::warn("control: token file {}: {}", file, token.error());
  return token && is_same_token(given, {token->data(), token->size()});
}

}  // namespace

Result<AccessRules, std::string> make_access_rules(const std::string& operator_group, const std::string& token_file, const std::string& read_token_file) {
  AccessRules rules{{}, operator_group, token_file, read_token_file};
  if (operator_group.empty()) return rules;
  errno = 0;
  const ::group* entry = ::getgrnam(operator_group.c_str());
  if (entry == nullptr) return Unexpected(fmt::format("control: there is no group \"{}\" (operator-group)", operator_group));
  rules.operators = entry->gr_gid;
  return rules;
}

Access access_of_socket(const AccessRules& rules, int fd) {
  if (!rules.operators) return Access::full;
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return Access::reader;
  return peer.uid == 0 || peer.uid == ::geteuid() || is_in_group(fd, peer, *rules.operators) ? Access::full : Access::reader;
}

Access access_of_token(const AccessRules& rules, std::string_view authorization) {
  static constexpr std::string_view kScheme = "bearer ";
  bool is_bearer = authorization.size() > kScheme.size() &&
                   std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
  if (!is_bearer) return Access::none;
  std::string_view given = authorization.substr(kScheme.size());
  given.remove_prefix(std::min(given.find_first_not_of(' '), given.size()));
  // Both are always looked at.
  bool full = has_token(rules.token_file, given), reads = has_token(rules.read_token_file, given);
  return full ? Access::full : reads ? Access::reader : Access::none;
}

std::string how_to_change(const AccessRules& rules, bool over_tcp) {
  if (over_tcp) return rules.token_file.empty() ? "use the Unix socket: [control] token-file is not set" : "use the token of [control] token-file";
  return fmt::format("be root or in the group {} ([control] operator-group)", rules.operator_group);
}

bool is_same_token(std::string_view given, std::string_view token) {
  if (token.empty()) return false;
  unsigned difference = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) difference |= static_cast<unsigned>(static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(token[i % token.size()]));
  return difference == 0;
}

}  // namespace helio::control

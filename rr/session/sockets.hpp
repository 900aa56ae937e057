// Sockets for BGP: creation, addresses and the TCP options of a session. Every descriptor is non-blocking and
// close-on-exec. TCP-MD5 (RFC 2385), TCP-AO (RFC 5925), GTSM (RFC 5082), DSCP CS6. Passwords go to the kernel and nowhere else.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <span>

#include "rr/base/result.hpp"
#include "rr/session/settings.hpp"

namespace helio::session {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
SocketAddress to_socket_address(const wire::IpAddress& address, std::uint16_t port);
// IPv4-mapped IPv6 addresses become IPv4. The port goes to *port when given.
wire::IpAddress from_socket_address(const sockaddr_storage& storage, std::uint16_t* port = nullptr);
wire::IpAddress local_address_of(int fd);
// Local and remote port; 0 where there is none.
std::pair<std::uint16_t, std::uint16_t> ports_of(int fd);
std::uint16_t local_port_of(int fd);

// Which step failed, for the log: "bind", "setsockopt(TCP_MD5SIG)", …
struct SocketError {
  int error = 0;  // errno
  const char* step = "";
};

// A listening socket: SO_REUSEADDR, IP_FREEBIND, backlog 1024, TTL 255 so that SYN-ACKs pass a neighbour's GTSM.
Result<int, SocketError> open_listener(const ListenEndpoint& endpoint);
// A socket with connect() under way towards the neighbour.
Result<int, SocketError> open_connecting(const NeighborSettings& neighbor);
// The smallest TTL a socket takes (RFC 5082 §3); 0: any. On a listener: far SYNs are dropped, and the connections inherit it.
Result<void, SocketError> set_minimum_ttl(int fd, bool is_v6, std::uint8_t ttl);
// How near an accepted connection has been from its first octet on, as a TTL; to be asked once and before apply_session_options.
// At least what its listener took, and what its SYN came with. 0: nothing is known, as with SYN cookies, with which the kernel
// keeps no SYN, or with headers so long that they hide it.
// Why: what came before the session's own minimum was set is not held against it.
std::uint8_t proven_ttl(int fd, bool is_v6);
// Options of an established descriptor: TCP_NODELAY, TTL, minimum TTL, DSCP.
Result<void, SocketError> apply_session_options(int fd, const GroupSettings& group, bool is_v6);

// Installs (or, with an empty password, removes) the TCP-MD5 key for every address of a prefix (TCP_MD5SIG_EXT), or, with
// kHost, for one address. Works on listening sockets too.
inline constexpr std::uint8_t kHost = 255;
Result<void, SocketError> set_md5_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length,
                                      const Secret& password);

// UDP for BFD (RFC 5883): one receiver per local address, one sender per session with a source port of 49152 and above
// (RFC 5881 §4) that begins at `seed`; both with TTL 255 and DSCP CS6.
Result<int, SocketError> open_bfd_receiver(const wire::IpAddress& local, std::uint16_t port);
Result<int, SocketError> open_bfd_sender(const wire::IpAddress& local, std::uint32_t seed);
// One datagram with its source and TTL; below 0 when there is none.
ssize_t receive_bfd(int fd, std::span<std::uint8_t> buffer, wire::IpAddress& from, int& ttl);

// What signs the segments of a session: by method, or of none when the password is empty.
struct SessionKey {
  AuthMethod method = AuthMethod::tcp_md5;
  std::uint8_t id = 0;  // TCP-AO
  Secret password;
  bool operator==(const SessionKey&) const = default;
};
inline SessionKey session_key(const GroupSettings& group) {
  bool has_id = group.auth_method == AuthMethod::tcp_ao;
  return {group.auth_method, has_id ? group.auth_key_id : std::uint8_t{0}, group.auth_password};
}
// Installs the key for a prefix or, with kHost, for an address, or takes one away that was installed so.
Result<void, SocketError> set_session_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key);
Result<void, SocketError> remove_session_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key);
// Linux 6.7 and later, when it was built with CONFIG_TCP_AO.
bool kernel_has_tcp_ao();

// Bytes that wait in the receive buffer; a connection at its end counts as zero.
int bytes_waiting(int fd);

}  // namespace helio::session

#include "rr/session/sockets.hpp"

#include <fcntl.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73  // linux/in6.h, which clashes with netinet/in.h
#endif

namespace helio::session {
namespace {

constexpr int kBacklog = 1024;
constexpr int kDscpCs6 = 0xc0;  // network control, as every BGP speaker marks it

// Closes the descriptor unless it was released: for the error paths of the open functions.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool set_int(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Unexpected<SocketError> failed(const char* step) { return Unexpected(SocketError{errno, step}); }

int new_socket(bool is_v6) {
  return ::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

bool set_ttl(int fd, bool is_v6, int ttl) {
  return is_v6 ? set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl) : set_int(fd, IPPROTO_IP, IP_TTL, ttl);
}

int ttl_to_send(const GroupSettings& group) {
  if (group.ttl_min != 0) return 255;  // RFC 5082 §3: "TTL ... set to 255"
  if (group.multihop != 0) return group.multihop;
  return group.role == PeerRole::external ? 1 : 255;
}

}  // namespace

SocketAddress to_socket_address(const wire::IpAddress& address, std::uint16_t port) {
  SocketAddress out;
  if (address.is_v6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.length = sizeof v6;
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), 4);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.length = sizeof v4;
  }
  return out;
}

wire::IpAddress from_socket_address(const sockaddr_storage& storage, std::uint16_t* port) {
  wire::IpAddress out;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    if (port) *port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      std::memcpy(out.bytes.data(), v6.sin6_addr.s6_addr + 12, 4);
    } else {
      out.is_v6 = true;
      std::memcpy(out.bytes.data(), &v6.sin6_addr, 16);
    }
  } else {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    if (port) *port = ntohs(v4.sin_port);
    std::memcpy(out.bytes.data(), &v4.sin_addr, 4);
  }
  return out;
}

std::pair<std::uint16_t, std::uint16_t> ports_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  std::uint16_t remote = 0;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) == 0) from_socket_address(storage, &remote);
  return {local_port_of(fd), remote};
}

wire::IpAddress local_address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return from_socket_address(storage);
}

std::uint16_t local_port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  std::uint16_t port = 0;
  from_socket_address(storage, &port);
  return port;
}

Result<int, SocketError> open_listener(const ListenEndpoint& endpoint) {
  OwnedFd fd(new_socket(endpoint.address.is_v6));
  if (fd.get() < 0) return failed("socket");
  bool is_v6 = endpoint.address.is_v6;
  if (!set_int(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1)) return failed("setsockopt(SO_REUSEADDR)");
  if (is_v6 && !set_int(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) return failed("setsockopt(IPV6_V6ONLY)");
  // Why: the address of a loopback interface may appear after the daemon has started.
  if (!set_int(fd.get(), IPPROTO_IP, IP_FREEBIND, 1)) return failed("setsockopt(IP_FREEBIND)");
  if (!set_ttl(fd.get(), is_v6, 255)) return failed("setsockopt(TTL)");
  set_int(fd.get(), IPPROTO_TCP, TCP_SAVE_SYN, 1);  // for proven_ttl
  SocketAddress address = to_socket_address(endpoint.address, endpoint.port);
  if (::bind(fd.get(), address.get(), address.length) != 0) return failed("bind");
  if (::listen(fd.get(), kBacklog) != 0) return failed("listen");
  return fd.release();
}

Result<void, SocketError> set_minimum_ttl(int fd, bool is_v6, std::uint8_t ttl) {
  bool done = is_v6 ? set_int(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, ttl) : set_int(fd, IPPROTO_IP, IP_MINTTL, ttl);
  if (!done) return failed("setsockopt(minimum TTL)");
  return {};
}

std::uint8_t proven_ttl(int fd, bool is_v6) {
  int inherited = 0;
  socklen_t size = sizeof inherited;
  int done = is_v6 ? ::getsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &inherited, &size) : ::getsockopt(fd, IPPROTO_IP, IP_MINTTL, &inherited, &size);
  auto least = static_cast<std::uint8_t>(done == 0 ? inherited : 0);
  std::array<std::uint8_t, 512> headers;  // IP and TCP; longer ones are an error
  size = headers.size();
  if (::getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, headers.data(), &size) != 0 || size < 20) return least;
  return std::max(least, headers[0] >> 4 == 6 ? headers[7] : headers[8]);  // RFC 8200 §3, RFC 791 §3.1
}

Result<void, SocketError> apply_session_options(int fd, const GroupSettings& group, bool is_v6) {
  if (!set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return failed("setsockopt(TCP_NODELAY)");
  if (!set_ttl(fd, is_v6, ttl_to_send(group))) return failed("setsockopt(TTL)");
  if (auto done = set_minimum_ttl(fd, is_v6, group.ttl_min); !done) return done;
  bool marked = is_v6 ? set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, kDscpCs6) : set_int(fd, IPPROTO_IP, IP_TOS, kDscpCs6);
  if (!marked) return failed("setsockopt(DSCP)");
  return {};
}

Result<int, SocketError> open_connecting(const NeighborSettings& neighbor) {
  const GroupSettings& group = *neighbor.group;
  bool is_v6 = neighbor.address.is_v6;
  OwnedFd fd(new_socket(is_v6));
  if (fd.get() < 0) return failed("socket");
  if (auto done = apply_session_options(fd.get(), group, is_v6); !done) return Unexpected(done.error());
  if (!group.auth_password.empty()) {
    if (auto done = set_session_key(fd.get(), neighbor.address, kHost, session_key(group)); !done) return Unexpected(done.error());
  }
  if (group.local_address && group.local_address->is_v6 == is_v6) {
    set_int(fd.get(), IPPROTO_IP, IP_FREEBIND, 1);
    set_int(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    SocketAddress local = to_socket_address(*group.local_address, 0);
    if (::bind(fd.get(), local.get(), local.length) != 0) return failed("bind");
  }
  SocketAddress remote = to_socket_address(neighbor.address, neighbor.remote_port);
  if (::connect(fd.get(), remote.get(), remote.length) != 0 && errno != EINPROGRESS) return failed("connect");
  return fd.release();
}

Result<void, SocketError> set_md5_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length,
                                      const Secret& password) {
  tcp_md5sig key{};
  SocketAddress peer = to_socket_address(address, 0);
  std::memcpy(&key.tcpm_addr, &peer.storage, sizeof key.tcpm_addr);
  key.tcpm_keylen = static_cast<std::uint16_t>(std::min<std::size_t>(password.size(), TCP_MD5SIG_MAXKEYLEN));
  if (!password.empty()) std::memcpy(key.tcpm_key, password.data(), key.tcpm_keylen);
  int option = TCP_MD5SIG;
  if (prefix_length != kHost) {
    option = TCP_MD5SIG_EXT;
    key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
    key.tcpm_prefixlen = prefix_length;
  }
  int done = ::setsockopt(fd, IPPROTO_TCP, option, &key, sizeof key);
  explicit_bzero(&key, sizeof key);
  // Removing a key that is not there is no error.
  if (done != 0 && !(password.empty() && errno == ENOENT)) return failed("setsockopt(TCP_MD5SIG)");
  return {};
}

namespace {

// linux/tcp.h of Linux 6.7; the headers of Debian 12 are older.
constexpr int kTcpAoAddKey = 38, kTcpAoDelKey = 39;
struct alignas(8) TcpAoAdd {
  sockaddr_storage addr;
  char alg_name[64];
  std::int32_t ifindex;
  std::uint32_t flags;  // set_current, set_rnext
  std::uint16_t reserved;
  std::uint8_t prefix, sndid, rcvid, maclen, keyflags, keylen;
  std::uint8_t key[80];
};
struct alignas(8) TcpAoDel {
  sockaddr_storage addr;
  std::int32_t ifindex;
  std::uint32_t flags;
  std::uint16_t reserved;
  std::uint8_t prefix, sndid, rcvid, current_key, rnext, keyflags;
};
static_assert(sizeof(TcpAoAdd) == 288 && sizeof(TcpAoDel) == 144, "the kernel's layout");

std::uint8_t ao_prefix(const wire::IpAddress& address, std::uint8_t prefix_length) {
  return prefix_length != kHost ? prefix_length : address.is_v6 ? 128 : 32;
}

Result<void, SocketError> add_ao_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key) {
  TcpAoAdd add{};
  add.addr = to_socket_address(address, 0).storage;
  std::strcpy(add.alg_name, "hmac(sha1)");
  add.maclen = 12;  // RFC 5926 §3.2.1: HMAC-SHA-1-96
  add.prefix = ao_prefix(address, prefix_length);
  add.sndid = add.rcvid = key.id;
  add.keylen = static_cast<std::uint8_t>(std::min(key.password.size(), sizeof add.key));
  std::memcpy(add.key, key.password.data(), add.keylen);
  int done = ::setsockopt(fd, IPPROTO_TCP, kTcpAoAddKey, &add, sizeof add);
  explicit_bzero(&add, sizeof add);
  if (done != 0) return failed("setsockopt(TCP_AO_ADD_KEY)");
  return {};
}

Result<void, SocketError> delete_ao_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key) {
  TcpAoDel del{};
  del.addr = to_socket_address(address, 0).storage;
  del.prefix = ao_prefix(address, prefix_length);
  del.sndid = del.rcvid = key.id;
  if (::setsockopt(fd, IPPROTO_TCP, kTcpAoDelKey, &del, sizeof del) != 0 && errno != ENOENT) return failed("setsockopt(TCP_AO_DEL_KEY)");
  return {};
}

}  // namespace

Result<void, SocketError> set_session_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key) {
  if (key.method == AuthMethod::tcp_ao) return add_ao_key(fd, address, prefix_length, key);
  return set_md5_key(fd, address, prefix_length, key.password);
}

Result<void, SocketError> remove_session_key(int fd, const wire::IpAddress& address, std::uint8_t prefix_length, const SessionKey& key) {
  if (key.method == AuthMethod::tcp_ao) return delete_ao_key(fd, address, prefix_length, key);
  return set_md5_key(fd, address, prefix_length, "");
}

bool kernel_has_tcp_ao() {
  OwnedFd fd(new_socket(false));
  wire::IpAddress loopback = wire::IpAddress::v4(0x7f000001);
  return fd.get() >= 0 && add_ao_key(fd.get(), loopback, kHost, {AuthMethod::tcp_ao, 1, "probe"}).has_value();
}

namespace {

constexpr std::uint32_t kFirstBfdSource = 49152, kBfdSources = 65536 - kFirstBfdSource;

int new_bfd_socket(bool is_v6) {
  OwnedFd fd(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0 || !set_ttl(fd.get(), is_v6, 255)) return -1;
  (void)(is_v6 ? set_int(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, kDscpCs6) : set_int(fd.get(), IPPROTO_IP, IP_TOS, kDscpCs6));
  return fd.release();
}

}  // namespace

Result<int, SocketError> open_bfd_receiver(const wire::IpAddress& local, std::uint16_t port) {
  OwnedFd fd(new_bfd_socket(local.is_v6));
  if (fd.get() < 0) return failed("socket (BFD)");
  bool told = local.is_v6 ? set_int(fd.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) : set_int(fd.get(), IPPROTO_IP, IP_RECVTTL, 1);
  if (!told) return failed("setsockopt(BFD, TTL)");
  SocketAddress address = to_socket_address(local, port);
  if (::bind(fd.get(), address.get(), address.length) != 0) return failed("bind (BFD)");
  return fd.release();
}

Result<int, SocketError> open_bfd_sender(const wire::IpAddress& local, std::uint32_t seed) {
  OwnedFd fd(new_bfd_socket(local.is_v6));
  if (fd.get() < 0) return failed("socket (BFD)");
  for (std::uint32_t i = 0; i < kBfdSources; ++i) {
    SocketAddress address = to_socket_address(local, static_cast<std::uint16_t>(kFirstBfdSource + (seed + i) % kBfdSources));
    if (::bind(fd.get(), address.get(), address.length) == 0) return fd.release();
    if (errno != EADDRINUSE) break;
  }
  return failed("bind (BFD source port)");
}

ssize_t receive_bfd(int fd, std::span<std::uint8_t> buffer, wire::IpAddress& from, int& ttl) {
  sockaddr_storage source{};
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int))> control;
  msghdr message{};
  message.msg_name = &source;
  message.msg_namelen = sizeof source;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = ::recvmsg(fd, &message, 0);
  if (size < 0) return size;
  from = from_socket_address(source);
  ttl = 0;
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    bool is_ttl = (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_TTL) || (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_HOPLIMIT);
    if (is_ttl) std::memcpy(&ttl, CMSG_DATA(at), sizeof ttl);
  }
  return size;
}

int bytes_waiting(int fd) {
  int count = 0;
  return ::ioctl(fd, FIONREAD, &count) == 0 ? count : 0;
}

}  // namespace helio::session

#include "harness.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace helio::session::test {

wire::IpAddress ip(const char* text) { return wire::parse_ip(text).value(); }

// --- FakeEngine -------------------------------------------------------------------------------------------------------

void FakeEngine::on_established(const EstablishedPeer& peer, TimePoint) {
  std::lock_guard lock(mutex_);
  established_.push_back(peer);
  ++established_count_;
}

std::optional<wire::Notification> FakeEngine::on_update(PeerId peer, Bytes body) {
  std::vector<std::uint8_t> message;
  std::vector<PeerId> others;
  {
    std::lock_guard lock(mutex_);
    ++update_count_;
    staged_ += staged_per_update_;
    most_in_a_turn_ = std::max<std::size_t>(most_in_a_turn_, ++in_this_turn_);
    in_a_row_ = peer == last_peer_ ? in_a_row_ + 1 : 1;
    last_peer_ = peer;
    most_in_a_row_ = std::max<std::size_t>(most_in_a_row_, in_a_row_);
    if (keep_updates_) updates_.emplace_back(body.begin(), body.end());
    if (answer_) return answer_;
    if (echo_to_all_) {
      std::size_t start = wire::begin_message(message, wire::MessageType::update);
      message.insert(message.end(), body.begin(), body.end());
      wire::end_message(message, start);
      for (const EstablishedPeer& other : established_)
        if (other.peer != peer) others.push_back(other.peer);
    }
  }
  for (PeerId other : others) queue(other, message);
  return std::nullopt;
}

std::optional<wire::Notification> FakeEngine::on_route_refresh(PeerId, const RefreshRequest& request) {
  std::lock_guard lock(mutex_);
  refreshes_.push_back(request);
  return std::nullopt;
}

void FakeEngine::on_closed(PeerId peer, CloseReason reason) {
  std::lock_guard lock(mutex_);
  closed_.push_back({peer, reason});
  std::erase_if(established_, [&](const EstablishedPeer& other) { return other.peer == peer; });
  output_.erase(peer);
}

TurnResult FakeEngine::run_turn(TimePoint now) {
  std::lock_guard lock(mutex_);
  ++turns_;
  staged_ = in_this_turn_ = 0;
  if (wake_at_ && *wake_at_ <= now) wake_at_.reset();
  return {false, wake_at_};
}

std::size_t FakeEngine::Output::message_end() const {
  return boundary_before + load_be16(bytes.data() + boundary_before + 16);
}

std::size_t FakeEngine::gather(PeerId peer, std::span<iovec> out, std::size_t max_bytes) {
  std::lock_guard lock(mutex_);
  auto at = output_.find(peer);
  if (at == output_.end()) return 0;
  Output& output = at->second;
  // In pieces of 1000 octets, so that iovecs and messages do not end at the same places.
  std::size_t used = 0, from = output.sent;
  while (used < out.size() && from < output.bytes.size() && max_bytes > 0) {
    std::size_t length = std::min({std::size_t{1000}, output.bytes.size() - from, max_bytes});
    out[used++] = {output.bytes.data() + from, length};
    from += length;
    max_bytes -= length;
  }
  return used;
}

void FakeEngine::consumed(PeerId peer, std::size_t bytes) {
  std::lock_guard lock(mutex_);
  Output& output = output_.at(peer);
  output.sent += bytes;
  ASSERT_LE(output.sent, output.bytes.size());
  while (output.boundary_before < output.bytes.size() && output.message_end() <= output.sent)
    output.boundary_before = output.message_end();
  if (output.sent == output.bytes.size()) output_.erase(peer);
}

bool FakeEngine::has_output(PeerId peer) const {
  std::lock_guard lock(mutex_);
  return output_.contains(peer);
}

bool FakeEngine::at_message_boundary(PeerId peer) const {
  std::lock_guard lock(mutex_);
  auto at = output_.find(peer);
  return at == output_.end() || at->second.sent == at->second.boundary_before;
}

Bytes FakeEngine::rest_of_message(PeerId peer) const {
  std::lock_guard lock(mutex_);
  auto at = output_.find(peer);
  if (at == output_.end() || at->second.sent == at->second.boundary_before) return {};
  const Output& output = at->second;
  return Bytes(output.bytes).subspan(output.sent, output.message_end() - output.sent);
}

std::vector<EstablishedPeer> FakeEngine::established() {
  std::lock_guard lock(mutex_);
  return established_;
}

std::vector<FakeEngine::Closed> FakeEngine::closed() {
  std::lock_guard lock(mutex_);
  return closed_;
}

std::vector<std::vector<std::uint8_t>> FakeEngine::updates() {
  std::lock_guard lock(mutex_);
  return updates_;
}

std::vector<RefreshRequest> FakeEngine::refreshes() {
  std::lock_guard lock(mutex_);
  return refreshes_;
}

void FakeEngine::queue(PeerId peer, std::vector<std::uint8_t> messages) {
  bool was_empty;
  {
    std::lock_guard lock(mutex_);
    Output& output = output_[peer];
    was_empty = output.bytes.empty();
    output.bytes.insert(output.bytes.end(), messages.begin(), messages.end());
  }
  if (was_empty) control_->output_ready(peer);
}

void FakeEngine::answer_updates_with(std::optional<wire::Notification> error) {
  std::lock_guard lock(mutex_);
  answer_ = std::move(error);
}

// --- RawPeer ----------------------------------------------------------------------------------------------------------

namespace {

int bound_socket(const wire::IpAddress& from, int ttl) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 0);
  SocketAddress local = to_socket_address(from, 0);
  EXPECT_EQ(::bind(fd, local.get(), local.length), 0) << strerror(errno);
  return fd;
}

}  // namespace

RawPeer RawPeer::connect(const wire::IpAddress& from, const ListenEndpoint& to, int ttl) {
  RawPeer peer;
  peer.fd_ = bound_socket(from, ttl);
  SocketAddress remote = to_socket_address(to.address, to.port);
  EXPECT_EQ(::connect(peer.fd_, remote.get(), remote.length), 0) << strerror(errno);
  return peer;
}

bool RawPeer::can_connect(const wire::IpAddress& from, const ListenEndpoint& to, int ttl) {
  RawPeer peer = adopt(bound_socket(from, ttl));
  timeval patience{0, 500'000};
  ::setsockopt(peer.fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);  // connect(2) too
  SocketAddress remote = to_socket_address(to.address, to.port);
  return ::connect(peer.fd_, remote.get(), remote.length) == 0;
}

RawPeer RawPeer::adopt(int fd) {
  RawPeer peer;
  peer.fd_ = fd;
  return peer;
}

void RawPeer::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  buffer_.clear();
}

void RawPeer::send(Bytes bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the test sees the consequence
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

void RawPeer::send_open(const wire::OpenMessage& open) {
  std::vector<std::uint8_t> message;
  wire::encode_open(message, open);
  send(message);
}

void RawPeer::send_keepalive() {
  std::vector<std::uint8_t> message;
  wire::encode_keepalive(message);
  send(message);
}

void RawPeer::send_notification(const wire::Notification& notification) {
  std::vector<std::uint8_t> message;
  wire::encode_notification(message, notification);
  send(message);
}

std::vector<std::uint8_t> RawPeer::make_update(std::size_t total_size, std::uint8_t fill) {
  std::vector<std::uint8_t> message;
  std::size_t start = wire::begin_message(message, wire::MessageType::update);
  message.resize(total_size, fill);
  wire::end_message(message, start);
  return message;
}

std::optional<Message> RawPeer::receive(std::chrono::milliseconds timeout) {
  auto until = std::chrono::steady_clock::now() + timeout;
  timed_out_ = false;
  while (true) {
    auto frame = wire::next_frame(buffer_, wire::kMaxExtendedMessage);
    EXPECT_TRUE(frame.has_value()) << "bad framing from the daemon";
    if (!frame) return std::nullopt;
    if (*frame) {
      Message out{(*frame)->type, {(*frame)->message.begin(), (*frame)->message.end()}};
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(out.bytes.size()));
      return out;
    }
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd wait{fd_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) {
      timed_out_ = true;
      return std::nullopt;
    }
    std::array<std::uint8_t, 65536> bytes;
    ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (got <= 0) return std::nullopt;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + got);
  }
}

std::optional<Message> RawPeer::receive_beyond_keepalives(std::chrono::milliseconds timeout) {
  while (true) {
    auto message = receive(timeout);
    if (!message || message->type != wire::MessageType::keepalive) return message;
  }
}

std::optional<wire::Notification> RawPeer::receive_notification(std::chrono::milliseconds timeout) {
  while (auto message = receive(timeout)) {
    if (message->type != wire::MessageType::notification) continue;
    auto notification = wire::decode_notification(message->body());
    if (notification) return *notification;
  }
  return std::nullopt;
}

bool RawPeer::is_closed_by_peer(std::chrono::milliseconds timeout) {
  while (receive(timeout)) {
  }
  return !timed_out_;
}

bool RawPeer::handshake(const wire::OpenMessage& open) {
  auto theirs = receive();
  if (!theirs || theirs->type != wire::MessageType::open) return false;
  send_open(open);
  send_keepalive();
  auto keepalive = receive();
  return keepalive && keepalive->type == wire::MessageType::keepalive;
}

// --- settings ---------------------------------------------------------------------------------------------------------

wire::OpenMessage make_remote_open(std::uint32_t router_id, Asn as, std::uint16_t hold_time) {
  wire::OpenMessage open;
  open.set_as(as);
  open.hold_time = hold_time;
  open.bgp_identifier = router_id;
  open.capabilities.multiprotocol = {wire::afi_safi(wire::Family::vpnv4), wire::afi_safi(wire::Family::rtc)};
  open.capabilities.route_refresh = true;
  return open;
}

std::shared_ptr<GroupSettings> make_group() {
  auto group = std::make_shared<GroupSettings>();
  group->name = "pe";
  group->local_as = 65000;
  group->peer_as = 65000;
  group->router_id = 0x0aff0001;
  group->cluster_id = 0x0aff0001;
  group->families.insert(wire::Family::vpnv4);
  group->families.insert(wire::Family::vpnv6);
  group->families.insert(wire::Family::rtc);
  group->hostname = "rr1";
  group->passive = true;
  return group;
}

NeighborSettings make_neighbor(const char* address, std::shared_ptr<const GroupSettings> group) {
  NeighborSettings neighbor;
  neighbor.address = ip(address);
  neighbor.group = std::move(group);
  return neighbor;
}

namespace {

SessionSettings with_endpoint(SessionSettings settings) {
  if (settings.listen.empty()) settings.listen.push_back({ip("127.0.0.1"), 0});
  return settings;
}

}  // namespace

Sessions::Sessions(SessionSettings settings) : manager(with_endpoint(std::move(settings))) {
  std::vector<Engine*> pointers;
  for (std::uint32_t i = 0; i < manager.shards(); ++i) {
    engines.push_back(std::make_unique<FakeEngine>());
    engines.back()->set_control(manager.control(ShardId(i)));
    pointers.push_back(engines.back().get());
  }
  auto started = manager.start(pointers);
  EXPECT_TRUE(started) << started.error();
  manager_endpoint_ = manager.endpoints().at(0);
}

PeerSnapshot Sessions::peer(const char* address) {
  for (PeerSnapshot& snapshot : manager.peers())
    if (snapshot.address == ip(address)) return snapshot;
  return {};
}

bool Sessions::eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  auto until = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return condition();
}

}  // namespace helio::session::test

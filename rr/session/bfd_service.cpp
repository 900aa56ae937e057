#include "rr/session/bfd_service.hpp"

#include <pthread.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <future>
#include <map>
#include <thread>

#include "rr/base/log.hpp"
#include "rr/session/sockets.hpp"

namespace helio::session {
namespace {

using bfd::TimePoint;

constexpr int kDatagramsAtOnce = 64;

TimePoint now() { return std::chrono::steady_clock::now(); }

std::chrono::milliseconds whole_milliseconds(std::chrono::microseconds interval) {
  return interval == std::chrono::microseconds::max() ? std::chrono::milliseconds(0) : std::chrono::ceil<std::chrono::milliseconds>(interval);
}

}  // namespace

// Everything of the service's thread.
class BfdService::Loop {
 public:
  Loop(Failed failed, std::uint16_t port) : failed_(std::move(failed)), port_(port), random_(std::random_device{}()) {
    thread_ = std::thread([this] { io_.run(); });
    pthread_setname_np(thread_.native_handle(), "helio-bfd");
  }
  ~Loop() {
    work_.reset();
    io_.stop();
    thread_.join();
  }

  template <class Function>
  void post(Function function) {
    boost::asio::post(io_, std::move(function));
  }
  template <class Function>
  auto call(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    return result.get();
  }

  void start(const BfdRequest& request);
  void configure(PeerId peer, bfd::Parameters parameters, std::uint8_t ttl_min);
  void stop(PeerId peer);
  void stop_all();
  std::vector<BfdView> views() const;
  BfdCounters counters() const { return counters_; }

 private:
  using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                                  boost::asio::io_context::executor_type>;
  struct Entry {
    Entry(boost::asio::io_context& io, const BfdRequest& what, bfd::Session made) : request(what), session(std::move(made)), timer(io.get_executor()) {}
    ~Entry() {
      if (fd >= 0) ::close(fd);
    }
    BfdRequest request;
    bfd::Session session;
    Timer timer;
    int fd = -1;  // to send from
    std::uint64_t packets_in = 0, packets_out = 0;
    std::string error;
  };
  struct Receiver {
    Receiver(boost::asio::io_context& io, const wire::IpAddress& address, int fd) : local(address), descriptor(io.get_executor(), fd) {}
    wire::IpAddress local;
    Descriptor descriptor;
    std::uint32_t users = 0;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  std::uint32_t new_discriminator();
  bool open_sockets(Entry& entry);
  void wait(Receiver& receiver);
  void receive(Receiver& receiver);
  void on_datagram(Bytes datagram, const wire::IpAddress& from, const wire::IpAddress& to, int ttl);
  EntryPtr find(const bfd::ControlPacket& packet, const wire::IpAddress& from, const wire::IpAddress& to);
  void serve(const EntryPtr& entry);
  void arm(const EntryPtr& entry);
  void forget(const EntryPtr& entry);

  Failed failed_;
  std::uint16_t port_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::map<PeerId, EntryPtr> entries_;
  std::map<std::uint32_t, EntryPtr> by_discriminator_;
  std::map<std::pair<wire::IpAddress, wire::IpAddress>, EntryPtr> by_addresses_;  // remote, local
  std::map<wire::IpAddress, std::unique_ptr<Receiver>> receivers_;
  BfdCounters counters_;
  std::minstd_rand random_;
  std::thread thread_;
};

std::uint32_t BfdService::Loop::new_discriminator() {
  std::uint32_t made = 0;
  while (made == 0 || by_discriminator_.contains(made)) made = std::random_device{}();
  return made;
}

void BfdService::Loop::start(const BfdRequest& request) {
  if (auto old = entries_.find(request.peer); old != entries_.end()) forget(EntryPtr(old->second));
  auto entry = std::make_shared<Entry>(io_, request, bfd::Session(request.parameters, new_discriminator(), random_(), now()));
  entries_[request.peer] = entry;
  if (!open_sockets(*entry)) {
    log::warn("peer={} bfd: {}", wire::format_ip(request.remote), entry->error);
    return;
  }
  by_discriminator_[entry->session.discriminator()] = entry;
  by_addresses_[{request.remote, request.local}] = entry;
  entry->session.run(now());
  serve(entry);
}

bool BfdService::Loop::open_sockets(Entry& entry) {
  auto failed = [&](const SocketError& error) {
    entry.error = std::string(error.step) + ": " + std::strerror(error.error);
    return false;
  };
  auto sender = open_bfd_sender(entry.request.local, random_());
  if (!sender) return failed(sender.error());
  entry.fd = *sender;
  auto& receiver = receivers_[entry.request.local];
  if (!receiver) {
    auto fd = open_bfd_receiver(entry.request.local, port_);
    if (!fd) {
      receivers_.erase(entry.request.local);
      return failed(fd.error());
    }
    receiver = std::make_unique<Receiver>(io_, entry.request.local, *fd);
    wait(*receiver);
  }
  ++receiver->users;
  return true;
}

void BfdService::Loop::configure(PeerId peer, bfd::Parameters parameters, std::uint8_t ttl_min) {
  auto at = entries_.find(peer);
  if (at == entries_.end()) return;
  at->second->request.ttl_min = ttl_min;
  at->second->session.configure(parameters, now());
  serve(EntryPtr(at->second));
}

void BfdService::Loop::stop(PeerId peer) {
  auto at = entries_.find(peer);
  if (at == entries_.end()) return;
  EntryPtr entry = at->second;
  if (entry->fd < 0 || !entry->error.empty()) return forget(entry);
  entry->session.shut_down(now());
  serve(entry);
}

void BfdService::Loop::stop_all() {
  auto entries = entries_;  // serve() forgets those that are over
  for (auto& [peer, entry] : entries) {
    entry->session.shut_down(now());
    serve(entry);
  }
}

void BfdService::Loop::forget(const EntryPtr& entry) {
  entry->timer.cancel();
  entries_.erase(entry->request.peer);
  if (by_discriminator_.erase(entry->session.discriminator()) == 0) return;
  if (auto at = by_addresses_.find({entry->request.remote, entry->request.local}); at != by_addresses_.end() && at->second == entry)
    by_addresses_.erase(at);
  auto receiver = receivers_.find(entry->request.local);
  if (receiver != receivers_.end() && --receiver->second->users == 0) receivers_.erase(receiver);
}

void BfdService::Loop::wait(Receiver& receiver) {
  receiver.descriptor.async_wait(Descriptor::wait_read, [this, local = receiver.local](const boost::system::error_code& error) {
    auto at = receivers_.find(local);
    if (error || at == receivers_.end()) return;
    receive(*at->second);
    // A session that ended in there may have taken its receiver with it.
    if (at = receivers_.find(local); at != receivers_.end()) wait(*at->second);
  });
}

void BfdService::Loop::receive(Receiver& receiver) {
  wire::IpAddress local = receiver.local;
  int fd = receiver.descriptor.native_handle();
  for (int i = 0; i < kDatagramsAtOnce; ++i) {
    std::array<std::uint8_t, 256> buffer;  // a Control packet's length is one octet
    wire::IpAddress from;
    int ttl = 0;
    ssize_t size = receive_bfd(fd, buffer, from, ttl);
    if (size < 0) return;
    ++counters_.packets_in;
    on_datagram(Bytes(buffer.data(), static_cast<std::size_t>(size)), from, local, ttl);
    if (!receivers_.contains(local)) return;
  }
}

void BfdService::Loop::on_datagram(Bytes datagram, const wire::IpAddress& from, const wire::IpAddress& to, int ttl) {
  auto packet = bfd::decode(datagram);
  EntryPtr entry = packet ? find(*packet, from, to) : nullptr;
  if (!entry || ttl < entry->request.ttl_min) {
    ++counters_.discarded;
    return;
  }
  ++entry->packets_in;
  entry->session.on_packet(*packet, now());
  serve(entry);
}

// RFC 5880 §6.8.6, RFC 5883 §4: by Your Discriminator, and by the addresses while the neighbour does not know it. A
// discriminator alone is not enough: the packet must come from the neighbour's address.
BfdService::Loop::EntryPtr BfdService::Loop::find(const bfd::ControlPacket& packet, const wire::IpAddress& from, const wire::IpAddress& to) {
  if (packet.your_discriminator == 0) {
    auto at = by_addresses_.find({from, to});
    return at == by_addresses_.end() ? nullptr : at->second;
  }
  auto at = by_discriminator_.find(packet.your_discriminator);
  if (at == by_discriminator_.end() || !(at->second->request.remote == from) || !(at->second->request.local == to)) return nullptr;
  return at->second;
}

void BfdService::Loop::serve(const EntryPtr& entry) {
  for (const bfd::ControlPacket& packet : entry->session.take_packets()) {
    bfd::PacketBytes bytes = bfd::encode(packet);
    SocketAddress remote = to_socket_address(entry->request.remote, port_);
    // What cannot be sent is lost, as packets may be; the neighbour's detection time says when it matters.
    if (::sendto(entry->fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL, remote.get(), remote.length) < 0) continue;
    ++entry->packets_out;
    ++counters_.packets_out;
  }
  bfd::Event event = entry->session.take_event();
  std::string name = event == bfd::Event::none ? std::string() : wire::format_ip(entry->request.remote);
  if (event == bfd::Event::up) log::info("peer={} bfd=Up detection-time={}ms", name, whole_milliseconds(entry->session.detection_time()).count());
  if (event == bfd::Event::neighbor_admin_down) log::info("peer={} bfd=Down: the neighbor is AdminDown", name);
  if (event == bfd::Event::failed) {
    ++counters_.failures;
    log::warn("peer={} bfd=Down: {}", name, bfd::diagnostic_name(entry->session.diagnostic()));
    failed_(entry->request.peer, entry->request.generation, entry->session.diagnostic());
  }
  arm(entry);
}

void BfdService::Loop::arm(const EntryPtr& entry) {
  if (entry->session.is_over(now())) return forget(entry);
  entry->timer.expires_at(entry->session.deadline());
  entry->timer.async_wait([this, weak = std::weak_ptr<Entry>(entry)](const boost::system::error_code& error) {
    EntryPtr self = weak.lock();
    if (error || !self) return;
    self->session.run(now());
    serve(self);
  });
}

std::vector<BfdView> BfdService::Loop::views() const {
  std::vector<BfdView> out;
  for (const auto& [peer, entry] : entries_) {
    const bfd::Session& session = entry->session;
    BfdView view;
    view.peer = peer;
    view.state = session.state();
    view.remote_state = session.remote_state();
    view.diagnostic = session.diagnostic();
    view.remote_diagnostic = session.remote_diagnostic();
    view.discriminator = session.discriminator();
    view.remote_discriminator = session.remote_discriminator();
    view.transmit_interval = whole_milliseconds(session.transmit_interval());
    view.detection_time = whole_milliseconds(session.detection_time());
    view.packets_in = entry->packets_in;
    view.packets_out = entry->packets_out;
    view.error = entry->error;
    out.push_back(std::move(view));
  }
  return out;
}

BfdService::BfdService(Failed failed, std::uint16_t port) : failed_(std::move(failed)), port_(port) {}

BfdService::~BfdService() { shut_down(); }  // NOLINT(bugprone-exception-escape): memory may be short here as anywhere, and ends heliod

std::shared_ptr<BfdService::Loop> BfdService::loop() {
  std::lock_guard lock(mutex_);
  return loop_;
}

void BfdService::start(BfdRequest request) {
  std::lock_guard lock(mutex_);
  if (is_over_) return;
  if (!loop_) loop_ = std::make_shared<Loop>(failed_, port_);
  loop_->post([loop = loop_.get(), request] { loop->start(request); });
}

void BfdService::configure(PeerId peer, bfd::Parameters parameters, std::uint8_t ttl_min) {
  if (auto loop = this->loop()) loop->post([loop = loop.get(), peer, parameters, ttl_min] { loop->configure(peer, parameters, ttl_min); });
}

void BfdService::stop(PeerId peer) {
  if (auto loop = this->loop()) loop->post([loop = loop.get(), peer] { loop->stop(peer); });
}

std::vector<BfdView> BfdService::views() {
  auto loop = this->loop();
  return loop ? loop->call([&] { return loop->views(); }) : std::vector<BfdView>();
}

BfdCounters BfdService::counters() {
  auto loop = this->loop();
  return loop ? loop->call([&] { return loop->counters(); }) : BfdCounters();
}

void BfdService::shut_down() {
  std::shared_ptr<Loop> ended;
  {
    std::lock_guard lock(mutex_);
    is_over_ = true;
    ended = std::move(loop_);
  }
  if (ended) {
    ended->call([&] {
      ended->stop_all();
      return 0;
    });
  }
}

}  // namespace helio::session

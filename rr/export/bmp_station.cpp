#include "rr/export/bmp_station.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>

#include "rr/base/log.hpp"

namespace helio::exporter {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kFirstPause{1}, kLongestPause{60};
constexpr std::size_t kWriteEntries = 16;         // gathered in one write
constexpr int kSendBuffer = 256 << 10;
constexpr int kSilenceMs = 60000;                 // octets that nobody acknowledges for so long: the station is gone

tcp::endpoint endpoint_of(const StationSettings& settings) {
  const wire::IpAddress& a = settings.address;
  if (!a.is_v6) return {asio::ip::address_v4(a.v4_value()), settings.port};
  asio::ip::address_v6::bytes_type bytes;
  std::copy(a.bytes.begin(), a.bytes.end(), bytes.begin());
  return {asio::ip::address_v6(bytes), settings.port};
}

}  // namespace

std::uint8_t StationSettings::feeds() const {
  std::uint8_t feeds = 0;
  for (const std::string& policy : policies)
    feeds = static_cast<std::uint8_t>(feeds | bit_of(policy == "pre-policy" ? Feed::pre_policy : policy == "post-policy" ? Feed::post_policy : policy == "loc-rib" ? Feed::loc_rib : Feed::adj_rib_out));
  return feeds;
}

BmpStation::BmpStation(asio::io_context& io, unsigned number, StationSettings settings, StationSlot& slot, Callbacks callbacks)
    : io_(io), number_(number), settings_(std::move(settings)), slot_(slot), callbacks_(std::move(callbacks)),
      name_(fmt::format("{} port {}", wire::format_ip(settings_.address), settings_.port)), socket_(io), timer_(io) {
  status_.settings = settings_;
  status_.since = std::chrono::steady_clock::now();
}

void BmpStation::set_state(const char* state) {
  if (status_.state == state) return;
  status_.state = state;
  status_.since = std::chrono::steady_clock::now();
}

StationStatus BmpStation::status() const {
  StationStatus status = status_;
  status.dropped = slot_.dropped.load(std::memory_order_relaxed);
  status.queued = slot_.queued.load(std::memory_order_relaxed);
  return status;
}

void BmpStation::connect() {
  if (finishing_) return;
  socket_ = tcp::socket(io_);
  socket_.async_connect(endpoint_of(settings_), [this](const error_code& error) { on_connected(error); });
  // A connection that nobody answers takes the kernel two minutes.
  timer_.expires_after(std::chrono::seconds(10));
  timer_.async_wait([this](const error_code& error) {
    error_code ignored;
    if (!error && !connected_) socket_.close(ignored);
  });
}

void BmpStation::on_connected(const error_code& error) {
  timer_.cancel();
  if (error || finishing_) return retry("connect: " + (error == asio::error::operation_aborted ? std::string("no answer") : error.message()));
  error_code ignored;
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  // Else the kernel would grow a second queue of megabytes behind ours.
  socket_.set_option(asio::socket_base::send_buffer_size(kSendBuffer), ignored);
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kSilenceMs, sizeof kSilenceMs);
  connected_ = true;
  has_routes_ = false;
  ++epoch_;
  ++status_.sessions;
  status_.last_error.clear();
  logged_error_.clear();
  set_state("initial-dump");
  log::info("bmp station={} connected", name_);
  read();
  callbacks_.connected(*this);
}

void BmpStation::set_has_routes() {
  has_routes_ = true;
  pause_ = kFirstPause;
  set_state("up");
}

void BmpStation::read() {
  socket_.async_read_some(asio::buffer(ignored_), [this, epoch = epoch_](const error_code& error, std::size_t) {
    if (epoch != epoch_ || !connected_) return;
    if (error) return reset(error == asio::error::eof ? "the station closed the connection" : error.message());
    read();
  });
}

void BmpStation::queue(std::shared_ptr<const FeedChunk> chunk, std::size_t from, std::size_t to, std::uint64_t messages) {
  queue_.push_back({std::move(chunk), {}, from, to, messages});
  write();
}

void BmpStation::queue(std::vector<std::uint8_t> message) {
  std::size_t size = message.size();
  slot_.queued.fetch_add(size, std::memory_order_relaxed);
  queue_.push_back({nullptr, std::move(message), 0, size, 1});
  write();
}

void BmpStation::write() {
  if (writing_ || !connected_) return;
  if (queue_.empty()) {
    if (finishing_) reset("");
    return;
  }
  std::vector<asio::const_buffer> buffers;
  in_flight_ = std::min(queue_.size(), kWriteEntries);
  for (std::size_t i = 0; i < in_flight_; ++i) buffers.emplace_back(queue_[i].bytes().data(), queue_[i].bytes().size());
  writing_ = true;
  asio::async_write(socket_, buffers, [this, epoch = epoch_](const error_code& error, std::size_t) {
    writing_ = false;
    if (epoch != epoch_ || !connected_) {
      drop_queue();  // kept until now for the write that was under way
      return write();
    }
    if (error) return reset(error.message());
    for (std::size_t i = 0; i < in_flight_; ++i) {
      status_.bytes += queue_.front().to - queue_.front().from;
      status_.messages += queue_.front().messages;
      slot_.queued.fetch_sub(queue_.front().to - queue_.front().from, std::memory_order_relaxed);
      queue_.pop_front();
    }
    bool above = slot_.queued.load(std::memory_order_relaxed) >= slot_.limit / 2;
    bool was_above = std::exchange(was_above_, above);
    if (!above && (was_above || !has_routes_)) callbacks_.drained(*this);
    write();
  });
}

void BmpStation::drop_queue() {
  for (const Entry& entry : queue_) slot_.queued.fetch_sub(entry.to - entry.from, std::memory_order_relaxed);
  queue_.clear();
}

void BmpStation::reset(const std::string& why) {
  if (!connected_) return;
  connected_ = false;
  error_code ignored;
  socket_.close(ignored);
  if (!writing_) drop_queue();
  callbacks_.disconnected(*this);
  if (!why.empty()) retry(why);
}

void BmpStation::retry(const std::string& error) {
  set_state("connecting");
  if (finishing_) return;
  status_.last_error = error;
  if (slot_.overflowed.exchange(false, std::memory_order_relaxed)) ++status_.overflows;
  if (std::exchange(logged_error_, error) != error) log::warn("bmp station={} {}", name_, error);
  timer_.expires_after(pause_);
  pause_ = std::min(pause_ * 2, kLongestPause);
  timer_.async_wait([this](const error_code& cancelled) {
    if (!cancelled) connect();
  });
}

void BmpStation::finish(std::vector<std::uint8_t> last) {
  finishing_ = true;
  timer_.cancel();
  error_code ignored;
  if (!connected_) {
    socket_.close(ignored);
    return;
  }
  queue(std::move(last));
}

}  // namespace helio::exporter

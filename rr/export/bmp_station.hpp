// One BMP station as the BMP thread sees it: connects, tries again with a growing pause, writes what is queued, drops everything
// when the connection ends. Stations say nothing (RFC 7854 §3.2): what they do say is read and forgotten.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "rr/export/export_hub.hpp"

namespace helio::exporter {

struct StationSettings {
  wire::IpAddress address;
  std::uint16_t port = 11019;
  std::vector<std::string> policies;     // in the words of the configuration
  std::size_t queue_limit = std::size_t{64} << 20;
  std::chrono::seconds stats_interval{60};  // 0: no statistics
  std::uint8_t feeds() const;
  bool operator==(const StationSettings&) const = default;
};

struct StationStatus {
  StationSettings settings;
  std::string state = "connecting";      // connecting, initial-dump, up
  std::chrono::steady_clock::time_point since{};
  std::uint64_t sessions = 0, messages = 0, bytes = 0, dropped = 0, overflows = 0;
  std::size_t queued = 0;
  std::string last_error;
};

class BmpStation {
 public:
  struct Callbacks {
    std::function<void(BmpStation&)> connected;
    std::function<void(BmpStation&)> disconnected;
    std::function<void(BmpStation&)> drained;    // less than half of the queue's limit waits
  };

  BmpStation(boost::asio::io_context& io, unsigned number, StationSettings settings, StationSlot& slot, Callbacks callbacks);

  void start() { connect(); }
  unsigned number() const { return number_; }
  const StationSettings& settings() const { return settings_; }
  bool is_connected() const { return connected_; }
  // Counts connections: what was asked for an earlier one is not for this one.
  std::uint32_t epoch() const { return epoch_; }
  bool has_routes() const { return has_routes_; }
  void set_has_routes();                         // the initial dump is over: the next pause is short again

  // Queues octets of a chunk, which the slot has counted.
  void queue(std::shared_ptr<const FeedChunk> chunk, std::size_t from, std::size_t to, std::uint64_t messages);
  // Queues a message of our own; these are few.
  void queue(std::vector<std::uint8_t> message);
  // Starts over: nothing that was queued is sent.
  void reset(const std::string& why);
  // Sends what is queued, then ends for good.
  void finish(std::vector<std::uint8_t> last);
  bool is_finishing() const { return finishing_; }
  bool is_finished() const { return finishing_ && !connected_; }
  StationStatus status() const;

 private:
  struct Entry {
    std::shared_ptr<const FeedChunk> chunk;      // null: own
    std::vector<std::uint8_t> own;
    std::size_t from = 0, to = 0;
    std::uint64_t messages = 0;
    Bytes bytes() const { return chunk != nullptr ? Bytes(chunk->bytes).subspan(from, to - from) : Bytes(own); }
  };
  void connect();
  void on_connected(const boost::system::error_code& error);
  void read();
  void write();
  void retry(const std::string& error);
  void drop_queue();
  void set_state(const char* state);

  boost::asio::io_context& io_;
  unsigned number_;
  StationSettings settings_;
  StationSlot& slot_;
  Callbacks callbacks_;
  std::string name_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::uint32_t epoch_ = 0;
  bool connected_ = false, has_routes_ = false, writing_ = false, finishing_ = false, was_above_ = false;
  std::deque<Entry> queue_;
  std::size_t in_flight_ = 0;                    // entries of the write under way
  std::chrono::seconds pause_{1};
  std::string logged_error_;
  std::array<std::uint8_t, 512> ignored_;
  StationStatus status_;
};

}  // namespace helio::exporter

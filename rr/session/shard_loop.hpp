// The thread of one shard: its sockets and timers (one io_context), its peers, and the turns of its engine.
//
//   Asio: readiness, timers, posted closures ──► queues          (wait only when there is nothing to do)
//   turn:  read phase   each readable connection, round-robin, up to 256 KiB a time ──► engine.on_update()
//          engine.run_turn()                                    packs, fans out, a slice of walks
//          write phase  each peer with output, round-robin, one sendmsg of up to 256 KiB a time
//
// A lone UPDATE is read, processed and written within one turn: there is no latency timer. Under load the read phase ends
// when the engine has staged `bound` bytes: 1 MiB (what fits the cache), doubled after each turn that hit the bound with
// more to read, up to 16 MiB (larger turns pack better), halved after each turn that read everything. It also ends after
// 20 ms, so that keepalives and handshakes, which are served between turns, never wait for RIB work. While the last
// write phase ran out of its budget, or the engine says so, UPDATEs are left in the sockets; handshakes go on.
#pragma once
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <future>
#include <mutex>
#include <random>
#include <thread>

#include "rr/session/peer.hpp"

namespace helio::session {

class ShardLoop final : public ShardServices, public SessionControl {
 public:
  ShardLoop(ShardId shard, std::uint32_t shards, SessionLimits limits);
  ~ShardLoop() override;

  void attach(Engine& engine) { engine_ = &engine; }
  // Where to count, before start(). Without it: counters of its own.
  void count_in(std::shared_ptr<telemetry::ShardCounters> counters) { counters_ = std::move(counters); }
  // Any thread. False: connections are not opened any more; those that are there go on.
  void allow_connecting(bool allow) { may_connect_.store(allow, std::memory_order_relaxed); }
  // Between start() and join(), any thread: the processor time its thread has used.
  std::chrono::nanoseconds busy_time();
  // Any thread: turns ended so far. wake() makes a loop that is not stuck end one more.
  std::uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }
  // Starts the thread. attach() first.
  void start();
  // Any thread. Sends every neighbour `notification`, waits at most `patience` for them to close, ends the loop.
  void begin_stop(wire::Notification notification, std::chrono::milliseconds patience);
  void join();

  // Any thread: runs the closure on the shard's thread, between two turns.
  template <class Function>
  void post(Function&& function) {
    boost::asio::post(io_, std::forward<Function>(function));
  }
  // Any other thread: runs the closure on the shard's thread and returns its result. Works before start() and after the end.
  template <class Function>
  auto call(Function function) -> decltype(function()) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    if (is_own_thread()) {
      task();
      return result.get();
    }
    post([&task] { task(); });
    while (result.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) run_without_thread();
    return result.get();
  }

  // On the shard's thread, or before start(). A Peer that had the id before is taken down.
  Peer& add_peer(PeerId id, NeighborSettings settings, std::shared_ptr<PeerStatus> status);
  // Closes its session and forgets it.
  void remove_peer(PeerId id, const wire::Notification& notification, CloseReason reason);
  Peer* find(PeerId id);
  bool is_stopping() const { return stopping_; }
  template <class Function>
  void for_each_peer(Function function) {
    for (auto& peer : peers_)
      if (peer) function(*peer);
  }

  // ShardServices
  boost::asio::io_context& io() override { return io_; }
  Engine& engine() override { return *engine_; }
  const SessionLimits& limits() const override { return limits_; }
  TimePoint now() const override;
  telemetry::ShardCounters& counters() override { return *counters_; }
  BfdService* bfd() override { return bfd_; }
  // Before start().
  void use_bfd(BfdService* bfd) { bfd_ = bfd; }
  bool may_connect() const override { return may_connect_.load(std::memory_order_relaxed); }
  void linger(ConnectionPtr connection) override;
  double random() override { return std::uniform_real_distribution<double>(0, 1)(random_); }
  void ready_to_read(ConnectionPtr connection) override;
  void ready_to_write(ConnectionPtr connection) override;

  // SessionControl; wake() from any thread, the others on the shard's.
  void output_ready(PeerId peer) override;
  void close(PeerId peer, wire::Notification notification, CloseReason reason) override;
  bool is_blocked(PeerId peer) override;
  TimePoint clock() const override { return std::chrono::steady_clock::now(); }
  void wake() override;
  void send_message(PeerId peer, std::vector<std::uint8_t> message) override;

 private:
  using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                                  boost::asio::io_context::executor_type>;
  struct Lingering {
    ConnectionPtr connection;
    TimePoint until;
  };

  void run();
  void run_without_thread();
  bool is_own_thread() const { return owner_.load() == std::this_thread::get_id(); }
  void turn();
  void read_phase();
  void write_phase();
  void apply_closes();
  void arm_turn_timer(std::optional<TimePoint> at);
  void reap_lingering();
  void arm_linger_timer();

  ShardId shard_;
  std::uint32_t shards_;
  SessionLimits limits_;
  Engine* engine_ = nullptr;
  BfdService* bfd_ = nullptr;
  std::shared_ptr<telemetry::ShardCounters> counters_ = std::make_shared<telemetry::ShardCounters>();
  std::atomic<bool> may_connect_{true};
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  Timer turn_timer_{io_.get_executor()};
  Timer linger_timer_{io_.get_executor()};
  std::optional<TimePoint> turn_timer_at_;
  bool linger_timer_armed_ = false;

  std::vector<std::shared_ptr<Peer>> peers_;  // index: id / shards
  std::deque<ConnectionPtr> reads_;
  std::deque<ConnectionPtr> paused_reads_;    // Established, readable, left alone until the engine may read
  std::deque<ConnectionPtr> writes_;
  std::deque<Lingering> lingering_;
  std::vector<PeerId> closes_;
  std::vector<std::uint8_t> scratch_;
  std::size_t read_bound_;
  bool write_budget_spent_ = false;
  bool has_work_ = false;
  mutable TimePoint now_{};
  mutable bool now_is_fresh_ = false;
  std::minstd_rand random_;

  std::atomic<bool> wake_pending_{false};
  std::atomic<std::uint64_t> turns_{0};
  bool stopping_ = false;
  TimePoint stop_at_ = TimePoint::max();
  std::atomic<bool> running_{false};
  std::mutex idle_mutex_;  // run_without_thread()
  std::atomic<std::thread::id> owner_;
  std::thread thread_;
};

}  // namespace helio::session

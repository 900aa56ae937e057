#include "rr/session/shard_loop.hpp"

#include <pthread.h>
#include <time.h>

#include <algorithm>

#include "rr/base/check.hpp"
#include "rr/base/log.hpp"

namespace helio::session {
namespace {

constexpr std::size_t kReadAtOnce = 256u << 10;
constexpr std::size_t kWriteAtOnce = 256u << 10;
constexpr std::size_t kLeastReadBound = 1u << 20;
constexpr std::size_t kMostReadBound = 4u << 20;
constexpr std::size_t kWriteBudget = 16u << 20;  // per turn
constexpr auto kReadTime = std::chrono::milliseconds(20);
constexpr auto kLingerCheck = std::chrono::milliseconds(20);

}  // namespace

ShardLoop::ShardLoop(ShardId shard, std::uint32_t shards, SessionLimits limits)
    : shard_(shard),
      shards_(shards),
      limits_(limits),
      scratch_(kReadAtOnce + wire::kMaxExtendedMessage),
      read_bound_(kLeastReadBound),
      random_(std::random_device{}()) {}

ShardLoop::~ShardLoop() {  // NOLINT(bugprone-exception-escape): memory may be short here as anywhere, and ends heliod
  if (thread_.joinable()) {
    begin_stop(wire::make_cease(wire::cease::administrative_shutdown), std::chrono::milliseconds(0));
    join();
  }
}

void ShardLoop::start() {
  HELIO_CHECK(engine_ != nullptr, "a shard loop needs its engine");
  running_ = true;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), ("helio-shard-" + std::to_string(shard_.value)).substr(0, 15).c_str());
}

std::chrono::nanoseconds ShardLoop::busy_time() {
  clockid_t clock{};
  timespec used{};
  if (!thread_.joinable() || ::pthread_getcpuclockid(thread_.native_handle(), &clock) != 0 || ::clock_gettime(clock, &used) != 0)
    return {};
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

void ShardLoop::begin_stop(wire::Notification notification, std::chrono::milliseconds patience) {
  post([this, notification = std::move(notification), patience] {
    stopping_ = true;
    stop_at_ = now() + patience;
    for_each_peer([&](Peer& peer) { peer.take_down(notification, CloseReason::shutdown); });
    arm_linger_timer();
  });
}

void ShardLoop::join() {
  if (thread_.joinable()) thread_.join();
}

TimePoint ShardLoop::now() const {
  if (!now_is_fresh_) {
    now_ = std::chrono::steady_clock::now();
    now_is_fresh_ = true;
  }
  return now_;
}

void ShardLoop::run() {
  owner_ = std::this_thread::get_id();
  while (!stopping_ || (!lingering_.empty() && now() < stop_at_)) {
    now_is_fresh_ = false;
    if (!has_work_) io_.run_one();
    io_.poll();
    turn();
    turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  for (Lingering& entry : lingering_) entry.connection->close();
  lingering_.clear();
  running_ = false;
}

// Before start() and after the end there is no thread: a caller of call() serves the queue itself.
void ShardLoop::run_without_thread() {
  if (running_) return;
  std::lock_guard lock(idle_mutex_);
  now_is_fresh_ = false;
  io_.poll();
}

void ShardLoop::turn() {
  now_is_fresh_ = false;
  read_phase();
  TurnResult result = engine_->run_turn(now());
  apply_closes();
  now_is_fresh_ = false;
  write_phase();
  bool may_read = !write_budget_spent_ && engine_->may_read();
  has_work_ = result.more_work || !writes_.empty() || !reads_.empty() || (may_read && !paused_reads_.empty());
  if (!has_work_) arm_turn_timer(result.wake_at);
}

void ShardLoop::read_phase() {
  TimePoint until = now() + kReadTime;
  bool may_read = !write_budget_spent_ && engine_->may_read();
  if (may_read) {
    reads_.insert(reads_.begin(), paused_reads_.begin(), paused_reads_.end());
    paused_reads_.clear();
  }
  bool hit_bound = false;
  while (!reads_.empty()) {
    ConnectionPtr connection = std::move(reads_.front());
    reads_.pop_front();
    if (connection->is_established()) {
      hit_bound = hit_bound || engine_->staged_bytes() >= read_bound_ || std::chrono::steady_clock::now() >= until;
      if (!may_read || hit_bound) {
        paused_reads_.push_back(std::move(connection));
        continue;
      }
    }
    connection->in_read_queue = false;
    auto outcome = connection->read(scratch_, kReadAtOnce);
    apply_closes();
    if (outcome == ConnectionOutcome::more) ready_to_read(std::move(connection));
    may_read = may_read && engine_->may_read();
  }
  read_bound_ = hit_bound ? std::min(read_bound_ * 2, kMostReadBound) : std::max(read_bound_ / 2, kLeastReadBound);
}

void ShardLoop::write_phase() {
  std::size_t written = 0;
  while (!writes_.empty() && written < kWriteBudget) {
    ConnectionPtr connection = std::move(writes_.front());
    writes_.pop_front();
    connection->in_write_queue = false;
    std::uint64_t before = connection->bytes_out();
    auto outcome = connection->serve_write(kWriteAtOnce);
    written += connection->bytes_out() - before;
    if (outcome == ConnectionOutcome::more) ready_to_write(std::move(connection));
  }
  write_budget_spent_ = !writes_.empty();
}

void ShardLoop::ready_to_read(ConnectionPtr connection) {
  if (std::exchange(connection->in_read_queue, true)) return;
  reads_.push_back(std::move(connection));
}

void ShardLoop::ready_to_write(ConnectionPtr connection) {
  if (std::exchange(connection->in_write_queue, true)) return;
  writes_.push_back(std::move(connection));
}

void ShardLoop::apply_closes() {
  while (!closes_.empty()) {
    PeerId id = closes_.back();
    closes_.pop_back();
    if (Peer* peer = find(id)) peer->apply_requested_close();
  }
}

void ShardLoop::arm_turn_timer(std::optional<TimePoint> at) {
  if (at == turn_timer_at_) return;
  turn_timer_at_ = at;
  if (!at) {
    turn_timer_.cancel();
    return;
  }
  turn_timer_.expires_at(*at);
  turn_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) turn_timer_at_.reset();  // the turn follows by itself
  });
}

void ShardLoop::linger(ConnectionPtr connection) {
  lingering_.push_back({std::move(connection), now() + limits_.linger});
  if (!stopping_ && lingering_.size() > limits_.most_lingering) {
    lingering_.front().connection->close();
    lingering_.pop_front();
  }
  arm_linger_timer();
}

void ShardLoop::arm_linger_timer() {
  if (std::exchange(linger_timer_armed_, true)) return;
  linger_timer_.expires_after(kLingerCheck);
  linger_timer_.async_wait([this](const boost::system::error_code& error) {
    linger_timer_armed_ = false;
    if (!error) reap_lingering();
  });
}

void ShardLoop::reap_lingering() {
  TimePoint time = now();
  std::erase_if(lingering_, [&](Lingering& entry) {
    if (entry.connection->is_open() && entry.until > time) return false;
    entry.connection->close();
    return true;
  });
  if (!lingering_.empty()) arm_linger_timer();
}

Peer& ShardLoop::add_peer(PeerId id, NeighborSettings settings, std::shared_ptr<PeerStatus> status) {
  HELIO_CHECK(id.value % shards_ == shard_.value, "a peer lives on shard id % shards");
  std::size_t at = id.value / shards_;
  if (peers_.size() <= at) peers_.resize(at + 1);
  if (peers_[at]) remove_peer(id, wire::make_cease(wire::cease::out_of_resources), CloseReason::out_of_resources);
  peers_[at] = std::make_shared<Peer>(*this, id, std::move(settings), std::move(status));
  return *peers_[at];
}

void ShardLoop::remove_peer(PeerId id, const wire::Notification& notification, CloseReason reason) {
  Peer* peer = find(id);
  if (!peer) return;
  peer->take_down(notification, reason);
  peers_[id.value / shards_].reset();
}

Peer* ShardLoop::find(PeerId id) {
  if (id.value % shards_ != shard_.value) return nullptr;
  std::size_t at = id.value / shards_;
  return at < peers_.size() ? peers_[at].get() : nullptr;
}

void ShardLoop::output_ready(PeerId id) {
  Peer* peer = find(id);
  Connection* connection = peer ? peer->output_connection() : nullptr;
  if (connection && !connection->is_write_blocked()) ready_to_write(connection->shared_from_this());
}

bool ShardLoop::is_blocked(PeerId id) {
  Peer* peer = find(id);
  Connection* connection = peer ? peer->output_connection() : nullptr;
  return connection != nullptr && connection->is_write_blocked();
}

void ShardLoop::close(PeerId id, wire::Notification notification, CloseReason reason) {
  Peer* peer = find(id);
  if (!peer) return;
  peer->request_close(std::move(notification), reason);
  closes_.push_back(id);
}

void ShardLoop::wake() {
  if (!wake_pending_.exchange(true)) post([this] { wake_pending_.store(false); });
}

void ShardLoop::send_message(PeerId id, std::vector<std::uint8_t> message) {
  if (Peer* peer = find(id)) peer->send_message(std::move(message));
}

}  // namespace helio::session

// Shards on real threads: random input from every peer, mailboxes and shared batches crossing threads, and at the end
// each peer holds what the oracle says. Meant for TSan as much as for the result; what each peer does is fixed by the
// seed, only the interleaving is not. DESIGN §2 (shared-nothing shards), invariant 1.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/reflector_engine.hpp"
#include "tests/support/run_script.hpp"

namespace helio::test {
namespace {

using wire::Family;
using Kind = Action::Kind;

// Keeps the first complaint of one peer.
struct Complaints : ScriptedPeer::Observer {
  std::string first;
  void on_announced(const ScriptedPeer&, const PathKey&, const HeldRoute&, const HeldRoute*) override {}
  void on_withdrawn(const ScriptedPeer&, const PathKey&, bool) override {}
  void on_rtc_announced(const ScriptedPeer&, const wire::RtMembership&, const PathAttributes&, const PathAttributes*) override {}
  void on_rtc_withdrawn(const ScriptedPeer&, const wire::RtMembership&, bool) override {}
  void on_end_of_rib(const ScriptedPeer&, Family) override {}
  void on_violation(const ScriptedPeer& peer, const std::string& text) override {
    if (first.empty()) first = "peer " + std::to_string(peer.spec().id.value) + ": " + text;
  }
};

class CountingControl : public session::SessionControl {
 public:
  explicit CountingControl(std::atomic<std::uint64_t>& activity) : activity_(activity) {}
  void output_ready(PeerId) override {}
  void close(PeerId, wire::Notification, session::CloseReason) override { closes.fetch_add(1); }
  void wake() override { activity_.fetch_add(1); }  // from other threads
  void send_message(PeerId, std::vector<std::uint8_t>) override {}
  std::atomic<int> closes{0};

 private:
  std::atomic<std::uint64_t>& activity_;
};

class ThreadedRun {
 public:
  explicit ThreadedRun(const Script& script) : script_(script), world_(script.world) {
    std::vector<session::SessionControl*> controls;
    for (std::uint32_t i = 0; i < world_.shards; ++i) {
      quiet_since_[i].store(busy);
      controls_.push_back(std::make_unique<CountingControl>(activity_));
      controls.push_back(controls_.back().get());
    }
    engines_ = reflector_engine()(world_, controls);
    complaints_.resize(world_.peers.size());
    for (const PeerSpec& spec : world_.peers) ends_.push_back(std::make_unique<ScriptedPeer>(spec, complaints_[spec.id.value]));
  }

  void run() {
    std::vector<std::thread> threads;
    for (std::uint32_t shard = 0; shard < world_.shards; ++shard) threads.emplace_back([this, shard] { loop(shard); });
    for (std::thread& thread : threads) thread.join();
  }

  void check() {
    Oracle oracle(world_.reflector, world_.peers);
    Oracle::Clock start{std::chrono::seconds{1000}};
    for (const Action& action : script_.actions) replay(oracle, action, start);
    for (std::uint32_t i = 0; i < world_.peers.size(); ++i) {
      EXPECT_EQ(complaints_[i].first, "");
      PeerId id{i};
      oracle.set_time(start + std::chrono::hours{1});  // the engine's clock ran past every initial wait
      EXPECT_TRUE(without_ids(ends_[i]->vpn()) == without_ids(oracle.expected_vpn(id))) << "peer " << i << "\n" << format_script(script_);
      auto rtc = ends_[i]->rtc();
      rtc.erase(wire::RtMembership{});
      EXPECT_TRUE(rtc == oracle.expected_rtc(id)) << "peer " << i << "\n" << format_script(script_);
    }
    for (auto& control : controls_) EXPECT_EQ(control->closes.load(), 0);
    for (std::uint32_t i = 0; i < world_.peers.size(); ++i)
      if (ends_[i]->is_up()) engines_->shard(i % world_.shards).on_closed(PeerId{i}, session::CloseReason::admin_down);
    for (int turn = 0; turn < 1000; ++turn)
      for (std::uint32_t shard = 0; shard < world_.shards; ++shard) engines_->shard(shard).run_turn(now_);
    EXPECT_EQ(engines_->leftovers(), "");
  }

 private:
  // The loop of one thread: its peers' actions in their order, its turns, its peers' reading.
  void loop(std::uint32_t shard) {
    session::Engine& engine = engines_->shard(shard);
    Random random(world_.seed * 31 + shard);
    std::size_t next = 0;
    bool is_done = false, has_jumped = false;
    session::TimePoint now{std::chrono::seconds{1000}};
    std::uint64_t seen = 0;
    int idle = 0;
    while (!all_are_quiet()) {
      for (std::uint32_t burst = 1 + random.below(4); burst > 0 && !is_done && engine.may_read(); --burst) {
        while (next < script_.actions.size() && script_.actions[next].peer % world_.shards != shard) ++next;
        if (next == script_.actions.size()) {
          is_done = true;
          break;
        }
        act(engine, script_.actions[next++], now);
        activity_.fetch_add(1);
      }
      bool is_busy = engine.run_turn(now).more_work;
      if (is_done && !has_jumped) {  // after that turn: it is the one in which the last loss of a session begins to count
        has_jumped = true;
        now += std::chrono::seconds{1000};  // past every initial wait and restart
        activity_.fetch_add(1);
      }
      for (std::uint32_t peer = shard; peer < ends_.size(); peer += world_.shards) is_busy |= read(engine, peer, random);
      if (is_busy) activity_.fetch_add(1);
      std::uint64_t activity = activity_.load();
      idle = has_jumped && activity == seen ? idle + 1 : 0;
      seen = activity;
      quiet_since_[shard].store(idle >= 50 ? activity : busy);
      if (idle > 0) std::this_thread::sleep_for(std::chrono::microseconds{100});
      now += std::chrono::milliseconds{1};
    }
    if (shard == 0) now_ = now;
  }

  // Every thread has no input left and has made turns since the last time that anything moved anywhere. However long one
  // of them was not scheduled, the others wait for its turns.
  bool all_are_quiet() const {
    std::uint64_t activity = activity_.load();
    for (std::uint32_t shard = 0; shard < world_.shards; ++shard)
      if (quiet_since_[shard].load() != activity) return false;
    return true;
  }

  bool read(session::Engine& engine, std::uint32_t peer, Random& random) {
    PeerId id{peer};
    if (!ends_[peer]->is_up() || !engine.has_output(id) || random.percent(30)) return ends_[peer]->is_up() && engine.has_output(id);
    std::array<iovec, 8> parts{};
    std::size_t used = engine.gather(id, parts, 1 + random.below(8000)), bytes = 0;
    for (std::size_t i = 0; i < used; ++i) {
      ends_[peer]->receive(Bytes(static_cast<const std::uint8_t*>(parts[i].iov_base), parts[i].iov_len));
      bytes += parts[i].iov_len;
    }
    engine.consumed(id, bytes);
    return true;
  }

  void act(session::Engine& engine, const Action& action, session::TimePoint now) {
    ScriptedPeer& end = *ends_[action.peer];
    PeerId id{action.peer};
    if (action.kind == Kind::up && !end.is_up()) {
      end.session_up();
      engine.on_established(established_peer(world_, action.peer, action.variant == 0), now);
    } else if (action.kind == Kind::down && end.is_up()) {
      engine.on_closed(id, session::CloseReason::tcp_closed);
      end.session_down();
    } else if (end.is_up()) {
      for (const NaiveUpdate& update : updates_of(world_, action)) {
        auto error = engine.on_update(id, encode_body(update, end.spec().four_octet_as, end.spec().add_path_receive));
        if (error) complaints_[action.peer].first = wire::format_notification(*error);
      }
    }
  }

  void replay(Oracle& oracle, const Action& action, Oracle::Clock start) {
    PeerId id{action.peer};
    if (action.kind == Kind::up && !oracle.is_up(id)) oracle.up(id, start, action.variant == 0 ? world_.peers[action.peer].kept_over_restart : wire::FamilySet{});
    if (action.kind == Kind::down && oracle.is_up(id)) oracle.down(id);
    if (!oracle.is_up(id)) return;
    for (const NaiveUpdate& update : updates_of(world_, action)) {
      for (const PathKey& prefix : update.withdrawn) oracle.withdraw(id, prefix);
      for (const LabelledPrefix& e : update.announced) update.broken_origin ? oracle.withdraw(id, e.prefix) : oracle.announce(id, e.prefix, e.labels, update.attributes);
      for (const wire::RtMembership& m : update.withdrawn_rtc) oracle.withdraw_rtc(id, m);
      for (const wire::RtMembership& m : update.announced_rtc) oracle.announce_rtc(id, m, update.attributes);
      if (update.end_of_rib) oracle.end_of_rib(id, *update.end_of_rib);
    }
  }

  const Script& script_;
  const World& world_;
  std::atomic<std::uint64_t> activity_{0};
  static constexpr std::uint64_t busy = ~std::uint64_t{0};
  std::vector<std::atomic<std::uint64_t>> quiet_since_ = std::vector<std::atomic<std::uint64_t>>(script_.world.shards);  // the activity seen, or busy; by shard
  std::vector<std::unique_ptr<CountingControl>> controls_;
  std::unique_ptr<EngineSet> engines_;
  std::vector<Complaints> complaints_;
  std::vector<std::unique_ptr<ScriptedPeer>> ends_;
  session::TimePoint now_{};
};

TEST(Threads, EveryPeerHoldsWhatTheOracleSays) {
  for (std::uint64_t seed = 50000000; seed < 50000016; ++seed) {
    Script script = make_script(seed, {.shards = 2 + static_cast<std::uint32_t>(seed % 3), .actions = 150, .bulk = seed % 4 == 0});
    // Two times in a row, that of the restart and the long-lived one, would need one clock for all threads.
    for (PeerSpec& peer : script.world.peers) peer.kept_for_long = {};
    ThreadedRun run(script);
    run.run();
    run.check();
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace helio::test

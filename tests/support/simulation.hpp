// Runs a script against an engine under a fake clock and fake sockets, one thread, every choice drawn from the seed:
// which shard takes its turn when, how many octets a peer reads at a time, where messages are cut. At quiet points each
// peer's Adj-RIB-In is compared with the oracle's. DESIGN §4, invariants 1 to 6.
#pragma once
#include <functional>
#include <memory>

#include "rr/session/engine.hpp"
#include "tests/support/auditor.hpp"

namespace helio::test {

// The shards of one engine.
class EngineSet {
 public:
  virtual ~EngineSet() = default;
  virtual session::Engine& shard(std::uint32_t index) = 0;
  // What the engine accounts for that must be zero when there is no route, peer or queue left; "" when it is.
  virtual std::string leftovers() = 0;
  virtual std::uint64_t memory_bytes() { return 0; }
  // What is true now is to be told later, by what the engine writes down; "" when it is.
  virtual void remember(const Oracle&) {}
  virtual std::string check_past() { return ""; }
  // The policies of the world with this index are in force from now on.
  virtual void set_policies(std::size_t) {}
  // The route to a next hop is another one (nothing: there is none).
  virtual void set_route(const wire::IpAddress&, std::optional<std::uint32_t>, session::TimePoint) {}
  // What it tells its shards of next hops in due time; returns when there is more to tell.
  virtual std::optional<session::TimePoint> run_routes(session::TimePoint) { return std::nullopt; }
};
using EngineFactory = std::function<std::unique_ptr<EngineSet>(const World&, const std::vector<session::SessionControl*>&)>;

struct Outcome {
  std::optional<std::string> failure;
  std::size_t failed_at = 0;           // index of the action
  std::vector<std::uint64_t> digests;  // per peer, over all octets received
  std::vector<std::map<PathKey, HeldRoute>> final_vpn;
  std::vector<std::map<wire::RtMembership, PathAttributes>> final_rtc;
  std::vector<bool> held_back;         // RFC 4684 §6: by the clock, which does not run alike with other shards
  std::uint64_t messages = 0, routes = 0, engine_closes = 0, tolerated = 0, peak_memory = 0;
};

class Simulation {
 public:
  Simulation(const World& world, const EngineFactory& factory);
  ~Simulation();

  // The building blocks, also for scenario tests. They do nothing once something failed.
  void up(std::uint32_t peer) { up(peer, true); }
  // `preserves`: with the F bits of what it wants kept.
  void up(std::uint32_t peer, bool preserves);
  void down(std::uint32_t peer, Ending ending = Ending::connection_lost);
  void send(std::uint32_t peer, const NaiveUpdate& update);
  // Octets as they are, and what they must be taken for.
  void send_body(std::uint32_t peer, Octets body, const NaiveUpdate& meaning);
  // A peer that says what it likes, from here until throw_out(): octets that the model is not told of. What the others are
  // sent meanwhile is judged by its form alone; once the peer is gone they must hold what the model says, as if it had never been.
  void let_in(std::uint32_t peer);
  void send_unknown(std::uint32_t peer, Octets body);
  void refresh_unknown(std::uint32_t peer, const session::RefreshRequest& request);
  void throw_out(std::uint32_t peer, Ending ending);
  void send_end_of_rib(std::uint32_t peer, wire::Family family);
  void send_rtc_end_of_rib(std::uint32_t peer) { send_end_of_rib(peer, wire::Family::rtc); }
  void pause(std::uint32_t peer) { peers_[peer].is_paused = true; }
  void resume(std::uint32_t peer) { peers_[peer].is_paused = false; }
  void refresh(std::uint32_t peer, wire::Family family);
  void set_policies(std::size_t index);
  void set_route(const wire::IpAddress& next_hop, std::optional<std::uint32_t> metric);
  void advance(std::chrono::milliseconds by);
  void rounds(std::uint32_t count);
  // Each shard takes one turn; nobody reads and no time passes. True: one of them has more work at once.
  bool settle_turns();
  void finish_removals();  // turns of all shards, nobody reading
  // Until nothing moves any more.
  void settle();
  // settle(), then compares everybody who reads with the oracle.
  void check_quiet();
  // Withdraws or closes everything; the engine must then account for nothing (invariant 5).
  void check_empty(bool by_withdrawal);

  void execute(const Action& action);
  Outcome outcome() const;

  const std::optional<std::string>& failure() const { return auditor_.failure(); }
  const ScriptedPeer& peer(std::uint32_t index) const { return *peers_[index].end; }
  Oracle& oracle() { return oracle_; }
  Auditor& auditor() { return auditor_; }
  EngineSet& engines() { return *engines_; }
  session::TimePoint now() const { return now_; }

 private:
  class Control;
  struct Peer {
    std::unique_ptr<ScriptedPeer> end;
    bool is_paused = false, is_ready = false;
    std::vector<Octets> control_messages;
    Octets rest;  // rest_of_message at the last partial read
  };
  struct Close {
    std::uint32_t peer;
    session::CloseReason reason;
  };

  session::Engine& engine_of(std::uint32_t peer) { return engines_->shard(peer % world_.shards); }
  bool run_shard(std::uint32_t shard);  // true: did or has more to do
  bool read_peer(std::uint32_t peer);
  bool round();
  void process_closes();
  void drop(std::uint32_t peer, Ending ending);
  void forget(std::uint32_t peer);
  void apply_to_model(std::uint32_t peer, const NaiveUpdate& update);
  void wait_until_readable(std::uint32_t peer);
  void compare(std::uint32_t peer);
  void compare_paths(std::uint32_t peer, const std::map<PathKey, HeldRoute>& expected);
  void compare_rtc(std::uint32_t peer);
  void fail(const std::string& text) { auditor_.fail(text); }
  bool has_failed() const { return auditor_.failure().has_value(); }

  World world_;
  Oracle oracle_;
  Auditor auditor_;
  std::vector<std::unique_ptr<Control>> controls_;
  std::unique_ptr<EngineSet> engines_;
  std::vector<Peer> peers_;
  std::vector<Close> closes_;
  std::vector<std::optional<session::TimePoint>> wake_at_;
  session::TimePoint now_{std::chrono::seconds{1000}};
  Random random_{1};
  bool has_event_ = false;
  std::optional<std::uint32_t> unknown_;  // let in
  std::uint64_t engine_closes_ = 0, peak_memory_ = 0;
};

// Runs all actions, then checks that the engine gives everything back.
Outcome run_script(const Script& script, const EngineFactory& factory);
// Drops actions, then parts of actions, while the run still fails.
Script shrink(const Script& script, const EngineFactory& factory, std::uint32_t max_runs = 3000);
// "" when the seed passes; otherwise the failure, the minimal script and how to replay it.
std::string check_seed(std::uint64_t seed, const ScriptOptions& options, const EngineFactory& factory);

}  // namespace helio::test

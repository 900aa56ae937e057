#include "tests/support/reflector_engine.hpp"

#include <fmt/format.h>

#include "rr/policy/compile.hpp"
#include "rr/reflector/shard.hpp"
#include "tests/support/journal_check.hpp"

namespace helio::test {
namespace {

class ScriptedRoutes : public nexthop::RouteSource {
 public:
  nexthop::RouteAnswer look_up(const wire::IpAddress& address) override {
    auto at = routes.find(address);
    if (at == routes.end()) return {.exists = true, .is_default = true, .metric = 1};  // which does not count
    return {.exists = true, .metric = at->second};
  }
  std::map<wire::IpAddress, std::uint32_t> routes;
};

class ReflectorShards : public EngineSet {
 public:
  ReflectorShards(const World& world, const std::vector<session::SessionControl*>& controls) : world_(world), mailboxes_(world.shards, world.evpn) {
    reflector::EngineSettings settings;
    settings.local_as = world.reflector.local_as;
    settings.router_id = world.reflector.router_id;
    settings.cluster_id = world.reflector.cluster_id;
    for (const PeerSpec& peer : world.peers)
      if (peer.cluster_id != 0) settings.cluster_ids.push_back(peer.cluster_id);
    settings.decision.always_compare_med = world.reflector.always_compare_med;
    settings.decision_options.missing_med_is_worst = world.reflector.missing_med_is_worst;
    settings.decision_options.aigp = world.reflector.aigp;
    settings.shards = world.shards;
    if (!world.reflector.slice.is_everything()) settings.slice = std::make_shared<const wire::RtSlice>(world.reflector.slice);
    settings.journal_bytes = world.shards * (world.seed % 2 == 0 ? rib::Journal::kLeast : std::size_t{16} << 20);
    policies_ = world.policies;
    if (!policies_.empty()) settings.policies = program_ = compile(0);
    if (world.tiny_limits) {
      settings.distribution.change_bytes = 16384;
      settings.distribution.image_bytes = 32768;
      settings.distribution.blocked_walk_bytes = 12288;
      settings.mailbox_bytes = 2048;
      settings.rib.image_bytes = 65536;
      settings.rib.walk_bytes = 8192;
      settings.rib.shared_walk_bytes = 16384;
      settings.rib.walk_entries_per_turn = 40;
      settings.rib.purge_entries_per_turn = 20;
      settings.rib.tombstones = 64;
    }
    if (world.tracks_next_hops) {
      routes_.routes = world.routes;
      tracker_.emplace(routes_, nexthop::TrackerSettings{.delay = std::chrono::milliseconds(50)}, world.shards * (world.evpn ? 2 : 1),
                       [controls](std::uint32_t shard) { controls[shard % controls.size()]->wake(); });
      settings.next_hops = &*tracker_;
    }
    mailboxes_.wake = [controls](std::uint32_t shard) { controls[shard]->wake(); };
    for (std::uint32_t i = 0; i < world.shards; ++i) shards_.push_back(std::make_unique<reflector::Shard>(ShardId{i}, settings, mailboxes_, *controls[i]));
  }

  void set_policies(std::size_t index) override {
    program_ = compile(index);
    for (auto& shard : shards_) shard->set_policies(program_);
  }

  void set_route(const wire::IpAddress& next_hop, std::optional<std::uint32_t> metric, session::TimePoint now) override {
    if (metric) routes_.routes[next_hop] = *metric;
    else routes_.routes.erase(next_hop);
    nexthop::RouteChange change{.address = next_hop, .length = static_cast<std::uint8_t>(next_hop.is_v6 ? 64 : 30)};  // others are in it, too
    tracker_->look_again({&change, 1}, now);
  }
  std::optional<session::TimePoint> run_routes(session::TimePoint now) override { return tracker_ ? tracker_->run(now) : std::nullopt; }

  session::Engine& shard(std::uint32_t index) override { return *shards_[index]; }

  std::string leftovers() override {
    std::string out;
    for (std::uint32_t i = 0; i < shards_.size(); ++i) {
      const rib::MemoryAccount& memory = shards_[i]->memory();
      for (std::size_t kind = 0; kind < rib::kMemoryKinds; ++kind)
        if (memory.bytes[kind] != 0 || memory.objects[kind] != 0)
          out += fmt::format(" shard {} {}: {} octets in {} objects;", i, rib::kMemoryKindNames[kind], memory.bytes[kind], memory.objects[kind]);
      if (const auto& next_hops = shards_[i]->rib().shared().next_hops; next_hops != nullptr && next_hops->size() != 0)
        out += fmt::format(" shard {} next hops: {};", i, next_hops->size());
      if (auto* evpn = shards_[i]->evpn(); evpn != nullptr && (evpn->evpn_keys().size() != 0 || evpn->shared().label_stacks.size() != 0))
        out += fmt::format(" shard {} EVPN keys: {}, payloads: {};", i, evpn->evpn_keys().size(), evpn->shared().label_stacks.size());
      if (auto n = shards_[i]->rib().shared().path_ids.size(); n != 0) out += fmt::format(" shard {} path ids: {};", i, n);
      auto& retained = mailboxes_.retained(i);
      if (auto n = retained.changes->bytes.load(); n != 0) out += fmt::format(" shard {} changes: {} octets;", i, n);
      if (auto n = retained.images->bytes.load(); n != 0) out += fmt::format(" shard {} images: {} octets;", i, n);
    }
    return out;
  }

  void remember(const Oracle& oracle) override { journal_check_.remember(oracle, world_, shards_); }
  std::string check_past() override { return journal_check_.check(world_, shards_); }

  std::uint64_t memory_bytes() override {
    std::int64_t sum = 0;
    for (std::uint32_t i = 0; i < shards_.size(); ++i)
      sum += shards_[i]->memory().total_bytes() + mailboxes_.retained(i).changes->bytes.load() + mailboxes_.retained(i).images->bytes.load();
    return static_cast<std::uint64_t>(sum);
  }

 private:
  std::shared_ptr<const policy::Program> compile(std::size_t index) {
    std::vector<policy::DefinitionError> errors;
    auto program = policy::compile(policies_[index], errors, program_.get());
    for (const policy::DefinitionError& e : errors) throw std::runtime_error(e.key + ": " + e.message);
    return program;
  }

  World world_;
  JournalCheck journal_check_;
  ScriptedRoutes routes_;
  std::optional<nexthop::NextHopTracker> tracker_;
  std::vector<policy::Definition> policies_;
  std::shared_ptr<const policy::Program> program_;
  reflector::ShardMailboxes mailboxes_;
  std::vector<std::unique_ptr<reflector::Shard>> shards_;
};

}  // namespace

EngineFactory reflector_engine() {
  return [](const World& world, const std::vector<session::SessionControl*>& controls) { return std::make_unique<ReflectorShards>(world, controls); };
}

}  // namespace helio::test

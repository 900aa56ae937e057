// Two reflectors, non-clients of each other, each with clients: memberships cross the mesh, routes follow, and everything
// comes to rest. Pitfalls 1.5 and 1.6: real meshes were seen to loop here.
#include <deque>

#include "rr/base/check.hpp"
#include "tests/property/engines.hpp"

namespace helio::test {
namespace {

using wire::Family;

struct Silent : ScriptedPeer::Observer {
  void on_announced(const ScriptedPeer&, const PathKey&, const HeldRoute&, const HeldRoute*) override {}
  void on_withdrawn(const ScriptedPeer&, const PathKey&, bool) override {}
  void on_rtc_announced(const ScriptedPeer&, const wire::RtMembership&, const PathAttributes&, const PathAttributes*) override {}
  void on_rtc_withdrawn(const ScriptedPeer&, const wire::RtMembership&, bool) override {}
  void on_end_of_rib(const ScriptedPeer&, wire::Family) override {}
  void on_violation(const ScriptedPeer& peer, const std::string& text) override { ADD_FAILURE() << "peer " << peer.spec().id.value << ": " << text; }
};

struct NoControl : session::SessionControl {
  void output_ready(PeerId) override {}
  void close(PeerId peer, wire::Notification, session::CloseReason reason) override { ADD_FAILURE() << "closed " << peer.value << ": " << session::close_reason_name(reason); }
  void wake() override {}
  void send_message(PeerId, std::vector<std::uint8_t>) override {}
};

// One reflector: peer 0 is the other reflector, the rest are clients with RTC.
struct Reflector {
  static constexpr std::uint32_t kClients = 3;
  World world;
  NoControl control;
  std::unique_ptr<EngineSet> engines;
  Silent silent;
  std::vector<std::unique_ptr<ScriptedPeer>> ends;
  Octets to_mesh;  // not yet delivered to the other one
  session::TimePoint now{std::chrono::seconds{1000}};

  Reflector(const EngineCase& engine, std::uint32_t number, session::PeerRole mesh_role) {
    world.shards = engine.shards;
    world.reflector = {.local_as = kRrAs, .router_id = 0x0aff0000 + number, .cluster_id = 0x0aff0000 + number};
    for (std::uint32_t i = 0; i <= kClients; ++i) {
      PeerSpec spec = client_with_rtc();
      if (i == 0) spec.role = mesh_role;
      spec.id = PeerId{i};
      spec.address = wire::IpAddress::v4(i == 0 ? 0x0aff0000 + 3 - number : 0x0a000000 + number * 256 + i);
      spec.router_id = spec.address.v4_value();
      spec.local_address = wire::IpAddress::v4(world.reflector.router_id);
      world.peers.push_back(spec);
    }
    engines = engine.make()(world, std::vector<session::SessionControl*>(world.shards, &control));
    for (const PeerSpec& spec : world.peers) {
      ends.push_back(std::make_unique<ScriptedPeer>(spec, silent));
      ends.back()->session_up();
      auto group = std::make_shared<session::GroupSettings>();
      group->local_as = group->peer_as = kRrAs;
      group->router_id = world.reflector.router_id;
      group->cluster_id = world.reflector.cluster_id;
      group->role = spec.role;
      group->families = spec.families;
      group->rtc_advertise = session::GroupSettings::RtcAdvertise::specific;
      session::EstablishedPeer peer;
      peer.peer = spec.id;
      peer.address = spec.address;
      peer.local_address = spec.local_address;
      peer.router_id = spec.router_id;
      peer.peer_as = kRrAs;
      peer.families = spec.families;
      peer.group = group;
      shard(spec.id.value).on_established(peer, now);
    }
  }
  session::Engine& shard(std::uint32_t peer) { return engines->shard(peer % world.shards); }
  void receive(std::uint32_t peer, const Octets& body) { ASSERT_FALSE(shard(peer).on_update(PeerId{peer}, body)); }
  void receive(std::uint32_t peer, const NaiveUpdate& update) { receive(peer, encode_body(update)); }

  bool turn() {
    bool is_busy = false;
    for (std::uint32_t i = 0; i < world.shards; ++i) is_busy |= engines->shard(i).run_turn(now).more_work;
    for (std::uint32_t peer = 0; peer < ends.size(); ++peer) {
      while (shard(peer).has_output(PeerId{peer})) {
        std::array<iovec, 8> parts{};
        std::size_t used = shard(peer).gather(PeerId{peer}, parts, 65536);
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < used; ++i) {
          auto* data = static_cast<const std::uint8_t*>(parts[i].iov_base);
          ends[peer]->receive(Bytes(data, parts[i].iov_len));
          if (peer == 0) to_mesh.insert(to_mesh.end(), data, data + parts[i].iov_len);
          bytes += parts[i].iov_len;
        }
        HELIO_CHECK(bytes > 0, "gather() gave nothing though there is output");
        shard(peer).consumed(PeerId{peer}, bytes);
        is_busy = true;
      }
    }
    return is_busy;
  }
};

class Mesh : public testing::TestWithParam<EngineCase> {
 protected:
  void build(session::PeerRole first, session::PeerRole second) {
    a = std::make_unique<Reflector>(GetParam(), 1, first);
    b = std::make_unique<Reflector>(GetParam(), 2, second);
    NaiveUpdate eor;
    eor.end_of_rib = Family::rtc;
    for (std::uint32_t peer = 1; peer <= Reflector::kClients; ++peer) {
      a->receive(peer, eor);
      b->receive(peer, eor);
    }
    run();
  }
  // Carries messages between the two until nothing moves.
  void run() {
    int idle = 0;
    for (int i = 0; idle < 4; ++i) {
      ASSERT_LT(i, 2000) << "the mesh never comes to rest";
      bool is_busy = a->turn();
      is_busy |= b->turn();
      is_busy |= carry(*a, *b);
      is_busy |= carry(*b, *a);
      idle = is_busy ? 0 : idle + 1;
    }
  }
  bool carry(Reflector& from, Reflector& to) {
    Octets stream = std::exchange(from.to_mesh, {});
    for (std::size_t at = 0; at < stream.size();) {
      std::size_t length = load_be16(stream.data() + at + 16);
      ++carried;
      to.receive(0, Octets(stream.begin() + static_cast<std::ptrdiff_t>(at + 19), stream.begin() + static_cast<std::ptrdiff_t>(at + length)));
      at += length;
    }
    return !stream.empty();
  }
  void join(Reflector& r, std::uint32_t peer, const char* rt, bool leave = false) {
    NaiveUpdate update;
    (leave ? update.unreach : update.reach) = Family::rtc;
    auto& list = leave ? update.withdrawn_rtc : update.announced_rtc;
    update.attributes.local_pref = 100;
    update.attributes.next_hop = bare_next_hop(r.world.peers[peer].address);
    list.push_back(Lab::membership(rt));
    r.receive(peer, update);
  }
  void announce(Reflector& r, std::uint32_t peer, const char* prefix, const char* rt) {
    NaiveUpdate update;
    update.reach = Family::vpnv4;
    update.attributes = Lab::attributes({.prefix = prefix, .rts = {rt}});
    update.announced = {{Lab::key("65000:1", prefix), {0x641}}};
    r.receive(peer, update);
  }
  bool holds(Reflector& r, std::uint32_t peer, const char* prefix) { return r.ends[peer]->vpn().contains(Lab::key("65000:1", prefix)); }

  std::unique_ptr<Reflector> a, b;
  int carried = 0;
};
INSTANTIATE_TEST_SUITE_P(Engines, Mesh, testing::ValuesIn(engine_cases()), engine_case_name);

TEST_P(Mesh, P05_MembershipsCrossAndRoutesFollow) {
  build(session::PeerRole::non_client, session::PeerRole::non_client);
  announce(*a, 1, "10.0.0.0/24", "65000:1");
  announce(*a, 1, "10.0.1.0/24", "65000:2");
  run();
  EXPECT_FALSE(holds(*a, 0, "10.0.0.0/24"));  // b has no interest yet
  join(*b, 1, "65000:1");
  join(*a, 2, "65000:1");
  join(*b, 2, "65000:1");
  run();
  EXPECT_TRUE(holds(*a, 0, "10.0.0.0/24"));
  EXPECT_FALSE(holds(*a, 0, "10.0.1.0/24"));
  for (std::uint32_t peer : {1, 2}) EXPECT_TRUE(holds(*b, peer, "10.0.0.0/24"));
  EXPECT_FALSE(holds(*b, 3, "10.0.0.0/24"));
  EXPECT_TRUE(holds(*a, 2, "10.0.0.0/24"));
  join(*b, 1, "65000:1", true);
  run();
  EXPECT_TRUE(holds(*b, 2, "10.0.0.0/24"));
  EXPECT_TRUE(holds(*a, 0, "10.0.0.0/24"));
  join(*b, 2, "65000:1", true);
  run();
  EXPECT_FALSE(holds(*a, 0, "10.0.0.0/24"));  // nobody behind b any more, though a itself still told b of its client
  join(*a, 2, "65000:1", true);
  run();
  EXPECT_TRUE(a->ends[0]->rtc().empty());
  EXPECT_TRUE(b->ends[0]->rtc().empty());
}

// Each the client of the other: RFC 4684 §3.2 i sends everything back; the cluster list ends it.
TEST_P(Mesh, P06_MutualClientsDoNotLoop) {
  build(session::PeerRole::client, session::PeerRole::client);
  carried = 0;
  join(*a, 1, "65000:1");
  join(*b, 1, "65000:1");
  announce(*a, 2, "10.0.0.0/24", "65000:1");
  run();
  EXPECT_LT(carried, 20);
  EXPECT_TRUE(holds(*b, 1, "10.0.0.0/24"));
  EXPECT_TRUE(holds(*a, 1, "10.0.0.0/24"));
  join(*a, 1, "65000:1", true);
  join(*b, 1, "65000:1", true);
  run();
  EXPECT_TRUE(a->ends[0]->rtc().empty()) << "a membership keeps itself alive in the mesh";
  EXPECT_TRUE(b->ends[0]->rtc().empty());
  EXPECT_FALSE(holds(*b, 1, "10.0.0.0/24"));
  EXPECT_LT(carried, 40);
}

// One is the client of the other (RFC 4456 §6): the lower one drops its own membership when it comes back from above, by its
// cluster id, and must hear of interest elsewhere all the same. Which path is the best one above must not matter.
TEST_P(Mesh, ALowerReflectorHearsOfInterestAbove) {
  for (bool first_is_above : {true, false}) {
    build(first_is_above ? session::PeerRole::client : session::PeerRole::non_client, first_is_above ? session::PeerRole::non_client : session::PeerRole::client);
    Reflector &above = first_is_above ? *a : *b, &below = first_is_above ? *b : *a;
    join(below, 1, "65000:1");
    join(above, 1, "65000:1");
    announce(below, 2, "10.0.0.0/24", "65000:1");
    announce(above, 2, "10.0.1.0/24", "65000:1");
    run();
    EXPECT_TRUE(holds(above, 1, "10.0.0.0/24")) << first_is_above;
    EXPECT_TRUE(holds(below, 1, "10.0.1.0/24")) << first_is_above;
    join(above, 1, "65000:1", true);
    run();
    EXPECT_FALSE(holds(above, 0, "10.0.0.0/24")) << "nobody above asks for it any more";
    EXPECT_TRUE(holds(below, 1, "10.0.1.0/24"));
    join(below, 1, "65000:1", true);
    run();
    EXPECT_TRUE(below.ends[0]->rtc().empty()) << "a membership keeps itself alive";
    EXPECT_TRUE(above.ends[0]->rtc().empty());
  }
}

}  // namespace
}  // namespace helio::test

// Tables change while packets are under way (rcu.hpp): every packet sees the state before or after each change and nothing in
// between. Under ASan and TSan this also says that nothing is read after it was freed or without synchronisation.
#include <atomic>
#include <random>
#include <thread>

#include "tests/unit/forwarding/router.hpp"

namespace helio::forwarding::test {
namespace {

TEST(Updates, EveryPacketSeesAWholeState) {
  RcuDomain rcu;
  Tables tables{rcu};
  Interface core{.is_labelled = true, .mtu = 9000, .address = 0xac100001};
  tables.add_interface(core);
  VrfId vrf = tables.add_vrf(), other = tables.add_vrf();
  tables.add_interface({.vrf = vrf, .address = 0xc0000201});
  tables.add_interface({.vrf = other, .address = 0xc0000301});
  constexpr InterfaceId kIn = 1, kOther = 2;
  auto push = [&](std::uint32_t transport, std::uint32_t vpn) { return NextHopSpec{.kind = NextHop::Kind::forward, .ways = {Router::way({transport, vpn})}}; };
  auto out = [&](InterfaceId i) { return NextHopSpec{.kind = NextHop::Kind::forward, .ways = {Router::way({}, i)}}; };
  // Transport and VPN label belong together: 16001 with 24001, 16002 with 24002, ….
  NextHopId moving = tables.add_next_hop(push(16001, 24001)), here = tables.add_next_hop(out(kIn)), there = tables.add_next_hop(out(kOther));
  tables.vrf(vrf).v4.insert({0x0a010000, 16}, moving);
  tables.vrf(vrf).v4.insert({0x0a000000, 16}, here);
  tables.vrf(other).v4.insert({0x0a000000, 16}, there);
  tables.set_label(24001, {LabelAction::Kind::look_up, vrf});

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0}, transmitted{0}, refused{0};
  Forwarder forwarders[2] = {Forwarder(tables, rcu), Forwarder(tables, rcu)};
  std::vector<std::thread> threads;
  for (Forwarder& forwarder : forwarders)
    threads.emplace_back([&] {
      Packet packet;
      while (!stop) {
        for (int i = 0; i < 32; ++i) {
          packet.assign(ip4(), Protocol::ipv4);
          Verdict v = forwarder.process(packet, kIn);
          if (v.kind == Verdict::Kind::transmit && v.reason == Drop::none) {
            std::uint32_t transport = LabelEntry::load(packet.data()).label(), vpn = LabelEntry::load(packet.data() + 4).label();
            wrong += v.out != 0 || packet.size() != 44 || transport - 16000 != vpn - 24000 || vpn < 24001 || vpn > 24009;
            ++transmitted;
          } else {
            // The route is away, the core is down, or (MTU 30) too small: each with its reason.
            wrong += v.reason != Drop::no_route && v.reason != Drop::interface_down && v.reason != Drop::too_big;
            ++refused;
          }
          packet.assign(labelled({entry(24001, 60, true)}, ip4(60, 0x0a010001, 0x0a000001)), Protocol::mpls);
          v = forwarder.process(packet, 0);
          // A label stands for one VRF, the other, or nothing; what comes out is never the other VRF's (invariant 4).
          if (v.kind == Verdict::Kind::transmit) wrong += v.out != kIn && v.out != kOther;
          else wrong += v.reason != Drop::no_label && v.reason != Drop::interface_down;
        }
        forwarder.quiescent();
      }
    });
  std::mt19937 random(3);
  for (int i = 0; i < 20000 || transmitted < 2000 || refused < 20; ++i) {
    switch (random() % 6) {
      case 0: tables.set_next_hop(moving, push(16001 + i % 9, 24001 + i % 9)); break;
      case 1: {  // another next hop for the route; the old one's number rests
        NextHopId fresh = tables.add_next_hop(push(16001 + i % 9, 24001 + i % 9));
        tables.vrf(vrf).v4.insert({0x0a010000, 16}, fresh);
        tables.remove_next_hop(std::exchange(moving, fresh));
        break;
      }
      case 2:
        if (random() % 8 == 0) tables.vrf(vrf).v4.erase({0x0a010000, 16});
        else tables.vrf(vrf).v4.insert({0x0a010000, 16}, moving);
        break;
      case 3:
        core.is_up = random() % 8 != 0;
        core.mtu = random() % 8 != 0 ? 9000 : 30;
        tables.set_interface(0, core);
        break;
      case 4: tables.set_label(24001, random() % 4 == 0 ? LabelAction{} : LabelAction{LabelAction::Kind::look_up, random() % 2 != 0 ? vrf : other}); break;
      case 5:  // routes around it: blocks split and merge
        for (Address4 n = 0; n < 20; ++n) tables.vrf(vrf).v4.insert({0x0a020000 + (static_cast<Address4>(random() & 0xff) << 8), 24}, here);
        for (Address4 n = 0; n < 20; ++n) tables.vrf(vrf).v4.erase({0x0a020000 + (static_cast<Address4>(random() & 0xff) << 8), 24});
        break;
    }
    if (i % 16 == 0) rcu.reclaim();
    if (i % 64 == 0) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong.load(), 0u);
  for (int i = 0; i < 2; ++i) {
    for (Forwarder& forwarder : forwarders) forwarder.quiescent();
    rcu.reclaim();
  }
  EXPECT_EQ(rcu.waiting(), 0u);
}

}  // namespace
}  // namespace helio::forwarding::test

// FamilyRib of EVPN: keys and payloads as ids, what is written for them, and that nothing is left when all is withdrawn.
#include <gmock/gmock.h>

#include "tests/unit/rib/rib_fixture.hpp"

namespace helio::rib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A MAC/IP route (RFC 7432 §7.2) of the last octet of its MAC; `label` and `esi` are payload.
std::vector<std::uint8_t> mac_route(std::uint64_t rd, std::uint8_t mac, std::uint32_t label, std::uint8_t esi = 0x11) {
  std::vector<std::uint8_t> out = {2, 33};
  ByteWriter w(out);
  w.u64(rd);
  w.fill(10, esi);
  w.u32(0);
  w.u8(48);
  w.fill(5, 2);
  w.u8(mac);
  w.u8(0);
  w.u24(label);
  return out;
}

class EvpnRib : public testing::Test, public TurnSealer {
 protected:
  EvpnRib() : shared(*this), keys(shared.memory), rib(wire::Family::evpn, shared, &keys) {
    for (std::uint32_t i = 0; i < 4; ++i) shared.peers.push_back({.address = wire::IpAddress::v4(0x0a000001 + i)});
  }
  ~EvpnRib() override { rib.clear_log(rib.log()); }
  void seal_turn() override { end_turn(); }
  void end_turn() {
    rib.clear_log(rib.log());
    ++shared.turn;
  }

  void apply(PeerId peer, const Attributes* attributes, const std::vector<std::uint8_t>& route) {
    wire::EvpnNlri nlri;
    ASSERT_EQ(wire::EvpnNlriReader(route).next(nlri), wire::NlriStatus::ok);
    std::uint32_t id = keys.acquire(nlri);
    NlriEntry<Address6> entry;
    entry.rd = nlri.rd.value;
    entry.address = EvpnKeys::tree_key(id).address;
    entry.length = EvpnKeys::tree_key(id).length;
    if (attributes != nullptr) {
      std::vector<std::uint8_t> payload(nlri.front.begin(), nlri.front.end());
      payload.insert(payload.end(), nlri.tail.begin(), nlri.tail.end());
      entry.label = kLabelStack | shared.label_stacks.acquire(payload).value();
      entry.wire = route.data();
      entry.wire_length = static_cast<std::uint8_t>(route.size());
      Attributes full = *attributes;
      full.originator_id = 0x0a000001 + peer.value;
      AttributeId set = shared.attributes.intern(peer, 0, Canonical(full).view());
      rib.announce(peer, set, std::span(&entry, 1));
      shared.attributes.drop_refs(set, 1);
    } else {
      rib.withdraw(peer, std::span(&entry, 1));
    }
    keys.drop_ref(id);
  }
  void announce(PeerId peer, const std::vector<std::uint8_t>& route, const Attributes& attributes = {}) { apply(peer, &attributes, route); }
  void withdraw(PeerId peer, const std::vector<std::uint8_t>& route) { apply(peer, nullptr, route); }

  std::vector<std::vector<std::uint8_t>> logged(bool withdrawals) {
    std::vector<std::vector<std::uint8_t>> out;
    auto read = [&](const std::uint8_t* base, std::uint32_t begin, std::uint32_t end) {
      wire::EvpnNlriReader reader(Bytes(base + begin, end - begin));
      for (wire::EvpnNlri n; reader.next(n) == wire::NlriStatus::ok;) out.emplace_back(n.whole.begin(), n.whole.end());
    };
    if (withdrawals)
      for (const WithdrawRun& run : rib.log().withdrawals()) read(rib.log().withdrawn_nlri(), run.begin, run.end);
    else
      for (const AnnounceRun& run : rib.log().announcements()) read(rib.log().announced_nlri(), run.begin, run.end);
    return out;
  }
  void expect_nothing_left() {
    end_turn();
    rib.trim_tombstones(shared.turn);
    for (const ProvenanceEvent& e : shared.provenances.take_events()) {
      if (e.kind == ProvenanceEvent::Kind::provenance_retired) shared.provenances.release_provenance(e.id);
      if (e.kind == ProvenanceEvent::Kind::rt_set_retired) shared.provenances.release_rt_set(e.id);
    }
    EXPECT_EQ(keys.size(), 0u);
    EXPECT_EQ(shared.label_stacks.size(), 0u);
    EXPECT_EQ(shared.memory.total_bytes(), 0);
  }

  RibShared shared;
  EvpnKeys keys;
  FamilyRib<Address6> rib;
  PeerId a{0}, b{1};
};

TEST_F(EvpnRib, AnnouncedAsItCameWithdrawnWithoutPayload) {
  announce(a, mac_route(kRd1, 1, 0x000641));
  EXPECT_THAT(logged(false), ElementsAre(mac_route(kRd1, 1, 0x000641)));
  EXPECT_EQ(shared.counters.prefixes[wire::index(wire::Family::evpn)], 1u);
  end_turn();
  withdraw(a, mac_route(kRd1, 1, 0x123450, 0x99));
  EXPECT_THAT(logged(true), ElementsAre(mac_route(kRd1, 1, 0, 0)));
  EXPECT_EQ(keys.size(), 1u);  // the tombstone names it
  expect_nothing_left();
}

// RFC 7432 §7.2: "The ESI and MPLS Label fields are not part of the prefix".
TEST_F(EvpnRib, PayloadIsNotPartOfTheKey) {
  announce(a, mac_route(kRd1, 1, 0x000641));
  end_turn();
  announce(a, mac_route(kRd1, 1, 0x000641));
  EXPECT_TRUE(rib.log().empty());  // the same again
  announce(a, mac_route(kRd1, 1, 0x000651, 0x22));
  EXPECT_THAT(logged(false), ElementsAre(mac_route(kRd1, 1, 0x000651, 0x22)));
  EXPECT_THAT(logged(true), IsEmpty());
  EXPECT_EQ(shared.counters.paths[wire::index(wire::Family::evpn)], 1u);
  EXPECT_EQ(shared.label_stacks.size(), 1u);
  withdraw(a, mac_route(kRd1, 1, 0));
  expect_nothing_left();
}

// The path that is left is written again from key and payload.
TEST_F(EvpnRib, BestPathAmongPeersAndRds) {
  announce(a, mac_route(kRd1, 1, 0x000641), {.local_pref = 200});
  announce(b, mac_route(kRd1, 1, 0x000651, 0x22));
  announce(b, mac_route(kRd2, 1, 0x000661));  // the same key under another RD is another route
  EXPECT_EQ(keys.size(), 1u);
  EXPECT_EQ(shared.counters.prefixes[wire::index(wire::Family::evpn)], 2u);
  end_turn();
  withdraw(a, mac_route(kRd1, 1, 0));
  EXPECT_THAT(logged(false), ElementsAre(mac_route(kRd1, 1, 0x000651, 0x22)));
  withdraw(b, mac_route(kRd1, 1, 0));
  withdraw(b, mac_route(kRd2, 1, 0));
  expect_nothing_left();
}

TEST_F(EvpnRib, ManyKeysInOneTable) {
  for (unsigned i = 0; i < 200; ++i) announce(i % 2 == 0 ? a : b, mac_route(kRd1, static_cast<std::uint8_t>(i), 0x000641 + i * 16));
  EXPECT_EQ(rib.table_count(), 1u);
  std::size_t seen = 0;
  rib.walk_table(0, {}, [&](const PrefixKey<Address6>& key, const Slot&, const PathRef&) {
    EXPECT_EQ(keys.type(EvpnKeys::id_of(key.address)), 2);
    ++seen;
    return true;
  });
  EXPECT_EQ(seen, 200u);
  for (unsigned i = 0; i < 200; ++i) withdraw(i % 2 == 0 ? a : b, mac_route(kRd1, static_cast<std::uint8_t>(i), 0));
  expect_nothing_left();
}

}  // namespace
}  // namespace helio::rib::test

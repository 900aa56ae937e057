// NextHops: the index from a next hop to the tables that a change concerns, lost sets, rounds of metrics.
#include "rib/next_hops.hpp"

#include <gmock/gmock.h>

#include <map>

#include "tests/unit/rib/rib_fixture.hpp"

namespace helio::rib::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

wire::IpAddress ip(const char* text) { return *wire::parse_ip(text); }

class NextHopsTest : public RibFixture, public NextHopSource {
 protected:
  NextHopsTest() {
    shared.next_hops = std::make_unique<NextHops>(shared.memory, shared.provenances, shared.attributes, *this);
    shared.attributes.observe(shared.next_hops.get());
  }
  NextHopState watch(const wire::IpAddress& address) override {
    watched.push_back(wire::format_ip(address));
    return known[address];
  }
  void unwatch(const wire::IpAddress& address) override { std::erase(watched, wire::format_ip(address)); }

  AttributeId add(PeerId peer, const char* next_hop, const Attributes& attributes = {}) {
    std::vector<std::uint8_t> field;
    wire::encode_next_hop(field, wire::Family::vpnv4, ip(next_hop));
    Canonical canonical(attributes);
    CanonicalAttributes view = canonical.view();
    view.next_hop = field;
    view.key.originator_id = 0x0a000001 + peer.value;
    return shared.attributes.intern(peer, 0, view);
  }
  void announce_by(PeerId peer, const char* next_hop, const std::vector<Route>& routes, const Attributes& attributes = {}) {
    AttributeId id = add(peer, next_hop, attributes);
    AttributeId lost = shared.next_hops->is_reachable(id) ? id : shared.attributes.make_lost(id);
    auto list = entries(routes);
    rib.announce(peer, lost, list);
    if (lost != id) shared.attributes.drop_refs(lost, 1);
    shared.attributes.drop_refs(id, 1);
  }
  static std::vector<std::uint32_t> all(DirtyTables& tables) {
    std::vector<std::uint32_t> out;
    while (auto ref = tables.current()) {
      out.push_back(*ref >> 1);
      tables.done();
    }
    return out;
  }

  std::map<wire::IpAddress, NextHopState> known{{ip("192.0.2.1"), {true, 10}}, {ip("192.0.2.2"), {true, 20}}};
  std::vector<std::string> watched;
};

TEST(TrackedAddress, OfEveryShape) {
  auto field = [](wire::Family family, const char* text) {
    std::vector<std::uint8_t> out;
    wire::encode_next_hop(out, family, ip(text));
    return out;
  };
  EXPECT_EQ(tracked_address(field(wire::Family::vpnv4, "192.0.2.1")), ip("192.0.2.1"));
  EXPECT_EQ(tracked_address(field(wire::Family::vpnv6, "2001:db8::1")), ip("2001:db8::1"));
  EXPECT_EQ(tracked_address(field(wire::Family::vpnv6, "::ffff:192.0.2.1")), ip("192.0.2.1"));  // RFC 4659 §3.2.1.2
  std::vector<std::uint8_t> pair = field(wire::Family::vpnv6, "2001:db8::1"), local = field(wire::Family::vpnv6, "fe80::1");
  pair.insert(pair.end(), local.begin(), local.end());
  EXPECT_EQ(tracked_address(pair), ip("2001:db8::1"));
  EXPECT_EQ(tracked_address(std::vector<std::uint8_t>(4, 10)), ip("10.10.10.10"));
  EXPECT_EQ(tracked_address(std::vector<std::uint8_t>(11, 0)), std::nullopt);
}

TEST_F(NextHopsTest, WatchedWhileASetHasIt) {
  AttributeId one = add(a, "192.0.2.1"), two = add(a, "192.0.2.1", {.med = 5}), other = add(b, "192.0.2.9");
  EXPECT_THAT(watched, ElementsAre("192.0.2.1", "192.0.2.9"));
  EXPECT_TRUE(shared.next_hops->is_reachable(one));
  EXPECT_EQ(shared.next_hops->metric(two, 0, false), 10u);
  EXPECT_FALSE(shared.next_hops->is_reachable(other));
  shared.attributes.drop_refs(one, 1);
  EXPECT_THAT(watched, ElementsAre("192.0.2.1", "192.0.2.9"));
  shared.attributes.drop_refs(two, 1);
  shared.attributes.drop_refs(other, 1);
  EXPECT_THAT(watched, IsEmpty());
  EXPECT_EQ(shared.next_hops->size(), 0u);
  expect_nothing_left();
}

// RFC 4271 §9.1.2: the lost set is the same but for its eligibility, and goes with the last path that has it.
TEST_F(NextHopsTest, LostSetsHoldWhatTheyWereMadeOf) {
  AttributeId found = add(a, "192.0.2.1", {.targets = {kRt1, kRt2}});
  AttributeId lost = shared.attributes.make_lost(found);
  EXPECT_EQ(shared.attributes.make_lost(found), lost);
  shared.attributes.drop_refs(lost, 1);
  EXPECT_EQ(shared.attributes.found_of(lost), found);
  EXPECT_EQ(shared.attributes.received_of(lost), found);
  EXPECT_FALSE(shared.attributes[lost].key.is_eligible);
  EXPECT_TRUE(std::ranges::equal(shared.attributes[lost].bytes(), shared.attributes[found].bytes()));
  const Provenance& p = shared.provenances.provenance(shared.attributes[lost].provenance);
  EXPECT_EQ(p.rt_set, shared.provenances.provenance(shared.attributes[found].provenance).rt_set);
  EXPECT_EQ(p.scope, scope::ineligible);
  shared.attributes.drop_refs(found, 1);
  EXPECT_TRUE(shared.attributes.exists(found));
  shared.attributes.drop_refs(lost, 1);
  expect_nothing_left();
}

TEST_F(NextHopsTest, AChangeMarksTheTablesOfItsPathsOnly) {
  announce_by(a, "192.0.2.1", {{.rd = kRd1}});
  announce_by(b, "192.0.2.2", {{.rd = kRd2}});
  std::uint32_t first = *rib.find_table(kRd1), second = *rib.find_table(kRd2);
  shared.next_hops->update(ip("192.0.2.1"), {false, 0});
  EXPECT_THAT(all(shared.next_hops->misfits()), ElementsAre(first));
  EXPECT_THAT(all(shared.next_hops->undecided()), IsEmpty());
  shared.next_hops->update(ip("192.0.2.2"), {true, 21});
  EXPECT_THAT(all(shared.next_hops->misfits()), IsEmpty());
  EXPECT_THAT(all(shared.next_hops->undecided()), ElementsAre(second));
  shared.next_hops->update(ip("192.0.2.77"), {true, 21});  // nobody's
  EXPECT_FALSE(shared.next_hops->has_work());
  // Back: the first one's paths were not given their lost set yet, so nothing concerns them.
  shared.next_hops->update(ip("192.0.2.1"), {true, 10});
  EXPECT_THAT(all(shared.next_hops->misfits()), IsEmpty());
  withdraw(a, {{.rd = kRd1}});
  withdraw(b, {{.rd = kRd2}});
  expect_nothing_left();
}

// A table that a round has still to go through is decided by the metrics before it; what changes meanwhile waits.
TEST_F(NextHopsTest, MetricsComeInRounds) {
  announce_by(a, "192.0.2.1", {{.rd = kRd1}, {.rd = kRd2}});
  AttributeId id = add(a, "192.0.2.1");
  auto metric_in = [&](std::uint64_t rd) { return shared.next_hops->metric(id, *rib.find_table(rd) << 1, false); };
  shared.next_hops->update(ip("192.0.2.1"), {true, 11});
  EXPECT_EQ(metric_in(kRd1), 10u);
  DirtyTables& tables = shared.next_hops->undecided();
  EXPECT_EQ(metric_in(kRd1), 10u);
  std::uint32_t under_way = *tables.current() >> 1;
  std::uint64_t here = rib.rd_of(under_way), there = here == kRd1 ? kRd2 : kRd1;
  EXPECT_EQ(metric_in(here), 11u);
  EXPECT_EQ(metric_in(there), 10u);
  EXPECT_EQ(shared.next_hops->metric(id, under_way << 1, true), 10u);
  shared.next_hops->update(ip("192.0.2.1"), {true, 12});
  tables.done();
  EXPECT_EQ(&shared.next_hops->undecided(), &tables);
  EXPECT_EQ(rib.rd_of(*tables.current() >> 1), there);
  EXPECT_EQ(metric_in(there), 11u);
  EXPECT_EQ(metric_in(here), 11u);
  tables.done();
  EXPECT_TRUE(shared.next_hops->has_work());
  EXPECT_EQ(all(shared.next_hops->undecided()).size(), 2u);
  EXPECT_EQ(metric_in(here), 12u);
  EXPECT_FALSE(shared.next_hops->has_work());
  shared.attributes.drop_refs(id, 1);
  withdraw(a, {{.rd = kRd1}, {.rd = kRd2}});
  expect_nothing_left();
}

TEST(DirtyTables, EachOnceAndAgainWhenMarkedMeanwhile) {
  DirtyTables tables;
  EXPECT_TRUE(tables.empty());
  for (std::uint32_t ref : {5u, 700u, 5u}) tables.mark(ref);
  EXPECT_TRUE(tables.contains(5));
  EXPECT_EQ(tables.current(), 5u);
  EXPECT_EQ(tables.current(), 5u);
  EXPECT_FALSE(tables.contains(5));
  tables.mark(5);
  tables.done();
  EXPECT_EQ(tables.current(), 5u);
  tables.done();
  EXPECT_EQ(tables.current(), 700u);
  tables.mark(2);  // behind
  tables.done();
  EXPECT_EQ(tables.current(), 2u);
  tables.done();
  EXPECT_EQ(tables.current(), std::nullopt);
  EXPECT_TRUE(tables.empty());
}

}  // namespace
}  // namespace helio::rib::test

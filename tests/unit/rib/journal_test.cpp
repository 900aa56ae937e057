// The journal: what is written is read again, in slices of any size, through dropped segments, with times that are known
// only later; nothing that it names needs to exist any more.
#include "rib/journal.hpp"

#include <gtest/gtest.h>

#include "tests/unit/rib/rib_fixture.hpp"

namespace helio::rib::test {
namespace {

class JournalTest : public RibFixture {
 protected:
  JournalTest() {
    rib.log().keep_notes();
    for (std::uint32_t p = 0; p < 8; ++p) journal.know_peer(PeerId(p), shared.peers[p].address);
  }
  void write(std::uint64_t now_ms, JournalCause cause = JournalCause::update) {
    journal.begin_turn(now_ms);
    journal.write(rib.log(), wire::Family::vpnv4, cause);
    journal.end_turn();
    end_turn();
  }
  std::vector<JournalRecord> all(const JournalFilter& filter = {}, std::size_t records = 1000000) {
    std::vector<JournalRecord> out;
    JournalSlice slice;
    JournalCursor cursor;
    attributes_.clear();
    do {
      slice = journal.read(cursor, filter, records, 1 << 20);
      for (JournalRecord& r : slice.records) {
        if (r.attributes != kNoId) r.attributes += static_cast<std::uint32_t>(attributes_.size());
        out.push_back(r);
      }
      attributes_.insert(attributes_.end(), slice.attributes.begin(), slice.attributes.end());
    } while (!slice.at_end);
    return out;
  }
  std::vector<std::string> texts(const std::vector<JournalRecord>& records) {
    std::vector<std::string> out;
    for (const JournalRecord& r : records) {
      if (r.kind == JournalRecord::Kind::announced) {
        std::string text = fmt::format("{} +{} {} {}", r.time_ms, wire::format_prefix(r.prefix), r.peer.value, r.labels.empty() ? 0 : r.labels[0]);
        if (r.was_there) text += fmt::format(" was {}{}", r.previous.value, r.previous_remains ? " still there" : "");
        if (r.paths > 1) text += fmt::format(" of {}: {}", r.paths, decision_step_name(r.second_lost_at));
        out.push_back(text);
      } else if (r.kind == JournalRecord::Kind::withdrawn) {
        out.push_back(fmt::format("{} -{} {}", r.time_ms, wire::format_prefix(r.prefix), r.peer.value));
      } else if (r.kind == JournalRecord::Kind::membership) {
        out.push_back(fmt::format("{} {}{} {}", r.time_ms, r.added ? "+" : "-", wire::format_membership(r.membership), wire::format_ip(r.address)));
      } else {
        out.push_back(fmt::format("{} {} {} {}", r.time_ms, journal_event_name(r.event), wire::format_ip(r.address), r.text));
      }
    }
    return out;
  }

  Journal journal{Journal::kLeast, shared.attributes, shared.provenances};
  std::vector<JournalAttributes> attributes_;
};

TEST_F(JournalTest, ARouteFromItsFirstPathToItsLast) {
  announce(a, {}, {{.label = 1001 << 4 | 1}});
  write(5);
  announce(b, {.local_pref = 200}, {{.label = 1002 << 4 | 1}});
  write(6);
  withdraw(b, {{}});
  write(7);
  announce(a, {.med = 3}, {{.label = 1003 << 4 | 1}});
  write(8);
  withdraw(a, {{}});
  write(9, JournalCause::purge);
  auto records = all();
  EXPECT_EQ(texts(records), (std::vector<std::string>{"5 +10.0.0.0/24 0 1001", "6 +10.0.0.0/24 1 1002 was 0 still there of 2: lower LOCAL_PREF",
                                                      "7 +10.0.0.0/24 0 1001 was 1", "8 +10.0.0.0/24 0 1003 was 0 still there", "9 -10.0.0.0/24 0"}));
  EXPECT_EQ(records[4].cause, JournalCause::purge);
  EXPECT_EQ(attributes_[records[1].attributes].local_pref, 200u);
  EXPECT_EQ(attributes_[records[1].attributes].address, shared.peers[1].address);
  expect_nothing_left();  // the journal holds nothing of the RIB
  EXPECT_EQ(all().size(), 5u);
}

// What is written between two turns happened just before the later one.
TEST_F(JournalTest, TimesAreFilledInAtTheNextTurn) {
  journal.begin_turn(10);
  journal.end_turn();
  announce(a, {}, {{}});
  journal.write(rib.log(), wire::Family::vpnv4, JournalCause::update);
  end_turn();
  journal.write(a, {96, 65000, kRt1}, true);
  journal.write(JournalEvent::peer_down, a, "tcp_closed");
  journal.begin_turn(500);
  EXPECT_EQ(texts(all()), (std::vector<std::string>{"500 +10.0.0.0/24 0 100", "500 +65000:65000:1 10.0.0.1", "500 peer-down 10.0.0.1 tcp_closed"}));
}

TEST_F(JournalTest, MembershipsOfATurnShareABlock) {
  journal.begin_turn(1);
  journal.write(a, {96, 65000, kRt1}, true);
  std::uint64_t one = journal.extent().bytes;
  journal.write(a, {96, 65000, kRt2}, true);
  EXPECT_EQ(journal.extent().bytes, one + 16);
  journal.write(b, {96, 65000, kRt2}, false);
  EXPECT_EQ(all().size(), 3u);
  EXPECT_EQ(journal.extent().events, 3u);
}

TEST_F(JournalTest, FiltersByRdAndPrefix) {
  announce(a, {}, {{.address = 0x0a000000}, {.address = 0x0a000100}, {.rd = kRd2, .address = 0x0a000100}, {.address = 0x0a000100, .length = 25}});
  write(5);
  JournalFilter filter;
  filter.rd = kRd1;
  filter.prefix = wire::parse_prefix("10.0.1.0/24");
  EXPECT_EQ(texts(all(filter)), (std::vector<std::string>{"5 +10.0.1.0/24 0 100"}));
  filter.rd.reset();
  EXPECT_EQ(all(filter).size(), 2u);
  filter.routes = false;
  EXPECT_TRUE(all(filter).empty());
}

// The ring is bounded, numbers go on, slices of any size give the same, and what is left can be read without what is gone.
TEST_F(JournalTest, DropsTheOldestAndGoesOn) {
  std::uint64_t written = 0;
  for (std::uint32_t turn = 1; turn <= 4000; ++turn) {
    std::vector<Route> routes;
    for (std::uint32_t i = 0; i < 10; ++i) routes.push_back({.address = (turn % 50) << 16 | i << 8, .label = turn << 4 | 1});
    announce(PeerId(turn % 3), {.med = turn}, routes);
    for (const AnnounceRun& run : rib.log().announcements()) written += run.count;  // none when the path lost
    write(turn);
  }
  Journal::Extent extent = journal.extent();
  EXPECT_FALSE(extent.complete);
  EXPECT_LE(extent.bytes, Journal::kLeast);
  EXPECT_GT(extent.bytes, Journal::kLeast * 3 / 4);
  EXPECT_EQ(journal.changes_written(), written);
  auto records = all();
  ASSERT_EQ(records.size(), extent.changes);
  EXPECT_EQ(records.back().time_ms, 4000u);
  EXPECT_EQ(records.front().time_ms, extent.oldest_ms);
  EXPECT_EQ(texts(records), texts(all({}, 7)));
  JournalCursor from_start;
  EXPECT_EQ(journal.read(from_start, {}, 1, 1).first_number, written - records.size());
  for (const JournalRecord& r : records) ASSERT_EQ(attributes_[r.attributes].bytes.empty(), false);
  // A reader that was overtaken learns it by the numbers.
  JournalCursor slow{1ull << 32, 10, {}};
  EXPECT_EQ(journal.read(slow, {}, 1, 1).first_number, written - records.size());
  JournalCursor end = journal.end_cursor();
  EXPECT_EQ(end.number, written);
  EXPECT_TRUE(journal.read(end, {}, 1, 1).at_end);
}

// A log larger than a block, and larger than a segment, is cut between entries; notes stay with theirs.
TEST_F(JournalTest, LargeTurns) {
  std::vector<Route> routes;
  for (std::uint32_t i = 0; i < 9000; ++i) routes.push_back({.address = 0x0a000000 + (i << 8)});
  announce(a, {}, routes);
  write(1);
  auto first = all();
  EXPECT_EQ(first.size(), 9000u);
  for (Route& r : routes) r.label = 0x7771;
  announce(b, {.local_pref = 300}, routes);
  write(2);
  auto records = all();
  EXPECT_EQ(records.size(), journal.extent().changes);
  EXPECT_EQ(records.back().prefix.address[2], 0x27);
  std::size_t moved = std::ranges::count_if(records, [](const JournalRecord& r) { return r.was_there && r.previous == PeerId(0) && r.paths == 2; });
  EXPECT_EQ(moved, static_cast<std::size_t>(std::ranges::count(records, 2u, &JournalRecord::time_ms)));
  EXPECT_GT(moved, 2000u);
}

// Attributes too long to be kept are known by what matters: peer, next hop, route targets.
TEST_F(JournalTest, LongAttributes) {
  announce(a, {.targets = {kRt1, kRt2}, .local_pref = 7, .community_octets = 4000}, {{}});
  write(1);
  auto records = all();
  ASSERT_EQ(records.size(), 1u);
  const JournalAttributes& attributes = attributes_[records[0].attributes];
  EXPECT_FALSE(attributes.is_complete);
  EXPECT_EQ(attributes.targets, (std::vector<std::uint64_t>{kRt1, kRt2}));
  EXPECT_EQ(attributes.local_pref, 7u);
  EXPECT_LT(journal.extent().bytes, 300u);
}

// An id that another set got meanwhile is not mistaken for the one before.
TEST_F(JournalTest, ReusedAttributeIds) {
  for (std::uint32_t med = 1; med <= 100; ++med) {
    announce(a, {.med = med}, {{.label = med << 4 | 1}});
    write(med);
  }
  for (const JournalRecord& r : all()) {
    const std::vector<std::uint8_t>& bytes = attributes_[r.attributes].bytes;
    std::array<std::uint8_t, 4> med{};
    store_be32(med.data(), r.labels[0]);
    EXPECT_NE(std::search(bytes.begin(), bytes.end(), med.begin(), med.end()), bytes.end());
  }
}

// The figures that the man page states.
TEST_F(JournalTest, OctetsPerChange) {
  std::vector<Route> routes;
  for (std::uint32_t i = 0; i < 1000; ++i) routes.push_back({.address = 0x0a000000 + (i << 8)});
  announce(a, {}, routes);
  write(1);
  EXPECT_LT(journal.extent().bytes / 1000, 17u);
  std::uint64_t bulk = journal.extent().bytes;
  announce(a, {.med = 1}, {{.address = 0x0a000000}});
  write(2);
  std::uint64_t fresh = journal.extent().bytes - bulk;
  announce(a, {.med = 1}, {{.address = 0x0a000100}});
  write(3);
  EXPECT_LT(fresh, 200u);
  EXPECT_LT(journal.extent().bytes - bulk - fresh, 100u);
}

}  // namespace
}  // namespace helio::rib::test

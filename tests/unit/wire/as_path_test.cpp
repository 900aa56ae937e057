#include "rr/wire/as_path.hpp"

#include <gtest/gtest.h>

#include "rr/wire/update_encode.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::hex;
using test::Octets;
using test::to_hex;

struct InspectRow {
  const char* path;
  unsigned length;
  Asn neighbor;
  const char* text;
};

// RFC 4271 §9.1.2.2, RFC 5065 §5.3.
TEST(AsPath, Inspection) {
  for (const InspectRow& row : {
           InspectRow{"", 0, 0, ""},
           InspectRow{"0203 0000fde9 0000fdea fa56ea00", 3, 65001, "65001 65002 4200000000"},
           InspectRow{"0201 0000fde9 0102 0000fdea 0000fdeb", 2, 65001, "65001 {65002,65003}"},
           InspectRow{"0102 0000fdea 0000fdeb", 1, 0, "{65002,65003}"},
           InspectRow{"0302 0000fdf2 0000fdf3 0201 0000fde9", 1, 65001, "(65010 65011) 65001"},
           InspectRow{"0402 0000fdf2 0000fdf3", 0, 0, "[65010,65011]"},
       }) {
    Octets path = hex(row.path);
    AsPathInfo info = inspect_as_path(path, true);
    EXPECT_EQ(info.length_for_decision, row.length) << row.text;
    EXPECT_EQ(info.neighbor_as, row.neighbor) << row.text;
    EXPECT_EQ(format_as_path(path), row.text);
  }
}

TEST(AsPath, ContainsLooksIntoEverySegment) {
  Octets path = hex("0301 0000fdf2 0201 0000fde9 0102 0000fdea 0000fdeb");
  AsPathInfo info = inspect_as_path(path, true);
  for (Asn as : {65010u, 65001u, 65002u, 65003u}) EXPECT_TRUE(info.contains(as)) << as;
  EXPECT_FALSE(info.contains(65004));
  Octets old = hex("0202 fde9 5ba0");
  EXPECT_TRUE(inspect_as_path(old, false).contains(kAsTrans));
  EXPECT_EQ(format_as_path(old, false), "65001 23456");
}

// RFC 4271 §5.1.2; CVE-2025-20115: a full segment is not overflown.
TEST(AsPath, Prepend) {
  auto prepended = [](const Octets& path, unsigned count) {
    Octets out;
    prepend_as(out, path, 65000, count);
    return out;
  };
  EXPECT_EQ(to_hex(prepended({}, 1)), "02010000fde8");
  EXPECT_EQ(to_hex(prepended(hex("0201 0000fde9"), 2)), "02030000fde80000fde80000fde9");
  EXPECT_EQ(to_hex(prepended(hex("0101 0000fde9"), 1)), "02010000fde801010000fde9");
  EXPECT_EQ(to_hex(prepended(hex("0301 0000fde9"), 1)), "02010000fde803010000fde9");
  EXPECT_EQ(to_hex(prepended(hex("0201 0000fde9"), 0)), "02010000fde9");

  Octets full{2, 255};
  full.resize(2 + 255 * 4, 1);
  Octets out = prepended(full, 1);
  EXPECT_EQ(to_hex(Bytes(out).first(8)), "02010000fde802ff");
  EXPECT_EQ(inspect_as_path(out, true).length_for_decision, 256u);
  full[1] = 254;
  full.resize(2 + 254 * 4);
  out = prepended(full, 3);
  EXPECT_EQ(to_hex(Bytes(out).first(12)), "02020000fde80000fde802ff");
  EXPECT_EQ(inspect_as_path(out, true).length_for_decision, 257u);
  EXPECT_EQ(inspect_as_path(prepended({}, 600), true).length_for_decision, 600u);
}

struct MergeRow {
  const char* clause;
  const char* as_path;
  const char* as4_path;  // null: none
  const char* aggregator;
  const char* merged;
};

// An UpdateView of a two-octet neighbour; the octets must outlive it.
struct OldUpdate {
  Octets as_path, as4_path, aggregator, as4_aggregator;
  UpdateView view;
  void add(std::uint8_t type, const Octets& value) { view.attributes[view.attribute_count++] = {0xc0, type, value}; }
};

// RFC 6793 §4.2.3.
TEST(AsPath, MergesAs4Path) {
  for (const MergeRow& row : {
           MergeRow{"no AS4_PATH", "0202 fde9 fdea", nullptr, nullptr, "65001 65002"},
           MergeRow{"same length", "0202 fde9 5ba0", "0202 0000fde9 fa56ea00", nullptr, "65001 4200000000"},
           MergeRow{"old speakers in front", "0203 fde9 fdea 5ba0", "0201 fa56ea00", nullptr, "65001 65002 4200000000"},
           MergeRow{"AS4_PATH longer than AS_PATH is ignored", "0201 5ba0", "0202 fa56ea00 fa56ea01", nullptr, "23456"},
           MergeRow{"a set counts one", "0201 fde9 0102 5ba0 5ba0", "0102 fa56ea00 fa56ea01", nullptr, "65001 {4200000000,4200000001}"},
           MergeRow{"AS4_PATH's confederation segments are left out", "0202 fde9 5ba0", "0301 0000fdf2 0201 fa56ea00", nullptr, "65001 4200000000"},
           MergeRow{"leading confederation segment is kept", "0301 fdf2 0201 5ba0", "0201 fa56ea00", nullptr, "(65010) 4200000000"},
           MergeRow{"aggregated by an old speaker", "0202 fde9 5ba0", "0201 fa56ea00", "fde8 0a000001", "65001 23456"},
           MergeRow{"aggregated by a new speaker", "0202 fde9 5ba0", "0201 fa56ea00", "5ba0 0a000001", "65001 4200000000"},
           MergeRow{"empty path", "", nullptr, nullptr, ""},
       }) {
    OldUpdate update;
    update.as_path = hex(row.as_path);
    update.add(attr::as_path, update.as_path);
    if (row.as4_path) {
      update.as4_path = hex(row.as4_path);
      update.add(attr::as4_path, update.as4_path);
    }
    if (row.aggregator) {
      update.aggregator = hex(row.aggregator);
      update.add(attr::aggregator, update.aggregator);
    }
    Octets out;
    normalise_as_path(out, update.view, false);
    EXPECT_EQ(format_as_path(out), row.merged) << row.clause;
  }
}

TEST(AsPath, FourOctetPathIsTakenAsItIs) {
  OldUpdate update;
  update.as_path = hex("0201 0000fde9 0201 0000fdea");
  update.add(attr::as_path, update.as_path);
  Octets out;
  normalise_as_path(out, update.view, true);
  EXPECT_EQ(out, update.as_path);
  out.clear();
  normalise_as_path(out, UpdateView{}, true);
  EXPECT_TRUE(out.empty());
}

// RFC 6793 §4.2.2: AS_TRANS in AS_PATH, the truth in AS4_PATH; and back.
TEST(AsPath, SplitsForTwoOctetNeighbours) {
  Octets as_path, as4_path;
  split_as_path(as_path, as4_path, hex("0202 0000fde9 fa56ea00 0101 0000fdea"));
  EXPECT_EQ(to_hex(as_path), "0202fde95ba00101fdea");
  EXPECT_EQ(to_hex(as4_path), "02020000fde9fa56ea0001010000fdea");
  OldUpdate update;
  update.add(attr::as_path, as_path);
  update.add(attr::as4_path, as4_path);
  Octets back;
  normalise_as_path(back, update.view, false);
  EXPECT_EQ(to_hex(back), "02020000fde9fa56ea0001010000fdea");

  as_path.clear();
  as4_path.clear();
  split_as_path(as_path, as4_path, hex("0201 0000fde9"));
  EXPECT_EQ(to_hex(as_path), "0201fde9");
  EXPECT_TRUE(as4_path.empty());

  as_path.clear();
  split_as_path(as_path, as4_path, hex("0301 fa56ea01 0201 fa56ea00"));
  EXPECT_EQ(to_hex(as_path), "03015ba002015ba0");
  EXPECT_EQ(to_hex(as4_path), "0201fa56ea00");
}

TEST(Aggregator, BothSizes) {
  struct Row {
    const char* old_value;
    const char* as4_value;
    const char* normal;
  };
  for (const Row& row : {Row{"fde8 0a000001", nullptr, "0000fde80a000001"}, Row{"5ba0 0a000001", "fa56ea00 0a000002", "fa56ea000a000002"},
                         Row{"fde8 0a000001", "fa56ea00 0a000002", "0000fde80a000001"}, Row{"5ba0 0a000001", nullptr, "00005ba00a000001"}}) {
    OldUpdate update;
    update.aggregator = hex(row.old_value);
    update.add(attr::aggregator, update.aggregator);
    if (row.as4_value) {
      update.as4_aggregator = hex(row.as4_value);
      update.add(attr::as4_aggregator, update.as4_aggregator);
    }
    Octets out;
    normalise_aggregator(out, update.view, false);
    EXPECT_EQ(to_hex(out), row.normal);
  }
  Octets aggregator, as4_aggregator;
  split_aggregator(aggregator, as4_aggregator, hex("fa56ea00 0a000001"));
  EXPECT_EQ(to_hex(aggregator), "5ba00a000001");
  EXPECT_EQ(to_hex(as4_aggregator), "fa56ea000a000001");
  aggregator.clear();
  as4_aggregator.clear();
  split_aggregator(aggregator, as4_aggregator, hex("0000fde8 0a000001"));
  EXPECT_EQ(to_hex(aggregator), "fde80a000001");
  EXPECT_TRUE(as4_aggregator.empty());
}

}  // namespace
}  // namespace helio::wire

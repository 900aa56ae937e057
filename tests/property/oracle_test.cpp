// The oracle's decision by hand-written rows, one per step of RFC 4271 §9.1.2.2 and RFC 4456 §9: the scenarios hold the rest.
#include <gtest/gtest.h>

#include "tests/support/lab.hpp"

namespace helio::test {
namespace {

struct Candidate {
  std::uint32_t local_pref = 100;
  std::vector<AsSegment> as_path = {};
  std::uint8_t origin = 0;
  std::optional<std::uint32_t> med = std::nullopt;
  bool external = false;
  std::uint32_t router_id = 10;
  std::optional<std::uint32_t> originator = std::nullopt;
  std::size_t clusters = 0;
  std::uint32_t address = 10;
};

struct Row {
  const char* step;
  std::vector<Candidate> candidates;
  std::size_t best;
};

const AsSegment kOne{AsSegment::kSequence, {1}}, kOther{AsSegment::kSequence, {2}}, kTwo{AsSegment::kSequence, {1, 2}}, kSet{AsSegment::kSet, {1, 2, 3}};

const Row kRows[] = {
    {"higher LOCAL_PREF", {{.local_pref = 100}, {.local_pref = 101, .as_path = {kTwo}, .origin = 2}}, 1},
    {"a) shorter AS_PATH", {{.as_path = {kTwo}}, {.as_path = {kOne}, .origin = 2}}, 1},
    {"a) a set counts as one", {{.as_path = {kTwo}}, {.as_path = {kSet}, .origin = 2}}, 1},
    {"b) lower ORIGIN", {{.origin = 1}, {.origin = 0, .med = 9}}, 1},
    {"c) lower MED, same neighbouring AS", {{.as_path = {kOne}, .med = 5}, {.as_path = {kOne}, .med = 4, .router_id = 99}}, 1},
    {"c) no MED is the lowest", {{.as_path = {kOne}, .med = 1}, {.as_path = {kOne}, .router_id = 99}}, 1},
    {"c) MED of different ASes is not compared", {{.as_path = {kOther}, .med = 9, .router_id = 1}, {.as_path = {kOne}, .med = 0, .router_id = 2}}, 0},
    {"c) deterministic: the middle one is out by the last one's MED",
     {{.as_path = {kOther}, .med = 9, .router_id = 2}, {.as_path = {kOne}, .med = 7, .router_id = 1}, {.as_path = {kOne}, .med = 3, .router_id = 3}}, 0},
    {"c) empty paths come from the local AS", {{.med = 1}, {.med = 0, .router_id = 99}}, 1},
    {"d) eBGP before iBGP", {{.router_id = 1}, {.external = true, .router_id = 99}}, 1},
    {"f) lower router-id", {{.router_id = 9, .address = 1}, {.router_id = 8, .address = 2}}, 1},
    {"f) ORIGINATOR_ID in its place", {{.router_id = 1, .originator = 50}, {.router_id = 9, .address = 99}}, 1},
    {"shorter CLUSTER_LIST", {{.clusters = 2, .address = 1}, {.clusters = 1, .address = 2}}, 1},
    {"g) lower peer address", {{.address = 0x7f000002}, {.address = 0x7f000001}}, 1},
};

TEST(Oracle, DecidesByEachStep) {
  for (const Row& row : kRows) {
    std::vector<PeerSpec> peers(row.candidates.size());
    std::vector<Oracle::Path> paths(row.candidates.size());
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const Candidate& c = row.candidates[i];
      peers[i].router_id = c.router_id;
      peers[i].address = wire::IpAddress::v4(c.address);
      peers[i].role = c.external ? session::PeerRole::external : session::PeerRole::client;
      PathAttributes& a = paths[i].route.attributes;
      a.local_pref = c.local_pref;
      a.as_path = c.as_path;
      a.origin = c.origin;
      a.med = c.med;
      a.originator_id = c.originator;
      a.cluster_list.assign(c.clusters, 1);
      paths[i].from = &peers[i];
    }
    EXPECT_EQ(select_best(paths), row.best) << row.step;
    if (paths.size() != 2) continue;
    std::swap(paths[0], paths[1]);  // never by arrival
    EXPECT_EQ(select_best(paths), 1 - row.best) << row.step << ", swapped";
  }
}

// The codec the oracle's view depends on reads what it writes.
TEST(NaiveCodec, RoundTripsEveryGeneratedAttribute) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Script script = make_script(seed, {});
    for (const PeerSpec& peer : script.world.peers)
      for (std::uint32_t variant = 0; variant < 24; ++variant) {
        NaiveUpdate update;
        update.reach = wire::Family::vpnv6;
        update.attributes = make_attributes(script.world, peer, variant, wire::Family::vpnv6);
        update.announced = {{Lab::key("65000:1", "2001:db8::/33"), make_labels(variant % 5)}};
        update.unreach = wire::Family::vpnv4;
        update.withdrawn = {Lab::key("10.0.0.1:7", "10.0.0.0/9")};
        for (bool four_octet_as : {true, false}) {
          NaiveUpdate back = decode_body(encode_body(update, four_octet_as), four_octet_as, false);
          EXPECT_EQ(format_attributes(back.attributes), format_attributes(update.attributes));
          ASSERT_EQ(back.announced.size(), 1u);
          EXPECT_EQ(back.announced[0].prefix, update.announced[0].prefix);
          EXPECT_EQ(back.announced[0].labels, update.announced[0].labels);
          EXPECT_EQ(back.withdrawn, update.withdrawn);
        }
      }
  }
}

// RFC 4271 §4.3: it is strict about what we send, so that every random run holds it.
TEST(NaiveCodec, FindsAPrefixBothAnnouncedAndWithdrawn) {
  NaiveUpdate update;
  update.reach = update.unreach = wire::Family::vpnv4;
  update.attributes.as_path = {};
  update.attributes.local_pref = 100;
  update.attributes.next_hop = Octets(12, 0);
  update.announced = {{Lab::key("65000:1", "10.0.0.0/24"), make_labels(1)}};
  update.withdrawn = {Lab::key("65000:2", "10.0.0.0/24")};
  EXPECT_TRUE(decode_body(encode_body(update)).defects.empty());
  update.withdrawn.push_back(update.announced[0].prefix);
  EXPECT_EQ(decode_body(encode_body(update)).defects, std::vector<std::string>{"a prefix both announced and withdrawn"});
}

}  // namespace
}  // namespace helio::test
